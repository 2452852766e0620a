/* SPDX-License-Identifier: MIT */
/*
 * threshold.c - how each version reports that memory usage crossed a line.
 *
 * v1: an eventfd registered for memory.usage_in_bytes counts each crossing, up or down.
 * v2: memory.high as a trip wire.  It is a limit, so it is only there until it has been
 * touched: then what was there before is put back.  A note keeps what that was for the process that
 * comes after a process that was killed.
 *
 * Kernel: cgroup-v1/memory.rst 9 "Memory thresholds"; cgroup-v2.rst "memory.high"
 */
#include "cgfs/controller/memory/threshold.h"
#include "cgfs/controller/base/ops.h"

#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/event/events.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"

#include <inttypes.h>
#include <stdio.h>

#define V1_USAGE "memory.usage_in_bytes"

/* -- v1 ------------------------------------------------------------------------------------ */

static int v1_usage(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);

	return dir_read_number(&d, V1_USAGE, ret, reterr);
}

static void v1_disarm(struct cgfs_group *g, struct threshold_wire *w)
{
	events_drop_counter(g->c, &w->counter);
}

/*
 * The kernel reports each crossing, and late: of a fall perhaps after usage was seen to have
 * fallen.  So each time it is a new eventfd, whose first count is of a crossing upwards.
 */
static int v1_arm(struct cgfs_group *g, struct threshold_wire *w, uint64_t high,
		  void (*fn)(struct cgfs_group *g), struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);
	char more[32];

	v1_disarm(g, w);
	snprintf(more, sizeof(more), " %" PRIu64, high);
	return ctl_add_counter(&d, V1_USAGE, more, fn, &w->counter, reterr);
}

static int v1_crossed(struct cgfs_group *g, const struct threshold_wire *w)
{
	return events_read_counter(w->counter) > 0;
}

static void v1_fired(struct cgfs_group *g, struct threshold_wire *w)
{
}

static const struct threshold_ops v1 = { v1_usage, v1_arm, v1_crossed, v1_fired, v1_disarm };

/* -- v2 ------------------------------------------------------------------------------------ */

static int v2_usage(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);

	return dir_read_number(&d, "memory.current", ret, reterr);
}

/* How often the group itself, not one below it, went over its memory.high. */
static int v2_count(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);
	char buf[512];
	ssize_t n = dir_read(&d, "memory.events.local", buf, sizeof(buf), reterr);

	if (n < 0)
		return (int)n;
	if (!cgfs_parse_key(buf, (size_t)n, "high", ret))
		*ret = 0;
	return 0;
}

static int v2_crossed(struct cgfs_group *g, const struct threshold_wire *w)
{
	uint64_t count;
	int r;

	if (!w->armed)
		return 0;
	r = v2_count(g, &count, NULL);
	return r < 0 ? r : count > w->count;
}

static int v2_high(struct cgfs_group *g, char *buf, size_t len, uint64_t *ret,
		   struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);
	ssize_t n = dir_read(&d, "memory.high", buf, len, reterr);
	int r;

	if (n < 0)
		return (int)n;
	r = cgfs_parse_u64(buf, (size_t)n, ret);
	return r < 0 ? dir_error(&d, r, "parse", "memory.high", buf, reterr) : 0;
}

/*
 * A process that is killed cannot put memory.high back.  So what it was and what it is set to
 * stands in a note at the directory, with the process that wrote it: "max 67108864 4711 123456".  A
 * process that watches later, when that one is gone, and finds memory.high as the note has it,
 * takes the value before from the note.  Where notes cannot be kept (before Linux 5.7, or without
 * the right to) there are none: nothing depends on one while the process lives.
 */
#define NOTE	 "cgfs.memory_high"
#define NOTE_MAX 96

static void note(struct cgfs_group *g, const char *text)
{
	int fd;

	if (group_dir(g, g->c->place[CGFS_MEMORY].hierarchy, &fd, NULL) == 0)
		ignore(g->c->fs->ops->note(g->c->fs->ctx, fd, NOTE, text));
}

static void note_of(const char *before, uint64_t set, char *buf, size_t len)
{
	snprintf(buf, len, "%s %" PRIu64 " %d %" PRIu64, before, set, (int)getpid(),
		 process_start(getpid()));
}

