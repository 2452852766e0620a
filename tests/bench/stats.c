/* SPDX-License-Identifier: MIT */
/*
 * stats.c - all figures of one container: the library against pread(2) of the same files, through
 * descriptors that stay open, and opened each time.
 *
 * Which files those are is seen in /proc/self/fd after the library has read them once, so the two
 * do the same on every layout.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS	  3000
#define FILES_MAX 64

struct stats {
	struct bench *b;
	struct cgfs_group *pod, *ctr;
	struct {
		int fd;
		char *path;
	} file[FILES_MAX];
	size_t n;
};

static bool of_container(const struct stats *s, const char *path)
{
	char part[160];

	snprintf(part, sizeof(part), "%s/stats/c/", s->b->root);
	return strstr(path, part) != NULL;
}

/* Opens once more what the library has open of the container. */
static int find_files(struct stats *s)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	while (dir && (e = readdir(dir)) && s->n < FILES_MAX) {
		char path[PATH_MAX];
		ssize_t len = readlinkat(dirfd(dir), e->d_name, path, sizeof(path) - 1);
		struct stat st;

		path[len < 0 ? 0 : len] = '\0';
		if (len < 0 || !of_container(s, path) || stat(path, &st) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		s->file[s->n].fd = -1;
		s->file[s->n++].path = strdup(path);
	}
	if (!dir)
		return -errno;
	closedir(dir);
	/* Not before: they would be found as well. */
	for (size_t i = 0; i < s->n; i++) {
		s->file[i].fd = open(s->file[i].path, O_RDONLY | O_CLOEXEC);
		if (s->file[i].fd < 0)
			return -errno;
	}
	return s->n ? 0 : -ENOENT;
}

static int bare_kept(void *arg)
{
	const struct stats *s = arg;
	char buf[8192];

	for (size_t i = 0; i < s->n; i++) {
		/* EOPNOTSUPP: the kernel does not account it; the library gets it, too. */
		if (pread(s->file[i].fd, buf, sizeof(buf), 0) < 0 && errno != EOPNOTSUPP)
			return -errno;
	}
	return 0;
}

static int bare_opened(void *arg)
{
	const struct stats *s = arg;
	char buf[8192];

	for (size_t i = 0; i < s->n; i++) {
		int fd = open(s->file[i].path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		if (read(fd, buf, sizeof(buf)) < 0 && errno != EOPNOTSUPP)
			return -errno;
		close(fd);
	}
	return 0;
}

static int library(void *arg)
{
	struct stats *s = arg;
	struct cgfs_stats figures = CGFS_STATS_INIT;

	return cgfs_group_stats(s->ctr, CGFS_READ_ALL, &figures, NULL);
}

static int rows(struct bench *b)
{
	struct stats s = { .b = b };
	struct variant v[] = {
		{ "pread of kept descriptors", bare_kept, &s, 0, 0 },
		{ "cgfs_group_stats: read, parsed, in one struct", library, &s, 0, 0 },
		{ "open, read, close each time, not parsed", bare_opened, &s, 0, 0 },
	};
	struct cgfs_err err;
	char title[80];
	int r;

	r = cgfs_pod_create(b->c, "stats", NULL, &s.pod, &err);
	if (r == 0)
		r = cgfs_container_create(b->c, s.pod, "c", NULL, &s.ctr, &err);
	if (r < 0)
		bench_fail(r, &err);
	if (r == 0)
		r = library(&s);
	if (r == 0)
		r = find_files(&s);
	if (r == 0)
		r = measure(v, 3, ROUNDS);
	if (r == 0) {
		snprintf(title, sizeof(title), "container: all statistics, %zu files", s.n);
		measure_print(title, v, 3);
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.file[i].fd >= 0)
			close(s.file[i].fd);
		free(s.file[i].path);
	}
	cgfs_group_close(s.ctr);
	bench_destroy(s.pod);
	return r;
}

int main(void)
{
	return bench_main("stats", rows);
}
