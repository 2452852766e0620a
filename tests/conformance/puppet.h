/* SPDX-License-Identifier: MIT */
/*
 * puppet.h - a process in a group that asks for memory on command, and reports what it got.
 */
#ifndef PUPPET_H
#define PUPPET_H

#include "extra.h"

enum puppet_op {
	PUPPET_TAKE = 1, /* maps a MiB and writes to it; kept */
	PUPPET_GIVE,	 /* the last one that was taken */
	PUPPET_MAP,	 /* a page, and gives it back; likewise the others */
	PUPPET_BRK,
	PUPPET_GROW, /* mremap */
	PUPPET_SHRINK,
	PUPPET_FORK,
	PUPPET_EXEC, /* a file that no kernel can run: ENOEXEC when it may be tried */
	PUPPET_THREAD,
	PUPPET_END,
};

struct puppet {
	pid_t pid;
	int fd;
};

struct puppet puppet_in(struct cgfs_group *g);
/* Its answer: 0, or an errno. */
int puppet(const struct puppet *p, enum puppet_op op);
/* Takes until it is refused, or has @max: how many it took. */
unsigned int puppet_fill(const struct puppet *p, unsigned int max);
void puppet_end(struct puppet *p);

#endif
