/* SPDX-License-Identifier: MIT */
/*
 * watch.c - what a caller asks to be notified of: a memory threshold, pressure, emptiness.
 * The queue and the descriptors are events.c's; how a version notifies is controller/threshold.c's.
 */
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/memory/threshold.h"
#include "cgfs/controller/process/pressure.h"
#include "cgfs/controller/process/procs.h"
#include "cgfs/event/events.h"
#include "cgfs/group/group.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

/* Between two looks while usage is over a threshold. */
#define FALL_US 250000

/* The kernel announces a file again at most each 10 ms, so what is reported may be over by then.
 * After so long nothing is under way any more, nor does a process use time that has left its
 * cgroup. */
#define SETTLE_US 40000

/* Until the next try after a read that failed. */
#define AGAIN_US 10000

struct memory_watch {
	uint64_t high, low; /* high 0: no watch */
	bool above;
	bool crossed, missed; /* it fired; it could not be looked at */
	uint64_t look_at;     /* then usage is read; 0: when the kernel notifies */
	bool by_policy;	      /* the policy watches, and reports; the rest is at rest */
	struct threshold_wire wire;
};

struct pressure_watch {
	int fd; /* -EBADF: no watch */
	int wd;
	uint64_t stall_us, window_us;
};

struct empty_watch {
	int wd; /* -EBADF: no watch */
	bool populated, unsure;
	uint64_t used_us;     /* CPU time that is accounted for by what was reported */
	uint64_t quiet_until; /* changes until then belong to the last report; monotonic, ns */
	uint64_t look_at;     /* a process was there and may be gone: look again then; 0: not */
};

struct watch_set {
	struct memory_watch memory;
	struct pressure_watch pressure[3];
	struct empty_watch empty;
};

static struct watch_set *watch_set(struct cgfs_group *g)
{
	struct watch_set *w = g->watch;

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->memory.wire.counter = w->memory.wire.wd = w->empty.wd = -EBADF;
	for (size_t i = 0; i < ARRAY_SIZE(w->pressure); i++)
		w->pressure[i].fd = w->pressure[i].wd = -EBADF;
	g->watch = w;
	return w;
}

/* -- memory ---------------------------------------------------------------------------------- */

static void memory_fired(struct cgfs_group *g);

static int memory_arm(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct memory_watch *m = &g->watch->memory;

	return threshold_ops(g->c)->arm(g, &m->wire, m->high, memory_fired, reterr);
}

static void memory_event(struct cgfs_group *g, uint64_t usage)
{
	struct memory_watch *m = &g->watch->memory;
	struct cgfs_event ev = CGFS_EVENT_INIT;

	m->above = true;
	threshold_ops(g->c)->fired(g, &m->wire);
	events_init(&ev, CGFS_EVENT_MEMORY_THRESHOLD, g);
	ev.threshold = m->high;
	ev.value = usage;
	events_push(g->c, &ev);
}

/* Neither version notifies when usage has fallen far enough: look until it has. */
static void memory_fall(struct cgfs_group *g, uint64_t usage)
{
	struct memory_watch *m = &g->watch->memory;
	int r;

	/* At the line it is above, also where there is no hysteresis. */
	if (usage > m->low || usage >= m->high) {
		m->look_at = events_timer(g->c, FALL_US);
		return;
	}
	r = memory_arm(g, NULL);
	/* It may have a memory.high of its own by now: then that is the alarm. */
	if (r == 0 || r == -EBUSY || is_gone(r))
		m->above = false;
	else
		m->look_at = events_timer(g->c, AGAIN_US);
	/* Between the two it may have gone over, without a notification. */
	if (r == 0)
		m->look_at = events_timer(g->c, 0);
}

/* Usage may be below again by the time that this runs; it has been above all the same. */
static void memory_fired(struct cgfs_group *g)
{
	struct memory_watch *m = &g->watch->memory;
	uint64_t usage;
	int crossed, r;

	if (!m->high)
		return;
	crossed = threshold_ops(g->c)->crossed(g, &m->wire);
	m->crossed |= crossed > 0;
	r = crossed < 0 ? crossed : threshold_ops(g->c)->usage(g, &usage, NULL);
	/* The kernel does not notify of this crossing again. */
	m->missed = r < 0 && !is_gone(r);
	if (m->missed)
		m->look_at = events_timer(g->c, AGAIN_US);
	if (r < 0)
		return;
	if (!m->above && m->crossed)
		memory_event(g, usage);
	m->crossed = false;
	if (m->above)
		memory_fall(g, usage);
}

