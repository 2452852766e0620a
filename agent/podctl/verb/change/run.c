/* SPDX-License-Identifier: MIT */
/*
 * run.c - the verb `run`: one command in a container, its signals, and the report afterwards.
 */
#include "agent/podctl/verb/verb.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>

/* How often an agent that is gone is looked for, and how many times in vain; and how many times one
 * that is there is asked, which is killed or fails before the end. */
#define RETRY_MS    1000
#define ABSENT_MAX  600
#define REFUSED_MAX 60

static const struct opt options[] = {
	{ "pod", 0, "POD", opt_string, offsetof(struct args, pod),
	  "run in this pod; create it when it does not exist, and then\n"
	  "remove it with the last run" },
	{ "name", 'n', "CONTAINER", opt_string, offsetof(struct args, name),
	  "name the container (default: run-PID)" },
	{ "rootfs", 0, "DIR", opt_string, offsetof(struct args, rootfs),
	  "run on this root file system (required with an agent, and\nrefused without)" },
	{ "bundle-dir", 0, "DIR", opt_string, offsetof(struct args, bundle),
	  "let the agent keep the pod's bundles in DIR\n(default: /run/cgfs/bundles)" },
	{ "detach", 'd', NULL, opt_flag, offsetof(struct args, detach),
	  "print the process id and do not wait" },
	{ "rm", 0, NULL, opt_flag, offsetof(struct args, rm),
	  "remove the container when the command has ended, also with\n"
	  "--detach and after the detach keys (the default without them)" },
	{ "keep", 0, NULL, opt_flag, offsetof(struct args, keep),
	  "keep the container and the pod when the command has ended" },
	{ 0 },
};

static const struct opt *const tables[] = { options,	    container_options, hostname_options,
					    label_options,  process_options,   terminal_options,
					    limits_options, opt_answer_long,   NULL };

/* The process that podctl does not wait for. */
static int print_detached(const struct args *a, pid_t pid)
{
	if (!a->json) {
		printf("%d\n", (int)pid);
		return EXIT_OK;
	}
	return out_json(json_pack("{s:s, s:s, s:i}", "pod", a->pod, "container", a->name, "pid",
				  (int)pid),
			NULL) < 0
		       ? EXIT_RUN_FAILED
		       : EXIT_OK;
}

/* 0 when it is removed, or another process has removed it. */
static int follow(const struct args *a, struct command *cmd, bool *ret_found)
{
	struct cgfs_err err = { 0 };
	struct source *s = NULL;
	int r = source_open(a, SOURCE_WRITE | SOURCE_POLICY, &s, &err);

	*ret_found = r == 0;
	if (r == 0)
		r = s->ops->follow(s, cmd, &err);
	if (r == 0)
		r = s->ops->await(s, cmd, &err);
	if (r >= 0)
		r = s->ops->unmake(s, cmd, &err);
	if (cmd->attached && cmd->pidfd >= 0)
		close(take_fd(&cmd->pidfd));
	ignore(source_close(s, &err));
	return r == -ENOENT && *ret_found ? 0 : r;
}

/* A process of its own waits for the end of the command, and removes its container.  An agent may
 * be killed, and come back, meanwhile. */
static void remove_later(const struct args *a, const struct command *was)
{
	struct command cmd = { .sigfd = -EBADF,
			       .target = was->target,
			       .pid = was->pid,
			       .made_pod = was->made_pod,
			       .added = true,
			       .terminal = TERMINAL_INIT };
	int null, absent = 0, refused = 0;
	bool found;

	switch (fork()) {
	case -1:
		out_note("%s/%s stays until `podctl rm`: fork: %m", a->pod, a->name);
		return;
	case 0:
		break;
	default:
		return;
	}
	setsid();
	ignore(chdir("/"));
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	(void)syscall(SYS_close_range, 3u, ~0u, 0u);
	while (follow(a, &cmd, &found) < 0 && absent < ABSENT_MAX && refused < REFUSED_MAX) {
		refused += found;
		absent = found ? 0 : absent + 1;
		poll(NULL, 0, RETRY_MS);
	}
	_exit(EXIT_OK);
}

