/* SPDX-License-Identifier: MIT */
/*
 * direct_list.c - all pods and containers without an agent.  They stay open from one list to the
 * next, so that it costs what their figures cost: the inode of each directory says whether it is
 * the one that is open, and the link counts whether there are others.
 */
#include "agent/podctl/source/direct.h"
#include "agent/podctl/source/mark.h"

#include <stdio.h>
#include <sys/stat.h>

/* What cgfs_group_json() alone has.  Its io_devices come with the sums over all devices. */
#define LISTS                                                                                      \
	(CGFS_READ_HUGETLB | CGFS_READ_RDMA | CGFS_READ_MISC | CGFS_READ_LIMITS | CGFS_READ_CPUSET)

/* Gone since it was listed? */
static bool gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

static int add_id(void *arg, const char *id)
{
	return ids_add(arg, id);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Ids of all pods, or (with @pod) of its containers, sorted. */
static int list_ids(struct direct_source *s, struct cgfs_group *pod, struct ids *ret,
		    struct cgfs_err *reterr)
{
	struct ids ids = { 0 };
	int r;

	r = pod ? cgfs_container_list(pod, add_id, &ids, reterr)
		: cgfs_pod_list(s->d.c, add_id, &ids, reterr);
	if (r < 0) {
		ids_free(&ids);
		return r == -ENOMEM ? no_memory(reterr) : r;
	}
	if (ids.n)
		qsort(ids.id, ids.n, sizeof(*ids.id), compare_ids);
	*ret = ids;
	return 0;
}

int direct_ids(struct source *s, struct ids *ret, struct cgfs_err *reterr)
{
	return list_ids(direct_of(s), NULL, ret, reterr);
}

/* --- what is open --------------------------------------------------------------------------- */

struct held {
	struct cgfs_group *g; /* NULL: it was moved to the next list */
	size_t mount;	      /* where its directory is looked at */
	struct direct_seen seen;
	bool lives, changed; /* since then; changed: it has more or fewer below */
};

struct holding {
	struct held *held; /* each pod before its containers, sorted by their ids */
	size_t n;
};

static bool look_at(struct cgfs *c, size_t mount, const char *path, struct direct_seen *ret)
{
	char full[4096];
	struct stat st;

	*ret = (struct direct_seen){ 0 };
	snprintf(full, sizeof(full), "%s%s", cgfs_mounts(c)->mount[mount].path, path);
	if (stat(full, &st) < 0)
		return false;
	*ret = (struct direct_seen){ .inode = st.st_ino, .links = st.st_nlink };
	return true;
}

/* Before its containers are listed: one that comes meanwhile makes another link count. */
static void look_first(struct cgfs *c, struct held *h)
{
	size_t n = cgfs_mounts(c)->n;

	while (h->mount < n && !look_at(c, h->mount, cgfs_group_path(h->g), &h->seen))
		h->mount++;
	/* In none of them: it is gone already. */
	h->mount = h->mount < n ? h->mount : 0;
}

static void look_again(struct cgfs *c, struct held *h)
{
	struct direct_seen now;

	h->lives = look_at(c, h->mount, cgfs_group_path(h->g), &now) && now.inode == h->seen.inode;
	h->changed = now.links != h->seen.links;
	h->seen = now;
}

static bool root_changed(struct direct_source *s)
{
	bool changed = !s->looked;

	for (size_t i = 0; i < cgfs_mounts(s->d.c)->n; i++) {
		struct direct_seen now;

		(void)look_at(s->d.c, i, cgfs_root(s->d.c), &now);
		changed |= now.inode != s->root[i].inode || now.links != s->root[i].links;
		s->root[i] = now;
	}
	s->looked = true;
	return changed;
}

static bool is_pod(const struct held *h)
{
	return !cgfs_group_pod(h->g);
}

/* In the order of ids. */
static bool before(const struct held *h, const char *id)
{
	return strcmp(cgfs_group_id(h->g), id) < 0;
}

static void holding_free(struct holding *list)
{
	for (size_t i = 0; i < list->n; i++)
		cgfs_group_close(list->held[i].g);
	free(list->held);
}

/* Takes @h over, on failure, too. */
static int hold(struct holding *list, struct held *h, struct cgfs_err *reterr)
{
	struct held *grown = list->held;

	/* Room for 1, 2, 4, 8 ...: it is full at each of them. */
	if (!(list->n & (list->n - 1)))
		grown = reallocarray(list->held, list->n ? 2 * list->n : 1, sizeof(*grown));
	if (!grown) {
		cgfs_group_close(take_ptr(h->g));
		return no_memory(reterr);
	}
	list->held = grown;
	list->held[list->n++] = *h;
	h->g = NULL;
	return 0;
}

/* 1: it is gone. */
static int hold_new(struct direct_source *s, struct holding *list, struct cgfs_group *pod,
		    const char *id, struct cgfs_err *reterr)
{
	struct held h = { 0 };
	int r = pod ? cgfs_container_open(s->d.c, pod, id, &h.g, reterr)
		    : cgfs_pod_open(s->d.c, id, &h.g, reterr);

	if (r < 0)
		return gone(r) ? 1 : r;
	look_first(s->d.c, &h);
	return hold(list, &h, reterr);
}

/* The containers of the pod that @list ends with; @old: @n of them that were open before. */
static int hold_containers(struct direct_source *s, struct holding *list, struct held *old,
			   size_t n, struct cgfs_err *reterr)
{
	size_t at = list->n - 1;
	struct cgfs_group *pod = list->held[at].g;
	struct ids ids = { 0 };
	int r = list_ids(s, pod, &ids, reterr);

	for (size_t i = 0; r >= 0 && i < ids.n; i++) {
		for (; n && before(old, ids.id[i]); n--)
			old++;
		if (n && old->lives && streq(cgfs_group_id(old->g), ids.id[i])) {
			r = hold(list, old, reterr);
			old++;
			n--;
		} else {
			r = hold_new(s, list, pod, ids.id[i], reterr);
			/* Or only begun: the next list looks again. */
			if (r == 1)
				list->held[at].seen.links = 0;
		}
	}
	ids_free(&ids);
	return r < 0 && !gone(r) ? r : 0;
}

/* The pod @id with its containers; @old: @n that were open before, the pod first. */
static int hold_pod(struct direct_source *s, struct holding *list, const char *id, struct held *old,
		    size_t n, struct cgfs_err *reterr)
{
	bool same = n && old->lives, all = same && !old->changed;
	int r = 0;

	for (size_t i = 0; all && i < n; i++)
		all = old[i].lives;
	for (size_t i = 0; all && r == 0 && i < n; i++)
		r = hold(list, &old[i], reterr);
	if (all)
		return r;
	r = same ? hold(list, old, reterr) : hold_new(s, list, NULL, id, reterr);
	if (r != 0)
		return r < 0 ? r : 0;
	return hold_containers(s, list, same ? old + 1 : NULL, same ? n - 1 : 0, reterr);
}

static int hold_all(struct direct_source *s, const struct ids *pods, struct holding *ret,
		    struct cgfs_err *reterr)
{
	struct held *old = s->open ? s->open->held : NULL;
	size_t left = s->open ? s->open->n : 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < pods->n; i++) {
		size_t n = 0;

		for (; left && (!is_pod(old) || before(old, pods->id[i])); left--)
			old++;
		if (left && streq(cgfs_group_id(old->g), pods->id[i]))
			for (n = 1; n < left && !is_pod(&old[n]);)
				n++;
		r = hold_pod(s, ret, pods->id[i], old, n, reterr);
		old += n;
		left -= n;
	}
	return r;
}

