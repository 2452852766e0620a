/* SPDX-License-Identifier: MIT */
/*
 * kmsg.h - messages of the kernel as lines of the agent's log.
 */
#ifndef AGENT_KMSG_H
#define AGENT_KMSG_H

#include "agent/base/loop.h"

struct log;

/* Embedded; zeroed when nothing is forwarded. */
struct kmsg {
	struct loop *loop;
	struct log *log;
	uint64_t level; /* the least important that is forwarded, 0..7 */
	uint64_t next;	/* sequence number; 0: not known */
	struct loop_fd in;
	struct loop_timer pause;
};

/* From /dev/kmsg, the oldest first.  What stands in the way is logged. */
void kmsg_begin(struct kmsg *k, struct loop *loop, struct log *log, uint64_t level);
/* The same from @fd, which does not block and gives one record at a time; takes it over. */
void kmsg_follow(struct kmsg *k, struct loop *loop, struct log *log, uint64_t level, int fd);
void kmsg_end(struct kmsg *k);

#endif
