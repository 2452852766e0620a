/* SPDX-License-Identifier: MIT */
/*
 * cgfs/fs.h - the table through which the library accesses the file system.
 *
 * All kernel I/O of the library goes through this table, so that the fake cgroupfs of the
 * tests (or a tracing shim, or a fault injector) replaces the kernel as a whole.  Every call
 * returns 0, a count or a descriptor on success and a negative errno on failure.
 *
 * Descriptors that `open` returns are opaque numbers to the library: it passes them back to
 * this table only.  Descriptors that `notify_open` returns, and eventfds whose numbers the
 * library writes into cgroup.event_control, are real ones: they go into an epoll set.
 */
#ifndef CGFS_FS_H
#define CGFS_FS_H

#include <cgfs/base.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs_fs_ops {
	size_t sz; /* sizeof(struct cgfs_fs_ops); all functions up to `mode` must be there */
	/* openat(2).  @dirfd may be AT_FDCWD for an absolute @name.  @flags: O_RDONLY,
	 * O_WRONLY or O_RDWR, with O_DIRECTORY for directories (the library adds O_CLOEXEC
	 * and O_NOFOLLOW).  Never creates anything. */
	int (*open)(void *ctx, int dirfd, const char *name, int flags);
	void (*close)(void *ctx, int fd);
	ssize_t (*pread)(void *ctx, int fd, void *buf, size_t len, off_t offset);
	ssize_t (*write)(void *ctx, int fd, const void *buf, size_t len);
	int (*mkdir)(void *ctx, int dirfd, const char *name, mode_t mode);
	int (*rmdir)(void *ctx, int dirfd, const char *name);
	/* Calls @fn for each sub-directory of @dirfd (files are left out); stops at the first
	 * non-zero value that @fn returns and returns it. */
	int (*list)(void *ctx, int dirfd, int (*fn)(void *arg, const char *name), void *arg);
	/* Inode number of the open file or directory: on cgroup2 this is the cgroup id. */
	int (*inode)(void *ctx, int fd, uint64_t *ret_inode);
	/* inotify(7).  The descriptor is real and pollable; reading it with read(2) yields
	 * struct inotify_event records whose `wd` is what notify_add returned.  notify_add
	 * watches the control file @name of @dirfd for IN_MODIFY. */
	int (*notify_open)(void *ctx);
	int (*notify_add)(void *ctx, int nfd, int dirfd, const char *name);
	int (*notify_remove)(void *ctx, int nfd, int wd);
	/* kill(2), for kernels and layouts without cgroup.kill. */
	int (*kill)(void *ctx, pid_t pid, int sig);
	/* Reads and changes the owner of @name; "." is @dirfd itself: fstatat(2), fchownat(2). */
	int (*owner)(void *ctx, int dirfd, const char *name, uid_t *ret_uid, gid_t *ret_gid);
	int (*chown)(void *ctx, int dirfd, const char *name, uid_t uid, gid_t gid);
	/* 0 if this process may write to @name, or create directories in it if it is one; -EACCES;
	 * -EROFS on a read-only mount. */
	int (*may_write)(void *ctx, int dirfd, const char *name);
	/* A short text kept with a directory as long as it exists, for a successor of this
	 * process: fsetxattr(2) of "user.NAME", which a v1 hierarchy may not have, or, where NAME
	 * begins with "trusted.", of NAME itself; @value NULL: fremovexattr(2); fgetxattr(2), the
	 * length. */
	int (*note)(void *ctx, int dirfd, const char *name, const char *value);
	ssize_t (*noted)(void *ctx, int dirfd, const char *name, char *buf, size_t len);
	/* Of the open directory, with the bits that mkdir() was given: fstat(2). */
	int (*mode)(void *ctx, int fd, mode_t *ret_mode);
};

struct cgfs_fs {
	size_t sz;
	const struct cgfs_fs_ops *ops;
	void *ctx;
};

/**
 * cgfs_fs_kernel() - the table for the running kernel
 *
 * Return: a static table, which cgfs_open() uses by default; never NULL.
 */
CGFS_API const struct cgfs_fs *cgfs_fs_kernel(void);

#ifdef __cplusplus
}
#endif
#endif
