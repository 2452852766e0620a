/* SPDX-License-Identifier: MIT */
/*
 * owner.c - who uses a pods root, in records in /run/cgfs/roots.  A record's name is the root as
 * its user's cgroup namespace and mounts show it.  Another namespace shows the same root under
 * another path, so a record also says where its process sees the root, and two roots are compared
 * by the inodes of their directories as both processes see them now.  The lock on the record is one
 * of the process (fcntl(2)): no child of a killed agent keeps it.
 */
#include "agent/wire/owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgfs/base/util.h"

#define RUN_DIR "/run/cgfs"
#define DIR_	RUN_DIR "/roots"

/* A record's lines are the process, the root, the mounts of the hierarchies, an empty one, and the
 * local socket, which is last because it alone changes. */
#define TEXT_MAX 8192

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

static const char *or_default(const char *root)
{
	return root ? root : "/pods";
}

static int name_it(struct owner *o, const struct cgfs_mounts *mounts, const char *root,
		   struct cgfs_err *reterr)
{
	const char *mount = hierarchy(mounts);
	uint64_t h = 0xcbf29ce484222325;
	char from[1024], space[64] = "";
	struct stat st;

	root = or_default(root);
	if (!mount || stat(mount, &st) < 0)
		return err_why(reterr, -ENOENT, "own pods root", root,
			       "there is no cgroup hierarchy");
	mount_root(mount, from, sizeof(from));
	ignore((int)readlink("/proc/self/ns/cgroup", space, sizeof(space) - 1));
	h = hash(hash(hash(h, space), streq(from, "/") ? "" : from), root);
	snprintf(o->record, sizeof(o->record), DIR_ "/%llx-%016llx", (unsigned long long)st.st_dev,
		 (unsigned long long)h);
	if (streq(root, "/pods"))
		strcpy(o->socket, OWNER_DEFAULT_SOCKET);
	else
		snprintf(o->socket, sizeof(o->socket), "%.90s.sock", o->record);
	return 0;
}

/* --- the same root? -------------------------------------------------------------------------- */

/* What there is of a directory: the nearest one above it that exists, and the names below that. */
struct found {
	struct stat st;
	char missing[1024];
};

/* @view: "", or the root directory of another process. */
static bool find_dir(const char *view, const char *mount, const char *root, struct found *ret)
{
	char path[2048];
	size_t top = (size_t)snprintf(path, sizeof(path), "%s%s", view, mount), n;

	n = top + (size_t)snprintf(path + top, sizeof(path) - top, "%s", root);
	if (n >= sizeof(path) || n - top >= sizeof(ret->missing))
		return false;
	while (stat(path, &ret->st) < 0) {
		if (errno != ENOENT || n == top)
			return false;
		while (n > top && path[--n] != '/')
			;
		path[n] = '\0';
	}
	strcpy(ret->missing, root + (n - top));
	return true;
}

static bool same_dir(const struct found *a, const struct found *b)
{
	return a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino &&
	       streq(a->missing, b->missing);
}

/* Is @root below one's own @mount what process @pid sees as @theirs below @at?  Either may come or
 * go meanwhile: then again. */
static bool same_root(const char *mount, const char *root, pid_t pid, const char *at,
		      const char *theirs)
{
	struct found own, other, later;
	char view[40];

	snprintf(view, sizeof(view), "/proc/%d/root", pid);
	if (!find_dir("", mount, root, &own))
		return false;
	for (;;) {
		if (!find_dir(view, at, theirs, &other))
			return false;
		if (same_dir(&own, &other))
			return true;
		if (!find_dir("", mount, root, &later) || same_dir(&own, &later))
			return false;
		own = later;
	}
}

/* --- records --------------------------------------------------------------------------------- */

/* Who has a root. */
struct user {
	pid_t pid;
	bool alone;
	char socket[OWNER_PATH_MAX];
};

/* Ends the line that begins at *@at, and moves on to the next one. */
static char *next_line(char **at)
{
	char *line = *at;

	*at += strcspn(line, "\n");
	if (**at)
		*(*at)++ = '\0';
	return line;
}

/* Does the record with @text, whose name is @name or not, stand for @root? */
static bool stands_for(char *text, bool name, const struct cgfs_mounts *mounts, const char *root,
		       struct user *u)
{
	const char *theirs, *at;
	bool same = name;
	int pid = atoi(next_line(&text));

	theirs = next_line(&text);
	/* The kernel's answer is right in this namespace of processes; 0: it is in another. */
	while (*(at = next_line(&text)))
		for (size_t i = 0; i < mounts->n && !same && u->pid > 0; i++)
			same = same_root(mounts->mount[i].path, root, u->pid, at, theirs);
	snprintf(u->socket, sizeof(u->socket), "%s", next_line(&text));
	if (u->pid <= 0)
		u->pid = pid;
	return same;
}

/* Whoever has @root so that a lock of @type could not be had.  @tidy: removes what killed processes
 * left, which is safe under lock_records(). */
