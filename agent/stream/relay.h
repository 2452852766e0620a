/* SPDX-License-Identifier: MIT */
/*
 * relay.h - a relay as the files of this folder see it; private to it.
 */
#ifndef AGENT_RELAY_H
#define AGENT_RELAY_H

#include "agent/stream/flow.h"
#include "agent/stream/stream.h"
#include "agent/wire/call.h"

struct relay {
	struct relay *link, **prev; /* of all */
	struct streams *s;
	const void *owner;
	struct flow flow[3]; /* stdin, stdout, stderr; of a terminal the first two */
	int master;	     /* of the terminal; -EBADF: pipes */
	int console;	     /* where the runtime sends it; -EBADF: it does not */
	char *console_path;
	/* Ports that are being called, one after the other. */
	struct stream_ports ports;
	int next;
	struct call call;
	void (*connected)(void *ctx, int error, const char *why); /* NULL: none is */
	void *connected_ctx;
	/* The process has exited. */
	void (*drained)(void *ctx); /* NULL: it has not, or it was called */
	void *drained_ctx;
	bool away; /* the limit is that of an absent host */
	bool started, cancelled;
	struct loop_timer soon, limit;
};

void relay_console_close(struct relay *r);

#endif