static int open_pods(const struct holding *open, struct ids *ret, struct cgfs_err *reterr)
{
	for (size_t i = 0; i < open->n; i++) {
		if (is_pod(&open->held[i]) && ids_add(ret, cgfs_group_id(open->held[i].g)) < 0)
			return no_memory(reterr);
	}
	return 0;
}

int direct_look(struct direct_source *s, struct cgfs_err *reterr)
{
	bool pods = root_changed(s), others = false;
	struct holding *next;
	struct ids ids = { 0 };
	int r;

	for (size_t i = 0; s->open && i < s->open->n; i++) {
		struct held *h = &s->open->held[i];

		look_again(s->d.c, h);
		pods |= is_pod(h) && !h->lives;
		others |= !h->lives || (is_pod(h) && h->changed);
	}
	if (!pods && !others)
		return 0;
	next = calloc(1, sizeof(*next));
	if (!next)
		return no_memory(reterr);
	/* Where the root is the same, so are the pods. */
	r = pods ? list_ids(s, NULL, &ids, reterr) : open_pods(s->open, &ids, reterr);
	if (r == 0)
		r = hold_all(s, &ids, next, reterr);
	ids_free(&ids);
	direct_let_go(s);
	s->open = next;
	if (r < 0) {
		direct_let_go(s);
		s->looked = false;
	}
	return r;
}

void direct_let_go(struct direct_source *s)
{
	if (s->open)
		holding_free(s->open);
	free(s->open);
	s->open = NULL;
}

struct cgfs_group *direct_next_pod(const struct direct_source *s, size_t *i)
{
	while (s->open && *i < s->open->n) {
		const struct held *h = &s->open->held[(*i)++];

		if (is_pod(h))
			return h->g;
	}
	return NULL;
}

/* --- what is known of them ------------------------------------------------------------------ */

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static int processes(struct cgfs_group *g, json_t **ret, struct cgfs_err *reterr)
{
	auto_free pid_t *pids = NULL;
	size_t n;
	int r = cgfs_group_pids(g, &pids, &n, reterr);

	if (r < 0)
		return r;
	if (n)
		qsort(pids, n, sizeof(*pids), compare_pids);
	*ret = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(*ret, json_integer(pids[i]));
	return *ret ? 0 : no_memory(reterr);
}

/* All in one document when the kernel's own counters are asked for; else figures as they are, and
 * a document of the lists. */
