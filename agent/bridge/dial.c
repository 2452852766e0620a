/* SPDX-License-Identifier: MIT */
/*
 * dial.c - the connection to the host that the agent makes itself, as the host's shims expect it:
 * tried every 100 ms for ever, and anew when it has ended.  What the host still waits for is kept
 * meanwhile: requests whose type outlives a connection, and messages that did not go out.
 */
#include <stdlib.h>

#include "agent/base/log.h"
#include "agent/bridge/bridge.h"
#include "agent/bridge/conn.h"
#include "agent/wire/address.h"
#include "agent/wire/call.h"
#include "cgfs/base/util.h"

#define KEPT_MAX (1u * 1024 * 1024) /* bytes of messages that wait for a host */

struct dialler {
	struct dialler *next;
	struct bridge *b;
	struct call call;
	struct conn *conn; /* that it has made */
	int reported;	   /* errno of the last failure in the log */
};

static void on_failed(void *ctx, int r)
{
	struct dialler *d = ctx;
	char text[ADDRESS_TEXT_MAX];

	/* Once for each reason: the host may be away for hours. */
	if (r != d->reported)
		log_write(d->b->log, LOG_INFO, "no host, tried again every 100 ms", "address",
			  address_text(&d->call.to, text), "error", strerror(-r), NULL);
	d->reported = r;
}

static void on_called(void *ctx, int fd)
{
	struct dialler *d = ctx;
	struct cgfs_err err = { 0 };
	int r = fd < 0 ? fd : bridge_add(d->b, fd, fd, false, &err);

	if (r < 0) {
		if (fd >= 0)
			close(fd);
		on_failed(d, r);
		dialler_again(d);
		return;
	}
	d->reported = 0;
	d->conn = d->b->conns;
	d->conn->dialler = d;
}

void dialler_again(struct dialler *d)
{
	d->conn = NULL;
	call_begin(&d->call, CALL_AGAIN_MS);
}

int bridge_dial(struct bridge *b, const struct address *to, struct cgfs_err *reterr)
{
	struct dialler *d = calloc(1, sizeof(*d));

	if (!d)
		return cgfs_err_set(reterr, -ENOMEM, "connect to host", NULL, NULL, NULL);
	d->b = b;
	d->call = (struct call){
		.loop = b->loop, .to = *to, .done = on_called, .failed = on_failed, .ctx = d
	};
	d->next = b->diallers;
	b->diallers = d;
	call_begin(&d->call, 0);
	return 0;
}

/* The first one; the caller frees it. */
static struct kept *take_kept(struct bridge *b)
{
	struct kept *k = b->kept;

	b->kept = k->next;
	if (!b->kept)
		b->kept_end = &b->kept;
	b->kept_bytes -= sizeof(*k) + k->len;
	return k;
}

void diallers_free(struct bridge *b)
{
	while (b->diallers) {
		struct dialler *d = b->diallers;

		b->diallers = d->next;
		call_end(&d->call);
		if (d->conn)
			d->conn->dialler = NULL;
		free(d);
	}
	while (b->kept)
		free(take_kept(b));
	while (b->parked)
		conn_unpark(b->parked);
}

/* --- what outlives a connection ------------------------------------------------------------- */

void conn_keep(struct bridge *b, uint32_t type, uint64_t id, const char *body, size_t len)
{
	bool room = b->kept_bytes + sizeof(struct kept) + len <= KEPT_MAX;
	struct kept *k = room ? malloc(sizeof(*k) + len) : NULL;

	if (!k) {
		log_write(b->log, LOG_ERROR, "a message for the host is lost", "error",
			  room ? "out of memory" : "too many wait for it", NULL);
		return;
	}
	b->kept_bytes += sizeof(*k) + len;
	*k = (struct kept){ .type = type, .id = id, .len = len };
	memcpy(k->body, body, len);
	*b->kept_end = k;
	b->kept_end = &k->next;
}

void conn_park(struct request *rq)
{
	struct bridge *b = rq->conn->b;
	size_t cost = rq->cost;

	/* What it holds goes on to count for all, and no more for the connection. */
	conn_forget(rq);
	b->held += cost;
	rq->parked = b;
	request_link(rq, &b->parked);
}

void conn_unpark(struct request *rq)
{
	request_unlink(rq);
	rq->parked->held -= rq->cost;
	rq->parked = NULL;
}

static void take_over(struct conn *c, struct request *rq)
{
	conn_unpark(rq);
	rq->resumed = true;
	c->resumed++;
	conn_attach(c, rq);
}

void conn_resume(struct conn *c)
{
	struct bridge *b = c->b;

	if (!c->dialler)
		return;
	while (b->parked)
		take_over(c, b->parked);
	while (b->kept && !c->dead) {
		struct kept *k = take_kept(b);

		/* One that cannot be queued ends the connection, and is kept again. */
		ignore(conn_send(c, k->type, k->id, k->body, k->len, false));
		free(k);
	}
}
