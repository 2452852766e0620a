// SPDX-License-Identifier: MIT
/*
 * test_reclaim.c - memory that the kernel takes back when told to: on demand, and before a group is
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

static void on_demand(struct world *w)
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
	/* No limit is left behind, and nobody was hurt. */
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
static void before_removal(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_remove_opts opts = reclaiming(), unset = { .sz = 0 };
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *g;
	struct cgfs_event ev;
	uint64_t before;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	world_need_file(w, CGFS_MEMORY, pod, reclaim_file(w));
	for (int i = 0; i < 2; i++) {
		g = world_container(w, pod, c, i ? "waited" : "told", NULL);
		pid = extra_with_file(w, g, 32 * MIB);
		REFUSED(cgfs_group_remove_with(g, &unset, &err), -EINVAL);
		before = usage(pod);
		CHECK(before >= 32 * MIB);
		if (i) {
			OK(cgfs_group_destroy_with(g, &opts, PATIENCE_MS, &err));
		} else {
			OK(cgfs_group_remove_with(g, &opts, &err));
			world_event(w, c, CGFS_EVENT_REMOVED, "told", &ev);
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

/* Without being told, and who then counts it: the fakes', because kernels differ in when they do.
 */
static void dying_is_shown(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_remove_opts opts = reclaiming();
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *g;
	struct cgfs_event ev;
	struct cgfs_stats s;

	if (!w->kind->live && world_v2(w, CGFS_MEMORY)) {
		g = world_container(w, pod, c, "told", NULL);
		extra_with_file(w, g, 4 * MIB);
		OK(cgfs_group_remove_with(g, &opts, &err));
		world_event(w, c, CGFS_EVENT_REMOVED, "told", &ev);
		CHECK_INT(ev.count, 0);
		g = world_container(w, pod, c, "not", NULL);
		extra_with_file(w, g, 4 * MIB);
		OK(cgfs_group_remove(g, &err));
		world_event(w, c, CGFS_EVENT_REMOVED, "not", &ev);
		CHECK_INT(ev.count, 1);
		CHECK_INT(world_stat(pod, CGFS_STAT_DYING_DESCENDANTS), 1);
		OK(cgfs_root_stats(c, CGFS_READ_ALL, &s, &err));
		CHECK_INT(s.value[CGFS_STAT_DYING_DESCENDANTS], 1);
		OK(cgfs_group_reclaim(pod, CGFS_MAX, NULL, &err));
		CHECK_INT(world_stat(pod, CGFS_STAT_DYING_DESCENDANTS), 0);
	}
	OK(cgfs_root_stats(c, CGFS_READ_CGROUP, &s, &err));
	CHECK_INT(s.available[CGFS_STAT_DYING_DESCENDANTS], w->ops->exists(w, UNIFIED, w->root));
	if (s.available[CGFS_STAT_DESCENDANTS])
		CHECK_INT(s.value[CGFS_STAT_DESCENDANTS], 1);
}

static void root_is_all_of_them(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_stats s;
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
	CHECK(s.available[CGFS_STAT_PIDS_CURRENT]);
	CHECK_INT(s.value[CGFS_STAT_PIDS_CURRENT], 3);
	CHECK_INT(world_fds(), fds);
}

/* A kernel that cannot be told: refused before anything is done. */
static void refused_where_it_cannot_be(struct world *w)
{
	struct cgfs *c = world_context_with(w, WORLD_FILES, 1u << CGFS_PIDS);
	struct cgfs_remove_opts opts = reclaiming();
	struct cgfs_group *g;

	world_need(w, CGFS_PIDS);
	/* No memory controller in use: nothing to take back, and nothing to refuse. */
	g = world_pod(w, c, "web", NULL);
	OK(cgfs_group_destroy_with(g, &opts, PATIENCE_MS, &err));
	REFUSED(cgfs_group_destroy_with(g, &opts, PATIENCE_MS, &err), -ENOENT);
}

const struct world_test reclaim_tests[] = {
	{ "reclaim_on_demand", on_demand },
	{ "reclaim_before_removal", before_removal },
	{ "reclaim_dying_is_shown", dying_is_shown },
	{ "reclaim_root_is_all_of_them", root_is_all_of_them },
	{ "reclaim_without_memory", refused_where_it_cannot_be },
	{ NULL, NULL },
};
