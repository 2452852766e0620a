/* SPDX-License-Identifier: MIT */
/*
 * runtime_child.c - a run of the runtime from the fork to the exec: streams, mounts, arguments, and
 * the way into the container's cgroups.  Knows nothing of the loop; never returns.
 */
#include "agent/runtime/runtime_child.h"

#include <cgfs/cgfs.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/base/files.h"
#include "agent/runtime/namespaces.h"
#include "agent/runtime/runtime.h"
#include "cgfs/base/util.h"

static const char *const verbs[] = { "create", "start", "exec", "delete" };

/* The runtime's errors and ours come back in the same file. */
static void __attribute__((noreturn, format(printf, 2, 3)))
child_fail(const char *log, const char *fmt, ...)
{
	int saved = errno;
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	va_list ap;

	if (fd >= 0) {
		va_start(ap, fmt);
		vdprintf(fd, fmt, ap);
		va_end(ap);
		dprintf(fd, ": %s\n", strerror(saved));
	}
	_exit(125);
}

/* @null was opened by the agent: the container's own device list may not allow it. */
static void child_streams(const struct runtime_job *job, int null)
{
	int fds[3];

	/* First out of the way of 0, 1 and 2, then into place. */
	for (int i = 0; i < 3; i++) {
		fds[i] = fcntl(job->fds[i] >= 0 ? job->fds[i] : null, F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			child_fail(job->log, "stream %d", i);
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(fds[i], i) < 0)
			child_fail(job->log, "stream %d", i);
	}
}

static void hide_cgroup2(const struct runtime_how *how, const char *log)
{
	const struct cgfs_mounts *m = cgfs_mounts(how->cgfs);

	for (size_t i = 0; i < m->n; i++) {
		if (m->mount[i].version != CGFS_V2)
			continue;
		if (umount2(m->mount[i].path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
			child_fail(log, "hide %s", m->mount[i].path);
	}
}

static void child_namespaces(const struct runtime_job *job)
{
	char why[RUNTIME_WHY_MAX];
	int r = namespaces_make(job->namespaces, job->namespace_types, job->hostname, why);

	if (r < 0) {
		errno = -r;
		child_fail(job->log, "%s", why);
	}
}

static void child_mounts(const struct runtime_how *how, const struct runtime_job *job)
{
	int trees[RUNTIME_BINDS_MAX], r;
	char why[RUNTIME_WHY_MAX];
	const char *log = job->log;

	if (unshare(CLONE_NEWNS) < 0)
		child_fail(log, "mount namespace");
	r = stage_open(job, trees, why);
	if (r < 0) {
		errno = -r;
		child_fail(log, "%s", why);
	}
	/* What is mounted outside later still comes in; nothing goes out. */
	if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		child_fail(log, "mount propagation");
	if (how->hide_cgroup2)
		hide_cgroup2(how, log);
	if (job->n_binds > 0 && (r = stage_place(job, trees, why)) < 0) {
		errno = -r;
		child_fail(log, "%s", why);
	}
}

static void child_arguments(const struct runtime_how *how, const struct runtime_job *job,
			    const char **argv)
{
	*argv++ = how->path;
	/* runc: go on when cgroups refuse something, as the pod's device policy refuses what runc
	 * allows each container beyond OCI's list. */
	*argv++ = how->crun ? "--cgroup-manager=disabled" : "--rootless=true";
	*argv++ = "--root";
	*argv++ = how->root;
	*argv++ = "--log";
	*argv++ = job->log;
	*argv++ = verbs[job->verb];
	if (job->verb == RUNTIME_CREATE) {
		*argv++ = "--bundle";
		*argv++ = job->bundle;
		if (how->no_pivot)
			*argv++ = "--no-pivot";
	}
	if (job->verb == RUNTIME_EXEC) {
		*argv++ = "--detach";
		*argv++ = "--process";
		*argv++ = job->process;
	}
	if (job->console) {
		*argv++ = "--console-socket";
		*argv++ = job->console;
	}
	if (job->pid_file) {
		*argv++ = "--pid-file";
		*argv++ = job->pid_file;
	}
	if (job->verb == RUNTIME_DELETE)
		*argv++ = "--force";
	*argv++ = job->id;
	*argv = NULL;
}

void runtime_child(const struct runtime_how *how, const struct runtime_job *job)
{
	const char *argv[24];
	sigset_t none;

	/* A protection of the agent is not one of the containers. */
	files_set_oom_score(how->oom_score);
	files_restore_limit();
	child_streams(job, how->null);
	if (how->hide_cgroup2 || job->n_binds > 0)
		child_mounts(how, job);
	child_arguments(how, job, argv);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	/* The runtime gets its streams and nothing else. */
	close_on_exec_from(3);
	if (how->copy >= 0)
		(void)syscall(SYS_execveat, how->copy, "", argv, environ, AT_EMPTY_PATH);
	/* Where a kernel executes nothing that is not on a file system. */
	execv(how->path, (char **)argv);
	child_fail(job->log, "run %s", how->path);
}

/*
 * In a child of the agent: starts the runtime inside the container's cgroups, and ends as it ends.
 * The way in there can take as long as the container's limits say, which the agent's loop must not
 * wait for.
 */
void runtime_child_join(const struct runtime_how *how, const struct runtime_job *job)
{
	struct cgfs_err err = { 0 };
	int pidfd, status, r;
	pid_t pid;

	/* Before: in a cgroup that is frozen or has little time it would hold what others of the
	 * pod wait for. */
	if (job->namespaces)
		child_namespaces(job);
	r = cgfs_group_spawn(job->join, &pid, &pidfd, &err);
	if (r < 0) {
		int fd = open(job->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		if (fd >= 0)
			dprintf(fd, "%s\n", err.text);
		_exit(125);
	}
	if (pid == 0)
		runtime_child(how, job);
	/* Nothing of the agent's is held by a process that waits for a container. */
	for (int i = 0; i < 3; i++)
		close(i);
	(void)syscall(SYS_close_range, 3u, ~0u, 0u);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
