/* SPDX-License-Identifier: MIT */
/*
 * bridge.c - connections: bytes and descriptors in, frames out, with bounded buffers.
 *
 * A frame whose size is a lie ends its connection and nothing else.  A connection that does not
 * read its answers is not read from either; one that still lets them pile up is closed.  Knows
 * nothing of what the messages mean.
 */
#include "bridge.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../cgfs/internal.h"
#include "conn.h"

#define LISTEN_QUEUE	128 /* clients that come at once, before one is accepted */
#define CONNS_MAX	64
#define READ_ROOM	4096
#define OUT_PAUSE	(256u * 1024)	   /* stop reading requests */
#define OUT_DROP	(512u * 1024)	   /* drop what may be dropped */
#define OUT_MAX		(8u * 1024 * 1024) /* give up */
#define ACCEPT_PAUSE_MS 100

struct bridge {
	struct loop *loop;
	struct log *log;
	const struct bridge_ops *ops;
	void *ctx;
	struct conn *conns;
	size_t n_conns;
	uint64_t next_id;
	struct loop_fd listener;
	struct loop_timer accept_again;
	char *path;
};

/* --- closing -------------------------------------------------------------------------------- */

static void conn_free(struct conn *c)
{
	struct bridge *b = c->b;
	bool last = c->last;

	loop_set(b->loop, &c->in, 0);
	loop_set(b->loop, &c->out, 0);
	while (c->requests)
		conn_forget(c->requests);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	b->n_conns--;
	b->ops->closed(b->ctx, c);
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
}

/* Not here and now: whoever called may hold the connection.  Its own callback frees it. */
static void conn_kill(struct conn *c, enum log_level level, const char *why)
{
	if (c->dead)
		return;
	log_write(c->b->log, level, "closing connection", "conn", LOG_NUM(c->id), "why", why, NULL);
	c->dead = true;
	conn_arm(c);
}

void conn_arm(struct conn *c)
{
	struct loop *loop = c->b->loop;
	bool pending = c->ohave > c->ooff;
	uint32_t in = !c->eof && c->ohave - c->ooff < OUT_PAUSE ? EPOLLIN : 0;
	uint32_t out = pending || c->dead || c->eof ? EPOLLOUT : 0;

	if (c->out.fd == c->in.fd) {
		loop_set(loop, &c->in, in | out);
		return;
	}
	loop_set(loop, &c->in, in);
	loop_set(loop, &c->out, out);
}

/* --- writing -------------------------------------------------------------------------------- */

