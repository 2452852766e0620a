// SPDX-License-Identifier: MIT
/*
 * shim.c - a door in front of the door.
 *
 * Some things cannot be asked of a kernel: a process that will not freeze, one that survives
 * SIGKILL.  The shim lies to the library about exactly these, on every world alike; what the
 * library then does to the real files is the test.
 */
#include "world.h"

#include <signal.h>
#include <stdlib.h>

#define OPEN_MAX_ 4096

struct open_file {
	int fd;
	char name[32]; /* the last part of what was opened */
};

struct shim {
	struct cgfs_fs fs; /* what the library gets */
	const struct cgfs_fs *real;
	struct world *w;
	bool never_frozen, deaf, no_kill, inside;
	unsigned int missed_freezes, rmdirs, calls;
	void (*before)(struct world *w);
	struct open_file open[OPEN_MAX_];
	size_t n_open;
};

static const struct cgfs_fs *enter(struct shim *s)
{
	s->calls++;
	/* What `before` does may come through the door again. */
	if (s->before && !s->inside) {
		s->inside = true;
		s->before(s->w);
		s->inside = false;
	}
	return s->real;
}

static const char *name_of(const struct shim *s, int fd)
{
	for (size_t i = 0; i < s->n_open; i++) {
		if (s->open[i].fd == fd)
			return s->open[i].name;
	}
	return "";
}

static int shim_open(void *ctx, int dirfd, const char *name, int flags)
{
	struct shim *s = ctx;
	const struct cgfs_fs *real = enter(s);
	const char *slash = strrchr(name, '/');
	int fd = s->no_kill && strcmp(name, "cgroup.kill") == 0
			 ? -ENOENT
			 : real->ops->open(real->ctx, dirfd, name, flags);

	if (fd >= 0) {
		CHECK(s->n_open < OPEN_MAX_);
		s->open[s->n_open].fd = fd;
		snprintf(s->open[s->n_open++].name, sizeof(s->open[0].name), "%.31s",
			 slash ? slash + 1 : name);
	}
	return fd;
}

static void shim_close(void *ctx, int fd)
{
	struct shim *s = ctx;
	const struct cgfs_fs *real = enter(s);

	for (size_t i = 0; i < s->n_open; i++) {
		if (s->open[i].fd == fd) {
			s->open[i] = s->open[--s->n_open];
			break;
		}
	}
	real->ops->close(real->ctx, fd);
}

/* "frozen 1" of cgroup.events becomes "frozen 0"; freezer.state stays at FREEZING. */
static ssize_t not_frozen(const char *name, char *buf, ssize_t n, size_t len)
{
	static const char freezing[] = "FREEZING\n";
	char *p;

	if (strcmp(name, "freezer.state") == 0 && n >= 6 && memcmp(buf, "FROZEN", 6) == 0 &&
	    len >= sizeof(freezing) - 1) {
		memcpy(buf, freezing, sizeof(freezing) - 1);
		return sizeof(freezing) - 1;
	}
	if (strcmp(name, "cgroup.events") == 0) {
		p = memmem(buf, (size_t)n, "frozen 1", 8);
		if (p)
			p[7] = '0';
	}
	return n;
}

static ssize_t shim_pread(void *ctx, int fd, void *buf, size_t len, off_t offset)
{
	struct shim *s = ctx;
	const struct cgfs_fs *real = enter(s);
	ssize_t n = real->ops->pread(real->ctx, fd, buf, len, offset);

	if (s->never_frozen && n > 0 && offset == 0)
		n = not_frozen(name_of(s, fd), buf, n, len);
	return n;
}

static ssize_t shim_write(void *ctx, int fd, const void *buf, size_t len)
{
	struct shim *s = ctx;
	const struct cgfs_fs *real = enter(s);

	if (s->deaf && strcmp(name_of(s, fd), "cgroup.kill") == 0)
		return (ssize_t)len;
	if (s->missed_freezes && strcmp(name_of(s, fd), "freezer.state") == 0 &&
	    memcmp(buf, "FROZEN", 6) == 0) {
		s->missed_freezes--;
		return (ssize_t)len;
	}
	return real->ops->write(real->ctx, fd, buf, len);
}

