/* SPDX-License-Identifier: MIT */
/*
 * test_reason.c - where the kernel has one word for many things, the error has the file that is the
 * reason, in the group itself or in one around it.
 */
#include "tests/conformance/extra.h"
#include "tests/conformance/world.h"

#include <stdlib.h>
#include <unistd.h>

static struct cgfs_resources only(uint64_t bits)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = bits;
	return res;
}

static struct cgfs_resources quota(uint64_t quota_us)
{
	struct cgfs_resources res = only(CGFS_SET_CPU_QUOTA);

	res.cpu_quota_us = quota_us;
	return res;
}

static struct cgfs_resources unified(const struct cgfs_unified *entry)
{
	struct cgfs_resources res = only(CGFS_SET_UNIFIED);

	res.unified = entry;
	res.n_unified = 1;
	return res;
}

WORLD_TEST(reason_shares_while_idle)
{
	static const struct cgfs_unified weight = { "cpu.weight", "200" };
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod;

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", NULL);
	world_need_file(w, CGFS_CPU, pod, "cpu.idle");
	res.set = CGFS_SET_CPU_IDLE;
	res.cpu_idle = true;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	res.set = CGFS_SET_CPU_SHARES;
	res.cpu_shares = 512;
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EINVAL), "cpu.idle is 1");
	res = unified(&weight);
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EINVAL), "cpu.idle is 1");
	/* Both at once is an order. */
	res = only(CGFS_SET_CPU_IDLE | CGFS_SET_CPU_SHARES);
	res.cpu_shares = 512;
	OK(cgfs_group_set(pod, &res, NULL, &err));
}

WORLD_TEST(reason_quota_below_the_burst)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = quota(50000);
	const char *burst = world_v2(w, CGFS_CPU) ? "cpu.max.burst" : "cpu.cfs_burst_us";
	const char *max =
		world_v2(w, CGFS_CPU) ? "web/cpu.max is 50000" : "web/cpu.cfs_quota_us is 50000";
	struct cgfs_group *pod;
	char want[64];

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", &res);
	world_need_file(w, CGFS_CPU, pod, burst);
	res = only(CGFS_SET_CPU_BURST);
	res.cpu_burst_us = 40000;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	res = quota(30000);
	snprintf(want, sizeof(want), "web/%s is 40000", burst);
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EINVAL), want);
	res = only(CGFS_SET_CPU_BURST);
	res.cpu_burst_us = 60000;
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EINVAL), max);
}

/* v1 wants a container's share to be within its pod's at any moment; v2 lets the lower one bind. */
WORLD_TEST(reason_quota_above_the_pods)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = quota(50000);
	struct cgfs_group *pod, *ctr;

	world_need(w, CGFS_CPU);
	pod = world_pod(w, c, "web", &res);
	ctr = world_container(w, pod, c, "c1", &res);
	res = quota(60000);
	if (world_v2(w, CGFS_CPU)) {
		OK(cgfs_group_set(ctr, &res, NULL, &err));
		return;
	}
	CHECK_HAS(REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -EINVAL),
		  "/web/cpu.cfs_quota_us is 50000 in 100000 us");
	res = quota(40000);
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EINVAL),
		  "/web/c1/cpu.cfs_quota_us is 50000 in 100000 us");
	CHECK_INT(world_stat(pod, CGFS_STAT_CPU_QUOTA), 50000);
	CHECK_INT(world_stat(ctr, CGFS_STAT_CPU_QUOTA), 50000);
}

