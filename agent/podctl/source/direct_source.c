/* SPDX-License-Identifier: MIT */
/*
 * direct_source.c - the source without an agent: pods and containers as libcgfs sees them.
 */
#include "agent/podctl/source/direct.h"
#include "agent/podctl/source/keeper.h"
#include "agent/podctl/source/mark.h"
#include "agent/podctl/source/past.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/clock.h"

#include <poll.h>
#include <stdio.h>

/* What cgfs_group_json() alone has.  Its io_devices come with the sums over all devices. */
#define LISTS                                                                                      \
	(CGFS_READ_HUGETLB | CGFS_READ_RDMA | CGFS_READ_MISC | CGFS_READ_LIMITS | CGFS_READ_CPUSET)
#define KILL_TIMEOUT_MS 10000

static int direct_check(const struct args *a, struct cgfs_err *reterr)
{
	if (a->process.named)
		return cgfs_err_set(reterr, -EINVAL, "--user", NULL, a->process.user,
				    "is not UID[:GID]; only an agent knows the names of users");
	if (a->oci_bundle || a->mounts.n || a->hostname)
		return cgfs_err_set(reterr, -EINVAL,
				    a->oci_bundle ? "--bundle"
				    : a->mounts.n ? "--mount"
						  : "--hostname",
				    NULL, NULL,
				    "needs an agent; without one a command sees this machine");
	if (a->rootfs)
		return cgfs_err_set(reterr, -EINVAL, "--rootfs", NULL, a->rootfs,
				    "needs an agent; without one a pod has no sandbox, and a "
				    "command runs as it is");
	return 0;
}

