// SPDX-License-Identifier: MIT
/*
 * test_remove.c - deleting: at once and waiting, with processes that will not go, and with
 * cgroups that the container made itself.
 */
#include "extra.h"

#include <sys/resource.h>

#define DEEP 64

static void remove_is_told_by_an_event(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);
	struct cgfs_event ev;

	world_fork(w, pid);
	OK(cgfs_group_remove(ctr, &err));
	world_event(w, c, CGFS_EVENT_REMOVED, "c1", &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_STR(ev.container, "c1");
	CHECK_INT(ev.error, 0);
	CHECK_MSG(ev.cgroup_id == cgfs_group_cgroup_id(ctr) || !ev.cgroup_id, "cgroup_id");
	CHECK(ev.time_ns != 0);
	world_check_groups(w, 1);
	world_gone(w, pid);
	OK(cgfs_group_remove(pod, &err));
	world_event(w, c, CGFS_EVENT_REMOVED, "", &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_INT(ev.error, 0);
	world_check_groups(w, 0);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_REMOVED), 0);
}

static void pod_goes_with_all_containers(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_event ev;
	char id[16];
	pid_t pid[8];

	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		pid[i] = world_spawn_in(w, world_container(w, pod, c, id, NULL));
	}
	OK(cgfs_group_remove(pod, &err));
	world_event(w, c, CGFS_EVENT_REMOVED, "", &ev);
	CHECK_INT(ev.error, 0);
	for (int i = 0; i < 8; i++)
		world_gone(w, pid[i]);
	world_check_groups(w, 0);
}

static void remove_twice_is_ealready(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_event ev;

	world_spawn_in(w, ctr);
	shim_deaf(w->shim, true);
	OK(cgfs_group_remove(ctr, &err));
	CHECK_HAS(REFUSED(cgfs_group_remove(ctr, &err), -EALREADY), "c1");
	shim_deaf(w->shim, false);
	world_event(w, c, CGFS_EVENT_REMOVED, "c1", &ev);
	CHECK_INT(ev.error, 0);
	world_check_groups(w, 1);
}

/* A process that does not die of SIGKILL: the call gives up, the removal does not. */
static void destroy_that_times_out_goes_on(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);
	struct cgfs_event ev;

	shim_deaf(w->shim, true);
	CHECK_HAS(REFUSED(cgfs_group_destroy(ctr, 50, &err), -ETIMEDOUT), "c1");
	CHECK(world_alive(w, pid));
	world_check_groups(w, 2);
	shim_deaf(w->shim, false);
	world_event(w, c, CGFS_EVENT_REMOVED, "c1", &ev);
	CHECK_INT(ev.error, 0);
	world_gone(w, pid);
	world_check_groups(w, 1);
}

/* The process is dead, but takes its time to leave the cgroup. */
static void slow_death_is_waited_for(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_event ev;
	pid_t pid;

	if (w->ops->slow_death(w, 20) < 0)
		world_skip(w, "a real process cannot be told to die slowly");
	pid = world_spawn_in(w, world_container(w, pod, c, "c1", NULL));
	REFUSED(cgfs_group_destroy(pod, 50, &err), -ETIMEDOUT);
	CHECK(world_alive(w, pid));
	world_event(w, c, CGFS_EVENT_REMOVED, "", &ev);
	CHECK_INT(ev.error, 0);
	CHECK(!world_alive(w, pid));
	world_check_groups(w, 0);
}

static void make_nested(struct world *w, const char *path)
{
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE && !w->ops->exists(w, ctl, path))
			CHECK_INT(w->ops->mkdir(w, ctl, path), 0);
	}
}

/* Deep, wide, and with names that no id may have. */
static void nested_cgroups_of_the_container_go_too(struct world *w)
{
	static const char *const below[] = { "inner",	"inner/a",    "inner/a/b", "inner/a/b/c",
					     "inner/d", "init.scope", "-x",	   "with space" };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr), child = world_fork(w, pid);
	char path[512];
	int ctl = world_version(w, UNIFIED) != CGFS_NONE ? UNIFIED : CGFS_PIDS;

	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", cgfs_group_path(ctr), below[i]);
		make_nested(w, path);
	}
	snprintf(path, sizeof(path), "%s/inner/a/b/c", cgfs_group_path(ctr));
	CHECK_INT(w->ops->move(w, ctl, path, child), 0);
	OK(cgfs_group_destroy(ctr, PATIENCE_MS, &err));
	world_gone(w, pid);
	world_gone(w, child);
	world_check_groups(w, 1);
}

