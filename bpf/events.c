/* SPDX-License-Identifier: MIT */
/*
 * events.c - ring buffer records, and what found no room in the rings, as struct cgfs_event.
 *
 * Kills come first.  Losses are looked for a second after the last record: the program counts
 * them in the groups, and the sum of all in one place, so nothing is read in quiet times.
 */
#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>

#define PID_NS_INIT_INO 0xeffffffcu

static enum cgfs_device_type device_type(enum cgfs_policy_kind kind)
{
	return kind == CGFS_BLOCK ? CGFS_DEVICE_BLOCK : CGFS_DEVICE_CHAR;
}

/* Returning an error makes the library stop behind this record: one call, one event. */
static int on_record(void *ctx, void *data, size_t len)
{
	struct cgfs_bpf *b = ctx;
	const struct cgfs_denial *d = data;
	const struct cgfs_kill *k = data;
	struct cgfs_event *e = b->slot;

	if (len >= sizeof(*d) && d->type == CGFS_RECORD_DENIAL) {
		e->type = CGFS_EVENT_DEVICE_DENIED;
		e->device_type = device_type(d->kind);
		e->major = d->major;
		e->minor = d->minor;
		e->access = d->access;
		e->rule = d->rule;
		memcpy(e->comm, d->comm, sizeof(e->comm));
	} else if (len >= sizeof(*k) && k->type == CGFS_RECORD_KILL) {
		e->type = CGFS_EVENT_OOM_KILL;
		e->count = 1;
		memcpy(e->comm, k->comm, sizeof(e->comm));
	} else {
		return 0;
	}
	/* The two have these in common. */
	e->time_ns = k->time_ns;
	e->cgroup_id = k->cgroup_id;
	e->pid = b->foreign_pids ? 0 : (pid_t)(e->type == CGFS_EVENT_OOM_KILL ? k->pid : d->pid);
	e->comm[sizeof(e->comm) - 1] = '\0';
	b->slot_full = true;
	return -ECANCELED;
}

static int read_ring(struct cgfs_bpf *b, struct cgfs_event *e)
{
	struct cgfs_event event = { 0 };
	int r;

	b->slot = &event;
	b->slot_full = false;
	r = ring_buffer__consume(b->ring);
	b->slot = NULL;
	if (b->slot_full) {
		*e = event;
		return 1;
	}
	return r < 0 ? r : 0;
}

static void timer_start(struct cgfs_bpf *b)
{
	const struct itimerspec second = { .it_value.tv_sec = 1 };

	if (!b->timer_set)
		b->timer_set = timerfd_settime(b->timer_fd, 0, &second, NULL) == 0;
}

static uint64_t lost_sum(struct cgfs_bpf *b)
{
	struct cgfs_state state;
	uint32_t zero = 0;

	return bpf_map_lookup_elem(b->state_fd, &zero, &state) < 0 ? b->lost_seen
								   : state.events_lost;
}

static int lost_put(struct cgfs_bpf *b, uint64_t cgroup_id, uint64_t count)
{
	struct cgfs_bpf_lost *lost = realloc(b->lost, (b->n_lost + 1) * sizeof(*lost));

	if (!lost)
		return -ENOMEM;
	b->lost = lost;
	b->lost[b->n_lost++] = (struct cgfs_bpf_lost){ cgroup_id, count };
	return 0;
}

/* Which groups lost events that nobody was told of? */
static int collect_lost(struct cgfs_bpf *b)
{
	uint64_t sum = lost_sum(b);
	struct cgfs_group_key key, next;
	bool first = true;

	if (sum == b->lost_seen)
		return 0;
	while (bpf_map_get_next_key(b->groups_fd, first ? NULL : &key, &next) == 0) {
		struct cgfs_control_args args = {
			.op = CGFS_CONTROL_LOST,
			.cgroup_id = next.cgroup_id,
		};
		struct cgfs_group g;

		if (cgfs_bpf_group_read(b, next.cgroup_id, &g) == 0 &&
		    g.events_lost != g.lost_reported && cgfs_bpf_control(b, &args) == 0 &&
		    args.lost && lost_put(b, next.cgroup_id, args.lost) < 0)
			return -ENOMEM;
		key = next;
		first = false;
	}
	b->lost_seen = sum;
	return 0;
}

