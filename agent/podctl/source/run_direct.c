/* SPDX-License-Identifier: MIT */
/*
 * run_direct.c - a command without an agent: the child is in its container before it becomes the
 * command, so that nothing of the command runs outside.
 */
#include "agent/podctl/source/direct.h"
#include "agent/podctl/source/keeper.h"
#include "agent/podctl/source/mark.h"
#include "agent/podctl/source/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define REMOVE_TIMEOUT_MS 10000

/* The groups that the source keeps open. */
enum { POD, CTR };

static int make_pod(struct direct_source *s, struct command *cmd, struct cgfs_group **ret,
		    struct cgfs_err *reterr)
{
	const struct cgfs_resources *own = &s->source.a->limits.res;
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	int r;

	res.set = own->set & CGFS_SET_DEVICES;
	res.devices = own->devices;
	res.n_devices = own->n_devices;

	r = cgfs_pod_open(s->d.c, cmd->target.pod, ret, reterr);
	if (r != -ENOENT)
		return r;
	r = cgfs_pod_create(s->d.c, cmd->target.pod, &res, ret, reterr);
	cmd->made_pod = r == 0;
	return r;
}

static int make(struct direct_source *s, struct command *cmd, struct cgfs_err *reterr)
{
	const struct args *a = s->source.a;
	struct cgfs_group *pod = NULL, *ctr = NULL;
	int r = make_pod(s, cmd, &pod, reterr);

	if (r == 0)
		r = direct_keep(s, pod, reterr);
	if (r < 0) {
		cgfs_group_close(pod);
		return r;
	}
	if (cmd->made_pod && !a->keep && (!a->detach || a->rm))
		ignore(mark_set(s->d.c, s->group[POD], MARK_RUN, ""));
	r = cgfs_container_create(s->d.c, pod, cmd->target.ctr, &a->limits.res, &ctr, reterr);
	if (r == 0)
		r = direct_keep(s, ctr, reterr);
	if (r < 0) {
		cgfs_group_close(ctr);
		return r;
	}
	r = mark_labels(s->d.c, ctr, a->labels.set, reterr);
	if (r < 0)
		return r;
	direct_unlock(&s->d);
	return 0;
}

/* What a child that cannot run the command reports to its parent. */
struct failure {
	int code; /* an errno */
	enum { FAIL_EXEC, FAIL_TERMINAL, FAIL_WORKDIR, FAIL_USER } at;
};

/* Streams, directory, variables and user of the command. */
static struct failure become(const struct args *a, const struct command *cmd, int null, int slave)
{
	const struct process_args *p = &a->process;

	if (a->tty && terminal_adopt(slave) < 0)
		return (struct failure){ errno, FAIL_TERMINAL };
	/* Keys send signals, also where podctl's caller ignores them. */
	for (int sig = 1; a->tty && sig < SIGRTMIN; sig++)
		(void)signal(sig, SIG_DFL);
	if (a->detach && !a->tty)
		setsid();
	for (int fd = 0; fd < 3 && !a->tty; fd++) {
		/* An added command gets standard input only with --interactive. */
		if (a->detach || (fd == 0 && cmd->added && !a->interactive))
			dup2(null, fd);
	}
	for (size_t i = 0; i < p->n_env; i++)
		putenv(p->env[i]);
	if (p->workdir && chdir(p->workdir) < 0)
		return (struct failure){ errno, FAIL_WORKDIR };
	if (p->user && (setgroups(0, NULL) < 0 || setgid(p->gid) < 0 || setuid(p->uid) < 0))
		return (struct failure){ errno, FAIL_USER };
	return (struct failure){ 0 };
}

