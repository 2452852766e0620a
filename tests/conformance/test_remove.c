// SPDX-License-Identifier: MIT
/*
 * test_remove.c - deleting: at once and waiting, with processes that will not go, and with
 * cgroups that the container made itself.
 */
#include "extra.h"

#include <sys/resource.h>

#define DEEP 64
#define WIDE 300

WORLD_TEST(remove_is_reported_by_an_event)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	world_fork(w, pid);
	OK(cgfs_group_remove(ctr, NULL, &err));
	world_event(w, c, CGFS_EVENT_REMOVED, "c1", &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_STR(ev.container, "c1");
	CHECK_INT(ev.error, 0);
	CHECK_MSG(ev.cgroup_id == cgfs_group_cgroup_id(ctr) || !ev.cgroup_id, "cgroup_id");
	CHECK(ev.time_ns != 0);
	world_check_groups(w, 1);
	world_gone(w, pid);
	OK(cgfs_group_remove(pod, NULL, &err));
	world_event(w, c, CGFS_EVENT_REMOVED, "", &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_INT(ev.error, 0);
	world_check_groups(w, 0);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_REMOVED), 0);
}

WORLD_TEST(remove_pod_goes_with_all_containers)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	char id[16];
	pid_t pid[8];

	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		pid[i] = world_spawn_in(w, world_container(w, pod, c, id, NULL));
	}
	OK(cgfs_group_remove(pod, NULL, &err));
	world_event(w, c, CGFS_EVENT_REMOVED, "", &ev);
	CHECK_INT(ev.error, 0);
	for (int i = 0; i < 8; i++)
		world_gone(w, pid[i]);
	world_check_groups(w, 0);
}

WORLD_TEST(remove_twice_is_ealready)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	world_spawn_in(w, ctr);
	shim_deaf(w->shim, true);
	OK(cgfs_group_remove(ctr, NULL, &err));
	CHECK_HAS(REFUSED(cgfs_group_remove(ctr, NULL, &err), -EALREADY), "c1");
	shim_deaf(w->shim, false);
	world_event(w, c, CGFS_EVENT_REMOVED, "c1", &ev);
	CHECK_INT(ev.error, 0);
	world_check_groups(w, 1);
}

/* A process that does not die of SIGKILL: the call gives up, the removal does not. */
WORLD_TEST(remove_destroy_that_times_out_goes_on)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	shim_deaf(w->shim, true);
	CHECK_HAS(REFUSED(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(50), &err), -ETIMEDOUT),
		  "c1");
	CHECK(world_alive(w, pid));
	world_check_groups(w, 2);
	shim_deaf(w->shim, false);
	world_event(w, c, CGFS_EVENT_REMOVED, "c1", &ev);
	CHECK_INT(ev.error, 0);
	world_gone(w, pid);
	world_check_groups(w, 1);
}

/* The process is dead, but takes its time to leave the cgroup. */
WORLD_TEST(remove_slow_death_is_waited_for)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid;

	if (w->ops->slow_death(w, 20) < 0)
		world_skip(w, "a real process cannot be made to die slowly");
	pid = world_spawn_in(w, world_container(w, pod, c, "c1", NULL));
	REFUSED(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(50), &err), -ETIMEDOUT);
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
WORLD_TEST(remove_nested_cgroups_go_too)
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
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_gone(w, pid);
	world_gone(w, child);
	world_check_groups(w, 1);
}

/* What is in a container decides how deep it is: more levels than there are descriptors. */
WORLD_TEST(remove_nested_beyond_all_descriptors)
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
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_gone(w, pid);
	world_gone(w, child);
	world_check_groups(w, 1);
}

/* An empty, nested cgroup in a pod that never had a process. */
WORLD_TEST(remove_nested_without_processes)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	char path[512];

	snprintf(path, sizeof(path), "%s/stray", cgfs_group_path(pod));
	make_nested(w, path);
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_check_groups(w, 0);
}

/* The caller's loop has its turn while a wide tree is removed. */
WORLD_TEST(remove_wide_tree_in_bounded_steps)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	uint64_t deadline = world_now_ms() + PATIENCE_MS;
	unsigned int steps = 0, most, n;
	char path[512];
	int r;

	for (int i = 0; i < WIDE; i++) {
		snprintf(path, sizeof(path), "%s/wide%d", cgfs_group_path(ctr), i);
		make_nested(w, path);
	}
	(void)shim_rmdirs(w->shim);
	OK(cgfs_group_remove(ctr, NULL, &err));
	most = shim_rmdirs(w->shim);
	do {
		CHECK(world_now_ms() < deadline);
		w->ops->tick(w);
		r = cgfs_event_read(c, &ev, NULL);
		n = shim_rmdirs(w->shim);
		most = n > most ? n : most;
		steps += n > 0;
	} while (r == 0 || (r == 1 && ev.type != CGFS_EVENT_REMOVED));
	CHECK_INT(r, 1);
	CHECK_INT(ev.error, 0);
	CHECK_MSG(most <= 64, "%u directories were removed in one step", most);
	CHECK_MSG(steps >= WIDE / 64, "all was removed in %u steps", steps);
	world_check_groups(w, 1);
}

