/* SPDX-License-Identifier: MIT */
/*
 * dirs.c - the journal of what the agent made outside of cgroupfs: directories, files and sockets.
 * After a kill the next agent removes what stands in it, if it is the same inode still, and nothing
 * else.
 *
 * The journal is a directory of symbolic links that lead nowhere: each is made, renamed and removed
 * in one step, and a killed agent leaves no half of one.  A link's target is the path; its name is
 * a random number, and the identity of what was made as soon as there is one.  Directories and
 * files are made under a name with that number and then renamed, so that it is known at every
 * moment of a kill; a socket is bound at its final place, since its address would show another name
 * for ever.
 */
#include "agent/base/dirs.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cgfs/base/util.h"

#define NOTE_MAX    96
/* On a socket, which may be in the way of an agent with another state directory. */
#define MARK	    "trusted.cgfs.made"
/* Between the note that a socket is about to be made and the socket itself. */
#define BIND_MAX_NS 1000000000ULL

struct identity {
	unsigned long long dev, ino, born_ns;
	unsigned long long handle; /* an inode that comes again has the number of the one before */
};

struct made {
	struct hash_node node;
	struct identity id;
	unsigned long long tag;
	bool noted;
	bool old; /* of an earlier agent, and not used by this one yet */
	char path[];
};

/* What there is to make a directory, socket or file of. */
struct stuff {
	mode_t mode;
	int fd;
	const char *text;
};

typedef int make_fn(const char *path, const struct stuff *stuff);

/* Includes the inode's generation, unlike statx(2); 0: the file system has none. */
static unsigned long long handle_of(int dirfd, const char *path)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = { .head.handle_bytes = MAX_HANDLE_SZ };
	unsigned long long hash = 0xcbf29ce484222325;
	int mount;

	if (name_to_handle_at(dirfd, path, &h.head, &mount, 0) < 0)
		return 0;
	for (unsigned int i = 0; i < h.head.handle_bytes; i++)
		hash = (hash ^ h.head.f_handle[i]) * 0x100000001b3;
	return hash;
}

/* All zeros when nothing is there. */
static struct identity identify(int dirfd, const char *path, mode_t *ret_mode)
{
	struct statx st;

	if (syscall(SYS_statx, dirfd, path, AT_SYMLINK_NOFOLLOW,
		    STATX_TYPE | STATX_INO | STATX_BTIME, &st) < 0)
		return (struct identity){ 0 };
	if (ret_mode)
		*ret_mode = st.stx_mode;
	return (struct identity){
		.dev = makedev(st.stx_dev_major, st.stx_dev_minor),
		.ino = st.stx_ino,
		.born_ns = st.stx_mask & STATX_BTIME
				   ? (unsigned long long)st.stx_btime.tv_sec * 1000000000ULL +
					     st.stx_btime.tv_nsec
				   : 0,
		.handle = handle_of(dirfd, path),
	};
}

static bool same(const struct identity *a, const struct identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->born_ns == b->born_ns &&
	       a->handle == b->handle;
}

static bool still_there(const struct made *m)
{
	struct identity now = identify(AT_FDCWD, m->path, NULL);

	return same(&now, &m->id);
}

/* --- the journal ---------------------------------------------------------------------------- */

static void note_name(const struct made *m, char buf[NOTE_MAX])
{
	int n = snprintf(buf, NOTE_MAX, "%016llx", m->tag);

	if (m->id.ino)
		snprintf(buf + n, NOTE_MAX - (size_t)n, "-%llx-%llx-%llx-%llx", m->id.dev,
			 m->id.ino, m->id.born_ns, m->id.handle);
}

/* Notes that @m is about to be made. */
static int note(struct dirs *d, struct made *m)
{
	char name[NOTE_MAX];

	if (d->fd < 0)
		return 0;
	if (getrandom(&m->tag, sizeof(m->tag), GRND_INSECURE) != sizeof(m->tag))
		return -EIO;
	note_name(m, name);
	if (symlinkat(m->path, d->fd, name) < 0)
		return -errno;
	m->noted = true;
	return 0;
}

/* Notes what @at, which was just made for @m, is. */
static int note_identity(struct dirs *d, struct made *m, const char *at)
{
	char before[NOTE_MAX], after[NOTE_MAX];

	note_name(m, before);
	m->id = identify(AT_FDCWD, at, NULL);
	note_name(m, after);
	return !m->noted || renameat(d->fd, before, d->fd, after) == 0 ? 0 : -errno;
}

static void note_nothing(struct dirs *d, const struct made *m)
{
	char name[NOTE_MAX];

	note_name(m, name);
	if (m->noted)
		(void)unlinkat(d->fd, name, 0);
}

static void forget(struct dirs *d, struct made *m)
{
	note_nothing(d, m);
	hash_remove(&d->made, &m->node);
	free(m);
}

static struct made *find(const struct dirs *d, const char *path)
{
	struct hash_node *n = hash_find(&d->made, path);

	return n ? container_of(n, struct made, node) : NULL;
}

