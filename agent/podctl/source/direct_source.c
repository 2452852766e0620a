/* SPDX-License-Identifier: MIT */
/*
 * direct_source.c - the source without an agent: pods and containers as libcgfs sees them.
 */
#include "agent/podctl/source/direct.h"
#include "agent/podctl/source/keeper.h"
#include "agent/podctl/source/mark.h"
#include "agent/podctl/source/past.h"
#include "cgfs/base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>

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

static int direct_finish(struct source *source, struct cgfs_err *reterr)
{
	struct direct_source *s = direct_of(source);
	int r = 0;

	json_decref(s->past);
	direct_let_go(s);
	while (s->n)
		cgfs_group_close(s->group[--s->n]);
	free(s->group);
	if (s->use & SOURCE_WRITE && !s->d.unlocked)
		r = direct_tidy(&s->d, reterr);
	direct_close(&s->d);
	free(s);
	return r;
}

/* Of all pods, which are open already. */
static int read_past(struct direct_source *s, struct cgfs_err *reterr)
{
#if CGFS_WITH_BPF
	struct cgfs_group *pod;
	size_t i = 0;
#endif
	int r = 0;

	s->past = json_array();
	s->past_ns = now_ns(CLOCK_BOOTTIME);
#if CGFS_WITH_BPF
	while (r == 0 && s->d.bpf && (pod = direct_next_pod(s, &i)))
		r = past_read(s->source.a, s->d.bpf, pod, s->past, reterr);
#endif
	if (r == 0 && past_sort(&s->past) < 0)
		r = no_memory(reterr);
	return r;
}

/* Who only looks starts no process that would inherit it, and may look at thousands. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	ignore(setrlimit(RLIMIT_NOFILE, &limit));
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
	if (!use)
		raise_limit();
	r = direct_open(a, use, NULL, &s->d, reterr);
	if (r < 0) {
		free(s);
		return r;
	}
	if (use == SOURCE_EVENTS)
		r = direct_look(s, reterr);
	if (r == 0 && use == SOURCE_EVENTS && a->since_ns != INT64_MIN)
		r = read_past(s, reterr);
	if (r < 0) {
		direct_finish(&s->source, NULL);
		return r;
	}
	*ret = &s->source;
	return 0;
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
			    "only an agent powers its machine off, as process 1 or with "
			    "-power-off: name it with --agent");
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
	.follow = direct_follow,
	.resize = direct_resize,
	.await = direct_await,
	.unmake = direct_unmake,
};