/* @null and @slave were opened outside: the container may not open them. */
__attribute__((noreturn)) static void child(const struct args *a, const struct command *cmd,
					    int told, int null, int slave)
{
	struct failure why = become(a, cmd, null, slave);

	if (why.code) {
		ignore(write(told, &why, sizeof(why)));
		_exit(EXIT_RUN_FAILED);
	}
	sigprocmask(SIG_SETMASK, &cmd->old_mask, NULL);
	/* What podctl's own caller had open is not for the container. */
	close_on_exec_from(3);
	execvp(cmd->argv[0], cmd->argv);
	why.code = errno;
	ignore(write(told, &why, sizeof(why)));
	_exit(why.code == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* The exit status that a shell would show. */
static int shell_status(int wstatus)
{
	return WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
}

static int spawn(struct direct_source *s, struct command *cmd, struct cgfs_err *reterr)
{
	auto_fd int told_r = -EBADF, told_w = -EBADF, pidfd = -EBADF;
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC), slave = -EBADF;
	const struct args *a = s->source.a;
	const char *what;
	struct failure why = { 0 };
	int p[2], r, wstatus, master;

	if (pipe2(p, O_CLOEXEC) < 0)
		return cgfs_err_set(reterr, -errno, "pipe", NULL, NULL, NULL);
	told_r = p[0];
	told_w = p[1];

	if (null < 0)
		return err_file(reterr, -errno, "open", "/dev/null");
	if (a->tty) {
		r = terminal_pair(&master, &slave, reterr);
		if (r == 0) {
			cmd->terminal.left = a->detach;
			r = terminal_begin(&cmd->terminal, master,
					   !a->detach && (!cmd->added || a->interactive), reterr);
		}
		if (r < 0)
			return r;
	}
	r = cgfs_group_spawn(s->group[CTR], &cmd->pid, &pidfd, reterr);
	if (r < 0)
		return r;
	if (cmd->pid == 0)
		child(a, cmd, told_w, null, slave);
	cmd->terminal.pid = cmd->pid;
	cmd->terminal.cgroup_id = cmd->added ? 0 : cgfs_group_cgroup_id(s->group[CTR]);

	/* End of file is a successful exec: that closed the other end. */
	close(take_fd(&told_w));
	if (read(told_r, &why, sizeof(why)) != sizeof(why))
		return 0;
	if (waitpid(cmd->pid, &wstatus, 0) == cmd->pid)
		cmd->status = shell_status(wstatus);
	cmd->pid = 0;
	what = why.at == FAIL_TERMINAL	? "terminal"
	       : why.at == FAIL_WORKDIR ? a->process.workdir
	       : why.at == FAIL_USER	? a->process.user
					: cmd->argv[0];
	return cgfs_err_set(reterr, -why.code, NULL, NULL, NULL, "%s: %s", what,
			    strerror(why.code));
}

int direct_start(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	int r = make(direct_of(source), cmd, reterr), sig = 0;
	bool typed;

	if (r == 0)
		sig = command_signal(cmd, &typed);
	if (sig) {
		cmd->status = 128 + sig;
		return -EINTR;
	}
	return r < 0 ? r : spawn(direct_of(source), cmd, reterr);
}

/* The groups of a command that are there. */
static int find(struct direct_source *s, const struct command *cmd, struct cgfs_err *reterr)
{
	struct cgfs_group *pod, *ctr;
	int r = direct_group(&s->d, &cmd->target, &pod, &ctr, reterr);

	if (r < 0)
		return r;
	r = direct_keep(s, pod, reterr);
	if (r < 0) {
		cgfs_group_close(ctr);
		cgfs_group_close(pod);
		return r;
	}
	r = direct_keep(s, ctr, reterr);
	if (r < 0) {
		cgfs_group_close(ctr);
		return r;
	}
	direct_unlock(&s->d);
	return 0;
}

int direct_exec(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	int r = find(direct_of(source), cmd, reterr);

	return r < 0 ? r : spawn(direct_of(source), cmd, reterr);
}

int direct_follow(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	struct direct_source *s = direct_of(source);
	int r = find(s, cmd, reterr);

	if (r < 0)
		return r;
	cmd->attached = true;
	cmd->pidfd = process_open(cmd->pid, cgfs_group_path(s->group[CTR]));
	return cmd->pidfd < 0;
}

/* What came since.  Events of other pods are passed over. */
static void take_events(struct direct_source *s, struct command *cmd)
{
	json_t *event;

	while (source_direct.next_event(&s->source, 0, &event, NULL) == 1) {
		report_event(&cmd->report, event);
		json_decref(event);
	}
}

/* The counters, before the cgroups that hold them go. */
static void take_stats(struct direct_source *s, struct command *cmd)
{
	const unsigned int what = CGFS_READ_MEMORY | CGFS_READ_POLICY;
	struct group_info pod = { .in_stats = true }, ctr = { .in_stats = true };

	ignore(direct_info(s->d.c, s->group[CTR], what, &ctr, NULL));
	ignore(direct_info(s->d.c, s->group[POD], what, &pod, NULL));
	report_stats(&cmd->report, &ctr, &pod);
	info_free(&ctr);
	info_free(&pod);
}

/* Of one that is not podctl's child the status is not known. */
static bool is_running(struct command *cmd, int *ret_status)
{
	struct pollfd p = { .fd = cmd->pidfd, .events = POLLIN };

	if (!cmd->attached)
		return waitpid(cmd->pid, ret_status, WNOHANG) == 0;
	*ret_status = EXIT_OK << 8;
	return poll(&p, 1, 0) == 0;
}

int direct_await(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	struct direct_source *s = direct_of(source);
	struct pollfd fds[2 + TERMINAL_FDS + 1] = {
		{ .fd = cmd->sigfd, .events = POLLIN },
		{ .fd = cgfs_event_fd(s->d.c), .events = POLLIN },
	};
	int wstatus = EXIT_RUN_FAILED << 8, sig;
	bool typed;

	if (cmd->attached)
		fds[2 + TERMINAL_FDS] = (struct pollfd){ .fd = cmd->pidfd, .events = POLLIN };
	while (is_running(cmd, &wstatus)) {
		terminal_poll(&cmd->terminal, fds + 2);
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return cgfs_err_set(reterr, -errno, "poll", NULL, NULL, NULL);
		terminal_handle(&cmd->terminal, fds + 2);
		if (cmd->terminal.left) {
			cmd->status = EXIT_OK;
			return 0;
		}
		/* What the terminal sends, it has sent to the child as well. */
		while ((sig = command_signal(cmd, &typed))) {
			if (cmd->attached)
				(void)syscall(SYS_pidfd_send_signal, cmd->pidfd, sig, NULL, 0);
			else if (!typed || s->source.a->tty)
				kill(cmd->pid, sig);
		}
		take_events(s, cmd);
	}
	cmd->pid = 0;
	cmd->status = shell_status(wstatus);
	terminal_drain(&cmd->terminal);
	if (cmd->added)
		return 0;
	take_events(s, cmd);
	take_stats(s, cmd);
	return 0;
}

int direct_attach(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	struct group_info info;
	int master, r = source->ops->stat(source, &cmd->target, 0, &info, reterr);

	if (r < 0)
		return r;
	r = keeper_borrow(info.cgroup_id, &master, &cmd->terminal.loan, &cmd->pid, reterr);
	if (r == 0) {
		cmd->pidfd = process_open(cmd->pid, info.path);
		r = terminal_begin(&cmd->terminal, master, !source->a->no_stdin, reterr);
	}
	if (r == 0 && cmd->pidfd < 0)
		r = cgfs_err_set(reterr, -ESRCH, NULL, NULL, NULL, "its command has ended");
	info_free(&info);
	return r;
}

static int count_one(void *arg, const char *id)
{
	return 1;
}

int direct_unmake(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	struct direct_source *s = direct_of(source);
	int r = s->d.unlocked ? direct_lock(&s->d, reterr) : 0;

	if (r == 0 && s->n > CTR)
		r = cgfs_group_remove(s->group[CTR], CGFS_REMOVE_OPTS_WAIT(REMOVE_TIMEOUT_MS),
				      reterr);
	/* Another process may have put a container of its own into the pod meanwhile. */
	if (r == 0 && s->n > POD &&
	    (cmd->made_pod || mark_get(s->d.c, s->group[POD], MARK_RUN, NULL, 0) >= 0) &&
	    cgfs_container_list(s->group[POD], count_one, NULL, NULL) == 0)
		r = cgfs_group_remove(s->group[POD], CGFS_REMOVE_OPTS_WAIT(REMOVE_TIMEOUT_MS),
				      reterr);
	take_events(s, cmd);
	return r;
}