static struct made *made_new(const char *path)
{
	size_t size = strlen(path) + 1;
	struct made *m = calloc(1, sizeof(*m) + size);

	if (m)
		memcpy(m->path, path, size);
	return m;
}

/* --- making --------------------------------------------------------------------------------- */

static int remove_at(const char *path, mode_t mode)
{
	return S_ISDIR(mode) ? rmdir(path) : S_ISSOCK(mode) || S_ISREG(mode) ? unlink(path) : -1;
}

/* The name under which the directory or file of @m is made; false: it is too long. */
static bool first_name(const struct made *m, char buf[PATH_MAX])
{
	const char *slash = strrchr(m->path, '/');

	return snprintf(buf, PATH_MAX, "%.*s/.cgfs-%016llx", (int)(slash ? slash - m->path : 0),
			m->path, m->tag) < PATH_MAX;
}

static int make_dir(const char *path, const struct stuff *stuff)
{
	return mkdir(path, stuff->mode) < 0 ? -errno : 0;
}

static bool marked(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_mode & (S_ISVTX | S_IWGRP | S_IWOTH)) == S_ISVTX;
}

/* For all to read; it is part of containers. */
static int make_file(const char *path, const struct stuff *stuff)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t len = strlen(stuff->text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, stuff->text, len);
	if (n == (ssize_t)len && fchmod(fd, 0644) == 0)
		return 0;
	n = n < 0 || n == (ssize_t)len ? -errno : -ENOSPC;
	(void)unlink(path);
	return (int)n;
}

static int make_elsewhere(struct dirs *d, struct made *m, make_fn *make, const struct stuff *stuff)
{
	char first[PATH_MAX];
	int r;

	if (!first_name(m, first))
		return -EINVAL;
	r = make(first, stuff);
	if (r == 0)
		r = note_identity(d, m, first);
	if (r == 0 &&
	    syscall(SYS_renameat2, AT_FDCWD, first, AT_FDCWD, m->path, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0)
		(void)(make == make_dir ? rmdir(first) : unlink(first));
	return r;
}

static int make_socket(const char *path, const struct stuff *stuff)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	if (bind(stuff->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	(void)lsetxattr(path, MARK, "1", 1, 0);
	return 0;
}

static int make_one(struct dirs *d, const char *path, make_fn *make, const struct stuff *stuff)
{
	struct made *m = made_new(path), *before = find(d, path);
	int r = m ? note(d, m) : -ENOMEM;

	/* -EINVAL: a file system that cannot rename so. */
	if (r == 0 && m->noted && make != make_socket)
		r = make_elsewhere(d, m, make, stuff);
	else if (r == 0)
		r = -EINVAL;
	if (r == -EINVAL) {
		r = make(path, stuff);
		if (r == 0)
			r = note_identity(d, m, path);
	}
	/* What was ours there was removed by another, or it would not have been made now. */
	if (r == 0 && before)
		forget(d, before);
	if (r == 0)
		r = hash_add(&d->made, &m->node, m->path);
	if (r < 0 && m) {
		if (m->id.ino && still_there(m))
			(void)(make == make_dir ? rmdir(path) : unlink(path));
		note_nothing(d, m);
		free(m);
	}
	return r;
}

int dirs_make(struct dirs *d, const char *path)
{
	auto_free char *copy = strdup(path);
	/* Before there is a journal the directory is marked as ours by its sticky bit, which means
	 * nothing where only the owner may write. */
	const struct stuff stuff = { .mode = d->fd < 0 ? S_ISVTX | 0700 : 0700 };

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1;; p++) {
		char c = *p;
		int r = 0;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (access(copy, F_OK) < 0)
			r = make_one(d, copy, make_dir, &stuff);
		if (r < 0 && r != -EEXIST)
			return r;
		*p = c;
		if (c == '\0')
			break;
	}
	dirs_keep(d, path);
	return 0;
}

int dirs_bind(struct dirs *d, int fd, const char *path)
{
	return make_one(d, path, make_socket, &(struct stuff){ .fd = fd });
}

int dirs_write(struct dirs *d, const char *path, const char *text)
{
	return make_one(d, path, make_file, &(struct stuff){ .text = text });
}

/* --- after a restart ------------------------------------------------------------------------ */

/* A socket that was about to be made when the agent was killed, where nothing had been: one that
 * came at that moment. */
static void take_socket(struct dirs *d, struct made *m, const char *name)
{
	struct identity link = identify(d->fd, name, NULL);
	mode_t mode = 0;
	struct identity there = identify(AT_FDCWD, m->path, &mode);

	if (S_ISSOCK(mode) && link.born_ns && there.born_ns >= link.born_ns &&
	    there.born_ns - link.born_ns < BIND_MAX_NS)
		(void)note_identity(d, m, m->path);
}

static void load_one(struct dirs *d, const char *name)
{
	struct made what = { .noted = true, .old = true }, *m;
	char target[PATH_MAX], first[PATH_MAX];
	ssize_t n = readlinkat(d->fd, name, target, sizeof(target) - 1);
	int words = sscanf(name, "%16llx-%llx-%llx-%llx-%llx", &what.tag, &what.id.dev,
			   &what.id.ino, &what.id.born_ns, &what.id.handle);

	if (n <= 0 || *target != '/' || (words != 1 && words != 5))
		return;
	target[n] = '\0';
	m = made_new(target);
	if (!m)
		return; /* stays noted for the next agent */
	m->id = what.id;
	m->tag = what.tag;
	m->noted = m->old = true;
	if (first_name(m, first) && rmdir(first) < 0 && errno == ENOTDIR)
		(void)unlink(first);
	if (words == 1)
		take_socket(d, m, name);
	if (m->id.ino && still_there(m) && hash_add(&d->made, &m->node, m->path) == 0)
		return;
	note_nothing(d, m);
	free(m);
}

static int load(struct dirs *d)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!list) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	while ((e = readdir(list))) {
		if (e->d_type == DT_LNK || e->d_type == DT_UNKNOWN)
			load_one(d, e->d_name);
	}
	closedir(list);
	return 0;
}

