/* SPDX-License-Identifier: MIT */
/*
 * conn.c - one connection: bytes and descriptors in, frames out, with bounded buffers.
 *
 * A frame whose size is a lie ends its connection and nothing else.  A connection that does not
 * read its answers is not read from either; one that still lets them pile up is closed.  Knows
 * nothing of what the messages mean.
 */
#include "agent/bridge/conn.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/wire/frame.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"

#define READ_ROOM   4096
#define SLICE_NS    (4 * 1000000ull)   /* for requests of one connection, before others */
#define OUT_PAUSE   (256u * 1024)      /* stop reading requests */
#define OUT_DROP    (512u * 1024)      /* drop what may be dropped */
#define OUT_MAX	    (1u * 1024 * 1024) /* give up on this connection */
#define OUT_MAX_ALL (8u * 1024 * 1024) /* ... or on the one that holds most */

struct conn_state *conn_state(struct conn *c)
{
	return &c->state;
}

uint64_t conn_id(const struct conn *c)
{
	return c->id;
}

int conn_take_fds(struct conn *c, int *fds, size_t n)
{
	if (n > c->n_fds)
		return -ENOENT;
	memcpy(fds, c->fds, n * sizeof(*fds));
	c->n_fds -= n;
	memmove(c->fds, c->fds + n, c->n_fds * sizeof(*fds));
	return 0;
}

int conn_notify(struct conn *c, uint32_t type, const char *body, bool droppable)
{
	return conn_send(c, type, 0, body, strlen(body), droppable);
}

void request_link(struct request *rq, struct request **list)
{
	rq->next = *list;
	rq->prev = list;
	if (rq->next)
		rq->next->prev = &rq->next;
	*list = rq;
}

void request_unlink(struct request *rq)
{
	*rq->prev = rq->next;
	if (rq->next)
		rq->next->prev = rq->prev;
}

void conn_attach(struct conn *c, struct request *rq)
{
	rq->conn = c;
	request_link(rq, &c->requests);
	c->n_requests++;
	c->held += rq->cost;
	c->b->held += rq->cost;
}

void conn_forget(struct request *rq)
{
	if (!rq->conn)
		return;
	request_unlink(rq);
	rq->conn->n_requests--;
	rq->conn->held -= rq->cost;
	rq->conn->b->held -= rq->cost;
	/* The answer to a peer that will send nothing more was its last one. */
	if (rq->conn->eof && rq->conn->n_requests == 0)
		conn_arm(rq->conn);
	rq->conn = NULL;
}

/* Is a message of this type sent on the next connection if it is not on this one? */
static bool outlives(const struct conn *c, uint32_t type)
{
	return c->dialler && c->b->ops->outlives && c->b->ops->outlives(type);
}

/* What the host did not get as a whole, and is to get on the next connection. */
static void keep_unsent(struct conn *c)
{
	struct frame_header h;

	for (size_t at = c->oframe; at + FRAME_HEADER_SIZE <= c->ohave; at += h.size) {
		if (frame_decode(c->obuf + at, &h) < 0)
			return;
		if (outlives(c, h.type))
			conn_keep(c->b, h.type, h.id, (char *)c->obuf + at + FRAME_HEADER_SIZE,
				  h.size - FRAME_HEADER_SIZE - 1);
	}
}

/* --- closing -------------------------------------------------------------------------------- */

void conn_free(struct conn *c)
{
	struct bridge *b = c->b;
	struct dialler *dialler = c->dialler;
	bool last = c->last;

	while (c->requests) {
		struct request *rq = c->requests;

		if (outlives(c, rq->type))
			conn_park(rq);
		else
			conn_forget(rq);
	}
	keep_unsent(c);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	b->n_conns--;
	b->ops->closed(b->ctx, c);
	/* After all that may arm it.  Closing is not enough: a child that was just forked has the
	 * descriptors, too, and as long as it does the loop would go on reporting them. */
	loop_timer_clear(b->loop, &c->turn);
	loop_set(b->loop, &c->in, 0);
	loop_set(b->loop, &c->out, 0);
	for (size_t i = 0; i < c->n_fds; i++)
		close(c->fds[i]);
	if (c->out.fd != c->in.fd)
		close(c->out.fd);
	close(c->in.fd);
	free(c->buf);
	free(c->obuf);
	free(c);
	if (last)
		b->ops->hangup(b->ctx);
	if (dialler)
		dialler_again(dialler);
}