int direct_keep(struct direct_source *s, struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs_group **grown = reallocarray(s->group, s->n + 1, sizeof(*grown));

	if (!grown)
		return no_memory(reterr);
	s->group = grown;
	s->group[s->n++] = g;
	return 0;
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

static int direct_ids(struct source *s, struct ids *ret, struct cgfs_err *reterr)
{
	return list_ids(direct_of(s), NULL, ret, reterr);
}

/* Called for a group; returns 1 when it takes the handle over. */
typedef int (*group_fn)(void *arg, struct cgfs_group *g, struct cgfs_err *reterr);

/* Gone since it was listed? */
static bool gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

/* The pod, then each of its containers; takes @pod over. */
static int walk_pod(struct direct_source *s, struct cgfs_group *pod, group_fn fn, void *arg,
		    struct cgfs_err *reterr)
{
	struct cgfs_group *ctr;
	struct ids ctrs = { 0 };
	bool kept;
	int r;

	r = list_ids(s, pod, &ctrs, reterr);
	if (r == 0)
		r = fn(arg, pod, reterr);
	kept = r == 1;
	for (size_t i = 0; r >= 0 && i < ctrs.n; i++) {
		r = cgfs_container_open(s->d.c, pod, ctrs.id[i], &ctr, reterr);
		if (r == 0) {
			r = fn(arg, ctr, reterr);
			if (r != 1)
				cgfs_group_close(ctr);
		}
		r = gone(r) ? 0 : r;
	}
	ids_free(&ctrs);
	if (!kept)
		cgfs_group_close(pod);
	return r;
}

static int walk(struct direct_source *s, group_fn fn, void *arg, struct cgfs_err *reterr)
{
	struct cgfs_group *pod;
	struct ids pods = { 0 };
	int r = list_ids(s, NULL, &pods, reterr);

	for (size_t i = 0; r >= 0 && i < pods.n; i++) {
		r = cgfs_pod_open(s->d.c, pods.id[i], &pod, reterr);
		if (r == 0)
			r = walk_pod(s, pod, fn, arg, reterr);
		r = gone(r) ? 0 : r;
	}
	ids_free(&pods);
	return r < 0 ? r : 0;
}

static int watch(void *arg, struct cgfs_group *g, struct cgfs_err *reterr)
{
	int r = direct_keep(arg, g, reterr);

	return r < 0 ? r : 1;
}

static int direct_finish(struct source *source, struct cgfs_err *reterr)
{
	struct direct_source *s = direct_of(source);
	int r = 0;

	json_decref(s->past);
	while (s->n)
		cgfs_group_close(s->group[--s->n]);
	free(s->group);
	if (s->use & SOURCE_WRITE && !s->d.unlocked)
		r = direct_tidy(&s->d, reterr);
	direct_close(&s->d);
	free(s);
	return r;
}

/* Of all pods, which are kept open already. */
static int read_past(struct direct_source *s, struct cgfs_err *reterr)
{
	int r = 0;

	s->past = json_array();
	s->past_ns = now_ns(CLOCK_BOOTTIME);
#if CGFS_WITH_BPF
	for (size_t i = 0; r == 0 && s->d.bpf && i < s->n; i++) {
		if (!cgfs_group_pod(s->group[i]))
			r = past_read(s->source.a, s->d.bpf, s->group[i], s->past, reterr);
	}
#endif
	if (r == 0 && past_sort(&s->past) < 0)
		r = no_memory(reterr);
	return r;
}

static int direct_begin(const struct args *a, unsigned int use, struct source **ret,
			struct cgfs_err *reterr)
{
	struct direct_source *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return no_memory(reterr);
	s->source = (struct source){ .ops = &source_direct, .a = a };
	s->use = use;
	r = direct_open(a, use, NULL, &s->d, reterr);
	if (r < 0) {
		free(s);
		return r;
	}
	if (use == SOURCE_EVENTS)
		r = walk(s, watch, s, reterr);
	if (r == 0 && use == SOURCE_EVENTS && a->since_ns != INT64_MIN)
		r = read_past(s, reterr);
	if (r < 0) {
		direct_finish(&s->source, NULL);
		return r;
	}
	*ret = &s->source;
	return 0;
}

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
int direct_info(struct cgfs *c, struct cgfs_group *g, unsigned int what, struct group_info *ret,
		struct cgfs_err *reterr)
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
	info.labels = mark_read_labels(c, g);
	if (r == 0 && info.in_stats)
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

struct direct_listing {
	struct cgfs *c;
	unsigned int what;
	struct group_list *list;
};

static int add_info(void *arg, struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct direct_listing *l = arg;
	struct group_info info;
	int r = direct_info(l->c, g, l->what, &info, reterr);

	return r < 0 ? r : list_add(l->list, &info, reterr);
}

static int direct_list(struct source *source, const struct target *only, unsigned int what,
		       struct group_list *list, struct cgfs_err *reterr)
{
	struct direct_source *s = direct_of(source);
	struct direct_listing l = { .c = s->d.c, .what = what, .list = list };
	struct cgfs_group *pod, *ctr;
	int r;

	r = list_name(list, cgfs_root(s->d.c), cgfs_layout_name(cgfs_layout(s->d.c)), reterr);
	if (r < 0 || !only)
		return r < 0 ? r : walk(s, add_info, &l, reterr);
	r = direct_group(&s->d, only, &pod, &ctr, reterr);
	if (r < 0 || !ctr)
		return r < 0 ? r : walk_pod(s, pod, add_info, &l, reterr);
	r = add_info(&l, ctr, reterr);
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
	return r;
}

static int direct_stat(struct source *s, const struct target *t, unsigned int what,
		       struct group_info *ret, struct cgfs_err *reterr)
{
	struct cgfs_group *pod, *ctr;
	int r = direct_group(&direct_of(s)->d, t, &pod, &ctr, reterr);

	if (r < 0)
		return r;
	r = direct_info(direct_of(s)->d.c, ctr ? ctr : pod, what, ret, reterr);
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
	return r;
}

static int direct_create(struct source *s, struct cgfs_err *reterr)
{
	struct cgfs_group *pod = NULL;
	struct cgfs *c = direct_of(s)->d.c;
	int r = cgfs_pod_create(c, s->a->pod, &s->a->limits.res, &pod, reterr);

	if (r == 0)
		r = mark_labels(c, pod, s->a->labels.set, reterr);
	/* Without its labels no search would find the pod. */
	if (pod && r < 0)
		ignore(cgfs_group_remove(pod, NULL, NULL));
	cgfs_group_close(pod);
	return r;
}

static int direct_set(struct source *s, const struct target *t, struct cgfs_err *reterr)
{
	return direct_do(&direct_of(s)->d, t, direct_do_set, &s->a->limits.res, reterr);
}

static int direct_freeze(struct source *s, const struct target *t, bool on, struct cgfs_err *reterr)
{
	return direct_do(&direct_of(s)->d, t, direct_do_freeze, &on, reterr);
}

static int direct_add(struct source *s, const struct target *t, pid_t pid, struct cgfs_err *reterr)
{
	return direct_do(&direct_of(s)->d, t, direct_do_add, &pid, reterr);
}

static int direct_remove(struct source *s, const struct target *t, struct cgfs_err *reterr)
{
	unsigned int ms = s->a->timeout_ms < KILL_TIMEOUT_MS * 1000 ? (unsigned int)s->a->timeout_ms
								    : KILL_TIMEOUT_MS;
	struct cgfs_group *pod, *ctr;
	int r = direct_group(&direct_of(s)->d, t, &pod, &ctr, reterr);

	if (r < 0)
		return r;
	r = cgfs_group_remove(ctr ? ctr : pod, CGFS_REMOVE_OPTS_WAIT(ms), reterr);
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
	return r;
}

/* Was it printed with what was read of its pod, or is it too old?  Of a pod that had gone nothing
 * was read. */
static bool is_past(const struct direct_source *s, const struct cgfs_event *e)
{
	int64_t offset = (int64_t)(now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME));
	const json_t *past;
	size_t i;

	if (!s->past || !e->pid || e->time_ns > s->past_ns)
		return false;
	json_array_foreach(s->past, i,
			   past) if (e->pod[0] && streq(doc_string(past, "pod"), e->pod) &&
				     streq(doc_string(past, "type"), cgfs_event_name(e->type)) &&
				     doc_number(past, "time_ns") >= e->time_ns) return true;
	return offset + (int64_t)e->time_ns < s->source.a->since_ns;
}