static int take_lost(struct cgfs_bpf *b, struct cgfs_event *ret)
{
	struct cgfs_bpf_known *k = NULL;
	uint64_t cgroup_id, count;
	struct timespec t;

	if (b->n_lost) {
		b->n_lost--;
		cgroup_id = b->lost[b->n_lost].cgroup_id;
		count = b->lost[b->n_lost].count;
	} else {
		for (k = b->gone; k && !k->lost; k = k->next_gone)
			;
		if (!k)
			return 0;
		cgroup_id = k->cgroup_id;
		count = k->lost;
		k->lost = 0;
	}
	clock_gettime(CLOCK_BOOTTIME, &t);
	*ret = (struct cgfs_event){
		.type = CGFS_EVENT_LOST,
		.time_ns = (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec,
		.cgroup_id = cgroup_id,
		.count = count,
	};
	return 1;
}

int cgfs_bpf_event_read(void *ctx, struct cgfs_event *ret_event, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	struct cgfs_event e;
	uint64_t ticks;
	int r;

	if (b->epoll_fd < 0)
		return 0;
	r = read_ring(b, &e);
	if (r < 0)
		return cgfs_err_set(reterr, r, "read", "events", NULL, NULL);
	if (r == 1) {
		timer_start(b);
	} else {
		if (read(b->timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks)) {
			b->timer_set = false;
			r = collect_lost(b);
			if (r < 0) {
				timer_start(b);
				return cgfs_err_set(reterr, r, "read", "events", NULL, NULL);
			}
		}
		r = take_lost(b, &e);
	}
	if (r == 0) {
		cgfs_bpf_known_free_gone(b);
		return 0;
	}
	cgfs_bpf_names(b, e.cgroup_id, &e);
	*ret_event = e;
	return 1;
}

int cgfs_bpf_event_fd(void *ctx)
{
	struct cgfs_bpf *b = ctx;

	return b->epoll_fd >= 0 ? b->epoll_fd : -ENOTSUP;
}

static int watch(struct cgfs_bpf *b, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_descriptors(struct cgfs_bpf *b)
{
	struct cgfs_bpf_load quiet;
	int r = 0;

	cgfs_bpf_quiet(&quiet);
	b->ring = ring_buffer__new(b->kills_fd, on_record, b, NULL);
	if (!b->ring)
		r = -errno;
	else
		r = ring_buffer__add(b->ring, b->denials_fd, on_record, b);
	cgfs_bpf_loud(&quiet);
	if (r < 0)
		return r;

	b->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (b->timer_fd < 0)
		return -errno;
	b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll_fd < 0)
		return -errno;
	r = watch(b, b->kills_fd);
	if (r == 0)
		r = watch(b, b->denials_fd);
	if (r == 0)
		r = watch(b, b->timer_fd);
	return r;
}

int cgfs_bpf_events_open(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	char path[CGFS_BPF_PATH];
	struct stat st;
	int r;

	cgfs_bpf_path(b, "events", path);
	b->events_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->events_fd < 0)
		return cgfs_err_set(reterr, -errno, "open", path, NULL, NULL);
	if (flock(b->events_fd, LOCK_EX | LOCK_NB) < 0)
		return cgfs_err_set(reterr, errno == EWOULDBLOCK ? -EBUSY : -errno, "lock", path,
				    NULL, "another process receives the events of this directory");
	r = open_descriptors(b);
	if (r < 0)
		return cgfs_err_set(reterr, r, "open", path, NULL, NULL);
	b->foreign_pids = stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != PID_NS_INIT_INO;
	/* Lost while nobody listened? */
	if (lost_sum(b))
		timer_start(b);
	return 0;
}

void cgfs_bpf_events_close(struct cgfs_bpf *b)
{
	ring_buffer__free(b->ring);
	b->ring = NULL;
	if (b->epoll_fd >= 0)
		close(take_fd(&b->epoll_fd));
	if (b->timer_fd >= 0)
		close(take_fd(&b->timer_fd));
	if (b->events_fd >= 0)
		close(take_fd(&b->events_fd));
	free(b->lost);
	b->lost = NULL;
	b->n_lost = 0;
}
