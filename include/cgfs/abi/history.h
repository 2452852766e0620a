/* SPDX-License-Identifier: MIT */
/*
 * cgfs/abi/history.h - types of the map cgfs_history: what was refused to each pod, or killed in
 * it.  cgfs_grp makes the map, and the other objects fill it.
 */
#ifndef CGFS_ABI_HISTORY_H
#define CGFS_ABI_HISTORY_H

#include <cgfs/abi/device.h>
#include <cgfs/abi/group.h>

/* A change raises CGFS_GROUP_ABI as well: cgfs_grp makes the map. */
#define CGFS_HISTORY_ABI 1

/* Records of one kind that are kept of a pod and its containers together. */
#define CGFS_HISTORY_SLOTS 16

enum cgfs_history_kind {
	CGFS_DENIED = 1,  /* a device */
	CGFS_KILLED = 2,  /* by the OOM killer */
	CGFS_CROSSED = 3, /* a threshold of memory */
	CGFS_REFUSED = 4, /* memory, before it was used */
};

/* Whose device list, limit or budget it was. */
enum cgfs_history_level {
	CGFS_UNKNOWN = 0, /* this kernel does not say */
	CGFS_OF_CONTAINER = 1,
	CGFS_OF_POD = 2,
	CGFS_ABOVE_POD = 3, /* the pods root, or a cgroup above that */
	CGFS_OF_MACHINE = 4,
	CGFS_OF_INNER = 5, /* a cgroup that a container has made for itself */
};

/* CGFS_REFUSED: what the process asked for. */
enum cgfs_history_call {
	CGFS_CALL_NONE = 0,
	CGFS_CALL_MAP = 1, /* mmap, brk, mremap, mprotect */
	CGFS_CALL_FORK = 2,
	CGFS_CALL_EXEC = 3,
};

/* cgfs_history, hash: deleted with the pod, and not with the container. */
struct cgfs_history_key {
	__u64 pod_cgroup_id; /* of the container for one without a pod */
	enum cgfs_history_kind kind;
	__u32 slot;
};

struct cgfs_history {
	char pod[CGFS_GROUP_NAME];
	char container[CGFS_GROUP_NAME];
	/* From here to count: the same of a program again is no new record, but a count.  Each
	 * kill is a record. */
	__u64 cgroup_id;   /* whose process it was */
	__u64 limit_bytes; /* of @level, or the threshold; 0: none, or not known */
	enum cgfs_history_level level;
	enum cgfs_history_call call;
	enum cgfs_policy_kind device; /* CGFS_DENIED, and what follows up to @rule */
	__u32 major;
	__u32 minor;
	__u32 read; /* 1: asked for */
	__u32 write;
	__u32 mknod;
	__u32 rule; /* 1-based position in the list of @level; 0: no rule matched */
	__u32 rsv;
	char comm[16];
	__u64 count;
	__u64 first_ns; /* CLOCK_BOOTTIME */
	__u64 last_ns;
	__u64 usage_bytes; /* of memory, at the last one */
	__u64 pid;	   /* of the last one: process (thread group) id in the initial namespace */
};

CGFS_ABI_SIZE(struct cgfs_history_key, 16);
CGFS_ABI_SIZE(struct cgfs_history, 272);

#endif
