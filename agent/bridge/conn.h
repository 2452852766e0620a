/* SPDX-License-Identifier: MIT */
/*
 * conn.h - what bridge.c, conn.c (bytes) and request.c (JSON) share; private to this folder.
 */
#ifndef AGENT_CONN_H
#define AGENT_CONN_H

#include "agent/bridge/bridge.h"

#define CONN_FDS_MAX	  12
#define CONN_REQUESTS_MAX 1024
/* Bytes that unanswered requests of one connection, and of all, may hold. */
#define CONN_HELD_MAX	  (1u * 1024 * 1024)
#define BRIDGE_HELD_MAX	  (16u * 1024 * 1024)

struct dialler;
struct listener;

/* A message that waits for the next connection to the host. */
struct kept {
	struct kept *next;
	uint32_t type;
	uint64_t id;
	size_t len;
	char body[];
};

struct bridge {
	struct loop *loop;
	struct log *log;
	const struct bridge_ops *ops;
	void *ctx;
	struct conn *conns;
	size_t n_conns;
	uint64_t next_id;
	size_t held; /* bytes, by unanswered requests */
	struct listener *listeners;
	struct dialler *diallers;
	struct request *parked; /* whose connection to the host is gone */
	struct kept *kept, **kept_end;
	size_t kept_bytes;
	struct dirs *dirs;
};

struct conn {
	struct conn *next, **prev;
	struct bridge *b;
	uint64_t id;
	struct conn_state state;
	struct loop_fd in, out; /* the same descriptor for a socket: then `in` stands for both */
	bool socket;
	bool halves;		 /* the peer can close one half without closing the connection */
	bool last;		 /* no client can connect again: its end is the agent's */
	struct dialler *dialler; /* made it, and makes the next one; NULL: none */
	size_t resumed;		 /* requests that it took over from the one before */
	bool eof;
	bool dead;    /* to be freed by its next callback */
	uint8_t *buf; /* what was read: at most one frame and a bit */
	size_t have, room;
	bool more;		/* whole frames are left in buf: others have their turn first */
	struct loop_timer turn; /* then; whether the peer takes answers or not */
	uint8_t *obuf;		/* what is to be written: [ooff, ohave) */
	size_t ooff, ohave, oroom;
	size_t oframe; /* the first that has not been written as a whole */
	int fds[CONN_FDS_MAX];
	size_t n_fds;
	struct request *requests;
	size_t n_requests;
	size_t held;		 /* bytes, of their cost */
	uint64_t stuck_since_ms; /* its peer has not read since then; 0: nothing waits */
};

/* Ends it at once, which frees it. */
void conn_free(struct conn *c);
/* Ends it soon: its own callback frees it, since the caller may hold it. */
void conn_kill(struct conn *c, enum log_level level, const char *why);
/* Writes what the peer takes now. */
void conn_flush(struct conn *c);
/* Sets what the loop polls the connection for. */
void conn_arm(struct conn *c);
/* Queues one message; @body has @len bytes, a newline is added.  -EAGAIN: droppable, and it was
 * dropped; -EMSGSIZE; -EPIPE and -ENOBUFS: the connection is lost. */
int conn_send(struct conn *c, uint32_t type, uint64_t id, const char *body, size_t len,
	      bool droppable);
/* Puts it in front of a list; takes it out. */
void request_link(struct request *rq, struct request **list);
void request_unlink(struct request *rq);
/* Makes a request one of the connection's, which holds what it costs; detaches it. */
void conn_attach(struct conn *c, struct request *rq);
void conn_forget(struct request *rq);
/* Its connection ends: the request is answered on the next one. */
void conn_park(struct request *rq);
/* A parked request is answered, or given up. */
void conn_unpark(struct request *rq);
/* Keeps a message for the next connection to the host.  What is kept is bounded. */
void conn_keep(struct bridge *b, uint32_t type, uint64_t id, const char *body, size_t len);
/* listen.c, dial.c */
void listeners_free(struct bridge *b);
void diallers_free(struct bridge *b);
/* The connection that it made has ended. */
void dialler_again(struct dialler *d);
/* Makes a request of a frame and hands it to the bridge's owner. */
void request_begin(struct conn *c, const struct frame_header *h, const char *body);

#endif
