// SPDX-License-Identifier: MIT
/*
 * test_selftest_freezer.c - freezing trees, fork bombs, newcomers, and processes that already
 * stand still for another reason: stopped, traced, waiting for a vfork.
 */
#include "extra.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void need_freezer(struct world *w)
{
	if (world_version(w, UNIFIED) == CGFS_NONE && world_version(w, CGFS_FREEZER) == CGFS_NONE)
		world_skip(w, "no freezer in this layout");
}

static bool complete(struct world *w, const struct cgfs_group *g)
{
	if (world_version(w, UNIFIED) != CGFS_NONE)
		return extra_keyed(w, UNIFIED, g, "cgroup.events", "frozen") == 1;
	return strcmp(world_cat(w, CGFS_FREEZER, g, "freezer.state"), "FROZEN") == 0;
}

WORLD_TEST(selftest_freezer_tree_of_cgroups)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pids[3];

	need_freezer(w);
	extra_nest(w, ctr, "a");
	extra_nest(w, ctr, "a/b");
	for (int i = 0; i < 3; i++)
		pids[i] = world_spawn_in(w, ctr);
	extra_enter(w, ctr, "a", pids[1]);
	extra_enter(w, ctr, "a/b", pids[2]);
	OK(cgfs_group_freeze(pod, PATIENCE_MS, &err));
	CHECK(complete(w, pod) && complete(w, ctr));
	for (int i = 0; i < 3; i++)
		extra_stopped(w, pids[i]);
	/* A cgroup that is made now begins frozen. */
	extra_nest(w, ctr, "late");
	OK(cgfs_group_thaw(pod, &err));
	CHECK(!complete(w, pod) && !complete(w, ctr));
	for (int i = 0; i < 3; i++)
		world_runs(w, pids[i]);
}

WORLD_TEST(selftest_freezer_fork_bomb_stands_still)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_pids_max(256);
	struct cgfs_group *pod, *ctr;
	size_t n;
	pid_t pid;

	need_freezer(w);
	world_need(w, CGFS_PIDS);
	pod = world_pod(w, c, "web", &res);
	ctr = world_container(w, pod, c, "c1", NULL);
	pid = world_spawn_in(w, ctr);
	w->ops->bomb(w, pid);
	extra_until_pids(w, ctr, 8, 1000);
	OK(cgfs_group_freeze(pod, PATIENCE_MS, &err));
	n = extra_pids(ctr);
	for (int i = 0; i < 20; i++) {
		w->ops->tick(w);
		world_sleep_ms(5);
		CHECK_INT(extra_pids(ctr), n);
	}
	CHECK(complete(w, ctr));
	OK(cgfs_group_kill(pod, &err));
	extra_until_pids(w, pod, 0, 0);
	world_gone(w, pid);
}

WORLD_TEST(selftest_freezer_newcomers_and_leavers)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *cold = world_container(w, pod, c, "cold", NULL);
	struct cgfs_group *warm = world_container(w, pod, c, "warm", NULL);
	pid_t a = world_spawn_in(w, warm), b = world_spawn_in(w, cold);

	need_freezer(w);
	OK(cgfs_group_freeze(cold, PATIENCE_MS, &err));
	OK(cgfs_group_add_pid(cold, a, &err));
	world_check_member(w, a, cold);
	extra_stopped(w, a);
	/* Between the move and the stop the kernel may take the group for thawed. */
	UNTIL(complete(w, cold));
	OK(cgfs_group_add_pid(warm, b, &err));
	world_check_member(w, b, warm);
	world_runs(w, b);
	extra_stopped(w, a);
	OK(cgfs_group_thaw(cold, &err));
	world_runs(w, a);
}

/* Frozen twice, by the pod and by itself: thawing one does not thaw the other. */
WORLD_TEST(selftest_freezer_pod_and_container)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);
	pid_t pa = world_spawn_in(w, a), pb = world_spawn_in(w, b);

	need_freezer(w);
	OK(cgfs_group_freeze(a, PATIENCE_MS, &err));
	OK(cgfs_group_freeze(pod, PATIENCE_MS, &err));
	OK(cgfs_group_thaw(pod, &err));
	world_runs(w, pb);
	extra_stopped(w, pa);
	CHECK(complete(w, a) && !complete(w, b) && !complete(w, pod));
	OK(cgfs_group_freeze(pod, PATIENCE_MS, &err));
	OK(cgfs_group_thaw(a, &err));
	extra_stopped(w, pa);
	OK(cgfs_group_thaw(pod, &err));
	world_runs(w, pa);
}

static void need_live(struct world *w)
{
	need_freezer(w);
	if (!w->kind->live)
		world_skip(w, "the fake host has no signals but SIGKILL, and no tracers");
}

WORLD_TEST(selftest_freezer_stopped_process)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	need_live(w);
	world_runs(w, pid);
	CHECK(kill(pid, SIGSTOP) == 0);
	extra_stopped(w, pid);
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	CHECK(complete(w, ctr));
	OK(cgfs_group_thaw(ctr, &err));
	/* It was stopped before, and still is. */
	extra_stopped(w, pid);
	CHECK(kill(pid, SIGCONT) == 0);
	world_runs(w, pid);
	/* The other way round: continued while frozen, it runs when thawed. */
	CHECK(kill(pid, SIGSTOP) == 0);
	extra_stopped(w, pid);
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	CHECK(kill(pid, SIGCONT) == 0);
	OK(cgfs_group_thaw(ctr, &err));
	world_runs(w, pid);
}

static void await_trap(struct world *w, pid_t pid)
{
	int status = 0;

	for (int i = 0; waitpid(pid, &status, WNOHANG | __WALL) != pid; i++) {
		CHECK_MSG(i < PATIENCE_MS, "process %d does not stop for its tracer", pid);
		w->ops->tick(w);
		world_sleep_ms(1);
	}
	CHECK(WIFSTOPPED(status));
}

WORLD_TEST(selftest_freezer_traced_process)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);
	siginfo_t info;

	need_live(w);
	if (world_version(w, UNIFIED) == CGFS_NONE)
		world_skip(w, "cgroup v1's freezer does not let a tracer in");
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	CHECK(ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0);
	CHECK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0);
	await_trap(w, pid);
	CHECK(complete(w, ctr));
	CHECK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0);
	CHECK(complete(w, ctr));
	CHECK(ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0);
	extra_stopped(w, pid);
	CHECK(complete(w, ctr));
	OK(cgfs_group_thaw(ctr, &err));
	world_runs(w, pid);
}

/* The parent of a vfork waits in the kernel, uninterruptibly but for a kill. */
static int vfork_and_wait(void *arg)
{
	pid_t pid = vfork();

	if (pid == 0) {
		usleep(60 * 1000000); /* the child's sleep is what the parent waits for */
		_exit(0);
	}
	return 0;
}

WORLD_TEST(selftest_freezer_vfork_parent)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid;

	need_freezer(w);
	pid = extra_spawn(ctr, vfork_and_wait, NULL);
	extra_until_pids(w, ctr, 2, 2);
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	CHECK(complete(w, ctr));
	OK(cgfs_group_thaw(ctr, &err));
	CHECK_INT(extra_pids(ctr), 2);
	OK(cgfs_group_kill(ctr, &err));
	CHECK(WIFSIGNALED(extra_wait(pid)));
	extra_until_pids(w, ctr, 0, 0);
}
