// SPDX-License-Identifier: MIT
/*
 * test_limit.c - pids, cpuset, and OCI's `unified`.
 */
#include "extra.h"

#include <stdlib.h>
#include <unistd.h>

WORLD_TEST(limit_pids_max_refuses_the_fork)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources three = extra_pids_max(3), none = extra_pids_max(CGFS_MAX);
	struct cgfs_group *ctr;
	pid_t first, last;

	world_need(w, CGFS_PIDS);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &three);
	CHECK_STR(world_cat(w, CGFS_PIDS, ctr, "pids.max"), "3");
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_MAX), 3);
	first = world_spawn_in(w, ctr);
	CHECK(world_fork(w, first) > 0);
	last = world_fork(w, first);
	CHECK(last > 0);
	CHECK_INT(world_fork(w, first), -EAGAIN);
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_CURRENT), 3);
	if (world_has_file(w, CGFS_PIDS, ctr, "pids.events"))
		CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_EVENTS_MAX), 1);
	/* Room again. */
	w->ops->exit(w, last);
	world_gone(w, last);
	CHECK(world_fork(w, first) > 0);
	CHECK_INT(world_fork(w, first), -EAGAIN);
	OK(cgfs_group_set(ctr, &none, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_PIDS, ctr, "pids.max"), "max");
	CHECK(world_stat(ctr, CGFS_STAT_PIDS_MAX) == CGFS_MAX);
	CHECK(world_fork(w, first) > 0);
}

WORLD_TEST(limit_pids_max_of_the_pod_binds)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources two = extra_pids_max(2);
	struct cgfs_group *pod, *a, *b;
	pid_t pid;

	world_need(w, CGFS_PIDS);
	pod = world_pod(w, c, "web", &two);
	a = world_container(w, pod, c, "a", NULL);
	b = world_container(w, pod, c, "b", NULL);
	pid = world_spawn_in(w, a);
	world_spawn_in(w, b);
	CHECK_INT(world_fork(w, pid), -EAGAIN);
	CHECK_INT(world_stat(pod, CGFS_STAT_PIDS_CURRENT), 2);
	CHECK_INT(world_stat(a, CGFS_STAT_PIDS_CURRENT), 1);
}

WORLD_TEST(limit_cpuset_round_trip)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod, *ctr;

	world_need(w, CGFS_CPUSET);
	res.set = CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS;
	res.cpuset_cpus = "0";
	res.cpuset_mems = "0";
	pod = world_pod(w, c, "web", &res);
	CHECK_STR(world_cat(w, CGFS_CPUSET, pod, "cpuset.cpus"), "0");
	CHECK_STR(world_cat(w, CGFS_CPUSET, pod, "cpuset.mems"), "0");
	/* A container without a set of its own still can have processes. */
	ctr = world_container(w, pod, c, "c1", NULL);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
	CHECK_STR(world_cat(w, CGFS_CPUSET, ctr,
			    world_v2(w, CGFS_CPUSET) ? "cpuset.cpus.effective" : "cpuset.cpus"),
		  "0");
}

static const char *partition(struct world *w, const struct cgfs_group *g)
{
	return world_cat(w, CGFS_CPUSET, g,
			 world_v2(w, CGFS_CPUSET) ? "cpuset.cpus.partition"
						  : "cpuset.cpu_exclusive");
}

