// SPDX-License-Identifier: MIT
/*
 * test_cpu.c - weight, shares, quota and period, realtime.
 */
#include "world.h"

#include <inttypes.h>

static void check_weight(struct world *w, struct cgfs_group *g, uint64_t weight, uint64_t shares)
{
	if (world_v2(w, CGFS_CPU))
		CHECK_INT(world_cat_number(w, CGFS_CPU, g, "cpu.weight"), weight);
	else
		CHECK_INT(world_cat_number(w, CGFS_CPU, g, "cpu.shares"), shares);
	CHECK_INT(world_stat(g, CGFS_STAT_CPU_WEIGHT), weight);
}

WORLD_TEST(cpu_weight_is_native)
{
	static const uint64_t weights[] = { 1, 50, 100, 200, 10000 };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod;

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", NULL);
	check_weight(w, pod, 100, 1024);
	res.set = CGFS_SET_CPU_WEIGHT;
	for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++) {
		res.cpu_weight = weights[i];
		OK(cgfs_group_set(pod, &res, NULL, &err));
		check_weight(w, pod, weights[i], cgfs_shares_from_weight(weights[i]));
	}
}

/* The curve that the runtimes use since 2025: 1024 is 100, not 39. */
WORLD_TEST(cpu_shares_are_converted)
{
	static const struct {
		uint64_t shares, weight, kernel_shares;
	} table[] = {
		{ 2, 1, 2 },	     { 102, 17, 102 },		{ 512, 59, 512 },
		{ 1024, 100, 1024 }, { 2048, 174, 2048 },	{ 262144, 10000, 262144 },
		{ 1, 1, 2 },	     { 300000, 10000, 262144 },
	};
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod;

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", NULL);
	res.set = CGFS_SET_CPU_SHARES;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		res.cpu_shares = table[i].shares;
		OK(cgfs_group_set(pod, &res, NULL, &err));
		check_weight(w, pod, table[i].weight, table[i].kernel_shares);
	}
}

static void check_bandwidth(struct world *w, struct cgfs_group *g, uint64_t quota, uint64_t period)
{
	char text[64];

	if (world_v2(w, CGFS_CPU)) {
		if (quota == CGFS_MAX)
			snprintf(text, sizeof(text), "max %" PRIu64, period);
		else
			snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64, quota, period);
		CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.max"), text);
	} else {
		if (quota == CGFS_MAX)
			CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.cfs_quota_us"), "-1");
		else
			CHECK_INT(world_cat_number(w, CGFS_CPU, g, "cpu.cfs_quota_us"), quota);
		CHECK_INT(world_cat_number(w, CGFS_CPU, g, "cpu.cfs_period_us"), period);
	}
	CHECK(world_stat(g, CGFS_STAT_CPU_QUOTA) == quota);
	CHECK_INT(world_stat(g, CGFS_STAT_CPU_PERIOD), period);
}

static void need_bandwidth(struct world *w, struct cgfs_group *g)
{
	world_need(w, CGFS_CPU);
	world_need_file(w, CGFS_CPU, g, world_v2(w, CGFS_CPU) ? "cpu.max" : "cpu.cfs_quota_us");
}

static void set_quota(struct cgfs_group *g, uint64_t quota)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_CPU_QUOTA;
	res.cpu_quota_us = quota;
	OK(cgfs_group_set(g, &res, NULL, &err));
}

WORLD_TEST(cpu_quota_and_period)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);

	need_bandwidth(w, pod);
	check_bandwidth(w, pod, CGFS_MAX, 100000);
	res.set = CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD;
	res.cpu_quota_us = 25000;
	res.cpu_period_us = 50000;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	check_bandwidth(w, pod, 25000, 50000);
	/* More than one CPU's worth. */
	res.cpu_quota_us = 150000;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	check_bandwidth(w, pod, 150000, 50000);
	/* And at creation. */
	res.cpu_quota_us = 10000;
	res.cpu_period_us = 200000;
	check_bandwidth(w, world_pod(w, c, "db", &res), 10000, 200000);
}

WORLD_TEST(cpu_quota_alone_gets_the_default_period)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);

	need_bandwidth(w, pod);
	set_quota(pod, 20000);
	check_bandwidth(w, pod, 20000, 100000);
}

WORLD_TEST(cpu_quota_can_be_lifted)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);

	need_bandwidth(w, pod);
	set_quota(pod, 20000);
	set_quota(pod, CGFS_MAX);
	check_bandwidth(w, pod, CGFS_MAX, 100000);
}

WORLD_TEST(cpu_period_alone_keeps_the_quota)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);

	need_bandwidth(w, pod);
	set_quota(pod, 20000);
	res.set = CGFS_SET_CPU_PERIOD;
	res.cpu_period_us = 250000;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	check_bandwidth(w, pod, 20000, 250000);
}

/* From the top down each has some to give; a container has no more than its pod. */
WORLD_TEST(cpu_realtime_is_handed_down)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_applied a = CGFS_APPLIED_INIT;
	struct cgfs_err e = { 0 };
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *g = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);

	world_need(w, CGFS_CPU);
	if (world_version(w, CGFS_CPU) != CGFS_V1)
		world_skip(w, "cgroup2 has no realtime bandwidth");
	world_need_file(w, CGFS_CPU, g, "cpu.rt_runtime_us");
	res.set = CGFS_SET_CPU_RT_RUNTIME | CGFS_SET_CPU_RT_PERIOD;
	res.cpu_rt_runtime_us = 30000;
	res.cpu_rt_period_us = 1000000;
	if (cgfs_root_set(c, &res, &e) < 0)
		world_skip(w, "this machine has no realtime to give: %s", e.text);
	OK(cgfs_group_set(cgfs_group_pod(g), &res, NULL, &err));
	res.cpu_rt_runtime_us = 40000;
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "the parent's");
	res.cpu_rt_runtime_us = 5000;
	res.cpu_rt_period_us = 500000;
	OK(cgfs_group_set(g, &res, CGFS_SET_OPTS_APPLIED(&a), &err));
	CHECK_INT(a.cpu_rt_runtime_us, 5000);
	CHECK_INT(a.cpu_rt_period_us, 500000);
	CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.rt_runtime_us"), "5000");
	CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.rt_period_us"), "500000");
	/* Both ways through the ratio: up in both, then down. */
	res.cpu_rt_runtime_us = 20000;
	res.cpu_rt_period_us = 1000000;
	OK(cgfs_group_set(g, &res, NULL, &err));
	res.cpu_rt_runtime_us = 2000;
	res.cpu_rt_period_us = 100000;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.rt_runtime_us"), "2000");
}
