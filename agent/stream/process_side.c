/* SPDX-License-Identifier: MIT */
/*
 * process_side.c - what a process gets as its standard streams: pipes, FIFOs that outlive the
 * agent, a terminal.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/stream/relay.h"
#include "cgfs/base/util.h"

static int nonblock(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int *our_end(struct relay *r, int i)
{
	return i == 0 ? &r->flow[i].to.fd : &r->flow[i].from.fd;
}

/* A pipe for stream @i. */
static int make_pipe(struct relay *r, int i, int *ret)
{
	int ends[2], ours = i == 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	if (nonblock(ends[ours]) < 0) {
		int saved = errno;

		close(ends[0]);
		close(ends[1]);
		return -saved;
	}
	*our_end(r, i) = ends[ours];
	*ret = ends[!ours];
	return 0;
}

int relay_pipes(struct relay *r, const bool want[3], int fds[3])
{
	int res = 0;

	fds[0] = fds[1] = fds[2] = -EBADF;
	for (int i = 0; i < 3 && res == 0; i++)
		res = want[i] ? make_pipe(r, i, &fds[i]) : 0;
	for (int i = 0; i < 3 && res < 0; i++) {
		if (fds[i] >= 0)
			close(take_fd(&fds[i]));
	}
	return res;
}

/* Ours first, for which no writer has to be there; the process's reads, too, so that it is not
 * killed by SIGPIPE while no agent is there. */
static int make_fifo(struct relay *r, int i, const char *path, int *ret)
{
	auto_fd int ours = -EBADF, theirs = -EBADF;

	if (mkfifo(path, 0600) < 0)
		return -errno;
	ours = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (ours >= 0)
		theirs = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (theirs < 0)
		return -errno;
	*our_end(r, i) = take_fd(&ours);
	*ret = take_fd(&theirs);
	return 0;
}

int relay_fifos(struct relay *r, const char *out, const char *err, int fds[3])
{
	int res;

	fds[0] = fds[1] = fds[2] = -EBADF;
	res = make_pipe(r, 0, &fds[0]);
	if (res == 0)
		res = make_fifo(r, 1, out, &fds[1]);
	if (res == 0)
		res = make_fifo(r, 2, err, &fds[2]);
	for (int i = 0; i < 3 && res < 0; i++) {
		if (fds[i] >= 0)
			close(take_fd(&fds[i]));
	}
	return res;
}

int relay_reopen(struct relay *r, const char *out, const char *err)
{
	const char *const paths[] = { NULL, out, err };

	for (int i = 1; i < 3; i++) {
		int fd = open(paths[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

		if (fd < 0)
			return -errno;
		*our_end(r, i) = fd;
	}
	return 0;
}

/* --- terminals ------------------------------------------------------------------------------ */

/* A terminal: its master, which is the relay's from now on. */
static int relay_terminal(struct relay *r, int master)
{
	r->master = master;
	return nonblock(master);
}

int relay_open_terminal(struct relay *r, int *ret_slave)
{
	auto_fd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	auto_fd int slave = -EBADF;
	int res;

	if (master < 0 || unlockpt(master) < 0)
		return -errno;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;
	res = relay_terminal(r, take_fd(&master));
	if (res == 0)
		*ret_slave = take_fd(&slave);
	return res;
}

int relay_resize(struct relay *r, uint16_t width, uint16_t height)
{
	struct winsize size = { .ws_row = height, .ws_col = width };

	if (r->master < 0)
		return -ENOTTY;
	return ioctl(r->master, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int relay_console(struct relay *r, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd int fd = -EBADF;
	mode_t mask;
	int res;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	r->console_path = strdup(path);
	if (!r->console_path)
		return -ENOMEM;
	(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	res = fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1) < 0
		      ? -errno
		      : 0;
	umask(mask);
	if (res == 0)
		r->console = take_fd(&fd);
	return res;
}

void relay_console_close(struct relay *r)
{
	if (r->console >= 0)
		close(take_fd(&r->console));
	if (r->console_path)
		(void)unlink(r->console_path);
	free(r->console_path);
	r->console_path = NULL;
}

int relay_console_take(struct relay *r)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte[256]; /* the runtime says the terminal's name */
	struct iovec iov = { byte, sizeof(byte) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	auto_fd int conn = accept4(r->console, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct cmsghdr *m;
	int master;

	if (conn < 0 || recvmsg(conn, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return -errno;
	m = CMSG_FIRSTHDR(&msg);
	if (!m || m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS ||
	    m->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&master, CMSG_DATA(m), sizeof(int));
	relay_console_close(r);
	return relay_terminal(r, master);
}
