/* SPDX-License-Identifier: MIT */
/*
 * rm.c - the verb `rm`: kill, wait, remove.  Each target, also when another fails.
 */
#include "agent/podctl/verb/verb.h"

static const struct opt options[] = {
	{ "all", 'a', NULL, opt_flag, offsetof(struct args, all), "remove every pod" },
	{ "timeout", 't', "SECONDS", opt_seconds, offsetof(struct args, timeout_ms),
	  "wait this long for processes to exit (default: 10), and for an\n"
	  "agent's answer (default: 30)" },
	{ 0 },
};

static const struct opt *const tables[] = { options, NULL };

/* Until a list has no pod that was not tried: some may be made meanwhile. */
static int every_pod(struct targets *ts, struct source *s, struct cgfs_err *reterr)
{
	const int rounds = 10;
	size_t left = 1;
	int r = 0;

	for (int i = 0; r == 0 && left; i++) {
		struct ids ids = { 0 };

		left = 0;
		r = s->ops->ids(s, &ids, reterr);
		for (size_t k = 0; r == 0 && k < ids.n; k++) {
			if (targets_failed(ts, ids.id[k]))
				continue;
			left++;
			if (i == rounds)
				r = cgfs_err_set(reterr, -EBUSY, "remove all pods", NULL, NULL,
						 "pods are left, because new ones are being made");
			else
				targets_add(ts, s, ids.id[k]);
		}
		ids_free(&ids);
	}
	return r;
}

static int check(struct args *a, struct cgfs_err *reterr)
{
	if (a->all == (a->argc > 0))
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL,
				    a->all ? "--all cannot be combined with POD"
					   : "POD is missing; --all removes every pod");
	if (a->timeout_ms != CGFS_MAX)
		a->answer_ms = a->timeout_ms < 1000 ? 1000 : a->timeout_ms;
	return 0;
}

static int rm(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct targets ts = { .op = "remove", .done = "removed", .fn = s->ops->remove };
	int r = a->all ? every_pod(&ts, s, reterr) : 0, status = targets_all(&ts, s, reterr);

	return r < 0 ? r : status;
}

const struct verb verb_rm = {
	.name = "rm",
	.operands = "POD[/CONTAINER]...",
	.summary = "Kill and remove pods or containers",
	.text = "Kills every process of the pod, and removes its cgroups from each hierarchy and\n"
		"its device policy.  If one target cannot be removed, the others still are, and "
		"the\n"
		"exit status is 1.",
	.tables = tables,
	.max = -1,
	.check = check,
	.use = SOURCE_WRITE,
	.with = rm,
};
