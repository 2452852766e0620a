/* SPDX-License-Identifier: MIT */
/*
 * call.h - connecting to an address from the loop, tried again until it works or is given up.
 *
 * The user embeds and zeroes the struct, and sets its first members.
 */
#ifndef AGENT_CALL_H
#define AGENT_CALL_H

#include "agent/base/loop.h"
#include "agent/wire/address.h"

struct call {
	struct loop *loop;
	struct address to;
	/* Tries when the other side does not answer in time, 100 ms apart; any other failure ends
	 * the call.  0: every failure is one to try again after, for ever. */
	unsigned int tries;
	/* A connected, non-blocking descriptor, which is the callee's, or why there is none. */
	void (*done)(void *ctx, int fd);
	/* One try has failed, and there will be another; may be NULL. */
	void (*failed)(void *ctx, int error);
	void *ctx;

	struct loop_fd fd;
	struct loop_timer timer;
	bool active;
};

/* Begins after @delay_ms; done() is never called from within. */
void call_begin(struct call *c, uint64_t delay_ms);
/* Gives up; done() is not called. */
void call_end(struct call *c);
#define CALL_AGAIN_MS 100

#endif
