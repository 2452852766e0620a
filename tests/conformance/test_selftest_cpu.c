// SPDX-License-Identifier: MIT
/*
 * test_selftest_cpu.c - which group gets more, which is throttled, and at which level.  Nothing
 * here depends on how fast the machine is: CPU time is compared with CPU time.
 */
#include "extra.h"

static bool has_bandwidth(struct world *w, struct cgfs_group *g)
{
	return world_has_file(w, CGFS_CPU, g,
			      world_v2(w, CGFS_CPU) ? "cpu.max" : "cpu.cfs_quota_us");
}

static struct cgfs_group *weighed(struct world *w, struct cgfs_group *pod, struct cgfs *c,
				  const char *id, uint64_t weight)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_CPU_WEIGHT;
	res.cpu_weight = weight;
	return world_container(w, pod, c, id, &res);
}

/* Waits until both together have had so much CPU time since @start. */
static uint64_t compete(struct world *w, struct cgfs_group *heavy, struct cgfs_group *light,
			uint64_t total_us)
{
	uint64_t h0 = world_stat(heavy, CGFS_STAT_CPU_USAGE);
	uint64_t l0 = world_stat(light, CGFS_STAT_CPU_USAGE), h, l;
	unsigned int waited = 0;

	do {
		CHECK_MSG(waited++ < PATIENCE_MS / 10, "no CPU time for the containers");
		world_sleep_ms(10);
		h = world_stat(heavy, CGFS_STAT_CPU_USAGE) - h0;
		l = world_stat(light, CGFS_STAT_CPU_USAGE) - l0;
	} while (h + l < total_us);
	CHECK_MSG(h > l, "weight 1000 got %llu us, weight 10 %llu us", (unsigned long long)h,
		  (unsigned long long)l);
	return h;
}

/* Two that never sleep, on one CPU. */
WORLD_TEST(selftest_cpu_weight_decides)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *heavy, *light;
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", NULL);
	heavy = weighed(w, pod, c, "heavy", 1000);
	light = weighed(w, pod, c, "light", 10);
	extra_spawn(light, extra_spin, NULL);
	extra_spawn(heavy, extra_spin, NULL);
	/* Settle: the first one was alone for a moment. */
	extra_until_pids(w, pod, 2, 2);
	compete(w, heavy, light, 300000);
	/* And the other way round, while they run. */
	res.set = CGFS_SET_CPU_WEIGHT;
	res.cpu_weight = 10;
	OK(cgfs_group_set(heavy, &res, NULL, &err));
	res.cpu_weight = 1000;
	OK(cgfs_group_set(light, &res, NULL, &err));
	compete(w, light, heavy, 300000);
}

/* An idle group gets what no other group wants. */
WORLD_TEST(selftest_cpu_idle_comes_last)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod, *busy, *idle;

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", NULL);
	busy = world_container(w, pod, c, "busy", NULL);
	idle = world_container(w, pod, c, "idle", NULL);
	world_need_file(w, CGFS_CPU, idle, "cpu.idle");
	res.set = CGFS_SET_CPU_IDLE;
	res.cpu_idle = true;
	OK(cgfs_group_set(idle, &res, NULL, &err));
	extra_spawn(idle, extra_spin, NULL);
	extra_spawn(busy, extra_spin, NULL);
	extra_until_pids(w, pod, 2, 2);
	compete(w, busy, idle, 300000);
}

static void burn(struct world *w, struct cgfs_group *ctr, uint64_t us)
{
	w->ops->burn(w, world_spawn_in(w, ctr), us);
}

WORLD_TEST(selftest_cpu_quota_throttles)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_quota(10000, 100000);
	struct cgfs_group *ctr, *free;

	world_need(w, CGFS_CPU);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	if (!has_bandwidth(w, ctr))
		world_skip(w, "this kernel has no CPU bandwidth control");
	free = world_container(w, cgfs_group_pod(ctr), c, "free", NULL);
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	burn(w, ctr, 50000);
	burn(w, free, 50000);
	CHECK(world_stat(ctr, CGFS_STAT_CPU_PERIODS) > 0);
	CHECK(world_stat(ctr, CGFS_STAT_CPU_THROTTLED_PERIODS) > 0);
	CHECK(world_stat(ctr, CGFS_STAT_CPU_THROTTLED) > 0);
	CHECK(world_stat(ctr, CGFS_STAT_CPU_THROTTLED_PERIODS) <=
	      world_stat(ctr, CGFS_STAT_CPU_PERIODS));
	CHECK_INT(world_stat(free, CGFS_STAT_CPU_THROTTLED_PERIODS), 0);
}

