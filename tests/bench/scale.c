/* SPDX-License-Identifier: MIT */
/*
 * scale.c - what one more pod costs when there are 10, 100, 1,000 and 10,000: to make, to read and
 * to delete, in memory of this process and in descriptors.  With no more descriptors than a
 * process has by default, and with as many as it may have.  PODS=1000 is quicker.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static size_t pods_max(void)
{
	const char *text = getenv("PODS");

	if (text)
		return strtoul(text, NULL, 10);
	return getenv("CGFS_TEST_GUEST") ? 100 : 10000; /* a guest is emulated */
}

static size_t descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static const struct cgfs_resources limits = {
	.sz = sizeof(limits),
	.set = CGFS_SET_MEMORY_MAX | CGFS_SET_PIDS_MAX,
	.memory_max_bytes = 64u << 20,
	.pids_max = 64,
};

static int count(void *arg, struct cgfs_group *g, const struct cgfs_stats *stats)
{
	*(size_t *)arg += stats->figure[CGFS_STAT_PIDS_MAX].available &&
			  stats->figure[CGFS_STAT_PIDS_MAX].value == limits.pids_max;
	return measure_interrupted() ? -EINTR : 0;
}

struct figures {
	double make_us, first_us, again_us, delete_us;
	size_t bytes, fds;
};

static int make(struct cgfs *c, struct cgfs_group **pod, size_t n, struct figures *f,
		struct cgfs_err *err)
{
	double start = measure_now_us();
	size_t heap = mallinfo2().uordblks;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		char id[32];

		snprintf(id, sizeof(id), "pod-%zu", i);
		r = cgfs_pod_create(c, id, &limits, &pod[i], err);
		if (r == 0 && measure_interrupted())
			r = -EINTR;
	}
	f->make_us = (measure_now_us() - start) / (double)n;
	f->bytes = (mallinfo2().uordblks - heap) / n;
	return r;
}

static int read_all(struct cgfs *c, size_t n, double *ret_us, struct cgfs_err *err)
{
	double start = measure_now_us();
	size_t seen = 0;
	int r;

	r = cgfs_stats_all(c, CGFS_READ_ALL, count, &seen, err);
	*ret_us = (measure_now_us() - start) / (double)n;
	if (r == 0 && seen != n) {
		snprintf(err->text, sizeof(err->text), "figures of %zu pods instead of %zu", seen,
			 n);
		r = -EIO;
	}
	return r;
}

/* All @n pods there at once; what was made is deleted, also after a failure. */
static int round_of(struct cgfs *c, struct cgfs_group **pod, size_t n, struct figures *f)
{
	struct cgfs_err err = { 0 };
	size_t before = descriptors(), made = 0;
	double start;
	int r;

	memset(pod, 0, n * sizeof(*pod));
	r = make(c, pod, n, f, &err);
	if (r == 0)
		r = read_all(c, n, &f->first_us, &err);
	if (r == 0)
		r = read_all(c, n, &f->again_us, &err);
	f->fds = descriptors() - before;
	start = measure_now_us();
	for (; made < n && pod[made]; made++)
		bench_destroy(pod[made]);
	f->delete_us = (measure_now_us() - start) / (double)n;
	return r < 0 && r != -EINTR ? bench_fail(r, &err) : r;
}

static int series(struct bench *b, struct cgfs_group **pod, rlim_t fds, size_t first)
{
	struct rlimit limit;
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_err err;
	struct cgfs *c;
	int r;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = fds < limit.rlim_max ? fds : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	opts.root = b->root;
#if CGFS_WITH_BPF
	opts.policy = b->bpf ? cgfs_bpf_policy(b->bpf) : NULL;
#endif
	r = cgfs_open(&opts, &c, &err);
	if (r < 0)
		return bench_fail(r, &err);
	printf("\npods at once, %s, RLIMIT_NOFILE %llu; microseconds a pod\n",
	       b->bpf ? "with the eBPF policy" : "without eBPF",
	       (unsigned long long)limit.rlim_cur);
	printf("  %6s %9s %11s %12s %9s %12s %13s\n", "pods", "create", "first stats",
	       "later stats", "delete", "bytes a pod", "descriptors");
	for (size_t n = first; n <= pods_max() && r == 0; n *= 10) {
		struct figures f = { 0 };

		r = round_of(c, pod, n, &f);
		if (r == 0)
			printf("  %6zu %9.1f %11.1f %12.1f %9.1f %12zu %13zu\n", n, f.make_us,
			       f.first_us, f.again_us, f.delete_us, f.bytes, f.fds);
		fflush(stdout);
	}
	cgfs_close(c);
	return r;
}

static int rows(struct bench *b)
{
	struct cgfs_group **pod = calloc(pods_max() + 1, sizeof(*pod));
	int r = pod ? series(b, pod, RLIM_INFINITY, 10) : -ENOMEM;

	if (r == 0)
		r = series(b, pod, 1024, pods_max() < 1000 ? pods_max() : 1000);
	free(pod);
	return r;
}

int main(void)
{
	return bench_main("scale", rows);
}
