/* SPDX-License-Identifier: MIT */
/*
 * agent_list.c - what an agent knows of pods and containers: all of them in pages, or one.
 */
#include "agent/podctl/source/agent.h"
#include "agent/wire/label.h"

/* The rest of the processes, which did not fit into the first answer. */
static int more_processes(struct client *c, const char *pod, const char *ctr, json_t *answer,
			  struct cgfs_err *reterr)
{
	json_t *list = json_object_get(answer, "Processes"), *next, *page = NULL;
	uint64_t after = 0, last;
	int r = 0;

	for (next = json_object_get(answer, "NextProcess"); next && r == 0;) {
		last = (uint64_t)json_integer_value(next);
		json_decref(page);
		page = NULL;
		if (last <= after)
			return cgfs_err_set(reterr, -EPROTO, NULL, NULL, NULL,
					    "the agent's list of processes is not complete");
		after = last;
		r = remote_call(
			c, MSG_EXT_POD_STATS, *ctr ? ctr : NULL,
			json_pack("{s:s, s:I}", "PodId", pod, "ProcessesAfter", (json_int_t)after),
			NULL, 0, &page, reterr);
		if (r < 0)
			break;
		json_array_extend(list, json_object_get(page, "Processes"));
		next = json_object_get(page, "NextProcess");
	}
	json_decref(page);
	return r;
}

/* One answer of PodStats, or an entry of ListPods; *ret is empty on failure. */
static int take_answer(const json_t *answer, const char *pod, const char *ctr,
		       struct group_info *ret, struct cgfs_err *reterr)
{
	const json_t *code = json_object_get(answer, "ExitCode");
	struct group_info info = { .exit_code = code ? json_integer_value(code) : -1 };
	uint64_t n;
	int r;

	info.doc = json_incref(json_object_get(answer, "Stats"));
	info.processes = json_incref(json_object_get(answer, "Processes"));
	info.shared = json_incref(json_object_get(answer, "SharedNamespaces"));
	if (json_object_size(json_object_get(answer, "Labels")) &&
	    labels_check(json_object_get(answer, "Labels"), NULL) == 0)
		info.labels = json_incref(json_object_get(answer, "Labels"));
	info.cgroup_id = doc_number(answer, "CgroupId");
	info.pid = (pid_t)doc_number(answer, "Pid");
	r = info_name(&info, pod, ctr, doc_string(answer, "CgroupPath"), reterr);
	if (r == 0 && *doc_string(answer, "LogPath")) {
		info.log = strdup(doc_string(answer, "LogPath"));
		r = info.log ? 0 : no_memory(reterr);
	}
	if (!json_is_object(info.doc) ||
	    (!json_is_array(info.processes) && !info_figure(&info, CGFS_STAT_PIDS_CURRENT, &n)))
		r = cgfs_err_set(reterr, -EPROTO, NULL, NULL, NULL,
				 "an answer has no Stats or no Processes");
	else if (json_is_true(json_object_get(answer, "Truncated")))
		r = cgfs_err_set(reterr, -EMSGSIZE, NULL, NULL, NULL,
				 "the figures do not fit into one message of the agent");
	if (r < 0) {
		info_free(&info);
		return r;
	}
	*ret = info;
	return 0;
}

int remote_describe(struct client *c, const char *pod, const char *ctr, bool all,
		    struct group_info *ret, struct cgfs_err *reterr)
{
	json_t *answer;
	int r = remote_call(c, MSG_EXT_POD_STATS, *ctr ? ctr : NULL,
			    json_pack("{s:s, s:b}", "PodId", pod, "All", all), NULL, 0, &answer,
			    reterr);

	if (r < 0)
		return r;
	r = more_processes(c, pod, ctr, answer, reterr);
	if (r == 0)
		r = take_answer(answer, pod, ctr, ret, reterr);
	json_decref(answer);
	return r;
}

/* Calls @fn with each page of ListPods, until it returns other than 0.  The first entry of a page
 * may be the rest of the last pod of the page before.  @pod: "", or that one alone; @figures: "",
 * or which of them are wanted. */
static int each_page(struct client *c, const char *pod, const char *figures,
		     int (*fn)(void *arg, json_t *page, struct cgfs_err *reterr), void *arg,
		     struct cgfs_err *reterr)
{
	json_t *page, *next = NULL, *pods, *body;
	int r;

	do {
		body = json_pack("{s:s, s:s}", "PodId", pod, "Figures", figures);
		if (body && next)
			json_object_set(body, "After", next);
		r = remote_call(c, MSG_EXT_LIST_PODS, NULL, body, NULL, 0, &page, reterr);
		if (r < 0)
			break;
		json_decref(next);
		next = json_incref(json_object_get(page, "Next"));
		pods = json_object_get(page, "Pods");
		if (!json_is_array(pods) || json_object_get(page, "Truncated") ||
		    (next && !json_array_size(pods)))
			r = cgfs_err_set(reterr, -EPROTO, NULL, NULL, NULL,
					 "the agent's list of pods is not complete");
		else
			r = fn(arg, page, reterr);
		json_decref(page);
	} while (r == 0 && next);
	json_decref(next);
	return r;
}

