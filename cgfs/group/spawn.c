/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - a child that begins its life inside a container.
 *
 * Writing a pid into cgroup.procs waits for an RCU grace period, once per hierarchy: 15 ms for
 * nine of them.  Two ways avoid that.  clone3(CLONE_INTO_CGROUP) makes the child in its
 * cgroup2 directory.  And a thread that moves itself alone (v1's `tasks`, "0") needs no lock
 * against its own exit or exec: a child that has just been forked is its only thread.
 *
 * Kernel: clone(2); kernel/cgroup/cgroup.c cgroup_procs_write_start()
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/cpu/cpuset.h"
#include "cgfs/controller/process/freezer.h"
#include "cgfs/controller/process/pids.h"
#include "cgfs/controller/process/procs.h"
#include "cgfs/controller/process/room.h"
#include "cgfs/group/group.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"

#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A child that has not reported for so long may have been frozen. */
#define LOOK_MS 20

static int pidfd_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

/*
 * Without clone3: a seccomp profile, valgrind and gVisor answer ENOSYS or EPERM.  fork(2) with
 * pidfd_open(2) is what all of these know; clone(2) brings the descriptor itself where a profile
 * has no pidfd_open.  The child has not been waited for, so its pid is its own until then.
 */
static pid_t fork_plain(int *ret_pidfd)
{
	int probe = pidfd_open(getpid()), fd;
	pid_t pid;

	if (probe < 0) {
#ifdef __s390__
		pid = (pid_t)syscall(SYS_clone, 0, CLONE_PIDFD | SIGCHLD, ret_pidfd, 0, 0);
#else
		pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, ret_pidfd, 0, 0);
#endif
		return pid < 0 ? -errno : pid;
	}
	close(probe);
	pid = fork();
	if (pid <= 0)
		return pid < 0 ? -errno : 0;
	fd = pidfd_open(pid);
	if (fd < 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return fd;
	}
	*ret_pidfd = fd;
	return pid;
}

static pid_t clone_into(int cgroup_fd, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0 && cgroup_fd < 0 && (errno == ENOSYS || errno == EPERM))
		return fork_plain(ret_pidfd);
	return pid < 0 ? -errno : pid;
}

/* In the child: what the clone did not do.  @unified: it is in its cgroup2 directory already. */
static int enter(struct cgfs_group *g, bool unified, const struct pids_limits *limits,
		 struct cgfs_err *err)
{
	for (int i = 0; i < g->c->n; i++) {
		struct cgfs_dir d = dir_in(g, i);
		int r;

		if (i == g->c->unified && unified)
			continue;
		r = dir_write(&d, procs_own_file(g->c, i), "0", err);
		if (r < 0)
			return r;
	}
	return pids_check(g, limits, err);
}

/* A frozen child reports nothing.  cgroup2 lets it die there; v1 does not, but once it is
 * outside. */
static int send_away(struct cgfs_group *g, pid_t pid, struct cgfs_err *err)
{
	kill(pid, SIGKILL);
	freezer_let_out(g->c, pid);
	return err_why(err, -EBUSY, NULL, g->path, "it is frozen");
}

/* The child's word: nothing (the pipe closes at exec, or by it) or what went wrong. */
static int await_child(struct cgfs_group *g, int fd, pid_t pid, struct cgfs_err *ret)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;
	int ready;

	while ((ready = poll(&p, 1, LOOK_MS)) == 0 || (ready < 0 && errno == EINTR)) {
		if (ready == 0 && freezer_stops(g))
			return send_away(g, pid, ret);
	}
	do
		n = read(fd, ret, sizeof(*ret));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*ret) ? ret->code : n < 0 ? -errno : n == 1 ? 0 : -EPIPE;
}

/* One fork.  @unified: by CLONE_INTO_CGROUP.  In the child *ret_pid is 0. */
static int attempt(struct cgfs_group *g, bool unified, pid_t *ret_pid, int *ret_pidfd,
		   struct cgfs_err *err)
{
	int pipefd[2], pidfd = -EBADF, into = -EBADF, r;
	struct pids_limits limits;
	pid_t pid;

	pids_prepare(g, unified, &limits);
	/* After it: opening the pod's files may have cost the group its own directories. */
	r = unified ? group_dir(g, g->c->unified, &into, err) : 0;
	if (r < 0)
		return r;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_file(err, -errno, "pipe", NULL);
	pid = clone_into(into, &pidfd);
	if (pid == 0) {
		close(pipefd[0]);
		r = enter(g, unified, &limits, err);
		/* A child that could not report does not run: the parent takes it for dead, and
		 * waits. */
		if (write(pipefd[1], err, r < 0 ? sizeof(*err) : 1) < 0 || r < 0)
			_exit(126);
		close(pipefd[1]);
		*ret_pid = 0;
		return 0;
	}
	close(pipefd[1]);
	r = pid < 0 ? err_file(err, pid, "clone3 into", g->path)
		    : await_child(g, pipefd[0], pid, err);
	close(pipefd[0]);
	if (r == 0) {
		*ret_pid = pid;
		*ret_pidfd = pidfd;
		return 0;
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (pidfd >= 0)
		close(pidfd);
	if (r == -EPIPE)
		err_why(err, r, NULL, g->path, "the child died before it had joined");
	return r;
}

static int spawn(struct cgfs_group *g, pid_t *ret_pid, int *ret_pidfd, struct cgfs_err *reterr)
{
	struct cgfs_err err = { 0 };
	bool unified = g->c->unified >= 0;
	int r, fd;

	if (g->is_pod || g->state != GROUP_LIVE)
		return err_why(reterr, -EINVAL, NULL, g->path,
			       g->is_pod ? "processes live in containers, not in pods"
					 : "it is being removed");
	if (g->c->fs != cgfs_fs_kernel())
		return err_why(reterr, -EOPNOTSUPP, NULL, g->path,
			       "not on a kernel, but on a simulated file system");
	for (int i = 0; i < g->c->n; i++) {
		r = group_dir(g, i, &fd, reterr);
		if (r < 0)
			return r;
	}
	r = attempt(g, unified, ret_pid, ret_pidfd, &err);
	/*
	 * Once more, by cgroup.procs: a seccomp filter may know no clone3, there is no
	 * CLONE_INTO_CGROUP before 5.7, and 6.18 kills a process that is cloned into a cgroup whose
	 * cgroup.kill was ever written.
	 */
	if (unified && (r == -EPIPE || r == -ENOSYS || r == -EPERM || r == -E2BIG || r == -EINVAL))
		r = attempt(g, false, ret_pid, ret_pidfd, &err);
	if (r == -ENOSPC && ctl_cpuset_fill(g, NULL) == 0)
		r = attempt(g, unified, ret_pid, ret_pidfd, &err);
	if (r < 0 && reterr)
		*reterr = err;
	return room_process(g, r, reterr);
}

int cgfs_group_spawn(struct cgfs_group *g, pid_t *ret_pid, int *ret_pidfd, struct cgfs_err *reterr)
{
	int r = check_writable(g->c, "spawn", reterr);

	if (r == 0)
		r = join_guard(g, reterr);
	if (r == 0)
		r = spawn(g, ret_pid, ret_pidfd, reterr);

	if (r == 0 && *ret_pid) /* not in the child */
		watch_joined(g);
	return r < 0 ? cgfs_err_context(reterr, r, "start a process in \"%.80s\"", g->rel) : 0;
}
