/* SPDX-License-Identifier: MIT */
/*
 * oom.c - OOM kills in control files.
 *
 * v2: memory.events changes (inotify), its oom_kill line counts.  v1: an eventfd registered
 * for memory.oom_control fires when the cgroup or one above it is out of memory, which is
 * *before* the victim is chosen and counted; so the counter is read again a little later.
 *
 * Kernel: cgroup-v2.rst "memory.events"; cgroup-v1/memory.rst 10 "OOM Control"
 */
#include "cgfs/controller/memory/oom.h"

#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/event/events.h"

#define V1_FILE "memory.oom_control"
#define V2_FILE "memory.events"

static int v1_arm(struct cgfs_group *g, struct oom_wire *w, void (*fn)(struct cgfs_group *g),
		  struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);

	return ctl_add_counter(&d, V1_FILE, "", fn, &w->counter, reterr);
}

static int v2_arm(struct cgfs_group *g, struct oom_wire *w, void (*fn)(struct cgfs_group *g),
		  struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);
	int r = events_watch(g, V2_FILE, fn, &w->wd);

	return r < 0 ? dir_error(&d, r, "watch", V2_FILE, NULL, reterr) : 0;
}

/* 1 ms after the notification, doubling, 2 s in all. */
static const struct oom_ops v1 = { V1_FILE, v1_arm, 11 };
static const struct oom_ops v2 = { V2_FILE, v2_arm, 0 };

const struct oom_ops *oom_ops(const struct cgfs *c)
{
	enum cgfs_version_id version = c->place[CGFS_MEMORY].version;

	return version == CGFS_V2 ? &v2 : version == CGFS_V1 && !c->read_only ? &v1 : NULL;
}

int oom_kills(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);
	char text[512];
	ssize_t n = dir_read(&d, oom_ops(g->c)->file, text, sizeof(text), reterr);

	if (n < 0)
		return (int)n;
	/* v1 before 4.13 does not count. */
	return cgfs_parse_key(text, (size_t)n, "oom_kill", ret) ? 0 : -ENODATA;
}
