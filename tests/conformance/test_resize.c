// SPDX-License-Identifier: MIT
/*
 * test_resize.c - a pod and its containers change together, in an order that never leaves
 * any group with less than both its old and its new share.
 */
#include "extra.h"

#include <unistd.h>

static void need_quota(struct world *w, struct cgfs_group *g)
{
	world_need(w, CGFS_CPU);
	world_need_file(w, CGFS_CPU, g, world_v2(w, CGFS_CPU) ? "cpu.max" : "cpu.cfs_quota_us");
}

static struct cgfs_resources cpus(unsigned int n)
{
	return extra_quota(100000ull * n, 100000);
}

static void check_cpus(struct cgfs_group *g, unsigned int n)
{
	CHECK_INT(world_stat(g, CGFS_STAT_CPU_QUOTA), 100000ull * n);
	CHECK_INT(world_stat(g, CGFS_STAT_CPU_PERIOD), 100000);
}

struct trio {
	struct cgfs_group *pod, *ctr[2];
};

static struct trio three_cpus(struct world *w, struct cgfs *c)
{
	struct cgfs_resources three = cpus(3), one = cpus(1), two = cpus(2);
	struct trio t;

	t.pod = world_pod(w, c, "web", NULL);
	need_quota(w, t.pod);
	OK(cgfs_group_set(t.pod, &three, NULL, &err));
	t.ctr[0] = world_container(w, t.pod, c, "a", &one);
	t.ctr[1] = world_container(w, t.pod, c, "b", &two);
	return t;
}

/* kubernetes#102884 */
WORLD_TEST(resize_three_to_five_and_back)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources pod, ctr[2];
	struct trio t = three_cpus(w, c);
	struct cgfs_group *swapped[2] = { t.ctr[1], t.ctr[0] };

	pod = cpus(5);
	ctr[0] = cpus(4);
	ctr[1] = cpus(1);
	OK(cgfs_pod_resize(t.pod, &pod, t.ctr, ctr, 2, &err));
	check_cpus(t.pod, 5);
	check_cpus(t.ctr[0], 4);
	check_cpus(t.ctr[1], 1);
	/* Back, and named in the other order. */
	pod = cpus(3);
	ctr[0] = cpus(2);
	ctr[1] = cpus(1);
	OK(cgfs_pod_resize(t.pod, &pod, swapped, ctr, 2, &err));
	check_cpus(t.pod, 3);
	check_cpus(t.ctr[0], 1);
	check_cpus(t.ctr[1], 2);
	/* The containers alone, within the pod. */
	ctr[0] = cpus(2);
	ctr[1] = cpus(1);
	OK(cgfs_pod_resize(t.pod, NULL, t.ctr, ctr, 2, &err));
	check_cpus(t.pod, 3);
	check_cpus(t.ctr[0], 2);
	check_cpus(t.ctr[1], 1);
	/* The pod alone. */
	pod = cpus(4);
	OK(cgfs_pod_resize(t.pod, &pod, NULL, NULL, 0, &err));
	check_cpus(t.pod, 4);
}

/* The same in the words of cgroup2, which on v1 have to find the order as well. */
WORLD_TEST(resize_unified_finds_the_order)
{
	static const char *const quota[2][3] = { { "500000 100000", "400000", "100000" },
						 { "300000 100000", "100000", "200000" } };
	static const unsigned int want[2][3] = { { 5, 4, 1 }, { 3, 1, 2 } };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct trio t = three_cpus(w, c);

	for (int i = 0; i < 2; i++) {
		struct cgfs_resources res[3];
		struct cgfs_unified entry[3];

		for (int k = 0; k < 3; k++) {
			entry[k] = (struct cgfs_unified){ "cpu.max", quota[i][k] };
			res[k] = (struct cgfs_resources)CGFS_RESOURCES_INIT;
			res[k].set = CGFS_SET_UNIFIED;
			res[k].unified = &entry[k];
			res[k].n_unified = 1;
		}
		OK(cgfs_pod_resize(t.pod, &res[0], t.ctr, &res[1], 2, &err));
		check_cpus(t.pod, want[i][0]);
		check_cpus(t.ctr[0], want[i][1]);
		check_cpus(t.ctr[1], want[i][2]);
	}
}