/* The pod's quota holds for its containers together; they have none of their own. */
WORLD_TEST(selftest_cpu_pod_quota_throttles_containers)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_quota(10000, 100000);
	struct cgfs_group *pod, *ctr;

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", NULL);
	if (!has_bandwidth(w, pod))
		world_skip(w, "this kernel has no CPU bandwidth control");
	OK(cgfs_group_set(pod, &res, NULL, &err));
	ctr = world_container(w, pod, c, "c1", NULL);
	burn(w, ctr, 50000);
	CHECK(world_stat(pod, CGFS_STAT_CPU_THROTTLED_PERIODS) > 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_CPU_THROTTLED_PERIODS), 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_CPU_PERIODS), 0);
	if (world_v2(w, CGFS_CPU) || world_version(w, CGFS_CPUACCT) == CGFS_V1)
		CHECK(world_stat(pod, CGFS_STAT_CPU_USAGE) >= 50000);
	/* Lifted: no period ends with a throttled process any more. */
	res = extra_quota(CGFS_MAX, 100000);
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK(world_stat(pod, CGFS_STAT_CPU_QUOTA) == CGFS_MAX);
}

/* The tighter of the two is the one that throttles. */
WORLD_TEST(selftest_cpu_container_quota_under_a_wide_pod)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources wide = extra_quota(400000, 100000), tight = extra_quota(5000, 100000);
	struct cgfs_group *pod, *ctr;

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", NULL);
	if (!has_bandwidth(w, pod))
		world_skip(w, "this kernel has no CPU bandwidth control");
	OK(cgfs_group_set(pod, &wide, NULL, &err));
	ctr = world_container(w, pod, c, "c1", &tight);
	burn(w, ctr, 20000);
	CHECK(world_stat(ctr, CGFS_STAT_CPU_THROTTLED_PERIODS) > 0);
	CHECK_INT(world_stat(pod, CGFS_STAT_CPU_THROTTLED_PERIODS), 0);
}

/* A container whose quota is above its pod's: v1 refuses it, cgroup2 lets it have no effect. */
WORLD_TEST(selftest_cpu_container_quota_above_the_pods)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources small = extra_quota(10000, 100000),
			      large = extra_quota(90000, 100000);
	struct cgfs_group *pod, *ctr;

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", NULL);
	if (!has_bandwidth(w, pod))
		world_skip(w, "this kernel has no CPU bandwidth control");
	OK(cgfs_group_set(pod, &small, NULL, &err));
	ctr = world_container(w, pod, c, "c1", NULL);
	if (!world_v2(w, CGFS_CPU)) {
		CHECK_HAS(REFUSED(cgfs_group_set(ctr, &large, NULL, &err), -EINVAL), "cpu.cfs_");
		CHECK(world_stat(ctr, CGFS_STAT_CPU_QUOTA) == CGFS_MAX);
		return;
	}
	OK(cgfs_group_set(ctr, &large, NULL, &err));
	burn(w, ctr, 50000);
	CHECK(world_stat(pod, CGFS_STAT_CPU_THROTTLED_PERIODS) > 0);
}

WORLD_TEST(selftest_cpu_usage_adds_up)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);

	if (world_version(w, CGFS_CPUACCT) == CGFS_NONE && !world_v2(w, CGFS_CPU))
		world_skip(w, "no CPU accounting in this layout");
	burn(w, a, 40000);
	CHECK(world_stat(a, CGFS_STAT_CPU_USAGE) >= 40000);
	CHECK(world_stat(a, CGFS_STAT_CPU_USAGE) > world_stat(b, CGFS_STAT_CPU_USAGE));
	burn(w, b, 40000);
	CHECK(world_stat(pod, CGFS_STAT_CPU_USAGE) >= 80000);
}
