/* SPDX-License-Identifier: MIT */
/*
 * listen.c - the sockets on which the agent waits for connections: any number, unix or vsock.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/vm_sockets.h> /* which needs the former in older kernels' headers */

#include "agent/base/dirs.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/bridge/conn.h"
#include "agent/wire/address.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"

#define LISTEN_QUEUE	128 /* clients that come at once, before one is accepted */
#define CONNS_MAX	64
#define STUCK_MS	1000 /* has not read for so long: makes room for others */
#define ACCEPT_PAUSE_MS 100

struct listener {
	struct listener *next;
	struct bridge *b;
	struct loop_fd fd;
	struct loop_timer again;
	char *path;	/* of a unix socket; NULL: vsock */
	uint32_t cid;	/* vsock: of the peers that are served */
	bool observers; /* connect to it */
};

static void accept_again(void *ctx)
{
	struct listener *l = ctx;

	loop_set(l->b->loop, &l->fd, EPOLLIN);
}

/* All places are taken: a peer that has not read for longest loses its own. */
static void make_room(struct bridge *b)
{
	struct conn *worst = NULL;

	for (struct conn *c = b->conns; c; c = c->next) {
		if (c->stuck_since_ms && !c->last && !c->dialler &&
		    (!worst || c->stuck_since_ms < worst->stuck_since_ms))
			worst = c;
	}
	if (!worst || now_ms() - worst->stuck_since_ms < STUCK_MS)
		return;
	conn_kill(worst, LOG_WARNING, "it does not read its answers, and another peer connects");
	conn_free(worst);
}

static void on_accept(void *ctx, uint32_t events)
{
	struct listener *l = ctx;
	struct bridge *b = l->b;
	struct cgfs_err err = { 0 };
	struct sockaddr_vm peer = { 0 };
	socklen_t len = sizeof(peer);
	int fd = accept4(l->fd.fd, l->path ? NULL : (struct sockaddr *)&peer, l->path ? NULL : &len,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* Out of descriptors or memory: the caller stays in the queue meanwhile. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			log_write(b->log, LOG_ERROR, "cannot accept", "error", strerror(errno),
				  NULL);
			if (loop_timer_set(b->loop, &l->again, ACCEPT_PAUSE_MS) == 0)
				loop_set(b->loop, &l->fd, 0);
		}
		return;
	}
	/* A container reaches the ports of its own guest, too, and is not the host. */
	if (!l->path && peer.svm_cid != l->cid) {
		log_write(b->log, LOG_WARNING, "connection refused", "error",
			  "its CID is not the one that is served", "cid", LOG_NUM(peer.svm_cid),
			  NULL);
		close(fd);
		return;
	}
	if (b->n_conns >= CONNS_MAX)
		make_room(b);
	if (b->n_conns >= CONNS_MAX || bridge_add(b, fd, fd, false, &err) < 0) {
		log_write(b->log, LOG_WARNING, "connection refused", "error",
			  err.code ? err.text : "too many connections", NULL);
		close(fd);
		return;
	}
	b->conns->state.observer = l->observers;
}

/* Takes over @fd and @path on success. */
static int add(struct bridge *b, int fd, char *path, struct listener **ret)
{
	struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->b = b;
	l->fd = (struct loop_fd){ .fn = on_accept, .ctx = l, .fd = fd };
	l->again = (struct loop_timer){ .fn = accept_again, .ctx = l };
	r = loop_set(b->loop, &l->fd, EPOLLIN);
	if (r < 0) {
		free(l);
		return r;
	}
	l->path = path;
	l->next = b->listeners;
	b->listeners = l;
	*ret = l;
	return 0;
}

int bridge_listen(struct bridge *b, const char *path, bool observers, struct cgfs_err *reterr)
{
	auto_free char *copy = NULL;
	auto_fd int fd = -EBADF;
	struct listener *l;
	mode_t mask;
	int r = socket_remove_stale(b->dirs, path, reterr);

	if (r < 0)
		return r;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	r = fd < 0 ? -errno : dirs_bind(b->dirs, fd, path);
	umask(mask);
	if (r == 0)
		copy = strdup(path);
	if (r == 0 && (!copy || listen(fd, LISTEN_QUEUE) < 0))
		r = copy ? -errno : -ENOMEM;
	if (r == 0)
		r = add(b, fd, copy, &l);
	if (r < 0) {
		(void)dirs_remove(b->dirs, path);
		return err_file(reterr, r, "listen", path);
	}
	l->observers = observers;
	copy = NULL;
	take_fd(&fd);
	return 0;
}

int bridge_listen_vsock(struct bridge *b, const struct address *at, struct cgfs_err *reterr)
{
	char text[ADDRESS_TEXT_MAX];
	struct listener *l;
	int fd = address_listen_vsock(at, LISTEN_QUEUE);
	int r = fd < 0 ? fd : add(b, fd, NULL, &l);

	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return err_file(reterr, r, "listen", address_text(at, text));
	}
	l->cid = at->cid;
	return 0;
}

void listeners_free(struct bridge *b)
{
	while (b->listeners) {
		struct listener *l = b->listeners;

		b->listeners = l->next;
		loop_timer_clear(b->loop, &l->again);
		loop_set(b->loop, &l->fd, 0);
		close(l->fd.fd);
		if (l->path)
			(void)dirs_remove(b->dirs, l->path);
		free(l->path);
		free(l);
	}
}
