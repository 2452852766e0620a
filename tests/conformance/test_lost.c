// SPDX-License-Identifier: MIT
/*
 * test_lost.c - a group, or the pods root, that has lost its directory in one hierarchy, because
 * another process removed it: the group is listed, read, killed and removed all the same.
 */
#include "extra.h"

#include <stdlib.h>

/* Each hierarchy once: true where @ctl is the first controller of its hierarchy. */
static bool leads(struct world *w, int ctl)
{
	if (world_version(w, ctl) == CGFS_NONE)
		return false;
	for (int other = 0; other < ctl; other++) {
		if (world_version(w, other) != CGFS_NONE &&
		    strcmp(w->ops->mount(w, other), w->ops->mount(w, ctl)) == 0)
			return false;
	}
	return true;
}

struct found {
	unsigned int web, c1, other;
};

static int count(void *arg, const char *id)
{
	struct found *f = arg;

	f->web += strcmp(id, "web") == 0;
	f->c1 += strcmp(id, "c1") == 0;
	f->other += strcmp(id, "web") != 0 && strcmp(id, "c1") != 0;
	return 0;
}

static void check_found(struct cgfs *c, struct cgfs_group **ret_pod, struct cgfs_group **ret_ctr)
{
	struct found f = { 0 };

	OK(cgfs_pod_list(c, count, &f, &err));
	CHECK_INT(f.web, 1);
	CHECK_INT(f.other, 0);
	OK(cgfs_pod_open(c, "web", ret_pod, &err));
	OK(cgfs_container_list(*ret_pod, count, &f, &err));
	CHECK_INT(f.c1, 1);
	CHECK_INT(f.other, 0);
	OK(cgfs_container_open(c, *ret_pod, "c1", ret_ctr, &err));
}

/* Reads what there is; only figures of the hierarchy of @lost may be missing. */
static void check_read(struct world *w, struct cgfs_group *g, int lost)
{
	struct cgfs_stats s = CGFS_STATS_INIT;
	struct cgfs_applied a = CGFS_APPLIED_INIT;
	bool memory = strcmp(w->ops->mount(w, CGFS_MEMORY), w->ops->mount(w, lost)) != 0;
	bool pids = strcmp(w->ops->mount(w, CGFS_PIDS), w->ops->mount(w, lost)) != 0;
	char *json;

	OK(cgfs_group_stats(g, CGFS_READ_ALL, &s, &err));
	CHECK_INT(s.figure[CGFS_STAT_MEMORY_CURRENT].available, memory);
	CHECK_INT(s.figure[CGFS_STAT_PIDS_CURRENT].available, pids);
	OK(cgfs_group_limits(g, &a, &err));
	CHECK_INT((a.set & CGFS_SET_MEMORY_MAX) != 0, memory);
	CHECK_INT((a.set & CGFS_SET_PIDS_MAX) != 0, pids);
	OK(cgfs_group_json(g, CGFS_READ_ALL, &json, &err));
	free(json);
}

/* @kept: the handles that made the group go on; else new ones are opened. */
static void lost_in(struct world *w, int ctl, bool kept)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_group *new_pod, *new_ctr;
	pid_t pid = world_spawn_in(w, ctr);

	check_where = w->ops->mount(w, ctl);
	CHECK_INT(w->ops->move(w, ctl, "/.", pid), 0);
	CHECK_INT(w->ops->rmdir(w, ctl, cgfs_group_path(ctr)), 0);
	CHECK_INT(w->ops->rmdir(w, ctl, cgfs_group_path(pod)), 0);
	check_found(c, &new_pod, &new_ctr);
	world_track(w, new_pod);
	world_track(w, new_ctr);
	check_read(w, kept ? ctr : new_ctr, ctl);
	check_read(w, kept ? pod : new_pod, ctl);
	CHECK_INT(extra_pids(kept ? ctr : new_ctr), 1);
	OK(cgfs_group_kill(kept ? ctr : new_ctr, &err));
	world_gone(w, pid);
	OK(cgfs_group_remove(kept ? pod : new_pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_check_groups(w, 0);
	world_close_group(w, new_ctr);
	world_close_group(w, new_pod);
	world_close_group(w, ctr);
	world_close_group(w, pod);
	OK(cgfs_root_remove(c, &err));
	world_restart(w);
}

static void in_each(struct world *w, void (*fn)(struct world *w, int ctl, bool flag), bool flag)
{
	if (w->ops->hierarchies(w) < 2)
		world_skip(w, "there is one hierarchy only");
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (leads(w, ctl))
			fn(w, ctl, flag);
	}
	check_where = NULL;
}

