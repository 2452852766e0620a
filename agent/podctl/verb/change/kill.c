/* SPDX-License-Identifier: MIT */
/*
 * kill.c - the verb `kill`: a signal to every process of pods and containers.
 */
#include "agent/podctl/source/process.h"
#include "agent/podctl/verb/verb.h"

static const struct opt options[] = {
	{ "signal", 's', "SIGNAL", opt_signal, offsetof(struct args, signal),
	  "send this signal, by name or number (default: TERM)" },
	{ 0 },
};

static const struct opt *const tables[] = { options, opt_answer, NULL };

int kill_group(struct source *s, const struct target *t, int sig, struct cgfs_err *reterr)
{
	int r, sent = 0;
	struct group_info info;
	json_t *pid = NULL;
	size_t i;

	if (args_elsewhere(s->a))
		return cgfs_err_set(reterr, -EOPNOTSUPP, NULL, NULL, NULL,
				    "podctl does this in the agent's machine only, not over vsock");
	r = s->ops->stat(s, t, 0, &info, reterr);
	if (r < 0)
		return r;
	json_array_foreach(info.processes, i, pid)
	{
		r = process_signal((pid_t)json_integer_value(pid), info.path, sig);
		if (r < 0 && r != -ESRCH)
			break;
		sent += r == 0;
		r = 0;
	}
	if (r < 0)
		cgfs_err_set(reterr, r, "signal process", NULL, NULL, "%lld",
			     (long long)json_integer_value(pid));
	else if (!sent)
		r = cgfs_err_set(reterr, -ESRCH, NULL, NULL, NULL, "it has no process");
	info_free(&info);
	return r;
}

static int kill_target(struct source *s, const struct target *t, struct cgfs_err *reterr)
{
	return kill_group(s, t, s->a->signal ? s->a->signal : SIGTERM, reterr);
}

static int kill_verb(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct targets ts = { .op = "kill", .done = "signalled", .fn = kill_target };

	return targets_all(&ts, s, reterr);
}

const struct verb verb_kill = {
	.name = "kill",
	.operands = "POD[/CONTAINER]...",
	.summary = "Send a signal to every process of pods or containers",
	.text = "Sends the signal once to each process.  A process that starts in the meantime "
		"may\n"
		"not receive it.  The pod and its containers stay; `podctl rm` removes them.",
	.tables = tables,
	.min = 1,
	.max = -1,
	.with = kill_verb,
};
