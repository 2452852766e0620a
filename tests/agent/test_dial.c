/* SPDX-License-Identifier: MIT */
/*
 * test_dial.c - what is kept for the host when the connection to it ends: no message is lost, none
 * is sent twice, and no host makes the agent hold more than so much.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/bridge/conn.h"
#include "agent/wire/address.h"
#include "cgfs/base/util.h"
#include "tests/tap.h"

#define TYPE 0x30100101u

static bool all_outlive(uint32_t type)
{
	return type == TYPE;
}

static void nobody_asks(void *ctx, struct request *rq, const char *why)
{
	CHECK(false);
}

static void closed(void *ctx, struct conn *c)
{
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

struct ends {
	struct loop *l;
	struct log log;
	struct bridge *b;
	char dir[32];
	struct address at;
	int listener, host;
};

/* Lets the agent's side do what is due by now. */
static void turn(struct ends *e)
{
	struct loop_timer end = { .fn = stop, .ctx = e->l };

	CHECK_INT(loop_timer_set(e->l, &end, 1), 0);
	CHECK_INT(loop_run(e->l), 0);
}

static struct conn *connected(struct ends *e)
{
	while (!e->b->conns)
		turn(e);
	e->host = accept(e->listener, NULL, NULL);
	CHECK(e->host >= 0);
	return e->b->conns;
}

static void begin(struct ends *e)
{
	static const struct bridge_ops ops = { nobody_asks, closed, NULL, all_outlive };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	*e = (struct ends){ .log = { .fd = -EBADF }, .dir = "/tmp/dial-XXXXXX" };
	CHECK(mkdtemp(e->dir));
	snprintf(e->at.path, sizeof(e->at.path), "%s/host", e->dir);
	strcpy(sa.sun_path, e->at.path);
	e->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(bind(e->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	CHECK_INT(listen(e->listener, 4), 0);
	CHECK_INT(loop_new(&e->l), 0);
	CHECK_INT(bridge_new(e->l, &e->log, &ops, NULL, NULL, &e->b), 0);
	CHECK_INT(bridge_dial(e->b, &e->at, NULL), 0);
}

static void end(struct ends *e)
{
	bridge_free(e->b);
	loop_free(e->l);
	close(e->listener);
	(void)unlink(e->at.path);
	(void)rmdir(e->dir);
}

static size_t n_kept(const struct ends *e)
{
	size_t n = 0;

	for (const struct kept *k = e->b->kept; k; k = k->next)
		n++;
	return n;
}

TAP_TEST(message_for_a_connection_that_ends_is_kept_once)
{
	struct ends e;
	struct conn *c;

	begin(&e);
	c = connected(&e);
	close(e.host);
	/* The first finds that no process reads, the second that the connection is dead. */
	CHECK_INT(conn_notify(c, TYPE, "{\"first\":1}", false), 0);
	CHECK(c->dead);
	CHECK_INT(conn_notify(c, TYPE, "{\"second\":2}", false), 0);
	CHECK_INT(conn_notify(c, TYPE + 1, "{}", false), -EPIPE);
	while (e.b->conns == c)
		turn(&e);
	CHECK_INT(n_kept(&e), 2);
	/* So it is with what the next one was to get. */
	c = connected(&e);
	close(e.host);
	conn_resume(c);
	CHECK(c->dead);
	while (e.b->conns == c)
		turn(&e);
	CHECK_INT(n_kept(&e), 2);
	/* And the one after that gets both. */
	c = connected(&e);
	conn_resume(c);
	CHECK_INT(n_kept(&e), 0);
	CHECK_INT(e.b->kept_bytes, 0);
	close(e.host);
	end(&e);
}

TAP_TEST(what_waits_for_a_host_is_bounded)
{
	static char body[32768];
	struct ends e;
	struct conn *c;

	begin(&e);
	c = connected(&e);
	memset(body, 'x', sizeof(body) - 1);
	c->dead = true;
	for (int i = 0; i < 100; i++)
		(void)conn_notify(c, TYPE, body, false);
	CHECK(n_kept(&e) > 20 && n_kept(&e) < 33);
	/* With a connection that is there. */
	c->dead = false;
	end(&e);
	close(e.host);
}

/* Does an epoll instance of this process have the descriptor number? */
static bool watched(int fd)
{
	DIR *d = opendir("/proc/self/fdinfo");
	bool found = false;
	struct dirent *entry;

	CHECK(d);
	while ((entry = readdir(d))) {
		char path[300], line[256];
		int tfd;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			found |= sscanf(line, "tfd: %d", &tfd) == 1 && tfd == fd;
		if (f)
			fclose(f);
	}
	closedir(d);
	return found;
}

static struct request *asked;

static void keep_it(void *ctx, struct request *rq, const char *why)
{
	asked = rq;
}

/* A child that was just forked holds the descriptor as well: closing it takes it out of no loop. */
TAP_TEST(connection_that_ends_with_a_request_leaves_the_loop)
{
	static const struct bridge_ops ops = { keep_it, closed, NULL, all_outlive };
	struct frame_header h = { TYPE, FRAME_HEADER_SIZE + 2, 7 };
	uint8_t frame[FRAME_HEADER_SIZE + 2] = { 0 };
	struct ends e;
	struct conn *c;
	int fd, copy;

	begin(&e);
	e.b->ops = &ops;
	c = connected(&e);
	fd = c->in.fd;
	copy = dup(fd);
	CHECK(watched(fd));
	frame_encode(&h, frame);
	frame[FRAME_HEADER_SIZE] = '{';
	frame[FRAME_HEADER_SIZE + 1] = '}';
	CHECK_INT(write(e.host, frame, sizeof(frame)), sizeof(frame));
	while (!asked)
		turn(&e);
	close(e.host);
	while (e.b->conns == c)
		turn(&e);
	CHECK(!watched(fd));
	close(copy);
	request_answer(asked);
	end(&e);
}
