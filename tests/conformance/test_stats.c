// SPDX-License-Identifier: MIT
/*
 * test_stats.c - figures after work of a known size.  Bounds are those of the work, never of
 * the clock.
 */
#include "extra.h"

#include "cgfs/base/util.h"

static void read_stats(struct cgfs_group *g, unsigned int what, struct cgfs_stats *s)
{
	OK(cgfs_group_stats(g, what, s, &err));
}

WORLD_TEST(stats_not_empty_after_a_workload)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	CHECK_INT(w->ops->alloc(w, pid, 16 * MIB), 0);
	w->ops->burn(w, pid, 50000);
	for (int i = 0; i < 2; i++) {
		struct cgfs_group *g = i ? pod : ctr; /* the pod's include the container's */

		if (world_version(w, CGFS_MEMORY) != CGFS_NONE) {
			CHECK(world_stat(g, CGFS_STAT_MEMORY_CURRENT) >= 16 * MIB);
			CHECK(world_stat(g, CGFS_STAT_MEMORY_CURRENT) < 48 * MIB);
			/* The kernel sums memory.stat up when it finds the time. */
			for (int k = 0; k < PATIENCE_MS / 10 &&
					world_stat(g, CGFS_STAT_MEMORY_ANON) < 15 * MIB;
			     k++)
				world_sleep_ms(10);
			CHECK(world_stat(g, CGFS_STAT_MEMORY_ANON) >= 15 * MIB);
		}
		if (world_version(w, CGFS_CPU) == CGFS_V2 ||
		    world_version(w, CGFS_CPUACCT) == CGFS_V1)
			CHECK(world_stat(g, CGFS_STAT_CPU_USAGE) >= 40000);
		if (world_version(w, CGFS_PIDS) != CGFS_NONE)
			CHECK_INT(world_stat(g, CGFS_STAT_PIDS_CURRENT), 1);
	}
}

WORLD_TEST(stats_peak_outlives_the_memory)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	world_need(w, CGFS_MEMORY);
	world_need_file(w, CGFS_MEMORY, ctr,
			world_v2(w, CGFS_MEMORY) ? "memory.peak" : "memory.max_usage_in_bytes");
	CHECK_INT(w->ops->alloc(w, pid, 16 * MIB), 0);
	w->ops->release(w, pid, 16 * MIB);
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_PEAK) >= 16 * MIB);
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_CURRENT) < 16 * MIB);
}

/* The pod's handle is closed already, and goes with its last container's. */
static int close_container(void *arg, struct cgfs_group *g, const struct cgfs_stats *s)
{
	if (!cgfs_group_is_pod(g))
		cgfs_group_close(g);
	++*(size_t *)arg;
	return 0;
}

WORLD_TEST(stats_handles_may_be_closed_on_the_walk)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *keep = world_pod(w, c, "keep", NULL);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *again, *ctr;
	size_t n = 0;

	OK(cgfs_pod_open(c, "web", &again, &err));
	OK(cgfs_container_create(c, again, "c1", NULL, &ctr, &err));
	cgfs_group_close(again);
	OK(cgfs_stats_all(c, CGFS_READ_PIDS, close_container, &n, &err));
	CHECK(n >= 3);
	n = 0;
	OK(cgfs_stats_all(c, CGFS_READ_PIDS, close_container, &n, &err));
	CHECK_INT(n, 2);
	world_destroy(w, pod);
	world_destroy(w, keep);
	world_check_groups(w, 0);
}

WORLD_TEST(stats_two_containers_are_independent)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources small = extra_memory(64 * MIB), big = extra_memory(128 * MIB);
	struct cgfs_group *pod, *a, *b;
	pid_t pa, pb;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", NULL);
	a = world_container(w, pod, c, "a", &small);
	b = world_container(w, pod, c, "b", &big);
	pa = world_spawn_in(w, a);
	pb = world_spawn_in(w, b);
	CHECK_INT(w->ops->alloc(w, pa, 8 * MIB), 0);
	CHECK_INT(w->ops->alloc(w, pb, 64 * MIB), 0);
	CHECK_INT(world_stat(a, CGFS_STAT_MEMORY_MAX), 64 * MIB);
	CHECK_INT(world_stat(b, CGFS_STAT_MEMORY_MAX), 128 * MIB);
	CHECK(world_stat(a, CGFS_STAT_MEMORY_CURRENT) >= 8 * MIB);
	CHECK(world_stat(a, CGFS_STAT_MEMORY_CURRENT) < 32 * MIB);
	CHECK(world_stat(b, CGFS_STAT_MEMORY_CURRENT) >= 64 * MIB);
	CHECK(world_stat(pod, CGFS_STAT_MEMORY_CURRENT) >= 72 * MIB);
	CHECK(world_stat(pod, CGFS_STAT_MEMORY_MAX) == CGFS_MAX);
}

