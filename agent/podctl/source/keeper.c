/* SPDX-License-Identifier: MIT */
/*
 * keeper.c - a terminal without a reader would stop its command, and without a holder hang it up:
 * so a process stays with it that reads and drops.  It sends the master itself to a podctl that
 * connects, and reads no more until that connection is closed.  So no byte of a session passes
 * through a third process, and a podctl that is killed gives the terminal back.  While one is
 * stopped, it reads what is more than the terminal has room for.
 */
#include "agent/podctl/source/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* How long a keeper may take to answer. */
#define ANSWER_MS     10000
/* How often a keeper looks whether the podctl that has the terminal is stopped; and, while it is,
 * reads, and how often at a time. */
#define LOOK_MS	      1000
#define READ_MS	      20
#define READS_MAX     64
/* So much a terminal holds without its command's waiting. */
#define TERMINAL_ROOM 2048

/* Of root, or of a user's session. */
static int place(uint64_t cgroup_id, bool make, struct sockaddr_un *ret)
{
	const char *session = getenv("XDG_RUNTIME_DIR");
	char dir[sizeof(ret->sun_path)];
	int n;

	if (geteuid() != 0 && (!session || *session != '/'))
		return -ENOENT;
	n = snprintf(dir, sizeof(dir), "%s/cgfs", geteuid() == 0 ? "/run" : session);
	if ((size_t)n >= sizeof(dir))
		return -ENAMETOOLONG;
	if (make && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/terminal-%llu", dir,
		     (unsigned long long)cgroup_id);
	return (size_t)n < sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

int keeper_listen(uint64_t cgroup_id)
{
	struct sockaddr_un sa;
	auto_fd int fd = -EBADF;
	mode_t mask;
	int r = cgroup_id ? place(cgroup_id, true, &sa) : -ENOENT;

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* A keeper that was killed has left it: there is one container of this id. */
	(void)unlink(sa.sun_path);
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 4) < 0 ? -errno : 0;
	umask(mask);
	return r < 0 ? r : take_fd(&fd);
}

/* --- the keeper ----------------------------------------------------------------------------------
 */

union fd_space {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int))];
};

