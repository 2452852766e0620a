// SPDX-License-Identifier: MIT
/*
 * mishap.c - see mishap.h.  Not thread-safe, as no test is.
 */
#include "mishap.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static struct {
	unsigned int kinds, nth, calls;
	int err, struck;
} armed;

void mishap_arm(unsigned int kinds, unsigned int nth, int err)
{
	armed.kinds = nth ? kinds : 0;
	armed.nth = nth;
	armed.err = err;
	armed.calls = 0;
	armed.struck = 0;
}

int mishap_struck(void)
{
	return armed.struck;
}

static int fails(enum mishap kind)
{
	if (!(armed.kinds & kind) || armed.struck || ++armed.calls != armed.nth)
		return 0;
	armed.struck = 1;
	errno = -armed.err;
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