static int direct_next_event(struct source *source, int timeout_ms, json_t **ret,
			     struct cgfs_err *reterr)
{
	struct cgfs_event event = CGFS_EVENT_INIT;
	struct direct_source *s = direct_of(source);
	int r;

	if (s->past_at < json_array_size(s->past)) {
		*ret = json_incref(json_array_get(s->past, s->past_at++));
		return 1;
	}
	do {
		r = cgfs_event_read(s->d.c, &event, reterr);
	} while (r == 1 && is_past(s, &event));
	if (r == 0 && timeout_ms != 0) {
		struct pollfd fd = { .fd = cgfs_event_fd(s->d.c), .events = POLLIN };

		if (poll(&fd, 1, timeout_ms) < 0 && errno != EINTR)
			return cgfs_err_set(reterr, -errno, "poll", NULL, NULL, NULL);
		r = cgfs_event_read(s->d.c, &event, reterr);
	}
	if (r == 1 && doc_event(&event, ret) < 0)
		return no_memory(reterr);
	return r;
}

static int direct_resize(struct source *s, const struct target *t, struct cgfs_err *reterr)
{
	struct group_info info;
	int r = direct_stat(s, t, 0, &info, reterr);

	if (r < 0)
		return r;
	r = keeper_resize(info.cgroup_id, s->a->window[0], s->a->window[1], reterr);
	info_free(&info);
	return r;
}

static int direct_power_off(struct source *s, bool now, struct cgfs_err *reterr)
{
	return cgfs_err_set(reterr, -EOPNOTSUPP, NULL, NULL, NULL,
			    "only an agent that is process 1 powers its machine off: name it "
			    "with --agent");
}

const struct source_ops source_direct = {
	.check = direct_check,
	.open = direct_begin,
	.close = direct_finish,
	.list = direct_list,
	.ids = direct_ids,
	.stat = direct_stat,
	.create = direct_create,
	.set = direct_set,
	.freeze = direct_freeze,
	.add = direct_add,
	.power_off = direct_power_off,
	.remove = direct_remove,
	.next_event = direct_next_event,
	.start = direct_start,
	.exec = direct_exec,
	.attach = direct_attach,
	.resize = direct_resize,
	.await = direct_await,
	.unmake = direct_unmake,
};
