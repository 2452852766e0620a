// SPDX-License-Identifier: MIT
/*
 * test_pod.c - making pods and containers, and everything that is refused.
 */
#include "extra.h"

#include <stdlib.h>

static void check_exists(struct world *w, const struct cgfs_group *g, bool want)
{
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) == CGFS_NONE)
			continue;
		CHECK_MSG(w->ops->exists(w, ctl, cgfs_group_path(g)) == want, "%s %s (%s)",
			  cgfs_group_path(g), want ? "is missing" : "is still there",
			  ctl == UNIFIED ? "cgroup2" : cgfs_controller_name(ctl));
	}
}

WORLD_TEST(pod_create_makes_directories_everywhere)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	char path[256];

	check_exists(w, pod, true);
	check_exists(w, ctr, true);
	world_check_groups(w, 2);
	snprintf(path, sizeof(path), "%s/web", w->root);
	CHECK_STR(cgfs_group_path(pod), path);
	strcat(path, "/c1");
	CHECK_STR(cgfs_group_path(ctr), path);
	CHECK_STR(cgfs_group_id(pod), "web");
	CHECK_STR(cgfs_group_id(ctr), "c1");
	CHECK(cgfs_group_is_pod(pod) && !cgfs_group_is_pod(ctr));
	CHECK(cgfs_group_pod(ctr) == pod && cgfs_group_pod(pod) == NULL);
	if (world_version(w, UNIFIED) == CGFS_NONE) {
		CHECK_INT(cgfs_group_cgroup_id(ctr), 0);
	} else {
		CHECK(cgfs_group_cgroup_id(ctr) != 0);
		CHECK(cgfs_group_cgroup_id(ctr) != cgfs_group_cgroup_id(pod));
	}
}

WORLD_TEST(pod_delete_removes_every_directory)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);

	world_container(w, pod, c, "c2", NULL);
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	check_exists(w, ctr, false);
	world_check_groups(w, 2);
	/* A pod goes together with what is left in it. */
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	check_exists(w, pod, false);
	world_check_groups(w, 0);
}

WORLD_TEST(pod_close_leaves_the_group)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = NULL;

	OK(cgfs_pod_create(c, "web", NULL, &pod, &err));
	cgfs_group_close(pod);
	world_check_groups(w, 1);
	OK(cgfs_pod_open(c, "web", &pod, &err));
	world_track(w, pod);
	world_check_groups(w, 1);
}

WORLD_TEST(pod_container_may_stand_alone)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, NULL, c, "alone", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	CHECK(!cgfs_group_is_pod(ctr) && cgfs_group_pod(ctr) == NULL);
	world_check_member(w, pid, ctr);
	world_check_groups(w, 1);
	world_destroy(w, ctr);
	world_gone(w, pid);
}

WORLD_TEST(pod_create_refuses_bad_ids)
{
	static const char *const ids[] = {
		"",
		".",
		"..",
		"a/b",
		"/etc",
		"../up",
		"a\nb",
		"a\033[2Jb",
		"a b",
		"-rf",
		"_a",
		".hidden",
		"tasks",
		"memory.max",
		"cgroup.procs",
		"cpu.shares",
		"pids.max",
		"io.stat",
		"a\x80",
		"caf\xc3\xa9",
		"a*",
		"blkio.x",
		"hugetlb.2MB.max",
	};
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *g = NULL;
	char longer[301];

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		CHECK_HAS(REFUSED(cgfs_pod_create(c, ids[i], NULL, &g, &err), -EINVAL), "pod");
		REFUSED(cgfs_container_create(c, NULL, ids[i], NULL, &g, &err), -EINVAL);
		REFUSED(cgfs_pod_open(c, ids[i], &g, &err), -EINVAL);
	}
	memset(longer, 'a', 300);
	longer[300] = '\0';
	REFUSED(cgfs_pod_create(c, longer, NULL, &g, &err), -ENAMETOOLONG);
	CHECK(g == NULL);
	/* Not even the pods root was made. */
	CHECK_INT(w->ops->directories(w), 0);
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK(!w->ops->exists(w, ctl, w->root));

	pod = world_pod(w, c, "web", NULL);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		REFUSED(cgfs_container_create(c, pod, ids[i], NULL, &g, &err), -EINVAL);
	world_check_groups(w, 1);
}