/* When the watch begins, and while usage is above: nothing has fired, usage itself counts. */
static int memory_look(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct memory_watch *m = &g->watch->memory;
	uint64_t usage;
	int r = threshold_ops(g->c)->usage(g, &usage, reterr);

	if (r < 0)
		return r;
	if (!m->above && usage >= m->high)
		memory_event(g, usage);
	if (m->above)
		memory_fall(g, usage);
	return 0;
}

static void memory_step(struct cgfs_group *g, bool missed)
{
	struct memory_watch *m = &g->watch->memory;
	int r;

	if (!m->high || !(events_due(g->c, m->look_at) || missed))
		return;
	m->look_at = 0;
	if (missed || m->missed)
		memory_fired(g);
	if (m->missed)
		return;
	r = memory_look(g, NULL);
	if (r < 0 && !is_gone(r))
		m->look_at = events_timer(g->c, FALL_US);
}

static int lines_check(const struct cgfs_memory_line *lines, size_t n, struct cgfs_err *reterr)
{
	for (size_t i = 0; i < n; i++) {
		if (lines[i].bytes == 0)
			return err_value(reterr, -EINVAL, NULL, NULL, "a threshold of 0 bytes");
		if (lines[i].hysteresis_bytes >= lines[i].bytes)
			return err_value(reterr, -EINVAL, NULL, NULL,
					 "the hysteresis must be below the threshold");
		for (size_t j = 0; j < i; j++)
			if (lines[j].bytes == lines[i].bytes)
				return err_value(reterr, -EINVAL, NULL, NULL,
						 "a threshold is twice in the list");
	}
	return 0;
}

/* Usage may be above already: what the policy has not seen is reported from here. */
static int policy_look(struct cgfs_group *g, const struct cgfs_memory_line *lines, size_t n,
		       struct cgfs_err *reterr)
{
	const struct cgfs_policy *p = g->c->policy;
	uint64_t usage;
	int r = threshold_ops(g->c)->usage(g, &usage, reterr);

	for (size_t i = 0; i < n && r >= 0; i++) {
		struct cgfs_event ev = CGFS_EVENT_INIT;

		if (usage < lines[i].bytes)
			continue;
		r = p->ops->crossed_memory(p->ctx, g->cgroup_id, lines[i].bytes);
		if (r < 0)
			return err_file(reterr, r, "look at thresholds of", g->path);
		if (r == 0)
			continue;
		events_init(&ev, CGFS_EVENT_MEMORY_THRESHOLD, g);
		ev.threshold = lines[i].bytes;
		ev.value = usage;
		events_push(g->c, &ev);
	}
	return r < 0 ? r : 0;
}

static int policy_watch(struct cgfs_group *g, const struct cgfs_memory_line *lines, size_t n,
			struct cgfs_err *reterr)
{
	const struct cgfs_policy *p = g->c->policy;

	return p->ops->watch_memory(p->ctx, g->cgroup_id, lines, n, reterr);
}

static void memory_end(struct cgfs_group *g)
{
	struct memory_watch *m = &g->watch->memory;

	if (m->by_policy)
		ignore(policy_watch(g, NULL, 0, NULL));
	else
		threshold_ops(g->c)->disarm(g, &m->wire);
	m->high = m->look_at = 0;
	m->above = m->missed = m->crossed = m->by_policy = false;
}

/* Does the policy count the memory of this group? */
static bool policy_counts(const struct cgfs_group *g)
{
	const struct cgfs_policy *p = g->c->policy;
	struct cgfs_policy_counters n = { .sz = sizeof(n) };

	return p && g->cgroup_id && p->ops->counts_memory && p->ops->counts_memory(p->ctx) &&
	       p->ops->counters(p->ctx, g->cgroup_id, &n) == 0 && n.counts_memory;
}

static int by_policy(struct cgfs_group *g, const struct cgfs_memory_line *lines, size_t n,
		     struct cgfs_err *reterr)
{
	struct memory_watch *m = &g->watch->memory;
	int r;

	/* Thresholds that stay keep what is known of them. */
	if (!m->by_policy)
		memory_end(g);
	r = policy_watch(g, lines, n, reterr);
	m->by_policy = m->by_policy || r == 0;
	if (r == 0)
		r = policy_look(g, lines, n, reterr);
	if (r < 0)
		memory_end(g);
	return r;
}

