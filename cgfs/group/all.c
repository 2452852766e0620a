/* SPDX-License-Identifier: MIT */
/*
 * all.c - what is done for every handle of a context: figures of all, and the round in which each
 * removal and each watch has its turn.
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/memory/memory.h"
#include "cgfs/figure/stats.h"
#include "cgfs/group/group.h"
#include "cgfs/tree/context.h"

int cgfs_stats_all(struct cgfs *c, unsigned int what,
		   int (*fn)(void *arg, struct cgfs_group *g, const struct cgfs_stats *stats),
		   void *arg, struct cgfs_err *reterr)
{
	struct cgfs_stats s;
	uint64_t session = memory_report(c, what);
	int r = 0;

	c->walking = true;
	for (struct cgfs_group *g = group_walk(c, NULL); g; g = group_walk(c, g)) {
		if (r != 0 || g->state != GROUP_LIVE)
			continue;
		r = stats_read(g, what, session, &s, reterr);
		if (r == -ENOENT || r == -ENODEV)
			r = 0;
		else if (r == 0)
			r = fn(arg, g, &s);
	}
	c->walking = false;
	return r;
}

/* Rounds for all that wait for time to pass, or with @missed for a file: its changes were more
 * than the kernel could keep. */
void group_round(struct cgfs *c, bool missed)
{
	for (struct cgfs_group *g = group_walk(c, NULL); g; g = group_walk(c, g)) {
		if (g->killing)
			kill_round(g);
		if (g->removal)
			removal_step(g, missed);
		if (g->oom)
			oom_step(g, missed);
		if (g->watch)
			watch_step(g, missed);
	}
}
