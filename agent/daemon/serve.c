/* SPDX-License-Identifier: MIT */
/*
 * serve.c - the transports of the command line, any number at once: sockets on which clients are
 * waited for, the host that is called, stdin and stdout.
 */
#include "agent/daemon/serve.h"

#include <fcntl.h>

#include "agent/bridge/bridge.h"
#include "agent/daemon/options.h"
#include "agent/model/agent.h"
#include "agent/wire/address.h"
#include "cgfs/base/util.h"

static int listen_all(struct agent *a, const struct options *o, struct cgfs_err *err)
{
	struct address at;
	int r = 0;

	for (size_t i = 0; i < o->n_listen && r == 0; i++) {
		r = address_parse(o->listen[i], &at); /* checked with the options */
		if (r == 0 && at.vsock)
			r = bridge_listen_vsock(a->bridge, &at, err);
		else if (r == 0)
			r = bridge_listen(a->bridge, at.path, false, err);
	}
	return r;
}

int serve_open(struct agent *a, const struct options *o, const struct bridge_ops *ops,
	       struct cgfs_err *err)
{
	struct address host;
	int in, out;
	int r = bridge_new(a->loop, &a->log, ops, a, &a->dirs, &a->bridge);

	if (r == 0)
		r = listen_all(a, o, err);
	/* Checked with the options.  Streams are ports of the host for every client. */
	if (r == 0)
		r = address_parse(o->dial ? o->dial : ADDRESS_BRIDGE, &host);
	if (r == 0)
		a->streams = (struct streams){ .loop = a->loop, .log = &a->log, .host = host };
	if (r == 0 && o->dial)
		r = bridge_dial(a->bridge, &host, err);
	if (r < 0 || !o->use_inouterr)
		return r;

	in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (in < 0 || out < 0)
		return cgfs_err_set(err, -errno, "serve stdin and stdout", NULL, NULL, NULL);
	return bridge_add(a->bridge, in, out, true, err);
}