/* All kinds of limits at once, some growing, some shrinking. */
WORLD_TEST(resize_mixed_directions)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources pod, ctr[2];
	struct trio t = three_cpus(w, c);

	world_need(w, CGFS_MEMORY);
	world_need(w, CGFS_PIDS);
	for (int i = 0; i < 2; i++) {
		bool odd = i & 1;

		pod = cpus(odd ? 3 : 6);
		pod.set |= CGFS_SET_MEMORY_MAX | CGFS_SET_PIDS_MAX | CGFS_SET_CPU_WEIGHT;
		pod.memory_max_bytes = (odd ? 256 : 128) * MIB;
		pod.pids_max = odd ? 100 : 200;
		pod.cpu_weight = odd ? 50 : 150;
		for (int k = 0; k < 2; k++) {
			ctr[k] = cpus(odd ? 1 : 3);
			ctr[k].set |= CGFS_SET_MEMORY_MAX | CGFS_SET_PIDS_MAX;
			ctr[k].memory_max_bytes = (odd ? 128 : 64) * MIB;
			ctr[k].pids_max = odd ? 50 : 100;
		}
		OK(cgfs_pod_resize(t.pod, &pod, t.ctr, ctr, 2, &err));
		CHECK_INT(world_stat(t.pod, CGFS_STAT_CPU_QUOTA), pod.cpu_quota_us);
		CHECK_INT(world_stat(t.pod, CGFS_STAT_MEMORY_MAX), pod.memory_max_bytes);
		CHECK_INT(world_stat(t.pod, CGFS_STAT_PIDS_MAX), pod.pids_max);
		CHECK_INT(world_stat(t.pod, CGFS_STAT_CPU_WEIGHT), pod.cpu_weight);
		for (int k = 0; k < 2; k++) {
			CHECK_INT(world_stat(t.ctr[k], CGFS_STAT_CPU_QUOTA), ctr[k].cpu_quota_us);
			CHECK_INT(world_stat(t.ctr[k], CGFS_STAT_MEMORY_MAX),
				  ctr[k].memory_max_bytes);
			CHECK_INT(world_stat(t.ctr[k], CGFS_STAT_PIDS_MAX), ctr[k].pids_max);
		}
	}
}

/* The second container's memory is in use: nothing of the whole resize stays. */
WORLD_TEST(resize_refused_restores_all)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources pod, ctr[2];
	struct trio t = three_cpus(w, c);
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	pod = extra_memory(256 * MIB);
	ctr[0] = ctr[1] = extra_memory(128 * MIB);
	OK(cgfs_pod_resize(t.pod, &pod, t.ctr, ctr, 2, &err));
	pid = world_spawn_in(w, t.ctr[1]);
	CHECK_INT(w->ops->alloc(w, pid, 32 * MIB), 0);
	pod = cpus(5);
	ctr[0] = cpus(4);
	ctr[1] = cpus(1);
	pod.set |= CGFS_SET_MEMORY_MAX;
	pod.memory_max_bytes = 512 * MIB;
	ctr[0].set |= CGFS_SET_MEMORY_MAX;
	ctr[0].memory_max_bytes = 64 * MIB;
	ctr[1].set |= CGFS_SET_MEMORY_MAX;
	ctr[1].memory_max_bytes = 8 * MIB;
	CHECK_HAS(REFUSED(cgfs_pod_resize(t.pod, &pod, t.ctr, ctr, 2, &err), -EBUSY), "web/b");
	check_cpus(t.pod, 3);
	check_cpus(t.ctr[0], 1);
	check_cpus(t.ctr[1], 2);
	CHECK_INT(world_stat(t.pod, CGFS_STAT_MEMORY_MAX), 256 * MIB);
	CHECK_INT(world_stat(t.ctr[0], CGFS_STAT_MEMORY_MAX), 128 * MIB);
	CHECK_INT(world_stat(t.ctr[1], CGFS_STAT_MEMORY_MAX), 128 * MIB);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
	world_runs(w, pid);
	/* A pod below its containers' use is refused as well. */
	pod = extra_memory(16 * MIB);
	CHECK_HAS(REFUSED(cgfs_pod_resize(t.pod, &pod, NULL, NULL, 0, &err), -EBUSY), "web");
	CHECK_INT(world_stat(t.pod, CGFS_STAT_MEMORY_MAX), 256 * MIB);
}

/* On the fakes each write in turn. */
WORLD_TEST(resize_each_write_refused)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources pod = cpus(5), ctr[2] = { cpus(4), cpus(1) };
	struct trio t;
	bool struck;

	if (w->kind->live)
		world_skip(w, "no kernel can be made to fail");
	t = three_cpus(w, c);
	for (unsigned int nth = 1;; nth++) {
		struct cgfs_err err = { 0 };
		int r;

		fake_fail(world_fake(w), FAKE_WRITE, nth, -EIO);
		r = cgfs_pod_resize(t.pod, &pod, t.ctr, ctr, 2, &err);
		struck = fake_struck(world_fake(w));
		fake_fail(world_fake(w), 0, 0, 0);
		if (!struck) {
			CHECK_MSG(r == 0, "%d: %s", r, err.text);
			CHECK(nth > 3);
			break;
		}
		CHECK_INT(r, -EIO);
		CHECK(err.text[0]);
		check_cpus(t.pod, 3);
		check_cpus(t.ctr[0], 1);
		check_cpus(t.ctr[1], 2);
	}
	check_cpus(t.pod, 5);
}

