/* SPDX-License-Identifier: MIT */
/*
 * tree.c - empties a directory of any size and shape, whose content is a container's.
 */
#include "agent/base/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgfs/base/util.h"

/* A directory that is deeper moves up: each level costs a descriptor, memory and stack, and a
 * container makes as many as it likes. */
#define DEPTH_MAX 64

struct walk {
	int top;
	dev_t dev;
	unsigned long n; /* names that were given at the top */
	bool moved;
};

static bool empty_directory(int fd, struct walk *w, unsigned int depth);

static bool move_up(int dirfd, const char *name, struct walk *w)
{
	char fresh[40];
	int r;

	do {
		snprintf(fresh, sizeof(fresh), ".cgfs-%lu", w->n++);
		r = renameat(dirfd, name, w->top, fresh);
	} while (r < 0 && (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR));
	w->moved = w->moved || r == 0;
	return r == 0;
}

/* Removes one entry of @dirfd, a directory with all that is in it. */
static bool remove_entry(int dirfd, const char *name, struct walk *w, unsigned int depth)
{
	struct stat st;
	int fd;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return true;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* A mount inside is another file system, and not the container's. */
	if (fstat(fd, &st) < 0 || st.st_dev != w->dev) {
		close(fd);
		return false;
	}
	if (depth >= DEPTH_MAX && move_up(dirfd, name, w)) {
		close(fd);
		return true;
	}
	return empty_directory(fd, w, depth + 1) && unlinkat(dirfd, name, AT_REMOVEDIR) == 0;
}

/* Closes @fd. */
static bool empty_directory(int fd, struct walk *w, unsigned int depth)
{
	DIR *d = fdopendir(fd);
	bool ok = d != NULL;
	struct dirent *e;

	if (!d) {
		close(fd);
		return false;
	}
	while ((e = readdir(d))) {
		if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
			ok = remove_entry(fd, e->d_name, w, depth) && ok;
	}
	closedir(d);
	return ok;
}

bool tree_empty(const char *path)
{
	auto_fd int top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct walk w = { .top = top };
	struct stat st;
	bool ok;

	if (top < 0)
		return errno == ENOENT;
	if (fstat(top, &st) < 0)
		return false;
	w.dev = st.st_dev;
	do {
		int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		w.moved = false;
		ok = fd >= 0 && empty_directory(fd, &w, 0);
	} while (w.moved);
	return ok;
}