/* Not here and now: the caller may hold the connection.  Its own callback frees it. */
void conn_kill(struct conn *c, enum log_level level, const char *why)
{
	if (c->dead)
		return;
	log_write(c->b->log, level, "closing connection", "conn", LOG_NUM(c->id), "why", why, NULL);
	c->dead = true;
	conn_arm(c);
}

/* A peer that has said all that it will say, over a unix socket, and still waits for answers.  Of
 * vsock the end looks the same when the peer has gone altogether; and a host that the agent calls
 * never closes one half alone. */
static bool half_closed(const struct conn *c)
{
	return c->eof && c->halves && !c->dialler && !c->dead && c->n_requests > 0;
}

void conn_arm(struct conn *c)
{
	struct loop *loop = c->b->loop;
	bool pending = c->ohave > c->ooff;
	uint32_t in = !c->eof && !c->more && c->ohave - c->ooff < OUT_PAUSE ? EPOLLIN : 0;
	uint32_t out = pending || c->dead || (c->eof && !half_closed(c)) ? EPOLLOUT : 0;

	/* Not its end of file again and again, but that it has closed its other half, too. */
	if (half_closed(c) && !pending)
		in = EPOLLPRI;

	if (c->out.fd == c->in.fd) {
		loop_set(loop, &c->in, in | out);
		return;
	}
	loop_set(loop, &c->in, in);
	loop_set(loop, &c->out, out);
}

/* --- writing -------------------------------------------------------------------------------- */

static void skip_sent(struct conn *c)
{
	struct frame_header h;

	while (c->oframe + FRAME_HEADER_SIZE <= c->ooff &&
	       frame_decode(c->obuf + c->oframe, &h) == 0 && c->oframe + h.size <= c->ooff)
		c->oframe += h.size;
}

void conn_flush(struct conn *c)
{
	while (!c->dead && c->ooff < c->ohave) {
		const uint8_t *data = c->obuf + c->ooff;
		size_t len = c->ohave - c->ooff;
		ssize_t n = c->socket ? send(c->out.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT)
				      : write(c->out.fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			conn_kill(c, LOG_INFO, strerror(errno));
			return;
		}
		c->ooff += (size_t)n;
		c->stuck_since_ms = 0;
		skip_sent(c);
	}
	if (c->ooff < c->ohave && c->stuck_since_ms == 0)
		c->stuck_since_ms = now_ms();
	if (c->ooff == c->ohave) {
		c->ooff = c->ohave = c->oframe = 0;
		if (c->oroom > 2 * READ_ROOM) {
			free(c->obuf);
			c->obuf = NULL;
			c->oroom = 0;
		}
	}
}

static int out_room(struct conn *c, size_t more)
{
	uint8_t *buf;
	size_t room;

	if (c->oframe > 0) {
		memmove(c->obuf, c->obuf + c->oframe, c->ohave - c->oframe);
		c->ohave -= c->oframe;
		c->ooff -= c->oframe;
		c->oframe = 0;
	}
	if (c->ohave + more <= c->oroom)
		return 0;
	room = c->ohave + more + READ_ROOM;
	if (c->ohave > 0)
		room += c->ohave / 2;
	buf = realloc(c->obuf, room);
	if (!buf)
		return -ENOMEM;
	c->obuf = buf;
	c->oroom = room;
	return 0;
}

/* What waits to be read by all peers together is bounded, too: the one that has most goes. */
static void bound_all(struct bridge *b)
{
	struct conn *most = NULL;
	size_t sum = 0;

	for (struct conn *c = b->conns; c; c = c->next) {
		if (c->dead)
			continue;
		sum += c->ohave - c->ooff;
		if (!most || c->ohave - c->ooff > most->ohave - most->ooff)
			most = c;
	}
	if (most && sum > OUT_MAX_ALL)
		conn_kill(most, LOG_WARNING, "it does not read its answers, and others need room");
}

