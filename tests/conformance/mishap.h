/* SPDX-License-Identifier: MIT */
/*
 * mishap.h - what the library asks of the C library and of the kernel beside its door, failing on
 * demand.  The conformance program links a copy of the library in which these calls have other
 * names (mishap.syms); all other calls go where they always went.
 */
#ifndef MISHAP_H
#define MISHAP_H

enum mishap {
	MISHAP_ALLOC = 1 << 0, /* malloc and its like */
	MISHAP_FD = 1 << 1,    /* eventfd, timerfd_create, epoll_create1, epoll_ctl to add */
	MISHAP_WAIT = 1 << 2,  /* epoll_wait, ppoll */
	/* On a kernel, where no fake stands behind the door; in children, too. */
	MISHAP_OPEN = 1 << 3,	/* openat */
	MISHAP_WRITE = 1 << 4,	/* write */
	MISHAP_READ = 1 << 5,	/* pread */
	MISHAP_FORK = 1 << 6,	/* syscall, which is clone3, and pipe2 */
	MISHAP_NOTIFY = 1 << 7, /* inotify_init1, inotify_add_watch */
};

/* The @nth call (from 1) of any of @kinds from now on fails with @err (a negative errno), once;
 * @nth 0: none does. */
void mishap_arm(unsigned int kinds, unsigned int nth, int err);
int mishap_struck(void);

#endif
