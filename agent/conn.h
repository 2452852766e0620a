/* SPDX-License-Identifier: MIT */
/*
 * conn.h - what bridge.c (bytes) and request.c (JSON) share of a connection; nobody else's.
 */
#ifndef AGENT_CONN_H
#define AGENT_CONN_H

#include "bridge.h"

#define CONN_FDS_MAX	  12
#define CONN_REQUESTS_MAX 1024

struct conn {
	struct conn *next, **prev;
	struct bridge *b;
	uint64_t id;
	struct conn_state state;
	struct loop_fd in, out; /* the same descriptor for a socket: then `in` stands for both */
	bool socket;
	bool last; /* nobody can come back on it: its end is the agent's */
	bool eof;
	bool dead;    /* to be freed by its next callback */
	uint8_t *buf; /* what was read: at most one frame and a bit */
	size_t have, room;
	uint8_t *obuf; /* what is to be written: [ooff, ohave) */
	size_t ooff, ohave, oroom;
	int fds[CONN_FDS_MAX];
	size_t n_fds;
	struct request *requests;
	size_t n_requests;
};

/* Tells the loop what the connection waits for. */
void conn_arm(struct conn *c);
/* Queues one message; @body has @len bytes, a newline is added.  -EAGAIN: droppable, and it was
 * dropped; -EMSGSIZE; -EPIPE and -ENOBUFS: the connection is lost. */
int conn_send(struct conn *c, uint32_t type, uint64_t id, const char *body, size_t len,
	      bool droppable);
/* Detaches a request from its connection. */
void conn_forget(struct request *rq);
/* Makes a request of a frame and hands it to @fn, or answers it when it is not JSON. */
void request_begin(struct conn *c, const struct frame_header *h, const char *body,
		   void (*fn)(void *ctx, struct request *rq), void *ctx);

#endif