/* One meaning on both versions: the swap that a group may use is what it was. */
WORLD_TEST(reason_memory_alone_keeps_the_swap)
{
	static const uint64_t steps[] = { 256 * MIB, 96 * MIB, 64 * MIB, 32 * MIB, 128 * MIB };
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_group *pod;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", &res);
	world_need_file(w, CGFS_MEMORY, pod,
			world_v2(w, CGFS_MEMORY) ? "memory.swap.max"
						 : "memory.memsw.limit_in_bytes");
	/* There is no limit of swap, and none comes of a limit of memory. */
	res = extra_memory(32 * MIB);
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK(world_stat(pod, CGFS_STAT_MEMORY_SWAP_MAX) == CGFS_MAX);
	res = extra_memory(64 * MIB);
	res.set |= CGFS_SET_MEMORY_SWAP;
	res.memory_swap_bytes = 96 * MIB;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		res = extra_memory(steps[i]);
		OK(cgfs_group_set(pod, &res, NULL, &err));
		CHECK_INT(world_stat(pod, CGFS_STAT_MEMORY_MAX), steps[i]);
		CHECK_INT(world_stat(pod, CGFS_STAT_MEMORY_SWAP_MAX), 32 * MIB);
	}
	res = extra_memory(CGFS_MAX);
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK(world_stat(pod, CGFS_STAT_MEMORY_MAX) == CGFS_MAX);
}

WORLD_TEST(reason_memory_in_use)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = extra_memory(128 * MIB);
	struct cgfs_group *ctr;
	const char *text;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 48 * MIB), 0);
	res = extra_memory(16 * MIB);
	text = REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -EBUSY);
	CHECK_HAS(text, "bytes are in use and cannot be reclaimed");
	if (world_v2(w, CGFS_MEMORY))
		return;
	/* The permission to kill is one that v1's kernel makes no use of. */
	res.set |= CGFS_SET_ALLOW_OOM_KILL;
	text = REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -EBUSY);
	CHECK_HAS(text, "for a limit cgroup v1 kills no process");
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_MAX), 128 * MIB);
	world_runs(w, pid);
}

static struct cgfs_resources cpus(const char *list)
{
	struct cgfs_resources res = only(CGFS_SET_CPUSET_CPUS);

	res.cpuset_cpus = list;
	return res;
}

WORLD_TEST(reason_cpus_that_are_not_to_be_had)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = cpus("4000");
	struct cgfs_group *pod, *ctr;

	world_need(w, CGFS_CPUSET);
	pod = world_pod(w, c, "web", NULL);
	/* A machine with more is too large for the rest of this. */
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -ERANGE), "there are only 0-");
	if (world_v2(w, CGFS_CPUSET))
		return;
	res = cpus("0");
	OK(cgfs_group_set(pod, &res, NULL, &err));
	ctr = world_container(w, pod, c, "c1", &res);
	res = cpus("1");
	CHECK_HAS(REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -EACCES),
		  "the group above has only 0");
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EBUSY),
		  "/web/c1/cpuset.cpus is 0");
}

/* Elsewhere than in a guest others would be without the processor. */
static void need_two_cpus_on_v1(struct world *w)
{
	world_need(w, CGFS_CPUSET);
	if (world_v2(w, CGFS_CPUSET))
		world_skip(w, "v2 has partitions instead");
	if (w->kind->live && !getenv("CGFS_TEST_GUEST"))
		world_skip(w, "others use these processors");
	if (w->kind->live && sysconf(_SC_NPROCESSORS_ONLN) < 2)
		world_skip(w, "one processor cannot be shared out");
}

static void make_exclusive(struct world *w, const char *path, const char *list)
{
	CHECK_INT(extra_put(w, CGFS_CPUSET, path, "cpuset.cpus", list), 0);
	CHECK_INT(extra_put(w, CGFS_CPUSET, path, "cpuset.mems", "0"), 0);
	CHECK_INT(extra_put(w, CGFS_CPUSET, path, "cpuset.cpu_exclusive", "1"), 0);
}

