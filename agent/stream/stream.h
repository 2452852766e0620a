/* SPDX-License-Identifier: MIT */
/*
 * stream.h - relays between a process's standard streams, or its terminal, and the sockets of
 * its client: ports of the host that are called, or sockets that were passed.
 *
 * Bytes go through unchanged.  A relay holds one small buffer for each direction that is blocked,
 * and reads no further until that is written; what is kept for a host that comes back is bounded
 * for all relays together.  Knows no container, no process and no message.
 */
#ifndef AGENT_STREAM_H
#define AGENT_STREAM_H

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/wire/address.h"

#include <cgfs/base.h>

/* What all relays of an agent share. */
struct streams {
	struct loop *loop;
	struct log *log;
	struct address host; /* its ports are the streams' */
	size_t replay;	     /* bytes kept for hosts that come back, in all */
	size_t replay_most;  /* as many since free memory went back to the kernel */
	struct relay *relays;
	uint8_t *scratch; /* to read into; there while there are relays */
};

/* Which of stdin, stdout and stderr are wanted, and on which port of the host. */
struct stream_ports {
	bool want[3];
	uint32_t port[3];
};

struct relay;

/* NULL: no memory.  @owner: see streams_cancel(). */
struct relay *relay_new(struct streams *s, const void *owner);
void relay_free(struct relay *r);

/* --- the process's side --------------------------------------------------------------------- */

/* A pipe for each stream that is set in @want: the process's ends, close-on-exec, to be closed by
 * the caller; the others become -EBADF. */
int relay_pipes(struct relay *r, const bool want[3], int fds[3]);
/* The same for all three, where stdout and stderr are FIFOs at these paths, which are made: they
 * outlive the agent, and a process that writes meanwhile waits instead of being killed. */
int relay_fifos(struct relay *r, const char *out, const char *err, int fds[3]);
/* After a restart: the FIFOs that an earlier agent made.  stdin has ended. */
int relay_reopen(struct relay *r, const char *out, const char *err);
/* A new terminal, for a process that the agent starts itself: its slave. */
int relay_open_terminal(struct relay *r, int *ret_slave);
/* Where the runtime is to send the master: a socket at @path.  Then, once the runtime has ended:
 * takes the master.  0, or a negative errno. */
int relay_console(struct relay *r, const char *path);
int relay_console_take(struct relay *r);
/* -ENOTTY: it has no terminal. */
int relay_resize(struct relay *r, uint16_t width, uint16_t height);

/* --- the other side ------------------------------------------------------------------------- */

/* Calls the ports, stdin's first, then stdout's and stderr's.  @done is called once, never from
 * within: with 0, or a negative errno and what could not be connected. */
void relay_connect(struct relay *r, const struct stream_ports *ports,
		   void (*done)(void *ctx, int error, const char *why), void *ctx);
/* Ends that for all relays of @owner: @done is called with -ECANCELED, not from within. */
void streams_cancel(struct streams *s, const void *owner);
/* The same at once, for all: the agent stops. */
void streams_end(struct streams *s);
/* After a restart of the agent: calls stdout's and stderr's ports until they answer. */
void relay_call_again(struct relay *r, const struct stream_ports *ports);
/* Sockets that were passed, which become the relay's and its entries -EBADF.  -ENOTSOCK. */
int relay_attach(struct relay *r, int fds[3]);
/* Before relay_start() alone: lets go of the other side; the process's is kept. */
void relay_disconnect(struct relay *r);

/* Begins to move bytes.  What has no other side is read and dropped, or has ended. */
int relay_start(struct relay *r);
/* @drained will not be called. */
void relay_give_up(struct relay *r);
bool relay_is_started(const struct relay *r);
/* The process has exited: what it wrote goes out, and @drained is called (never from within) when
 * all of it has, and the other side has closed; or when nothing has moved for a while.  Before
 * relay_start(): once that was called. */
void relay_exited(struct relay *r, void (*drained)(void *ctx), void *ctx);

#endif