static int by_file(struct cgfs_group *g, const struct cgfs_memory_line *line,
		   struct cgfs_err *reterr)
{
	struct memory_watch *m = &g->watch->memory;
	int r;

	memory_end(g);
	m->high = line->bytes;
	m->low = line->bytes - line->hysteresis_bytes;
	r = memory_arm(g, reterr);
	if (r == 0)
		r = memory_look(g, reterr); /* it may be above already */
	if (r < 0)
		memory_end(g);
	return r;
}

static int watch_lines(struct cgfs_group *g, const struct cgfs_memory_line *lines, size_t n,
		       struct cgfs_err *reterr)
{
	int r = lines_check(lines, n, reterr);

	if (r < 0)
		return r;
	if (!threshold_ops(g->c))
		return err_value(reterr, -ENODEV, NULL, NULL,
				 "the memory controller is not on this host");
	if (!watch_set(g))
		return err_value(reterr, -ENOMEM, NULL, NULL, NULL);
	if (n == 0) {
		memory_end(g);
		return 0;
	}
	r = policy_counts(g) ? by_policy(g, lines, n, reterr) : -EOPNOTSUPP;
	if (r != -EOPNOTSUPP)
		return r;
	if (n > 1)
		return err_value(reterr, r, NULL, NULL,
				 "more than one threshold needs memory accounting by eBPF");
	return by_file(g, lines, reterr);
}

int cgfs_group_watch_memory_lines(struct cgfs_group *g, const struct cgfs_memory_line *lines,
				  size_t n, struct cgfs_err *reterr)
{
	int r = watch_lines(g, lines, n, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "watch memory of \"%.80s\"", g->rel) : 0;
}

int cgfs_group_watch_memory(struct cgfs_group *g, uint64_t threshold_bytes,
			    uint64_t hysteresis_bytes, struct cgfs_err *reterr)
{
	struct cgfs_memory_line line = { threshold_bytes, hysteresis_bytes };

	return cgfs_group_watch_memory_lines(g, &line, threshold_bytes ? 1 : 0, reterr);
}

/* -- pressure -------------------------------------------------------------------------------- */

static void pressure_fired(struct cgfs_group *g);

static void pressure_close(struct cgfs_group *g, struct pressure_watch *p)
{
	events_unwatch(g, pressure_fired, &p->wd);
	fs_close(g->c, &p->fd);
}

/*
 * The kernel hands out a trigger's event once, to the first poll of its descriptor: in an epoll set
 * that could be any poll of that set.  So only this function polls it, when inotify has notified
 * that a trigger of the file, perhaps another process's, has fired.
 */
static void pressure_fired(struct cgfs_group *g)
{
	for (size_t i = 0; i < ARRAY_SIZE(g->watch->pressure); i++) {
		struct pressure_watch *p = &g->watch->pressure[i];
		struct pollfd pfd = { .fd = p->fd, .events = POLLPRI };
		struct cgfs_event ev = CGFS_EVENT_INIT;

		if (p->fd < 0 || poll(&pfd, 1, 0) != 1)
			continue;
		if (pfd.revents & POLLERR) { /* the cgroup is gone */
			pressure_close(g, p);
			continue;
		}
		events_init(&ev, CGFS_EVENT_PRESSURE, g);
		ev.pressure = (enum cgfs_pressure)i;
		ev.threshold = p->stall_us;
		ev.value = p->window_us;
		events_push(g->c, &ev);
	}
}

int cgfs_group_watch_pressure(struct cgfs_group *g, enum cgfs_pressure what, bool full,
			      uint64_t stall_us, uint64_t window_us, struct cgfs_err *reterr)
{
	struct watch_set *w = watch_set(g);
	char trigger[64];
	int r;

	if (!w)
		return err_value(reterr, -ENOMEM, "watch pressure of", g->rel, NULL);
	if ((unsigned int)what >= ARRAY_SIZE(w->pressure))
		return err_value(reterr, -EINVAL, "watch pressure of", g->rel, "no such pressure");
	pressure_close(g, &w->pressure[what]);
	if (!stall_us)
		return 0;
	snprintf(trigger, sizeof(trigger), "%s %" PRIu64 " %" PRIu64, full ? "full" : "some",
		 stall_us, window_us);
	w->pressure[what].stall_us = stall_us;
	w->pressure[what].window_us = window_us;
	r = pressure_watch(g, what, trigger, pressure_fired, &w->pressure[what].fd,
			   &w->pressure[what].wd, reterr);
	if (r < 0)
		return r;
	/* Under pressure it may have fired before inotify watched it, and no
	 * notification follows until the event is taken. */
	pressure_fired(g);
	return 0;
}