WORLD_TEST(pod_longest_id_works)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	char id[CGFS_ID_MAX + 1];
	struct cgfs_group *pod, *ctr;

	memset(id, 'a', CGFS_ID_MAX);
	id[CGFS_ID_MAX] = '\0';
	pod = world_pod(w, c, id, NULL);
	ctr = world_container(w, pod, c, id, NULL);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
	world_check_groups(w, 2);
}

/* hcsshim wrote the second request's limits over the live pod, and then tried to delete it. */
WORLD_TEST(pod_duplicate_leaves_the_live_pod_alone)
{
	struct cgfs *c = world_context(w, WORLD_POLICY), *other;
	struct cgfs_resources few = extra_pids_max(10), many = extra_pids_max(99);
	struct cgfs_group *pod, *ctr, *g = NULL;
	pid_t pid;

	world_need(w, CGFS_PIDS);
	pod = world_pod(w, c, "web", &few);
	ctr = world_container(w, pod, c, "c1", &few);
	pid = world_spawn_in(w, ctr);
	CHECK_HAS(REFUSED(cgfs_pod_create(c, "web", &many, &g, &err), -EEXIST), "web");
	REFUSED(cgfs_container_create(c, NULL, "web", &many, &g, &err), -EEXIST);
	CHECK_HAS(REFUSED(cgfs_container_create(c, pod, "c1", &many, &g, &err), -EEXIST), "c1");
	other = world_context(w, WORLD_FILES);
	REFUSED(cgfs_pod_create(other, "web", &many, &g, &err), -EEXIST);
	CHECK(g == NULL);
	CHECK_STR(world_cat(w, CGFS_PIDS, pod, "pids.max"), "10");
	CHECK_STR(world_cat(w, CGFS_PIDS, ctr, "pids.max"), "10");
	CHECK(world_alive(w, pid));
	world_check_member(w, pid, ctr);
	world_check_groups(w, 2);
}

/* In one hierarchy only: left by another process. */
WORLD_TEST(pod_create_beside_a_leftover)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *g = NULL;
	char path[256];
	int last = UNIFIED;

	world_pod(w, c, "other", NULL); /* so that the root is there */
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE)
			last = ctl;
	}
	snprintf(path, sizeof(path), "%s/web", w->root);
	CHECK_INT(w->ops->mkdir(w, last, path), 0);
	REFUSED(cgfs_pod_create(c, "web", NULL, &g, &err), -EEXIST);
	CHECK_INT(w->ops->directories(w), w->ops->hierarchies(w) + 1);
	CHECK_INT(w->ops->rmdir(w, last, path), 0);
	world_pod(w, c, "web", NULL);
}

WORLD_TEST(pod_kernel_refusal_leaves_nothing)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_pids_max(10);
	struct cgfs_group *pod, *g = NULL;
	struct cgfs_err err = { 0 };

	world_need(w, CGFS_PIDS);
	world_need(w, CGFS_CPUSET);
	res.set |= CGFS_SET_CPUSET_CPUS;
	res.cpuset_cpus = "4000"; /* no machine of the tests has so many */
	CHECK(cgfs_pod_create(c, "web", &res, &g, &err) < 0);
	CHECK_HAS(err.path, "cpuset.cpus");
	CHECK_HAS(err.text, "web");
	CHECK_STR(err.value, "4000");
	CHECK(g == NULL);
	CHECK_INT(w->ops->directories(w), 0);
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK(!w->ops->exists(w, ctl, w->root));

	pod = world_pod(w, c, "web", NULL);
	CHECK(cgfs_container_create(c, pod, "c1", &res, &g, &err) < 0);
	CHECK_HAS(err.path, "c1/cpuset.cpus");
	world_check_groups(w, 1);
}