/* What is in a container decides how deep it is: more levels than there are descriptors. */
static void nested_beyond_all_descriptors_go_too(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr), child = world_fork(w, pid);
	int ctl = world_version(w, UNIFIED) != CGFS_NONE ? UNIFIED : CGFS_PIDS;
	struct rlimit limit;
	char path[512];
	size_t len = (size_t)snprintf(path, sizeof(path), "%s", cgfs_group_path(ctr));

	for (int level = 0; level < DEEP; level++) {
		len += (size_t)snprintf(path + len, sizeof(path) - len, "/d");
		make_nested(w, path);
	}
	CHECK_INT(w->ops->move(w, ctl, path, child), 0);
	CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = world_fds() + DEEP / 2;
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_INT(extra_pids(ctr), 2);
	OK(cgfs_group_destroy(ctr, PATIENCE_MS, &err));
	world_gone(w, pid);
	world_gone(w, child);
	world_check_groups(w, 1);
}

/* An empty, nested cgroup in a pod that never had a process. */
static void nested_cgroups_without_processes_go_too(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	char path[512];

	snprintf(path, sizeof(path), "%s/stray", cgfs_group_path(pod));
	make_nested(w, path);
	OK(cgfs_group_destroy(pod, PATIENCE_MS, &err));
	world_check_groups(w, 0);
}

static void id_is_free_after_removal(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *old = world_pod(w, c, "web", NULL), *new, *ctr;
	uint64_t id = cgfs_group_cgroup_id(old);

	OK(cgfs_group_destroy(old, PATIENCE_MS, &err));
	new = world_pod(w, c, "web", NULL); /* the old handle is still open */
	if (id)
		CHECK(cgfs_group_cgroup_id(new) != id);
	world_close_group(w, old);
	world_check_groups(w, 1);
	ctr = world_container(w, new, c, "c1", NULL);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
}

/* "still to be closed by the caller, at any time": @all of them, or the pod's alone. */
static void closed_meanwhile(struct world *w, bool all)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);
	struct cgfs_event ev;

	if (all)
		world_close_group(w, ctr);
	shim_deaf(w->shim, true);
	OK(cgfs_group_remove(pod, &err));
	shim_deaf(w->shim, false);
	world_close_group(w, pod);
	world_event(w, c, CGFS_EVENT_REMOVED, "", &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_INT(ev.error, 0);
	world_gone(w, pid);
	world_check_groups(w, 0);
}

static void handle_may_be_closed_meanwhile(struct world *w)
{
	closed_meanwhile(w, false);
}

static void goes_on_without_any_handle(struct world *w)
{
	closed_meanwhile(w, true);
}

/* The container's end is that of the last reference to its pod, too. */
static void context_may_be_closed_meanwhile(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *again;
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);

	world_spawn_in(w, ctr);
	shim_deaf(w->shim, true);
	OK(cgfs_group_remove(ctr, &err));
	world_close_group(w, ctr);
	world_close_group(w, pod);
	world_restart(w);
	shim_deaf(w->shim, false);
	c = world_context(w, WORLD_POLICY);
	OK(cgfs_pod_open(c, "web", &again, &err));
	OK(cgfs_group_destroy(again, PATIENCE_MS, &err));
	cgfs_group_close(again);
	world_check_groups(w, 0);
}

const struct world_test remove_tests[] = {
	{ "remove_is_told_by_an_event", remove_is_told_by_an_event },
	{ "remove_pod_goes_with_all_containers", pod_goes_with_all_containers },
	{ "remove_twice_is_ealready", remove_twice_is_ealready },
	{ "remove_destroy_that_times_out_goes_on", destroy_that_times_out_goes_on },
	{ "remove_slow_death_is_waited_for", slow_death_is_waited_for },
	{ "remove_nested_cgroups_go_too", nested_cgroups_of_the_container_go_too },
	{ "remove_nested_beyond_all_descriptors", nested_beyond_all_descriptors_go_too },
	{ "remove_nested_without_processes", nested_cgroups_without_processes_go_too },
	{ "remove_id_is_free_afterwards", id_is_free_after_removal },
	{ "remove_handle_may_be_closed_meanwhile", handle_may_be_closed_meanwhile },
	{ "remove_goes_on_without_any_handle", goes_on_without_any_handle },
	{ "remove_context_may_be_closed_meanwhile", context_may_be_closed_meanwhile },
	{ NULL, NULL },
};
