/* SPDX-License-Identifier: MIT */
/*
 * one_more.c - what one more pod costs where there are 10 and where there are 10,000, beside the
 * bare system calls for the same directories and files at the same number of pods: the kernel's own
 * calls grow with what there is, too.  PODS=1000 is quicker.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS	  150
#define FILES_MAX 64

struct file {
	int hierarchy, fd;
	char name[64];
};

struct one {
	struct bench *b;
	struct cgfs *c;
	struct cgfs_group *pod;
	struct file file[FILES_MAX]; /* that the library keeps open for figures */
	size_t n_files;
};

static const struct cgfs_resources limits = {
	.sz = sizeof(limits),
	.set = CGFS_SET_MEMORY_MAX | CGFS_SET_PIDS_MAX,
	.memory_max_bytes = 64u << 20,
	.pids_max = 64,
};

static size_t pods_max(void)
{
	const char *text = getenv("PODS");

	if (text)
		return strtoul(text, NULL, 10);
	return getenv("CGFS_TEST_GUEST") ? 100 : 10000; /* a guest is emulated */
}

/* -- the bare calls ---------------------------------------------------------------------------- */

static int put(const struct one *o, enum cgfs_controller ctl, const char *file, const char *text)
{
	int i = bench_hierarchy(o->b, ctl), fd, r = 0;

	if (i < 0)
		return 0;
	fd = openat(o->b->root_fd[i], file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int bare_devices(const struct one *o)
{
	size_t n;
	const struct cgfs_device_rule *rule = cgfs_device_defaults(&n);
	int r;

	if (cgfs_place(o->c, CGFS_DEVICES).version != CGFS_V1)
		return 0;
	r = put(o, CGFS_DEVICES, "bare/devices.deny", "a");
	for (size_t i = 0; i < n && r == 0; i++) {
		char text[48];

		cgfs_device_format(&rule[i], text, sizeof(text));
		r = put(o, CGFS_DEVICES, "bare/devices.allow",
			strncmp(text, "allow ", 6) ? text : text + 6);
	}
	return r;
}

static int bare_create(void *arg)
{
	const struct one *o = arg;
	int r;

	for (size_t i = 0; i < o->b->n; i++) {
		if (mkdirat(o->b->root_fd[i], "bare", 0755) < 0)
			return -errno;
	}
	r = bare_devices(o);
	if (r == 0)
		r = put(o, CGFS_MEMORY,
			bench_v2(o->b, CGFS_MEMORY) ? "bare/memory.max"
						    : "bare/memory.limit_in_bytes",
			"67108864");
	return r < 0 ? r : put(o, CGFS_PIDS, "bare/pids.max", "64");
}

/* With the files that the statistics opened: the library closes its own in a deletion, too. */
static int bare_delete(void *arg)
{
	const struct one *o = arg;

	for (size_t i = 0; i < o->n_files; i++)
		close(o->file[i].fd);
	for (size_t i = 0; i < o->b->n; i++) {
		if (unlinkat(o->b->root_fd[i], "bare", AT_REMOVEDIR) < 0)
			return -errno;
	}
	return 0;
}

static int bare_again(void *arg)
{
	struct one *o = arg;
	char buf[8192];

	for (size_t i = 0; i < o->n_files; i++) {
		/* EOPNOTSUPP: the kernel does not account it; the library gets it, too. */
		if (pread(o->file[i].fd, buf, sizeof(buf), 0) < 0 && errno != EOPNOTSUPP)
			return -errno;
	}
	return 0;
}

static int bare_first(void *arg)
{
	struct one *o = arg;
	int dir[CGFS_MOUNTS_MAX], r = 0;

	for (size_t i = 0; i < o->b->n; i++)
		dir[i] = -1;
	for (size_t i = 0; i < o->n_files && r == 0; i++) {
		struct file *f = &o->file[i];

		if (dir[f->hierarchy] < 0)
			dir[f->hierarchy] = openat(o->b->root_fd[f->hierarchy], "bare",
						   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		f->fd = openat(dir[f->hierarchy], f->name, O_RDONLY | O_CLOEXEC);
		r = f->fd < 0 ? -errno : 0;
	}
	for (size_t i = 0; i < o->b->n; i++) {
		if (dir[i] >= 0)
			close(dir[i]);
	}
	return r < 0 ? r : bare_again(o);
}

/* -- the library ------------------------------------------------------------------------------- */

static int ours_create(void *arg)
{
	struct one *o = arg;
	struct cgfs_err err;
	int r = cgfs_pod_create(o->c, "one", &limits, &o->pod, &err);

	return r < 0 ? bench_fail(r, &err) : 0;
}

static int ours_stats(void *arg)
{
	struct one *o = arg;
	struct cgfs_stats figures = CGFS_STATS_INIT;

	return cgfs_group_stats(o->pod, CGFS_READ_ALL, &figures, NULL);
}

static int ours_delete(void *arg)
{
	struct one *o = arg;

	bench_destroy(o->pod);
	o->pod = NULL;
	return 0;
}

/* Which files the library has open of the pod, as tests/bench/stats.c finds them. */
static int find_files(struct one *o)
{
	char part[160];
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;

	snprintf(part, sizeof(part), "%s/one/", o->b->root);
	while (dir && (e = readdir(dir)) && o->n_files < FILES_MAX) {
		struct file *f = &o->file[o->n_files];
		char path[PATH_MAX], *name;
		struct stat is, st;
		ssize_t len = readlinkat(dirfd(dir), e->d_name, path, sizeof(path) - 1);

		path[len < 0 ? 0 : len] = '\0';
		name = strstr(path, part);
		if (!name || stat(path, &is) < 0 || !S_ISREG(is.st_mode))
			continue;
		snprintf(f->name, sizeof(f->name), "%s", name + strlen(part));
		name = strstr(path, "one/");
		for (size_t i = 0; i < o->b->n; i++) {
			if (fstatat(o->b->root_fd[i], name, &st, 0) < 0 || st.st_dev != is.st_dev ||
			    st.st_ino != is.st_ino)
				continue;
			f->hierarchy = (int)i;
			o->n_files++;
			break;
		}
	}
	if (dir)
		closedir(dir);
	return o->n_files ? 0 : -ENOENT;
}

/* -- the table ----------------------------------------------------------------------------------
 */

static const struct step {
	const char *name;
	int (*bare)(void *arg), (*ours)(void *arg);
} steps[] = {
	{ "create", bare_create, ours_create },
	{ "first stats", bare_first, ours_stats },
	{ "later stats", bare_again, ours_stats },
	{ "delete", bare_delete, ours_delete },
};

#define STEPS (sizeof(steps) / sizeof(steps[0]))

/* By the clock and in processor time, which is better where other processes run, too. */
struct took {
	double us[ROUNDS], cpu_us[ROUNDS];
};

static int timed(int (*fn)(void *arg), struct one *o, struct took *t, int round)
{
	double from = measure_now_us(), cpu = measure_cpu_us();
	int r = fn(o);

	t->cpu_us[round] = measure_cpu_us() - cpu;
	t->us[round] = measure_now_us() - from;
	return r;
}

static int one_more(struct one *o, size_t n)
{
	static struct took took[STEPS][2];
	int r = 0;

	for (int round = 0; round < ROUNDS && r == 0; round++) {
		for (size_t i = 0; i < STEPS && r == 0; i++) {
			/* The second variant finds the kernel's caches warm. */
			for (int k = 0; k < 2 && r == 0; k++) {
				int ours = (k + round) % 2;

				r = timed(ours ? steps[i].ours : steps[i].bare, o, &took[i][ours],
					  round);
			}
		}
		if (measure_interrupted())
			r = -EINTR;
	}
	for (size_t i = 0; i < STEPS && r == 0; i++) {
		struct took *bare = &took[i][0], *ours = &took[i][1];
		double us = measure_median(bare->us, ROUNDS), x = measure_median(ours->us, ROUNDS);
		double cpu = measure_median(bare->cpu_us, ROUNDS),
		       y = measure_median(ours->cpu_us, ROUNDS);

		printf("  %6zu %-12s %9.1f %9.1f %6.2f x %12.1f %9.1f %6.2f x\n", n, steps[i].name,
		       us, x, x / us, cpu, y, y / cpu);
	}
	fflush(stdout);
	return r;
}

static int beside(struct one *o, struct cgfs_group **pod, size_t n)
{
	struct cgfs_err err = { 0 };
	size_t made = 0;
	int r = 0;

	for (; made < n && r == 0; made++) {
		struct cgfs_stats figures = CGFS_STATS_INIT;
		char id[32];

		snprintf(id, sizeof(id), "pod-%zu", made);
		r = cgfs_pod_create(o->c, id, &limits, &pod[made], &err);
		if (r < 0)
			bench_fail(r, &err);
		else
			r = cgfs_group_stats(pod[made], CGFS_READ_ALL, &figures, &err);
		if (r == 0 && measure_interrupted())
			r = -EINTR;
	}
	if (r == 0)
		r = one_more(o, n);
	for (size_t i = 0; i < made; i++)
		bench_destroy(pod[i]);
	return r;
}

static int series(struct one *o, struct cgfs_group **pod, const char *what)
{
	int r = 0;

	printf("\none more pod, %s; microseconds, median of %d rounds in turns\n", what, ROUNDS);
	printf("  %6s %-12s %9s %9s %8s %12s %9s\n", "pods", "", "bare", "library", "", "processor",
	       "library");
	for (size_t n = 10; n <= pods_max() && r == 0;
	     n *= pods_max() < 1000 ? 10 : pods_max() / 10)
		r = beside(o, pod, n);
	return r;
}

static int rows(struct bench *b)
{
	struct cgfs_group **pod = calloc(pods_max() + 1, sizeof(*pod));
	struct one o = { .b = b, .c = b->c };
	struct rlimit limit;
	int r = pod ? ours_create(&o) : -ENOMEM;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (r == 0)
		r = ours_stats(&o);
	if (r == 0)
		r = find_files(&o);
	if (o.pod)
		ours_delete(&o);
	if (r == 0)
		r = series(&o, pod, "without eBPF");
	o.c = b->c_bpf;
	if (r == 0 && o.c)
		r = series(&o, pod, "with the eBPF policy, beside the bare calls without one");
	free(pod);
	return r;
}

int main(void)
{
	return bench_main("one_more", rows);
}
