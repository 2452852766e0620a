/* SPDX-License-Identifier: MIT */
/*
 * events.c - one descriptor for everything that happens: an epoll set that holds one inotify
 * instance, the policy's descriptor, a timer, and the eventfds that v1 needs.  All of them stay
 * readable until they are read, so a caller may poll the set's descriptor in a set of its own.
 * Knows neither control files nor why they are watched.
 */
#include "cgfs/event/events.h"

#include "cgfs/base/clock.h"
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/event/queue.h"
#include "cgfs/event/watches.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/walk.h"

#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>

#define POLICY_EVENTS_MAX 256 /* in one dispatch */

struct events {
	int epoll, timer;
	int notify; /* -EBADF until a file is watched */
	int policy; /* borrowed from the policy; -EBADF without one */
	struct watches files, counters;
	struct event_queue queue;
	uint64_t timer_at; /* CLOCK_MONOTONIC; 0: not armed */
};

/* -- the set --------------------------------------------------------------------------------- */

static int poll_add(struct events *e, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int poll_new(struct events *e)
{
	int r;

	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (e->epoll < 0)
		return -errno;
	e->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (e->timer < 0)
		return -errno;
	r = queue_open(&e->queue);
	if (r == 0)
		r = poll_add(e, e->timer);
	return r < 0 ? r : poll_add(e, e->queue.fd);
}

int events_new(struct cgfs *c, struct cgfs_err *reterr)
{
	struct events *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return err_file(reterr, -ENOMEM, "open event descriptor", NULL);
	e->epoll = e->timer = e->queue.fd = e->notify = e->policy = -EBADF;
	c->events = e;
	r = poll_new(e);
	if (r == 0 && c->policy) {
		r = c->policy->ops->event_fd(c->policy->ctx);
		if (r >= 0) {
			e->policy = r;
			r = poll_add(e, e->policy);
		} else if (r == -ENOTSUP) {
			r = 0;
		}
	}
	return r < 0 ? err_file(reterr, r, "open event descriptor", NULL) : 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void events_free(struct cgfs *c)
{
	struct events *e = c->events;

	if (!e)
		return;
	queue_free(&e->queue);
	watches_free(&e->files);
	watches_free(&e->counters);
	close_fd(e->notify);
	close_fd(e->timer);
	close_fd(e->epoll);
	free(e);
	c->events = NULL;
}

int cgfs_event_fd(struct cgfs *c)
{
	return c->events->epoll;
}

void events_init(struct cgfs_event *ev, enum cgfs_event_type type, const struct cgfs_group *g)
{
	*ev = (struct cgfs_event){
		.sz = sizeof(*ev),
		.type = type,
		.time_ns = now_ns(CLOCK_BOOTTIME),
		.cgroup_id = g->cgroup_id,
	};
	snprintf(ev->pod, sizeof(ev->pod), "%s", g->is_pod ? g->id : g->pod ? g->pod->id : "");
	snprintf(ev->container, sizeof(ev->container), "%s", g->is_pod ? "" : g->id);
}

struct queued *events_reserve(void)
{
	return malloc(sizeof(struct queued));
}

void events_push_in(struct cgfs *c, struct queued *q, const struct cgfs_event *ev)
{
	q->ev = *ev;
	queue_append(&c->events->queue, q);
}

void events_push(struct cgfs *c, const struct cgfs_event *ev)
{
	queue_push(&c->events->queue, ev);
}

/* -- files and counters ---------------------------------------------------------------------- */

static int notify_open(struct cgfs *c)
{
	struct events *e = c->events;
	int r;

	if (e->notify >= 0)
		return 0;
	r = c->fs->ops->notify_open(c->fs->ctx);
	if (r < 0)
		return r;
	e->notify = r;
	r = poll_add(e, e->notify);
	if (r < 0)
		close_fd(take_fd(&e->notify));
	return r;
}

int events_watch(struct cgfs_group *g, const char *file, void (*fn)(struct cgfs_group *g),
		 int *ret_wd)
{
	struct cgfs *c = g->c;
	int r, wd, fd;

	r = notify_open(c);
	if (r == 0)
		r = group_dir(g, c->unified, &fd, NULL);
	if (r < 0)
		return r;
	wd = c->fs->ops->notify_add(c->fs->ctx, c->events->notify, fd, file);
	if (wd < 0)
		return wd;
	/* Asked for twice by the same function: still one watch. */
	r = watches_find(&c->events->files, wd, g, fn) ? 0
						       : watches_add(&c->events->files, wd, g, fn);
	if (r < 0) {
		if (!watches_find(&c->events->files, wd, NULL, NULL))
			ignore(c->fs->ops->notify_remove(c->fs->ctx, c->events->notify, wd));
		return r;
	}
	*ret_wd = wd;
	return 0;
}

void events_unwatch(struct cgfs_group *g, void (*fn)(struct cgfs_group *g), int *wd)
{
	struct cgfs *c = g->c;

	if (*wd < 0)
		return;
	watches_remove(&c->events->files, *wd, g, fn);
	/* Fails when the directory, and with it the watch, is gone already. */
	if (!watches_find(&c->events->files, *wd, NULL, NULL))
		ignore(c->fs->ops->notify_remove(c->fs->ctx, c->events->notify, *wd));
	*wd = -EBADF;
}

int events_add_counter(struct cgfs_group *g, void (*fn)(struct cgfs_group *g), int *ret_fd)
{
	struct events *e = g->c->events;
	auto_fd int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = fd < 0 ? -errno : watches_add(&e->counters, fd, g, fn);

	if (r < 0)
		return r;
	r = poll_add(e, fd);
	if (r < 0)
		watches_remove(&e->counters, fd, g, fn);
	else
		*ret_fd = take_fd(&fd);
	return r;
}

uint64_t events_read_counter(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? count : 0;
}

void events_drop_counter(struct cgfs *c, int *fd)
{
	if (*fd < 0)
		return;
	watches_remove(&c->events->counters, *fd, NULL, NULL);
	/* A child that has not called exec yet keeps it open, and would keep it in the set. */
	epoll_ctl(c->events->epoll, EPOLL_CTL_DEL, *fd, NULL);
	close(take_fd(fd));
}

uint64_t events_timer(struct cgfs *c, uint64_t delay_us)
{
	struct events *e = c->events;
	uint64_t at = now_ns(CLOCK_MONOTONIC) + delay_us * 1000;
	struct itimerspec its = {
		.it_value = { (time_t)(at / 1000000000u), (long)(at % 1000000000u) },
	};

	if (!e->timer_at || e->timer_at > at) {
		e->timer_at = at;
		timerfd_settime(e->timer, TFD_TIMER_ABSTIME, &its, NULL);
	}
	return at;
}

bool events_due(struct cgfs *c, uint64_t at)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (at > now)
		events_timer(c, (at - now) / 1000 + 1);
	return at && at <= now;
}

/* -- dispatch -------------------------------------------------------------------------------- */

static int read_notify(struct cgfs *c)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct events *e = c->events;
	bool missed = false;
	ssize_t n;

	while ((n = read(e->notify, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *ie = (const struct inotify_event *)p;

			p += sizeof(*ie) + ie->len;
			if (ie->mask & IN_Q_OVERFLOW)
				missed = true;
			else
				watches_call(&e->files, ie->wd);
		}
	}
	n = n < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
	if (missed)
		c->round(c, true);
	return (int)n;
}

static int read_policy(struct cgfs *c, struct cgfs_err *reterr)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;
	int r;

	/* A container can make them as fast as they are read; what is left keeps the descriptor
	 * readable. */
	for (int n = 0; n < POLICY_EVENTS_MAX; n++) {
		r = c->policy->ops->event_read(c->policy->ctx, &ev, reterr);
		if (r <= 0)
			return r;
		events_push(c, &ev);
	}
	return 0;
}

