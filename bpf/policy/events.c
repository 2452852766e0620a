/* SPDX-License-Identifier: MIT */
/*
 * events.c - ring buffer records, and what found no room in the rings, as struct cgfs_event.
 *
 * Kills come first.  Losses are looked for a second after the last record: the program counts
 * them in the groups, and the sum of all in one place, so nothing is read in quiet times.
 */
#include "bpf/policy/policy.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/sized.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#define PID_NS_INIT_INO 0xeffffffcu

/* Returning an error makes the library stop behind this record: one call, one event. */
static int on_record(void *ctx, void *data, size_t len)
{
	struct cgfs_bpf *b = ctx;
	struct cgfs_event *e = b->events.slot;
	bool found = false;

	FOR_ALL (b, o, record)
		found = found || o->ops->record(o, data, len, e);
	if (!found)
		return 0;
	if (b->events.foreign_pids)
		e->pid = 0;
	e->comm[sizeof(e->comm) - 1] = '\0';
	return -ECANCELED;
}

static int read_ring(struct cgfs_bpf *b, struct cgfs_event *e)
{
	struct cgfs_event event = CGFS_EVENT_INIT;
	int r;

	b->events.slot = &event;
	r = ring_buffer__consume(b->events.ring);
	b->events.slot = NULL;
	if (event.type) {
		*e = event;
		return 1;
	}
	return r < 0 ? r : 0;
}

static void timer_start(struct cgfs_bpf *b)
{
	const struct itimerspec second = { .it_value.tv_sec = 1 };

	if (!b->events.timer_set)
		b->events.timer_set = timerfd_settime(b->events.timer_fd, 0, &second, NULL) == 0;
}

void cgfs_bpf_events_removed(struct cgfs_bpf *b)
{
	if (b->events.timer_fd >= 0)
		timer_start(b);
}

/* Is there something that no ring has?  Soon event_read() takes it. */
void cgfs_bpf_events_changed(struct cgfs_bpf *b)
{
	FOR_ALL (b, o, pending)
		if (b->events.timer_fd >= 0 && o->ops->pending(o, NULL))
			timer_start(b);
}

static int take_pending(struct cgfs_bpf *b, struct cgfs_event *e)
{
	FOR_ALL (b, o, pending)
		if (o->ops->pending(o, e))
			return 1;
	return 0;
}

static int lost_put(struct cgfs_bpf *b, uint64_t cgroup_id, uint64_t count)
{
	struct lost *lost = realloc(b->events.lost, (b->events.n_lost + 1) * sizeof(*lost));

	if (!lost)
		return -ENOMEM;
	b->events.lost = lost;
	b->events.lost[b->events.n_lost++] = (struct lost){ cgroup_id, count };
	return 0;
}

/* Which groups lost events that were not reported yet? */
static int collect_lost(struct cgfs_bpf *b)
{
	uint64_t sum = cgfs_bpf_lost_sum(b->groups, b->events.lost_seen), id;
	int more = sum != b->events.lost_seen ? cgfs_bpf_group_first(b->groups, &id) : 0;

	for (; more == 1; more = cgfs_bpf_group_next(b->groups, &id)) {
		struct cgfs_control_args args = { .op = CGFS_CONTROL_LOST, .cgroup_id = id };
		struct cgfs_group g;

		if (cgfs_bpf_group_read(b->groups, id, &g) == 0 &&
		    g.events_lost != g.lost_reported && cgfs_bpf_control(b->groups, &args) == 0 &&
		    args.lost && lost_put(b, id, args.lost) < 0)
			return -ENOMEM;
	}
	b->events.lost_seen = sum;
	return 0;
}

static int take_lost(struct cgfs_bpf *b, struct cgfs_event *ret)
{
	struct known *k = NULL;
	uint64_t cgroup_id, count;

	if (b->events.n_lost) {
		b->events.n_lost--;
		cgroup_id = b->events.lost[b->events.n_lost].cgroup_id;
		count = b->events.lost[b->events.n_lost].count;
	} else {
		for (k = b->groups->gone; k && !k->lost; k = k->next_gone)
			;
		if (!k)
			return 0;
		cgroup_id = k->cgroup_id;
		count = k->lost;
		k->lost = 0;
	}
	*ret = (struct cgfs_event){
		.sz = sizeof(*ret),
		.type = CGFS_EVENT_LOST,
		.time_ns = now_ns(CLOCK_BOOTTIME),
		.cgroup_id = cgroup_id,
		.count = count,
	};
	return 1;
}

