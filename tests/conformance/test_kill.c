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

WORLD_TEST(kill_whole_tree_dies)
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
	OK(cgfs_group_kill(ctr, &err)); /* it has no process: no harm */
	/* The group is as good as before. */
	world_check_member(w, world_spawn_in(w, ctr), ctr);
}

WORLD_TEST(kill_neighbours_live_on)
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
WORLD_TEST(kill_nested_cgroups_die_too)
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

WORLD_TEST(kill_fork_bomb_is_ended)
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
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_check_groups(w, 1);
}

WORLD_TEST(kill_threads_die_with_their_process)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	if (w->ops->threads(w, pid, 8) == -ENOTSUP)
		world_skip(w, "the fake host has no threads");
	OK(cgfs_group_kill(ctr, &err));
	world_gone(w, pid);
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
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
WORLD_TEST(pids_bounded_looks_into_so_many_cgroups_and_no_more)
{
	struct cgfs *c = world_context(w, 0);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr), *pids = NULL;
	struct cgfs_err err = { 0 };
	char path[256];
	size_t n = 0;

	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), i % 2 ? "%s/n%d/n%d" : "%s/n%d", cgfs_group_path(ctr),
			 i & ~1, i);
		for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
			if (world_version(w, ctl) != CGFS_NONE && !w->ops->exists(w, ctl, path))
				CHECK_INT(w->ops->mkdir(w, ctl, path), 0);
		}
	}
	CHECK_INT(cgfs_group_pids_bounded(ctr, 9, &pids, &n, &err), -E2BIG);
	CHECK_INT(cgfs_group_pids_bounded(ctr, 0, &pids, &n, &err), -E2BIG);
	CHECK(!pids && n == 0 && strstr(err.text, "more than 0 cgroups"));
	CHECK_INT(cgfs_group_pids_bounded(ctr, 10, &pids, &n, &err), 0);
	CHECK(n == 1 && pids[0] == pid);
	free(pids);
	CHECK_INT(cgfs_group_pids(ctr, &pids, &n, &err), 0);
	CHECK(n == 1 && pids[0] == pid);
	free(pids);
	w->ops->exit(w, pid);
	CHECK_INT(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err), 0);
}

WORLD_TEST(kill_nested_cgroups_may_go_meanwhile)
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

/* Reads events until the process is gone; returns the most calls of the door in one step. */
static unsigned int until_gone(struct world *w, struct cgfs *c, pid_t pid, unsigned int *ret_steps)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;
	uint64_t deadline = world_now_ms() + PATIENCE_MS;
	unsigned int most = 0, n;

	*ret_steps = 0;
	while (world_alive(w, pid)) {
		CHECK(world_now_ms() < deadline);
		w->ops->tick(w);
		(void)shim_calls(w->shim);
		CHECK(cgfs_event_read(c, &ev, NULL) >= 0);
		n = shim_calls(w->shim);
		most = n > most ? n : most;
		*ret_steps += n > 0;
	}
	return most;
}

#define WIDE 300

/* The caller's loop has its turn while a wide tree is killed, in each of the ways. */
WORLD_TEST(kill_wide_tree_in_bounded_steps)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	unsigned int most, n, steps;
	char name[16];
	pid_t pid;

	for (int i = 0; i < WIDE; i++) {
		snprintf(name, sizeof(name), "wide%d", i);
		extra_nest(w, ctr, name);
	}
	for (int no_kill = 0; no_kill < 2; no_kill++) {
		pid = world_spawn_in(w, ctr);
		extra_enter(w, ctr, no_kill ? "wide0" : "wide299", pid);
		shim_no_kill(w->shim, no_kill);
		(void)shim_calls(w->shim);
		OK(cgfs_group_kill_begin(ctr, &err));
		most = shim_calls(w->shim);
		n = until_gone(w, c, pid, &steps);
		most = n > most ? n : most;
		CHECK_MSG(most <= 1200, "%u calls in one step", most);
		world_gone(w, pid);
	}
}

#define MANY 150

/* Those that die leave the processor to the caller: so many die at once, and the first, with which
 * others may go, is none of them. */
WORLD_TEST(kill_many_in_parts)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid[MANY];
	unsigned int steps;

	for (int no_kill = 0; no_kill < 2; no_kill++) {
		int left = 0;

		pid[0] = world_spawn_in(w, ctr);
		for (int i = 1; i < MANY; i++)
			pid[i] = world_fork(w, pid[0]);
		shim_no_kill(w->shim, no_kill);
		OK(cgfs_group_kill_begin(ctr, &err));
		CHECK(world_alive(w, pid[0]));
		for (int i = 0; i < MANY; i++)
			left += world_alive(w, pid[i]);
		CHECK_MSG(left >= MANY - 64, "%d are left after the first part", left);
		/* Each step is driven by reading events, also when the first is gone. */
		for (int i = 0; i < MANY; i++) {
			until_gone(w, c, pid[i], &steps);
			world_gone(w, pid[i]);
		}
	}
}

/* Without cgroup.kill the processes are stopped first; the caller does not wait for that. */
WORLD_TEST(kill_what_does_not_stop_keeps_no_caller_waiting)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr), child = world_fork(w, pid);
	unsigned int steps, n;

	CHECK(child > 0);
	shim_no_kill(w->shim, true);
	shim_never_frozen(w->shim, true);
	(void)shim_calls(w->shim);
	OK(cgfs_group_kill_begin(ctr, &err));
	n = shim_calls(w->shim);
	CHECK_MSG(n <= 40, "%u calls before the caller had its turn", n);
	n = until_gone(w, c, pid, &steps);
	CHECK_MSG(n <= 60, "%u calls in one step", n);
	/* On a slow machine it may have been stopped before it died: the steps go on. */
	until_gone(w, c, child, &steps);
	/* Done at once what was begun: nothing stays frozen. */
	OK(cgfs_group_kill(ctr, &err));
	/* The removal that does not wait goes the same way. */
	pid = world_spawn_in(w, ctr);
	(void)shim_calls(w->shim);
	OK(cgfs_group_remove(ctr, NULL, &err));
	n = shim_calls(w->shim);
	CHECK_MSG(n <= 150, "%u calls before the caller had its turn", n);
	world_event(w, c, CGFS_EVENT_REMOVED, "c1", &(struct cgfs_event)CGFS_EVENT_INIT);
	world_gone(w, pid);
	world_check_groups(w, 1);
}

/* One that is closed before it is over leaves nothing frozen. */
WORLD_TEST(kill_closed_meanwhile_is_not_left_frozen)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	shim_no_kill(w->shim, true);
	shim_never_frozen(w->shim, true);
	shim_deaf(w->shim, true);
	OK(cgfs_group_kill_begin(ctr, &err));
	world_close_group(w, ctr);
	shim_deaf(w->shim, false);
	shim_never_frozen(w->shim, false);
	CHECK(w->ops->runs(w, pid));
	w->ops->exit(w, pid);
}
