// SPDX-License-Identifier: MIT
/*
 * test_spawn.c - children that begin their life in a container, and those that cannot.
 */
#include "extra.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void no_children(void)
{
	CHECK_MSG(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}

static void child_is_in_every_hierarchy(struct world *w)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_group *alone = world_container(w, NULL, c, "alone", NULL);
	pid_t pid = extra_spawn(ctr, extra_pause, NULL);

	world_check_member(w, pid, ctr);
	CHECK_INT(extra_pids(ctr), 1);
	OK(cgfs_group_kill(ctr, &err));
	CHECK_INT(WTERMSIG(extra_wait(pid)), SIGKILL);
	pid = extra_spawn(alone, extra_pause, NULL);
	world_check_member(w, pid, alone);
	/* What it forks is there, too. */
	OK(cgfs_group_kill(alone, &err));
	extra_wait(pid);
	no_children();
}

static int exit_7(void *arg)
{
	(void)arg;
	return 7;
}

static void child_runs_and_ends(struct world *w)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	int status = extra_wait(extra_spawn(ctr, exit_7, NULL));

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK_INT(extra_pids(ctr), 0);
}

/* The descriptor is the child's: it tells of its end, and takes signals. */
static void pidfd_is_the_childs(struct world *w)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	siginfo_t info = { 0 };
	int pidfd = -EBADF;
	pid_t pid = -1;

	OK(cgfs_group_spawn(ctr, &pid, &pidfd, &err));
	if (pid == 0)
		_exit(extra_pause(NULL));
	CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0);
	CHECK(kill(pid, SIGTERM) == 0);
	CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
	CHECK_INT(info.si_pid, pid);
	CHECK_INT(info.si_status, SIGTERM);
	close(pidfd);
	no_children();
}

static void refused_for_a_pod(struct world *w)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	size_t fds;
	int pidfd = -77;
	pid_t pid = -77;

	fds = world_fds();
	CHECK_HAS(REFUSED(cgfs_group_spawn(pod, &pid, &pidfd, &err), -EINVAL), "web");
	CHECK_INT(pid, -77);
	CHECK_INT(pidfd, -77);
	CHECK_INT(world_fds(), fds);
	OK(cgfs_group_destroy(ctr, PATIENCE_MS, &err));
	CHECK_HAS(REFUSED(cgfs_group_spawn(ctr, &pid, &pidfd, &err), -EINVAL), "c1");
	no_children();
}

static void not_on_a_simulation(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	int pidfd = -77;
	pid_t pid = -77;

	REFUSED(cgfs_group_spawn(ctr, &pid, &pidfd, &err), -EOPNOTSUPP);
	CHECK_INT(pid, -77);
	no_children();
}

static void full(struct world *w, bool pods)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_resources two = extra_pids_max(2);
	struct cgfs_group *pod, *ctr;
	pid_t a, pid = -77;
	int pidfd = -77;
	size_t fds;

	world_need(w, CGFS_PIDS);
	pod = world_pod(w, c, "web", pods ? &two : NULL);
	ctr = world_container(w, pod, c, "c1", pods ? NULL : &two);
	a = extra_spawn(ctr, extra_pause, NULL);
	extra_spawn(ctr, extra_pause, NULL);
	fds = world_fds();
	for (int i = 0; i < 3; i++) {
		CHECK_HAS(REFUSED(cgfs_group_spawn(ctr, &pid, &pidfd, &err), -EAGAIN), "c1");
		CHECK_INT(pid, -77);
		CHECK_INT(pidfd, -77);
		CHECK_INT(extra_pids(ctr), 2);
	}
	CHECK_INT(world_fds(), fds);
	/* One goes, one may come. */
	CHECK(kill(a, SIGKILL) == 0);
	extra_wait(a);
	extra_spawn(ctr, extra_pause, NULL);
	REFUSED(cgfs_group_spawn(ctr, &pid, &pidfd, &err), -EAGAIN);
	CHECK_INT(extra_pids(ctr), 2);
}

static void pids_max_of_the_container(struct world *w)
{
	full(w, false);
}

static void pids_max_of_the_pod(struct world *w)
{
	full(w, true);
}

/* One hierarchy does not take it; the others are not left with half a child. */
static void one_hierarchy_refuses(struct world *w)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	const char *path = cgfs_group_path(ctr), *text;
	int want, pidfd = -77;
	pid_t pid = -77, inner;
	size_t fds;

	/* What is opened once and kept is open now. */
	extra_wait(extra_spawn(ctr, exit_7, NULL));
	extra_until_pids(w, ctr, 0, 0);
	if (world_version(w, CGFS_CPUSET) == CGFS_V1) {
		/* Without a CPU nobody can run there. */
		CHECK_INT(extra_put(w, CGFS_CPUSET, path, "cpuset.cpus", "\n"), 0);
		want = -ENOSPC;
	} else if (world_v2(w, CGFS_MEMORY)) {
		uint64_t end = world_now_ms() + PATIENCE_MS;
		int r;

		/* It distributes a controller: no processes beside that; on 7.2 it is populated for
		 * a moment after the last one was reaped. */
		while ((r = extra_put(w, UNIFIED, path, "cgroup.subtree_control", "+memory")) ==
			       -EBUSY &&
		       world_now_ms() < end)
			world_sleep_ms(1);
		CHECK_INT(r, 0);
		want = -EBUSY;
	} else {
		world_skip(w, "no hierarchy here can be made to refuse a process");
	}
	fds = world_fds();
	text = REFUSED(cgfs_group_spawn(ctr, &pid, &pidfd, &err), want);
	CHECK_HAS(text, path);
	CHECK_INT(pid, -77);
	CHECK_INT(world_fds(), fds);
	no_children();
	CHECK_INT(extra_pids(ctr), 0);
	if (want == -EBUSY) {
		CHECK_INT(extra_put(w, UNIFIED, path, "cgroup.subtree_control", "-memory"), 0);
		inner = extra_spawn(ctr, extra_pause, NULL);
		world_check_member(w, inner, ctr);
	}
}