WORLD_TEST(lost_directory_under_the_handle)
{
	in_each(w, lost_in, true);
}

WORLD_TEST(lost_directory_before_the_open)
{
	in_each(w, lost_in, false);
}

/* Removal alone kills what is in there, too. */
static void removed_in(struct world *w, int ctl, bool flag)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	check_where = w->ops->mount(w, ctl);
	CHECK_INT(w->ops->move(w, ctl, "/.", pid), 0);
	CHECK_INT(w->ops->rmdir(w, ctl, cgfs_group_path(ctr)), 0);
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_gone(w, pid);
	world_check_groups(w, 1);
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_check_groups(w, 0);
	world_close_group(w, ctr);
	world_close_group(w, pod);
	OK(cgfs_root_remove(c, &err));
	world_restart(w);
}

WORLD_TEST(lost_processes_die_when_it_is_removed)
{
	in_each(w, removed_in, false);
}

/* The pods root of one hierarchy is gone: all pods are still listed, read and removed, and new
 * ones can be made. */
static void root_lost_in(struct world *w, int ctl, bool flag)
{
	struct cgfs *c = world_context(w, WORLD_POLICY), *fresh;
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_group *new_pod, *new_ctr;
	struct cgfs_stats s = CGFS_STATS_INIT;

	check_where = w->ops->mount(w, ctl);
	CHECK_INT(w->ops->rmdir(w, ctl, cgfs_group_path(ctr)), 0);
	CHECK_INT(w->ops->rmdir(w, ctl, cgfs_group_path(pod)), 0);
	CHECK_INT(w->ops->rmdir(w, ctl, w->root), 0);
	check_found(c, &new_pod, &new_ctr);
	cgfs_group_close(new_ctr);
	cgfs_group_close(new_pod);
	world_restart(w);
	fresh = world_context(w, WORLD_POLICY);
	OK(cgfs_root_stats(fresh, CGFS_READ_ALL, &s, &err));
	check_found(fresh, &new_pod, &new_ctr);
	check_read(w, new_ctr, ctl);
	OK(cgfs_group_remove(new_pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	cgfs_group_close(new_ctr);
	cgfs_group_close(new_pod);
	world_check_groups(w, 0);
	pod = world_pod(w, fresh, "next", NULL);
	world_check_groups(w, 1);
	world_destroy(w, pod);
	OK(cgfs_root_remove(fresh, &err));
	world_restart(w);
}

WORLD_TEST(lost_pods_root)
{
	in_each(w, root_lost_in, false);
}

/* The same context goes on: it makes the root again where it is missing. */
static void made_again_in(struct world *w, int ctl, bool flag)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);

	check_where = w->ops->mount(w, ctl);
	CHECK_INT(w->ops->rmdir(w, ctl, cgfs_group_path(pod)), 0);
	CHECK_INT(w->ops->rmdir(w, ctl, w->root), 0);
	world_destroy(w, world_pod(w, c, "next", NULL));
	world_destroy(w, pod);
	world_check_groups(w, 0);
	OK(cgfs_root_remove(c, &err));
	world_restart(w);
}

WORLD_TEST(lost_pods_root_is_made_again)
{
	in_each(w, made_again_in, false);
}
