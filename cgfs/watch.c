/* SPDX-License-Identifier: MIT */
/*
 * watch.c - what a caller asks to be told of: a memory threshold, pressure, emptiness.
 * The queue and the descriptors are events.c's; how a version tells is controller/threshold.c's.
 */
#include "controller/threshold.h"
#include "core.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

/* Between two looks while usage is over a threshold. */
#define FALL_US 250000

/* The kernel announces a file again at most each 10 ms, so what is told may be over by then.  After
 * so long nothing is under way any more, nor does a process use time that has left its cgroup. */
#define SETTLE_US 40000

/* Until the next try after a read that failed. */
#define AGAIN_US 10000

struct memory_watch {
	uint64_t high, low; /* high 0: no watch */
	bool above;
	bool crossed, missed; /* it fired; it could not be looked at */
	uint64_t look_at;     /* then usage is looked at; 0: when the kernel tells */
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
	uint64_t used_us;     /* CPU time that is accounted for by what was told */
	uint64_t quiet_until; /* changes until then are the end of what was told; monotonic, ns */
	uint64_t look_at;     /* somebody was there and may be gone: look again then; 0: not */
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

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

static int refuse(const struct cgfs_group *g, int code, const char *what, const char *why,
		  struct cgfs_err *reterr)
{
	cgfs_err_set(reterr, code, what, NULL, g->rel, why ? "%s" : NULL, why);
	return code;
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
	struct cgfs_event ev;

	m->above = true;
	threshold_ops(g->c)->fired(g, &m->wire);
	events_init(&ev, CGFS_EVENT_MEMORY_THRESHOLD, g);
	ev.threshold = m->high;
	ev.value = usage;
	events_push(g->c, &ev);
}

/* Neither version tells when usage has fallen far enough: look until it has. */
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
	/* Between the two it may have gone over, of which nobody tells. */
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
	/* Nobody tells of this crossing again. */
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
	int r;

