// SPDX-License-Identifier: MIT
/*
 * live_proc.c - real processes that obey commands from a socket pair: allocate, burn CPU
 * time, open devices, fork.  Knows no cgroups: where a process lives is the test's business.
 */
#include "live.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCS_MAX 512
#define MAPS_MAX  64

struct reply {
	uint32_t seq;
	int32_t result;
};

struct proc {
	pid_t pid;
	int sock;
	uint32_t seq; /* of the last command sent */
	uint32_t answered;
};

struct live_procs {
	struct proc proc[PROCS_MAX];
	size_t n;
};

/* -- the process's side ---------------------------------------------------------------------------
 */

struct map {
	void *at;
	size_t len;
};

static int take_memory(struct map *maps, size_t len)
{
	size_t i = 0;
	char *p;

	while (i < MAPS_MAX && maps[i].at)
		i++;
	if (i == MAPS_MAX)
		return -ENFILE;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	/* Locked as it is touched, so that swap does not blur the figures; in small pages, so
	 * that they are exact. */
	madvise(p, len, MADV_NOHUGEPAGE);
	if (mlock2(p, len, MLOCK_ONFAULT) < 0)
		return -errno;
	for (size_t at = 0; at < len; at += 4096)
		p[at] = 1;
	maps[i] = (struct map){ p, len };
	return 0;
}

static int give_memory(struct map *maps, size_t len)
{
	for (size_t i = 0; i < MAPS_MAX; i++) {
		if (maps[i].at && maps[i].len == len) {
			munmap(maps[i].at, len);
			maps[i].at = NULL;
			return 0;
		}
	}
	return -ENOENT;
}

/* Memory that the kernel may take back at any time, swap or not; freed as it is touched, so that
 * there never is much of it that the kernel may not. */
static int offer_memory(size_t len)
{
	const size_t piece = MIB;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	madvise(p, len, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		memset(p + at, 1, n);
		if (madvise(p + at, n, MADV_FREE) < 0)
			return -errno;
	}
	return 0;
}

/* A file of our own where /tmp is on a disk; else the block device that guests have for it. */
static int open_file(void)
{
	struct statfs fs;
	int fd;

	if (statfs("/tmp", &fs) == 0 && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC) {
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
	}
	fd = open("/dev/nullb0", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -ENOTSUP : fd;
}

/* Clean page cache, so that it can be taken back at once. */
static int read_file(size_t len)
{
	static int fd = -EBADF;
	static char piece[1 << 16];
	struct stat st;

	if (fd < 0)
		fd = open_file();
	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	if (S_ISREG(st.st_mode)) {
		for (size_t at = 0; at < len; at += sizeof(piece)) {
			if (pwrite(fd, piece, sizeof(piece), (off_t)at) < 0)
				return -errno;
		}
		return fsync(fd) < 0 ? -errno : 0;
	}
	/* Pages that another cgroup has read before would stay charged to it. */
	posix_fadvise(fd, 0, (off_t)len, POSIX_FADV_DONTNEED);
	for (size_t at = 0; at < len; at += sizeof(piece)) {
		if (pread(fd, piece, sizeof(piece), (off_t)at) < 0)
			return -errno;
	}
	return 0;
}

static int take_huge(size_t len)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	for (size_t at = 0; at < len; at += 2 * MIB)
		p[at] = 1;
	return 0;
}

