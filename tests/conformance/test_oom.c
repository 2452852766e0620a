// SPDX-License-Identifier: MIT
/*
 * test_oom.c - kills by the OOM killer: each becomes an event that names its group, with a
 * device policy that attributes them and through control files alone.
 */
#include "extra.h"

static void check_event(struct world *w, const struct cgfs_event *ev, const struct cgfs_group *ctr,
			pid_t pid)
{
	const struct cgfs_group *pod = cgfs_group_pod(ctr);

	CHECK_STR(ev->pod, pod ? cgfs_group_id(pod) : "");
	CHECK_STR(ev->container, cgfs_group_id(ctr));
	CHECK(ev->time_ns != 0);
	if (ev->cgroup_id)
		CHECK_INT(ev->cgroup_id, cgfs_group_cgroup_id(ctr));
	if (ev->pid) {
		CHECK_INT(ev->pid, pid);
		if (w->ops->comm(w, pid))
			CHECK_STR(ev->comm, w->ops->comm(w, pid));
	} else {
		CHECK_INT(ev->count, 1);
	}
}

static void named(struct world *w, enum world_policy policy)
{
	struct cgfs *c = world_context(w, policy);
	struct cgfs_resources res = extra_memory(16 * MIB);
	struct cgfs_group *ctr, *other;
	struct cgfs_stats stats = CGFS_STATS_INIT;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid, small, outside;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	other = world_container(w, world_pod(w, c, "db", NULL), c, "c1", &res);
	outside = world_spawn_in(w, other);
	small = world_spawn_in(w, ctr);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, small, MIB), 0);
	CHECK_INT(w->ops->alloc(w, pid, 64 * MIB), -ENOMEM);
	world_gone(w, pid);
	world_event(w, c, CGFS_EVENT_OOM_KILL, NULL, &ev);
	check_event(w, &ev, ctr, pid);
	/* The largest one died, alone, and only once. */
	world_runs(w, small);
	world_runs(w, outside);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 1);
	CHECK_INT(world_stat(other, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	OK(cgfs_group_stats(ctr, CGFS_READ_ALL, &stats, &err));
	if (stats.figure[CGFS_STAT_OOM_KILLS].available)
		CHECK_INT(stats.figure[CGFS_STAT_OOM_KILLS].value, 1);
}

WORLD_TEST(oom_event_names_the_container)
{
	named(w, WORLD_POLICY);
}

WORLD_TEST(oom_event_names_the_container_files)
{
	named(w, WORLD_FILES);
}

/* The pod's limit is the one that is hit; the container is still the one that lost. */
static void equal(struct world *w, enum world_policy policy)
{
	struct cgfs *c = world_context(w, policy);
	struct cgfs_resources res = extra_memory(16 * MIB);
	struct cgfs_group *ctr;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", &res), c, "c1", &res);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 64 * MIB), -ENOMEM);
	world_event(w, c, CGFS_EVENT_OOM_KILL, NULL, &ev);
	check_event(w, &ev, ctr, pid);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
}

WORLD_TEST(oom_equal_limits_name_the_container)
{
	equal(w, WORLD_POLICY);
}

WORLD_TEST(oom_equal_limits_name_the_container_files)
{
	equal(w, WORLD_FILES);
}

static void pods_limit(struct world *w, enum world_policy policy)
{
	struct cgfs *c = world_context(w, policy);
	struct cgfs_resources res = extra_memory(32 * MIB);
	struct cgfs_group *pod, *a, *b;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pa, pb;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", &res);
	a = world_container(w, pod, c, "a", NULL);
	b = world_container(w, pod, c, "b", NULL);
	pa = world_spawn_in(w, a);
	pb = world_spawn_in(w, b);
	CHECK_INT(w->ops->alloc(w, pb, MIB), 0);
	CHECK_INT(w->ops->alloc(w, pa, 64 * MIB), -ENOMEM);
	world_event(w, c, CGFS_EVENT_OOM_KILL, NULL, &ev);
	check_event(w, &ev, a, pa);
	world_runs(w, pb);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
}

WORLD_TEST(oom_pods_limit_names_the_victim)
{
	pods_limit(w, WORLD_POLICY);
}

WORLD_TEST(oom_pods_limit_names_the_victim_files)
{
	pods_limit(w, WORLD_FILES);
}

/* The container is deleted before any process had time to look (conmon#426, containerd#8893). */
static void storm(struct world *w, enum world_policy policy, bool whole_pod)
{
	struct cgfs *c = world_context(w, policy);
	struct cgfs_resources res = extra_memory(8 * MIB);
	struct cgfs_group *keep;
	size_t n = 10;

	world_need(w, CGFS_MEMORY);
	keep = world_pod(w, c, "keep", NULL);
	for (size_t i = 0; i < n; i++) {
		struct cgfs_group *pod = whole_pod ? world_pod(w, c, "web", NULL) : keep;
		struct cgfs_group *ctr = world_container(w, pod, c, "c1", &res);
		pid_t pid = world_spawn_in(w, ctr);

		CHECK_INT(w->ops->alloc(w, pid, 16 * MIB), -ENOMEM);
		if (whole_pod) {
			OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
			world_close_group(w, ctr);
			world_close_group(w, pod);
		} else {
			world_destroy(w, ctr);
		}
	}
	for (size_t i = 0; i < n; i++) {
		struct cgfs_event ev = CGFS_EVENT_INIT;

		world_event(w, c, CGFS_EVENT_OOM_KILL, NULL, &ev);
		CHECK_STR(ev.pod, whole_pod ? "web" : "keep");
		CHECK_STR(ev.container, "c1");
	}
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
}

WORLD_TEST(oom_destroyed_at_once)
{
	storm(w, WORLD_POLICY, false);
}

WORLD_TEST(oom_destroyed_at_once_files)
{
	storm(w, WORLD_FILES, false);
}

WORLD_TEST(oom_pod_destroyed_at_once)
{
	storm(w, WORLD_POLICY, true);
}

WORLD_TEST(oom_pod_destroyed_at_once_files)
{
	storm(w, WORLD_FILES, true);
}

/* Under the limit, or killed by hand: no event. */
static void other_deaths(struct world *w, enum world_policy policy)
{
	struct cgfs *c = world_context(w, policy);
	struct cgfs_resources res = extra_memory(32 * MIB);
	struct cgfs_group *ctr;
	pid_t a, b;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	a = world_spawn_in(w, ctr);
	b = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, a, 4 * MIB), 0);
	w->ops->exit(w, b);
	world_gone(w, b);
	OK(cgfs_group_kill(ctr, &err));
	world_gone(w, a);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
}

WORLD_TEST(oom_other_deaths_are_no_events)
{
	other_deaths(w, WORLD_POLICY);
}

WORLD_TEST(oom_other_deaths_are_no_events_files)
{
	other_deaths(w, WORLD_FILES);
}