/*
 * -ENOENT where there is none to be believed: the owner of a delegated directory
 * (cgfs_group_delegate()) may write what he likes there, and would be rid of a memory.high that is
 * not his.
 */
static ssize_t read_note(struct cgfs_group *g, char *buf, size_t len)
{
	const struct cgfs_fs *fs = g->c->fs;
	uid_t uid;
	gid_t gid;
	int fd;

	if (group_dir(g, g->c->place[CGFS_MEMORY].hierarchy, &fd, NULL) < 0 ||
	    fs->ops->owner(fs->ctx, fd, ".", &uid, &gid) < 0 || uid != geteuid())
		return -ENOENT;
	return fs->ops->noted(fs->ctx, fd, NOTE, buf, len);
}

/* @now, @value: what memory.high is; replaced by what it was when a watch was left behind. */
static void look_behind(struct cgfs_group *g, char *now, size_t len, uint64_t *value)
{
	char text[NOTE_MAX], was[32];
	uint64_t set, start, before;
	ssize_t n = read_note(g, text, sizeof(text) - 1);
	int pid;

	if (n <= 0)
		return;
	text[n] = '\0';
	if (sscanf(text, "%31s %" SCNu64 " %d %" SCNu64, was, &set, &pid, &start) != 4 ||
	    set != *value || process_start(pid) == start ||
	    cgfs_parse_u64(was, strlen(was), &before) < 0)
		return;
	snprintf(now, len, "%s", was);
	*value = before;
}

/* Puts back what memory.high was, unless another process has set it meanwhile.  Tried twice,
 * because nothing is worse than a limit that no caller set. */
static void v2_restore(struct cgfs_group *g, struct threshold_wire *w)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);
	uint64_t high;
	char now[32];

	if (!w->armed)
		return;
	w->armed = false;
	if (!w->set || v2_high(g, now, sizeof(now), &high, NULL) < 0 || high == w->set) {
		if (dir_write(&d, "memory.high", w->before, NULL) < 0)
			ignore(dir_write(&d, "memory.high", w->before, NULL));
	}
	note(g, NULL);
}

static int v2_arm(struct cgfs_group *g, struct threshold_wire *w, uint64_t high,
		  void (*fn)(struct cgfs_group *g), struct cgfs_err *reterr)
{
	uint64_t before, page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);
	char now[32], text[NOTE_MAX];
	int r = v2_high(g, w->before, sizeof(w->before), &before, reterr);

	if (r < 0)
		return r;
	w->before[strcspn(w->before, "\n")] = '\0';
	look_behind(g, w->before, sizeof(w->before), &before);
	if (before <= high)
		return err_value(reterr, -EBUSY, NULL, w->before,
				 "it has a memory.high at or below the threshold");
	w->fn = fn;
	if (w->wd < 0) {
		r = events_watch(g, "memory.events", fn, &w->wd);
		if (r < 0)
			return dir_error(&d, r, "watch", "memory.events", NULL, reterr);
	}
	r = v2_count(g, &w->count, reterr);
	if (r < 0)
		return r;
	/* First, so that there is no moment without; the kernel rounds down to pages. */
	note_of(w->before, high - high % page, text, sizeof(text));
	note(g, text);
	r = dir_write_limit(&d, "memory.high", high, "max", reterr);
	if (r < 0) {
		note(g, NULL);
		return r;
	}
	w->set = 0;
	w->armed = true;
	/* The kernel rounds to pages: compare later with the value that it shows. */
	r = v2_high(g, now, sizeof(now), &w->set, reterr);
	if (r < 0)
		v2_restore(g, w);
	return r;
}

static void v2_disarm(struct cgfs_group *g, struct threshold_wire *w)
{
	v2_restore(g, w);
	events_unwatch(g, w->fn, &w->wd);
}

static const struct threshold_ops v2 = { v2_usage, v2_arm, v2_crossed, v2_restore, v2_disarm };

const struct threshold_ops *threshold_ops(const struct cgfs *c)
{
	enum cgfs_version_id version = c->place[CGFS_MEMORY].version;

	return version == CGFS_V1 ? &v1 : version == CGFS_V2 ? &v2 : NULL;
}