static int burn(uint64_t us)
{
	volatile unsigned long work = 0;
	struct timespec start, now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	do {
		for (int i = 0; i < 10000; i++)
			work = work + 1;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((uint64_t)(now.tv_sec - start.tv_sec) * 1000000 + (uint64_t)now.tv_nsec / 1000 <
		 us + (uint64_t)start.tv_nsec / 1000);
	return 0;
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int make_threads(uint64_t n)
{
	pthread_t t;

	while (n-- > 0) {
		int r = pthread_create(&t, NULL, sleep_for_ever, NULL);

		if (r)
			return -r;
	}
	return 0;
}

/* Every process of it ends by itself after ten minutes, should all else fail. */
__attribute__((noreturn)) static void explode(void)
{
	for (;;) {
		alarm(600);
		if (fork() < 0)
			usleep(1000);
	}
}

static int try_open(const struct live_command *cmd)
{
	int fd = open(cmd->path, (int)cmd->arg[0] | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int send_reply(int sock, uint32_t seq, int result, int fd)
{
	struct reply rep = { seq, result };
	struct iovec iov = { &rep, sizeof(rep) };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void serve(int sock);

/* The child speaks over a pair of its own, whose other end goes to the tester. */
static void fork_here(int sock, uint32_t seq)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		send_reply(sock, seq, -errno, -1);
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(sock);
		close(pair[0]);
		serve(pair[1]);
	}
	send_reply(sock, seq, pid < 0 ? -errno : pid, pid < 0 ? -1 : pair[0]);
	close(pair[0]);
	close(pair[1]);
}

__attribute__((noreturn)) static void serve(int sock)
{
	struct map maps[MAPS_MAX] = { 0 };
	struct live_command cmd;

	while (recv(sock, &cmd, sizeof(cmd), 0) == sizeof(cmd)) {
		int r = 0;

		switch (cmd.op) {
		case LIVE_FORK:
			fork_here(sock, cmd.seq);
			continue;
		case LIVE_ALLOC:
			r = take_memory(maps, cmd.arg[0]);
			break;
		case LIVE_FREE:
			r = give_memory(maps, cmd.arg[0]);
			break;
		case LIVE_CACHE:
			r = offer_memory(cmd.arg[0]);
			break;
		case LIVE_FILE:
			r = read_file(cmd.arg[0]);
			break;
		case LIVE_HUGE:
			r = take_huge(cmd.arg[0]);
			break;
		case LIVE_BURN:
			r = burn(cmd.arg[0]);
			break;
		case LIVE_OPEN:
			r = try_open(&cmd);
			break;
		case LIVE_MKNOD:
			r = mknod(cmd.path, (mode_t)cmd.arg[0],
				  makedev((unsigned int)cmd.arg[1], (unsigned int)cmd.arg[2])) < 0
				    ? -errno
				    : 0;
			break;
		case LIVE_THREADS:
			r = make_threads(cmd.arg[0]);
			break;
		case LIVE_BOMB:
			send_reply(sock, cmd.seq, 0, -1);
			close(sock);
			explode();
		case LIVE_EXIT:
			_exit(0);
		default:
			break;
		}
		if (send_reply(sock, cmd.seq, r, -1) < 0)
			break;
	}
	_exit(0);
}

/* -- the tester's side
 * ------------------------------------------------------------------------------ */

struct live_procs *live_procs_new(void)
{
	struct live_procs *ps = calloc(1, sizeof(*ps));

	CHECK(ps != NULL);
	/* Grandchildren whose parent dies come to us, to be reaped. */
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	return ps;
}

static struct proc *find(struct live_procs *ps, pid_t pid)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (ps->proc[i].pid == pid)
			return &ps->proc[i];
	}
	FAIL("no process %d", pid);
}

static void add(struct live_procs *ps, pid_t pid, int sock)
{
	CHECK(ps->n < PROCS_MAX);
	ps->proc[ps->n++] = (struct proc){ .pid = pid, .sock = sock };
}

pid_t live_spawn(struct live_procs *ps)
{
	int pair[2];
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		/* Nothing of the tester's may be kept open here. */
		dup2(null, 0);
		dup2(null, 1);
		if (pair[1] != 3)
			dup2(pair[1], 3);
		close_range(4, ~0U, 0);
		signal(SIGCHLD, SIG_IGN);
		signal(SIGABRT, SIG_DFL);
		prctl(PR_SET_NAME, "cgfs-helper");
		serve(3);
	}
	close(pair[1]);
	add(ps, pid, pair[0]);
	return pid;
}

static char state_of(pid_t pid)
{
	char path[64], text[256] = "";
	const char *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 'X';
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 'X';
	text[n] = '\0';
	p = strrchr(text, ')');
	return p && p[1] ? p[2] : 'X';
}

bool live_alive(struct live_procs *ps, pid_t pid)
{
	char state;

	if (waitpid(pid, NULL, WNOHANG) == pid)
		return false;
	state = state_of(pid);
	return state != 'X' && state != 'Z';
}

/* One answer: 1, 0 when none came in time, -ECHILD when none will come. */
static int receive(struct proc *p, int timeout_ms, struct reply *rep, int *ret_fd)
{
	struct pollfd pfd = { .fd = p->sock, .events = POLLIN };
	struct iovec iov = { rep, sizeof(*rep) };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *c;

	*ret_fd = -EBADF;
	if (poll(&pfd, 1, timeout_ms) == 0)
		return 0;
	if (recvmsg(p->sock, &msg, MSG_CMSG_CLOEXEC) != sizeof(*rep))
		return -ECHILD;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	p->answered = rep->seq;
	return 1;
}

static int call(struct proc *p, struct live_command *cmd, int *ret_fd)
{
	struct reply rep = { 0 };
	int r;

	cmd->seq = ++p->seq;
	if (send(p->sock, cmd, sizeof(*cmd), MSG_NOSIGNAL) < 0)
		return -ECHILD;
	do {
		r = receive(p, PATIENCE_MS, &rep, ret_fd);
		CHECK_MSG(r != 0, "process %d does not answer command %u", p->pid, cmd->op);
		if (r < 0)
			return r;
	} while (rep.seq != cmd->seq); /* an old ping's answer */
	return rep.result;
}

int live_call(struct live_procs *ps, pid_t pid, struct live_command *cmd)
{
	int fd;

	return call(find(ps, pid), cmd, &fd);
}

pid_t live_fork(struct live_procs *ps, pid_t pid)
{
	struct live_command cmd = { .op = LIVE_FORK };
	int fd, r;

	r = call(find(ps, pid), &cmd, &fd);
	if (r > 0)
		add(ps, r, fd);
	return r;
}

bool live_ping(struct live_procs *ps, pid_t pid)
{
	struct live_command cmd = { .op = LIVE_PING };
	struct proc *p = find(ps, pid);
	struct reply rep;
	int fd;

	/* An unanswered ping is still a question. */
	if (p->seq == p->answered) {
		cmd.seq = ++p->seq;
		if (send(p->sock, &cmd, sizeof(cmd), MSG_NOSIGNAL) < 0)
			return false;
	}
	return receive(p, 100, &rep, &fd) == 1;
}

void live_procs_free(struct live_procs *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (live_alive(ps, ps->proc[i].pid))
			kill(ps->proc[i].pid, SIGKILL);
		close(ps->proc[i].sock);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	free(ps);
}