/* A message that the connection, which ends, does not take: 0 when it is kept for the next. */
static int refuse(struct conn *c, const struct frame_header *h, const char *body, size_t len, int r)
{
	if (!outlives(c, h->type))
		return r;
	conn_keep(c->b, h->type, h->id, body, len);
	return 0;
}

int conn_send(struct conn *c, uint32_t type, uint64_t id, const char *body, size_t len,
	      bool droppable)
{
	struct frame_header h = { type, (uint32_t)(FRAME_HEADER_SIZE + len + 1), id };
	size_t waiting = c->ohave - c->ooff;

	if (len + 1 > FRAME_SIZE_MAX - FRAME_HEADER_SIZE)
		return -EMSGSIZE;
	if (c->dead)
		return refuse(c, &h, body, len, -EPIPE);
	if (droppable && waiting + h.size > OUT_DROP)
		return -EAGAIN;
	if (waiting + h.size > OUT_MAX || out_room(c, h.size) < 0) {
		conn_kill(c, LOG_WARNING, "it does not read its answers");
		return refuse(c, &h, body, len, -ENOBUFS);
	}
	frame_encode(&h, c->obuf + c->ohave);
	memcpy(c->obuf + c->ohave + FRAME_HEADER_SIZE, body, len);
	c->obuf[c->ohave + FRAME_HEADER_SIZE + len] = '\n';
	c->ohave += h.size;
	conn_flush(c);
	if (c->ohave - c->ooff > OUT_PAUSE)
		bound_all(c->b);
	conn_arm(c);
	/* Of one that has died meanwhile the message goes to the next with what it has not sent. */
	return c->dead && !outlives(c, type) ? -ENOBUFS : 0;
}

/* --- reading -------------------------------------------------------------------------------- */

/* Room for the frame that is being read, or for the first bytes of one. */
static int in_room(struct conn *c)
{
	struct frame_header h;
	size_t want = READ_ROOM;
	uint8_t *buf;

	if (c->have >= FRAME_HEADER_SIZE && frame_decode(c->buf, &h) == 0 && h.size > want)
		want = h.size;
	if (c->room >= want && c->have < c->room)
		return 0;
	buf = realloc(c->buf, want);
	if (!buf)
		return -ENOMEM;
	c->buf = buf;
	c->room = want;
	return 0;
}

static void take_control(struct conn *c, struct msghdr *msg)
{
	bool full = (msg->msg_flags & MSG_CTRUNC) != 0;

	for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m; m = CMSG_NXTHDR(msg, m)) {
		size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + i * sizeof(int), sizeof(int));
			if (c->n_fds < CONN_FDS_MAX) {
				c->fds[c->n_fds++] = fd;
			} else {
				close(fd);
				full = true;
			}
		}
	}
	if (full)
		conn_kill(c, LOG_WARNING, "it sent more descriptors than its messages took");
}

