/* SPDX-License-Identifier: MIT */
/*
 * process.c - the processes of a pod or container as /proc shows them: the same for processes
 * that an agent has named.
 */
#include "agent/podctl/source/process.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>

/* A file of /proc/@pid as text; -ESRCH when the process is gone. */
static ssize_t read_file(pid_t pid, const char *file, char *buf, size_t len)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, len - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

int process_read(pid_t pid, struct process_info *ret)
{
	struct process_info p = { .pid = pid };
	unsigned long long user, system;
	char text[4096], *end, state;
	ssize_t n = read_file(pid, "stat", text, sizeof(text));
	int ppid;
	long rss;

	if (n < 0)
		return (int)n;
	/* The name may have any character in it; what follows its last parenthesis has none. */
	end = strrchr(text, ')');
	if (!end || !strchr(text, '(') ||
	    sscanf(end + 1,
		   " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d "
		   "%*u %*u %ld",
		   &state, &ppid, &user, &system, &rss) != 5)
		return -EPROTO;
	*end = '\0';
	snprintf(p.command, sizeof(p.command), "%.*s", (int)sizeof(p.command) - 1,
		 strchr(text, '(') + 1);
	p.state = state;
	p.ppid = ppid;
	p.cpu_us = (user + system) * 1000000 / (unsigned long long)sysconf(_SC_CLK_TCK);
	p.memory_bytes = (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE);

	/* A kernel thread or a dead process has no words, only a name. */
	n = read_file(pid, "cmdline", text, sizeof(text));
	while (n > 0 && !text[n - 1])
		n--;
	for (ssize_t i = 0; i < n; i++)
		text[i] = text[i] ? text[i] : ' ';
	if (n > 0) {
		text[n] = '\0';
		snprintf(p.command, sizeof(p.command), "%.*s", (int)sizeof(p.command) - 1, text);
	}
	*ret = p;
	return 0;
}

int process_open(pid_t pid, const char *path)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	size_t len = strlen(path);
	char text[8192];
	ssize_t n;

	if (fd < 0)
		return errno == ESRCH ? -ESRCH : -errno;
	n = read_file(pid, "cgroup", text, sizeof(text));
	if (n < 0)
		return (int)n;
	/* The number may belong to another process by now. */
	for (char *at = text; (at = strstr(at, path)); at++) {
		if (at > text && at[-1] == ':' && (at[len] == '\n' || at[len] == '/'))
			return take_fd(&fd);
	}
	return -ESRCH;
}

int process_signal(pid_t pid, const char *path, int sig)
{
	auto_fd int fd = process_open(pid, path);

	if (fd < 0)
		return fd;
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0 ? -errno : 0;
}

int process_await(pid_t pid, const char *path, int timeout_ms)
{
	auto_fd int fd = process_open(pid, path);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	if (fd < 0)
		return fd == -ESRCH ? 1 : fd;
	r = poll(&p, 1, timeout_ms);
	return r < 0 && errno != EINTR ? -errno : r > 0;
}
