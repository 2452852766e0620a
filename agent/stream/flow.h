/* SPDX-License-Identifier: MIT */
/*
 * flow.h - one direction of a relay; private to this folder.
 */
#ifndef AGENT_FLOW_H
#define AGENT_FLOW_H

#include "agent/stream/stream.h"
#include "agent/wire/call.h"

/* As much is read at a time, and held while it cannot be written. */
#define FLOW_CHUNK 16384u

struct flow {
	struct streams *s;
	struct loop_fd from, to; /* -EBADF: none; without a `to` bytes are dropped */
	uint8_t *rest;		 /* read and not written: [off, len) */
	size_t off, len;
	uint8_t *replay; /* the last bytes that were written: a ring */
	size_t replay_room, replay_len, replay_at;
	struct call call; /* of a port that has gone; from the loop */
	bool out;	  /* from the process; else towards it */
	bool again;	  /* the port of `to` is called again when it goes */
	bool active;	  /* has begun */
	bool eof;	  /* `from` has ended */
	bool closing;	  /* all is written, and the peer is to close */
	bool done;
	/* It has moved bytes, ended or (@broken) lost the peer. */
	void (*moved)(void *ctx, struct flow *f, bool broken);
	void *ctx;
};

void flow_init(struct flow *f, struct streams *s, bool out,
	       void (*moved)(void *ctx, struct flow *f, bool broken), void *ctx);
/* Reads what is there, or the end, without waiting for a report of it. */
void flow_look(struct flow *f);
int flow_start(struct flow *f);
/* Stops it and closes both ends. */
void flow_close(struct flow *f);
/* The port is called until it answers. */
void flow_call(struct flow *f);

#endif
