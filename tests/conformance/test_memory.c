// SPDX-License-Identifier: MIT
/*
 * test_memory.c - memory limits: what is asked, what the control files hold, what stats report.
 */
#include "extra.h"

static const char *swap_file(struct world *w)
{
	return world_v2(w, CGFS_MEMORY) ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
}

WORLD_TEST(memory_max_round_trip)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources pod_res = extra_memory(256 * MIB), ctr_res = extra_memory(128 * MIB);
	struct cgfs_group *pod, *ctr;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", &pod_res);
	ctr = world_container(w, pod, c, "c1", &ctr_res);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, pod, extra_max_file(w)), 256 * MIB);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, ctr, extra_max_file(w)), 128 * MIB);
	CHECK_INT(world_stat(pod, CGFS_STAT_MEMORY_MAX), 256 * MIB);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_MAX), 128 * MIB);
}

WORLD_TEST(memory_max_changes_both_ways)
{
	static const uint64_t steps[] = { 128 * MIB, 64 * MIB, 256 * MIB, 8 * MIB, 1024 * MIB };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", NULL);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct cgfs_resources res = extra_memory(steps[i]);

		OK(cgfs_group_set(pod, &res, NULL, &err));
		CHECK_INT(world_cat_number(w, CGFS_MEMORY, pod, extra_max_file(w)), steps[i]);
		CHECK_INT(world_stat(pod, CGFS_STAT_MEMORY_MAX), steps[i]);
	}
}

WORLD_TEST(memory_max_can_be_lifted)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_group *pod;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", NULL);
	CHECK(world_stat(pod, CGFS_STAT_MEMORY_MAX) == CGFS_MAX);
	OK(cgfs_group_set(pod, &res, NULL, &err));
	res = extra_memory(CGFS_MAX);
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK(world_stat(pod, CGFS_STAT_MEMORY_MAX) == CGFS_MAX);
	if (world_v2(w, CGFS_MEMORY))
		CHECK_STR(world_cat(w, CGFS_MEMORY, pod, "memory.max"), "max");
	else /* the largest long, in whole pages */
		CHECK_STR(world_cat(w, CGFS_MEMORY, pod, extra_max_file(w)), "9223372036854771712");
}

/* memory+swap as OCI means it: v1 takes the sum, v2 the difference. */
static void check_swap(struct world *w, struct cgfs_group *g, uint64_t max, uint64_t both)
{
	struct cgfs_resources res = extra_memory(max);
	uint64_t file = world_v2(w, CGFS_MEMORY) ? both - max : both;

	res.set |= CGFS_SET_MEMORY_SWAP;
	res.memory_swap_bytes = both;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, g, extra_max_file(w)), max);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, g, swap_file(w)), file);
	CHECK_INT(world_stat(g, CGFS_STAT_MEMORY_SWAP_MAX), both - max);
}

WORLD_TEST(memory_swap_is_the_sum)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_group *pod;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", NULL);
	world_need_file(w, CGFS_MEMORY, pod, swap_file(w));
	/* Up and down: v1 insists on memory <= memory+swap at each single write. */
	check_swap(w, pod, 64 * MIB, 96 * MIB);
	check_swap(w, pod, 256 * MIB, 256 * MIB);
	check_swap(w, pod, 32 * MIB, 33 * MIB);
	check_swap(w, pod, 32 * MIB, 512 * MIB);
	res.set |= CGFS_SET_MEMORY_SWAP;
	res.memory_swap_bytes = CGFS_MAX;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK_INT(world_stat(pod, CGFS_STAT_MEMORY_MAX), 64 * MIB);
	CHECK(world_stat(pod, CGFS_STAT_MEMORY_SWAP_MAX) == CGFS_MAX);
	/* And both at creation. */
	res.memory_swap_bytes = 80 * MIB;
	pod = world_pod(w, c, "db", &res);
	CHECK_INT(world_stat(pod, CGFS_STAT_MEMORY_SWAP_MAX), 16 * MIB);
}