/* Prints its errors.  *ret_ran: the command has run to its end. */
static int execute(const struct args *a, struct source *s, struct command *cmd, bool *ret_ran)
{
	struct cgfs_err err = { 0 };
	int r = s->ops->start(s, cmd, &err);
	bool started = r == 0;

	/* With an agent the process may be there although its terminal is not. */
	if (started && a->detach) {
		if (a->rm)
			remove_later(a, cmd);
		return print_detached(a, cmd->pid);
	}
	if (started)
		r = s->ops->await(s, cmd, &err);
	if (cmd->terminal.left) {
		terminal_end(&cmd->terminal);
		if (a->rm)
			remove_later(a, cmd);
		out_note("%s/%s goes on: `podctl attach` goes back to it, %s", a->pod, a->name,
			 a->rm ? "and its end removes it" : "`podctl rm` removes it");
		return EXIT_OK;
	}
	*ret_ran = r == 0;
	/* Sentences are for a terminal that is as it was. */
	terminal_end(&cmd->terminal);
	if (r < 0 && err.code)
		out_error(&err);
	if ((!a->keep || r < 0) && s->ops->unmake(s, cmd, &err) < 0) {
		out_error(&err);
		return EXIT_RUN_FAILED;
	}
	return r < 0 && started ? EXIT_RUN_FAILED : cmd->status;
}

static int check(struct args *a, struct cgfs_err *reterr)
{
	static char name[32];
	int r;

	a->command = a->argv;
	if (a->rm && a->keep)
		return cgfs_err_set(reterr, -EINVAL, "--rm", NULL, NULL,
				    "cannot be combined with --keep");
	if (a->detach && a->interactive && !a->tty)
		return cgfs_err_set(reterr, -EINVAL, "--interactive", NULL, NULL,
				    "does not go with --detach, but for --tty: no process would "
				    "supply the input");
	if (!a->pod)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL, "--pod is missing");
	if (!a->argc && !a->oci_bundle)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL, "COMMAND is missing");
	if (!a->name) {
		snprintf(name, sizeof(name), "run-%d", (int)getpid());
		a->name = name;
	}
	r = source_check(a, reterr);
	if (r < 0)
		return r;
	r = cgfs_id_check(a->pod, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "run --pod")
		     : target_set(&a->target, a->pod, a->name, reterr);
}

static int run(struct args *a)
{
	struct command cmd = { .sigfd = -EBADF,
			       .status = EXIT_RUN_FAILED,
			       .terminal = TERMINAL_INIT };
	struct cgfs_err err = { 0 };
	struct source *s = NULL;
	int status = EXIT_RUN_FAILED, r;
	bool ran = false;

	cmd.target = a->target;
	cmd.argv = a->argv;
	cmd.report.pod = a->pod;
	cmd.report.ctr = a->name;

	r = command_begin(&cmd, a, &err);
	if (r == 0)
		r = source_open(a, SOURCE_WRITE | SOURCE_POLICY | SOURCE_EVENTS, &s, &err);
	if (r == 0)
		status = execute(a, s, &cmd, &ran);
	else {
		source_explain(&err);
		out_error(&err);
	}
	if (source_close(s, &err) < 0) {
		out_error(&err);
		status = EXIT_RUN_FAILED;
	}
	if (ran)
		report_print(a, &cmd.report, status);
	command_end(&cmd);
	return status;
}

const struct verb verb_run = {
	.name = "run",
	.operands = "--pod POD [--] COMMAND...",
	.summary = "Run a command in a container",
	.text = "Creates the container with the given limits, runs COMMAND in it, waits, and\n"
		"removes the container.  Without an agent, COMMAND is an ordinary process of this\n"
		"machine, bound by the limits and device policies of its pod and its container.\n"
		"With an agent, an OCI runtime runs it on the root file system of --rootfs.  The\n"
		"limits apply to the container.  If podctl creates the pod, the pod gets the same\n"
		"device policy and no limits.  OOM kills and denied devices are reported on\n"
		"stderr; with --json as one line of JSON.",
	.tables = tables,
	.min = 0,
	.max = -1,
	.command = true,
	.exits = "that of COMMAND, or 128+N when signal N ended it; 125 when podctl failed\n"
		 "or was used wrongly; 126 when COMMAND could not be executed; 127 when it was\n"
		 "not found",
	.own_125 = true,
	.check = check,
	.run = run,
};