/* The journal's own directory and those above it, of an agent that was killed before it could note
 * them. */
static int take_marked(struct dirs *d, const char *path)
{
	auto_free char *copy = strdup(path);
	int r = copy ? 0 : -ENOMEM;

	while (r == 0 && *copy) {
		char *slash = strrchr(copy, '/');
		struct made *m;

		if (!find(d, copy) && marked(copy)) {
			m = made_new(copy);
			r = m ? hash_add(&d->made, &m->node, m->path) : -ENOMEM;
		}
		*(slash ? slash : copy) = '\0';
	}
	return r;
}

int dirs_open(struct dirs *d, const char *path)
{
	struct hash_node *n;
	int r = dirs_make(d, path);

	if (r < 0)
		return r;
	d->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0)
		return -errno;
	r = load(d);
	if (r == 0)
		r = take_marked(d, path);
	for (n = hash_next(&d->made, NULL); n && r == 0; n = hash_next(&d->made, n)) {
		struct made *m = container_of(n, struct made, node);

		if (m->noted)
			continue;
		m->id = (struct identity){ 0 };
		r = note(d, m);
		if (r == 0)
			r = note_identity(d, m, m->path);
	}
	dirs_keep(d, path);
	return r;
}

void dirs_keep(struct dirs *d, const char *path)
{
	auto_free char *copy = strdup(path);

	while (copy && *copy) {
		struct made *m = find(d, copy);
		char *slash = strrchr(copy, '/');

		if (m)
			m->old = false;
		if (!slash)
			return;
		*slash = '\0';
	}
}

/* --- removing ------------------------------------------------------------------------------- */

bool dirs_ours(const struct dirs *d, const char *path)
{
	const struct made *m = find(d, path);

	return m ? still_there(m) : lgetxattr(path, MARK, NULL, 0) > 0;
}

/* true: it is not there any more, or not ours. */
static bool remove_made(struct dirs *d, struct made *m)
{
	mode_t mode = S_IFDIR;
	struct identity now = identify(AT_FDCWD, m->path, &mode);

	if (same(&now, &m->id) && remove_at(m->path, mode) < 0 && errno != ENOENT)
		return false;
	forget(d, m);
	return true;
}

bool dirs_remove(struct dirs *d, const char *path)
{
	struct made *m = find(d, path);

	return m && remove_made(d, m);
}

void dirs_remove_up(struct dirs *d, const char *path)
{
	auto_free char *copy = strdup(path);
	char *slash;

	while (copy && *copy) {
		/* One that is not there was not made yet, or has been removed before. */
		if (!dirs_remove(d, copy) && access(copy, F_OK) == 0)
			return;
		slash = strrchr(copy, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

/* Children before their parents: as long as a round removes something, another may. */
static void remove_rounds(struct dirs *d, bool only_old)
{
	bool some = true;

	while (some) {
		struct hash_node *n, *next;

		some = false;
		for (n = hash_next(&d->made, NULL); n; n = next) {
			struct made *m = container_of(n, struct made, node);

			next = hash_next(&d->made, n);
			if (!only_old || m->old)
				some = remove_made(d, m) || some;
		}
	}
}

void dirs_sweep(struct dirs *d)
{
	remove_rounds(d, true);
}

/* The journal's own directory and those above it are noted in it. */
static void end_journal(struct dirs *d)
{
	struct hash_node *n;

	for (n = hash_next(&d->made, NULL); n; n = hash_next(&d->made, n)) {
		struct made *m = container_of(n, struct made, node);

		note_nothing(d, m);
		m->noted = false;
	}
	remove_rounds(d, false);
}

void dirs_close(struct dirs *d, bool remove)
{
	struct hash_node *n;

	if (remove)
		remove_rounds(d, false);
	if (remove)
		end_journal(d);
	while ((n = hash_next(&d->made, NULL))) {
		hash_remove(&d->made, n);
		free(container_of(n, struct made, node));
	}
	hash_free(&d->made);
	if (d->fd >= 0)
		close(take_fd(&d->fd));
}
