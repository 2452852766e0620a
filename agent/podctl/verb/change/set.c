/* SPDX-License-Identifier: MIT */
/*
 * set.c - the verb `set`: other limits for pods and containers that exist.
 */
#include "agent/podctl/verb/verb.h"

static const struct opt *const tables[] = { limits_options, opt_answer, NULL };

static int check(struct args *a, struct cgfs_err *reterr)
{
	if (!a->limits.res.set && !limits_has_devices(&a->limits))
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL, "no limit is given");
	return 0;
}

static int set(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct targets ts = { .op = "set limits of", .done = "set", .fn = s->ops->set };

	return targets_all(&ts, s, reterr);
}

const struct verb verb_set = {
	.name = "set",
	.operands = "POD[/CONTAINER]...",
	.summary = "Change limits of pods or containers",
	.text = "Writes the limits that are given; the others stay as they are.  All of them are\n"
		"written, or none.  Memory above a new limit is reclaimed first, and no process "
		"is\n"
		"killed for it.  With --device or --no-default-devices the new list replaces the\n"
		"old one; it is the list that `create` makes of the same options.",
	.tables = tables,
	.min = 1,
	.max = -1,
	.check = check,
	.use = SOURCE_WRITE | SOURCE_POLICY,
	.with = set,
};
