/* SPDX-License-Identifier: MIT */
/*
 * info.c - what is known of pods and containers, and the JSON documents of it.  Knows neither an
 * agent nor cgroups.
 */
#include "agent/podctl/show/show.h"
#include "cgfs/base/json.h"

#include <stdio.h>

int info_name(struct group_info *g, const char *pod, const char *ctr, const char *path,
	      struct cgfs_err *reterr)
{
	g->pod = strdup(pod);
	g->ctr = strdup(ctr);
	g->path = strdup(path);
	return g->pod && g->ctr && g->path ? 0 : no_memory(reterr);
}

void info_free(struct group_info *g)
{
	free(g->pod);
	free(g->ctr);
	free(g->path);
	free(g->log);
	json_decref(g->labels);
	json_decref(g->processes);
	json_decref(g->shared);
	json_decref(g->doc);
	*g = (struct group_info){ 0 };
}

bool info_figure(const struct group_info *g, enum cgfs_stat stat, uint64_t *ret)
{
	return g->in_stats ? cgfs_stats_get(&g->stats, stat, ret) : doc_figure(g->doc, stat, ret);
}

bool info_oom_kills(const struct group_info *g, uint64_t *ret)
{
	return info_figure(g, CGFS_STAT_OOM_KILLS, ret) ||
	       info_figure(g, CGFS_STAT_MEMORY_EVENTS_OOM_KILL, ret);
}

const char *info_state(const struct group_info *g)
{
	uint64_t frozen, n;

	/* A frozen group without processes refuses new ones, so that is what the reader needs. */
	if (info_figure(g, CGFS_STAT_FROZEN, &frozen) && frozen)
		return "frozen";
	if (!g->processes)
		return info_figure(g, CGFS_STAT_PIDS_CURRENT, &n) && n ? "running" : "empty";
	return json_array_size(g->processes) ? "running" : "empty";
}

char *info_labels(const struct group_info *g, char *buf, size_t len)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	buf[0] = '\0';
	json_object_foreach(g->labels, name, value)
	{
		if (n < len)
			n += (size_t)snprintf(buf + n, len - n, "%s%s=%s", n ? "," : "", name,
					      json_string_value(value));
	}
	return buf;
}

json_t *info_doc(const struct group_info *g)
{
	auto_free char *text = NULL;
	json_t *stats;

	if (!g->in_stats)
		stats = json_incref(g->doc);
	else
		stats = cgfs_stats_json(&g->stats, &text) < 0
				? NULL
				: cgfs_json_load(text, strlen(text), 0, NULL);
	return json_pack("{s:s, s:s, s:o, s:I, s:s, s:o, s:o, s:O, s:o, s:o}", "id",
			 *g->ctr ? g->ctr : g->pod, "path", g->path, "labels",
			 g->labels ? json_incref(g->labels) : json_object(), "cgroup_id",
			 (json_int_t)g->cgroup_id, "state", info_state(g), "pid",
			 g->pid ? json_integer(g->pid) : json_null(), "exit_code",
			 g->exit_code < 0 ? json_null() : json_integer(g->exit_code), "processes",
			 g->processes, "shared_namespaces",
			 g->shared ? json_incref(g->shared) : json_array(), "stats", stats);
}

int list_name(struct group_list *l, const char *root, const char *layout, struct cgfs_err *reterr)
{
	if (l->root)
		return 0;
	l->root = strdup(root);
	l->layout = strdup(layout);
	return l->root && l->layout ? 0 : no_memory(reterr);
}

int list_add(struct group_list *l, struct group_info *g, struct cgfs_err *reterr)
{
	struct group_info *grown = l->info;

	/* Room for 1, 2, 4, 8 ...: it is full at each of them. */
	if (!(l->n & (l->n - 1)))
		grown = reallocarray(l->info, l->n ? 2 * l->n : 1, sizeof(*grown));
	if (!grown) {
		info_free(g);
		return no_memory(reterr);
	}
	l->info = grown;
	l->info[l->n++] = *g;
	*g = (struct group_info){ 0 };
	return 0;
}

void list_keep_labels(struct group_list *l, const struct labels *wanted)
{
	const json_t *of_pod = NULL;
	json_t *pods = NULL;
	const char *pod = "";
	auto_free char *copy = NULL;
	size_t n = 0;

	for (size_t i = 0; wanted->n && i < l->n; i++) {
		struct group_info *g = &l->info[i];

		/* A pod comes before its containers, and may have been taken out of the list. */
		if (!*g->ctr || !streq(pod, g->pod)) {
			json_decref(pods);
			pods = *g->ctr ? NULL : json_incref(g->labels);
			free(copy);
			copy = strdup(g->pod);
			pod = copy ? copy : "";
		}
		of_pod = *g->ctr ? pods : NULL;
		if (labels_match(wanted, g->labels, of_pod))
			l->info[n++] = *g;
		else
			info_free(g);
	}
	json_decref(pods);
	if (wanted->n)
		l->n = n;
}

void list_free(struct group_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		info_free(&l->info[i]);
	free(l->info);
	free(l->root);
	free(l->layout);
	*l = (struct group_list){ 0 };
}

json_t *list_doc(const struct group_list *l)
{
	json_t *pods = json_array(), *ctrs = NULL, *one;
	const char *pod = NULL;
	int bad = 0;

	for (size_t i = 0; !bad && i < l->n; i++) {
		one = info_doc(&l->info[i]);
		if (*l->info[i].ctr && pod && streq(pod, l->info[i].pod)) {
			bad |= json_array_append_new(ctrs, one);
			continue;
		}
		/* A container that is listed without its pod stands for itself. */
		pod = *l->info[i].ctr ? NULL : l->info[i].pod;
		if (pod) {
			ctrs = json_array();
			bad |= json_object_set_new(one, "containers", ctrs);
		}
		bad |= json_array_append_new(pods, one);
	}
	one = bad ? NULL
		  : json_pack("{s:s, s:s, s:O}", "root", l->root, "layout", l->layout, "pods",
			      pods);
	json_decref(pods);
	return one;
}