WORLD_TEST(stats_unavailable_is_not_zero)
{
	static const struct {
		enum cgfs_stat stat;
		enum cgfs_controller ctl;
		const char *v1, *v2; /* the file; "" for: no such figure */
	} table[] = {
		{ CGFS_STAT_MEMORY_CURRENT, CGFS_MEMORY, "memory.usage_in_bytes",
		  "memory.current" },
		{ CGFS_STAT_MEMORY_MAX, CGFS_MEMORY, "memory.limit_in_bytes", "memory.max" },
		{ CGFS_STAT_MEMORY_HIGH, CGFS_MEMORY, "", "memory.high" },
		{ CGFS_STAT_MEMORY_PEAK, CGFS_MEMORY, "memory.max_usage_in_bytes", "memory.peak" },
		{ CGFS_STAT_MEMORY_SWAP_CURRENT, CGFS_MEMORY, "memory.memsw.usage_in_bytes",
		  "memory.swap.current" },
		{ CGFS_STAT_MEMORY_EVENTS_HIGH, CGFS_MEMORY, "", "memory.events" },
		{ CGFS_STAT_MEMORY_EVENTS_OOM_KILL, CGFS_MEMORY, "memory.oom_control",
		  "memory.events" },
		{ CGFS_STAT_MEMORY_MIN, CGFS_MEMORY, "", "memory.min" },
		{ CGFS_STAT_MEMORY_SWAP_PEAK, CGFS_MEMORY, "", "memory.swap.peak" },
		{ CGFS_STAT_MEMORY_SWAP_EVENTS_FAIL, CGFS_MEMORY, "", "memory.swap.events" },
		{ CGFS_STAT_MEMORY_ZSWAP_CURRENT, CGFS_MEMORY, "", "memory.zswap.current" },
		{ CGFS_STAT_MEMORY_ZSWAP_MAX, CGFS_MEMORY, "", "memory.zswap.max" },
		{ CGFS_STAT_MEMORY_LOCAL_OOM_KILL, CGFS_MEMORY, "memory.oom_control",
		  "memory.events.local" },
		{ CGFS_STAT_MEMORY_LOCAL_HIGH, CGFS_MEMORY, "", "memory.events.local" },
		{ CGFS_STAT_MEMORY_SLAB, CGFS_MEMORY, "", "memory.stat" },
		{ CGFS_STAT_PIDS_LOCAL_MAX, CGFS_PIDS, "pids.events.local", "pids.events.local" },
		{ CGFS_STAT_PIDS_CURRENT, CGFS_PIDS, "pids.current", "pids.current" },
		{ CGFS_STAT_PIDS_PEAK, CGFS_PIDS, "pids.peak", "pids.peak" },
		{ CGFS_STAT_PIDS_EVENTS_MAX, CGFS_PIDS, "pids.events", "pids.events" },
		{ CGFS_STAT_CPU_WEIGHT, CGFS_CPU, "cpu.shares", "cpu.weight" },
		{ CGFS_STAT_CPU_QUOTA, CGFS_CPU, "cpu.cfs_quota_us", "cpu.max" },
	};
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct cgfs_stats s = CGFS_STATS_INIT;

	memset(s.figure, 0xff, sizeof(s.figure));
	read_stats(ctr, CGFS_READ_ALL, &s);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		enum cgfs_version_id v = world_version(w, table[i].ctl);
		const char *file = v == CGFS_V2 ? table[i].v2 : table[i].v1;
		bool want = v != CGFS_NONE && *file && world_has_file(w, table[i].ctl, ctr, file);

		CHECK_MSG(s.figure[table[i].stat].available == want, "%s is %savailable, but %s %s",
			  cgfs_stat_name(table[i].stat), want ? "not " : "",
			  *file ? file : "its file", want ? "exists" : "does not");
	}
	/* Without a policy devices are not counted. */
	CHECK(!s.figure[CGFS_STAT_DEVICE_DENIED].available);
}

