// SPDX-License-Identifier: MIT
/*
 * test_fault_event.c - the fault sweep of figures, watches and events.
 */
#include "fault.h"

#include <stdlib.h>

static void show(struct scene *s, const struct cgfs_group *g, const struct cgfs_stats *stats)
{
	fault_out(s, "%s:\n", cgfs_group_id(g));
	for (int i = 0; i < CGFS_STAT_COUNT; i++) {
		if (stats->figure[i].available)
			fault_out(s, "%s %llu\n", cgfs_stat_name((enum cgfs_stat)i),
				  (unsigned long long)stats->figure[i].value);
	}
}

static int run_stats(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_stats stats = CGFS_STATS_INIT;
	int r = cgfs_group_stats(s->ctr, CGFS_READ_ALL, &stats, err);

	if (r == 0)
		show(s, s->ctr, &stats);
	return r;
}

static int show_one(void *arg, struct cgfs_group *g, const struct cgfs_stats *stats)
{
	show(arg, g, stats);
	return 0;
}

static int run_stats_all(struct scene *s, struct cgfs_err *err)
{
	return cgfs_stats_all(s->c, CGFS_READ_CPU | CGFS_READ_PIDS, show_one, s, err);
}

static int run_io(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_io_stat *io = NULL;
	size_t n = 0;
	int r = cgfs_group_io(s->ctr, &io, &n, err);

	CHECK(r == 0 || (!io && !n));
	for (size_t i = 0; i < n; i++)
		fault_out(s, "%u:%u\n", io[i].major, io[i].minor);
	free(io);
	return r;
}

#define LIST_OF(what, type, member)                                                                \
	static int run_##what(struct scene *s, struct cgfs_err *err)                               \
	{                                                                                          \
		struct type *list = NULL;                                                          \
		size_t n = 0;                                                                      \
		int r = cgfs_group_##what(s->ctr, &list, &n, err);                                 \
                                                                                                   \
		CHECK(r == 0 || (!list && !n));                                                    \
		for (size_t i = 0; i < n; i++)                                                     \
			fault_out(s, "%s\n", list[i].member);                                      \
		free(list);                                                                        \
		return r;                                                                          \
	}

LIST_OF(hugetlb, cgfs_hugetlb_stat, page_size)
LIST_OF(rdma, cgfs_rdma_stat, device)
LIST_OF(misc, cgfs_misc_stat, name)

static int run_group_json(struct scene *s, struct cgfs_err *err)
{
	char *json = NULL;
	int r = cgfs_group_json(s->ctr,
				CGFS_READ_CPU | CGFS_READ_PIDS | CGFS_READ_MEMORY |
					CGFS_READ_LIMITS | CGFS_READ_CPUSET,
				&json, err);

	CHECK((json != NULL) == (r == 0));
	if (r == 0)
		fault_out(s, "%s\n", json);
	free(json);
	return r;
}

/* What the kernel does not have there is refused at once. */
static int run_reset_peak(struct scene *s, struct cgfs_err *err)
{
	int r = cgfs_group_reset_peak(s->ctr, err);

	return r == -EOPNOTSUPP ? 0 : r;
}

static int run_root_stats(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_stats stats = CGFS_STATS_INIT;

	return cgfs_root_stats(s->c, CGFS_READ_CPU | CGFS_READ_PIDS, &stats, err);
}

/* With nothing to take back; what the kernel cannot do is refused at once. */
static int run_reclaim(struct scene *s, struct cgfs_err *err)
{
	uint64_t got = 0;
	int r = cgfs_group_reclaim(s->ctr, MIB, &got, err);

	return r == -EOPNOTSUPP || r == -EAGAIN ? 0 : r;
}

static int show_native(void *arg, const char *file, const char *key, uint64_t value)
{
	fault_out(arg, "%s %s %llu\n", file, key, (unsigned long long)value);
	return 0;
}

static int run_native(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_native(s->ctr, CGFS_READ_CPU | CGFS_READ_MEMORY_STAT, show_native, s,
				 err);
}

/* -- watches ----------------------------------------------------------------------------------- */

static int run_watch_memory(struct scene *s, struct cgfs_err *err)
{
	/* The kernel rounds it to whole pages. */
	return cgfs_group_watch_memory(s->ctr, 32 * MIB + 1, 8 * MIB, err);
}

static int run_hold(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_hold_admission(s->ctr, 1000, false, err);
}

/* Does it fire?  A watch that was put up under a fault has to. */
static int run_watch_fires(struct scene *s, struct cgfs_err *err)
{
	const struct cgfs_memory_line line = { 32 * MIB, 8 * MIB };
	struct cgfs_event ev = CGFS_EVENT_INIT;
	int r = cgfs_group_watch_memory_lines(s->ctr, &line, 1, err);

	if (r < 0)
		return r;
	CHECK_MSG(s->w->ops->alloc(s->w, s->pid, 40 * MIB) == 0, "no memory");
	for (unsigned int i = 0; i < 2000; i++) {
		r = cgfs_event_read(s->c, &ev, err);
		if (r < 0 || (r == 1 && (ev.type == CGFS_EVENT_MEMORY_THRESHOLD ||
					 ev.type == CGFS_EVENT_LOST)))
			break;
		if (r == 0)
			world_sleep_ms(1);
	}
	s->w->ops->release(s->w, s->pid, 40 * MIB);
	CHECK_MSG(r != 0, "no event");
	return r < 0 ? r : 0;
}