static void flush_out(struct conn *c)
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
	}
	if (c->ooff == c->ohave) {
		c->ooff = c->ohave = 0;
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

	if (c->ooff > 0) {
		memmove(c->obuf, c->obuf + c->ooff, c->ohave - c->ooff);
		c->ohave -= c->ooff;
		c->ooff = 0;
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

int conn_send(struct conn *c, uint32_t type, uint64_t id, const char *body, size_t len,
	      bool droppable)
{
	struct frame_header h = { type, (uint32_t)(FRAME_HEADER_SIZE + len + 1), id };
	size_t waiting = c->ohave - c->ooff;

	if (c->dead)
		return -EPIPE;
	if (len + 1 > FRAME_SIZE_MAX - FRAME_HEADER_SIZE)
		return -EMSGSIZE;
	if (droppable && waiting + h.size > OUT_DROP)
		return -EAGAIN;
	if (waiting + h.size > OUT_MAX || out_room(c, h.size) < 0) {
		conn_kill(c, LOG_WARNING, "it does not read its answers");
		return -ENOBUFS;
	}
	frame_encode(&h, c->obuf + c->ohave);
	memcpy(c->obuf + c->ohave + FRAME_HEADER_SIZE, body, len);
	c->obuf[c->ohave + FRAME_HEADER_SIZE + len] = '\n';
	c->ohave += h.size;
	flush_out(c);
	conn_arm(c);
	return 0;
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
		conn_kill(c, LOG_WARNING, "it sent more descriptors than anybody took");
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

/* Hands over every whole frame, as long as the answers find room. */
static void parse(struct conn *c)
{
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
		request_begin(c, &h, (const char *)c->buf + off + FRAME_HEADER_SIZE,
			      c->b->ops->request, c->b->ctx);
		off += h.size;
	}
	c->have -= off;
	if (off > 0)
		memmove(c->buf, c->buf + off, c->have);
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
	parse(c);
}

static void on_io(void *ctx, uint32_t events)
{
	struct conn *c = ctx;

	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		flush_out(c);
	/* Frames that waited for room. */
	if (c->have > 0 && !c->dead)
		parse(c);
	if ((events & (EPOLLIN | EPOLLHUP)) && (c->in.events & EPOLLIN) && !c->dead)
		on_readable(c);
	if (!(events & EPOLLIN) && (events & EPOLLERR))
		c->dead = true;

	if (c->dead || (c->eof && c->ohave == c->ooff))
		conn_free(c);
	else
		conn_arm(c);
}

/* --- new connections ------------------------------------------------------------------------ */

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
	c->in = (struct loop_fd){ .fn = on_io, .ctx = c, .fd = in };
	c->out = (struct loop_fd){ .fn = on_io, .ctx = c, .fd = out };
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

static void accept_again(void *ctx)
{
	struct bridge *b = ctx;

	loop_set(b->loop, &b->listener, EPOLLIN);
}

static void on_accept(void *ctx, uint32_t events)
{
	struct bridge *b = ctx;
	struct cgfs_err err = { 0 };
	int fd = accept4(b->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0) {
		/* Out of descriptors or memory: the caller stays in the queue meanwhile. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			log_write(b->log, LOG_ERROR, "cannot accept", "error", strerror(errno),
				  NULL);
			if (loop_timer_set(b->loop, &b->accept_again, ACCEPT_PAUSE_MS) == 0)
				loop_set(b->loop, &b->listener, 0);
		}
		return;
	}
	if (b->n_conns >= CONNS_MAX || bridge_add(b, fd, fd, false, &err) < 0) {
		log_write(b->log, LOG_WARNING, "connection refused", "error",
			  err.code ? err.text : "too many connections", NULL);
		close(fd);
	}
}

/* Does the process still run that made the listening socket?  A child that it had just forked may
 * hold the socket a moment longer than it lived itself. */
static bool listener_lives(int fd)
{
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.pid <= 0 ||
	       kill(who.pid, 0) == 0 || errno != ESRCH;
}

/* A socket that nobody listens on is left over from an agent that was killed. */
static int remove_stale(const struct sockaddr_un *sa)
{
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;
	if (r == -ENOENT)
		return 0;
	if (r == -EAGAIN || (r == 0 && listener_lives(fd)))
		return -EADDRINUSE;
	if (r < 0 && r != -ECONNREFUSED)
		return r;
	return unlink(sa->sun_path) < 0 ? -errno : 0;
}

int bridge_listen(struct bridge *b, const char *path, struct cgfs_err *reterr)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd int fd = -EBADF;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(sa.sun_path))
		return cgfs_err_set(reterr, -ENAMETOOLONG, "listen", path, NULL, NULL);
	strcpy(sa.sun_path, path);
	r = remove_stale(&sa);
	if (r < 0)
		return cgfs_err_set(reterr, r, "listen", path, NULL, NULL);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	r = fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
			    listen(fd, LISTEN_QUEUE) < 0
		    ? -errno
		    : 0;
	umask(mask);
	if (r < 0)
		return cgfs_err_set(reterr, r, "listen", path, NULL, NULL);

	b->path = strdup(path);
	b->listener = (struct loop_fd){ .fn = on_accept, .ctx = b, .fd = fd };
	b->accept_again = (struct loop_timer){ .fn = accept_again, .ctx = b };
	r = b->path ? loop_set(b->loop, &b->listener, EPOLLIN) : -ENOMEM;
	if (r < 0) {
		b->listener.fd = -EBADF;
		return cgfs_err_set(reterr, r, "listen", path, NULL, NULL);
	}
	take_fd(&fd);
	return 0;
}

/* --- life ----------------------------------------------------------------------------------- */

int bridge_new(struct loop *loop, struct log *log, const struct bridge_ops *ops, void *ctx,
	       struct bridge **ret)
{
	struct bridge *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->loop = loop;
	b->log = log;
	b->ops = ops;
	b->ctx = ctx;
	b->listener.fd = -EBADF;
	*ret = b;
	return 0;
}

void bridge_free(struct bridge *b)
{
	if (!b)
		return;
	for (struct conn *c = b->conns, *next; c; c = next) {
		next = c->next;
		c->last = false;
		conn_free(c);
	}
	loop_timer_clear(b->loop, &b->accept_again);
	if (b->listener.fd >= 0) {
		loop_set(b->loop, &b->listener, 0);
		close(b->listener.fd);
		unlink(b->path);
	}
	free(b->path);
	free(b);
}

void bridge_flush(struct bridge *b, unsigned int timeout_ms)
{
	uint64_t end = loop_now_ms() + timeout_ms;

	for (struct conn *c = b->conns; c; c = c->next) {
		for (flush_out(c); !c->dead && c->ooff < c->ohave; flush_out(c)) {
			struct pollfd p = { .fd = c->out.fd, .events = POLLOUT };
			uint64_t now = loop_now_ms();

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
