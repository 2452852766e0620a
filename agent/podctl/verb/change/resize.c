/* SPDX-License-Identifier: MIT */
/*
 * resize.c - the verb `resize`: the window of a terminal without a podctl.
 */
#include "agent/podctl/verb/verb.h"

static const struct opt *const tables[] = { opt_answer, NULL };

static int check(struct args *a, struct cgfs_err *reterr)
{
	static const char *const what[] = { "COLUMNS", "ROWS" };
	uint64_t n;
	int r = target_parse("resize", a->argv[0], &a->target, reterr);

	for (int i = 0; r == 0 && i < 2; i++) {
		r = value_count(what[i], a->argv[1 + i], &n, reterr);
		if (r == 0 && (!n || n > UINT16_MAX))
			r = err_value(reterr, -EINVAL, what[i], a->argv[1 + i], "not in 1..65535");
		if (r == 0)
			a->window[i] = (unsigned int)n;
	}
	return r;
}

static int resize(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct target t = a->target;
	int r = source_container(s, &t, false, reterr);

	if (r == 0)
		r = s->ops->resize(s, &t, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "resize \"%s\"", a->argv[0]) : r;
}

const struct verb verb_resize = {
	.name = "resize",
	.operands = "POD[/CONTAINER] COLUMNS ROWS",
	.summary = "Set the window of a detached container's terminal",
	.text = "While a podctl is attached, the window follows that podctl's own.",
	.tables = tables,
	.here = true,
	.min = 3,
	.max = 3,
	.check = check,
	.with = resize,
};
