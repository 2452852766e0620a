/* SPDX-License-Identifier: MIT */
/*
 * extension_list.c - ListPods: pods and containers in the order of their ids, one page for each
 * request, with their figures if they are wanted.  A page is filled until the next entry would not
 * fit into a message, or its time is over; its `Next` is then the place to go on from, "POD" or
 * "POD/CONTAINER".  Nothing is kept between two pages.
 */
#include <cgfs/cgfs.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/hash.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/service/describe.h"
#include "agent/service/message.h"
#include "agent/service/reading.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"

/* Other connections are served between two pages. */
#define PAGE_NS	      (8 * 1000000ull)
/* No page has more. */
#define PAGE_ENTRIES  1024
#define PAGE_FIGURES  128   /* entries with figures, which are some 500 bytes each */
#define PAGE_LEAST    4	    /* however long they take */
#define FIGURES_MAX   16384 /* of one pod or container, in bytes; PodStats sends longer ones */
#define PROCESSES_MAX 4096  /* likewise; PodStats sends the rest */

struct page {
	struct agent *a;
	const struct list_query *q;
	struct json_out *o; /* its array Pods is open */
	size_t room, entries;
	uint64_t until_ns;
	char next[2 * CGFS_ID_MAX + 2]; /* the last entry on the page */
	bool full, failed;		/* out of memory */
};

/* A pod, or a container that is in none. */
struct entry {
	const char *id;
	const struct pod *pod;
	const struct container *c;
};

static int compare_containers(const void *a, const void *b)
{
	return strcmp((*(const struct container *const *)a)->id,
		      (*(const struct container *const *)b)->id);
}

/* --- one entry ------------------------------------------------------------------------------ */

/* CgroupId, Processes and Stats; none of them when they cannot be read, are too long or take too
 * long, and the client asks PodStats then. */
static void put_figures(struct json_out *o, const struct page *p, struct cgfs_group *g)
{
	struct cgfs_stats figures = CGFS_STATS_INIT;
	auto_free char *text = NULL;
	struct pids pids = { 0 };
	bool number;

	if (!p->q->figures || !g || cgfs_group_stats(g, p->q->figures, &figures, NULL) < 0 ||
	    cgfs_stats_json(&figures, &text) < 0 || strlen(text) > FIGURES_MAX)
		return;
	/* A client that asks every second wants to know whether there are processes, not which. */
	number = p->q->figures & CGFS_READ_USAGE && !(p->q->figures & CGFS_READ_CGROUP) &&
		 figures.figure[CGFS_STAT_PIDS_CURRENT].available;
	if (!number && describe_pids(g, READING_CGROUPS_MAX, &pids, NULL) < 0)
		return;
	json_out_number(o, "CgroupId", cgfs_group_cgroup_id(g));
	json_out_raw(o, "Stats", text);
	if (!number)
		describe_processes(o, &pids, 0, PROCESSES_MAX);
	free(pids.pid);
}

static char *container_text(const struct page *p, const struct container *c)
{
	struct json_out o;
	char *text = NULL;

	if (json_out_open(&o) < 0)
		return NULL;
	json_out_object(&o, NULL);
	json_out_string(&o, "Id", c->id);
	describe_labels(&o, c->labels);
	describe_state(&o, c);
	if (c->group) {
		json_out_string(&o, "CgroupPath", cgfs_group_path(c->group));
		put_figures(&o, p, c->group);
	}
	json_out_end(&o);
	return json_out_close(&o, &text) < 0 ? NULL : text;
}

/* --- the page ------------------------------------------------------------------------------- */

/* Takes @len bytes; false: the page is full.  Time is up only behind the first few entries: a
 * client gets on however slow the machine is. */
static bool reserve(struct page *p, size_t len)
{
	bool late = p->entries >= PAGE_LEAST && now_ns(CLOCK_MONOTONIC) > p->until_ns;

	if (p->failed || late || len > p->room) {
		p->full = true;
		return false;
	}
	p->room -= len;
	p->entries++;
	return true;
}

/* @text with a comma; NULL: out of memory. */
static bool reserve_text(struct page *p, const char *text)
{
	p->failed = p->failed || !text;
	return reserve(p, text ? strlen(text) + 1 : 0);
}

/* The containers of @pod after the one named @after, sorted. */
static const struct container **members(const struct pod *pod, const char *after, size_t *ret_n)
{
	const struct container **sorted = calloc(pod->n + 1, sizeof(*sorted));
	size_t n = 0;

	for (const struct container *c = pod->containers; sorted && c && n < pod->n;
	     c = c->pod_next) {
		if (strcmp(c->id, after) > 0)
			sorted[n++] = c;
	}
	if (n)
		qsort(sorted, n, sizeof(*sorted), compare_containers);
	*ret_n = n;
	return sorted;
}

/* As many of the containers as there is room for; false: not all. */
static bool put_members(struct page *p, struct json_out *o, const struct pod *pod,
			const char *after)
{
	size_t n;
	auto_free const struct container **c = members(pod, after, &n);

	p->failed = p->failed || !c;
	for (size_t i = 0; c && i < n; i++) {
		auto_free char *text = container_text(p, c[i]);

		if (!reserve_text(p, text))
			return false;
		json_out_raw(o, NULL, text);
		snprintf(p->next, sizeof(p->next), "%s/%s", pod->id, c[i]->id);
	}
	return c;
}