int cgfs_bpf_event_read(void *ctx, struct cgfs_event *ret_event, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	struct cgfs_event e = CGFS_EVENT_INIT;
	uint64_t ticks;
	int r;

	if (b->events.epoll_fd < 0)
		return 0;
	r = cgfs_bpf_watch_read(b, &e, reterr);
	if (r < 0)
		return r;
	if (r == 1) {
		SIZED_OUT(ret_event, &e);
		return 1;
	}
	r = read_ring(b, &e);
	if (r < 0)
		return err_file(reterr, r, "read", "events");
	if (r == 1) {
		timer_start(b);
	} else {
		if (read(b->events.timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks)) {
			b->events.timer_set = false;
			r = collect_lost(b);
			if (r < 0) {
				timer_start(b);
				return err_file(reterr, r, "read", "events");
			}
		}
		r = take_lost(b, &e);
		if (r == 0)
			r = take_pending(b, &e);
	}
	if (r == 0) {
		cgfs_bpf_known_free_gone(b->groups);
		return 0;
	}
	cgfs_bpf_names(b->groups, e.cgroup_id, &e);
	SIZED_OUT(ret_event, &e);
	return 1;
}

int cgfs_bpf_event_fd(void *ctx)
{
	struct cgfs_bpf *b = ctx;

	return b->events.epoll_fd >= 0 ? b->events.epoll_fd : -ENOTSUP;
}

static int watch(struct cgfs_bpf *b, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(b->events.epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* The library takes no ring back, so what else can fail comes first. */
static int open_ring(struct cgfs_bpf *b, int fd)
{
	int r = watch(b, fd);

	if (r < 0)
		return r;
	if (b->events.ring)
		r = ring_buffer__add(b->events.ring, fd, on_record, b);
	else if (!(b->events.ring = ring_buffer__new(fd, on_record, b, NULL)))
		r = -errno;
	if (r < 0)
		epoll_ctl(b->events.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	return r;
}

static int open_rings_of(struct cgfs_bpf *b, const struct object *o)
{
	int r = 0;

	for (size_t j = 0; o->on && j < OBJECT_PINS && r == 0; j++)
		if (o->ops->pins[j].map == BPF_MAP_TYPE_RINGBUF)
			r = open_ring(b, o->fd[j]);
	return r;
}

/* Rings of later objects come first: their events are the rarer ones. */
static int open_rings(struct cgfs_bpf *b)
{
	int r = 0;

	for (size_t i = b->n; i-- > 0 && r == 0;)
		r = open_rings_of(b, b->object[i]);
	return r;
}

int cgfs_bpf_events_add(struct cgfs_bpf *b, const struct object *o, struct cgfs_err *reterr)
{
	int r = b->events.epoll_fd >= 0 ? open_rings_of(b, o) : 0;

	return r < 0 ? err_file(reterr, r, "open events of", o->ops->name) : 0;
}

static int open_descriptors(struct cgfs_bpf *b)
{
	void *print;
	int r;

	b->events.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (b->events.timer_fd < 0)
		return -errno;
	b->events.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (b->events.epoll_fd < 0)
		return -errno;
	print = cgfs_bpf_quiet();
	r = open_rings(b);
	cgfs_bpf_loud(print);
	if (r == 0)
		r = watch(b, b->events.timer_fd);
	cgfs_bpf_watch_open(b);
	if (r == 0 && b->events.watch.fd >= 0)
		r = watch(b, b->events.watch.fd);
	return r;
}

int cgfs_bpf_events_open(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	struct stat st;
	int r = cgfs_bpf_receive(&b->pins, reterr);

	if (r < 0)
		return r;
	r = open_descriptors(b);
	if (r < 0)
		return err_file(reterr, r, "open events of", b->pins.dir);
	b->events.foreign_pids = stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != PID_NS_INIT_INO;
	/* Lost while no process received them? */
	if (cgfs_bpf_lost_sum(b->groups, 0))
		timer_start(b);
	return 0;
}

void cgfs_bpf_events_close(struct cgfs_bpf *b)
{
	struct events *e = &b->events;

	cgfs_bpf_watch_close(b);
	ring_buffer__free(e->ring);
	cgfs_cleanup_fd(&e->epoll_fd);
	cgfs_cleanup_fd(&e->timer_fd);
	free(e->lost);
}
