/* SPDX-License-Identifier: MIT */
/*
 * flow.c - one direction: reads a chunk, writes it, and reads no further before it is written.
 *
 * Towards the host a flow ends as the host's client expects it: end of file from the process,
 * shutdown of the sending half, and the host closes.  A port that goes away earlier is called
 * again, and gets the last bytes once more, since a host that moved may have lost them.
 */
#include "agent/stream/flow.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cgfs/base/util.h"

#define ROUNDS	   8 /* chunks, before others have their turn */
#define REPLAY_MAX (128u * 1024)
#define REPLAY_ALL (16u * 1024 * 1024)
#define TRIM_FROM  (1024u * 1024)

static void on_from(void *ctx, uint32_t events);
static void on_to(void *ctx, uint32_t events);
static void on_called(void *ctx, int fd);

void flow_init(struct flow *f, struct streams *s, bool out,
	       void (*moved)(void *ctx, struct flow *f, bool broken), void *ctx)
{
	*f = (struct flow){ .s = s,
			    .out = out,
			    .from = { .fn = on_from, .ctx = f, .fd = -EBADF },
			    .to = { .fn = on_to, .ctx = f, .fd = -EBADF },
			    .moved = moved,
			    .ctx = ctx };
	f->call = (struct call){ .loop = s->loop, .done = on_called, .ctx = f };
}

static void close_end(struct flow *f, struct loop_fd *end)
{
	if (end->fd < 0)
		return;
	loop_set(f->s->loop, end, 0);
	close(take_fd(&end->fd));
}

/* --- the last bytes --------------------------------------------------------------------------- */

/* Buffers of streams that go on keep the heap from shrinking by itself. */
static void trim(struct streams *s)
{
	if (s->replay_most < TRIM_FROM || s->replay > s->replay_most / 4)
		return;
#ifdef __GLIBC__ /* others have no such heap */
	malloc_trim(0);
#endif
	s->replay_most = s->replay;
}

static void replay_free(struct flow *f)
{
	f->s->replay -= f->replay_room;
	free(f->replay);
	f->replay = NULL;
	f->replay_room = f->replay_len = f->replay_at = 0;
	trim(f->s);
}

/* The ring in order, and after it @n bytes of room.  NULL: no memory. */
static uint8_t *replay_copy(const struct flow *f, size_t n)
{
	uint8_t *copy = malloc(f->replay_len + n);
	size_t first = f->replay_room - f->replay_at;

	if (!copy)
		return NULL;
	if (first > f->replay_len)
		first = f->replay_len;
	if (first > 0)
		memcpy(copy, f->replay + f->replay_at, first);
	if (f->replay_len > first)
		memcpy(copy + first, f->replay, f->replay_len - first);
	return copy;
}

/* Makes room for @n more as long as there is some for all. */
static void replay_grow(struct flow *f, size_t n)
{
	size_t room = f->replay_room ? f->replay_room : 1024;
	uint8_t *ring;

	while (room < f->replay_len + n && room < REPLAY_MAX)
		room *= 2;
	if (room == f->replay_room || f->s->replay - f->replay_room + room > REPLAY_ALL)
		return;
	ring = replay_copy(f, room - f->replay_len);
	if (!ring)
		return;
	free(f->replay);
	f->s->replay += room - f->replay_room;
	if (f->s->replay > f->s->replay_most)
		f->s->replay_most = f->s->replay;
	f->replay = ring;
	f->replay_room = room;
	f->replay_at = 0;
}

static void replay_note(struct flow *f, const uint8_t *data, size_t n)
{
	replay_grow(f, n);
	if (n > f->replay_room) {
		data += n - f->replay_room;
		n = f->replay_room;
	}
	while (n > 0) {
		size_t at = (f->replay_at + f->replay_len) % f->replay_room;
		size_t part = f->replay_room - at;

		if (f->replay_len == f->replay_room) {
			at = f->replay_at;
			part = f->replay_room - at;
		}
		if (part > n)
			part = n;
		memcpy(f->replay + at, data, part);
		if (f->replay_len + part > f->replay_room)
			f->replay_at = (f->replay_at + f->replay_len + part) % f->replay_room;
		f->replay_len += part;
		if (f->replay_len > f->replay_room)
			f->replay_len = f->replay_room;
		data += part;
		n -= part;
	}
}

/* The new peer gets the last bytes, and then those that it has not had yet. */
static void replay_again(struct flow *f)
{
	size_t rest = f->len - f->off;
	uint8_t *all = f->replay_len ? replay_copy(f, rest) : NULL;

	if (!all)
		return;
	if (rest > 0)
		memcpy(all + f->replay_len, f->rest + f->off, rest);
	free(f->rest);
	f->rest = all;
	f->off = 0;
	f->len = f->replay_len + rest;
	/* Noted again as they are written. */
	f->replay_len = f->replay_at = 0;
}

/* --- moving ----------------------------------------------------------------------------------- */

static void arm(struct flow *f)
{
	bool pending = f->len > f->off;
	uint32_t idle = f->out ? EPOLLPRI | (f->again ? EPOLLRDHUP : 0) : EPOLLPRI;

	if (!f->active)
		return;
	loop_set(f->s->loop, &f->from, pending || f->eof || f->call.active ? 0 : EPOLLIN);
	if (f->to.fd >= 0)
		loop_set(f->s->loop, &f->to, f->closing ? EPOLLIN : pending ? EPOLLOUT : idle);
}