WORLD_TEST(pod_bad_values_are_refused_first)
{
	static const struct {
		struct cgfs_resources res;
		const char *names;
	} bad[] = {
		{ { .set = CGFS_SET_CPU_WEIGHT, .cpu_weight = 0 }, "cpu" },
		{ { .set = CGFS_SET_CPU_WEIGHT, .cpu_weight = 10001 }, "10001" },
		{ { .set = CGFS_SET_CPU_QUOTA, .cpu_quota_us = 10 }, "10" },
		{ { .set = CGFS_SET_CPU_PERIOD, .cpu_period_us = 999 }, "999" },
		{ { .set = CGFS_SET_CPU_PERIOD, .cpu_period_us = 1000001 }, "1000001" },
		{ { .set = CGFS_SET_MEMORY_SWAP, .memory_swap_bytes = MIB }, "swap" },
		{ { .set = CGFS_SET_MEMORY_SWAP | CGFS_SET_MEMORY_MAX,
		    .memory_max_bytes = 2 * MIB,
		    .memory_swap_bytes = MIB },
		  "swap" },
		{ { .set = CGFS_SET_CPUSET_CPUS, .cpuset_cpus = "0;rm" }, "cpuset" },
		{ { .set = CGFS_SET_CPUSET_MEMS, .cpuset_mems = NULL }, "cpuset" },
		{ { .set = CGFS_SET_DEVICES, .devices = NULL, .n_devices = 1 }, "device" },
		{ { .set = 1ull << 61 }, "set" },
	};
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *g = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cgfs_resources res = bad[i].res;
		int r;

		res.sz = sizeof(res);
		r = cgfs_pod_create(c, "web", &res, &g, &(struct cgfs_err){ 0 });
		CHECK_MSG(r == -EINVAL || (i == 10 && r == -E2BIG), "case %zu: %d", i, r);
		CHECK_HAS(REFUSED(cgfs_pod_create(c, "web", &res, &g, &err), r), bad[i].names);
		CHECK_INT(w->ops->directories(w), 0);
	}
	CHECK(g == NULL);
}

static int collect(void *arg, const char *id)
{
	char *text = arg;

	strcat(text, id);
	strcat(text, " ");
	return 0;
}

static int stop(void *arg, const char *id)
{
	return 42;
}

WORLD_TEST(pod_lists_name_each_once)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	char text[256] = "";
	struct cgfs_group *pod;

	OK(cgfs_pod_list(c, collect, text, &err));
	CHECK_STR(text, "");
	pod = world_pod(w, c, "web", NULL);
	OK(cgfs_container_list(pod, collect, text, &err));
	CHECK_STR(text, "");
	world_container(w, pod, c, "c1", NULL);
	OK(cgfs_pod_list(c, collect, text, &err));
	CHECK_STR(text, "web ");
	text[0] = '\0';
	OK(cgfs_container_list(pod, collect, text, &err));
	CHECK_STR(text, "c1 ");
	world_container(w, pod, c, "c2", NULL);
	world_pod(w, c, "db", NULL);
	text[0] = '\0';
	OK(cgfs_pod_list(c, collect, text, &err));
	CHECK_INT(strlen(text), strlen("web db "));
	CHECK_HAS(text, "web ");
	CHECK_HAS(text, "db ");
	CHECK_INT(cgfs_container_list(pod, stop, NULL, NULL), 42);
}

WORLD_TEST(pod_open_of_nothing_is_enoent)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *g = NULL;

	CHECK_HAS(REFUSED(cgfs_pod_open(c, "web", &g, &err), -ENOENT), "web");
	pod = world_pod(w, c, "web", NULL);
	CHECK_HAS(REFUSED(cgfs_container_open(c, pod, "c1", &g, &err), -ENOENT), "c1");
	REFUSED(cgfs_container_open(c, NULL, "alone", &g, &err), -ENOENT);
	CHECK(g == NULL);
	world_check_groups(w, 1);
}

WORLD_TEST(pod_container_in_container_refused)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, NULL, c, "alone", NULL), *g = NULL;

	REFUSED(cgfs_container_create(c, ctr, "c1", NULL, &g, &err), -EINVAL);
	world_check_groups(w, 1);
}
