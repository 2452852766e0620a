/* SPDX-License-Identifier: MIT */
/*
 * pids.h - the limit on processes, where a child enters a group by itself.
 *
 * The kernel refuses a fork over pids.max, but no process that moves in; on v1 our child moves in.
 * So what clone3 does on cgroup2 is done by hand: one too many, and the child has to go.  What
 * it costs while there is no limit is one read each of two files that stay open.
 */
#ifndef CGFS_CONTROLLER_PIDS_H
#define CGFS_CONTROLLER_PIDS_H

#include <cgfs/cgfs.h>

/* The limits of the container and of its pod. */
struct pids_limits {
	bool on;
	uint64_t max[2];
};

/* Before the fork, and all that takes memory with it: another thread may hold malloc()'s lock,
 * which the child of a bare clone3 then never gets. */
void pids_prepare(struct cgfs_group *g, bool unified, struct pids_limits *ret);
/* In the child, once it is counted.  Two that come at once may both be sent away, none stays. */
int pids_check(struct cgfs_group *g, const struct pids_limits *limits, struct cgfs_err *err);

#endif
