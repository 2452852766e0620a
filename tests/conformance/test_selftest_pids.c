// SPDX-License-Identifier: MIT
/*
 * test_selftest_pids.c - pids.max: refusals, which group counts them, and a limit that comes too
 * late.
 */
#include "extra.h"

WORLD_TEST(selftest_pids_refusals_are_counted)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_pids_max(2);
	struct cgfs_group *ctr;
	pid_t pid;

	world_need(w, CGFS_PIDS);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	world_need_file(w, CGFS_PIDS, ctr, "pids.events");
	pid = world_spawn_in(w, ctr);
	CHECK(world_fork(w, pid) > 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_EVENTS_MAX), 0);
	for (int i = 1; i <= 3; i++) {
		CHECK_INT(world_fork(w, pid), -EAGAIN);
		CHECK_INT(extra_keyed(w, CGFS_PIDS, ctr, "pids.events", "max"), i);
		CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_EVENTS_MAX), i);
	}
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_CURRENT), 2);
}

/* Both have room; the pod has not. */
WORLD_TEST(selftest_pids_pod_limit_over_containers)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources four = extra_pids_max(4), three = extra_pids_max(3);
	struct cgfs_group *pod, *a, *b;
	uint64_t counted;
	pid_t pa, pb, more;

	world_need(w, CGFS_PIDS);
	pod = world_pod(w, c, "web", &four);
	a = world_container(w, pod, c, "a", &three);
	b = world_container(w, pod, c, "b", &three);
	pa = world_spawn_in(w, a);
	pb = world_spawn_in(w, b);
	CHECK(world_fork(w, pa) > 0);
	more = world_fork(w, pb);
	CHECK(more > 0);
	CHECK_INT(world_fork(w, pa), -EAGAIN);
	CHECK_INT(world_fork(w, pb), -EAGAIN);
	CHECK_INT(world_stat(pod, CGFS_STAT_PIDS_CURRENT), 4);
	CHECK_INT(world_stat(a, CGFS_STAT_PIDS_CURRENT), 2);
	/* Kernels differ in which group counts: the limit's, or the process's. */
	if (world_has_file(w, CGFS_PIDS, pod, "pids.events")) {
		counted = world_stat(pod, CGFS_STAT_PIDS_EVENTS_MAX) +
			  world_stat(a, CGFS_STAT_PIDS_EVENTS_MAX) +
			  world_stat(b, CGFS_STAT_PIDS_EVENTS_MAX);
		CHECK_INT(counted, 2);
	}
	/* What one gives up the other may have. */
	w->ops->exit(w, more);
	world_gone(w, more);
	CHECK(world_fork(w, pa) > 0);
	CHECK_INT(world_fork(w, pa), -EAGAIN);
	CHECK_INT(world_fork(w, pb), -EAGAIN);
}

/* A limit below what is there ends no process; it refuses until enough have left. */
WORLD_TEST(selftest_pids_below_current_is_allowed)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources two = extra_pids_max(2), zero = extra_pids_max(0);
	struct cgfs_group *ctr;
	pid_t pid, child[3];

	world_need(w, CGFS_PIDS);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid = world_spawn_in(w, ctr);
	for (int i = 0; i < 3; i++) {
		child[i] = world_fork(w, pid);
		CHECK(child[i] > 0);
	}
	OK(cgfs_group_set(ctr, &two, NULL, &err));
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_CURRENT), 4);
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_MAX), 2);
	world_runs(w, pid);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(world_fork(w, pid), -EAGAIN);
		world_runs(w, child[i]);
		w->ops->exit(w, child[i]);
		world_gone(w, child[i]);
	}
	CHECK(world_fork(w, pid) > 0);
	CHECK_INT(world_fork(w, pid), -EAGAIN);
	OK(cgfs_group_set(ctr, &zero, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_PIDS, ctr, "pids.max"), "0");
	world_runs(w, pid);
}

/* The kernel's rule: moving in is the administrator's business and is never refused. */
WORLD_TEST(selftest_pids_moving_in_is_not_forking)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources one = extra_pids_max(1);
	struct cgfs_group *ctr;
	pid_t pid;

	world_need(w, CGFS_PIDS);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &one);
	pid = world_spawn_in(w, ctr);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_CURRENT), 2);
	CHECK_INT(world_fork(w, pid), -EAGAIN);
}

/* Threads count, each of them. */
WORLD_TEST(selftest_pids_threads_count)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_pids_max(5);
	struct cgfs_group *ctr;
	pid_t pid;

	world_need(w, CGFS_PIDS);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	pid = world_spawn_in(w, ctr);
	if (w->ops->threads(w, pid, 4) == -ENOTSUP)
		world_skip(w, "the fake host has no threads");
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_CURRENT), 5);
	CHECK_INT(w->ops->threads(w, pid, 1), -EAGAIN);
	CHECK_INT(world_fork(w, pid), -EAGAIN);
	CHECK_INT(extra_pids(ctr), 1);
}

WORLD_TEST(selftest_pids_peak_stays)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr;
	pid_t pid, child;

	world_need(w, CGFS_PIDS);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	world_need_file(w, CGFS_PIDS, ctr, "pids.peak");
	pid = world_spawn_in(w, ctr);
	child = world_fork(w, pid);
	CHECK(child > 0);
	w->ops->exit(w, child);
	world_gone(w, child);
	/* A zombie counts until it is reaped. */
	UNTIL(world_stat(ctr, CGFS_STAT_PIDS_CURRENT) == 1);
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_PEAK), 2);
}
