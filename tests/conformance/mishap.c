// SPDX-License-Identifier: MIT
/*
 * mishap.c - see mishap.h.  Not thread-safe, as no test is.
 */
#include "mishap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct armed {
	unsigned int kinds, nth, calls;
	int err, struck;
};

/* A child counts on where its parent was, and the parent sees what struck there. */
static struct armed *armed(void)
{
	static struct armed *shared;

	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	return shared;
}

void mishap_arm(unsigned int kinds, unsigned int nth, int err)
{
	*armed() = (struct armed){ .kinds = nth ? kinds : 0, .nth = nth, .err = err };
}

int mishap_struck(void)
{
	return armed()->struck;
}

static int fails(enum mishap kind)
{
	struct armed *a = armed();

	if (!(a->kinds & kind) || a->struck || ++a->calls != a->nth)
		return 0;
	a->struck = 1;
	errno = -a->err;
	return 1;
}

/* The names that the copy of the library calls. */
void *mishap_malloc(size_t size);
void *mishap_calloc(size_t n, size_t size);
void *mishap_realloc(void *p, size_t size);
char *mishap_strdup(const char *s);
FILE *mishap_open_memstream(char **p, size_t *len);
int mishap_eventfd(unsigned int count, int flags);
int mishap_timerfd_create(int clock, int flags);
int mishap_epoll_create1(int flags);
int mishap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev);
int mishap_epoll_wait(int epfd, struct epoll_event *ev, int n, int timeout);
int mishap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *t, const sigset_t *mask);
int mishap_openat(int dir, const char *name, int flags, ...);
ssize_t mishap_write(int fd, const void *buf, size_t len);
ssize_t mishap_pread(int fd, void *buf, size_t len, off_t offset);
long mishap_syscall(long n, ...);
int mishap_pipe2(int fds[2], int flags);
int mishap_inotify_init1(int flags);
int mishap_inotify_add_watch(int fd, const char *path, uint32_t mask);

void *mishap_malloc(size_t size)
{
	return fails(MISHAP_ALLOC) ? NULL : malloc(size);
}

void *mishap_calloc(size_t n, size_t size)
{
	return fails(MISHAP_ALLOC) ? NULL : calloc(n, size);
}

void *mishap_realloc(void *p, size_t size)
{
	return fails(MISHAP_ALLOC) ? NULL : realloc(p, size);
}

char *mishap_strdup(const char *s)
{
	return fails(MISHAP_ALLOC) ? NULL : strdup(s);
}

FILE *mishap_open_memstream(char **p, size_t *len)
{
	return fails(MISHAP_ALLOC) ? NULL : open_memstream(p, len);
}

int mishap_eventfd(unsigned int count, int flags)
{
	return fails(MISHAP_FD) ? -1 : eventfd(count, flags);
}

int mishap_timerfd_create(int clock, int flags)
{
	return fails(MISHAP_FD) ? -1 : timerfd_create(clock, flags);
}

int mishap_epoll_create1(int flags)
{
	return fails(MISHAP_FD) ? -1 : epoll_create1(flags);
}

int mishap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	return op == EPOLL_CTL_ADD && fails(MISHAP_FD) ? -1 : epoll_ctl(epfd, op, fd, ev);
}

int mishap_epoll_wait(int epfd, struct epoll_event *ev, int n, int timeout)
{
	return fails(MISHAP_WAIT) ? -1 : epoll_wait(epfd, ev, n, timeout);
}

int mishap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *t, const sigset_t *mask)
{
	return fails(MISHAP_WAIT) ? -1 : ppoll(fds, n, t, mask);
}

/* The library creates no file: there is no mode. */
int mishap_openat(int dir, const char *name, int flags, ...)
{
	return fails(MISHAP_OPEN) ? -1 : openat(dir, name, flags);
}

ssize_t mishap_write(int fd, const void *buf, size_t len)
{
	return fails(MISHAP_WRITE) ? -1 : write(fd, buf, len);
}

ssize_t mishap_pread(int fd, void *buf, size_t len, off_t offset)
{
	return fails(MISHAP_READ) ? -1 : pread(fd, buf, len, offset);
}

long mishap_syscall(long n, ...)
{
	long arg[6];
	va_list ap;

	if (fails(MISHAP_FORK))
		return -1;
	va_start(ap, n);
	for (size_t i = 0; i < sizeof(arg) / sizeof(arg[0]); i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	return syscall(n, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

int mishap_pipe2(int fds[2], int flags)
{
	return fails(MISHAP_FORK) ? -1 : pipe2(fds, flags);
}

int mishap_inotify_init1(int flags)
{
	return fails(MISHAP_NOTIFY) ? -1 : inotify_init1(flags);
}

int mishap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	return fails(MISHAP_NOTIFY) ? -1 : inotify_add_watch(fd, path, mask);
}