static bool lend(int to, int master, pid_t pid)
{
	union fd_space control = { 0 };
	struct iovec iov = { &pid, sizeof(pid) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	struct cmsghdr *m = CMSG_FIRSTHDR(&msg);

	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(sizeof(master));
	memcpy(CMSG_DATA(m), &master, sizeof(master));
	return sendmsg(to, &msg, MSG_NOSIGNAL) == (ssize_t)sizeof(pid);
}

static bool is_over(int loan)
{
	struct pollfd p = { .fd = loan, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* The command has closed its terminal. */
static bool has_ended(int master)
{
	char text[4096];
	ssize_t n = read(master, text, sizeof(text));

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Is the podctl that has it stopped by a signal?  Of one in another pid namespace it is not known.
 */
static bool is_stopped(int loan)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	char path[32], text[128];
	auto_fd int fd = -EBADF;
	const char *state;
	ssize_t n;

	if (getsockopt(loan, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)peer.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	state = strrchr(text, ')');
	return state && state[1] == ' ' && (state[2] == 'T' || state[2] == 't');
}

/* The command goes on; what the terminal has room for is left to podctl.  true: it has ended.  One
 * that prints without end does not keep the keeper from its other tasks. */
static bool make_room(int master)
{
	bool over = false;
	int n;

	for (int i = 0; i < READS_MAX && !over; i++) {
		if (ioctl(master, FIONREAD, &n) < 0 || n <= TERMINAL_ROOM)
			break;
		over = has_ended(master);
	}
	return over;
}

/* Closes podctl's other descriptors: the reader of a pipe waits until all its writers are closed.
 */
static void close_others(int a, int b)
{
	unsigned int lo = (unsigned int)(a < b ? a : b), hi = (unsigned int)(a < b ? b : a);

	if (a < 0 || b < 0)
		lo = hi;
	if (lo > 0)
		(void)syscall(SYS_close_range, 0u, lo - 1, 0u);
	if (lo + 1 < hi)
		(void)syscall(SYS_close_range, lo + 1, hi - 1, 0u);
	(void)syscall(SYS_close_range, hi + 1, ~0u, 0u);
}

void keeper_run(uint64_t cgroup_id, int listener, int master, pid_t pid)
{
	struct sockaddr_un sa;
	int loan = -EBADF, to;
	sigset_t all;
	bool over = false, stopped = false;

	setsid();
	/* No file system is in use by it. */
	ignore(chdir("/"));
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	close_others(master, listener);
	while (!over) {
		struct pollfd p[] = { { .fd = loan >= 0 ? loan : master, .events = POLLIN },
				      { .fd = listener, .events = POLLIN } };

		if (poll(p, 2, loan < 0 ? -1 : stopped ? READ_MS : LOOK_MS) < 0 && errno != EINTR)
			break;
		if (p[0].revents && loan >= 0)
			close(take_fd(&loan));
		else if (p[0].revents)
			over = has_ended(master);
		stopped = loan >= 0 && is_stopped(loan);
		if (stopped)
			over = make_room(master);
		to = p[1].revents ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (to < 0)
			continue;
		if (loan >= 0 && is_over(loan))
			close(take_fd(&loan));
		if (loan < 0 && lend(to, master, pid))
			loan = to;
		else
			close(to);
	}
	if (listener >= 0 && place(cgroup_id, false, &sa) == 0)
		(void)unlink(sa.sun_path);
	_exit(0);
}

/* --- its clients ---------------------------------------------------------------------------------
 */

static int receive(int from, int *ret_master, pid_t *ret_pid)
{
	union fd_space control = { 0 };
	struct iovec iov = { ret_pid, sizeof(*ret_pid) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	struct pollfd p = { .fd = from, .events = POLLIN };
	struct cmsghdr *m;
	ssize_t n;
	int r = poll(&p, 1, ANSWER_MS);

	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC);
	/* Closed at once: it has lent it, or the command ended just now. */
	if (n <= 0)
		return n < 0 && errno != ECONNRESET ? -errno : -EBUSY;
	m = CMSG_FIRSTHDR(&msg);
	if (n != (ssize_t)sizeof(*ret_pid) || !m || m->cmsg_level != SOL_SOCKET ||
	    m->cmsg_type != SCM_RIGHTS || m->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(ret_master, CMSG_DATA(m), sizeof(int));
	return 0;
}

int keeper_borrow(uint64_t cgroup_id, int *ret_master, int *ret_loan, pid_t *ret_pid,
		  struct cgfs_err *reterr)
{
	auto_fd int fd = -EBADF;
	struct sockaddr_un sa;
	int r = place(cgroup_id, false, &sa);

	if (r == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		r = fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	}
	if (r == -ECONNREFUSED || r == -ENOENT)
		return cgfs_err_set(
			reterr, -ENOENT, NULL, NULL, NULL,
			"its terminal is not kept; podctl keeps that of a `run -t` which "
			"was detached");
	if (r == 0)
		r = receive(fd, ret_master, ret_pid);
	if (r == -EBUSY)
		return cgfs_err_set(reterr, r, NULL, NULL, NULL,
				    "another podctl is attached to its terminal");
	if (r < 0)
		return err_file(reterr, r, "borrow terminal", sa.sun_path);
	*ret_loan = take_fd(&fd);
	return 0;
}

int keeper_resize(uint64_t cgroup_id, unsigned int columns, unsigned int rows,
		  struct cgfs_err *reterr)
{
	struct winsize size = { .ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows };
	auto_fd int master = -EBADF, loan = -EBADF;
	pid_t pid;
	int r = keeper_borrow(cgroup_id, &master, &loan, &pid, reterr);

	if (r == 0 && ioctl(master, TIOCSWINSZ, &size) < 0)
		r = cgfs_err_set(reterr, -errno, "set the size of its window", NULL, NULL, NULL);
	return r;
}
