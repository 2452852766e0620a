/* SPDX-License-Identifier: MIT */
/*
 * cgfs/abi/admit.h - types of the object cgfs_adm: budgets of groups' memory, exempt groups, and
 * records of refusals.
 */
#ifndef CGFS_ABI_ADMIT_H
#define CGFS_ABI_ADMIT_H

#include <cgfs/abi/group.h>

#define CGFS_ADMIT_ABI 2

/*
 * cgfs_admit, cgroup storage, keyed by the number of the cgroup: what binds the group.  User space
 * replaces the whole element at one instant; the program changes what stands below lift_bytes.
 */
struct cgfs_admit {
	__u64 cgroup_id; /* of the group; 0: it never had a budget */
	__u64 pod_cgroup_id;
	__u64 memory_id; /* inode of its directory in the hierarchy that carries memory */
	__u64 page_bytes;
	__u64 budget_bytes; /* refused with usage at or above it; all bits set: no budget */
	__u64 lift_bytes;   /* and again admitted when usage is at or below this */
	__u32 refusing;	    /* 1: what was looked at last was refused */
	__u32 follows;	    /* 1: both are computed from the limit of the memory cgroup */
	__u64 window_ns;    /* CLOCK_BOOTTIME */
	__u64 records;	    /* refusals recorded since then */
};

/* cgfs_refusals, hash keyed by struct cgfs_group_key: what the group's budget has refused. */
struct cgfs_refusals {
	__u64 memory_id; /* as in struct cgfs_admit; key of the group in cgfs_exempt */
	__u64 maps;	 /* mmap, brk, mremap, mprotect of what had no access */
	__u64 execs;
	__u64 forks; /* of processes and of threads */
};

/* cgfs_exempt, hash: memory cgroups whose processes no budget, theirs or one above, refuses. */
struct cgfs_exempt_key {
	__u64 memory_id;
};

struct cgfs_exempt {
	__u64 cgroup_id; /* of the group */
	__u64 since_ns;	 /* only processes that were started from then on; 0: all */
	__u64 until_ns;	 /* and up to then, CLOCK_BOOTTIME; 0: always */
};

/* Records of the ring buffer cgfs_refused. */
enum cgfs_refusal_type {
	CGFS_RECORD_REFUSAL = 4,
};

enum cgfs_refusal_call {
	CGFS_REFUSED_MAP = 1, /* mmap, brk, mremap, mprotect: ENOMEM */
	CGFS_REFUSED_EXEC,    /* ENOMEM */
	CGFS_REFUSED_FORK,    /* EAGAIN */
};

struct cgfs_refusal {
	__u32 abi; /* CGFS_ADMIT_ABI */
	enum cgfs_refusal_type type;
	__u64 time_ns;	 /* CLOCK_BOOTTIME */
	__u64 cgroup_id; /* of the group whose budget it was */
	__u64 pod_cgroup_id;
	__u64 budget_bytes;
	__u64 usage_bytes;
	__u32 pid; /* process (thread group) id in the initial namespace */
	enum cgfs_refusal_call call;
	char comm[16];
};

CGFS_ABI_SIZE(struct cgfs_admit, 72);
CGFS_ABI_SIZE(struct cgfs_refusals, 32);
CGFS_ABI_SIZE(struct cgfs_exempt_key, 8);
CGFS_ABI_SIZE(struct cgfs_exempt, 24);
CGFS_ABI_SIZE(struct cgfs_refusal, 72);

#endif