static int describe(struct cgfs *c, struct cgfs_group *g, unsigned int what, bool labels,
		    const struct cgfs_stats *stats, struct group_info *ret, struct cgfs_err *reterr)
{
	struct cgfs_group *pod = cgfs_group_pod(g);
	unsigned int text = what & CGFS_READ_NATIVE ? what
			    : what & LISTS	    ? LISTS | CGFS_READ_IO
						    : 0;
	struct group_info info = {
		.stats = CGFS_STATS_INIT,
		.in_stats = !(what & CGFS_READ_NATIVE),
		.exit_code = -1,
		.cgroup_id = cgfs_group_cgroup_id(g),
	};
	uint64_t n;
	int r;

	r = info_name(&info, cgfs_group_id(pod ? pod : g), pod ? cgfs_group_id(g) : "",
		      cgfs_group_path(g), reterr);
	if (labels)
		info.labels = mark_read_labels(c, g);
	if (stats)
		info.stats = *stats;
	else if (r == 0 && info.in_stats)
		r = cgfs_group_stats(g, what, &info.stats, reterr);
	if (r == 0 && (!(what & CGFS_READ_USAGE) || what & CGFS_READ_CGROUP ||
		       !info_figure(&info, CGFS_STAT_PIDS_CURRENT, &n)))
		r = processes(g, &info.processes, reterr);
	if (r == 0 && text)
		r = doc_group(g, text, &info.doc, reterr);
	if (r < 0) {
		info_free(&info);
		return r;
	}
	*ret = info;
	return 0;
}

int direct_info(struct cgfs *c, struct cgfs_group *g, unsigned int what, struct group_info *ret,
		struct cgfs_err *reterr)
{
	return describe(c, g, what, true, NULL, ret, reterr);
}

struct listing {
	struct cgfs *c;
	unsigned int what;
	bool labels;
	struct group_list *list;
	struct cgfs_err *reterr;
};

/* @stats: NULL: they are to be read. */
static int add(struct listing *l, struct cgfs_group *g, const struct cgfs_stats *stats)
{
	struct group_info info;
	int r = describe(l->c, g, l->what, l->labels, stats, &info, l->reterr);

	if (r == 0)
		r = list_add(l->list, &info, l->reterr);
	return gone(r) ? 0 : r;
}

static int add_figures(void *arg, struct cgfs_group *g, const struct cgfs_stats *stats)
{
	return add(arg, g, stats);
}

static int compare_infos(const void *x, const void *y)
{
	const struct group_info *a = x, *b = y;
	int order = strcmp(a->pod, b->pod);

	return order ? order : strcmp(a->ctr, b->ctr);
}

/* In the order of their ids, and no container whose pod was gone before its figures were read. */
static void arrange(struct group_list *list)
{
	size_t n = 0;

	if (list->n)
		qsort(list->info, list->n, sizeof(*list->info), compare_infos);
	for (size_t i = 0; i < list->n; i++) {
		struct group_info *g = &list->info[i];

		if (!*g->ctr || (n && streq(list->info[n - 1].pod, g->pod)))
			list->info[n++] = *g;
		else
			info_free(g);
	}
	list->n = n;
}

static int list_all(struct direct_source *s, struct listing *l)
{
	int r = direct_look(s, l->reterr);

	if (r < 0)
		return r;
	/* All in one document has figures of its own. */
	if (l->what & CGFS_READ_NATIVE) {
		for (size_t i = 0; r == 0 && s->open && i < s->open->n; i++)
			r = add(l, s->open->held[i].g, NULL);
		return r;
	}
	r = cgfs_stats_all(s->d.c, l->what, add_figures, l, l->reterr);
	arrange(l->list);
	return r;
}

static int list_pod(struct direct_source *s, struct listing *l, struct cgfs_group *pod)
{
	struct cgfs_group *ctr;
	struct ids ids = { 0 };
	int r = list_ids(s, pod, &ids, l->reterr);

	if (r == 0)
		r = add(l, pod, NULL);
	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		r = cgfs_container_open(s->d.c, pod, ids.id[i], &ctr, l->reterr);
		if (r == 0) {
			r = add(l, ctr, NULL);
			cgfs_group_close(ctr);
		}
		r = gone(r) ? 0 : r;
	}
	ids_free(&ids);
	return r;
}

int direct_list(struct source *source, const struct target *only, unsigned int what,
		struct group_list *list, struct cgfs_err *reterr)
{
	struct direct_source *s = direct_of(source);
	struct listing l = { .c = s->d.c, .what = what, .list = list, .reterr = reterr };
	struct cgfs_group *pod, *ctr;
	int r;

	/* Who asks every second shows none; it may look for some. */
	l.labels = !(what & CGFS_READ_USAGE) || what & CGFS_READ_CGROUP || source->a->labels.n;
	r = list_name(list, cgfs_root(s->d.c), cgfs_layout_name(cgfs_layout(s->d.c)), reterr);
	if (r < 0 || !only)
		return r < 0 ? r : list_all(s, &l);
	r = direct_group(&s->d, only, &pod, &ctr, reterr);
	if (r < 0)
		return r;
	r = ctr ? add(&l, ctr, NULL) : list_pod(s, &l, pod);
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
	return r;
}
