/* SPDX-License-Identifier: MIT */
/*
 * host.h - a host of our own: the side that the agent calls, and the ports of streams.
 */
#ifndef TESTS_AGENT_HOST_H
#define TESTS_AGENT_HOST_H

#include "world.h"

#define HOST_BRIDGE   0x40000000u
#define HOST_TEXT_MAX 128

struct host {
	char path[96]; /* a unix socket; its ports are PATH_PORT */
	int fd;	       /* listens for the agent; -EBADF: the host is away */
};

/* An agent that calls this host beside what world_plain() and world_kernel() have it do.
 * w->c is the connection that the agent has made, negotiated. */
int host_plain(void **state);
int host_kernel(void **state);
int host_stop(void **state);
#define HOST_TEST_OF(name, how)                                                                    \
	TAP_TEST_OF(struct world *w, name, .setup = (how), .teardown = host_stop)
#define HOST_TEST(name)	      HOST_TEST_OF(name, host_plain)
#define HOSTKERNEL_TEST(name) HOST_TEST_OF(name, host_kernel)

/* The one host there is. */
extern struct host host;

/* An agent that calls the host; w->c as above. */
void host_start_agent(struct world *w);
/* Listens again after host_leave(). */
void host_come(struct world *w);
/* Closes the socket and the connection. */
void host_leave(struct world *w);
/* The agent's next connection, negotiated. */
void host_accept(struct world *w);
/* "vsock:2:PORT" in a guest, else "unix:PATH_PORT"; the bridge's is PATH. */
void host_name(uint32_t port, char text[HOST_TEXT_MAX]);
/* Closes the connection, and accepts the next one. */
void host_again(struct world *w);
/* Listens on a port. */
int host_port(uint32_t port);
/* The connection to it; closes @listener. */
int host_take(int listener);
/* Reads until the end: the number of bytes, and the text as far as it goes into @text. */
size_t host_read(int fd, char *text, size_t len);

#endif
