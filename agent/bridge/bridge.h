/* SPDX-License-Identifier: MIT */
/*
 * bridge.h - connections, the requests that came over them, and how these are answered.
 */
#ifndef AGENT_BRIDGE_H
#define AGENT_BRIDGE_H

#include "agent/base/dirs.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/wire/frame.h"
#include "cgfs/base/json_out.h"

#include <jansson.h>

#include <cgfs/base.h>

struct address;
struct bridge;
struct conn;

/* A request that has not been answered.  The function that gets one answers it exactly once, now or
 * later, with one of the request_ functions, which also free it.  It survives its connection:
 * the answer then goes nowhere. */
struct request {
	struct request *next, **prev; /* of the connection */
	struct conn *conn;	      /* NULL: closed meanwhile */
	struct request *later;	      /* for the list that holds it */
	uint32_t type;
	uint64_t id;
	json_t *body;	/* an object; gone when the handler returns: see request_keep() */
	char *activity; /* NULL: none */
	char *kept;	/* the text of @body, of a request that is kept for later */
	void *found;	/* by its handler, for when the request comes again; goes with free() */
	size_t cost;	/* bytes that it holds on behalf of its peer */
	struct bridge *parked; /* its connection is gone, and the next one gets the answer */
	bool in_handler, freed;
	bool resumed; /* its answer is due on a later connection than it came over */
};

/* The request will be handled later: its text is kept, since that is smaller than what it is parsed
 * into.  false: no memory, or too much is kept already, and it has been answered. */
bool request_keep(struct request *rq);
/* Parses what was kept again, and hands the request to the bridge's owner; one whose connection has
 * ended goes nowhere. */
void request_resume(struct request *rq);

struct bridge_ops {
	/* A message with a body that is a JSON object; or without a body, and @why not. */
	void (*request)(void *ctx, struct request *rq, const char *why);
	/* Its requests have been detached; forget the connection.  @c NULL: only requests have. */
	void (*closed)(void *ctx, struct conn *c);
	/* The last connection that cannot come back is gone (stdin/stdout). */
	void (*hangup)(void *ctx);
	/* Does a message of this type outlive the connection to the host over which it was asked
	 * for, or was to be sent?  NULL: none does. */
	bool (*outlives)(uint32_t type);
};

/* @dirs: the journal for the socket. */
int bridge_new(struct loop *loop, struct log *log, const struct bridge_ops *ops, void *ctx,
	       struct dirs *dirs, struct bridge **ret);
void bridge_free(struct bridge *b);
/* Serves a connection on two descriptors (or one given twice); takes them over. */
int bridge_add(struct bridge *b, int in, int out, bool last, struct cgfs_err *reterr);
/* stale.c: makes the path free for a new socket, if it is free or has one that a killed agent left;
 * -EADDRINUSE: it has something else. */
int socket_remove_stale(struct dirs *dirs, const char *path, struct cgfs_err *reterr);
/* Listens on a unix socket, 0600; replaces a dead socket of that name, never a live one.
 * @observers: clients that connect are not the host. */
int bridge_listen(struct bridge *b, const char *path, bool observers, struct cgfs_err *reterr);
/* Listens on a vsock port; only peers of the CID in @at are served. */
int bridge_listen_vsock(struct bridge *b, const struct address *at, struct cgfs_err *reterr);
/* Connects to the host, again for ever, and again when the connection has ended.  Requests of a
 * type that outlives its connection are answered on the next one, with their ids; see
 * conn_resume(). */
int bridge_dial(struct bridge *b, const struct address *to, struct cgfs_err *reterr);
/* Writes out what is left, without blocking for longer than @timeout_ms in all. */
void bridge_flush(struct bridge *b, unsigned int timeout_ms);
/* "conn=3 in=17 out=0 requests=2" for each connection, through @fn. */
void bridge_describe(struct bridge *b, void (*fn)(void *ctx, const char *line), void *ctx);

/* --- a connection --------------------------------------------------------------------------- */

struct conn_state {
	uint32_t version; /* 0: nothing negotiated yet */
	bool observer;	  /* not the host's: exits of others' containers are not for it */
	bool events;	  /* subscribed */
	uint64_t lost;	  /* events that it had no room for */
};

struct conn_state *conn_state(struct conn *c);
uint64_t conn_id(const struct conn *c);
/* Takes @n descriptors that came over the connection, in order.  -ENOENT: there are fewer. */
int conn_take_fds(struct conn *c, int *fds, size_t n);
/* A message of its own.  @droppable: give up (-EAGAIN) rather than queue much. */
int conn_notify(struct conn *c, uint32_t type, const char *body, bool droppable);
struct conn *bridge_next_conn(struct bridge *b, struct conn *prev);
/* The host has negotiated on a connection that the agent made: what was kept for it is sent, and
 * what it still waits for is this connection's. */
void conn_resume(struct conn *c);

/* --- answers -------------------------------------------------------------------------------- */

/* Success, with the members that the caller writes between the two.  false: there is no memory for
 * an answer, and @rq is gone. */
bool request_answer_begin(struct request *rq, struct json_out *o);
void request_answer_end(struct request *rq, struct json_out *o);
/* Success that has none. */
void request_answer(struct request *rq);
/* Failure with one error record.  @hr is an HR_... */
void request_fail(struct request *rq, uint32_t hr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The text of an error that has only its code: "HRESULT: 0xc037010e". */
void request_fail_code(struct request *rq, uint32_t hr);
/* Failure for a negative errno and its explanation. */
void request_fail_err(struct request *rq, int code, const struct cgfs_err *err);

#endif
