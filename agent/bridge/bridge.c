/* SPDX-License-Identifier: MIT */
/*
 * bridge.c - the set of all connections.  Where they come from is listen.c's and dial.c's; what
 * goes over one is conn.c's.
 */
#include "agent/bridge/bridge.h"

#include <poll.h>

#include "agent/bridge/conn.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"

/* --- life ----------------------------------------------------------------------------------- */

int bridge_new(struct loop *loop, struct log *log, const struct bridge_ops *ops, void *ctx,
	       struct dirs *dirs, struct bridge **ret)
{
	struct bridge *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->loop = loop;
	b->log = log;
	b->ops = ops;
	b->ctx = ctx;
	b->dirs = dirs;
	b->kept_end = &b->kept;
	*ret = b;
	return 0;
}

void bridge_free(struct bridge *b)
{
	if (!b)
		return;
	/* First, for they know their connections: then no other is made. */
	diallers_free(b);
	for (struct conn *c = b->conns, *next; c; c = next) {
		next = c->next;
		c->last = false;
		conn_free(c);
	}
	listeners_free(b);
	free(b);
}

void bridge_flush(struct bridge *b, unsigned int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;

	for (struct conn *c = b->conns; c; c = c->next) {
		for (conn_flush(c); !c->dead && c->ooff < c->ohave; conn_flush(c)) {
			struct pollfd p = { .fd = c->out.fd, .events = POLLOUT };
			uint64_t now = now_ms();

			if (now >= end || poll(&p, 1, (int)(end - now)) <= 0)
				break;
		}
	}
}

struct conn *bridge_next_conn(struct bridge *b, struct conn *prev)
{
	return prev ? prev->next : b->conns;
}

void bridge_describe(struct bridge *b, void (*fn)(void *ctx, const char *line), void *ctx)
{
	for (struct conn *c = b->conns; c; c = c->next) {
		char line[160];

		snprintf(line, sizeof(line), "conn %llu: version %u, in %zu, out %zu, requests %zu",
			 (unsigned long long)c->id, c->state.version, c->have, c->ohave - c->ooff,
			 c->n_requests);
		fn(ctx, line);
	}
}
