// SPDX-License-Identifier: MIT
/*
 * test_spawn.c - children that begin their life in a container, and those that cannot.
 */
#include "extra.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void no_children(void)
{
	CHECK_MSG(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}

WORLD_TEST(spawn_child_is_in_every_hierarchy)
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
	return 7;
}

WORLD_TEST(spawn_child_runs_and_ends)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	int status = extra_wait(extra_spawn(ctr, exit_7, NULL));

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK_INT(extra_pids(ctr), 0);
}

/* The descriptor is the child's: it reports its end, and takes signals. */
WORLD_TEST(spawn_pidfd_is_the_childs)
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

WORLD_TEST(spawn_refused_for_a_pod)
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
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	CHECK_HAS(REFUSED(cgfs_group_spawn(ctr, &pid, &pidfd, &err), -EINVAL), "c1");
	no_children();
}

WORLD_TEST(spawn_not_on_a_simulation)
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

WORLD_TEST(spawn_pids_max_of_the_container)
{
	full(w, false);
}

WORLD_TEST(spawn_pids_max_of_the_pod)
{
	full(w, true);
}

/* One hierarchy does not take it; the others are not left with half a child. */
WORLD_TEST(spawn_one_hierarchy_refuses)
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
		/* Without a CPU no process can run there, and there is none above to be had. */
		CHECK_INT(extra_put(w, CGFS_CPUSET, path, "cpuset.cpus", "\n"), 0);
		CHECK_INT(extra_put(w, CGFS_CPUSET, cgfs_group_path(cgfs_group_pod(ctr)),
				    "cpuset.cpus", "\n"),
			  0);
		CHECK_INT(extra_put(w, CGFS_CPUSET, w->root, "cpuset.cpus", "\n"), 0);
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
	/* The pod's directories are opened for it, and kept. */
	REFUSED(cgfs_group_spawn(ctr, &pid, &pidfd, &err), want);
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

	CHECK_HAS(REFUSED(cgfs_group_spawn(ctr, &pid, &pidfd, &err), -EBUSY), "frozen");
	CHECK_INT(pid, -77);
	CHECK_INT(world_fds(), fds);
	no_children();
}

/* Its first instruction would have to wait for the thaw, and with it the process that makes it. */
WORLD_TEST(spawn_frozen_is_refused)
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
		/* Also without the library. */
		CHECK_INT(extra_put(w, CGFS_FREEZER, path, "freezer.state", "FROZEN"), 0);
		refused_as_frozen(w, ctr);
		CHECK_INT(extra_put(w, CGFS_FREEZER, path, "freezer.state", "THAWED"), 0);
	}
	CHECK_INT(WEXITSTATUS(extra_wait(extra_spawn(ctr, exit_7, NULL))), 7);
	CHECK_INT(extra_pids(ctr), 0);
}

/* A directory that another process removed. */
WORLD_TEST(spawn_container_is_gone)
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
}

WORLD_TEST(spawn_signals_and_many_children)
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

/* A seccomp profile that does not know some system calls: in a process of its own, since it stays.
 */
struct without {
	int error;
	bool pidfd_open; /* may be called */
};

static int hide_calls(const struct without *x)
{
	unsigned int refuse = SECCOMP_RET_ERRNO | (unsigned int)x->error;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, x->pidfd_open ? ~0u : SYS_pidfd_open, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, refuse),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0
		       ? -errno
		       : 0;
}

/* The exit status is the step that failed. */
static int spawn_without(struct cgfs_group *ctr, const struct without *x)
{
	struct cgfs_err err = { 0 };
	siginfo_t info = { 0 };
	pid_t pid;
	int pidfd = -1;

	if (hide_calls(x) < 0)
		return 1;
	if (cgfs_group_spawn(ctr, &pid, &pidfd, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	if (pid == 0)
		extra_pause(NULL);
	if (extra_pids(ctr) != 1)
		return 3;
	if (fcntl(pidfd, F_GETFD) != FD_CLOEXEC)
		return 4;
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
		return 5;
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 || info.si_pid != pid)
		return 6;
	return 0;
}

WORLD_TEST(spawn_without_clone3)
{
	static const struct without some[] = {
		{ ENOSYS, true }, { EPERM, true }, { ENOSYS, false }, { EPERM, false }
	};
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			_exit(spawn_without(ctr, &some[i]));
		CHECK_INT(WEXITSTATUS(extra_wait(pid)), 0);
	}
	no_children();
	CHECK_INT(extra_pids(ctr), 0);
}
