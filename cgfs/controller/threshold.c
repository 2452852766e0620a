/* SPDX-License-Identifier: MIT */
/*
 * threshold.c - how each version tells that memory usage crossed a line.
 *
 * v1: an eventfd registered for memory.usage_in_bytes counts each crossing, up or down.
 * v2: memory.high as a trip wire.  It is a limit, so it is only there until it has been
 * touched: then what was there before is put back.
 *
 * Kernel: cgroup-v1/memory.rst 9 "Memory thresholds"; cgroup-v2.rst "memory.high"
 */
#include "threshold.h"

#include "table.h"

#include <inttypes.h>
#include <stdio.h>

static int usage_of(struct cgfs_group *g, const char *file, uint64_t *ret)
{
	struct cgfs_dir d = { g, g->c->place[CGFS_MEMORY].hierarchy, NULL };
	char text[32];
	ssize_t n = dir_read(&d, file, text, sizeof(text), NULL);

	return n < 0 ? (int)n : cgfs_parse_u64(text, (size_t)n, ret);
}

/* -- v1 ------------------------------------------------------------------------------------ */

static int v1_usage(struct cgfs_group *g, uint64_t *ret)
{
	return usage_of(g, "memory.usage_in_bytes", ret);
}

static void v1_disarm(struct cgfs_group *g, struct threshold_wire *w)
{
	events_drop_counter(g->c, &w->counter);
}

/*
 * The kernel tells of each crossing, and late: of a fall perhaps after usage was seen to have
 * fallen.  So each time it is a new eventfd, whose first count is of a crossing upwards.
 */
static int v1_arm(struct cgfs_group *g, struct threshold_wire *w, uint64_t high,
		  void (*fn)(struct cgfs_group *g))
{
	int hierarchy = g->c->place[CGFS_MEMORY].hierarchy, dir, r;
	auto_door_fd struct door_fd usage = { g->c, -EBADF };
	char text[64];

	v1_disarm(g, w);
	r = group_dir(g, hierarchy, &dir, NULL);
	if (r < 0)
		return r;
	/* Needed for the registration only. */
	usage.fd = fs_open(g->c, dir, "memory.usage_in_bytes", O_RDONLY);
	if (usage.fd < 0)
		return usage.fd;
	r = events_add_counter(g, fn, &w->counter);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%d %d %" PRIu64, w->counter, usage.fd, high);
	r = fs_write_at(g->c, dir, "cgroup.event_control", text);
	if (r < 0)
		v1_disarm(g, w);
	return r;
}

static bool v1_crossed(struct cgfs_group *g, const struct threshold_wire *w)
{
	(void)g;
	return events_read_counter(w->counter) > 0;
}

static void v1_fired(struct cgfs_group *g, struct threshold_wire *w)
{
	(void)g;
	(void)w;
}

static const struct threshold_ops v1 = { v1_usage, v1_arm, v1_crossed, v1_fired, v1_disarm };

/* -- v2 ------------------------------------------------------------------------------------ */

static int v2_usage(struct cgfs_group *g, uint64_t *ret)
{
	return usage_of(g, "memory.current", ret);
}

static struct cgfs_dir v2_dir(struct cgfs_group *g)
{
	return (struct cgfs_dir){ g, g->c->place[CGFS_MEMORY].hierarchy, NULL };
}

/* How often the group itself, not one below it, went over its memory.high. */
static uint64_t v2_count(struct cgfs_group *g)
{
	struct cgfs_dir d = v2_dir(g);
	struct cgfs_line line;
	const char *text;
	char buf[512];
	size_t len;
	ssize_t n = dir_read(&d, "memory.events.local", buf, sizeof(buf), NULL);

	text = buf;
	len = n > 0 ? (size_t)n : 0;
	while (cgfs_parse_line(&text, &len, &line) > 0) {
		if (line.key_len == 4 && strncmp(line.key, "high", 4) == 0)
			return line.value;
	}
	return 0;
}

static bool v2_crossed(struct cgfs_group *g, const struct threshold_wire *w)
{
	return w->armed && v2_count(g) > w->count;
}

/* Puts back what memory.high was, unless somebody has set it meanwhile. */
static void v2_restore(struct cgfs_group *g, struct threshold_wire *w)
{
	struct cgfs_dir d = v2_dir(g);
	char now[32];
	uint64_t high;
	ssize_t n;

	if (!w->armed)
		return;
	w->armed = false;
	n = dir_read(&d, "memory.high", now, sizeof(now), NULL);
	if (n > 0 && cgfs_parse_u64(now, (size_t)n, &high) == 0 && high == w->set)
		(void)!dir_write(&d, "memory.high", w->before, NULL);
}

static int v2_arm(struct cgfs_group *g, struct threshold_wire *w, uint64_t high,
		  void (*fn)(struct cgfs_group *g))
{
	struct cgfs_dir d = v2_dir(g);
	uint64_t before;
	char now[32];
	ssize_t n;
	int r;

	n = dir_read(&d, "memory.high", w->before, sizeof(w->before), NULL);
	if (n < 0)
		return (int)n;
	r = cgfs_parse_u64(w->before, (size_t)n, &before);
	if (r < 0)
		return r;
	w->before[strcspn(w->before, "\n")] = '\0';
	if (before <= high)
		return -EBUSY;
	w->fn = fn;
	if (w->wd < 0) {
		r = events_watch(g, "memory.events", fn, &w->wd);
		if (r < 0)
			return r;
	}
	w->count = v2_count(g);
	r = dir_write_limit(&d, "memory.high", high, "max", NULL);
	if (r < 0)
		return r;
	/* The kernel rounds to pages: what it says is what to compare with later. */
	n = dir_read(&d, "memory.high", now, sizeof(now), NULL);
	r = n < 0 ? (int)n : cgfs_parse_u64(now, (size_t)n, &w->set);
	w->armed = true;
	return r;
}

static void v2_disarm(struct cgfs_group *g, struct threshold_wire *w)
{
	v2_restore(g, w);
	events_unwatch(g->c, w->fn, &w->wd);
}

static const struct threshold_ops v2 = { v2_usage, v2_arm, v2_crossed, v2_restore, v2_disarm };

const struct threshold_ops *threshold_ops(const struct cgfs *c)
{
	switch (c->place[CGFS_MEMORY].version) {
	case CGFS_V1:
		return &v1;
	case CGFS_V2:
		return &v2;
	case CGFS_NONE:
		break;
	}
	return NULL;
}