/* @after: NULL, or the last container on the page before: the pod's own figures were there. */
static void put_pod(struct page *p, const struct pod *pod, const char *after)
{
	auto_free char *text = NULL;
	struct json_out o;
	bool room;

	if (json_out_open(&o) < 0) {
		p->failed = p->full = true;
		return;
	}
	json_out_object(&o, NULL);
	json_out_string(&o, "Id", pod->id);
	json_out_string(&o, "CgroupPath", pod->group ? cgfs_group_path(pod->group) : "");
	describe_labels(&o, pod->labels);
	if (!after)
		put_figures(&o, p, pod->group);
	json_out_array(&o, "Containers");
	room = reserve(p, (size_t)ftell(o.f) + strlen("]},"));
	if (room) {
		snprintf(p->next, sizeof(p->next), "%s/%s", pod->id, after ? after : "");
		if (put_members(p, &o, pod, after ? after : ""))
			snprintf(p->next, sizeof(p->next), "%s", pod->id);
	}
	json_out_end(&o);
	json_out_end(&o);
	if (json_out_close(&o, &text) < 0)
		p->failed = true;
	else if (room)
		json_out_raw(p->o, NULL, text);
}

static void put_standalone(struct page *p, const struct container *c)
{
	auto_free char *text = container_text(p, c);

	if (!reserve_text(p, text))
		return;
	json_out_object(p->o, NULL);
	json_out_string(p->o, "Id", c->id);
	json_out_string(p->o, "CgroupPath", c->group ? cgfs_group_path(c->group) : "");
	json_out_bool(p->o, "Standalone", true);
	json_out_array(p->o, "Containers");
	json_out_raw(p->o, NULL, text);
	json_out_end(p->o);
	json_out_end(p->o);
	snprintf(p->next, sizeof(p->next), "%s", c->id);
}

/* --- which entries -------------------------------------------------------------------------- */

/* In the order of ids, pods and containers without a pod together: no two have the same id. */
struct walk {
	struct agent *a;
	size_t pod, container;
};

static int begin(struct walk *w, struct agent *a, const char *from)
{
	int r = hash_from(&a->pods, from, &w->pod);

	w->a = a;
	return r < 0 ? r : hash_from(&a->containers, from, &w->container);
}

static const struct pod *pod_at(const struct walk *w)
{
	struct hash_node *t = hash_at(&w->a->pods, w->pod);

	return t ? container_of(t, struct pod, node) : NULL;
}

static const struct container *container_at(const struct walk *w)
{
	struct hash_node *t = hash_at(&w->a->containers, w->container);

	return t ? container_of(t, struct container, node) : NULL;
}

/* false: the end. */
static bool next(struct walk *w, struct entry *ret)
{
	const struct pod *pod = pod_at(w);
	const struct container *c;

	while ((c = container_at(w))) {
		if (pod && strcmp(c->id, pod->id) > 0)
			break;
		w->container++;
		if (c->pod)
			continue;
		*ret = (struct entry){ .id = c->id, .c = c };
		return true;
	}
	if (!pod)
		return false;
	w->pod++;
	*ret = (struct entry){ .id = pod->id, .pod = pod };
	return true;
}

static void fill(struct page *p)
{
	const char *slash = strchr(p->q->after, '/'), *only = *p->q->pod ? p->q->pod : NULL;
	size_t len = slash ? (size_t)(slash - p->q->after) : strlen(p->q->after);
	auto_free char *pod = strndup(p->q->after, len);
	size_t left = p->q->figures ? PAGE_FIGURES : PAGE_ENTRIES;
	struct entry e;
	struct walk w;

	p->failed = !pod || begin(&w, p->a, only && strcmp(only, pod) > 0 ? only : pod) < 0;
	p->until_ns = now_ns(CLOCK_MONOTONIC) + PAGE_NS;
	while (!p->failed && !p->full && next(&w, &e)) {
		bool rest = *p->q->after && streq(e.id, pod);

		if (only && !streq(e.id, only))
			break;
		if (rest && (!slash || !e.pod))
			continue;
		if (left-- == 0)
			p->full = true;
		else if (e.pod)
			put_pod(p, e.pod, rest ? slash + 1 : NULL);
		else
			put_standalone(p, e.c);
	}
}

bool extension_page(struct agent *a, const struct list_query *q, struct json_out *o)
{
	struct page p = { .a = a, .q = q, .o = o, .room = EXTENSION_MAX };

	json_out_array(o, "Pods");
	fill(&p);
	json_out_end(o);
	/* A full page has an entry: the smallest one fits into an empty message. */
	if (p.failed || (p.full && !p.entries))
		return false;
	if (p.full)
		json_out_string(o, "Next", p.next);
	return true;
}

/* false: @rq has been answered. */
static bool query(struct request *rq, struct list_query *ret)
{
	const char *figures;

	*ret = (struct list_query){ 0 };
	if (!extension_string(rq, "After", &ret->after) ||
	    !extension_string(rq, "PodId", &ret->pod) || !extension_string(rq, "Figures", &figures))
		return false;
	ret->figures = protocol_figures(figures);
	if (*figures && !ret->figures) {
		request_fail(rq, HR_INVALID_ARG,
			     "Figures: \"%.64s\" is neither \"brief\" nor \"all\" nor a list of "
			     "figures",
			     figures);
		return false;
	}
	return true;
}

void extension_list_pods(struct agent *a, struct request *rq)
{
	struct list_query q;
	struct json_out o;

	if (!query(rq, &q) || !request_answer_begin(rq, &o))
		return;
	if (!extension_page(a, &q, &o)) {
		ignore(json_out_close(&o, NULL));
		request_fail(rq, HR_FAIL, "list pods: out of memory");
		return;
	}
	json_out_string(&o, "Root", cgfs_root(a->cgfs));
	json_out_string(&o, "Layout", cgfs_layout_name(cgfs_layout(a->cgfs)));
	request_answer_end(rq, &o);
}
