/* SPDX-License-Identifier: MIT */
/*
 * cgfs/abi/group.h - types that cross the kernel boundary and that all objects share: which groups
 * there are.  bpf/README.md says which map holds which.
 *
 * Pinned maps outlive the program that made them.  So every change in one of these headers, an
 * appended member included, raises the number of that header; docs/abi.md says what becomes of pins
 * with another number.
 */
#ifndef CGFS_ABI_GROUP_H
#define CGFS_ABI_GROUP_H

#include <linux/types.h>

#define CGFS_GROUP_ABI 2

/* Room for a name, with its NUL; a longer one is cut here, never in an event. */
#define CGFS_GROUP_NAME 80

/* In a cgroup nested deeper than this, what happens is the pod's, not the container's. */
#define CGFS_GROUP_DEPTH 32

/*
 * cgfs_groups, hash: one pod or container.  User space makes and deletes elements and never
 * overwrites one: the kernel counts in them.
 */
struct cgfs_group_key {
	__u64 cgroup_id; /* inode of the directory in the cgroup2 tree */
};

struct cgfs_group {
	__u64 pod_cgroup_id; /* its own id for a pod or a standalone container */
	char pod[CGFS_GROUP_NAME];
	char container[CGFS_GROUP_NAME];
	__u64 denied_elsewhere; /* allowed by its own list; refused by its pod's, or a container's
				 */
	__u64 oom_kills;
	__u64 events_lost;   /* denials and kills without a record */
	__u64 lost_reported; /* how many of those user space has taken */
	__u64 window_ns;     /* CLOCK_BOOTTIME */
	__u64 records;	     /* denials recorded since then */
};

/* cgfs_state, array of one. */
struct cgfs_state {
	__u32 generation; /* the last one given out; never used twice, by any group */
	__u32 rsv;
	__u64 events_lost;  /* sum over all groups, those that are gone included */
	__u64 history_lost; /* records that found no room in cgfs_history */
};

/* The argument of the program cgfs_control, a BPF_PROG_TYPE_SYSCALL. */
enum cgfs_control_op {
	CGFS_CONTROL_NEXT = 1,	 /* give out a generation; callers hold the lock of the pins */
	CGFS_CONTROL_LOST = 2,	 /* take the number of lost events that were not taken yet */
	CGFS_CONTROL_FORGET = 3, /* delete the history of a pod */
};

struct cgfs_control_args {
	enum cgfs_control_op op;
	__u32 generation; /* NEXT: out */
	__u64 cgroup_id;  /* LOST, FORGET: in */
	__u64 lost;	  /* LOST: out.  FORGET: 1: look at all records; out: 1: there were some */
};

#ifdef __cplusplus
#define CGFS_ABI_SIZE(type, size) static_assert(sizeof(type) == (size), #type " is ABI")
#else
#define CGFS_ABI_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " is ABI")
#endif
CGFS_ABI_SIZE(struct cgfs_group, 216);
CGFS_ABI_SIZE(struct cgfs_state, 24);
CGFS_ABI_SIZE(struct cgfs_control_args, 24);

#endif
