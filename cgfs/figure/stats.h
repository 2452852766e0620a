/* SPDX-License-Identifier: MIT */
/*
 * stats.h - the figures of one group of many.
 */
#ifndef CGFS_FIGURE_STATS_H
#define CGFS_FIGURE_STATS_H

#include <cgfs/cgfs.h>

/* What cgfs_group_stats() reads, with what the policy's report of that session has of it; 0:
 * nothing.  @ret is the library's own. */
int stats_read(struct cgfs_group *g, unsigned int what, uint64_t session, struct cgfs_stats *ret,
	       struct cgfs_err *reterr);

#endif