WORLD_TEST(memory_low_is_v1s_soft_limit)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod;

	world_need(w, CGFS_MEMORY);
	res.set = CGFS_SET_MEMORY_LOW;
	res.memory_low_bytes = 32 * MIB;
	pod = world_pod(w, c, "web", &res);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, pod,
				   world_v2(w, CGFS_MEMORY) ? "memory.low"
							    : "memory.soft_limit_in_bytes"),
		  32 * MIB);
	CHECK_INT(world_stat(pod, CGFS_STAT_MEMORY_LOW), 32 * MIB);
}

WORLD_TEST(memory_high_and_min_are_v2s)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *g = NULL;

	world_need(w, CGFS_MEMORY);
	res.set |= CGFS_SET_MEMORY_HIGH;
	res.memory_high_bytes = 48 * MIB;
	if (!world_v2(w, CGFS_MEMORY)) {
		CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EOPNOTSUPP), "high");
		/* The part that v1 has was not applied, either. */
		CHECK(world_stat(pod, CGFS_STAT_MEMORY_MAX) == CGFS_MAX);
		REFUSED(cgfs_pod_create(c, "db", &res, &g, &err), -EOPNOTSUPP);
		res.set = CGFS_SET_MEMORY_MIN;
		CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EOPNOTSUPP), "min");
		world_check_groups(w, 1);
		return;
	}
	res.set |= CGFS_SET_MEMORY_MIN;
	res.memory_min_bytes = 16 * MIB;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, pod, "memory.high"), 48 * MIB);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, pod, "memory.min"), 16 * MIB);
	CHECK_INT(world_stat(pod, CGFS_STAT_MEMORY_HIGH), 48 * MIB);
	res.memory_high_bytes = CGFS_MAX;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_MEMORY, pod, "memory.high"), "max");
}

/* What cannot be reclaimed cannot be limited away, unless the caller agrees to a kill. */
WORLD_TEST(memory_below_usage_is_refused)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(128 * MIB);
	struct cgfs_err e = { 0 };
	struct cgfs_group *ctr;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 32 * MIB), 0);
	res = extra_memory(8 * MIB);
	CHECK_INT(cgfs_group_set(ctr, &res, NULL, &e), -EBUSY);
	CHECK_HAS(e.path, extra_max_file(w));
	CHECK_HAS(e.text, "c1");
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, ctr, extra_max_file(w)), 128 * MIB);
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_MAX) == 128 * MIB);
	if (world_v2(w, CGFS_MEMORY))
		CHECK_STR(world_cat(w, CGFS_MEMORY, ctr, "memory.high"), "max");
	world_runs(w, pid);
	/* Down to what is in use it goes. */
	res = extra_memory(64 * MIB);
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_MAX), 64 * MIB);
	world_runs(w, pid);
}

WORLD_TEST(memory_update_leaves_the_rest)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_group *pod;

	world_need(w, CGFS_MEMORY);
	world_need(w, CGFS_PIDS);
	pod = world_pod(w, c, "web", &res);
	res = (struct cgfs_resources)CGFS_RESOURCES_INIT;
	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = 12;
	res.memory_max_bytes = 1; /* not in set: not read */
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK_INT(world_stat(pod, CGFS_STAT_MEMORY_MAX), 64 * MIB);
	CHECK_INT(world_stat(pod, CGFS_STAT_PIDS_MAX), 12);
}

/* The kernel refuses the last of three: the first two get their old values back. */
WORLD_TEST(memory_refused_update_is_rolled_back)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_err err = { 0 };
	struct cgfs_group *pod;
	char shares[64];
	const char *file;

	world_need(w, CGFS_MEMORY);
	world_need(w, CGFS_CPUSET);
	file = world_v2(w, CGFS_CPU) ? "cpu.weight" : "cpu.shares";
	pod = world_pod(w, c, "web", &res);
	snprintf(shares, sizeof(shares), "%s", world_cat(w, CGFS_CPU, pod, file));
	res = extra_memory(128 * MIB);
	res.set |= CGFS_SET_CPU_WEIGHT | CGFS_SET_CPUSET_CPUS;
	res.cpu_weight = 333;
	res.cpuset_cpus = "4000";
	CHECK(cgfs_group_set(pod, &res, NULL, &err) < 0);
	CHECK_HAS(err.path, "cpuset.cpus");
	CHECK_HAS(err.text, "web");
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, pod, extra_max_file(w)), 64 * MIB);
	CHECK_STR(world_cat(w, CGFS_CPU, pod, file), shares);
}