static int run_watch_empty(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;
	unsigned int i;
	int r = cgfs_group_watch_empty(s->ctr, true, err);

	if (r < 0)
		return r;
	for (i = 0; i < 2000; i++) {
		if (world_alive(s->w, s->pid))
			s->w->ops->exit(s->w, s->pid);
		r = cgfs_event_read(s->c, &ev, err);
		if (r < 0 ||
		    (r == 1 && (ev.type == CGFS_EVENT_EMPTY || ev.type == CGFS_EVENT_LOST)))
			break;
		if (r == 0)
			world_sleep_ms(1);
	}
	CHECK_MSG(i < 2000, "no event");
	return r < 0 ? r : 0;
}

/* The fake has no pressure: the call is refused before anything else but memory fails. */
static int run_watch_pressure(struct scene *s, struct cgfs_err *err)
{
	int r = cgfs_group_watch_pressure(s->ctr, CGFS_PRESSURE_MEMORY, false, 100000, 1000000,
					  err);

	if (r == -EOPNOTSUPP)
		r = 0;
	return r;
}

/* -- events ------------------------------------------------------------------------------------ */

/* A kill, which on the way is noticed through control files or by the policy. */
static void with_oom(struct scene *s)
{
	with_container(s);
	CHECK_INT(s->w->ops->alloc(s->w, s->pid, 80 * MIB), -ENOMEM);
}

/* It is reported, or the loss of something is; never nothing. */
static int run_event_read(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;
	int r = 0;

	for (unsigned int i = 0; i < 2000; i++) {
		r = cgfs_event_read(s->c, &ev, err);
		if (r < 0)
			return r;
		if (r == 1 && (ev.type == CGFS_EVENT_OOM_KILL || ev.type == CGFS_EVENT_LOST)) {
			CHECK_INT(ev.count, 1);
			return 0;
		}
		if (r == 0)
			world_sleep_ms(1);
	}
	FAIL("the kill was never reported");
}

#define GONE (FAKE_OPEN | FAKE_PREAD)

FAULT_OP(stats, "cgfs_group_stats", "read figures", with_container, run_stats, FINDS, GONE)
FAULT_OP(stats_all, "cgfs_stats_all", "read all figures", with_container, run_stats_all, FINDS,
	 GONE)
FAULT_OP(io, "cgfs_group_io", "read devices", with_container, run_io, NEEDS_IO | FINDS, GONE)
FAULT_OP(hugetlb, "cgfs_group_hugetlb", "read huge pages", with_container, run_hugetlb,
	 FINDS | NEEDS_HUGETLB, GONE)
FAULT_OP(rdma, "cgfs_group_rdma", "read RDMA devices", with_container, run_rdma, FINDS | NEEDS_RDMA,
	 GONE)
FAULT_OP(misc, "cgfs_group_misc", "read misc", with_container, run_misc, FINDS | NEEDS_MISC, GONE)
FAULT_OP(group_json, "cgfs_group_json", "all figures as JSON", with_container, run_group_json,
	 FINDS, GONE)
FAULT_OP(native, "cgfs_group_native", "the kernel's own counters", with_container, run_native,
	 FINDS, GONE)
FAULT_OP(reset_peak, "cgfs_group_reset_peak", "a peak begins anew", with_container, run_reset_peak,
	 NEEDS_MEMORY | FINDS, GONE | FAKE_WRITE)
FAULT_OP(root_stats, "cgfs_root_stats", "read the root's figures", with_container, run_root_stats,
	 FINDS, GONE)
FAULT_OP(reclaim, "cgfs_group_reclaim", "reclaim", with_container, run_reclaim,
	 NEEDS_MEMORY | FINDS | GOES_ON, GONE | FAKE_WRITE)
FAULT_OP(watch_memory, "cgfs_group_watch_memory", "watch memory", with_container, run_watch_memory,
	 NEEDS_MEMORY, 0)
FAULT_OP(hold, "cgfs_group_hold_admission", "hold admission", with_container, run_hold,
	 NEEDS_MEMORY | FINDS, 0)
FAULT_OP(watch_fires, "cgfs_group_watch_memory_lines", "a memory watch fires", with_container,
	 run_watch_fires, NEEDS_MEMORY | GOES_ON | TRUSTS_ABSENCE | FINDS, GONE)
FAULT_OP(watch_empty, "cgfs_group_watch_empty", "watch for emptiness", with_container,
	 run_watch_empty, NEEDS_CGROUP2 | GOES_ON | TRUSTS_ABSENCE | FINDS, GONE)
FAULT_OP(watch_pressure, "cgfs_group_watch_pressure", "watch pressure", with_container,
	 run_watch_pressure, 0, 0)
FAULT_OP(event_read, "cgfs_event_read cgfs_event_fd", "read an event", with_oom, run_event_read,
	 NEEDS_MEMORY | GOES_ON | TRUSTS_ABSENCE | FINDS, GONE)
