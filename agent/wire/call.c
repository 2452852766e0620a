/* SPDX-License-Identifier: MIT */
/*
 * call.c - see call.h.  Nothing waits: a connection that is being made is polled for.
 */
#include "agent/wire/call.h"

#include <sys/socket.h>

#include "cgfs/base/util.h"

static void finish(struct call *c, int fd)
{
	c->active = false;
	c->done(c->ctx, fd);
}

static void failed(struct call *c, int r)
{
	bool again = c->tries == 0 || r == -ETIMEDOUT || r == -EAGAIN || r == -EINTR;

	if (c->tries == 1 || !again || loop_timer_set(c->loop, &c->timer, CALL_AGAIN_MS) < 0) {
		finish(c, r);
		return;
	}
	if (c->tries > 0)
		c->tries--;
	if (c->failed)
		c->failed(c->ctx, r);
}

static void on_connect(void *ctx, uint32_t events)
{
	struct call *c = ctx;
	int fd = c->fd.fd;
	int r = address_connected(fd);

	loop_set(c->loop, &c->fd, 0);
	c->fd.fd = -EBADF;
	if (r == 0) {
		finish(c, fd);
		return;
	}
	close(fd);
	failed(c, r);
}

static void try(void *ctx)
{
	struct call *c = ctx;
	bool pending;
	int fd, r;

	fd = address_connect(&c->to, &pending);
	if (fd >= 0 && !pending) {
		finish(c, fd);
		return;
	}
	r = fd;
	if (fd >= 0) {
		c->fd.fd = fd;
		r = loop_set(c->loop, &c->fd, EPOLLOUT);
		if (r == 0)
			return;
		close(take_fd(&c->fd.fd));
	}
	failed(c, r);
}

void call_begin(struct call *c, uint64_t delay_ms)
{
	c->fd = (struct loop_fd){ .fn = on_connect, .ctx = c, .fd = -EBADF };
	c->timer = (struct loop_timer){ .fn = try, .ctx = c };
	c->active = true;
	/* Without memory for a timer there are worse troubles; the descriptor's way still works. */
	if (loop_timer_set(c->loop, &c->timer, delay_ms) < 0)
		try(c);
}

void call_end(struct call *c)
{
	if (!c->active)
		return;
	c->active = false;
	loop_timer_clear(c->loop, &c->timer);
	if (c->fd.fd >= 0) {
		loop_set(c->loop, &c->fd, 0);
		close(take_fd(&c->fd.fd));
	}
}
