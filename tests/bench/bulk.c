/* SPDX-License-Identifier: MIT */
/*
 * bulk.c - the memory of 1,000 containers: cgfs_stats_all() with the kernel's report of all groups,
 * and from control files, whose descriptors stay open, 13 of each container, or do not, where the
 * limit of descriptors is what most systems have.  In a guest (`make bench-guest`) 1 us for all of
 * them is one instruction for each.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#if CGFS_WITH_BPF

#define CONTAINERS 1000
#define ROUNDS	   7
#define POD	   "bulk"

struct reader {
	struct cgfs *c;
	struct cgfs_group *group[CONTAINERS + 1]; /* the pod first */
	unsigned int what;
	size_t seen, reported;
	enum cgfs_stat figure;
};

static int count(void *arg, struct cgfs_group *g, const struct cgfs_stats *stats)
{
	struct reader *r = arg;

	r->seen++;
	r->reported += stats->figure[r->figure].source == CGFS_SOURCE_REPORT;
	return 0;
}

static int read_all(void *arg)
{
	struct reader *r = arg;
	struct cgfs_err err;
	int ret;

	r->seen = r->reported = 0;
	ret = cgfs_stats_all(r->c, r->what, count, r, &err);
	return ret < 0 ? bench_fail(ret, &err) : 0;
}

static void limit_descriptors(rlim_t n)
{
	struct rlimit rl;

	getrlimit(RLIMIT_NOFILE, &rl);
	/* Who may not raise it has what there is. */
	if (n > rl.rlim_max)
		n = rl.rlim_max =
			setrlimit(RLIMIT_NOFILE, &(struct rlimit){ n, n }) == 0 ? n : rl.rlim_max;
	rl.rlim_cur = n;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
		perror("bulk: setrlimit");
}

/* @descriptors: the limit, which a context asks for when it is opened; before there are more. */
static int open_context(const struct bench *b, const struct cgfs_policy *policy, rlim_t descriptors,
			struct reader *ret)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_err err = { 0 };
	int r;

	opts.root = b->root;
	opts.policy = policy;
	limit_descriptors(descriptors);
	r = cgfs_open(&opts, &ret->c, &err);
	limit_descriptors(65536);
	return r < 0 ? bench_fail(r, &err) : 0;
}

/* @make: or opens what the first one has made. */
static int open_groups(struct reader *ret, bool make)
{
	struct cgfs_err err = { 0 };
	struct cgfs_group **g = ret->group;
	char id[16];
	int r = make ? cgfs_pod_create(ret->c, POD, NULL, &g[0], &err)
		     : cgfs_pod_open(ret->c, POD, &g[0], &err);

	for (size_t i = 1; i <= CONTAINERS && r == 0; i++) {
		snprintf(id, sizeof(id), "c%zu", i);
		r = make ? cgfs_container_create(ret->c, g[0], id, NULL, &g[i], &err)
			 : cgfs_container_open(ret->c, g[0], id, &g[i], &err);
		if (measure_interrupted())
			r = -EINTR;
	}
	return r < 0 ? bench_fail(r, &err) : 0;
}

static void close_reader(struct reader *r, bool destroy)
{
	for (size_t i = CONTAINERS + 1; i-- > 0;) {
		if (destroy)
			bench_destroy(r->group[i]);
		else
			cgfs_group_close(r->group[i]);
	}
	cgfs_close(r->c);
}

static int row(struct reader reader[3], const char *title, unsigned int what, enum cgfs_stat figure)
{
	struct variant v[] = {
		{ "by the report of all groups", read_all, &reader[0], 0, 0 },
		{ "by files, descriptors stay open", read_all, &reader[1], 0, 0 },
		{ "by files, with a limit of 1,024 descriptors", read_all, &reader[2], 0, 0 },
	};
	int r = 0;

	for (size_t i = 0; i < 3 && r == 0; i++) {
		reader[i].what = what;
		reader[i].figure = figure;
		/* Twice: after the first the report knows which files there are. */
		r = read_all(&reader[i]);
		r = r < 0 ? r : read_all(&reader[i]);
	}
	if (r < 0)
		return r;
	if (reader[0].reported < CONTAINERS) {
		printf("\n%s: the report has %zu of them here\n", title, reader[0].reported);
		return 0;
	}
	r = measure(v, 3, ROUNDS);
	if (r == 0)
		measure_print(title, v, 3);
	return r;
}

static int rows(struct bench *b)
{
	static struct reader reader[3];
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_err err = { 0 };
	struct cgfs_bpf *bpf = NULL;
	char pin_dir[80];
	int r;

	snprintf(pin_dir, sizeof(pin_dir), "%s-bulk", b->pin_dir);
	opts.pin_dir = pin_dir;
	opts.memory = true;
	if (cgfs_bpf_open(&opts, &bpf, &err) < 0) {
		printf("\nbulk: left out: %s\n", err.text);
		return 0;
	}
	r = open_context(b, cgfs_bpf_policy(bpf), 65536, &reader[0]);
	r = r < 0 ? r : open_context(b, NULL, 65536, &reader[1]);
	r = r < 0 ? r : open_context(b, NULL, 1024, &reader[2]);
	for (size_t i = 0; i < 3 && r == 0; i++)
		r = open_groups(&reader[i], i == 0);
	if (r == 0)
		r = row(reader, "1,000 containers: usage, limits, peak, swap, events",
			CGFS_READ_MEMORY_BULK, CGFS_STAT_MEMORY_CURRENT);
	if (r == 0)
		r = row(reader, "1,000 containers: memory.stat", CGFS_READ_MEMORY_STAT,
			CGFS_STAT_MEMORY_ANON);
	if (r == 0)
		r = row(reader, "1,000 containers: both",
			CGFS_READ_MEMORY_BULK | CGFS_READ_MEMORY_STAT, CGFS_STAT_MEMORY_CURRENT);
	close_reader(&reader[2], false);
	close_reader(&reader[1], false);
	close_reader(&reader[0], true);
	if (cgfs_bpf_unpin(bpf, &err) < 0)
		bench_fail(err.code, &err);
	cgfs_bpf_close(bpf);
	return r;
}

int main(void)
{
	return bench_main("bulk", rows);
}

#else

int main(void)
{
	return bench_main("bulk", NULL);
}

#endif
