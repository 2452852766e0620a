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
#include "controller/table.h"
#include "core.h"

#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* A child that has said nothing for so long may have been frozen. */
#define LOOK_MS 20

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
	return pid < 0 ? -errno : pid;
}

/*
 * The kernel refuses a fork over pids.max, but nobody who moves in; on v1 our child moves in.
 * So what clone3 does on cgroup2 is done by hand: one too many, and the child has to go.  What
 * it costs while there is no limit is one read each of two files that stay open.
 */
static bool pids_limited(struct cgfs_group *g, uint64_t *ret_max)
{
	struct cgfs_dir d = { g, g->c->place[CGFS_PIDS].hierarchy, NULL };
	char text[32];
	ssize_t n = dir_read_kept(&d, KEPT_PIDS_MAX, "pids.max", text, sizeof(text));

	return n > 0 && cgfs_parse_u64(text, (size_t)n, ret_max) == 0 && *ret_max != CGFS_MAX;
}

/* The limits of the container and of its pod. */
struct pids_limits {
	bool on;
	uint64_t max[2];
};

/* Before the fork, and all that takes memory with it: another thread may hold malloc()'s lock,
 * which the child of a bare clone3 then never gets. */
static void pids_prepare(struct cgfs_group *g, bool unified, struct pids_limits *ret)
{
	const struct place *p = &g->c->place[CGFS_PIDS];
	int fd;

	ret->on = p->version != CGFS_NONE && !(unified && p->hierarchy == g->c->unified);
	for (uint64_t *max = ret->max; ret->on && g; g = g->pod, max++) {
		if (!pids_limited(g, max) || group_dir(g, p->hierarchy, &fd, NULL) < 0)
			*max = CGFS_MAX;
	}
}

/* In the child, once it is counted.  Two that come at once may both be sent away, none stays. */
static int pids_check(struct cgfs_group *g, const struct pids_limits *limits, struct cgfs_err *err)
{
	for (const uint64_t *max = limits->max; limits->on && g; g = g->pod, max++) {
		struct cgfs_dir d = { g, g->c->place[CGFS_PIDS].hierarchy, NULL };
		uint64_t current;
		char text[32];
		ssize_t n;

		if (*max == CGFS_MAX)
			continue;
		n = dir_read(&d, "pids.current", text, sizeof(text), err);
		if (n < 0)
			return (int)n;
		if (cgfs_parse_u64(text, (size_t)n, &current) == 0 && current > *max)
			return dir_error(&d, -EAGAIN, "fork beyond", "pids.max", NULL, err);
	}
	return 0;
}

/* In the child: what the clone did not do.  @unified: it is in its cgroup2 directory already. */
static int enter(struct cgfs_group *g, bool unified, const struct pids_limits *limits,
		 struct cgfs_err *err)
{
	for (int i = 0; i < g->c->n; i++) {
		struct cgfs_dir d = { g, i, NULL };
		int r;

		if (i == g->c->unified && unified)
			continue;
		r = dir_write(&d, i == g->c->unified ? "cgroup.procs" : "tasks", "0", err);
		if (r < 0)
			return r;
	}
	return pids_check(g, limits, err);
}

/* Frozen, it does not come to say a word.  cgroup2 lets it die there; v1 does not, but once it is
 * outside. */
static int send_away(struct cgfs_group *g, pid_t pid, struct cgfs_err *err)
{
	const struct place *p = &g->c->place[CGFS_FREEZER];
	char text[16];

	kill(pid, SIGKILL);
	snprintf(text, sizeof(text), "%d", pid);
	if (p->version == CGFS_V1)
		(void)!fs_write_at(g->c, g->c->hierarchy[p->hierarchy].mount_fd, "tasks", text);
	return cgfs_err_set(err, -EBUSY, NULL, g->path, NULL, "it is frozen");
}

/* The child's word: nothing (the pipe closes at exec, or by it) or what went wrong. */
static int await_child(struct cgfs_group *g, int fd, pid_t pid, struct cgfs_err *ret)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;
	int ready;

	while ((ready = poll(&p, 1, LOOK_MS)) == 0 || (ready < 0 && errno == EINTR)) {
		if (ready == 0 && group_is_frozen(g))
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
		return cgfs_err_set(err, -errno, "pipe", NULL, NULL, NULL);
	pid = clone_into(into, &pidfd);
	if (pid == 0) {
		close(pipefd[0]);
		r = enter(g, unified, &limits, err);
		/* Whom nobody heard of does not run: the parent takes it for dead, and waits. */
		if (write(pipefd[1], err, r < 0 ? sizeof(*err) : 1) < 0 || r < 0)
			_exit(126);
		close(pipefd[1]);
		*ret_pid = 0;
		return 0;
	}
	close(pipefd[1]);
	r = pid < 0 ? cgfs_err_set(err, pid, "clone3 into", g->path, NULL, NULL)
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
		cgfs_err_set(err, r, NULL, g->path, NULL, "the child died before it had joined");
	return r;
}

static int spawn(struct cgfs_group *g, pid_t *ret_pid, int *ret_pidfd, struct cgfs_err *reterr)
{
	struct cgfs_err err = { 0 };
	bool unified = g->c->unified >= 0;
	int r, fd;

	if (g->is_pod || g->state != GROUP_LIVE)
		return cgfs_err_set(reterr, -EINVAL, NULL, g->path, NULL,
				    g->is_pod ? "processes live in containers, not in pods"
					      : "it is being removed");
	if (g->c->fs != cgfs_fs_kernel())
		return cgfs_err_set(reterr, -EOPNOTSUPP, NULL, g->path, NULL,
				    "not on a kernel, but on a simulated file system");
	for (int i = 0; i < g->c->n; i++) {
		r = group_dir(g, i, &fd, reterr);
		if (r < 0)
			return r;
	}
	r = attempt(g, unified, ret_pid, ret_pidfd, &err);
	/*
	 * Once more, by cgroup.procs: a seccomp filter may know no clone3, there is no
	 * CLONE_INTO_CGROUP before 5.7, and 6.18 kills whatever is cloned into a cgroup whose
	 * cgroup.kill was ever written.
	 */
	if (unified && (r == -EPIPE || r == -ENOSYS || r == -EPERM || r == -E2BIG || r == -EINVAL))
		r = attempt(g, false, ret_pid, ret_pidfd, &err);
	if (r < 0 && reterr)
		*reterr = err;
	return r;
}

int cgfs_group_spawn(struct cgfs_group *g, pid_t *ret_pid, int *ret_pidfd, struct cgfs_err *reterr)
{
	int r = spawn(g, ret_pid, ret_pidfd, reterr);

	if (r == 0 && *ret_pid) /* not in the child */
		watch_joined(g);
	return r < 0 ? cgfs_err_context(reterr, r, "start a process in \"%.80s\"", g->rel) : 0;
}
