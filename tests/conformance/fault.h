/* SPDX-License-Identifier: MIT */
/*
 * fault.h - the fault sweep: one operation, each call that it makes failing in turn, with each
 * errno that the kernel can give there.
 *
 * An operation knows how to prepare a host and what to call.  All that is judged is common
 * (fault.c): a call that failed has left what there was, or nothing; the same call succeeds
 * afterwards, and then, or when it got over the fault by itself, the host is in the very state
 * that it is in without a fault.
 */
#ifndef FAULT_H
#define FAULT_H

#include "world.h"

#include <stdarg.h>

struct scene {
	struct world *w; /* one fresh host */
	struct cgfs *c;
	struct cgfs_group *pod, *ctr, *other;
	pid_t pid;
	bool policy;	/* it is in use */
	bool again;	/* run() is called after it has failed */
	char out[8192]; /* what the call returned, as text */
};

/* What an operation is allowed beyond the common rules. */
enum {
	/* It goes on where it was: a removal, a kill. */
	GOES_ON = 1 << 0,
	/* Nothing can fail in it. */
	CANNOT_FAIL = 1 << 1,
	/* What is missing or switched off is a finding, not a failure: figures, capabilities. */
	FINDS = 1 << 2,
	/* Without a memory controller there is nothing to do. */
	NEEDS_MEMORY = 1 << 3,
	NEEDS_CGROUP2 = 1 << 4,
	NEEDS_FREEZER = 1 << 5,
	NEEDS_IO = 1 << 6,
	/* It leaves alone what the kernel reports as absent. */
	TRUSTS_ABSENCE = 1 << 7,
	NEEDS_DEVICES = 1 << 8,
	NEEDS_HUGETLB = 1 << 10,
	NEEDS_CPUSET = 1 << 14,
	NEEDS_RDMA = 1 << 11,
	NEEDS_MISC = 1 << 12,
	BUSY_ANSWERS = 1 << 13, /* EBUSY: another process uses it, and it stays */
	V1_ONLY = 1 << 9,	/* no cgroup2 tree */
};

struct fault_op {
	const char *symbol; /* of cgfs/libcgfs.map; several, with blanks between them */
	const char *name;
	void (*prepare)(struct scene *s);
	int (*run)(struct scene *s, struct cgfs_err *err);
	unsigned int flags;
	/* Kinds of call for which ENOENT or ENODEV is an answer and no fault: no such file on this
	 * kernel, no such directory any more. */
	unsigned int absence;
};

void sweep_calls(struct world *w, const struct fault_op *op);
__attribute__((format(printf, 2, 3))) void fault_out(struct scene *s, const char *fmt, ...);

/* Appends @op to the table of operations. */
void fault_add(const struct fault_op *op);

#define FAULT_OP(fn, symbol, words, before, call, allowed, missing)                                \
	static const struct fault_op fn##_op = { symbol, words, before, call, allowed, missing };  \
	__attribute__((constructor)) static void add_##fn##_op(void)                               \
	{                                                                                          \
		fault_add(&fn##_op);                                                               \
	}                                                                                          \
	WORLD_TEST(fault_##fn)                                                                     \
	{                                                                                          \
		sweep_calls(w, &fn##_op);                                                          \
	}

/* Does the context have the controller? */
static inline bool has(const struct scene *s, enum cgfs_controller ctl)
{
	return cgfs_place(s->c, ctl).version != CGFS_NONE;
}
/* All limits that this host takes, @scale of something (1..4); the lists are static. */
struct cgfs_resources scene_limits(const struct scene *s, uint64_t scale);

void with_pod(struct scene *s);
void with_container(struct scene *s); /* and a process in it */
void with_nothing(struct scene *s);

#endif
