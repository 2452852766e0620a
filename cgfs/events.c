/* SPDX-License-Identifier: MIT */
/*
 * events.c - one descriptor for everything that happens: an epoll set that holds one inotify
 * instance, the policy's descriptor, a timer, and the eventfds that v1 needs.  Owns the queue
 * of events.  Knows neither control files nor why somebody watches them.
 */
#include "core.h"
#include "watches.h"

#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>

struct queued {
	struct queued *next;
	struct cgfs_event ev;
};

struct events {
	int epoll, timer;
	int queue_fd; /* readable while the queue is not empty */
	int notify;   /* -EBADF until somebody watches a file */
	int policy;   /* borrowed from the policy; -EBADF without one */
	struct watches files, fds;
	struct queued *first, **last;
	uint64_t timer_at; /* CLOCK_MONOTONIC; 0: not armed */
};

uint64_t now_ns(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

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
	e->queue_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->queue_fd < 0)
		return -errno;
	r = poll_add(e, e->timer);
	return r < 0 ? r : poll_add(e, e->queue_fd);
}

int events_new(struct cgfs *c, struct cgfs_err *reterr)
{
	struct events *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return cgfs_err_set(reterr, -ENOMEM, "open event descriptor", NULL, NULL, NULL);
	e->epoll = e->timer = e->queue_fd = e->notify = e->policy = -EBADF;
	e->last = &e->first;
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
	return r < 0 ? cgfs_err_set(reterr, r, "open event descriptor", NULL, NULL, NULL) : 0;
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
	while (e->first) {
		struct queued *q = e->first;

		e->first = q->next;
		free(q);
	}
	watches_free(&e->files);
	watches_free(&e->fds);
	close_fd(e->notify);
	close_fd(e->queue_fd);
	close_fd(e->timer);
	close_fd(e->epoll);
	free(e);
	c->events = NULL;
}

int cgfs_event_fd(struct cgfs *c)
{
	return c->events->epoll;
}

/* -- the queue ------------------------------------------------------------------------------- */

void events_init(struct cgfs_event *ev, enum cgfs_event_type type, const struct cgfs_group *g)
{
	*ev = (struct cgfs_event){
		.type = type,
		.time_ns = now_ns(CLOCK_BOOTTIME),
		.cgroup_id = g->cgroup_id,
	};
	snprintf(ev->pod, sizeof(ev->pod), "%s", g->is_pod ? g->id : g->pod ? g->pod->id : "");
	snprintf(ev->container, sizeof(ev->container), "%s", g->is_pod ? "" : g->id);
}

void events_push(struct cgfs *c, const struct cgfs_event *ev)
{
	struct events *e = c->events;
	struct queued *q = malloc(sizeof(*q));
	uint64_t one = 1;

	if (!q)
		return; /* out of memory: nothing better to do than to lose it */
	q->next = NULL;
	q->ev = *ev;
	*e->last = q;
	e->last = &q->next;
	(void)!write(e->queue_fd, &one, sizeof(one));
}

static bool pop(struct events *e, struct cgfs_event *ret)
{
	struct queued *q = e->first;
	uint64_t count;

	if (!q)
		return false;
	*ret = q->ev;
	e->first = q->next;
	if (!e->first) {
		e->last = &e->first;
		(void)!read(e->queue_fd, &count, sizeof(count));
	}
	free(q);
	return true;
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
	r = watches_find(&c->events->files, wd, fn) ? 0 : watches_add(&c->events->files, wd, g, fn);
	if (r < 0) {
		if (!watches_find(&c->events->files, wd, NULL))
			(void)!c->fs->ops->notify_remove(c->fs->ctx, c->events->notify, wd);
		return r;
	}
	*ret_wd = wd;
	return 0;
}

void events_unwatch(struct cgfs *c, void (*fn)(struct cgfs_group *g), int *wd)
{
	if (*wd < 0)
		return;
	watches_remove(&c->events->files, *wd, fn);
	/* Fails when the directory, and with it the watch, is gone already. */
	if (!watches_find(&c->events->files, *wd, NULL))
		(void)!c->fs->ops->notify_remove(c->fs->ctx, c->events->notify, *wd);
	*wd = -EBADF;
}

int events_add_fd(struct cgfs_group *g, int fd, uint32_t poll_events,
		  void (*fn)(struct cgfs_group *g))
{
	struct epoll_event ev = { .events = poll_events, .data.fd = fd };
	struct events *e = g->c->events;
	int r = watches_add(&e->fds, fd, g, fn);

	if (r == 0 && epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		r = -errno;
		watches_remove(&e->fds, fd, NULL);
	}
	return r;
}

