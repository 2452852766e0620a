/* SPDX-License-Identifier: MIT */
/*
 * relay.c - the three streams of a process, or its terminal, and the other side of them: when they
 * are connected, when they begin, and when all of it has gone through.
 */
#include "agent/stream/stream.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "agent/stream/flow.h"
#include "agent/stream/relay.h"
#include "agent/wire/call.h"
#include "cgfs/base/util.h"

/* The reference's tries of a port; each can take the two seconds of a vsock connection. */
#define TRIES	 10
/* After the process's exit, without a byte that moves: a process that it left behind has the
 * stream open, or the other side does not read. */
#define DRAIN_MS 30000
/* ... or the host is away. */
#define AWAY_MS	 10000

static const char *const names[] = { "stdin", "stdout", "stderr" };

/* --- life ----------------------------------------------------------------------------------- */

static void on_moved(void *ctx, struct flow *f, bool broken);
static void on_soon(void *ctx);
static void on_limit(void *ctx);
static void on_call(void *ctx, int fd);

struct relay *relay_new(struct streams *s, const void *owner)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!s->scratch)
		s->scratch = malloc(FLOW_CHUNK);
	if (!r || !s->scratch) {
		free(r);
		return NULL;
	}
	r->link = s->relays;
	r->prev = &s->relays;
	if (r->link)
		r->link->prev = &r->link;
	s->relays = r;
	r->s = s;
	r->owner = owner;
	r->master = r->console = -EBADF;
	for (int i = 0; i < 3; i++)
		flow_init(&r->flow[i], s, i != 0, on_moved, r);
	r->soon = (struct loop_timer){ .fn = on_soon, .ctx = r };
	r->limit = (struct loop_timer){ .fn = on_limit, .ctx = r };
	r->call = (struct call){ .loop = s->loop, .tries = TRIES, .done = on_call, .ctx = r };
	return r;
}

void relay_free(struct relay *r)
{
	struct streams *s;

	if (!r)
		return;
	s = r->s;
	call_end(&r->call);
	loop_timer_clear(s->loop, &r->soon);
	loop_timer_clear(s->loop, &r->limit);
	for (int i = 0; i < 3; i++)
		flow_close(&r->flow[i]);
	relay_console_close(r);
	if (r->master >= 0)
		close(r->master);
	*r->prev = r->link;
	if (r->link)
		r->link->prev = r->prev;
	if (!s->relays) {
		free(s->scratch);
		s->scratch = NULL;
	}
	free(r);
}

/* --- the other side ------------------------------------------------------------------------- */

static int *other_side(struct relay *r, int i)
{
	return i == 0 ? &r->flow[i].from.fd : &r->flow[i].to.fd;
}

void relay_disconnect(struct relay *r)
{
	call_end(&r->call);
	for (int i = 0; i < 3; i++) {
		int *fd = other_side(r, i);

		r->flow[i].again = false;
		if (*fd >= 0)
			close(take_fd(fd));
	}
}

static void connected(struct relay *r, int error)
{
	char why[ADDRESS_TEXT_MAX + 80] = "", text[ADDRESS_TEXT_MAX];
	void (*done)(void *ctx, int error, const char *why) = r->connected;

	if (error == -ECANCELED)
		snprintf(why, sizeof(why), "the container is being deleted");
	else if (error < 0)
		snprintf(why, sizeof(why), "connect %s to %s: %s", names[r->next],
			 address_text(&r->call.to, text), strerror(-error));
	if (error < 0)
		relay_disconnect(r);
	r->connected = NULL;
	done(r->connected_ctx, error, why);
}

static bool is_wanted(const struct relay *r, int i)
{
	return r->ports.want[i] && !(i == 2 && r->master >= 0);
}

static void connect_next(struct relay *r)
{
	int error;

	while (r->next < 3 && !is_wanted(r, r->next))
		r->next++;
	if (r->next == 3) {
		connected(r, 0);
		return;
	}
	error = address_beside(&r->s->host, r->ports.port[r->next], &r->call.to);
	if (error < 0) {
		connected(r, error);
		return;
	}
	r->call.tries = TRIES;
	call_begin(&r->call, 0);
}

static void on_call(void *ctx, int fd)
{
	struct relay *r = ctx;
	struct flow *f = &r->flow[r->next];

	if (fd < 0) {
		connected(r, fd);
		return;
	}
	*other_side(r, r->next) = fd;
	f->again = f->out;
	f->call.to = r->call.to;
	r->next++;
	connect_next(r);
}

void relay_connect(struct relay *r, const struct stream_ports *ports,
		   void (*done)(void *ctx, int error, const char *why), void *ctx)
{
	r->ports = *ports;
	r->connected = done;
	r->connected_ctx = ctx;
	r->next = 0;
	if (loop_timer_set(r->s->loop, &r->soon, 0) < 0)
		connect_next(r);
}

