/* SPDX-License-Identifier: MIT */
/*
 * run_direct.c - `run` without an agent: the child is in its container before it becomes the
 * command, so that nothing of the command runs outside.
 */
#include "podctl.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define REMOVE_TIMEOUT_MS 10000

static const int forwarded[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };

struct run {
	struct args *a;
	struct direct d;
	struct cgfs_group *pod, *ctr;
	bool made_pod;
	int sigfd;
	sigset_t old_mask;
	pid_t pid;
	struct report report;
};

static int signals_take(struct run *run, struct cgfs_err *reterr)
{
	sigset_t mask;

	/* Ignored by whoever started us, there would be nothing to wait for. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
		sigaddset(&mask, forwarded[i]);
	sigprocmask(SIG_BLOCK, &mask, &run->old_mask);
	run->sigfd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->sigfd < 0 ? cgfs_err_set(reterr, -errno, "signalfd", NULL, NULL, NULL) : 0;
}

/* A pod that a run made goes with the last run in it, whichever that is: it carries a mark, which
 * is an attribute of its directory and no file.  Without the privilege for the first name the
 * second may do; without either the maker alone removes it. */
static const char *const marks[] = { "trusted.cgfs.run", "user.cgfs.run" };

static bool pod_mark(const struct run *run, bool set)
{
	const struct cgfs_mounts *m = cgfs_mounts(run->d.c);
	char path[512];

	for (size_t i = 0; i < m->n * ARRAY_SIZE(marks); i++) {
		const char *name = marks[i % ARRAY_SIZE(marks)];

		snprintf(path, sizeof(path), "%s%s", m->mount[i / ARRAY_SIZE(marks)].path,
			 cgfs_group_path(run->pod));
		if (set ? setxattr(path, name, "", 0, 0) == 0 : getxattr(path, name, NULL, 0) >= 0)
			return true;
	}
	return false;
}

static int make(struct run *run, struct cgfs_err *reterr)
{
	struct cgfs_resources of_pod = CGFS_RESOURCES_INIT, own = run->a->limits.res;
	struct args *a = run->a;
	int r;

	of_pod.set = own.set & CGFS_SET_DEVICES;
	of_pod.devices = own.devices;
	of_pod.n_devices = own.n_devices;

	r = direct_open(a, DIRECT_RUN, &run->d, reterr);
	if (r < 0)
		return r;
	r = cgfs_pod_open(run->d.c, a->pod, &run->pod, NULL);
	if (r == -ENOENT) {
		r = cgfs_pod_create(run->d.c, a->pod, &of_pod, &run->pod, reterr);
		run->made_pod = r == 0;
		if (r == 0 && !a->keep && !a->detach)
			(void)pod_mark(run, true);
	} else if (r < 0) {
		r = cgfs_pod_open(run->d.c, a->pod, &run->pod, reterr);
	}
	if (r == 0)
		r = cgfs_container_create(run->d.c, run->pod, a->name, &own, &run->ctr, reterr);
	if (r == 0)
		direct_unlock(&run->d);
	return r;
}

__attribute__((noreturn)) static void child(const struct run *run, int told)
{
	char **argv = run->a->argv;
	int err, null;

	if (run->a->detach) {
		setsid();
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int fd = 0; null >= 0 && fd < 3; fd++)
			dup2(null, fd);
	}
	sigprocmask(SIG_SETMASK, &run->old_mask, NULL);
	/* What podctl's own caller had open is not for the container. */
	(void)!close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	execvp(argv[0], argv);
	err = errno;
	(void)!write(told, &err, sizeof(err));
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* *ret_exec is the errno of a command that could not be executed, else 0. */
static int spawn(struct run *run, int *ret_exec, struct cgfs_err *reterr)
{
	auto_fd int told_r = -EBADF, told_w = -EBADF, pidfd = -EBADF;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC) < 0)
		return cgfs_err_set(reterr, -errno, "pipe", NULL, NULL, NULL);
	told_r = p[0];
	told_w = p[1];

	r = cgfs_group_spawn(run->ctr, &run->pid, &pidfd, reterr);
	if (r < 0)
		return r;
	if (run->pid == 0)
		child(run, told_w);

	/* End of file is a successful exec: that closed the other end. */
	close(take_fd(&told_w));
	*ret_exec = 0;
	if (read(told_r, ret_exec, sizeof(*ret_exec)) != sizeof(*ret_exec))
		*ret_exec = 0;
	return 0;
}

/* What came since.  Events of other pods are passed over. */
static void take_events(struct run *run)
{
	struct cgfs_event event;
	json_t *doc;

	while (cgfs_event_read(run->d.c, &event, NULL) == 1) {
		if (doc_event(&event, &doc) == 0) {
			report_event(&run->report, doc);
			json_decref(doc);
		}
	}
}

