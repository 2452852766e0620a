/* SPDX-License-Identifier: MIT */
/*
 * inspect.c - the verb `inspect`: all that is known of pods and containers, as JSON.
 */
#include "agent/podctl/verb/verb.h"

static const struct opt *const tables[] = { opt_answer, NULL };

static int inspect(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct group_list list = { 0 };
	int r = operands_list(s, CGFS_READ_ALL, &list, reterr);

	if (r == 0)
		r = out_json(list_doc(&list), reterr);
	list_free(&list);
	return r;
}

const struct verb verb_inspect = {
	.name = "inspect",
	.operands = "POD[/CONTAINER]...",
	.summary = "Print all figures, limits and rules of pods or containers, as JSON",
	.text = "Prints the document of `ls --json` with every figure, limit, device rule and\n"
		"counter of the kernel.  A pod's object contains its containers.",
	.tables = tables,
	.min = 1,
	.max = -1,
	.check = operands_check,
	.with = inspect,
};
