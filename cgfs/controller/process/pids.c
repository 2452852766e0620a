/* SPDX-License-Identifier: MIT */
/*
 * pids.c - the pids controller: the same files on both versions.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/pids.rst, cgroup-v2.rst "PID"
 */
#include "cgfs/controller/process/pids.h"

#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"

static int apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr)
{
	return dir_write_limit(d, "pids.max", res->pids_max, "max", reterr);
}

static const struct cgfs_key events[] = { { "max", CGFS_STAT_PIDS_EVENTS_MAX } };
static const struct cgfs_key local[] = { { "max", CGFS_STAT_PIDS_LOCAL_MAX } };

static const struct stat_file figures[] = {
	STAT_NUMBER_USED("pids.current", PIDS_CURRENT, PIDS, PIDS_CURRENT),
	STAT_NUMBER("pids.max", PIDS_MAX, PIDS, PIDS_MAX),
	STAT_NUMBER("pids.peak", PIDS_PEAK, PIDS, PIDS_PEAK),
	STAT_KEYED_USED("pids.events", PIDS_EVENTS, PIDS, events),
	STAT_KEYED("pids.events.local", PIDS_EVENTS_LOCAL, PIDS, local),
	{ .name = NULL },
};

const struct ctl_ops ctl_pids = {
	.handles = CGFS_SET_PIDS_MAX,
	.reads = CGFS_READ_PIDS | CGFS_READ_USAGE,
	.apply = apply,
	.figures = figures,
};

static bool pids_limited(struct cgfs_group *g, uint64_t *ret_max)
{
	struct cgfs_dir d = dir_of(g, CGFS_PIDS);
	char text[32];
	ssize_t n = dir_read_kept(&d, KEPT_PIDS_MAX, "pids.max", text, sizeof(text));

	return n > 0 && cgfs_parse_u64(text, (size_t)n, ret_max) == 0 && *ret_max != CGFS_MAX;
}

void pids_prepare(struct cgfs_group *g, bool unified, struct pids_limits *ret)
{
	const struct place *p = &g->c->place[CGFS_PIDS];
	int fd;

	ret->on = p->hierarchy >= 0 && !(unified && p->hierarchy == g->c->unified);
	for (uint64_t *max = ret->max; ret->on && g; g = g->pod, max++) {
		if (!pids_limited(g, max) || group_dir(g, p->hierarchy, &fd, NULL) < 0)
			*max = CGFS_MAX;
	}
}

int pids_check(struct cgfs_group *g, const struct pids_limits *limits, struct cgfs_err *err)
{
	for (const uint64_t *max = limits->max; limits->on && g; g = g->pod, max++) {
		struct cgfs_dir d = dir_of(g, CGFS_PIDS);
		uint64_t current;
		int r;

		if (*max == CGFS_MAX)
			continue;
		r = dir_read_number(&d, "pids.current", &current, err);
		if (r < 0)
			return r;
		if (current > *max)
			return dir_error(&d, -EAGAIN, "fork beyond", "pids.max", NULL, err);
	}
	return 0;
}
