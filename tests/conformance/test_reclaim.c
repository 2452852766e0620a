// SPDX-License-Identifier: MIT
/*
 * test_reclaim.c - memory that the kernel takes back on request: on demand, and before a group is
 * removed; and what removed groups leave behind.
 */
#include "extra.h"

#include <stdlib.h>

static uint64_t usage(struct cgfs_group *g)
{
	return world_stat(g, CGFS_STAT_MEMORY_CURRENT);
}

static const char *reclaim_file(struct world *w)
{
	return world_v2(w, CGFS_MEMORY) ? "memory.reclaim" : "memory.force_empty";
}

WORLD_TEST(reclaim_on_demand)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	uint64_t got = 0, before, max;
	pid_t pid;

	if (world_version(w, CGFS_MEMORY) == CGFS_NONE)
		REFUSED(cgfs_group_reclaim(ctr, CGFS_MAX, &got, &err), -ENODEV);
	world_need(w, CGFS_MEMORY);
	world_need_file(w, CGFS_MEMORY, ctr, reclaim_file(w));
	max = world_stat(ctr, CGFS_STAT_MEMORY_MAX);
	pid = extra_with_file(w, ctr, 32 * MIB);
	CHECK_INT(w->ops->alloc(w, pid, 8 * MIB), 0);
	if (world_v2(w, CGFS_MEMORY)) {
		before = usage(ctr);
		OK(cgfs_group_reclaim(ctr, 4 * MIB, &got, &err));
		CHECK(got >= 3 * MIB && got <= 24 * MIB);
		CHECK(usage(ctr) < before);
	} else {
		CHECK_HAS(REFUSED(cgfs_group_reclaim(ctr, 4 * MIB, &got, &err), -EOPNOTSUPP),
			  "memory.force_empty");
	}
	OK(cgfs_group_reclaim(ctr, CGFS_MAX, &got, &err));
	CHECK(got >= 8 * MIB);
	CHECK(usage(ctr) >= 8 * MIB); /* what cannot go */
	CHECK(usage(ctr) < 24 * MIB);
	OK(cgfs_group_reclaim(ctr, 0, &got, &err));
	CHECK_INT(got, 0);
	/* No limit is left behind, and no process was killed. */
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_MAX) == max);
	if (world_v2(w, CGFS_MEMORY))
		CHECK_STR(world_cat(w, CGFS_MEMORY, ctr, "memory.high"), "max");
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	world_runs(w, pid);
}

static struct cgfs_remove_opts reclaiming(void)
{
	struct cgfs_remove_opts opts = CGFS_REMOVE_OPTS_INIT;

	opts.reclaim = true;
	return opts;
}

/* Page cache of a group that is gone stays with the pod, unless it was taken back before. */
WORLD_TEST(reclaim_before_removal)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_remove_opts opts = reclaiming(), unset = { .sz = 0 };
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *g;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	uint64_t before;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	world_need_file(w, CGFS_MEMORY, pod, reclaim_file(w));
	for (int i = 0; i < 2; i++) {
		g = world_container(w, pod, c, i ? "waited" : "begun", NULL);
		pid = extra_with_file(w, g, 32 * MIB);
		REFUSED(cgfs_group_remove(g, &unset, &err), -EINVAL);
		before = usage(pod);
		CHECK(before >= 32 * MIB);
		if (i) {
			opts.wait = true;
			opts.timeout_ms = PATIENCE_MS;
			OK(cgfs_group_remove(g, &opts, &err));
		} else {
			OK(cgfs_group_remove(g, &opts, &err));
			world_event(w, c, CGFS_EVENT_REMOVED, "begun", &ev);
			CHECK_INT(ev.error, 0);
			CHECK_STR(ev.message, "");
			CHECK((ev.count == CGFS_MAX) == !w->ops->exists(w, UNIFIED, w->root));
		}
		world_gone(w, pid);
		CHECK_MSG(usage(pod) + 24 * MIB <= before, "%llu bytes before, %llu after",
			  (unsigned long long)before, (unsigned long long)usage(pod));
	}
	world_check_groups(w, 1);
}

/* Without a request, and which group then counts it: the fakes', because kernels differ in when
 * they do.
 */
WORLD_TEST(reclaim_dying_is_shown)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_remove_opts opts = reclaiming();
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *g;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	struct cgfs_stats s = CGFS_STATS_INIT;

	if (!w->kind->live && world_v2(w, CGFS_MEMORY)) {
		g = world_container(w, pod, c, "begun", NULL);
		extra_with_file(w, g, 4 * MIB);
		OK(cgfs_group_remove(g, &opts, &err));
		world_event(w, c, CGFS_EVENT_REMOVED, "begun", &ev);
		CHECK_INT(ev.count, 0);
		g = world_container(w, pod, c, "not", NULL);
		extra_with_file(w, g, 4 * MIB);
		OK(cgfs_group_remove(g, NULL, &err));
		world_event(w, c, CGFS_EVENT_REMOVED, "not", &ev);
		CHECK_INT(ev.count, 1);
		CHECK_INT(world_stat(pod, CGFS_STAT_DYING_DESCENDANTS), 1);
		OK(cgfs_root_stats(c, CGFS_READ_ALL, &s, &err));
		CHECK_INT(s.figure[CGFS_STAT_DYING_DESCENDANTS].value, 1);
		OK(cgfs_group_reclaim(pod, CGFS_MAX, NULL, &err));
		CHECK_INT(world_stat(pod, CGFS_STAT_DYING_DESCENDANTS), 0);
	}
	OK(cgfs_root_stats(c, CGFS_READ_CGROUP, &s, &err));
	CHECK_INT(s.figure[CGFS_STAT_DYING_DESCENDANTS].available,
		  w->ops->exists(w, UNIFIED, w->root));
	if (s.figure[CGFS_STAT_DESCENDANTS].available)
		CHECK_INT(s.figure[CGFS_STAT_DESCENDANTS].value, 1);
}

WORLD_TEST(reclaim_root_is_all_of_them)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_stats s = CGFS_STATS_INIT;
	size_t fds;

	REFUSED(cgfs_root_stats(c, CGFS_READ_PIDS, &s, &err), -ENOENT);
	for (int i = 0; i < 3; i++) {
		char id[8];

		snprintf(id, sizeof(id), "p%d", i);
		world_spawn_in(w, world_container(w, world_pod(w, c, id, NULL), c, "c", NULL));
	}
	world_need(w, CGFS_PIDS);
	fds = world_fds();
	OK(cgfs_root_stats(c, CGFS_READ_ALL, &s, &err));
	CHECK(s.figure[CGFS_STAT_PIDS_CURRENT].available);
	CHECK_INT(s.figure[CGFS_STAT_PIDS_CURRENT].value, 3);
	CHECK_INT(world_fds(), fds);
}

/* A kernel without the request: refused before anything is done. */
WORLD_TEST(reclaim_without_memory)
{
	struct cgfs *c = world_context_with(w, WORLD_FILES, 1u << CGFS_PIDS);
	struct cgfs_remove_opts opts = reclaiming();
	struct cgfs_group *g;

	world_need(w, CGFS_PIDS);
	/* No memory controller in use: nothing to take back, and nothing to refuse. */
	g = world_pod(w, c, "web", NULL);
	opts.wait = true;
	opts.timeout_ms = PATIENCE_MS;
	OK(cgfs_group_remove(g, &opts, &err));
	REFUSED(cgfs_group_remove(g, &opts, &err), -ENOENT);
}