/* One read.  The number of bytes, 0 at the end, or a negative errno. */
static ssize_t read_some(struct conn *c)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(CONN_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { c->buf + c->have, c->room - c->have };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	ssize_t n;

	if (!c->socket) {
		n = read(c->in.fd, iov.iov_base, iov.iov_len);
		return n < 0 ? -errno : n;
	}
	n = recvmsg(c->in.fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	take_control(c, &msg);
	return n;
}

/* Is a whole frame left?  One whose size is a lie is for parse_frames() to refuse. */
static bool whole_frame(const struct conn *c)
{
	struct frame_header h;

	return c->have >= FRAME_HEADER_SIZE && (frame_decode(c->buf, &h) < 0 || h.size <= c->have);
}

/* Hands over every whole frame, as long as the answers find room and others need not wait. */
static void parse_frames(struct conn *c)
{
	uint64_t until = now_ns(CLOCK_MONOTONIC) + SLICE_NS;
	size_t off = 0;

	while (!c->dead && c->ohave - c->ooff < OUT_PAUSE) {
		struct frame_header h;
		size_t left = c->have - off;

		if (left < FRAME_HEADER_SIZE)
			break;
		if (frame_decode(c->buf + off, &h) < 0) {
			char why[96];

			snprintf(why, sizeof(why), "a message of type %#x has size %u", h.type,
				 h.size);
			conn_kill(c, LOG_WARNING, why);
			break;
		}
		if (left < h.size)
			break;
		request_begin(c, &h, (const char *)c->buf + off + FRAME_HEADER_SIZE);
		off += h.size;
		if (now_ns(CLOCK_MONOTONIC) >= until)
			break;
	}
	c->have -= off;
	if (off > 0)
		memmove(c->buf, c->buf + off, c->have);
	c->more = !c->dead && c->ohave - c->ooff < OUT_PAUSE && whole_frame(c);
	if (c->more && loop_timer_set(c->b->loop, &c->turn, 0) < 0)
		conn_kill(c, LOG_WARNING, "out of memory");
	if (c->have == 0 && c->room > READ_ROOM) {
		free(c->buf);
		c->buf = NULL;
		c->room = 0;
	}
}

static void on_readable(struct conn *c)
{
	ssize_t n;

	if (in_room(c) < 0) {
		conn_kill(c, LOG_WARNING, "out of memory");
		return;
	}
	n = read_some(c);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n < 0) {
		conn_kill(c, LOG_INFO, strerror((int)-n));
		return;
	}
	if (n == 0) {
		c->eof = true;
		if (c->have > 0)
			log_write(c->b->log, LOG_WARNING, "connection ended within a message",
				  "conn", LOG_NUM(c->id), "bytes", LOG_NUM(c->have), NULL);
		return;
	}
	c->have += (size_t)n;
	parse_frames(c);
}

static void on_io(void *ctx, uint32_t events)
{
	struct conn *c = ctx;

	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		conn_flush(c);
	/* Frames that waited for room, or until others had their turn. */
	if (c->have > 0 && !c->dead)
		parse_frames(c);
	if ((events & (EPOLLIN | EPOLLHUP)) && (c->in.events & EPOLLIN) && !c->dead && !c->more)
		on_readable(c);
	if (!(events & EPOLLIN) && (events & EPOLLERR))
		c->dead = true;

	if (c->dead || (c->eof && c->ohave == c->ooff && !c->more && !half_closed(c)) ||
	    (c->eof && c->socket && events & EPOLLHUP))
		conn_free(c);
	else
		conn_arm(c);
}

static void on_turn(void *ctx)
{
	on_io(ctx, 0);
}

/* --- beginning ------------------------------------------------------------------------------ */

static void nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool is_unix(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

int bridge_add(struct bridge *b, int in, int out, bool last, struct cgfs_err *reterr)
{
	struct conn *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return cgfs_err_set(reterr, -ENOMEM, "serve connection", NULL, NULL, NULL);
	c->b = b;
	c->id = ++b->next_id;
	c->last = last;
	c->socket = is_socket(in) && is_socket(out);
	c->halves = c->socket && is_unix(in);
	c->in = (struct loop_fd){ .fn = on_io, .ctx = c, .fd = in };
	c->out = (struct loop_fd){ .fn = on_io, .ctx = c, .fd = out };
	c->turn = (struct loop_timer){ .fn = on_turn, .ctx = c };
	if (!c->socket) {
		nonblock(in);
		nonblock(out);
	}
	r = loop_set(b->loop, &c->in, EPOLLIN);
	if (r < 0) {
		free(c);
		return cgfs_err_set(reterr, r, "serve connection", NULL, NULL, "%s",
				    r == -EPERM ? "the input cannot be polled (a file?)"
						: strerror(-r));
	}
	c->next = b->conns;
	c->prev = &b->conns;
	if (c->next)
		c->next->prev = &c->next;
	b->conns = c;
	b->n_conns++;
	log_write(b->log, LOG_DEBUG, "connection", "conn", LOG_NUM(c->id), NULL);
	return 0;
}
