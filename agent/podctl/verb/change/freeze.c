/* SPDX-License-Identifier: MIT */
/*
 * freeze.c - the verbs `freeze` and `thaw`: stop the processes of pods or containers, and let them
 * go on.
 */
#include "agent/podctl/verb/verb.h"

static const struct opt *const tables[] = { opt_answer, NULL };

static int freeze_target(struct source *s, const struct target *t, struct cgfs_err *reterr)
{
	return s->ops->freeze(s, t, true, reterr);
}

static int thaw_target(struct source *s, const struct target *t, struct cgfs_err *reterr)
{
	return s->ops->freeze(s, t, false, reterr);
}

static int freeze(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct targets ts = { .op = "freeze", .done = "frozen", .fn = freeze_target };

	return targets_all(&ts, s, reterr);
}

static int thaw(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct targets ts = { .op = "thaw", .done = "thawed", .fn = thaw_target };

	return targets_all(&ts, s, reterr);
}

const struct verb verb_freeze = {
	.name = "freeze",
	.operands = "POD[/CONTAINER]...",
	.summary = "Stop all processes of pods or containers",
	.text = "Waits until all processes have stopped.  If that takes more than 10 seconds, "
		"they\n"
		"are thawed and the exit status is 1.  Frozen processes use no CPU time and keep\n"
		"their memory until `podctl thaw`.  A frozen pod or container takes no new "
		"process.",
	.tables = tables,
	.min = 1,
	.max = -1,
	.use = SOURCE_WRITE,
	.with = freeze,
};

const struct verb verb_thaw = {
	.name = "thaw",
	.operands = "POD[/CONTAINER]...",
	.summary = "Resume frozen processes",
	.text = "A pod or container that is not frozen stays as it is.",
	.tables = tables,
	.min = 1,
	.max = -1,
	.use = SOURCE_WRITE,
	.with = thaw,
};
