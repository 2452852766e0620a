/* SPDX-License-Identifier: MIT */
/*
 * loop.c - epoll, one timerfd for all timers, one signalfd for all children.
 *
 * The ends of children come by SIGCHLD and waitpid(-1) rather than by a pidfd for each: the agent
 * is the reaper of its containers' orphans, whose pids it does not know beforehand, and one
 * descriptor serves any number of containers.  Knows nothing of what the children are.
 */
#include "agent/base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"

#define CHILD_BUCKETS 256
#define ORPHANS_MAX   256
/* The ends of children have a turn of so many, or of so long. */
#define REAP_MAX      64
#define REAP_MS	      4

struct orphan {
	pid_t pid;
	int status;
};

struct loop {
	int epoll;
	bool stop;
	struct loop_fd timer_fd, signal_fd;
	struct loop_timer **heap; /* 1-based */
	size_t timers, room;
	struct loop_child *child[CHILD_BUCKETS];
	struct orphan orphan[ORPHANS_MAX]; /* a ring */
	size_t orphans;
	int keep;
	void (*on_signal)(void *ctx, int sig);
	void *on_signal_ctx;
};

int loop_set(struct loop *l, struct loop_fd *f, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = f };
	int op = !f->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (f->events == events)
		return 0;
	if (epoll_ctl(l->epoll, op, f->fd, &ev) < 0)
		return -errno;
	f->events = events;
	return 0;
}

/* --- timers: a binary heap, the earliest at [1] --------------------------------------------- */

static void place(struct loop *l, size_t i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->index = i;
}

static void sift(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	for (; i > 1 && l->heap[i / 2]->at_ms > t->at_ms; i /= 2)
		place(l, i, l->heap[i / 2]);
	for (;;) {
		size_t down = i * 2;

		if (down + 1 <= l->timers && l->heap[down + 1]->at_ms < l->heap[down]->at_ms)
			down++;
		if (down > l->timers || l->heap[down]->at_ms >= t->at_ms)
			break;
		place(l, i, l->heap[down]);
		i = down;
	}
	place(l, i, t);
}

static void arm(struct loop *l)
{
	struct itimerspec its = { 0 };

	if (l->timers > 0) {
		uint64_t at = l->heap[1]->at_ms;

		its.it_value.tv_sec = (time_t)(at / 1000);
		its.it_value.tv_nsec = (long)(at % 1000) * 1000000;
		if (at == 0)
			its.it_value.tv_nsec = 1;
	}
	(void)timerfd_settime(l->timer_fd.fd, TFD_TIMER_ABSTIME, &its, NULL);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
	size_t i = t->index;

	if (i == 0)
		return;
	t->index = 0;
	if (i < l->timers) {
		place(l, i, l->heap[l->timers--]);
		sift(l, i);
	} else {
		l->timers--;
	}
	if (i == 1)
		arm(l);
}

int loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t delay_ms)
{
	loop_timer_clear(l, t);
	if (l->timers + 1 >= l->room) {
		size_t room = l->room ? l->room * 2 : 16;
		struct loop_timer **heap = reallocarray(l->heap, room, sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		l->heap = heap;
		l->room = room;
	}
	t->at_ms = now_ms() + delay_ms;
	place(l, ++l->timers, t);
	sift(l, l->timers);
	if (t->index == 1)
		arm(l);
	return 0;
}

static void on_timer(void *ctx, uint32_t events)
{
	struct loop *l = ctx;
	uint64_t now = now_ms();
	uint64_t n;

	if (read(l->timer_fd.fd, &n, sizeof(n)) < 0)
		return;
	while (l->timers > 0 && l->heap[1]->at_ms <= now) {
		struct loop_timer *t = l->heap[1];

		loop_timer_clear(l, t);
		t->fn(t->ctx);
	}
	arm(l);
}

/* --- children ------------------------------------------------------------------------------- */

static struct loop_child **child_slot(struct loop *l, pid_t pid)
{
	struct loop_child **at = &l->child[(unsigned int)pid % CHILD_BUCKETS];

	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	return at;
}

void loop_orphans_keep(struct loop *l, int delta)
{
	l->keep += delta;
	if (l->keep == 0)
		l->orphans = 0;
}

bool loop_child_watch(struct loop *l, struct loop_child *c, pid_t pid, int *ret_status)
{
	size_t first = l->orphans > ORPHANS_MAX ? l->orphans - ORPHANS_MAX : 0;
	struct loop_child **at;

	/* The newest entry, should a pid be there twice. */
	for (size_t i = l->orphans; i-- > first;) {
		struct orphan *o = &l->orphan[i % ORPHANS_MAX];

		if (o->pid == pid) {
			*ret_status = o->status;
			o->pid = 0;
			return true;
		}
	}
	at = child_slot(l, pid);
	c->pid = pid;
	c->next = *at;
	*at = c;
	return false;
}

void loop_child_unwatch(struct loop *l, struct loop_child *c)
{
	struct loop_child **at;

	if (c->pid == 0)
		return;
	at = &l->child[(unsigned int)c->pid % CHILD_BUCKETS];
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->pid = 0;
}

static void child_ended(struct loop *l, pid_t pid, int status)
{
	struct loop_child *c = *child_slot(l, pid);

	if (c) {
		loop_child_unwatch(l, c);
		c->fn(c->ctx, status);
	} else if (l->keep > 0) {
		l->orphan[l->orphans++ % ORPHANS_MAX] = (struct orphan){ pid, status };
	}
}

static void on_signalfd(void *ctx, uint32_t events)
{
	struct loop *l = ctx;
	struct signalfd_siginfo si;
	uint64_t until = now_ms() + REAP_MS;
	int status;
	pid_t pid;

	if (read(l->signal_fd.fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo != SIGCHLD) {
		if (l->on_signal)
			l->on_signal(l->on_signal_ctx, (int)si.ssi_signo);
		return;
	}
	/* Orphans can be thousands at once, and the end of a container takes milliseconds; others
	 * have their turn. */
	for (int i = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0; i++) {
		child_ended(l, pid, status);
		if (i == REAP_MAX || now_ms() >= until) {
			kill(getpid(), SIGCHLD);
			break;
		}
	}
}

void loop_on_signal(struct loop *l, void (*fn)(void *ctx, int sig), void *ctx)
{
	l->on_signal = fn;
	l->on_signal_ctx = ctx;
}

/* --- life ----------------------------------------------------------------------------------- */

static int open_all(struct loop *l)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	/* If the parent has it ignored, the kernel reaps our children without a report. */
	signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	l->signal_fd.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->epoll < 0 || l->timer_fd.fd < 0 || l->signal_fd.fd < 0)
		return -errno;

	l->timer_fd.fn = on_timer;
	l->signal_fd.fn = on_signalfd;
	l->timer_fd.ctx = l->signal_fd.ctx = l;
	r = loop_set(l, &l->timer_fd, EPOLLIN);
	return r < 0 ? r : loop_set(l, &l->signal_fd, EPOLLIN);
}

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->epoll = l->timer_fd.fd = l->signal_fd.fd = -EBADF;
	r = open_all(l);
	if (r < 0) {
		loop_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	close_fd(l->signal_fd.fd);
	close_fd(l->timer_fd.fd);
	close_fd(l->epoll);
	free(l->heap);
	free(l);
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

int loop_run(struct loop *l)
{
	l->stop = false;
	while (!l->stop) {
		struct epoll_event ev;
		struct loop_fd *f;
		int n;

		/* One at a time: a callback may free what a second event would point to. */
		n = epoll_wait(l->epoll, &ev, 1, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 1)
			continue;
		f = ev.data.ptr;
		f->fn(f->ctx, ev.events);
	}
	return 0;
}
