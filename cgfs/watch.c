/* SPDX-License-Identifier: MIT */
/*
 * watch.c - what a caller asks to be told of: a memory threshold, pressure, emptiness.
 * The queue and the descriptors are events.c's; how a version tells is controller/threshold.c's.
 */
#include "controller/threshold.h"
#include "core.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>

/* Between two looks while usage is over a threshold. */
#define FALL_US 250000

struct memory_watch {
	uint64_t high, low; /* high 0: no watch */
	bool above;
	struct threshold_wire wire;
};

struct pressure_watch {
	int fd; /* -EBADF: no watch */
	uint64_t stall_us, window_us;
};

struct watch_set {
	struct memory_watch memory;
	struct pressure_watch pressure[3];
	int empty_wd;
	bool populated;
};

static struct watch_set *watch_set(struct cgfs_group *g)
{
	struct watch_set *w = g->watch;

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->memory.wire.counter = w->memory.wire.wd = w->empty_wd = -EBADF;
	w->memory.wire.usage = (struct door_fd){ g->c, -EBADF };
	for (size_t i = 0; i < ARRAY_SIZE(w->pressure); i++)
		w->pressure[i].fd = -EBADF;
	g->watch = w;
	return w;
}

static int refuse(const struct cgfs_group *g, int code, const char *what, const char *why,
		  struct cgfs_err *reterr)
{
	cgfs_err_set(reterr, code, what, NULL, g->rel, why ? "%s" : NULL, why);
	return code;
}

/* -- memory ---------------------------------------------------------------------------------- */

static void memory_fired(struct cgfs_group *g);

static int memory_arm(struct cgfs_group *g)
{
	struct memory_watch *m = &g->watch->memory;

	m->above = false;
	return threshold_ops(g->c)->arm(g, &m->wire, m->high, memory_fired);
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
	if (usage > g->watch->memory.low)
		events_timer(g->c, FALL_US);
	else
		/* It may have a memory.high of its own by now: then that is the alarm. */
		(void)!memory_arm(g);
}

/* Usage may be below again by the time that this runs; it has been above all the same. */
static void memory_fired(struct cgfs_group *g)
{
	struct memory_watch *m = &g->watch->memory;
	uint64_t usage;

	if (!m->high || threshold_ops(g->c)->usage(g, &usage) < 0)
		return;
	if (!m->above && threshold_ops(g->c)->crossed(g, &m->wire))
		memory_event(g, usage);
	if (m->above)
		memory_fall(g, usage);
}

/* When the watch begins, and while usage is above: nothing has fired, usage itself counts. */
static void memory_look(struct cgfs_group *g)
{
	struct memory_watch *m = &g->watch->memory;
	uint64_t usage;

	if (!m->high || threshold_ops(g->c)->usage(g, &usage) < 0)
		return;
	if (!m->above && usage >= m->high)
		memory_event(g, usage);
	if (m->above)
		memory_fall(g, usage);
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
	if (!threshold_bytes)
		return 0;
	r = memory_arm(g);
	if (r < 0) {
		ops->disarm(g, &w->memory.wire);
		w->memory.high = 0;
		return refuse(g, r, what,
			      r == -EBUSY ? "it has a memory.high at or below the threshold" : NULL,
			      reterr);
	}
	memory_look(g); /* it may be above already */
	return 0;
}

/* -- pressure -------------------------------------------------------------------------------- */

static const char *const pressure_files[] = { "cpu.pressure", "memory.pressure", "io.pressure" };

static void pressure_close(struct cgfs_group *g, struct pressure_watch *p)
{
	if (p->fd < 0)
		return;
	events_drop_fd(g->c, p->fd);
	fs_close(g->c, &p->fd);
}

static void pressure_fired(struct cgfs_group *g)
{
	/* Which of the three it was, poll(2) alone can say. */
	for (size_t i = 0; i < ARRAY_SIZE(pressure_files); i++) {
		struct pressure_watch *p = &g->watch->pressure[i];
		uint32_t ready = p->fd < 0 ? 0 : events_fd_poll(p->fd, EPOLLPRI);
		struct cgfs_event ev;

		if (ready & EPOLLERR) /* the cgroup is gone; it would be ready for ever */
			pressure_close(g, p);
		if (!(ready & EPOLLPRI) || (ready & EPOLLERR))
			continue;
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
	r = n < 0 ? (int)n : events_add_fd(g, p->fd, EPOLLPRI, pressure_fired);
	if (r < 0)
		fs_close(g->c, &p->fd);
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
	r = pressure_open(g, what, trigger);
	if (r < 0) {
		cgfs_err_set(reterr, r, "write", pressure_files[what], trigger, NULL);
		return cgfs_err_context(reterr, r, "watch pressure of \"%.80s\"", g->rel);
	}
	w->pressure[what].stall_us = stall_us;
	w->pressure[what].window_us = window_us;
	return 0;
}

/* -- emptiness ------------------------------------------------------------------------------- */

static void empty_look(struct cgfs_group *g)
{
	struct watch_set *w = g->watch;
	bool populated = group_populated(g);
	struct cgfs_event ev;

	if (w->populated && !populated && g->state == GROUP_LIVE) {
		events_init(&ev, CGFS_EVENT_EMPTY, g);
		events_push(g->c, &ev);
	}
	w->populated = populated;
}

int cgfs_group_watch_empty(struct cgfs_group *g, bool on, struct cgfs_err *reterr)
{
	struct watch_set *w = watch_set(g);
	int r;

	if (!w)
		return refuse(g, -ENOMEM, "watch for emptiness", NULL, reterr);
	if (!on) {
		events_unwatch(g->c, empty_look, &w->empty_wd);
		return 0;
	}
	if (g->c->unified < 0)
		return refuse(g, -EOPNOTSUPP, "watch for emptiness", "there is no cgroup2 tree",
			      reterr);
	r = events_watch(g, "cgroup.events", empty_look, &w->empty_wd);
	if (r < 0)
		return refuse(g, r, "watch for emptiness", NULL, reterr);
	w->populated = group_populated(g);
	return 0;
}

/* -- both ------------------------------------------------------------------------------------ */

void watch_step(struct cgfs_group *g)
{
	if (g->watch->memory.high)
		memory_look(g);
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
	events_unwatch(g->c, empty_look, &w->empty_wd);
	free(w);
	g->watch = NULL;
}
