/* SPDX-License-Identifier: MIT */
/*
 * poweroff.c - the verb `poweroff`: end the machine of which the agent is process 1.
 */
#include "agent/podctl/verb/verb.h"

static const struct opt options[] = {
	{ "now", 0, NULL, opt_flag, offsetof(struct args, now),
	  "kill all processes at once instead of giving them time to end" },
	{ 0 },
};

static const struct opt *const tables[] = { options, opt_answer, NULL };

static int check(struct args *a, struct cgfs_err *reterr)
{
	/* Never the machine that podctl happens to be on. */
	if (!a->agent)
		return cgfs_err_set(reterr, -EINVAL, "poweroff", NULL, NULL,
				    "needs --agent ADDRESS, which says which machine");
	return 0;
}

static int power_off(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	int r = s->ops->power_off(s, a->now, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "power off the machine of %s", a->agent) : r;
}

const struct verb verb_poweroff = {
	.name = "poweroff",
	.operands = "",
	.summary = "Power off the machine of an agent",
	.text = "Processes get SIGTERM, and SIGKILL after 5 seconds; then the machine is powered "
		"off.\n"
		"An agent that is not process 1, and was started without -power-off, refuses.",
	.tables = tables,
	.check = check,
	.with = power_off,
};
