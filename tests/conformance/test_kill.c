// SPDX-License-Identifier: MIT
/*
 * test_kill.c - everything in the group dies, nothing outside of it does.
 */
#include "extra.h"

#include <stdlib.h>

static struct cgfs_resources few_pids(void)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = 64;
	return res;
}

static void whole_tree_dies(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t tree[15];

	tree[0] = world_spawn_in(w, ctr);
	for (int i = 1; i < 15; i++) {
		tree[i] = world_fork(w, tree[(i - 1) / 2]);
		CHECK(tree[i] > 0);
	}
	OK(cgfs_group_kill(ctr, &err));
	for (int i = 0; i < 15; i++)
		world_gone(w, tree[i]);
	world_check_groups(w, 2);
	OK(cgfs_group_kill(ctr, &err)); /* nobody is in there: no harm */
	/* The group is as good as before. */
	world_check_member(w, world_spawn_in(w, ctr), ctr);
}

static void neighbours_live_on(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "ab", NULL);
	pid_t pa = world_spawn_in(w, a), pb = world_spawn_in(w, b);

	OK(cgfs_group_kill(a, &err));
	world_gone(w, pa);
	world_runs(w, pb);
	OK(cgfs_group_kill(pod, &err));
	world_gone(w, pb);
}

/* The container has made cgroups of its own, in each hierarchy, and lives in them. */
static void nested_cgroups_die_too(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t outer = world_spawn_in(w, ctr), inner = world_fork(w, outer);
	char path[512];

	CHECK(inner > 0);
	snprintf(path, sizeof(path), "%s/nested", cgfs_group_path(ctr));
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) == CGFS_NONE || w->ops->exists(w, ctl, path))
			continue;
		CHECK_INT(w->ops->mkdir(w, ctl, path), 0);
		if (ctl == CGFS_CPUSET && !world_v2(w, CGFS_CPUSET))
			continue; /* v1 wants cpus and mems first; one hierarchy less */
		CHECK_INT(w->ops->move(w, ctl, path, inner), 0);
	}
	OK(cgfs_group_kill(ctr, &err));
	world_gone(w, inner);
	world_gone(w, outer);
}

static void fork_bomb_is_ended(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = few_pids();
	struct cgfs_group *ctr;
	pid_t pid, *pids = NULL;
	size_t n = 0;

	world_need(w, CGFS_PIDS);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	pid = world_spawn_in(w, ctr);
	w->ops->bomb(w, pid);
	do {
		OK(cgfs_group_pids(ctr, &pids, &n, &err));
		free(pids);
	} while (n < 32);
	OK(cgfs_group_kill(ctr, &err));
	/* Kill does not wait; but what it ends forks no more: no second one is needed. */
	world_gone(w, pid);
	extra_until_pids(w, ctr, 0, 0);
	OK(cgfs_group_destroy(ctr, PATIENCE_MS, &err));
	world_check_groups(w, 1);
}

static void threads_die_with_their_process(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	if (w->ops->threads(w, pid, 8) == -ENOTSUP)
		world_skip(w, "the fake host has no threads");
	OK(cgfs_group_kill(ctr, &err));
	world_gone(w, pid);
	OK(cgfs_group_destroy(ctr, PATIENCE_MS, &err));
}

/* Calls of the door until the container gives up a cgroup of its own. */
static struct {
	const struct cgfs_group *g;
	unsigned int calls, at;
} vanish;

static void vanish_now(struct world *w)
{
	char path[512];

	if (++vanish.calls != vanish.at)
		return;
	snprintf(path, sizeof(path), "%s/a", cgfs_group_path(vanish.g));
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE)
			(void)w->ops->rmdir(w, ctl, path);
	}
}

/* What a container nests may go at any moment, and is not missed. */
static void nested_cgroups_may_go_meanwhile(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);

	vanish.g = ctr;
	for (int kill = 0; kill < 2; kill++) {
		for (vanish.at = 1, vanish.calls = 1; vanish.calls >= vanish.at; vanish.at++) {
			pid_t pid = world_spawn_in(w, ctr);

			extra_nest(w, ctr, "a");
			vanish.calls = 0;
			shim_before(w->shim, vanish_now);
			if (kill)
				OK(cgfs_group_kill(ctr, &err));
			else
				CHECK_INT(extra_pids(ctr), 1);
			shim_before(w->shim, NULL);
			if (!kill)
				w->ops->exit(w, pid);
			world_gone(w, pid);
		}
	}
}

const struct world_test kill_tests[] = {
	{ "kill_whole_tree_dies", whole_tree_dies },
	{ "kill_neighbours_live_on", neighbours_live_on },
	{ "kill_nested_cgroups_die_too", nested_cgroups_die_too },
	{ "kill_nested_cgroups_may_go_meanwhile", nested_cgroups_may_go_meanwhile },
	{ "kill_fork_bomb_is_ended", fork_bomb_is_ended },
	{ "kill_threads_die_with_their_process", threads_die_with_their_process },
	{ NULL, NULL },
};
