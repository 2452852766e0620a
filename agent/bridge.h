/* SPDX-License-Identifier: MIT */
/*
 * bridge.h - connections, the requests that came over them, and how these are answered.
 */
#ifndef AGENT_BRIDGE_H
#define AGENT_BRIDGE_H

#include "common/frame.h"
#include "log.h"
#include "loop.h"

#include <jansson.h>

#include <cgfs/base.h>

struct agent;
struct bridge;
struct conn;

/* A request that has not been answered.  Whoever gets one answers it exactly once, now or
 * later, with one of the request_ functions, which also free it.  It survives its connection:
 * the answer then goes nowhere. */
struct request {
	struct request *next, **prev; /* of the connection */
	struct conn *conn;	      /* NULL: closed meanwhile */
	struct request *later;	      /* for whoever holds it */
	uint32_t type;
	uint64_t id;
	json_t *body;	      /* an object; borrowed from the request */
	const char *activity; /* in @body; NULL: none */
};

struct bridge_ops {
	/* A message with a body that is a JSON object. */
	void (*request)(void *ctx, struct request *rq);
	/* Its requests have been detached; forget the connection. */
	void (*closed)(void *ctx, struct conn *c);
	/* The last connection that cannot come back is gone (stdin/stdout). */
	void (*hangup)(void *ctx);
};

int bridge_new(struct loop *loop, struct log *log, const struct bridge_ops *ops, void *ctx,
	       struct bridge **ret);
void bridge_free(struct bridge *b);
/* Serves a connection on two descriptors (or one given twice); takes them over. */
int bridge_add(struct bridge *b, int in, int out, bool last, struct cgfs_err *reterr);
/* Listens on a unix socket, 0600; replaces a dead socket of that name, never a live one. */
int bridge_listen(struct bridge *b, const char *path, struct cgfs_err *reterr);
/* Writes out what is left, without blocking for longer than @timeout_ms in all. */
void bridge_flush(struct bridge *b, unsigned int timeout_ms);
/* "conn=3 in=17 out=0 requests=2" for each connection, through @fn. */
void bridge_describe(struct bridge *b, void (*fn)(void *ctx, const char *line), void *ctx);

/* --- a connection --------------------------------------------------------------------------- */

struct conn_state {
	uint32_t version; /* 0: nothing negotiated yet */
	bool events;	  /* subscribed */
	uint64_t lost;	  /* events that it had no room for */
};

struct conn_state *conn_state(struct conn *c);
uint64_t conn_id(const struct conn *c);
/* Takes @n descriptors that came over the connection, in order.  -ENOENT: there are fewer. */
int conn_take_fds(struct conn *c, int *fds, size_t n);
/* A message of its own.  @droppable: give up (-EAGAIN) rather than queue much.  Borrows @body. */
int conn_notify(struct conn *c, uint32_t type, const json_t *body, bool droppable);
struct conn *bridge_next_conn(struct bridge *b, struct conn *prev);

/* --- answers -------------------------------------------------------------------------------- */

/* Success.  @members (may be NULL) come after Result and ActivityId; the reference is taken. */
void request_answer(struct request *rq, json_t *members);
/* Failure with one error record.  @hr is an HR_... */
void request_fail(struct request *rq, uint32_t hr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The text of an error that has only its code: "HRESULT: 0xc037010e". */
void request_fail_code(struct request *rq, uint32_t hr);
/* Failure for a negative errno and its explanation. */
void request_fail_err(struct request *rq, int code, const struct cgfs_err *err);

#endif