static void timer_round(struct cgfs *c)
{
	uint64_t count;

	ignore(read(c->events->timer, &count, sizeof(count)));
	c->events->timer_at = 0;
	c->round(c, false);
}

static int ready(struct cgfs *c, int fd, struct cgfs_err *reterr)
{
	struct events *e = c->events;
	int r = 0;

	if (fd == e->queue.fd)
		return 0;
	if (fd == e->timer) {
		timer_round(c);
	} else if (fd == e->notify) {
		r = read_notify(c);
		if (r < 0)
			err_file(reterr, r, "read inotify", NULL);
	} else if (fd == e->policy) {
		r = read_policy(c, reterr);
	} else {
		watches_call(&e->counters, fd); /* the callback reads it */
	}
	return r;
}

int events_dispatch(struct cgfs *c, struct cgfs_err *reterr)
{
	struct epoll_event evs[32];
	int n, r, result = 0;

	n = epoll_wait(c->events->epoll, evs, ARRAY_SIZE(evs), 0);
	if (n < 0)
		return errno == EINTR ? 0 : err_file(reterr, -errno, "epoll_wait", NULL);
	c->step_until = now_ns(CLOCK_MONOTONIC) + TREE_STEP_NS;
	for (int i = 0; i < n; i++) {
		r = ready(c, evs[i].data.fd, reterr);
		if (r < 0 && result == 0)
			result = r;
	}
	c->step_until = 0;
	return result;
}

int events_wait(struct cgfs *c, uint64_t deadline_ns)
{
	struct pollfd pfd[] = { { .fd = c->events->timer, .events = POLLIN },
				{ .fd = c->events->notify, .events = POLLIN },
				{ .fd = c->events->policy, .events = POLLIN } };
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	struct timespec ts;
	uint64_t left;

	/* Not the epoll descriptor: it stays readable while the caller's queue has events. */
	if (now >= deadline_ns)
		return -ETIMEDOUT;
	left = deadline_ns - now;
	ts = (struct timespec){ (time_t)(left / 1000000000u), (long)(left % 1000000000u) };
	if (ppoll(pfd, ARRAY_SIZE(pfd), &ts, NULL) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

int cgfs_event_read(struct cgfs *c, struct cgfs_event *ret_event, struct cgfs_err *reterr)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;
	int r = SIZED_CHECK(ret_event, reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "read an event");
	if (!queue_pop(&c->events->queue, &ev)) {
		r = events_dispatch(c, reterr);
		if (!queue_pop(&c->events->queue, &ev))
			return r;
	}
	SIZED_OUT(ret_event, &ev);
	return 1;
}