static void finish(struct flow *f)
{
	call_end(&f->call);
	close_end(f, &f->from);
	close_end(f, &f->to);
	free(f->rest);
	f->rest = NULL;
	f->off = f->len = 0;
	replay_free(f);
	f->active = false;
	f->eof = f->done = true;
}

void flow_close(struct flow *f)
{
	finish(f);
}

/* The reader is gone. */
static void broken(struct flow *f)
{
	if (f->out && f->again) {
		close_end(f, &f->to);
		flow_call(f);
		f->moved(f->ctx, f, true);
		return;
	}
	finish(f);
	f->moved(f->ctx, f, true);
}

/* All that there was is written: false once the flow has ended. */
static bool end(struct flow *f)
{
	close_end(f, &f->from);
	/* The host closes when it has read all; a pipe's reader sees the end at once. */
	if (f->out && f->to.fd >= 0 && shutdown(f->to.fd, SHUT_WR) == 0) {
		f->closing = true;
		return true;
	}
	finish(f);
	f->moved(f->ctx, f, false);
	return false;
}

static ssize_t put(const struct flow *f, const uint8_t *data, size_t len)
{
	ssize_t n;

	if (f->to.fd < 0)
		return f->again ? -EAGAIN : (ssize_t)len;
	n = f->out ? send(f->to.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT)
		   : write(f->to.fd, data, len);
	return n < 0 ? -errno : n;
}

/* The number of bytes, fewer than @len where the other side takes no more now; or a negative
 * errno. */
static ssize_t write_some(struct flow *f, const uint8_t *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = put(f, data + at, len - at);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return at > 0 ? (ssize_t)at : n; /* it comes again */
		if (f->again)
			replay_note(f, data + at, (size_t)n);
		at += (size_t)n;
	}
	return (ssize_t)at;
}

/* false: no memory. */
static bool keep(struct flow *f, const uint8_t *data, size_t len)
{
	f->rest = malloc(len);
	if (!f->rest)
		return false;
	memcpy(f->rest, data, len);
	f->off = 0;
	f->len = len;
	return true;
}

/* true: there is nothing left to write. */
static bool write_rest(struct flow *f)
{
	ssize_t n;

	if (f->off == f->len)
		return true;
	n = write_some(f, f->rest + f->off, f->len - f->off);
	if (n < 0) {
		broken(f);
		return false;
	}
	f->off += (size_t)n;
	if (f->off < f->len)
		return false;
	free(f->rest);
	f->rest = NULL;
	f->off = f->len = 0;
	return true;
}

/* Reads a chunk and writes it.  true: there may be more. */
static bool move_chunk(struct flow *f)
{
	uint8_t *data = f->s->scratch;
	ssize_t n, done;

	n = f->out ? read(f->from.fd, data, FLOW_CHUNK)
		   : recv(f->from.fd, data, FLOW_CHUNK, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		f->eof = true; /* EIO: a terminal that no process has open */
		return true;
	}
	done = write_some(f, data, (size_t)n);
	if (done < n &&
	    !keep(f, data + (done > 0 ? done : 0), (size_t)(n - (done > 0 ? done : 0)))) {
		log_write(f->s->log, LOG_ERROR, "a stream ends", "error", "out of memory", NULL);
		finish(f);
		f->moved(f->ctx, f, true);
		return false;
	}
	if (done < 0)
		broken(f);
	return done == n;
}

static void step(struct flow *f)
{
	/* An end that was met is passed on at once: nothing would report it again. */
	for (int i = 0; (i < ROUNDS || f->eof) && f->active && !f->closing; i++) {
		if (!write_rest(f) || (f->eof && !end(f)) || (!f->eof && !move_chunk(f)))
			break;
	}
	if (!f->active)
		return;
	arm(f);
	f->moved(f->ctx, f, false);
}

static void on_from(void *ctx, uint32_t events)
{
	step(ctx);
}

/* Drops what the host sends on a stream that it only reads. */
static void await_close(struct flow *f)
{
	ssize_t n = recv(f->to.fd, f->s->scratch, FLOW_CHUNK, MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	finish(f);
	f->moved(f->ctx, f, false);
}

static void on_to(void *ctx, uint32_t events)
{
	struct flow *f = ctx;

	if (f->closing)
		await_close(f);
	else if (f->len == f->off && (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)))
		broken(f);
	else
		step(f);
	if (f->active)
		arm(f);
}

static void on_called(void *ctx, int fd)
{
	struct flow *f = ctx;

	if (fd < 0) {
		finish(f);
		f->moved(f->ctx, f, true);
		return;
	}
	f->to.fd = fd;
	replay_again(f);
	step(f);
}

void flow_call(struct flow *f)
{
	call_begin(&f->call, CALL_AGAIN_MS);
}

void flow_look(struct flow *f)
{
	if (f->active && !f->call.active)
		step(f);
}

int flow_start(struct flow *f)
{
	int r;

	f->active = true;
	r = loop_set(f->s->loop, &f->from, EPOLLIN);
	if (r < 0)
		f->active = false;
	else
		arm(f);
	return r;
}
