// SPDX-License-Identifier: MIT
/*
 * test_readback.c - what a cpuset has, its flags on v1, and peaks that begin anew.
 */
#include "world.h"

#include <stdlib.h>

static struct cgfs_cpuset *cpuset(struct cgfs_group *g)
{
	struct cgfs_cpuset *set = NULL;

	OK(cgfs_group_cpuset(g, &set, &err));
	return set;
}

static void cpuset_reads_back(struct world *w)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr;
	struct cgfs_cpuset *set;
	bool v1;

	world_need(w, CGFS_CPUSET);
	v1 = world_version(w, CGFS_CPUSET) == CGFS_V1;
	res.set = CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS;
	res.cpuset_cpus = "0";
	res.cpuset_mems = "0";
	ctr = world_container(w, NULL, c, "c1", &res);
	set = cpuset(ctr);
	CHECK_STR(set->cpus, "0");
	CHECK_STR(set->mems, "0");
	CHECK_STR(set->effective_cpus, "0");
	CHECK_STR(set->effective_mems, "0");
	CHECK(v1 == !set->partition);
	if (!v1)
		CHECK_STR(set->partition, "member");
	CHECK_INT(set->flags, v1 ? CGFS_CPUSET_SCHED_LOAD_BALANCE : 0);
	free(set);
}

/* v1 hands its parent's down at once, cgroup2 says what is in effect. */
static void cpuset_of_ones_own_is_empty(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr;
	struct cgfs_cpuset *set;

	world_need(w, CGFS_CPUSET);
	ctr = world_container(w, NULL, c, "c1", NULL);
	set = cpuset(ctr);
	CHECK(*set->effective_cpus && *set->effective_mems);
	if (world_version(w, CGFS_CPUSET) == CGFS_V1)
		CHECK_STR(set->cpus, set->effective_cpus);
	else
		CHECK_STR(set->cpus, "");
	free(set);
}

static void cpuset_flags(struct world *w)
{
	const unsigned int on = CGFS_CPUSET_MEMORY_MIGRATE | CGFS_CPUSET_MEMORY_SPREAD_PAGE;
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr;
	struct cgfs_cpuset *set;

	world_need(w, CGFS_CPUSET);
	ctr = world_container(w, NULL, c, "c1", NULL);
	if (world_v2(w, CGFS_CPUSET)) {
		CHECK_HAS(REFUSED(cgfs_group_set_cpuset_flags(ctr, on, on, &err), -EOPNOTSUPP),
			  "cpuset");
		return;
	}
	OK(cgfs_group_set_cpuset_flags(ctr, on | CGFS_CPUSET_SCHED_LOAD_BALANCE, on, &err));
	set = cpuset(ctr);
	CHECK_INT(set->flags, on);
	free(set);
	CHECK_INT(world_cat_number(w, CGFS_CPUSET, ctr, "cpuset.memory_migrate"), 1);
	CHECK_INT(world_cat_number(w, CGFS_CPUSET, ctr, "cpuset.sched_load_balance"), 0);
	OK(cgfs_group_set_cpuset_flags(ctr, CGFS_CPUSET_MEMORY_MIGRATE, 0, &err));
	set = cpuset(ctr);
	CHECK_INT(set->flags, CGFS_CPUSET_MEMORY_SPREAD_PAGE);
	free(set);
	REFUSED(cgfs_group_set_cpuset_flags(ctr, 1u << 30, 1u << 30, &err), -EINVAL);
	REFUSED(cgfs_group_set_cpuset_flags(ctr, 0, on, &err), -EINVAL);
}

/* The parent is not exclusive, so the child must not be; what was changed before is put back. */
static void cpuset_flags_all_or_nothing(struct world *w)
{
	const unsigned int which = CGFS_CPUSET_CPU_EXCLUSIVE | CGFS_CPUSET_MEM_EXCLUSIVE;
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod, *ctr;
	struct cgfs_cpuset *set;
	unsigned int before;

	world_need(w, CGFS_CPUSET);
	if (world_v2(w, CGFS_CPUSET))
		world_skip(w, "cgroup2 has no such flags");
	res.set = CGFS_SET_CPUSET_CPUS;
	res.cpuset_cpus = "0";
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", &res);
	set = cpuset(ctr);
	before = set->flags;
	free(set);
	CHECK_HAS(REFUSED(cgfs_group_set_cpuset_flags(ctr, which | CGFS_CPUSET_MEMORY_MIGRATE,
						      which | CGFS_CPUSET_MEMORY_MIGRATE, &err),
			  -EACCES),
		  "cpuset.cpu_exclusive");
	set = cpuset(ctr);
	CHECK_INT(set->flags, before);
	free(set);
}

static void peak_begins_anew(struct world *w)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_err why = { 0 };
	struct cgfs_group *ctr;
	uint64_t high, now;
	pid_t pid;
	int r;

	world_need(w, CGFS_MEMORY);
	res.set = CGFS_SET_MEMORY_MAX;
	res.memory_max_bytes = 256 * MIB;
	ctr = world_container(w, NULL, c, "c1", &res);
	world_need_file(w, CGFS_MEMORY, ctr,
			world_v2(w, CGFS_MEMORY) ? "memory.peak" : "memory.max_usage_in_bytes");
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 64 * MIB), 0);
	w->ops->release(w, pid, 64 * MIB);
	high = world_stat(ctr, CGFS_STAT_MEMORY_PEAK);
	CHECK(high >= 64 * MIB);
	r = cgfs_group_reset_peak(ctr, &why);
	if (r == -EOPNOTSUPP) {
		CHECK(world_v2(w, CGFS_MEMORY));
		CHECK_HAS(why.text, "6.12");
		CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_PEAK), high);
		/* A fake's kernel is known. */
		CHECK(w->kind->live || w->kind->kernel.major == 6);
		CHECK(w->kind->live || w->kind->kernel.minor < 12);
		world_skip(w, "this kernel cannot");
	}
	CHECK_MSG(r == 0, "%s", why.text);
	now = world_stat(ctr, CGFS_STAT_MEMORY_PEAK);
	CHECK_MSG(now < 32 * MIB, "the peak is still %llu", (unsigned long long)now);
	CHECK_INT(w->ops->alloc(w, pid, 48 * MIB), 0);
	w->ops->release(w, pid, 48 * MIB);
	now = world_stat(ctr, CGFS_STAT_MEMORY_PEAK);
	CHECK_MSG(now >= 48 * MIB && now < high, "the peak is %llu", (unsigned long long)now);
	/* And once more. */
	OK(cgfs_group_reset_peak(ctr, &err));
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_PEAK) < 32 * MIB);
}

const struct world_test readback_tests[] = {
	{ "readback_cpuset", cpuset_reads_back },
	{ "readback_cpuset_without_its_own", cpuset_of_ones_own_is_empty },
	{ "readback_cpuset_flags", cpuset_flags },
	{ "readback_cpuset_flags_all_or_nothing", cpuset_flags_all_or_nothing },
	{ "readback_peak_begins_anew", peak_begins_anew },
	{ 0 },
};
