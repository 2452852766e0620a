/* SPDX-License-Identifier: MIT */
/*
 * ls.c - the verb `ls`: all pods and containers, one line each.
 */
#include "agent/podctl/verb/verb.h"
#include "agent/wire/protocol.h"

static int set_state(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	if (!streq(value, "running") && !streq(value, "frozen") && !streq(value, "empty"))
		return cgfs_err_set(reterr, -EINVAL, what, NULL, value,
				    "must be running, frozen or empty");
	*(const char **)to = value;
	return 0;
}

static const struct opt options[] = {
	{ "columns", 'o', "LIST", opt_string, offsetof(struct args, columns),
	  "print these columns, separated by commas: name, pod,\n"
	  "container, state, labels, path, pid, pids, memory, limit, cpu,\n"
	  "denied, oom, and every figure of `podctl stat` by its name" },
	{ "sort", 0, "COLUMN", opt_string, offsetof(struct args, sort),
	  "sort by this column; -COLUMN sorts the highest first" },
	{ "state", 0, "STATE", set_state, offsetof(struct args, state),
	  "print only what is running, frozen or empty" },
	{ "quiet", 'q', NULL, opt_flag, offsetof(struct args, quiet),
	  "print names only: POD or POD/CONTAINER" },
	{ "no-headers", 0, NULL, opt_flag, offsetof(struct args, no_headers),
	  "omit the line of headings" },
	{ 0 },
};

static const struct opt *const tables[] = { options, label_filter_options, opt_answer, NULL };

static int choose(const struct args *a, struct columns *ret, struct cgfs_err *reterr)
{
	return columns_parse(ret,
			     a->quiet	  ? "name"
			     : a->columns ? a->columns
					  : "pod,container,state,pids,memory,limit,cpu,denied,oom",
			     a->sort, reterr);
}

static int check(struct args *a, struct cgfs_err *reterr)
{
	struct columns columns;
	int r = choose(a, &columns, reterr);

	if (r < 0)
		return r;
	if (a->json && (a->columns || a->sort || a->state || a->quiet || a->no_headers))
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL,
				    "--json does not go with the options of the table");
	return operands_check(a, reterr);
}

static void keep_state(struct group_list *l, const char *state)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (streq(info_state(&l->info[i]), state))
			l->info[n++] = l->info[i];
		else
			info_free(&l->info[i]);
	}
	l->n = n;
}

static int ls(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct group_list list = { 0 };
	struct columns columns;
	int r = choose(a, &columns, reterr);

	if (r == 0)
		r = operands_list(s,
				  columns.all_figures ? PROTOCOL_READ_FIGURES : PROTOCOL_READ_BRIEF,
				  &list, reterr);
	if (r == 0)
		list_keep_labels(&list, &a->labels);
	if (r == 0 && a->state)
		keep_state(&list, a->state);
	if (r == 0 && a->json)
		r = out_json(list_doc(&list), reterr);
	else if (r == 0)
		r = columns_print(&columns, &list, !a->no_headers && !a->quiet) < 0
			    ? no_memory(reterr)
			    : 0;
	list_free(&list);
	return r;
}

const struct verb verb_ls = {
	.name = "ls",
	.operands = "[POD[/CONTAINER]...]",
	.summary = "List pods and containers",
	.text = "A pod's line has the sums over its containers.  STATE is running, frozen or "
		"empty\n"
		"(no process).  PIDS counts processes and threads, DENIED denied device requests,\n"
		"OOM kills for lack of memory.  - marks a figure that this host does not provide.",
	.tables = tables,
	.max = -1,
	.check = check,
	.with = ls,
};