/* A processor for the pods alone, of which one pod has a partition of its own; v1: exclusively. */
WORLD_TEST(limit_cpuset_partition_from_the_top)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod, *ctr;
	struct cgfs_err e = { 0 };
	struct cgfs_cpuset *set;
	bool v2;

	world_need(w, CGFS_CPUSET);
	v2 = world_v2(w, CGFS_CPUSET);
	if (!w->kind->live && v2)
		world_skip(w, "the fakes have no partitions");
	if (w->kind->live && sysconf(_SC_NPROCESSORS_ONLN) < 2)
		world_skip(w, "one processor cannot be shared out");
	res.set = CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_PARTITION;
	res.cpuset_cpus = "1";
	res.cpuset_partition = "root";
	/* Elsewhere than in a guest another process may have the processor. */
	if (cgfs_root_set(c, &res, &e) < 0 && w->kind->live && !getenv("CGFS_TEST_GUEST"))
		world_skip(w, "%s", e.text);
	CHECK_MSG(!e.code, "%s", e.text);
	pod = world_pod(w, c, "web", &res);
	CHECK_STR(partition(w, pod), v2 ? "root" : "1");
	ctr = world_container(w, pod, c, "c1", NULL);
	world_runs(w, world_spawn_in(w, ctr));
	OK(cgfs_group_cpuset(pod, &set, &err));
	CHECK(v2 ? strcmp(set->partition, "root") == 0
		 : (set->flags & CGFS_CPUSET_CPU_EXCLUSIVE) != 0);
	CHECK_STR(set->effective_cpus, "1");
	free(set);
	OK(cgfs_group_cpuset(ctr, &set, &err));
	CHECK_STR(set->effective_cpus, "1");
	free(set);
	res.set = CGFS_SET_CPUSET_PARTITION;
	if (v2) {
		res.cpuset_partition = "isolated";
		OK(cgfs_group_set(pod, &res, NULL, &err));
		CHECK_STR(partition(w, pod), "isolated");
	}
	res.cpuset_partition = "member";
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK_STR(partition(w, pod), v2 ? "member" : "0");
}

static struct cgfs_resources unified(const struct cgfs_unified *list, size_t n)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_UNIFIED;
	res.unified = list;
	res.n_unified = n;
	return res;
}

WORLD_TEST(limit_unified_refuses_the_unknown)
{
	static const struct cgfs_unified bad[] = {
		{ "nosuch.max", "1" },
		{ "../../cgroup.procs", "1" },
		{ "memory/../pids.max", "1" },
		{ "", "1" },
		{ "nodot", "1" },
		{ "devices.allow", "a" },
	};
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *g = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cgfs_resources res = unified(&bad[i], 1);
		int r = cgfs_group_set(pod, &res, NULL, NULL);
		const char *text;

		CHECK_MSG(r == -EINVAL || r == -ENODEV, "%s: %d", bad[i].file, r);
		text = REFUSED(cgfs_pod_create(c, "db", &res, &g, &err), r);
		CHECK_HAS(text, bad[i].file);
		CHECK_HAS(text, "db");
		world_check_groups(w, 1);
	}
	CHECK(g == NULL);
}

WORLD_TEST(limit_unified_writes_cgroup2_files)
{
	static const struct cgfs_unified good = { "pids.max", "7" };
	struct cgfs_resources res = unified(&good, 1);
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);

	world_need(w, CGFS_PIDS);
	/* v1 has the same file. */
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_PIDS, pod, "pids.max"), "7");
}

/* They belong to the tree, and to no controller. */
WORLD_TEST(limit_unified_limits_the_tree)
{
	static const struct cgfs_unified depth = { "cgroup.max.depth", "2" };
	static const struct cgfs_unified kill = { "cgroup.kill", "1" };
	struct cgfs_resources res = unified(&depth, 1), never = unified(&kill, 1);
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	enum cgfs_layout layout = cgfs_layout(c);

	CHECK_HAS(REFUSED(cgfs_group_set(pod, &never, NULL, &err), -EINVAL), "cgroup.kill");
	if (layout != CGFS_LAYOUT_V2 && layout != CGFS_LAYOUT_MIXED) {
		CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EOPNOTSUPP),
			  "cgroup.max.depth");
		return;
	}
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_CONTROLLER_COUNT, pod, "cgroup.max.depth"), "2");
}

