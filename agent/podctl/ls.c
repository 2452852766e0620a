/* SPDX-License-Identifier: MIT */
/*
 * ls.c - the verb `ls`: all pods and containers, one line each.
 */
#include "podctl.h"
#include "remote.h"

#include <stdio.h>

static const struct opt *const tables[] = { opt_global, NULL };

#define LS_READS                                                                                   \
	(CGFS_READ_MEMORY | CGFS_READ_CPU | CGFS_READ_PIDS | CGFS_READ_POLICY | CGFS_READ_CGROUP)

static int pod_doc(struct direct *d, const char *id, json_t **ret, struct cgfs_err *reterr)
{
	struct cgfs_group *pod, *ctr;
	struct ids ids = { 0 };
	json_t *doc = NULL, *list = json_array(), *one;
	int r;

	r = cgfs_pod_open(d->c, id, &pod, reterr);
	if (r == 0) {
		r = direct_describe(pod, LS_READS, &doc, reterr);
		if (r == 0)
			r = direct_list(d, pod, &ids, reterr);
		for (size_t i = 0; r == 0 && i < ids.n; i++) {
			r = cgfs_container_open(d->c, pod, ids.id[i], &ctr, reterr);
			if (r == 0) {
				r = direct_describe(ctr, LS_READS, &one, reterr);
				cgfs_group_close(ctr);
			}
			if (r == 0)
				json_array_append_new(list, one);
			/* Gone since it was listed. */
			if (r == -ENOENT || r == -ENODEV)
				r = 0;
		}
		ids_free(&ids);
		cgfs_group_close(pod);
	}
	if (r == 0)
		r = json_object_set(doc, "containers", list) < 0 ? doc_no_memory(reterr) : 0;
	json_decref(list);
	if (r < 0) {
		json_decref(doc);
		return r;
	}
	*ret = doc;
	return 0;
}

static int direct(struct args *a, json_t **ret, struct cgfs_err *reterr)
{
	json_t *pods = json_array(), *one;
	struct ids ids = { 0 };
	struct direct d;
	int r;

	r = direct_open(a, DIRECT_READ, &d, reterr);
	if (r < 0) {
		json_decref(pods);
		return r;
	}
	r = direct_list(&d, NULL, &ids, reterr);
	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		r = pod_doc(&d, ids.id[i], &one, reterr);
		if (r == 0)
			json_array_append_new(pods, one);
		if (r == -ENOENT || r == -ENODEV)
			r = 0;
	}
	if (r == 0) {
		*ret = json_pack("{s:s, s:s, s:O}", "root", cgfs_root(d.c), "layout",
				 cgfs_layout_name(cgfs_layout(d.c)), "pods", pods);
		r = *ret ? 0 : doc_no_memory(reterr);
	}
	ids_free(&ids);
	json_decref(pods);
	direct_close(&d);
	return r;
}

static int remote(const char *agent, json_t **ret, struct cgfs_err *reterr)
{
	struct client *c;
	int r;

	r = remote_open(agent, &c, reterr);
	if (r < 0)
		return r;
	r = remote_list(c, ret, reterr);
	client_close(c);
	return r;
}

/* A figure as text, "-" when this host does not have it. */
static const char *figure(char *buf, const json_t *stats, enum cgfs_stat stat)
{
	uint64_t value;

	return doc_figure(stats, stat, &value) ? out_value(buf, cgfs_stat_unit(stat), value) : "-";
}

static void row(struct table *t, const json_t *group, const char *pod, const char *ctr)
{
	char pids[OUT_LEN], memory[OUT_LEN], max[OUT_LEN], cpu[OUT_LEN], denied[OUT_LEN],
		kills[OUT_LEN];
	const json_t *stats = json_object_get(group, "stats");
	uint64_t n;

	table_row(t, pod, ctr, doc_string(group, "state"),
		  figure(pids, stats, CGFS_STAT_PIDS_CURRENT),
		  figure(memory, stats, CGFS_STAT_MEMORY_CURRENT),
		  figure(max, stats, CGFS_STAT_MEMORY_MAX), figure(cpu, stats, CGFS_STAT_CPU_USAGE),
		  figure(denied, stats, CGFS_STAT_DEVICE_DENIED),
		  doc_oom_kills(stats, &n) ? out_value(kills, "count", n) : "-");
}

static int print(const json_t *doc)
{
	struct table t = { .cols = 9, .right = 0x1f8 };
	json_t *pod, *ctr;
	size_t i, j;

	table_row(&t, "POD", "CONTAINER", "STATE", "PIDS", "MEMORY", "LIMIT", "CPU", "DENIED",
		  "OOM");
	json_array_foreach(json_object_get(doc, "pods"), i, pod)
	{
		row(&t, pod, doc_string(pod, "id"), "");
		json_array_foreach(json_object_get(pod, "containers"), j, ctr)
			row(&t, ctr, doc_string(pod, "id"), doc_string(ctr, "id"));
	}
	return table_print(&t);
}

static int ls(struct args *a)
{
	const char *agent = args_agent(a);
	struct cgfs_err err = { 0 };
	json_t *doc = NULL;
	int r;

	r = agent ? remote(agent, &doc, &err) : direct(a, &doc, &err);
	if (r < 0) {
		out_error(a, &err);
		return EXIT_FAILED;
	}
	r = a->json ? out_json(doc) : print(doc);
	json_decref(doc);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_ls = {
	.name = "ls",
	.operands = "",
	.summary = "List pods and containers",
	.text = "A pod's line counts what its containers have together.  PIDS are processes and\n"
		"threads, DENIED are device requests, OOM are kills for lack of memory; - is what\n"
		"this host cannot tell.",
	.tables = tables,
	.max = 0,
	.run = ls,
};