	r = threshold_ops(g->c)->usage(g, &usage, reterr);
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

int cgfs_group_watch_memory(struct cgfs_group *g, uint64_t threshold_bytes,
			    uint64_t hysteresis_bytes, struct cgfs_err *reterr)
{
	const struct threshold_ops *ops = threshold_ops(g->c);
	const char *what = "watch memory of";
	struct watch_set *w;
	int r;

	if (!ops)
		return refuse(g, -ENODEV, what, "the memory controller is not on this host",
			      reterr);
	if (threshold_bytes && hysteresis_bytes >= threshold_bytes)
		return refuse(g, -EINVAL, what, "the hysteresis must be below the threshold",
			      reterr);
	w = watch_set(g);
	if (!w)
		return refuse(g, -ENOMEM, what, NULL, reterr);
	ops->disarm(g, &w->memory.wire);
	w->memory.high = threshold_bytes;
	w->memory.low = threshold_bytes - hysteresis_bytes;
	w->memory.above = w->memory.missed = w->memory.crossed = false;
	w->memory.look_at = 0;
	if (!threshold_bytes)
		return 0;
	r = memory_arm(g, reterr);
	if (r == 0)
		r = memory_look(g, reterr); /* it may be above already */
	if (r < 0) {
		ops->disarm(g, &w->memory.wire);
		w->memory.high = 0;
		return cgfs_err_context(reterr, r, "watch memory of \"%.80s\"", g->rel);
	}
	return 0;
}

/* -- pressure -------------------------------------------------------------------------------- */

static const char *const pressure_files[] = { "cpu.pressure", "memory.pressure", "io.pressure" };

static void pressure_fired(struct cgfs_group *g);

static void pressure_close(struct cgfs_group *g, struct pressure_watch *p)
{
	events_unwatch(g, pressure_fired, &p->wd);
	fs_close(g->c, &p->fd);
}

/*
 * The kernel hands out a trigger's event once, to whoever polls its descriptor first: in an epoll
 * set that would be anybody who polls that set.  So only this function does, when inotify has
 * told that a trigger of the file, perhaps somebody else's, has fired.
 */
static void pressure_fired(struct cgfs_group *g)
{
	for (size_t i = 0; i < ARRAY_SIZE(pressure_files); i++) {
		struct pressure_watch *p = &g->watch->pressure[i];
		struct pollfd pfd = { .fd = p->fd, .events = POLLPRI };
		struct cgfs_event ev;

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

static int pressure_open(struct cgfs_group *g, enum cgfs_pressure what, const char *trigger)
{
	struct pressure_watch *p = &g->watch->pressure[what];
	ssize_t n;
	int r, dir;

	r = group_dir(g, g->c->unified, &dir, NULL);
	if (r < 0)
		return r;
	p->fd = fs_open(g->c, dir, pressure_files[what], O_RDWR);
	if (p->fd < 0)
		return p->fd == -ENOENT ? -EOPNOTSUPP : p->fd;
	/* The kernel wants the terminating NUL to be counted. */
	n = g->c->fs->ops->write(g->c->fs->ctx, p->fd, trigger, strlen(trigger) + 1);
	r = n < 0 ? (int)n : events_watch(g, pressure_files[what], pressure_fired, &p->wd);
	if (r < 0)
		pressure_close(g, p);
	return r;
}

int cgfs_group_watch_pressure(struct cgfs_group *g, enum cgfs_pressure what, bool full,
			      uint64_t stall_us, uint64_t window_us, struct cgfs_err *reterr)
{
	struct watch_set *w = watch_set(g);
	char trigger[64];
	int r;

	if (!w)
		return refuse(g, -ENOMEM, "watch pressure of", NULL, reterr);
	if ((unsigned int)what >= ARRAY_SIZE(pressure_files))
		return refuse(g, -EINVAL, "watch pressure of", "no such pressure", reterr);
	pressure_close(g, &w->pressure[what]);
	if (!stall_us)
		return 0;
	if (g->c->unified < 0 || g->c->fs != cgfs_fs_kernel())
		return refuse(g, -EOPNOTSUPP, "watch pressure of", "there is no cgroup2 tree",
			      reterr);
	snprintf(trigger, sizeof(trigger), "%s %" PRIu64 " %" PRIu64, full ? "full" : "some",
		 stall_us, window_us);
	w->pressure[what].stall_us = stall_us;
	w->pressure[what].window_us = window_us;
	r = pressure_open(g, what, trigger);
	if (r < 0) {
		struct cgfs_dir d = { g, g->c->unified, NULL };

		dir_error(&d, r, "write", pressure_files[what], trigger, reterr);
		return cgfs_err_context(reterr, r, "watch pressure of \"%.80s\"", g->rel);
	}
	/* Under pressure it may have fired before inotify watched it, and is not told of again
	 * until somebody has taken the event. */
	pressure_fired(g);
	return 0;
}

/* -- emptiness ------------------------------------------------------------------------------- */

static void empty_tell(struct cgfs_group *g)
{
	struct empty_watch *e = &g->watch->empty;
	struct cgfs_event ev;

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

/* cgroup.events has changed. */
static void empty_look(struct cgfs_group *g)
{
	struct empty_watch *e = &g->watch->empty;
	int populated;

	if (g->state != GROUP_LIVE)
		return;
	populated = group_populated(g);
	if (populated < 0 && !is_gone(populated)) {
		/* Nobody tells of this change again. */
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
		/* Nobody was seen, but somebody has lived here. */
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
	if (group_populated(g) != 0)
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
	if (group_populated(g) <= 0)
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
		return refuse(g, -ENOMEM, "watch for emptiness", NULL, reterr);
	e = &w->empty;
	if (!on) {
		events_unwatch(g, empty_look, &e->wd);
		e->look_at = 0;
		e->unsure = false;
		return 0;
	}
	if (g->c->unified < 0)
		return refuse(g, -EOPNOTSUPP, "watch for emptiness", "there is no cgroup2 tree",
			      reterr);
	if (e->wd >= 0)
		return 0;
	r = events_watch(g, "cgroup.events", empty_look, &e->wd);
	if (r == 0)
		r = group_populated(g);
	if (r < 0) {
		struct cgfs_dir d = { g, g->c->unified, NULL };

		events_unwatch(g, empty_look, &e->wd);
		dir_error(&d, r, "watch", "cgroup.events", NULL, reterr);
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
		threshold_ops(g->c)->disarm(g, &w->memory.wire);
	for (size_t i = 0; i < ARRAY_SIZE(w->pressure); i++)
		pressure_close(g, &w->pressure[i]);
	events_unwatch(g, empty_look, &w->empty.wd);
	free(w);
	g->watch = NULL;
}
