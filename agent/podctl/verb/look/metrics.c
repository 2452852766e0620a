/* SPDX-License-Identifier: MIT */
/*
 * metrics.c - the verb `metrics`: the figures of pods and containers for a monitoring system.
 */
#include "agent/podctl/verb/verb.h"
#include "agent/wire/protocol.h"

static const struct opt *const tables[] = { label_filter_options, opt_answer, NULL };

static int check(struct args *a, struct cgfs_err *reterr)
{
	if (a->json)
		return cgfs_err_set(reterr, -EINVAL, "--json", NULL, NULL,
				    "metrics prints no JSON; `podctl inspect` has the figures");
	return operands_check(a, reterr);
}

/* Operands may name one twice, and a text with two samples of it is wrong. */
static void drop_doubles(struct group_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		bool twice = false;

		for (size_t k = 0; k < n && !twice; k++)
			twice = streq(l->info[k].path, l->info[i].path);
		if (twice)
			info_free(&l->info[i]);
		else
			l->info[n++] = l->info[i];
	}
	l->n = n;
}

static int metrics(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct group_list list = { 0 };
	int r = operands_list(s, PROTOCOL_READ_FIGURES, &list, reterr);

	list_keep_labels(&list, &a->labels);
	if (a->argc > 1)
		drop_doubles(&list);
	if (r == 0)
		metrics_print(&list);
	list_free(&list);
	return r;
}

const struct verb verb_metrics = {
	.name = "metrics",
	.operands = "[POD[/CONTAINER]...]",
	.summary = "Print all figures and limits as OpenMetrics text",
	.text = "A family for each figure of `podctl stat`, a sample for each pod "
		"(container=\"\",\n"
		"with the sums over its containers) and container.  Time is in seconds, memory\n"
		"in bytes, pressure a ratio from 0 to 1; +Inf is no limit.  Figures that this\n"
		"host does not provide are missing.",
	.tables = tables,
	.max = -1,
	.check = check,
	.with = metrics,
};