WORLD_TEST(limit_unified_refused_by_the_kernel)
{
	static const struct cgfs_unified list[] = { { "memory.low", "4096" },
						    { "memory.max", "lots" } };
	struct cgfs_resources res = unified(list, 2);
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *g = NULL;
	const char *text;

	world_need(w, CGFS_MEMORY);
	if (!world_v2(w, CGFS_MEMORY))
		world_skip(w, "memory is on v1 in this layout: `unified` is for cgroup2");
	text = REFUSED(cgfs_pod_create(c, "db", &res, &g, &err), -EINVAL);
	CHECK_HAS(text, "memory.max");
	CHECK_HAS(text, "lots");
	CHECK_INT(w->ops->directories(w), 0);
	pod = world_pod(w, c, "web", NULL);
	REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EINVAL);
	CHECK_STR(world_cat(w, CGFS_MEMORY, pod, "memory.low"), "0");
	CHECK_STR(world_cat(w, CGFS_MEMORY, pod, "memory.max"), "max");
	/* A file that this kernel does not have is not the group's end. */
	res = unified(&(struct cgfs_unified){ "memory.nosuch", "1" }, 1);
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -ENODEV), "memory.nosuch");
}

/* What else the write of a file changes comes back, too, and to the last digit. */
WORLD_TEST(limit_unified_gives_a_weight_back)
{
	static const struct cgfs_unified weight = { "cpu.weight", "307" };
	struct cgfs_unified list[] = { { "cpu.idle", "1" }, { "pids.max", "nonsense" } };
	struct cgfs_resources res = unified(&weight, 1), refused = unified(list, 2);
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod;
	const char *file, *before;

	world_need(w, CGFS_CPU);
	world_need(w, CGFS_PIDS);
	file = world_v2(w, CGFS_CPU) ? "cpu.weight" : "cpu.shares";
	pod = world_pod(w, c, "web", &res);
	world_need_file(w, CGFS_CPU, pod, "cpu.idle");
	before = world_cat(w, CGFS_CPU, pod, file);
	REFUSED(cgfs_group_set(pod, &refused, NULL, &err), -EINVAL);
	CHECK_STR(world_cat(w, CGFS_CPU, pod, "cpu.idle"), "0");
	CHECK_STR(world_cat(w, CGFS_CPU, pod, file), before);
	if (!world_v2(w, CGFS_CPU))
		return;
	list[0] = (struct cgfs_unified){ "cpu.weight.nice", "5" };
	REFUSED(cgfs_group_set(pod, &refused, NULL, &err), -EINVAL);
	CHECK_STR(world_cat(w, CGFS_CPU, pod, file), before);
}

/* However the device is written, it is the kernel's one. */
WORLD_TEST(limit_unified_gives_a_device_back)
{
	char line[2][64];
	struct cgfs_unified list[] = { { "io.max", line[0] }, { "pids.max", "nonsense" } };
	struct cgfs_resources res = unified(list, 1), refused = unified(list, 2);
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_io_device dev;
	struct cgfs_group *pod;
	const char *before;

	world_need(w, CGFS_IO);
	world_need(w, CGFS_PIDS);
	if (!world_v2(w, CGFS_IO))
		world_skip(w, "on v1 the number is a number");
	if (!extra_disk(w, &dev))
		world_skip(w, "no disk");
	snprintf(line[0], sizeof(line[0]), "%u:%u rbps=1048576", dev.major, dev.minor);
	pod = world_pod(w, c, "web", &res);
	before = world_cat(w, CGFS_IO, pod, "io.max");
	CHECK_HAS(before, "rbps=1048576");
	list[0].value = line[1];
	for (int zero = 0; zero < 2; zero++) {
		snprintf(line[1], sizeof(line[1]), "%s%u:%u rbps=4096", zero ? "0" : " ", dev.major,
			 dev.minor);
		REFUSED(cgfs_group_set(pod, &refused, NULL, &err), -EINVAL);
		CHECK_STR(world_cat(w, CGFS_IO, pod, "io.max"), before);
	}
}