/* In every hierarchy, or in none. */
static void check_there(struct world *w, const struct cgfs_group *g, bool there)
{
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK(world_version(w, ctl) == CGFS_NONE ||
		      w->ops->exists(w, ctl, cgfs_group_path(g)) == there);
}

/* More than the caller's loop has the time for: another process removes them. */
WORLD_TEST(remove_bounded_leaves_many_to_clear)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_remove_opts opts = CGFS_REMOVE_OPTS_INIT;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid = world_spawn_in(w, ctr);
	char path[512];

	for (int i = 0; i < WIDE; i++) {
		snprintf(path, sizeof(path), i % 2 ? "%s/w%d/d" : "%s/w%d", cgfs_group_path(ctr),
			 i & ~1);
		make_nested(w, path);
	}
	/* Whose processes are killed first, in both cases. */
	opts.max_below = WIDE / 3;
	OK(cgfs_group_remove(pod, &opts, &err));
	world_event(w, c, CGFS_EVENT_REMOVED, "", &ev);
	CHECK_INT(ev.error, -E2BIG);
	CHECK_HAS(ev.message, "more than 100 cgroups");
	world_gone(w, pid);
	/* The policy has the container's entry: the container is its removal's. */
	OK(cgfs_group_clear(pod, &err));
	check_there(w, ctr, true);
	OK(cgfs_group_clear(ctr, &err));
	check_there(w, ctr, false);
	check_there(w, pod, true);
	opts.wait = true;
	opts.timeout_ms = PATIENCE_MS;
	OK(cgfs_group_remove(ctr, &opts, &err));
	world_check_groups(w, 1);
	OK(cgfs_group_clear(pod, &err));
	check_there(w, pod, false);
	OK(cgfs_group_remove(pod, &opts, &err));
	world_check_groups(w, 0);
}

/* Processes came meanwhile: the removal's again, cgroup2 with its events included. */
WORLD_TEST(clear_leaves_a_group_in_use)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	extra_nest(w, ctr, "a");
	OK(cgfs_group_clear(ctr, &err));
	check_there(w, ctr, true);
	CHECK(world_alive(w, pid));
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_gone(w, pid);
	world_check_groups(w, 1);
}

WORLD_TEST(clear_leaves_what_is_in_use)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);
	char path[512];

	extra_nest(w, ctr, "a");
	extra_nest(w, ctr, "b");
	extra_enter(w, ctr, "a", pid);
	CHECK_HAS(REFUSED(cgfs_group_clear(ctr, &err), -EBUSY), "a below it");
	snprintf(path, sizeof(path), "%s/b", cgfs_group_path(ctr));
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK(world_version(w, ctl) == CGFS_NONE || !w->ops->exists(w, ctl, path));
	CHECK(world_alive(w, pid));
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_gone(w, pid);
	world_check_groups(w, 1);
}

WORLD_TEST(remove_id_is_free_afterwards)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *old = world_pod(w, c, "web", NULL), *new, *ctr;
	uint64_t id = cgfs_group_cgroup_id(old);

	OK(cgfs_group_remove(old, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
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
	struct cgfs_event ev = CGFS_EVENT_INIT;

	if (all)
		world_close_group(w, ctr);
	shim_deaf(w->shim, true);
	OK(cgfs_group_remove(pod, NULL, &err));
	shim_deaf(w->shim, false);
	world_close_group(w, pod);
	world_event(w, c, CGFS_EVENT_REMOVED, "", &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_INT(ev.error, 0);
	world_gone(w, pid);
	world_check_groups(w, 0);
}

WORLD_TEST(remove_handle_may_be_closed_meanwhile)
{
	closed_meanwhile(w, false);
}

WORLD_TEST(remove_goes_on_without_any_handle)
{
	closed_meanwhile(w, true);
}

/* The container's end is that of the last reference to its pod, too. */
WORLD_TEST(remove_context_may_be_closed_meanwhile)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *again;
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);

	world_spawn_in(w, ctr);
	shim_deaf(w->shim, true);
	OK(cgfs_group_remove(ctr, NULL, &err));
	world_close_group(w, ctr);
	world_close_group(w, pod);
	world_restart(w);
	shim_deaf(w->shim, false);
	c = world_context(w, WORLD_POLICY);
	OK(cgfs_pod_open(c, "web", &again, &err));
	OK(cgfs_group_remove(again, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	cgfs_group_close(again);
	world_check_groups(w, 0);
}
