/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - the terminal of a command: keys in, text out, the size of the window, the keys that
 * leave it alone.  Knows neither agents nor containers.
 */
#include "agent/podctl/source/terminal.h"
#include "agent/podctl/show/show.h"
#include "agent/podctl/source/keeper.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* How long the last text may take from the command's end to podctl. */
#define DRAIN_MS    200
#define DRAIN_BYTES (1 << 20)

int terminal_keys(struct terminal *t, const char *text, struct cgfs_err *reterr)
{
	const char *at = text;

	t->n_keys = 0;
	if (streq(text, "none"))
		return 0;
	for (;;) {
		size_t len = strcspn(at, ",");
		bool ctrl = len == 6 && strncmp(at, "ctrl-", 5) == 0;
		int c = ctrl ? toupper((unsigned char)at[5]) : (unsigned char)at[0];

		if (t->n_keys == ARRAY_SIZE(t->keys) || (!ctrl && len != 1) ||
		    (ctrl && (c < '@' || c > '_')))
			return err_value(reterr, -EINVAL, "--detach-keys", text,
					 "is not a list like ctrl-p,ctrl-q or ctrl-a,d, nor "
					 "none");
		t->keys[t->n_keys++] = (unsigned char)(ctrl ? c & 0x1f : c);
		if (!at[len])
			return 0;
		at += len + 1;
	}
}

int terminal_pair(int *ret_master, int *ret_slave, struct cgfs_err *reterr)
{
	auto_fd int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0)
		return err_file(reterr, -errno, "open terminal", "/dev/ptmx");
	if (grantpt(master) < 0 || unlockpt(master) < 0)
		return err_file(reterr, -errno, "unlock terminal", "/dev/ptmx");
	*ret_slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*ret_slave < 0)
		return err_file(reterr, -errno, "open terminal", "/dev/pts");
	*ret_master = take_fd(&master);
	return 0;
}

int terminal_adopt(int slave)
{
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		return -errno;
	for (int fd = 0; fd < 3; fd++) {
		if (dup2(slave, fd) < 0)
			return -errno;
	}
	return 0;
}

/* --- the master from a runtime -----------------------------------------------------------------
 */

#define CONSOLES "cgfs-console-"

/* A podctl that was killed left its socket in such a directory: none of a live one is without
 * its lock. */
static void sweep_consoles(const char *where)
{
	DIR *d = opendir(where);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		auto_fd int fd = strncmp(e->d_name, CONSOLES, strlen(CONSOLES)) != 0
					 ? -EBADF
					 : openat(dirfd(d), e->d_name,
						  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
		    (st.st_mode & 07777) != 0700 || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
		    fstatat(fd, "sock", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		(void)unlinkat(fd, "sock", 0);
		(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
}

static bool make_directory(struct terminal_socket *s, const char *where)
{
	sweep_consoles(where);
	snprintf(s->dir, sizeof(s->dir), "%s/" CONSOLES "XXXXXX", where);
	if (!mkdtemp(s->dir)) {
		s->dir[0] = '\0';
		return false;
	}
	/* Before there is a socket in it. */
	s->dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd >= 0 && flock(s->dir_fd, LOCK_SH) == 0)
		return true;
	(void)rmdir(s->dir);
	s->dir[0] = '\0';
	return false;
}

int terminal_listen(struct terminal_socket *s, struct cgfs_err *reterr)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	s->fd = s->dir_fd = -EBADF;
	if (!make_directory(s, "/run") && !make_directory(s, "/tmp"))
		return err_file(reterr, -errno, "mkdir", "/tmp/" CONSOLES "XXXXXX");
	snprintf(s->path, sizeof(s->path), "%s/sock", s->dir);
	memcpy(sa.sun_path, s->path, strlen(s->path) + 1);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(s->fd, 1) < 0)
		return err_file(reterr, -errno, "listen", s->path);
	return 0;
}

void terminal_unlisten(struct terminal_socket *s)
{
	if (s->fd >= 0)
		close(take_fd(&s->fd));
	if (!s->dir[0])
		return;
	(void)unlink(s->path);
	(void)rmdir(s->dir);
	s->dir[0] = '\0';
	if (s->dir_fd >= 0)
		close(take_fd(&s->dir_fd));
}

static int receive_fd(int sock)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char name[4096];
	struct iovec iov = { name, sizeof(name) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.space,
			      .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	int fd;

	if (n < 0)
		return -errno;
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

int terminal_receive(struct terminal_socket *s, int timeout_ms, int *ret_master,
		     struct cgfs_err *reterr)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	auto_fd int sock = -EBADF;
	int fd = poll(&p, 1, timeout_ms);

	if (fd == 0)
		return cgfs_err_set(reterr, -ETIMEDOUT, "terminal", NULL, NULL,
				    "the runtime has sent none");
	sock = fd < 0 ? -1 : accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	/* What connects need not send. */
	p.fd = sock;
	fd = sock < 0 ? sock : poll(&p, 1, timeout_ms);
	fd = fd < 0 ? -errno : fd == 0 ? -ETIMEDOUT : receive_fd(sock);
	if (fd < 0)
		return err_file(reterr, fd, "receive terminal", s->path);
	*ret_master = fd;
	return 0;
}

/* --- while the command runs --------------------------------------------------------------------
 */

/* @keys: keys come one by one; what sends a signal does so still. */
static int make_raw(struct terminal *t, bool keys)
{
	struct termios raw;

	if (tcgetattr(0, &t->saved) < 0)
		return -errno;
	raw = t->saved;
	if (keys)
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	else
		cfmakeraw(&raw);
	if (tcsetattr(0, TCSANOW, &raw) < 0)
		return -errno;
	t->raw = true;
	return 0;
}