void streams_cancel(struct streams *s, const void *owner)
{
	for (struct relay *r = s->relays; r; r = r->link) {
		if (r->owner != owner || !r->connected)
			continue;
		r->cancelled = true;
		call_end(&r->call);
		ignore(loop_timer_set(s->loop, &r->soon, 0));
	}
}

void streams_end(struct streams *s)
{
	struct relay *r = s->relays;

	while (r) {
		if (r->connected) {
			connected(r, -ECANCELED);
			r = s->relays; /* any of them may be gone with it */
		} else {
			r = r->link;
		}
	}
}

void relay_call_again(struct relay *r, const struct stream_ports *ports)
{
	r->ports = *ports;
	for (int i = 1; i < 3; i++) {
		struct flow *f = &r->flow[i];

		if (!is_wanted(r, i) || f->from.fd < 0 ||
		    address_beside(&r->s->host, ports->port[i], &f->call.to) < 0)
			continue;
		f->again = true;
		flow_call(f);
	}
}

static bool is_stream_socket(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

int relay_attach(struct relay *r, int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0 && !is_stream_socket(fds[i]))
			return -ENOTSOCK;
	}
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			*other_side(r, i) = take_fd(&fds[i]);
	}
	return 0;
}

/* --- moving --------------------------------------------------------------------------------- */

/* Is everything that the process wrote with its reader? */
static bool is_drained(const struct relay *r)
{
	return !r->flow[1].active && !r->flow[2].active;
}

static bool is_away(const struct relay *r)
{
	return r->flow[1].call.active || r->flow[2].call.active;
}

static void await_drained(struct relay *r)
{
	if (!r->drained || !r->started)
		return;
	if (is_drained(r)) {
		loop_timer_clear(r->s->loop, &r->limit);
		if (loop_timer_set(r->s->loop, &r->soon, 0) == 0)
			return;
	}
	/* An absent host does not get more time each time that it fails to answer. */
	if (is_away(r) && r->away)
		return;
	r->away = is_away(r);
	ignore(loop_timer_set(r->s->loop, &r->limit, r->away ? AWAY_MS : DRAIN_MS));
}

static void drained(struct relay *r)
{
	void (*fn)(void *ctx) = r->drained;

	r->drained = NULL;
	loop_timer_clear(r->s->loop, &r->limit);
	fn(r->drained_ctx);
}

static void on_limit(void *ctx)
{
	struct relay *r = ctx;

	log_write(r->s->log, LOG_WARNING, "a process has exited, and its output is not read", "why",
		  r->away ? "the host is away" : "nothing moves", NULL);
	drained(r);
}

static void on_soon(void *ctx)
{
	struct relay *r = ctx;

	if (r->connected && r->cancelled)
		connected(r, -ECANCELED);
	else if (r->connected)
		connect_next(r);
	else if (r->drained)
		drained(r);
}

/* The terminal's user is gone. */
static void hang_up(struct relay *r)
{
	for (int i = 0; i < 3; i++)
		flow_close(&r->flow[i]);
	if (r->master >= 0)
		close(take_fd(&r->master));
}

static void on_moved(void *ctx, struct flow *f, bool broken)
{
	struct relay *r = ctx;

	if (broken && f->out && !f->again && r->master >= 0)
		hang_up(r);
	await_drained(r);
}

static int start_flow(struct flow *f)
{
	/* Without a writer on the other side the process reads the end of its input. */
	if (f->from.fd >= 0 && (f->out || f->to.fd >= 0))
		return flow_start(f);
	if (!f->call.active)
		flow_close(f);
	return 0;
}

int relay_start(struct relay *r)
{
	int res = 0;

	r->started = true;
	if (r->master >= 0) {
		r->flow[0].to.fd = fcntl(r->master, F_DUPFD_CLOEXEC, 3);
		r->flow[1].from.fd = fcntl(r->master, F_DUPFD_CLOEXEC, 3);
		if (r->flow[0].to.fd < 0 || r->flow[1].from.fd < 0)
			res = -errno;
	}
	/* One whose process has exited meanwhile has nothing more to read. */
	if (r->drained)
		flow_close(&r->flow[0]);
	for (int i = 0; i < 3 && res == 0; i++)
		res = r->flow[i].done ? 0 : start_flow(&r->flow[i]);
	/* epoll does not report a FIFO whose writers had all closed it before it was opened. */
	for (int i = 1; i < 3 && res == 0 && r->master < 0; i++)
		flow_look(&r->flow[i]);
	await_drained(r);
	return res;
}

bool relay_is_started(const struct relay *r)
{
	return r->started;
}

void relay_exited(struct relay *r, void (*fn)(void *ctx), void *ctx)
{
	/* The host's writer learns that there is no reader any more. */
	if (r->flow[0].from.fd >= 0)
		ignore(shutdown(r->flow[0].from.fd, SHUT_RD));
	flow_close(&r->flow[0]);
	r->drained = fn;
	r->drained_ctx = ctx;
	await_drained(r);
}

void relay_give_up(struct relay *r)
{
	r->drained = NULL;
	loop_timer_clear(r->s->loop, &r->limit);
}