static int shim_mkdir(void *ctx, int dirfd, const char *name, mode_t mode)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->mkdir(real->ctx, dirfd, name, mode);
}

static int shim_rmdir(void *ctx, int dirfd, const char *name)
{
	struct shim *s = ctx;
	const struct cgfs_fs *real = enter(s);

	s->rmdirs++;
	return real->ops->rmdir(real->ctx, dirfd, name);
}

static int shim_list(void *ctx, int dirfd, int (*fn)(void *arg, const char *name), void *arg)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->list(real->ctx, dirfd, fn, arg);
}

static int shim_inode(void *ctx, int fd, uint64_t *ret_inode)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->inode(real->ctx, fd, ret_inode);
}

static int shim_notify_open(void *ctx)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->notify_open(real->ctx);
}

static int shim_notify_add(void *ctx, int nfd, int dirfd, const char *name)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->notify_add(real->ctx, nfd, dirfd, name);
}

static int shim_notify_remove(void *ctx, int nfd, int wd)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->notify_remove(real->ctx, nfd, wd);
}

static int shim_kill(void *ctx, pid_t pid, int sig)
{
	struct shim *s = ctx;
	const struct cgfs_fs *real = enter(s);

	if (s->deaf && sig == SIGKILL)
		return 0;
	return real->ops->kill(real->ctx, pid, sig);
}

static int shim_owner(void *ctx, int dirfd, const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->owner(real->ctx, dirfd, name, ret_uid, ret_gid);
}

static int shim_chown(void *ctx, int dirfd, const char *name, uid_t uid, gid_t gid)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->chown(real->ctx, dirfd, name, uid, gid);
}

static int shim_may_write(void *ctx, int dirfd, const char *name)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->may_write(real->ctx, dirfd, name);
}

static int shim_note(void *ctx, int dirfd, const char *name, const char *value)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->note(real->ctx, dirfd, name, value);
}

static ssize_t shim_noted(void *ctx, int dirfd, const char *name, char *buf, size_t len)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->noted(real->ctx, dirfd, name, buf, len);
}

static int shim_mode(void *ctx, int fd, mode_t *ret_mode)
{
	const struct cgfs_fs *real = enter(ctx);

	return real->ops->mode(real->ctx, fd, ret_mode);
}

static const struct cgfs_fs_ops shim_ops = {
	.sz = sizeof(shim_ops),
	.open = shim_open,
	.close = shim_close,
	.pread = shim_pread,
	.write = shim_write,
	.mkdir = shim_mkdir,
	.rmdir = shim_rmdir,
	.list = shim_list,
	.inode = shim_inode,
	.notify_open = shim_notify_open,
	.notify_add = shim_notify_add,
	.notify_remove = shim_notify_remove,
	.kill = shim_kill,
	.owner = shim_owner,
	.chown = shim_chown,
	.may_write = shim_may_write,
	.note = shim_note,
	.noted = shim_noted,
	.mode = shim_mode,
};

struct shim *shim_new(struct world *w)
{
	struct shim *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	s->w = w;
	s->fs = (struct cgfs_fs){ sizeof(s->fs), &shim_ops, s };
	return s;
}

void shim_free(struct shim *s)
{
	free(s);
}

const struct cgfs_fs *shim_fs(struct shim *s, const struct cgfs_fs *real)
{
	s->real = real;
	return &s->fs;
}

void shim_miss_freezes(struct shim *s, unsigned int n)
{
	s->missed_freezes = n;
}

unsigned int shim_rmdirs(struct shim *s)
{
	unsigned int n = s->rmdirs;

	s->rmdirs = 0;
	return n;
}

unsigned int shim_calls(struct shim *s)
{
	unsigned int n = s->calls;

	s->calls = 0;
	return n;
}

void shim_no_kill(struct shim *s, bool on)
{
	s->no_kill = on;
}

void shim_never_frozen(struct shim *s, bool on)
{
	s->never_frozen = on;
}

void shim_deaf(struct shim *s, bool on)
{
	s->deaf = on;
}

void shim_before(struct shim *s, void (*fn)(struct world *w))
{
	s->before = fn;
}