static void refused_as_frozen(struct world *w, struct cgfs_group *ctr)
{
	size_t fds = world_fds();
	int pidfd = -77;
	pid_t pid = -77;

	(void)w;
	CHECK_HAS(REFUSED(cgfs_group_spawn(ctr, &pid, &pidfd, &err), -EBUSY), "frozen");
	CHECK_INT(pid, -77);
	CHECK_INT(world_fds(), fds);
	no_children();
}

/* Its first instruction would have to wait for the thaw, and with it whoever makes it. */
static void frozen_is_refused(struct world *w)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	bool v1 = world_version(w, CGFS_FREEZER) == CGFS_V1;
	const char *path = cgfs_group_path(ctr);

	if (world_version(w, UNIFIED) == CGFS_NONE && !v1)
		world_skip(w, "no freezer in this layout");
	extra_wait(extra_spawn(ctr, exit_7, NULL));
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	refused_as_frozen(w, ctr);
	OK(cgfs_group_thaw(ctr, &err));
	OK(cgfs_group_freeze(pod, PATIENCE_MS, &err));
	refused_as_frozen(w, ctr);
	OK(cgfs_group_thaw(pod, &err));
	if (v1) {
		/* Also by somebody who is not the library. */
		CHECK_INT(extra_put(w, CGFS_FREEZER, path, "freezer.state", "FROZEN"), 0);
		refused_as_frozen(w, ctr);
		CHECK_INT(extra_put(w, CGFS_FREEZER, path, "freezer.state", "THAWED"), 0);
	}
	CHECK_INT(WEXITSTATUS(extra_wait(extra_spawn(ctr, exit_7, NULL))), 7);
	CHECK_INT(extra_pids(ctr), 0);
}

/* A directory that somebody else removed. */
static void container_is_gone(struct world *w)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	int pidfd = -77, r;
	pid_t pid = -77;
	size_t fds;

	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE &&
		    w->ops->exists(w, ctl, cgfs_group_path(ctr)))
			CHECK_INT(w->ops->rmdir(w, ctl, cgfs_group_path(ctr)), 0);
	}
	fds = world_fds();
	r = cgfs_group_spawn(ctr, &pid, &pidfd, NULL);
	if (r == 0 && pid == 0)
		_exit(0);
	CHECK_MSG(r == -ENOENT || r == -ENODEV, "%d", r);
	CHECK_INT(pid, -77);
	CHECK(world_fds() <= fds);
	no_children();
}

/* A signal that arrives while the parent waits for the child's word. */
static void nothing(int sig)
{
	(void)sig;
}

static void signals_and_many_children(struct world *w)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct sigaction sa = { .sa_handler = nothing }, old; /* no SA_RESTART */
	size_t fds;

	extra_wait(extra_spawn(ctr, exit_7, NULL));
	fds = world_fds();
	CHECK(sigaction(SIGCHLD, &sa, &old) == 0);
	for (int i = 0; i < 200; i++) {
		pid_t pid = extra_spawn(ctr, exit_7, NULL);

		CHECK_INT(WEXITSTATUS(extra_wait(pid)), 7);
	}
	CHECK(sigaction(SIGCHLD, &old, NULL) == 0);
	CHECK_INT(world_fds(), fds);
	no_children();
	CHECK_INT(extra_pids(ctr), 0);
}

const struct world_test spawn_tests[] = {
	{ "spawn_child_is_in_every_hierarchy", child_is_in_every_hierarchy },
	{ "spawn_child_runs_and_ends", child_runs_and_ends },
	{ "spawn_pidfd_is_the_childs", pidfd_is_the_childs },
	{ "spawn_refused_for_a_pod", refused_for_a_pod },
	{ "spawn_not_on_a_simulation", not_on_a_simulation },
	{ "spawn_pids_max_of_the_container", pids_max_of_the_container },
	{ "spawn_pids_max_of_the_pod", pids_max_of_the_pod },
	{ "spawn_one_hierarchy_refuses", one_hierarchy_refuses },
	{ "spawn_frozen_is_refused", frozen_is_refused },
	{ "spawn_container_is_gone", container_is_gone },
	{ "spawn_signals_and_many_children", signals_and_many_children },
	{ NULL, NULL },
};
