/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the machine's time follows the host's.
 */
#ifndef AGENT_CLOCK_H
#define AGENT_CLOCK_H

#include "agent/base/loop.h"

struct agent;

/* Embedded; zeroed when no program runs. */
struct clock {
	struct agent *a;
	char *file; /* the program's configuration */
	struct loop_child child;
	struct loop_timer again;
	uint64_t began_ms, delay_ms;
};

/* Runs chronyd on the clock that the hypervisor gives, and again whenever it ends.  What stands in
 * the way is logged. */
void clock_begin(struct clock *c, struct agent *a);
void clock_end(struct clock *c);

#endif
