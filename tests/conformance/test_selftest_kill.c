// SPDX-License-Identifier: MIT
/*
 * test_selftest_kill.c - killing trees of cgroups, forkers in all corners of a pod, and threads.
 */
#include "extra.h"

#define LEVELS 4

static const char *const inner[LEVELS] = { "", "a", "a/b", "a/b/c" };

/* Three processes at each of four levels. */
static void plant(struct world *w, struct cgfs_group *ctr, pid_t pids[LEVELS * 3])
{
	for (int i = 0; i < LEVELS; i++) {
		if (i > 0)
			extra_nest(w, ctr, inner[i]);
		for (int k = 0; k < 3; k++) {
			pid_t pid = world_spawn_in(w, ctr);

			if (i > 0)
				extra_enter(w, ctr, inner[i], pid);
			pids[i * 3 + k] = pid;
		}
	}
	CHECK_INT(extra_pids(ctr), LEVELS * 3);
}

WORLD_TEST(selftest_kill_tree_of_cgroups)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_group *other = world_container(w, pod, c, "c2", NULL);
	pid_t pids[LEVELS * 3], outside = world_spawn_in(w, other);

	plant(w, ctr, pids);
	OK(cgfs_group_kill(ctr, &err));
	for (int i = 0; i < LEVELS * 3; i++)
		world_gone(w, pids[i]);
	CHECK_INT(extra_pids(ctr), 0);
	world_runs(w, outside);
	/* What the container made goes with it. */
	world_destroy(w, ctr);
	world_check_groups(w, 2);
	world_runs(w, outside);
}

WORLD_TEST(selftest_kill_tree_below_the_pod)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "c1", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "c2", NULL);
	pid_t pa[LEVELS * 3], pb[LEVELS * 3];

	plant(w, a, pa);
	plant(w, b, pb);
	CHECK_INT(extra_pids(pod), LEVELS * 6);
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	for (int i = 0; i < LEVELS * 3; i++)
		CHECK(!world_alive(w, pa[i]) && !world_alive(w, pb[i]));
	world_check_groups(w, 0);
}

/* A bomb in the deepest corner of each container of the pod. */
WORLD_TEST(selftest_kill_forkers_in_each_container)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_pids_max(96);
	struct cgfs_group *pod, *ctr[3];
	pid_t first[3];

	world_need(w, CGFS_PIDS);
	pod = world_pod(w, c, "web", &res);
	for (int i = 0; i < 3; i++) {
		char id[8];

		snprintf(id, sizeof(id), "c%d", i);
		ctr[i] = world_container(w, pod, c, id, NULL);
		extra_nest(w, ctr[i], "a");
		first[i] = world_spawn_in(w, ctr[i]);
		extra_enter(w, ctr[i], "a", first[i]);
	}
	for (int i = 0; i < 3; i++)
		w->ops->bomb(w, first[i]);
	extra_until_pids(w, pod, 48, 1000);
	OK(cgfs_group_kill(pod, &err));
	extra_until_pids(w, pod, 0, 0);
	for (int i = 0; i < 3; i++) {
		world_gone(w, first[i]);
		CHECK_INT(extra_pids(ctr[i]), 0);
	}
	/* No process forked past it. */
	w->ops->tick(w);
	world_sleep_ms(20);
	CHECK_INT(extra_pids(pod), 0);
	world_check_groups(w, 7); /* the pod, three containers, a cgroup inside of each */
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_check_groups(w, 0);
}

WORLD_TEST(selftest_kill_threads_in_an_inner_cgroup)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid[3];

	extra_nest(w, ctr, "a");
	for (int i = 0; i < 3; i++) {
		pid[i] = world_spawn_in(w, ctr);
		extra_enter(w, ctr, "a", pid[i]);
		if (w->ops->threads(w, pid[i], 8) == -ENOTSUP)
			world_skip(w, "the fake host has no threads");
	}
	/* Threads are no processes. */
	CHECK_INT(extra_pids(ctr), 3);
	OK(cgfs_group_kill(ctr, &err));
	for (int i = 0; i < 3; i++)
		world_gone(w, pid[i]);
	world_destroy(w, ctr);
	world_check_groups(w, 1);
}

/* The container froze a cgroup of its own, by each freezer that it has. */
WORLD_TEST(selftest_kill_frozen_corner)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pids[LEVELS * 3];
	char path[512];

	plant(w, ctr, pids);
	snprintf(path, sizeof(path), "%s/a/b", cgfs_group_path(ctr));
	if (world_version(w, CGFS_FREEZER) == CGFS_V1)
		CHECK_INT(extra_put(w, CGFS_FREEZER, path, "freezer.state", "FROZEN"), 0);
	if (world_version(w, UNIFIED) != CGFS_NONE)
		CHECK_INT(extra_put(w, UNIFIED, path, "cgroup.freeze", "1"), 0);
	for (int i = 6; i < LEVELS * 3; i++)
		extra_stopped(w, pids[i]);
	world_runs(w, pids[0]);
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	for (int i = 0; i < LEVELS * 3; i++)
		CHECK(!world_alive(w, pids[i]));
	world_check_groups(w, 0);
}
