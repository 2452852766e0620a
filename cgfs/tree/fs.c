/* SPDX-License-Identifier: MIT */
/*
 * fs.c - the one door to the file system: the table for the running kernel, and the calls
 * that the library makes through the table of its context.  Knows no cgroups.
 */
#include "cgfs/tree/fs.h"

#include "cgfs/base/util.h"
#include "cgfs/tree/context.h"
#include "cgfs/tree/descriptors.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static int kernel_open(void *ctx, int dirfd, const char *name, int flags)
{
	int fd = openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

static void kernel_close(void *ctx, int fd)
{
	close(fd);
}

static ssize_t kernel_pread(void *ctx, int fd, void *buf, size_t len, off_t offset)
{
	ssize_t n = pread(fd, buf, len, offset);

	return n < 0 ? -errno : n;
}

static ssize_t kernel_write(void *ctx, int fd, const void *buf, size_t len)
{
	ssize_t n = write(fd, buf, len);

	return n < 0 ? -errno : n;
}

static int kernel_mkdir(void *ctx, int dirfd, const char *name, mode_t mode)
{
	return mkdirat(dirfd, name, mode) < 0 ? -errno : 0;
}

static int kernel_rmdir(void *ctx, int dirfd, const char *name)
{
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int kernel_list(void *ctx, int dirfd, int (*fn)(void *arg, const char *name), void *arg)
{
	struct dirent *e;
	int r = 0, fd;
	DIR *dir;

	/* A description of its own: rewinding a shared one would upset a concurrent walk. */
	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		r = -errno;
		close(fd);
		return r;
	}
	for (errno = 0; r == 0 && (e = readdir(dir)); errno = 0) {
		if (e->d_type == DT_DIR && !streq(e->d_name, ".") && !streq(e->d_name, ".."))
			r = fn(arg, e->d_name);
	}
	if (r == 0 && errno)
		r = -errno;
	closedir(dir);
	return r;
}

static int kernel_inode(void *ctx, int fd, uint64_t *ret_inode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_inode = st.st_ino;
	return 0;
}

static int kernel_notify_open(void *ctx)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int kernel_notify_add(void *ctx, int nfd, int dirfd, const char *name)
{
	char path[FILE_PATH_MAX];
	int wd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	wd = inotify_add_watch(nfd, path, IN_MODIFY);
	return wd < 0 ? -errno : wd;
}

static int kernel_notify_remove(void *ctx, int nfd, int wd)
{
	return inotify_rm_watch(nfd, wd) < 0 ? -errno : 0;
}

static int kernel_kill(void *ctx, pid_t pid, int sig)
{
	return kill(pid, sig) < 0 ? -errno : 0;
}

static int kernel_owner(void *ctx, int dirfd, const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret_uid = st.st_uid;
	*ret_gid = st.st_gid;
	return 0;
}

static int kernel_chown(void *ctx, int dirfd, const char *name, uid_t uid, gid_t gid)
{
	return fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int kernel_may_write(void *ctx, int dirfd, const char *name)
{
	return faccessat(dirfd, name, W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static void note_key(const char *name, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s", strncmp(name, "trusted.", 8) == 0 ? "" : "user.", name);
}

static int kernel_note(void *ctx, int dirfd, const char *name, const char *value)
{
	char key[64];
	int r;

	note_key(name, key, sizeof(key));
	r = value ? fsetxattr(dirfd, key, value, strlen(value), 0) : fremovexattr(dirfd, key);
	return r < 0 ? -errno : 0;
}

static ssize_t kernel_noted(void *ctx, int dirfd, const char *name, char *buf, size_t len)
{
	char key[64];
	ssize_t n;

	note_key(name, key, sizeof(key));
	n = fgetxattr(dirfd, key, buf, len);
	return n < 0 ? -errno : n;
}

static int kernel_mode(void *ctx, int fd, mode_t *ret_mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_mode = st.st_mode;
	return 0;
}

const struct cgfs_fs *cgfs_fs_kernel(void)
{
	static const struct cgfs_fs_ops ops = {
		.sz = sizeof(ops),
		.open = kernel_open,
		.close = kernel_close,
		.pread = kernel_pread,
		.write = kernel_write,
		.mkdir = kernel_mkdir,
		.rmdir = kernel_rmdir,
		.list = kernel_list,
		.inode = kernel_inode,
		.notify_open = kernel_notify_open,
		.notify_add = kernel_notify_add,
		.notify_remove = kernel_notify_remove,
		.kill = kernel_kill,
		.owner = kernel_owner,
		.chown = kernel_chown,
		.may_write = kernel_may_write,
		.note = kernel_note,
		.noted = kernel_noted,
		.mode = kernel_mode,
	};
	static const struct cgfs_fs fs = { .sz = sizeof(fs), .ops = &ops };

	return &fs;
}

static ssize_t refuse_write(void *ctx, int fd, const void *buf, size_t len)
{
	return -EROFS;
}

static int refuse_mkdir(void *ctx, int dirfd, const char *name, mode_t mode)
{
	return -EROFS;
}

static int refuse_rmdir(void *ctx, int dirfd, const char *name)
{
	return -EROFS;
}

static int refuse_kill(void *ctx, pid_t pid, int sig)
{
	return -EROFS;
}

static int refuse_chown(void *ctx, int dirfd, const char *name, uid_t uid, gid_t gid)
{
	return -EROFS;
}

static int refuse_note(void *ctx, int dirfd, const char *name, const char *value)
{
	return -EROFS;
}

void fs_refuse_changes(struct cgfs *c)
{
	c->own_fs = *c->fs;
	c->own_fs_ops = *c->fs->ops;
	c->own_fs_ops.write = refuse_write;
	c->own_fs_ops.mkdir = refuse_mkdir;
	c->own_fs_ops.rmdir = refuse_rmdir;
	c->own_fs_ops.kill = refuse_kill;
	c->own_fs_ops.chown = refuse_chown;
	c->own_fs_ops.note = refuse_note;
	c->own_fs.ops = &c->own_fs_ops;
	c->fs = &c->own_fs;
	c->read_only = true;
}

int check_writable(const struct cgfs *c, const char *op, struct cgfs_err *reterr)
{
	if (!c->read_only)
		return 0;
	return err_why(reterr, -EROFS, op, NULL, "the context was opened for reading");
}

int fs_open(struct cgfs *c, int dirfd, const char *name, int flags)
{
	int r;

	if (c->read_only && (flags & O_ACCMODE) != O_RDONLY)
		return -EROFS;
	do
		r = c->fs->ops->open(c->fs->ctx, dirfd, name, flags);
	while (r == -EINTR || ((r == -EMFILE || r == -ENFILE) && descriptors_give_up(c)));
	return r;
}

void fs_close(struct cgfs *c, int *fd)
{
	if (*fd >= 0)
		c->fs->ops->close(c->fs->ctx, *fd);
	*fd = -EBADF;
}

ssize_t fs_pread(struct cgfs *c, int fd, char *buf, size_t len)
{
	ssize_t n;

	do
		n = c->fs->ops->pread(c->fs->ctx, fd, buf, len - 1, 0);
	while (n == -EINTR);
	if (n < 0)
		return n;
	if ((size_t)n == len - 1)
		return -EFBIG;
	buf[n] = '\0';
	return n;
}

ssize_t fs_read_at(struct cgfs *c, int dirfd, const char *name, char *buf, size_t len)
{
	auto_door_fd struct door_fd d = { c, fs_open(c, dirfd, name, O_RDONLY) };

	if (d.fd < 0)
		return d.fd;
	return fs_pread(c, d.fd, buf, len);
}

ssize_t fs_read_long(struct cgfs *c, int dirfd, const char *name, char *small, size_t len,
		     char **ret_big, char **ret)
{
	ssize_t n = fs_read_at(c, dirfd, name, small, len);

	*ret_big = NULL;
	*ret = small;
	for (size_t size = 1u << 16; n == -EFBIG && size <= 1u << 22; size *= 4) {
		free(*ret_big);
		*ret = *ret_big = malloc(size);
		n = *ret ? fs_read_at(c, dirfd, name, *ret, size) : -ENOMEM;
	}
	return n;
}

int fs_refused(struct cgfs *c, int dirfd, const char *name)
{
	int r = c->fs->ops->may_write(c->fs->ctx, dirfd, name);

	return r == -EACCES || (r == -EROFS && !c->read_only) ? r : 0;
}

bool fs_read_only(struct cgfs *c, int dirfd)
{
	return c->fs->ops->may_write(c->fs->ctx, dirfd, ".") == -EROFS;
}

int fs_write_at(struct cgfs *c, int dirfd, const char *name, const char *value)
{
	auto_door_fd struct door_fd d = { c, fs_open(c, dirfd, name, O_WRONLY) };
	size_t len = strlen(value);
	ssize_t n;

	if (d.fd < 0)
		return d.fd;
	do
		n = c->fs->ops->write(c->fs->ctx, d.fd, value, len);
	while (n == -EINTR);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EIO;
}

uint64_t process_start(pid_t pid)
{
	char path[32], text[1024];
	const char *at;
	auto_fd int fd = -EBADF;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The name may be anything; behind its parenthesis come 19 fields, and then this one. */
	at = strrchr(text, ')');
	for (int i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}