int terminal_begin(struct terminal *t, int master, bool input, struct cgfs_err *reterr)
{
	int flags = fcntl(master, F_GETFL), r = 0;

	t->master = master;
	t->input = input;
	if (flags < 0 || fcntl(master, F_SETFL, flags | O_NONBLOCK) < 0)
		return cgfs_err_set(reterr, -errno, "set terminal", NULL, NULL, NULL);
	terminal_resize(t);
	if (input && isatty(0))
		r = make_raw(t, false);
	return r < 0 ? cgfs_err_set(reterr, r, "set terminal", NULL, NULL, NULL) : 0;
}

int terminal_watch(struct terminal *t, struct cgfs_err *reterr)
{
	int r;

	if (!isatty(0) || !t->n_keys)
		return 0;
	r = make_raw(t, true);
	t->input = t->keys_only = r == 0;
	return r < 0 ? cgfs_err_set(reterr, r, "set terminal", NULL, NULL, NULL) : 0;
}

void terminal_resize(const struct terminal *t)
{
	struct winsize size;

	if (t->master < 0)
		return;
	for (int fd = 0; fd < 3; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
			(void)ioctl(t->master, TIOCSWINSZ, &size);
			return;
		}
	}
}

void terminal_poll(const struct terminal *t, struct pollfd fds[TERMINAL_FDS])
{
	bool full = t->off < t->have;

	fds[0] = (struct pollfd){ .fd = t->master,
				  .events = (short)(POLLIN | (full ? POLLOUT : 0)) };
	fds[1] = (struct pollfd){ .fd = (t->master >= 0 || t->keys_only) && t->input && !full ? 0
											      : -1,
				  .events = POLLIN };
}

/* Writes all of it, to a descriptor that may be in non-blocking mode by another process's doing. */
static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EAGAIN)
			(void)poll(&p, 1, -1);
		else if (n < 0 && errno != EINTR)
			return false;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* Bytes that were printed; 0: none now; -EIO: the other end is closed. */
static ssize_t print(struct terminal *t)
{
	char text[16384];
	ssize_t n = read(t->master, text, sizeof(text));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EIO;
	if (n > 0)
		ignore(write_all(1, text, (size_t)n));
	return n > 0 ? n : -EIO;
}

/* Keeps what may be the beginning of the detach keys until it is clear that it is not. */
static void type(struct terminal *t, const unsigned char *keys, size_t n)
{
	for (size_t i = 0; i < n && !t->left; i++) {
		if (t->n_keys && keys[i] == t->keys[t->n_typed]) {
			t->left = ++t->n_typed == t->n_keys;
			continue;
		}
		memcpy(t->typed + t->have, t->keys, t->n_typed);
		t->have += t->n_typed;
		t->n_typed = t->n_keys && keys[i] == t->keys[0];
		if (!t->n_typed)
			t->typed[t->have++] = (char)keys[i];
	}
}

static void read_keys(struct terminal *t)
{
	unsigned char keys[2048];
	ssize_t n = read(0, keys, sizeof(keys));
	struct termios tio;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	t->have = t->off = 0;
	if (n > 0) {
		type(t, keys, (size_t)n);
		t->in_line = keys[n - 1] != '\n';
		return;
	}
	/* The end of a file, which a terminal knows as a character; the first one within a line
	 * only ends the line. */
	t->input = false;
	for (int i = 0; i < 1 + t->in_line; i++)
		t->typed[t->have++] = tcgetattr(t->master, &tio) == 0 ? (char)tio.c_cc[VEOF] : 4;
}

void terminal_handle(struct terminal *t, const struct pollfd fds[TERMINAL_FDS])
{
	ssize_t n;

	if (t->master < 0 && !t->keys_only)
		return;
	if (fds[1].revents)
		read_keys(t);
	if (t->keys_only) {
		t->off = t->have;
		return;
	}
	if (t->off < t->have) {
		n = write(t->master, t->typed + t->off, t->have - t->off);
		t->off += n > 0 ? (size_t)n : 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			t->off = t->have;
	}
	if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) && print(t) < 0)
		close(take_fd(&t->master));
}

void terminal_drain(struct terminal *t)
{
	struct pollfd p = { .fd = t->master, .events = POLLIN };
	size_t all = 0;
	ssize_t n = 0;

	while (t->master >= 0 && n >= 0 && all < DRAIN_BYTES && poll(&p, 1, DRAIN_MS) > 0) {
		n = print(t);
		all += n > 0 ? (size_t)n : 0;
	}
}

/* Others can come to it as soon as podctl has ended. */
static void leave(const struct terminal *t)
{
	auto_fd int listener = keeper_listen(t->cgroup_id);
	pid_t pid = fork();

	if (pid == 0)
		keeper_run(t->cgroup_id, listener, t->master, t->pid);
	if (pid < 0)
		out_note("the terminal is not kept, and hangs up: fork: %m");
	else if (listener < 0 && t->cgroup_id)
		out_note("the terminal is kept, and no podctl can attach to it: %s",
			 strerror(-listener));
}

void terminal_end(struct terminal *t)
{
	if (t->raw)
		(void)tcsetattr(0, TCSADRAIN, &t->saved);
	if (t->raw && t->left)
		ignore(write_all(1, "\n", 1));
	t->raw = false;
	if (t->left && t->master >= 0 && t->loan < 0)
		leave(t);
	if (t->master >= 0)
		close(take_fd(&t->master));
	if (t->loan >= 0)
		close(take_fd(&t->loan));
}