WORLD_TEST(stats_only_what_was_asked_is_there)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct cgfs_stats s = CGFS_STATS_INIT;

	world_need(w, CGFS_PIDS);
	read_stats(ctr, CGFS_READ_PIDS, &s);
	for (int i = 0; i < CGFS_STAT_COUNT; i++) {
		if (strncmp(cgfs_stat_name(i), "pids.", 5) != 0)
			CHECK_MSG(!s.figure[i].available, "%s was not asked for",
				  cgfs_stat_name(i));
	}
	CHECK(s.figure[CGFS_STAT_PIDS_CURRENT].available);
	CHECK_INT(s.figure[CGFS_STAT_PIDS_CURRENT].value, 0);
	read_stats(ctr, 0, &s);
	for (int i = 0; i < CGFS_STAT_COUNT; i++)
		CHECK(!s.figure[i].available);
}

WORLD_TEST(stats_throttling_is_counted)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *ctr;
	uint64_t before;
	pid_t pid;

	world_need(w, CGFS_CPU);
	res.set = CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD;
	res.cpu_quota_us = 10000;
	res.cpu_period_us = 100000;
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	world_need_file(w, CGFS_CPU, ctr, world_v2(w, CGFS_CPU) ? "cpu.max" : "cpu.cfs_quota_us");
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	pid = world_spawn_in(w, ctr);
	/* On a slow machine the process's beginning may have cost more than a period's share. */
	before = world_stat(ctr, CGFS_STAT_CPU_THROTTLED_PERIODS);
	CHECK(before <= world_stat(ctr, CGFS_STAT_CPU_PERIODS));
	/* 60 ms of work at 10 ms a period has to wait several times. */
	w->ops->burn(w, pid, 60000);
	CHECK(world_stat(ctr, CGFS_STAT_CPU_THROTTLED_PERIODS) >= before + 2);
	CHECK(world_stat(ctr, CGFS_STAT_CPU_PERIODS) >=
	      world_stat(ctr, CGFS_STAT_CPU_THROTTLED_PERIODS));
	CHECK(world_stat(ctr, CGFS_STAT_CPU_THROTTLED) > 0);
}

WORLD_TEST(stats_descriptors_are_kept_not_leaked)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct cgfs_stats s = CGFS_STATS_INIT;
	size_t fds;

	read_stats(ctr, CGFS_READ_ALL, &s);
	fds = world_fds();
	for (int i = 0; i < 20; i++)
		read_stats(ctr, CGFS_READ_ALL, &s);
	CHECK_INT(world_fds(), fds);
}

/* What changes every second is the same in the short reading as in the long one, and nothing else
 * is read. */
WORLD_TEST(stats_usage_is_a_part_of_all)
{
	static const enum cgfs_stat part[] = {
		CGFS_STAT_CPU_USAGE,	CGFS_STAT_MEMORY_CURRENT,  CGFS_STAT_MEMORY_MAX,
		CGFS_STAT_PIDS_CURRENT, CGFS_STAT_PIDS_EVENTS_MAX, CGFS_STAT_FROZEN,
	};
	static const enum cgfs_stat rest[] = {
		CGFS_STAT_CPU_QUOTA,	   CGFS_STAT_CPU_WEIGHT, CGFS_STAT_MEMORY_PEAK,
		CGFS_STAT_MEMORY_SWAP_MAX, CGFS_STAT_PIDS_MAX,	 CGFS_STAT_DESCENDANTS,
	};
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_stats all = CGFS_STATS_INIT, some = CGFS_STATS_INIT;
	struct cgfs_group *pod =
		world_pod(w, c, "web", world_version(w, CGFS_MEMORY) == CGFS_NONE ? NULL : &res);

	(void)world_spawn_in(w, world_container(w, pod, c, "c1", NULL));
	read_stats(pod, CGFS_READ_ALL, &all);
	read_stats(pod, CGFS_READ_USAGE, &some);
	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		CHECK_INT(some.figure[part[i]].available, all.figure[part[i]].available);
	for (size_t i = 0; i < ARRAY_SIZE(rest); i++)
		CHECK(!some.figure[rest[i]].available);
	CHECK_INT(some.figure[CGFS_STAT_MEMORY_MAX].value, all.figure[CGFS_STAT_MEMORY_MAX].value);
	CHECK_INT(some.figure[CGFS_STAT_PIDS_CURRENT].value,
		  all.figure[CGFS_STAT_PIDS_CURRENT].value);
}
