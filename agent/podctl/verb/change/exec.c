/* SPDX-License-Identifier: MIT */
/*
 * exec.c - the verb `exec`: one more command in a container that is there.
 */
#include "agent/podctl/verb/verb.h"

#include <stdio.h>

static const struct opt options[] = {
	{ "detach", 'd', NULL, opt_flag, offsetof(struct args, detach),
	  "print the process id and do not wait" },
	{ 0 },
};

static const struct opt *const tables[] = { terminal_options, process_options, options,
					    opt_answer_long, NULL };

static int check(struct args *a, struct cgfs_err *reterr)
{
	/* "web -- sh" is "web sh". */
	if (a->argc > 1 && streq(a->argv[1], "--")) {
		memmove(a->argv + 1, a->argv + 2, sizeof(*a->argv) * (size_t)(a->argc - 1));
		a->argc--;
	}
	if (a->argc < 2)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL, "COMMAND is missing");
	if (a->detach && a->interactive)
		return cgfs_err_set(reterr, -EINVAL, "--interactive", NULL, NULL,
				    "does not go with --detach");
	return target_parse("exec in", a->argv[0], &a->target, reterr);
}

/* Prints its errors. */
static int execute(const struct args *a, struct source *s, struct command *cmd)
{
	struct cgfs_err err = { 0 };
	bool started;
	int r = source_container(s, &cmd->target, true, &err);

	if (r == 0)
		r = s->ops->exec(s, cmd, &err);
	started = r == 0;
	if (started && a->detach) {
		if (!a->json)
			printf("%d\n", (int)cmd->pid);
		else
			r = out_json(json_pack("{s:s, s:s, s:i}", "pod", cmd->target.pod,
					       "container", cmd->target.ctr, "pid", (int)cmd->pid),
				     &err);
		return r < 0 ? EXIT_RUN_FAILED : EXIT_OK;
	}
	if (started)
		r = s->ops->await(s, cmd, &err);
	terminal_end(&cmd->terminal);
	if (r < 0 && err.code) {
		cgfs_err_context(&err, r, "exec in \"%s\"", a->argv[0]);
		out_error(&err);
	}
	return r < 0 && started ? EXIT_RUN_FAILED : cmd->status;
}

static int exec_verb(struct args *a)
{
	struct command cmd = {
		.sigfd = -EBADF, .status = EXIT_RUN_FAILED, .added = true, .terminal = TERMINAL_INIT
	};
	struct cgfs_err err = { 0 };
	struct source *s = NULL;
	int status = EXIT_RUN_FAILED, r;

	cmd.target = a->target;
	cmd.argv = a->argv + 1;
	r = source_check(a, &err);
	if (r < 0) {
		out_usage(a, &err);
		return EXIT_RUN_FAILED;
	}
	r = command_begin(&cmd, a, &err);
	if (r == 0)
		r = source_open(a, SOURCE_WRITE, &s, &err);
	if (r == 0)
		status = execute(a, s, &cmd);
	else {
		source_explain(&err);
		out_error(&err);
	}
	command_end(&cmd);
	if (source_close(s, &err) < 0) {
		out_error(&err);
		status = EXIT_RUN_FAILED;
	}
	return status;
}

const struct verb verb_exec = {
	.name = "exec",
	.operands = "POD[/CONTAINER] COMMAND...",
	.summary = "Run another command in a container",
	.text = "COMMAND is in all cgroups of the container from its first instruction.  With an\n"
		"agent it also has the container's namespaces, root file system, variables and\n"
		"user.  If the pod has one container, POD alone names it.  Without -i standard\n"
		"input is empty.  When podctl is killed, the command continues.",
	.exits = "that of COMMAND, or 128+N when signal N ended it; 125 when podctl failed\n"
		 "or was used wrongly; 126 when COMMAND could not be executed; 127 when it was\n"
		 "not found",
	.own_125 = true,
	.tables = tables,
	.here = true,
	.min = 1,
	.max = -1,
	.command = true,
	.check = check,
	.run = exec_verb,
};