/* Another's directory beside the pods root has a processor for itself: pods get the rest. */
WORLD_TEST(reason_exclusive_beside_the_root)
{
	char beside[128];
	struct cgfs_resources res = cpus("0");
	struct cgfs_group *pod, *ctr;
	struct cgfs *c;

	need_two_cpus_on_v1(w);
	snprintf(beside, sizeof(beside), "%s.beside", w->root);
	CHECK_INT(w->ops->mkdir(w, CGFS_CPUSET, beside), 0);
	make_exclusive(w, beside, "1");
	c = world_context(w, WORLD_FILES);
	pod = world_pod(w, c, "web", &res);
	ctr = world_container(w, pod, c, "c1", NULL);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
	CHECK_STR(world_cat(w, CGFS_CPUSET, ctr, "cpuset.cpus"), "0");
	pod = world_pod(w, c, "db", NULL);
	CHECK(!strstr(world_cat(w, CGFS_CPUSET, pod, "cpuset.cpus"), "1"));
	res = cpus("1");
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EACCES),
		  "the group above has only 0");
	CHECK_INT(w->ops->rmdir(w, CGFS_CPUSET, beside), 0);
}

static int nothing(void *arg)
{
	return 0;
}

/* So has a pod: the kernel then gives nothing to a new one, though the root hands its own down. */
WORLD_TEST(reason_exclusive_pod)
{
	struct cgfs_resources res = cpus("1");
	struct cgfs_group *pod, *ctr;
	struct cgfs *c;

	need_two_cpus_on_v1(w);
	c = world_context(w, WORLD_FILES);
	pod = world_pod(w, c, "web", &res);
	CHECK_INT(extra_put(w, CGFS_CPUSET, w->root, "cpuset.cpu_exclusive", "1"), 0);
	make_exclusive(w, cgfs_group_path(pod), "1");
	pod = world_pod(w, c, "db", NULL);
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EINVAL),
		  "its sibling web has 1 for itself (cpuset.cpu_exclusive)");
	ctr = world_container(w, pod, c, "c1", NULL);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
	CHECK_STR(world_cat(w, CGFS_CPUSET, ctr, "cpuset.cpus"), w->kind->live ? "0" : "0,2-3");
	/* A list of a container's own before there is any process. */
	res = cpus("0");
	ctr = world_container(w, world_pod(w, c, "api", NULL), c, "c1", &res);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
	if (w->kind->live) {
		c = extra_context(w, WORLD_FILES);
		ctr = world_container(w, world_pod(w, c, "job", NULL), c, "c1", NULL);
		CHECK_INT(extra_wait(extra_spawn(ctr, nothing, NULL)), 0);
	}
}

WORLD_TEST(reason_no_room_for_more_cgroups)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod, *no = NULL;

	world_need(w, UNIFIED);
	pod = world_pod(w, c, "web", NULL);
	CHECK_INT(extra_put(w, UNIFIED, cgfs_group_path(pod), "cgroup.max.descendants", "1"), 0);
	world_container(w, pod, c, "c1", NULL);
	CHECK_HAS(REFUSED(cgfs_container_create(c, pod, "c2", NULL, &no, &err), -EAGAIN),
		  "/web/cgroup.max.descendants is 1");
	CHECK_HAS(REFUSED(cgfs_container_create(c, pod, "c2", NULL, &no, &err), -EAGAIN),
		  "/web/c2: /");
	pod = world_pod(w, c, "db", NULL);
	CHECK_INT(extra_put(w, UNIFIED, cgfs_group_path(pod), "cgroup.max.depth", "0"), 0);
	CHECK_HAS(REFUSED(cgfs_container_create(c, pod, "c1", NULL, &no, &err), -EAGAIN),
		  "/db/cgroup.max.depth is 0");
	CHECK_INT(extra_put(w, UNIFIED, w->root, "cgroup.max.depth", "1"), 0);
	CHECK_INT(extra_put(w, UNIFIED, cgfs_group_path(pod), "cgroup.max.depth", "max"), 0);
	CHECK_HAS(REFUSED(cgfs_container_create(c, pod, "c1", NULL, &no, &err), -EAGAIN),
		  "cgroup.max.depth is 1");
}
