/* SPDX-License-Identifier: MIT */
/*
 * own.h - the agent's own cgroup, whose memory is watched.
 */
#ifndef AGENT_OWN_H
#define AGENT_OWN_H

#include "agent/base/log.h"
#include "agent/base/loop.h"

struct cgfs;
struct cgfs_group;

/* Embedded; zeroed when the agent has none. */
struct own {
	struct loop *loop;
	struct log *log;
	struct cgfs *cgfs;
	struct cgfs_group *group;
	struct loop_fd events;
	struct loop_timer settled;
	uint64_t threshold, count;
	char began[LOG_TIME_MAX], crossed[LOG_TIME_MAX];
};

/* Moves the agent into "gcs" beside the root of @pods, which is called "pods", and reports when
 * @threshold bytes are exceeded there.  What stands in the way is logged. */
void own_begin(struct own *o, struct loop *loop, struct log *log, struct cgfs *pods,
	       uint64_t threshold);
/* The cgroup stays, since the agent is in it. */
void own_end(struct own *o);

#endif