static bool find_user(const struct owner *o, const struct cgfs_mounts *mounts, const char *root,
		      short type, bool tidy, struct user *ret)
{
	const char *name = o->record + strlen(DIR_ "/");
	DIR *dir = opendir(DIR_);
	bool found = false;
	struct dirent *d;

	while (dir && !found && (d = readdir(dir))) {
		struct flock lock = { .l_type = type, .l_whence = SEEK_SET };
		auto_fd int fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		char text[TEXT_MAX];
		ssize_t n;

		if (d->d_name[0] == '.' || fd < 0 || fcntl(fd, F_GETLK, &lock) < 0)
			continue;
		if (lock.l_type == F_UNLCK) {
			lock.l_type = F_WRLCK;
			if (tidy && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK)
				(void)unlinkat(dirfd(dir), d->d_name, 0);
			continue;
		}
		n = pread(fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		*ret = (struct user){ .pid = lock.l_pid, .alone = lock.l_type == F_WRLCK };
		found = stands_for(text, strncmp(d->d_name, name, strlen(name)) == 0, mounts, root,
				   ret);
	}
	if (dir)
		closedir(dir);
	return found;
}

static int write_at(struct owner *o, const char *text, size_t at, struct cgfs_err *reterr)
{
	size_t n = strlen(text);

	if (pwrite(o->fd, text, n, (off_t)at) != (ssize_t)n ||
	    ftruncate(o->fd, (off_t)(at + n)) < 0)
		return err_file(reterr, errno ? -errno : -EIO, "write", o->record);
	return 0;
}

static int write_record(struct owner *o, const struct cgfs_mounts *mounts, const char *root,
			struct cgfs_err *reterr)
{
	char text[TEXT_MAX];
	size_t n = (size_t)snprintf(text, sizeof(text), "%d\n%s\n", getpid(), root);

	for (size_t i = 0; i < mounts->n && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", mounts->mount[i].path);
	if (n + 1 + OWNER_PATH_MAX >= sizeof(text))
		return err_why(reterr, -ENAMETOOLONG, "own pods root", root,
			       "its record would be longer than %d bytes", TEXT_MAX);
	strcpy(text + n, "\n\n");
	o->socket_at = n + 1;
	return write_at(o, text, 0, reterr);
}

static int refuse(bool alone, const struct user *u, const char *root, struct cgfs_err *reterr)
{
	if (!alone)
		return err_why(reterr, -EADDRINUSE, "change pods root", root,
			       "an agent (process %d) owns it; %s%s", u->pid,
			       *u->socket ? "use --agent unix:" : "it serves no local socket",
			       u->socket);
	return err_why(reterr, -EADDRINUSE, "own pods root", root,
		       u->alone ? "another agent (process %d) owns it"
				: "podctl (process %d) works on it without an agent",
		       u->pid);
}

/* Opens and locks the directory of the records: one process at a time looks for another one and
 * takes a root, or gives one back. */
static int lock_records(void)
{
	struct stat mine, there;

	for (int tries = 0; tries < 1000; tries++) {
		auto_fd int fd = -EBADF;

		/* A directory that is missing and cannot be made is the reason, not that the file
		 * is missing in it. */
		if (mkdir(RUN_DIR, 0700) < 0 && errno != EEXIST)
			return -errno;
		if (mkdir(DIR_, 0700) < 0 && errno != EEXIST && errno != ENOENT)
			return -errno;
		fd = open(DIR_, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue; /* an owner that ended removed it */
		if (fd < 0)
			return -errno;
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return -errno;
		if (fstat(fd, &mine) == 0 && stat(DIR_, &there) == 0 && mine.st_ino == there.st_ino)
			return take_fd(&fd);
	}
	return -ENOENT;
}

int owner_take(struct owner *o, const struct cgfs_mounts *mounts, const char *root, bool alone,
	       struct cgfs_err *reterr)
{
	struct flock lock = { .l_type = alone ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
	int r = name_it(o, mounts, root, reterr);
	auto_fd int records = -EBADF;
	struct user user;

	root = or_default(root);
	o->fd = -EBADF;
	if (r < 0)
		return r;
	records = lock_records();
	if (records == -EACCES || records == -EPERM || records == -EROFS)
		return 0;
	if (records < 0)
		return err_file(reterr, records, "lock", DIR_);
	if (find_user(o, mounts, root, lock.l_type, true, &user))
		return refuse(alone, &user, root, reterr);
	/* Of those who share a root, each sees it in its own way. */
	if (!alone)
		snprintf(o->record + strlen(o->record), sizeof(o->record) - strlen(o->record),
			 "-%d", getpid());
	o->fd = open(o->record, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (o->fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS))
		return 0;
	if (o->fd < 0)
		return err_file(reterr, -errno, "open", o->record);
	r = fcntl(o->fd, F_SETLK, &lock) < 0 ? err_file(reterr, -errno, "lock", o->record)
					     : write_record(o, mounts, root, reterr);
	if (r < 0)
		close(take_fd(&o->fd));
	return r;
}

int owner_serves(struct owner *o, const char *socket, struct cgfs_err *reterr)
{
	char line[OWNER_PATH_MAX + 2];

	snprintf(line, sizeof(line), "%s\n", socket);
	return o->fd < 0 ? 0 : write_at(o, line, o->socket_at, reterr);
}

void owner_release(struct owner *o)
{
	auto_fd int records = o->fd < 0 ? -EBADF : lock_records();

	if (o->fd < 0)
		return;
	(void)records; /* held until all is done */
	(void)unlink(o->record);
	(void)rmdir(DIR_);
	close(take_fd(&o->fd));
}

bool owner_find(const struct cgfs_mounts *mounts, const char *root, pid_t *ret_pid,
		char ret_socket[OWNER_PATH_MAX])
{
	struct owner o = OWNER_INIT;
	struct user user;

	/* What a reader would need: only an agent's lock is in its way. */
	if (name_it(&o, mounts, root, NULL) < 0 ||
	    !find_user(&o, mounts, or_default(root), F_RDLCK, false, &user))
		return false;
	*ret_pid = user.pid;
	strcpy(ret_socket, user.socket);
	return true;
}
