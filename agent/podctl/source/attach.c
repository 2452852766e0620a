/* SPDX-License-Identifier: MIT */
/*
 * attach.c - connects podctl to the first process of a container that an agent runs: borrows the
 * terminal from the keeper, or reads the output that the agent keeps.
 */
#include "agent/podctl/source/agent.h"
#include "agent/podctl/source/keeper.h"
#include "agent/podctl/source/log.h"

#include <stdio.h>

int attach_print(struct command *cmd, struct cgfs_err *reterr)
{
	struct log_record l;
	const char *text;
	ssize_t n;
	size_t len;

	log_seen(cmd->log);
	n = log_more(cmd->log, &text, reterr);
	if (n < 0)
		return (int)n;
	len = (size_t)n;
	while (log_next(&text, &len, &l)) {
		FILE *f = l.error ? stderr : stdout;

		/* Both may be one file: in the order in which they were printed. */
		if (l.error)
			fflush(stdout);
		fwrite(l.text, 1, l.len, f);
		if (!l.partial)
			fputc('\n', f);
	}
	fflush(stdout);
	return 0;
}

/* What comes from now on. */
static int follow(struct command *cmd, const struct group_info *info, struct cgfs_err *reterr)
{
	const char *text;
	ssize_t n;
	int r;

	if (!info->log)
		return cgfs_err_set(reterr, -ENOENT, NULL, NULL, NULL,
				    "its terminal and its output are not kept; an agent keeps the "
				    "output of `run --detach` and `create`");
	r = log_open(info->log, &cmd->log, reterr);
	if (r < 0)
		return r;
	n = log_more(cmd->log, &text, reterr);
	return n < 0 ? (int)n : terminal_watch(&cmd->terminal, reterr);
}

int agent_attach(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	struct agent_source *s = agent_of(source);
	struct cgfs_err none = { 0 };
	struct group_info info;
	int master, r = remote_open(source->a, &s->waiter, reterr);
	pid_t pid;

	if (r == 0)
		r = source->ops->stat(source, &cmd->target, 0, &info, reterr);
	if (r < 0)
		return r;
	cmd->pid = info.pid;
	if (!info.pid || info.exit_code >= 0) {
		r = cgfs_err_set(reterr, -ESRCH, NULL, NULL, NULL, "its command has ended");
	} else {
		r = keeper_borrow(info.cgroup_id, &master, &cmd->terminal.loan, &pid, &none);
		if (r == 0)
			r = terminal_begin(&cmd->terminal, master, !source->a->no_stdin, reterr);
		else if (r == -ENOENT)
			r = follow(cmd, &info, reterr);
		else if (reterr)
			*reterr = none;
	}
	info_free(&info);
	return r;
}

int agent_resize(struct source *source, const struct target *t, struct cgfs_err *reterr)
{
	const unsigned int *window = source->a->window;
	struct group_info info;
	int r = source->ops->stat(source, t, 0, &info, reterr);

	if (r < 0)
		return r;
	r = keeper_resize(info.cgroup_id, window[0], window[1], reterr);
	/* The terminal may be one that the agent holds for the host. */
	if (r == -ENOENT && info.pid &&
	    remote_call(agent_of(source)->c, MSG_RESIZE_CONSOLE, t->ctr,
			json_pack("{s:I, s:i, s:i}", "ProcessId", (json_int_t)info.pid, "Width",
				  (int)window[0], "Height", (int)window[1]),
			NULL, 0, NULL, NULL) == 0)
		r = 0;
	info_free(&info);
	return r;
}