/* -- emptiness ------------------------------------------------------------------------------- */

static void empty_tell(struct cgfs_group *g)
{
	struct empty_watch *e = &g->watch->empty;
	struct cgfs_event ev = CGFS_EVENT_INIT;

	e->populated = false;
	e->look_at = 0;
	e->used_us = unified_cpu_time(g);
	e->quiet_until = now_ns(CLOCK_MONOTONIC) + SETTLE_US * 1000;
	events_init(&ev, CGFS_EVENT_EMPTY, g);
	events_push(g->c, &ev);
}

static void empty_look_later(struct empty_watch *e, struct cgfs *c)
{
	e->look_at = events_timer(c, SETTLE_US);
}

/* Processes have come, or the last has gone. */
static void empty_look(struct cgfs_group *g)
{
	struct empty_watch *e = &g->watch->empty;
	int populated;

	if (g->state != GROUP_LIVE)
		return;
	populated = procs_populated(g);
	if (populated < 0 && !is_gone(populated)) {
		/* The kernel does not notify of this change again. */
		e->unsure = true;
		events_timer(g->c, AGAIN_US);
		return;
	}
	e->unsure = false;
	if (populated > 0) {
		e->populated = true;
		e->look_at = 0;
	} else if (e->populated) {
		empty_tell(g);
	} else if (now_ns(CLOCK_MONOTONIC) < e->quiet_until) {
		e->used_us = unified_cpu_time(g);
	} else if (!e->look_at && unified_cpu_time(g) > e->used_us) {
		/* No process was seen, but one has lived here. */
		empty_look_later(e, g->c);
	}
}

static void empty_step(struct cgfs_group *g)
{
	struct empty_watch *e = &g->watch->empty;

	if (e->unsure)
		empty_look(g);
	if (g->state != GROUP_LIVE || !events_due(g->c, e->look_at))
		return;
	if (procs_populated(g) != 0)
		empty_look(g);
	else
		empty_tell(g);
}

static void joined(struct cgfs_group *g)
{
	struct empty_watch *e = &g->watch->empty;

	if (e->wd < 0)
		return;
	e->populated = true;
	/* It may have ended before, or on the way: then nothing will be announced. */
	if (procs_populated(g) <= 0)
		empty_look_later(e, g->c);
}

void watch_joined(struct cgfs_group *g)
{
	if (g->watch)
		joined(g);
	if (g->pod && g->pod->watch)
		joined(g->pod);
}

int cgfs_group_watch_empty(struct cgfs_group *g, bool on, struct cgfs_err *reterr)
{
	struct watch_set *w = watch_set(g);
	struct empty_watch *e;
	int r;

	if (!w)
		return err_value(reterr, -ENOMEM, "watch for emptiness", g->rel, NULL);
	e = &w->empty;
	if (!on) {
		events_unwatch(g, empty_look, &e->wd);
		e->look_at = 0;
		e->unsure = false;
		return 0;
	}
	if (e->wd >= 0)
		return 0;
	r = procs_watch(g, empty_look, &e->wd, reterr);
	if (r == -EOPNOTSUPP)
		return r;
	if (r == 0) {
		r = procs_populated(g);
		if (r < 0)
			err_file(reterr, r, "read", g->path);
	}
	if (r < 0) {
		events_unwatch(g, empty_look, &e->wd);
		return cgfs_err_context(reterr, r, "watch for emptiness of \"%.80s\"", g->rel);
	}
	e->populated = r > 0;
	e->unsure = false;
	e->used_us = unified_cpu_time(g);
	e->quiet_until = 0;
	return 0;
}

/* -- all of them ----------------------------------------------------------------------------- */

void watch_step(struct cgfs_group *g, bool missed)
{
	memory_step(g, missed);
	if (missed) {
		pressure_fired(g);
		if (g->watch->empty.wd >= 0)
			empty_look(g);
	}
	empty_step(g);
}

void watch_free(struct cgfs_group *g)
{
	struct watch_set *w = g->watch;

	if (!w)
		return;
	if (threshold_ops(g->c))
		memory_end(g);
	for (size_t i = 0; i < ARRAY_SIZE(w->pressure); i++)
		pressure_close(g, &w->pressure[i]);
	events_unwatch(g, empty_look, &w->empty.wd);
	free(w);
	g->watch = NULL;
}