WORLD_TEST(resize_strangers_are_refused)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources pod = cpus(5), two[2] = { cpus(2), cpus(2) };
	struct trio t = three_cpus(w, c);
	struct cgfs_group *other, *list[2];

	other = world_container(w, world_pod(w, c, "db", NULL), c, "a", NULL);
	list[0] = t.ctr[0];
	list[1] = other;
	CHECK_HAS(REFUSED(cgfs_pod_resize(t.pod, &pod, list, two, 2, &err), -EINVAL), "db/a");
	check_cpus(t.pod, 3);
	check_cpus(t.ctr[0], 1);
	CHECK(world_stat(other, CGFS_STAT_CPU_QUOTA) == CGFS_MAX);
	/* The pod itself is no container of it. */
	list[1] = t.pod;
	REFUSED(cgfs_pod_resize(t.pod, &pod, list, two, 2, &err), -EINVAL);
	/* Values that no kernel takes are refused before the first write. */
	two[1].cpu_quota_us = 1;
	REFUSED(cgfs_pod_resize(t.pod, &pod, t.ctr, two, 2, &err), -EINVAL);
	pod.set |= CGFS_SET_DEVICES;
	two[1] = cpus(1);
	REFUSED(cgfs_pod_resize(t.pod, &pod, t.ctr, two, 2, &err), -EINVAL);
	check_cpus(t.pod, 3);
	check_cpus(t.ctr[0], 1);
	check_cpus(t.ctr[1], 2);
}

/* A v1 cpuset is within the one above it at every step. */
WORLD_TEST(resize_cpusets_find_the_order)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources both = CGFS_RESOURCES_INIT, one, zero;
	struct cgfs_group *pod, *ctr;

	world_need(w, CGFS_CPUSET);
	if (w->kind->live && sysconf(_SC_NPROCESSORS_ONLN) < 2)
		world_skip(w, "one processor cannot be shared out");
	both.set = CGFS_SET_CPUSET_CPUS;
	both.cpuset_cpus = "0-1";
	one = zero = both;
	one.cpuset_cpus = "1";
	zero.cpuset_cpus = "0";
	pod = world_pod(w, c, "web", &both);
	ctr = world_container(w, pod, c, "c1", &both);
	OK(cgfs_pod_resize(pod, &one, &ctr, &one, 1, &err));
	CHECK_STR(world_cat(w, CGFS_CPUSET, pod, "cpuset.cpus"), "1");
	CHECK_STR(world_cat(w, CGFS_CPUSET, ctr, "cpuset.cpus"), "1");
	OK(cgfs_pod_resize(pod, &both, &ctr, &both, 1, &err));
	CHECK_STR(world_cat(w, CGFS_CPUSET, pod, "cpuset.cpus"), "0-1");
	CHECK_STR(world_cat(w, CGFS_CPUSET, ctr, "cpuset.cpus"), "0-1");
	/* The container goes from one half to the other, the pod after it. */
	OK(cgfs_group_set(ctr, &zero, NULL, &err));
	OK(cgfs_pod_resize(pod, &one, &ctr, &one, 1, &err));
	CHECK_STR(world_cat(w, CGFS_CPUSET, pod, "cpuset.cpus"), "1");
	CHECK_STR(world_cat(w, CGFS_CPUSET, ctr, "cpuset.cpus"), "1");
	/* Both go from one half to the other, and back, by the union of the two on v1. */
	OK(cgfs_pod_resize(pod, &zero, &ctr, &zero, 1, &err));
	CHECK_STR(world_cat(w, CGFS_CPUSET, pod, "cpuset.cpus"), "0");
	CHECK_STR(world_cat(w, CGFS_CPUSET, ctr, "cpuset.cpus"), "0");
	OK(cgfs_pod_resize(pod, &one, &ctr, &one, 1, &err));
	CHECK_STR(world_cat(w, CGFS_CPUSET, pod, "cpuset.cpus"), "1");
	CHECK_STR(world_cat(w, CGFS_CPUSET, ctr, "cpuset.cpus"), "1");
	/* What is refused on the way takes the union back as well. */
	if (cgfs_place(c, CGFS_CPUSET).version == CGFS_V1) {
		REFUSED(cgfs_pod_resize(pod, &zero, &ctr, &both, 1, &err), -EBUSY);
		CHECK_STR(world_cat(w, CGFS_CPUSET, pod, "cpuset.cpus"), "1");
		CHECK_STR(world_cat(w, CGFS_CPUSET, ctr, "cpuset.cpus"), "1");
	}
	/* As many as a mask has: a kernel's may be more than it has processors. */
	if (w->kind->live)
		return;
	both.cpuset_cpus = "all";
	OK(cgfs_pod_resize(pod, &both, &ctr, &both, 1, &err));
	CHECK_STR(world_cat(w, CGFS_CPUSET, ctr, "cpuset.cpus"),
		  world_cat(w, CGFS_CPUSET, pod, "cpuset.cpus"));
}
