/* SPDX-License-Identifier: MIT */
/*
 * host.c - what a host does for its guest's agent, over vsock or unix sockets.
 */
#include "host.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/wire/address.h"
#include "cgfs/base/util.h"

struct host host = { .fd = -EBADF };

/* A guest has vsock_loopback: the host, CID 2, is the guest itself.  Elsewhere only the
 * machine's own host would answer there, and unix sockets stand for the ports. */
static bool on_vsock(void)
{
	return getenv("CGFS_TEST_GUEST") != NULL;
}

void host_name(uint32_t port, char text[HOST_TEXT_MAX])
{
	if (on_vsock())
		snprintf(text, HOST_TEXT_MAX, "vsock:2:%u", port);
	else if (port == HOST_BRIDGE)
		snprintf(text, HOST_TEXT_MAX, "unix:%s", host.path);
	else
		snprintf(text, HOST_TEXT_MAX, "unix:%s_%u", host.path, port);
}

static int listen_at(uint32_t port)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct address at;
	char text[HOST_TEXT_MAX];
	int fd;

	host_name(port, text);
	CHECK_INT(address_parse(text, &at), 0);
	if (at.vsock) {
		fd = address_listen_vsock(&at, 64);
		CHECK_MSG(fd >= 0, "%s: %s", text, strerror(-fd));
		CHECK_INT(fcntl(fd, F_SETFL, 0), 0);
		return fd;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(fd >= 0);
	strcpy(sa.sun_path, at.path);
	unlink(at.path);
	CHECK_INT(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	CHECK_INT(listen(fd, 64), 0);
	return fd;
}

static int accept_at(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_INT(poll(&p, 1, WORLD_MS), 1);
	fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

void host_come(struct world *w)
{
	snprintf(host.path, sizeof(host.path), "%.60s/host", w->dir);
	host.fd = listen_at(HOST_BRIDGE);
}

void host_leave(struct world *w)
{
	close(take_fd(&host.fd));
	unlink(host.path);
	client_close(w->c);
	w->c = NULL;
}

void host_accept(struct world *w)
{
	struct cgfs_err err = { 0 };
	int fd = accept_at(host.fd);

	CHECK_INT(client_open_fds(fd, fd, &w->c), 0);
	CHECK_MSG(client_negotiate(w->c, WORLD_MS, &err) >= 0, "%s", err.text);
}

void host_again(struct world *w)
{
	client_close(w->c);
	w->c = NULL;
	host_accept(w);
}

int host_port(uint32_t port)
{
	return listen_at(port);
}

int host_take(int listener)
{
	int fd = accept_at(listener);

	close(listener);
	return fd;
}

size_t host_read(int fd, char *text, size_t len)
{
	char buf[65536];
	size_t have = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		CHECK_INT(poll(&p, 1, WORLD_MS), 1);
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return have;
		for (ssize_t i = 0; i < n && have + (size_t)i + 1 < len; i++)
			text[have + (size_t)i] = buf[i];
		have += (size_t)n;
		if (len > 0)
			text[have < len ? have : len - 1] = '\0';
	}
}

/* The agent is a fork of the test: what listens there stays the test's alone. */
static void in_agent(void)
{
	close(host.fd);
}

void host_start_agent(struct world *w)
{
	char dial[HOST_TEXT_MAX];
	const char *const args[] = { "--dial", dial, NULL };

	host_name(HOST_BRIDGE, dial);
	world_child_hook = in_agent;
	world_start_agent(w, args);
	host_accept(w);
}

static int start(void **state, int (*prepare)(void **state))
{
	int r = prepare(state);

	if (r != 0)
		return r;
	host_come(*state);
	host_start_agent(*state);
	return 0;
}

int host_plain(void **state)
{
	return start(state, world_files);
}

int host_kernel(void **state)
{
	return start(state, world_files_kernel);
}

/* The socket first: the agent would call again, and a port keeps its number in use (Linux 7.2) when
 * it is closed with a connection that was not accepted. */
int host_stop(void **state)
{
	if (host.fd >= 0)
		close(take_fd(&host.fd));
	return world_stop(state);
}
