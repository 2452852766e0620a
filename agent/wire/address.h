/* SPDX-License-Identifier: MIT */
/*
 * address.h - where a socket listens or connects: "unix:PATH" or "vsock:CID:PORT".
 */
#ifndef AGENT_ADDRESS_H
#define AGENT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The host, and the port on which it waits for the guest's agent. */
#define ADDRESS_HOST_CID 2u
#define ADDRESS_BRIDGE	 "vsock:2:1073741824"

#define ADDRESS_TEXT_MAX 128

struct address {
	bool vsock;
	uint32_t cid, port;					/* vsock */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* unix */
};

/* "vsock:PORT" stands for the host's CID.  -EINVAL: neither form; -ENAMETOOLONG. */
int address_parse(const char *text, struct address *ret);
/* "vsock:2:1073741824", "unix:/run/host.sock". */
const char *address_text(const struct address *a, char buf[ADDRESS_TEXT_MAX]);
/* The port @port beside @base: on the same CID; of a unix socket, the path with "_PORT" appended.
 * -ENAMETOOLONG. */
int address_beside(const struct address *base, uint32_t port, struct address *ret);
/* Begins to connect, without waiting.  A non-blocking descriptor, whether connected or not
 * (*@ret_pending: poll(2) for POLLOUT, then ask address_connected()); or a negative errno. */
int address_connect(const struct address *a, bool *ret_pending);
/* After POLLOUT: 0, or why it could not be connected. */
int address_connected(int fd);
/* A non-blocking listening socket on @a, whose cid is not looked at.  For vsock only. */
int address_listen_vsock(const struct address *a, int queue);

#endif
