/* SPDX-License-Identifier: MIT */
/*
 * owner.c - who uses a pods root, in a record /run/cgfs/roots/NAME.  NAME is the root as the kernel
 * sees it, so that neither another spelling nor another mount of the same hierarchy is a way
 * around it.  The lock on the record is one of the process (fcntl(2)): no child of a killed agent
 * keeps it.  The record's text is the process and its local socket, for a message and for podctl.
 */
#include "agent/wire/owner.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgfs/base/util.h"

#define RUN_DIR "/run/cgfs"
#define DIR_	RUN_DIR "/roots"

/* The v1 hierarchy with the first controller, which every process sees; else cgroup2, of which an
 * agent may have mounted a tree of its own. */
static const char *hierarchy(const struct cgfs_mounts *m)
{
	const struct cgfs_mount *first = NULL;

	for (size_t i = 0; i < m->n; i++) {
		const struct cgfs_mount *at = &m->mount[i];
		uint32_t low = at->controllers & -at->controllers;

		if (at->version == CGFS_V1 && low &&
		    (!first || low < (first->controllers & -first->controllers)))
			first = at;
	}
	for (size_t i = 0; i < m->n && !first; i++) {
		if (m->mount[i].version == CGFS_V2)
			first = &m->mount[i];
	}
	return first ? first->path : NULL;
}

/* Bytes of /proc/self/mountinfo's fourth field: where in its hierarchy the mount @path begins. */
static void mount_root(const char *path, char *buf, size_t len)
{
	char line[4096], from[1024], at[1024];
	FILE *f = fopen("/proc/self/mountinfo", "re");

	snprintf(buf, len, "/");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %*s %*s %1023s %1023s", from, at) == 2 && streq(at, path))
			snprintf(buf, len, "%s", from);
	}
	if (f)
		fclose(f);
}

static uint64_t hash(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	return h;
}

static int name_it(struct owner *o, const struct cgfs_mounts *mounts, const char *root,
		   struct cgfs_err *reterr)
{
	const char *mount = hierarchy(mounts);
	uint64_t h = 0xcbf29ce484222325;
	char from[1024];
	struct stat st;

	root = root ? root : "/pods";
	if (!mount || stat(mount, &st) < 0)
		return err_why(reterr, -ENOENT, "own pods root", root,
			       "there is no cgroup hierarchy");
	mount_root(mount, from, sizeof(from));
	h = hash(hash(h, streq(from, "/") ? "" : from), root);
	snprintf(o->record, sizeof(o->record), DIR_ "/%llx-%016llx", (unsigned long long)st.st_dev,
		 (unsigned long long)h);
	if (streq(root, "/pods"))
		strcpy(o->socket, OWNER_DEFAULT_SOCKET);
	else
		snprintf(o->socket, sizeof(o->socket), "%.90s.sock", o->record);
	return 0;
}

static void read_record(int fd, pid_t *ret_pid, char socket[OWNER_PATH_MAX])
{
	char text[OWNER_PATH_MAX + 32] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int pid = 0;

	text[n > 0 ? n : 0] = '\0';
	socket[0] = '\0';
	(void)sscanf(text, "%d\n%107[^\n]", &pid, socket);
	*ret_pid = pid;
}

static int write_record(struct owner *o, const char *socket, struct cgfs_err *reterr)
{
	char text[OWNER_PATH_MAX + 32];
	int n = snprintf(text, sizeof(text), "%d\n%s\n", getpid(), socket);

	if (ftruncate(o->fd, 0) < 0 || pwrite(o->fd, text, (size_t)n, 0) != n)
		return err_file(reterr, errno ? -errno : -EIO, "write", o->record);
	return 0;
}

/* Names the owner: @fd is the record, which could not be locked. */
static int refuse(const struct owner *o, int fd, const char *root, struct cgfs_err *reterr)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char socket[OWNER_PATH_MAX];
	pid_t pid;

	read_record(fd, &pid, socket);
	root = root ? root : "/pods";
	if (!o->alone)
		return err_why(reterr, -EADDRINUSE, "change pods root", root,
			       "an agent (process %d) owns it; %s%s", pid,
			       *socket ? "use --agent unix:" : "it serves no local socket", socket);
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_RDLCK)
		return err_why(reterr, -EADDRINUSE, "own pods root", root,
			       "podctl (process %d) works on it without an agent", lock.l_pid);
	return err_why(reterr, -EADDRINUSE, "own pods root", root,
		       "another agent (process %d) owns it", pid);
}

static int open_record(const struct owner *o)
{
	int fd;

	/* A directory that is missing and cannot be made is the reason, not that the file is
	 * missing in it. */
	if (mkdir(RUN_DIR, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (mkdir(DIR_, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(o->record, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

int owner_take(struct owner *o, const struct cgfs_mounts *mounts, const char *root, bool alone,
	       struct cgfs_err *reterr)
{
	struct flock lock = { .l_type = alone ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
	int r = name_it(o, mounts, root, reterr), tries = 1000;

	o->fd = -EBADF;
	o->alone = alone;
	while (r == 0 && o->fd < 0) {
		struct stat mine, there;
		int fd = open_record(o);

		if (fd == -ENOENT && tries-- > 0)
			continue; /* an owner that ended removed the directory */
		if (fd == -EACCES || fd == -EPERM || fd == -EROFS)
			return 0;
		if (fd < 0)
			return err_file(reterr, fd, "open", o->record);
		if (fcntl(fd, F_SETLK, &lock) < 0) {
			r = errno == EAGAIN || errno == EACCES
				    ? refuse(o, fd, root, reterr)
				    : err_file(reterr, -errno, "lock", o->record);
			close(fd);
			return r;
		}
		/* The owner before may have removed what was opened here. */
		if (fstat(fd, &mine) == 0 && stat(o->record, &there) == 0 &&
		    mine.st_ino == there.st_ino)
			o->fd = fd;
		else
			close(fd);
	}
	if (r == 0 && alone) {
		r = write_record(o, "", reterr);
		if (r < 0)
			owner_release(o);
	}
	return r;
}

int owner_serves(struct owner *o, const char *socket, struct cgfs_err *reterr)
{
	return o->fd < 0 ? 0 : write_record(o, socket, reterr);
}

void owner_release(struct owner *o)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = take_fd(&o->fd);

	if (fd < 0)
		return;
	/* The last one removes the record. */
	if (fcntl(fd, F_SETLK, &lock) == 0) {
		(void)unlink(o->record);
		(void)rmdir(DIR_);
	}
	close(fd);
}

bool owner_find(const struct cgfs_mounts *mounts, const char *root, pid_t *ret_pid,
		char ret_socket[OWNER_PATH_MAX])
{
	/* What a reader would need: only an agent's lock is in its way. */
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct owner o = OWNER_INIT;
	auto_fd int fd = -EBADF;

	if (name_it(&o, mounts, root, NULL) < 0)
		return false;
	fd = open(o.record, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return false;
	read_record(fd, ret_pid, ret_socket);
	return true;
}
