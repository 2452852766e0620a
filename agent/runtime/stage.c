/* SPDX-License-Identifier: MIT */
/*
 * stage.c - directories that the containers of a pod share, as sources of bind mounts.
 *
 * Containers write into them, so that a path below one may be a symbolic link to anywhere by the
 * time the runtime follows it.  It is followed here, not out of its base, and what was found is
 * mounted where no container can change a name: on a file system of this run's own.  The clone of
 * a shared mount gets there without going through a slave, so that mounts still propagate.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/runtime/runtime_child.h"
#include "cgfs/base/util.h"

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif

/* The kernel reports a rename in the middle of a look-up by EAGAIN, and a container can go on
 * renaming. */
#define TRIES 64

static int open_below(int base, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, base, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* @path below @base, with the directories that are not there yet: any user may use them. */
static int make_below(int base, const char *path)
{
	char prefix[PATH_MAX];
	auto_fd int at = fcntl(base, F_DUPFD_CLOEXEC, 3);
	size_t len = 0;

	if (at < 0 || strlen(path) >= sizeof(prefix))
		return at < 0 ? -errno : -ENAMETOOLONG;
	while (path[len]) {
		size_t part = len + (len > 0), end = part + strcspn(path + part, "/");
		int fd;

		memcpy(prefix, path, end);
		prefix[end] = '\0';
		fd = open_below(base, prefix);
		if (fd == -ENOENT) {
			if (mkdirat(at, prefix + part, 0777) < 0 && errno != EEXIST)
				return -errno;
			fd = open_below(base, prefix);
		}
		if (fd < 0)
			return fd;
		close(at);
		at = fd;
		len = end;
	}
	return take_fd(&at);
}

static int clone_tree(const struct runtime_bind *b)
{
	auto_fd int base = open(b->base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int fd = -EBADF;
	long tree;

	if (base < 0)
		return -errno;
	fd = make_below(base, b->path);
	if (fd < 0)
		return fd;
	tree = syscall(SYS_open_tree, fd, "",
		       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	return tree < 0 ? -errno : (int)tree;
}

int stage_open(const struct runtime_job *job, int trees[RUNTIME_BINDS_MAX],
	       char why[RUNTIME_WHY_MAX])
{
	mode_t mask = umask(0);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < job->n_binds; i++) {
		const struct runtime_bind *b = &job->binds[i];

		r = trees[i] = clone_tree(b);
		if (r < 0)
			snprintf(why, RUNTIME_WHY_MAX, "mount source \"%.200s\" below %.200s%s",
				 b->path, b->base, r == -EXDEV ? " leads out of it" : "");
	}
	umask(mask);
	return r < 0 ? r : 0;
}

static int place(int stage, size_t i, int tree)
{
	struct stat st;
	char name[24];
	int fd;

	snprintf(name, sizeof(name), "%zu", i);
	if (fstat(tree, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode)) {
		if (mkdirat(stage, name, 0700) < 0)
			return -errno;
	} else {
		fd = openat(stage, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	return syscall(SYS_move_mount, tree, "", stage, name, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno
											   : 0;
}

int stage_place(const struct runtime_job *job, const int trees[RUNTIME_BINDS_MAX],
		char why[RUNTIME_WHY_MAX])
{
	auto_fd int stage = -EBADF;
	char path[PATH_MAX];
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/stage", job->bundle) >= (int)sizeof(path))
		r = -ENAMETOOLONG;
	if (r == 0 && mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
			    "mode=0700,size=64k") < 0)
		r = -errno;
	if (r == 0 && (stage = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		r = -errno;
	for (size_t i = 0; r == 0 && i < job->n_binds; i++)
		r = place(stage, i, trees[i]);
	if (r < 0)
		snprintf(why, RUNTIME_WHY_MAX, "mount sources at %.200s", path);
	return r;
}
