/* SPDX-License-Identifier: MIT */
/*
 * tree.c - empties a directory of any size and shape, whose content is a container's.
 */
#include "agent/base/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgfs/base/util.h"

static bool empty_directory(int fd, dev_t dev);

/* Removes one entry of @dirfd, a directory with all that is in it.  The names of a tree deeper
 * than the descriptors that this process may open are left, and the directory with them. */
static bool remove_entry(int dirfd, const char *name, dev_t dev)
{
	struct stat st;
	int fd;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return true;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* A mount inside is another file system, and not the container's. */
	if (fstat(fd, &st) < 0 || st.st_dev != dev) {
		close(fd);
		return false;
	}
	return empty_directory(fd, dev) && unlinkat(dirfd, name, AT_REMOVEDIR) == 0;
}

/* Closes @fd. */
static bool empty_directory(int fd, dev_t dev)
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
			ok = remove_entry(fd, e->d_name, dev) && ok;
	}
	closedir(d);
	return ok;
}

bool tree_empty(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return false;
	}
	return empty_directory(fd, st.st_dev);
}
