/* SPDX-License-Identifier: MIT */
/*
 * oom.h - how each version reports that a process of a group was killed for lack of memory; see
 * oom.c.
 */
#ifndef CGFS_CONTROLLER_OOM_H
#define CGFS_CONTROLLER_OOM_H

#include <cgfs/cgfs.h>

/* What is registered; each -EBADF where it is not. */
struct oom_wire {
	int wd;	     /* v2: of memory.events */
	int counter; /* v1: an eventfd */
};

struct oom_ops {
	const char *file;
	/* From now on @fn is called when the counter may have changed. */
	int (*arm)(struct cgfs_group *g, struct oom_wire *w, void (*fn)(struct cgfs_group *g),
		   struct cgfs_err *reterr);
	/* v1 notifies before the victim is counted: how often the counter is read again. */
	unsigned int rounds;
};

/* NULL without a memory controller, or where a context that is for reading cannot be informed. */
const struct oom_ops *oom_ops(const struct cgfs *c);
/* How many there were; -ENODATA: this kernel does not count them. */
int oom_kills(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr);

#endif
