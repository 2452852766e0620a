/* SPDX-License-Identifier: MIT */
/*
 * own.c - the agent in a cgroup of its own, and a line of the log for each time that this one uses
 * more memory than it should.  There is no limit: the kernel would kill the agent, and no request
 * would be served.
 */
#include "agent/daemon/own.h"

#include <cgfs/cgfs.h>
#include <stdio.h>

#include "cgfs/base/util.h"

#define NAME	   "gcs"
#define PODS	   "/pods"
/* What follows a crossing at once is to be in the figures. */
#define SETTLED_MS 1000

static const char *figure(char buf[24], uint64_t value)
{
	snprintf(buf, 24, "%llu", (unsigned long long)value);
	return buf;
}
#define FIGURE(value) figure((char[24]){ 0 }, value)

static uint64_t stat_of(const struct cgfs_stats *s, enum cgfs_stat stat)
{
	uint64_t value = 0;

	return cgfs_stats_get(s, stat, &value) ? value : 0;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > CGFS_MAX - b ? CGFS_MAX : a + b;
}

/* The figures are v1's, as in the answers to a host: swap is memory and swap together. */
static void report(void *ctx)
{
	const char *msg = "memory usage for cgroup exceeded threshold";
	struct cgfs_stats s = CGFS_STATS_INIT;
	struct cgfs_err err = { 0 };
	struct own *o = ctx;
	int r = cgfs_group_stats(o->group, CGFS_READ_MEMORY | CGFS_READ_MEMORY_STAT, &s, &err);
	uint64_t usage = stat_of(&s, CGFS_STAT_MEMORY_CURRENT);
	uint64_t peak = stat_of(&s, CGFS_STAT_MEMORY_PEAK);
	uint64_t limit = stat_of(&s, CGFS_STAT_MEMORY_MAX);
	enum cgfs_version_id version = cgfs_place(o->cgfs, CGFS_MEMORY).version;

#define HEAD                                                                                       \
	"gcsStartTime", o->began, "fields.time", o->crossed, "cgroup", cgfs_group_path(o->group),  \
		"thresholdBytes", FIGURE(o->threshold), "count", FIGURE(o->count),                 \
		"cgroup_version", version == CGFS_V1 ? "v1" : "v2"
	if (r < 0)
		log_write(o->log, LOG_ERROR, msg, HEAD, "error", err.text, NULL);
	else
		log_write(
			o->log, LOG_WARNING, msg, HEAD, "memoryUsage", FIGURE(usage),
			"memoryUsageMax", FIGURE(peak), "memoryUsageLimit", FIGURE(limit),
			"swapUsage", FIGURE(sum(usage, stat_of(&s, CGFS_STAT_MEMORY_SWAP_CURRENT))),
			"swapUsageMax", FIGURE(sum(peak, stat_of(&s, CGFS_STAT_MEMORY_SWAP_PEAK))),
			"swapUsageLimit",
			FIGURE(sum(limit, stat_of(&s, CGFS_STAT_MEMORY_SWAP_MAX))), "kernelUsage",
			FIGURE(stat_of(&s, CGFS_STAT_MEMORY_KERNEL)), "kernelUsageMax", FIGURE(0),
			"kernelUsageLimit", FIGURE(CGFS_MAX), NULL);
}

static void on_event(void *ctx, uint32_t events)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;
	struct cgfs_err err = { 0 };
	struct own *o = ctx;
	int r;

	while ((r = cgfs_event_read(o->cgfs, &ev, &err)) == 1) {
		if (ev.type != CGFS_EVENT_MEMORY_THRESHOLD)
			continue;
		o->count++;
		if (o->settled.index)
			continue; /* one line for both */
		log_time(o->crossed);
		if (loop_timer_set(o->loop, &o->settled, SETTLED_MS) < 0)
			report(o);
	}
	if (r < 0) {
		log_write(o->log, LOG_ERROR, "the agent's memory is not watched any more", "error",
			  err.text, NULL);
		own_end(o);
	}
}

/* "" for "/pods": the top of the hierarchies.  NULL: no such name, or no memory. */
static char *parent_of(const char *root)
{
	size_t len = strlen(root), tail = strlen(PODS);

	if (len < tail || !streq(root + len - tail, PODS))
		return NULL;
	return strndup(root, len - tail);
}

static int move(struct own *o, const struct cgfs *pods, const char *parent, struct cgfs_err *err)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_mounts mounts = *cgfs_mounts(pods);
	int r;

	/* A tree that the agent has mounted is for the pods' context to unmount. */
	for (size_t i = 0; i < mounts.n; i++)
		mounts.mount[i].ours = false;
	opts.mounts = &mounts;
	opts.controllers = 1u << CGFS_MEMORY;
	opts.top = !*parent;
	opts.root = *parent ? parent : NULL;
	r = cgfs_open(&opts, &o->cgfs, err);
	if (r == 0)
		r = cgfs_container_create(o->cgfs, NULL, NAME, NULL, &o->group, err);
	/* Of an agent before this one. */
	if (r == -EEXIST)
		r = cgfs_container_open(o->cgfs, NULL, NAME, &o->group, err);
	if (r == 0)
		r = cgfs_group_add_pid(o->group, 0, err);
	if (r == 0)
		r = cgfs_group_watch_memory(o->group, o->threshold, o->threshold / 8, err);
	if (r < 0)
		return r;
	o->events = (struct loop_fd){ .fn = on_event, .ctx = o, .fd = cgfs_event_fd(o->cgfs) };
	return loop_set(o->loop, &o->events, EPOLLIN);
}

void own_begin(struct own *o, struct loop *loop, struct log *log, struct cgfs *pods,
	       uint64_t threshold)
{
	auto_free char *parent = parent_of(cgfs_root(pods));
	struct cgfs_err err = { 0 };
	int r;

	*o = (struct own){ .loop = loop, .log = log, .threshold = threshold };
	o->settled = (struct loop_timer){ .fn = report, .ctx = o };
	log_time(o->began);
	if (cgfs_place(pods, CGFS_MEMORY).version == CGFS_NONE)
		r = cgfs_err_set(&err, -ENODEV, "there is no memory controller on this host", NULL,
				 NULL, NULL);
	else if (!parent)
		r = cgfs_err_set(&err, -EINVAL, "the pods root", cgfs_root(pods), NULL,
				 "its last part is not \"pods\"");
	else
		r = move(o, pods, parent, &err);
	if (r == 0)
		return;
	log_write(log, LOG_WARNING, "the agent's memory is not watched", "error",
		  err.code ? err.text : strerror(-r), NULL);
	own_end(o);
}

void own_end(struct own *o)
{
	if (!o->loop)
		return;
	loop_timer_clear(o->loop, &o->settled);
	if (o->events.fn)
		ignore(loop_set(o->loop, &o->events, 0));
	cgfs_group_close(o->group);
	cgfs_close(o->cgfs);
	*o = (struct own){ 0 };
}
