// SPDX-License-Identifier: MIT
/*
 * test_freeze.c - freeze, thaw, and a freeze that does not come about.
 */
#include "extra.h"

static bool can_freeze(struct world *w)
{
	return world_version(w, UNIFIED) != CGFS_NONE || world_version(w, CGFS_FREEZER) == CGFS_V1;
}

/* Does any control file show that the group is frozen, or is to be? */
static bool files_say_frozen(struct world *w, const struct cgfs_group *g)
{
	if (world_version(w, UNIFIED) != CGFS_NONE &&
	    strcmp(world_cat(w, UNIFIED, g, "cgroup.freeze"), "0") != 0)
		return true;
	return world_version(w, CGFS_FREEZER) == CGFS_V1 &&
	       strcmp(world_cat(w, CGFS_FREEZER, g, "freezer.state"), "THAWED") != 0;
}

static bool files_say_complete(struct world *w, const struct cgfs_group *g)
{
	if (world_version(w, UNIFIED) != CGFS_NONE &&
	    strstr(world_cat(w, UNIFIED, g, "cgroup.events"), "frozen 1"))
		return true;
	return world_version(w, CGFS_FREEZER) == CGFS_V1 &&
	       strcmp(world_cat(w, CGFS_FREEZER, g, "freezer.state"), "FROZEN") == 0;
}

WORLD_TEST(freeze_stops_all_and_thaw_resumes)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t a = world_spawn_in(w, ctr), b = world_fork(w, a);

	if (!can_freeze(w))
		world_skip(w, "no freezer in this layout");
	CHECK(b > 0);
	world_runs(w, a);
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	CHECK(files_say_complete(w, ctr));
	CHECK_INT(world_stat(ctr, CGFS_STAT_FROZEN), 1);
	CHECK(!w->ops->runs(w, a));
	CHECK(!w->ops->runs(w, b));
	CHECK(world_alive(w, a) && world_alive(w, b));
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err)); /* again: no harm */
	OK(cgfs_group_thaw(ctr, &err));
	CHECK(!files_say_frozen(w, ctr));
	CHECK_INT(world_stat(ctr, CGFS_STAT_FROZEN), 0);
	world_runs(w, a);
	world_runs(w, b);
}

WORLD_TEST(freeze_pod_stops_its_containers_alone)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "a", NULL);
	pid_t a = world_spawn_in(w, ctr);
	pid_t b = world_spawn_in(w, world_container(w, pod, c, "b", NULL));
	pid_t other =
		world_spawn_in(w, world_container(w, world_pod(w, c, "db", NULL), c, "c1", NULL));

	if (!can_freeze(w))
		world_skip(w, "no freezer in this layout");
	OK(cgfs_group_freeze(pod, PATIENCE_MS, &err));
	CHECK(!w->ops->runs(w, a) && !w->ops->runs(w, b));
	CHECK_INT(world_stat(ctr, CGFS_STAT_FROZEN), 1);
	world_runs(w, other);
	OK(cgfs_group_thaw(pod, &err));
	world_runs(w, a);
	world_runs(w, b);
}

WORLD_TEST(freeze_empty_and_thawed_groups_are_fine)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);

	if (!can_freeze(w))
		world_skip(w, "no freezer in this layout");
	OK(cgfs_group_thaw(ctr, &err));
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	OK(cgfs_group_thaw(ctr, &err));
	CHECK(!files_say_frozen(w, ctr));
}

/* runc left cgroup.freeze at 1 after its time-out, and the group froze later (runc#5325). */
WORLD_TEST(freeze_timeout_rolls_back)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	if (!can_freeze(w))
		world_skip(w, "no freezer in this layout");
	shim_never_frozen(w->shim, true);
	CHECK_HAS(REFUSED(cgfs_group_freeze(ctr, 50, &err), -ETIMEDOUT), "c1");
	shim_never_frozen(w->shim, false);
	CHECK(!files_say_frozen(w, ctr));
	world_runs(w, pid);
}

/* v1's freezer misses a process on its way into the kernel, and has to be written again. */
WORLD_TEST(freeze_v1_is_asked_again)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	if (world_version(w, UNIFIED) != CGFS_NONE || world_version(w, CGFS_FREEZER) != CGFS_V1)
		world_skip(w, "cgroup2 freezes, or nothing does");
	shim_miss_freezes(w->shim, 3);
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	CHECK(files_say_complete(w, ctr));
	CHECK(!w->ops->runs(w, pid));
	OK(cgfs_group_thaw(ctr, &err));
	world_runs(w, pid);
}

WORLD_TEST(freeze_frozen_group_dies_of_kill)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t a = world_spawn_in(w, ctr), b = world_fork(w, a);

	if (!can_freeze(w))
		world_skip(w, "no freezer in this layout");
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	OK(cgfs_group_kill(ctr, &err));
	world_gone(w, a);
	world_gone(w, b);
}

/* A frozen child inside of a pod that is deleted (runc#2105). */
WORLD_TEST(freeze_frozen_container_does_not_hold_its_pod)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	if (!can_freeze(w))
		world_skip(w, "no freezer in this layout");
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_gone(w, pid);
	world_check_groups(w, 0);
}

/* By v1's freezer, which another process wrote: beside a cgroup2 tree, too. */
WORLD_TEST(freeze_by_others_is_seen)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);

	if (world_version(w, CGFS_FREEZER) != CGFS_V1)
		world_skip(w, "no v1 freezer in this layout");
	CHECK_INT(world_stat(ctr, CGFS_STAT_FROZEN), 0);
	CHECK_INT(extra_put(w, CGFS_FREEZER, cgfs_group_path(pod), "freezer.state", "FROZEN"), 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_FROZEN), 1);
	CHECK_INT(extra_put(w, CGFS_FREEZER, cgfs_group_path(pod), "freezer.state", "THAWED"), 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_FROZEN), 0);
}
