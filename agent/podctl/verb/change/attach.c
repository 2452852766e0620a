/* SPDX-License-Identifier: MIT */
/*
 * attach.c - the verb `attach`: back to the first command of a container that runs without a
 * podctl.
 */
#include "agent/podctl/verb/verb.h"

#include <stdio.h>

static const struct opt options[] = {
	{ "detach-keys", 0, "KEYS", opt_string, offsetof(struct args, detach_keys),
	  "leave the command running when these keys are typed\n"
	  "(default: ctrl-p,ctrl-q)" },
	{ "no-stdin", 0, NULL, opt_flag, offsetof(struct args, no_stdin),
	  "do not pass on what is typed" },
	{ 0 },
};

static const struct opt *const tables[] = { options, opt_answer_long, NULL };

static int check(struct args *a, struct cgfs_err *reterr)
{
	return target_parse("attach to", a->argv[0], &a->target, reterr);
}

static int attach(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct command cmd = { .sigfd = -EBADF,
			       .status = EXIT_RUN_FAILED,
			       .attached = true,
			       .added = true,
			       .pidfd = -EBADF,
			       .terminal = TERMINAL_INIT };
	int r;

	cmd.target = a->target;
	r = command_begin(&cmd, a, reterr);
	if (r == 0)
		r = source_container(s, &cmd.target, false, reterr);
	if (r == 0)
		r = s->ops->attach(s, &cmd, reterr);
	if (r == 0)
		r = s->ops->await(s, &cmd, reterr);
	command_end(&cmd);
	return r < 0 ? cgfs_err_context(reterr, r, "attach to \"%s\"", a->argv[0]) : cmd.status;
}

const struct verb verb_attach = {
	.name = "attach",
	.operands = "POD[/CONTAINER]",
	.summary = "Go back to the command of a detached container",
	.text = "A command with a terminal (`run -dt`, or `run -it` left by its detach keys)\n"
		"receives what is typed, and its window has the size of podctl's; one podctl at a\n"
		"time has the terminal.  Of a command without a terminal (`run -d`, `create`),\n"
		"which needs an agent, podctl prints the output from now on.  Signals are passed\n"
		"on to the command, ^C among them; the detach keys leave it running.",
	.exits = "that of the command, or 128+N when signal N ended it; 0 without an agent,\n"
		 "since only an agent knows it, and after the detach keys; 125 when podctl\n"
		 "failed or was used wrongly",
	.own_125 = true,
	.here = true,
	.tables = tables,
	.min = 1,
	.max = 1,
	.check = check,
	.with = attach,
};