static int add_ids(void *arg, json_t *page, struct cgfs_err *reterr)
{
	struct ids *ids = arg;
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(page, "Pods"), i, entry)
	{
		const char *id = doc_string(entry, "Id");

		if (ids->n && streq(ids->id[ids->n - 1], id))
			continue;
		if (ids_add(ids, id) < 0)
			return no_memory(reterr);
	}
	return 0;
}

int agent_ids(struct source *s, struct ids *ret, struct cgfs_err *reterr)
{
	struct ids ids = { 0 };
	int r = each_page(agent_of(s)->c, "", "", add_ids, &ids, reterr);

	if (r < 0) {
		ids_free(&ids);
		return r;
	}
	*ret = ids;
	return 0;
}

struct listing {
	struct client *c;
	const struct target *only; /* NULL: all */
	const char *figures;	   /* those that entries have; "": none */
	bool all;		   /* figures, of PodStats */
	struct group_list *list;
	size_t from; /* what the list had before */
};

/* Adds one line: 1, or 0 when the pod or container is gone since it was listed.  @entry without
 * figures (an older agent, or they are too long for a list) is asked for by itself. */
static int add_info(struct listing *l, const char *pod, const char *ctr, json_t *entry,
		    struct cgfs_err *reterr)
{
	struct group_info info;
	int r;

	if (json_object_get(entry, "Stats")) {
		r = more_processes(l->c, pod, ctr, entry, reterr);
		if (r == 0)
			r = take_answer(entry, pod, ctr, &info, reterr);
	} else {
		r = remote_describe(l->c, pod, ctr, l->all, &info, reterr);
	}
	if (r < 0 && client_hresult(l->c) == HR_SYSTEM_NOT_FOUND)
		return 0;
	if (r == 0)
		r = list_add(l->list, &info, reterr);
	return r < 0 ? r : 1;
}

static int add_entry(struct listing *l, json_t *entry, struct cgfs_err *reterr)
{
	const char *pod = doc_string(entry, "Id");
	const struct group_list *list = l->list;
	json_t *ctrs = json_object_get(entry, "Containers"), *ctr;
	bool more = list->n > l->from && streq(list->info[list->n - 1].pod, pod);
	size_t i;
	int r;

	/* An older agent lists all of them. */
	if (l->only && !streq(l->only->pod, pod))
		return 0;
	/* A container without a pod is one entry, as it is one cgroup. */
	if (json_is_true(json_object_get(entry, "Standalone"))) {
		r = add_info(l, pod, "", json_array_get(ctrs, 0), reterr);
		return r < 0 ? r : 0;
	}
	r = more ? 1 : add_info(l, pod, "", entry, reterr);
	if (r != 1)
		return r;
	json_array_foreach(ctrs, i, ctr)
	{
		if (r >= 0)
			r = add_info(l, pod, doc_string(ctr, "Id"), ctr, reterr);
	}
	return r < 0 ? r : 0;
}

static int add_page(void *arg, json_t *page, struct cgfs_err *reterr)
{
	struct listing *l = arg;
	json_t *entry;
	size_t i;
	int r = list_name(l->list, doc_string(page, "Root"), doc_string(page, "Layout"), reterr);

	/* Of one container's page the names are all that is needed. */
	if (r == 0 && l->only && *l->only->ctr)
		return 1;
	json_array_foreach(json_object_get(page, "Pods"), i, entry)
	{
		if (r == 0)
			r = add_entry(l, entry, reterr);
	}
	return r;
}

/* PodStats knows brief figures and all of them. */
int agent_stat(struct source *s, const struct target *t, unsigned int what, struct group_info *ret,
	       struct cgfs_err *reterr)
{
	return remote_describe(agent_of(s)->c, t->pod, t->ctr,
			       what & ~(PROTOCOL_READ_BRIEF | CGFS_READ_USAGE), ret, reterr);
}

int agent_list(struct source *s, const struct target *only, unsigned int what,
	       struct group_list *list, struct cgfs_err *reterr)
{
	struct listing l = { .c = agent_of(s)->c, .only = only, .figures = "", .list = list };
	char names[PROTOCOL_FIGURES_MAX];
	struct group_info info;
	int r = 0;

	l.from = list->n;
	l.all = what & ~(PROTOCOL_READ_BRIEF | CGFS_READ_USAGE);
	if (what & CGFS_READ_USAGE && !(what & ~(PROTOCOL_READ_FIGURES | CGFS_READ_USAGE)))
		l.figures = protocol_figures_text(what, names);
	else if (!l.all)
		l.figures = "brief";
	else if (!(what & ~PROTOCOL_READ_FIGURES))
		l.figures = "all";
	if (!only || !*only->ctr)
		r = each_page(l.c, only ? only->pod : "", l.figures, add_page, &l, reterr);
	if (r < 0 || !only || list->n > l.from)
		return r < 0 ? r : 0;
	/* One container; or a pod that was not found, which PodStats says in words. */
	r = agent_stat(s, only, what, &info, reterr);
	if (r == 0)
		r = list_add(list, &info, reterr);
	if (r == 0 && !list->root)
		r = each_page(l.c, only->pod, "", add_page, &l, reterr);
	return r < 0 ? r : 0;
}