/* Returns a signal that ends podctl and came before there was a child, or 0. */
static int take_signals(struct run *run)
{
	struct signalfd_siginfo si;
	int last = 0;

	while (read(run->sigfd, &si, sizeof(si)) == sizeof(si)) {
		int sig = (int)si.ssi_signo;

		if (sig == SIGCHLD || sig == SIGWINCH)
			continue;
		last = sig;
		/* What the terminal sends, it has sent to the child as well. */
		if (run->pid > 0 && si.ssi_code <= 0)
			kill(run->pid, sig);
	}
	return last;
}

static int wait_child(struct run *run)
{
	struct pollfd fds[] = {
		{ .fd = run->sigfd, .events = POLLIN },
		{ .fd = cgfs_event_fd(run->d.c), .events = POLLIN },
	};
	int wstatus = EXIT_RUN_FAILED << 8;

	while (waitpid(run->pid, &wstatus, WNOHANG) == 0) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			break;
		take_signals(run);
		take_events(run);
	}
	run->pid = 0;
	return run_status(wstatus);
}

/* The counters, before the cgroups that hold them go. */
static void take_stats(struct run *run)
{
	json_t *ctr = NULL, *pod = NULL;
	struct cgfs_stats stats;
	const unsigned int what = CGFS_READ_MEMORY | CGFS_READ_POLICY;

	if (cgfs_group_stats(run->ctr, what, &stats, NULL) == 0)
		(void)!doc_stats(&stats, &ctr);
	if (cgfs_group_stats(run->pod, what, &stats, NULL) == 0)
		(void)!doc_stats(&stats, &pod);
	report_stats(&run->report, ctr, pod);
	json_decref(ctr);
	json_decref(pod);
}

static int count_one(void *arg, const char *id)
{
	(void)arg;
	(void)id;
	return 1;
}

/* Removes what make() made, as far as it came. */
static int unmake(struct run *run, struct cgfs_err *reterr)
{
	int r = 0;

	if (!run->d.c)
		return 0;
	if (run->d.lock < 0)
		r = direct_lock(&run->d, reterr);
	if (r == 0 && run->ctr)
		r = cgfs_group_destroy(run->ctr, REMOVE_TIMEOUT_MS, reterr);
	/* Somebody may have put a container of his own into the pod meanwhile. */
	if (r == 0 && run->pod && (run->made_pod || pod_mark(run, false)) &&
	    cgfs_container_list(run->pod, count_one, NULL, NULL) == 0) {
		r = cgfs_group_destroy(run->pod, REMOVE_TIMEOUT_MS, reterr);
		if (r == 0)
			r = direct_tidy(run->a, &run->d, reterr);
	} else if (r == 0 && !run->pod) {
		r = direct_tidy(run->a, &run->d, reterr);
	}
	return r;
}

static void close_all(struct run *run)
{
	cgfs_group_close(run->ctr);
	cgfs_group_close(run->pod);
	if (run->d.c)
		direct_close(&run->d);
	if (run->sigfd >= 0)
		close(run->sigfd);
	json_decref(run->report.events);
}

int run_direct(struct args *a)
{
	struct run run = { .a = a, .sigfd = -EBADF, .d.lock = -EBADF };
	struct cgfs_err err = { 0 };
	int status = EXIT_RUN_FAILED, exec_errno = 0, r, sig;
	bool ran = false;

	run.report.pod = a->pod;
	run.report.ctr = a->name;

	r = signals_take(&run, &err);
	if (r == 0)
		r = make(&run, &err);
	sig = r == 0 ? take_signals(&run) : 0;
	if (r == 0 && !sig)
		r = spawn(&run, &exec_errno, &err);
	if (r < 0)
		out_error(a, &err);

	if (r == 0 && sig) {
		status = 128 + sig;
	} else if (r == 0 && a->detach && !exec_errno) {
		status = run_detached(a, run.pid);
		close_all(&run);
		return status;
	} else if (r == 0) {
		status = wait_child(&run);
		ran = !exec_errno;
		take_events(&run);
		take_stats(&run);
	}
	if (exec_errno)
		out_note("%s: %s", a->argv[0], strerror(exec_errno));

	if (!a->keep || r < 0 || sig || exec_errno) {
		r = unmake(&run, &err);
		if (r < 0) {
			out_error(a, &err);
			status = EXIT_RUN_FAILED;
		}
	}
	if (run.d.c)
		take_events(&run);
	if (ran)
		report_print(a, &run.report, status);
	close_all(&run);
	return status;
}