uint32_t events_fd_poll(int fd, uint32_t poll_events)
{
	struct pollfd pfd = { .fd = fd, .events = (short)poll_events };

	return poll(&pfd, 1, 0) == 1 ? (uint32_t)pfd.revents : 0;
}

void events_drop_fd(struct cgfs *c, int fd)
{
	watches_remove(&c->events->fds, fd, NULL);
	epoll_ctl(c->events->epoll, EPOLL_CTL_DEL, fd, NULL);
}

int events_add_counter(struct cgfs_group *g, void (*fn)(struct cgfs_group *g), int *ret_fd)
{
	auto_fd int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = fd < 0 ? -errno : events_add_fd(g, fd, EPOLLIN, fn);

	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}

void events_drop_counter(struct cgfs *c, int *fd)
{
	if (*fd < 0)
		return;
	events_drop_fd(c, *fd);
	close(*fd);
	*fd = -EBADF;
}

void events_timer(struct cgfs *c, uint64_t delay_us)
{
	struct events *e = c->events;
	uint64_t at = now_ns(CLOCK_MONOTONIC) + delay_us * 1000;
	struct itimerspec its = {
		.it_value = { (time_t)(at / 1000000000u), (long)(at % 1000000000u) },
	};

	if (e->timer_at && e->timer_at <= at)
		return;
	e->timer_at = at;
	timerfd_settime(e->timer, TFD_TIMER_ABSTIME, &its, NULL);
}

/* -- dispatch -------------------------------------------------------------------------------- */

static int read_notify(struct events *e)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while ((n = read(e->notify, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *ie = (const struct inotify_event *)p;

			p += sizeof(*ie) + ie->len;
			watches_call(&e->files, ie->wd);
		}
	}
	return n < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}

static int read_policy(struct cgfs *c, struct cgfs_err *reterr)
{
	struct cgfs_event ev;
	int r;

	while ((r = c->policy->ops->event_read(c->policy->ctx, &ev, reterr)) > 0)
		events_push(c, &ev);
	return r;
}

/* Rounds for all that wait for time to pass.  A step may close no handle, so the list holds. */
static void timer_round(struct cgfs *c)
{
	uint64_t count;

	(void)!read(c->events->timer, &count, sizeof(count));
	c->events->timer_at = 0;
	for (struct cgfs_group *g = c->groups, *next; g; g = next) {
		next = g->next;
		if (g->removal)
			removal_step(g);
		if (g->oom)
			oom_step(g);
		if (g->watch)
			watch_step(g);
	}
}

static int ready(struct cgfs *c, int fd, uint32_t what, struct cgfs_err *reterr)
{
	struct events *e = c->events;
	uint64_t count;
	int r = 0;

	if (fd == e->queue_fd)
		return 0;
	if (fd == e->timer) {
		timer_round(c);
	} else if (fd == e->notify) {
		r = read_notify(e);
		if (r < 0)
			cgfs_err_set(reterr, r, "read inotify", NULL, NULL, NULL);
	} else if (fd == e->policy) {
		r = read_policy(c, reterr);
	} else {
		if (what & EPOLLIN)
			(void)!read(fd, &count, sizeof(count)); /* an eventfd */
		watches_call(&e->fds, fd);
	}
	return r;
}

int events_dispatch(struct cgfs *c, struct cgfs_err *reterr)
{
	struct epoll_event evs[32];
	int n, r, result = 0;

	n = epoll_wait(c->events->epoll, evs, ARRAY_SIZE(evs), 0);
	if (n < 0)
		return errno == EINTR
			       ? 0
			       : cgfs_err_set(reterr, -errno, "epoll_wait", NULL, NULL, NULL);
	for (int i = 0; i < n; i++) {
		r = ready(c, evs[i].data.fd, evs[i].events, reterr);
		if (r < 0 && result == 0)
			result = r;
	}
	return result;
}

int events_wait(struct cgfs *c, uint64_t deadline_ns)
{
	struct pollfd pfd[4] = { { .fd = c->events->timer, .events = POLLIN },
				 { .fd = c->events->notify, .events = POLLIN },
				 { .fd = c->events->policy, .events = POLLIN },
				 { .fd = -1 } };
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
	int r;

	if (pop(c->events, ret_event))
		return 1;
	r = events_dispatch(c, reterr);
	if (pop(c->events, ret_event))
		return 1;
	return r;
}
