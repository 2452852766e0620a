/* SPDX-License-Identifier: MIT */
/*
 * cgfs/abi/policy.h - types that cross the kernel boundary: map elements and event records of
 * the device policy and of kill attribution.  bpf/README.md says which map holds which.
 *
 * Pinned maps outlive the program that made them.  So every change here, an appended member
 * included, raises CGFS_POLICY_ABI; a program that finds pins of another number leaves them alone.
 */
#ifndef CGFS_ABI_POLICY_H
#define CGFS_ABI_POLICY_H

#include <linux/types.h>

#define CGFS_POLICY_ABI 1

/* Room for a name, with its NUL; a longer one is cut here, never in an event. */
#define CGFS_POLICY_NAME 80

/* Cgroups nested deeper than this are found only when they are groups themselves. */
#define CGFS_POLICY_DEPTH 32

/* "Any" major or minor number in a rule's key; -1 as in OCI, so that a dump reads well. */
#define CGFS_POLICY_ANY (-1)

/* As BPF_DEVCG_DEV_*. */
enum cgfs_policy_kind {
	CGFS_BLOCK = 1,
	CGFS_CHAR = 2,
};

enum cgfs_policy_verdict {
	CGFS_DENY = 0,
	CGFS_ALLOW = 1,
};

struct cgfs_group_key {
	__u64 cgroup_id; /* inode of the directory in the cgroup2 tree */
};

/*
 * One pod or container.  User space makes and deletes elements and never overwrites one: the
 * kernel counts in them.  What changes later is changed by the program cgfs_control.
 */
struct cgfs_group {
	__u64 pod_cgroup_id; /* its own id for a pod or a standalone container */
	char pod[CGFS_POLICY_NAME];
	char container[CGFS_POLICY_NAME];
	__u32 generation; /* which of its rules are in force; 0: it has no list of its own */
	__u32 records; /* denials recorded since window_ns began */
	__u64 window_ns; /* CLOCK_BOOTTIME */
	__u64 device_allowed;
	__u64 device_denied;
	__u64 oom_kills;
	__u64 events_lost; /* denials and kills without a record */
	__u64 lost_reported; /* how many of those user space has been told of */
};

/* Compiled from the ordered list: what every rule that covers the whole pattern comes to. */
struct cgfs_rule_key {
	__u64 cgroup_id;
	__u32 generation;
	enum cgfs_policy_kind kind;
	__s32 major; /* or CGFS_POLICY_ANY */
	__s32 minor; /* or CGFS_POLICY_ANY */
};

struct cgfs_rule {
	enum cgfs_policy_verdict read;
	enum cgfs_policy_verdict write;
	enum cgfs_policy_verdict mknod;
	__u32 read_rule; /* 1-based position in the list of the rule that decides; 0: none */
	__u32 write_rule;
	__u32 mknod_rule;
};

struct cgfs_state {
	__u32 abi; /* CGFS_POLICY_ABI of whoever made the maps; written before they are pinned */
	__u32 generation; /* the last one given out; never used twice, by any group */
	__u64 events_lost; /* sum over all groups, those that are gone included */
	__u64 denied_unknown; /* requests of cgroups below a pod that is in no map */
};

/* Ring buffer records.  Each begins with these two. */
enum cgfs_record_type {
	CGFS_RECORD_DENIAL = 1,
	CGFS_RECORD_KILL = 2,
};

struct cgfs_denial {
	__u32 abi;
	enum cgfs_record_type type;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 cgroup_id; /* of the group */
	__u64 pod_cgroup_id;
	__u32 pid; /* process (thread group) id in the initial namespace */
	enum cgfs_policy_kind kind;
	__u32 major;
	__u32 minor;
	__u32 access; /* BPF_DEVCG_ACC_* bits that were asked for */
	__u32 rule; /* 1-based position in the list that refused; 0: no rule matched */
	char comm[16];
};

struct cgfs_kill {
	__u32 abi;
	enum cgfs_record_type type;
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 cgroup_id; /* of the group */
	__u64 pod_cgroup_id;
	__u32 pid; /* process (thread group) id in the initial namespace */
	__u32 rsv;
	char comm[16];
};

/* The argument of the program cgfs_control, a BPF_PROG_TYPE_SYSCALL. */
enum cgfs_control_op {
	CGFS_CONTROL_NEXT = 1, /* give out a generation; callers hold the lock of the pins */
	CGFS_CONTROL_SWITCH = 2, /* put a generation of the group's rules in force */
	CGFS_CONTROL_LOST = 3, /* take the number of lost events that nobody was told of */
};

struct cgfs_control_args {
	enum cgfs_control_op op;
	__u32 generation; /* NEXT: out; SWITCH: in, and out: the one that was in force */
	__u64 cgroup_id; /* SWITCH and LOST: in */
	__u64 lost; /* LOST: out */
};

#ifdef __cplusplus
#define CGFS_ABI_SIZE(type, size) static_assert(sizeof(type) == (size), #type " is ABI")
#else
#define CGFS_ABI_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " is ABI")
#endif
CGFS_ABI_SIZE(struct cgfs_group, 224);
CGFS_ABI_SIZE(struct cgfs_rule_key, 24);
CGFS_ABI_SIZE(struct cgfs_rule, 24);
CGFS_ABI_SIZE(struct cgfs_state, 24);
CGFS_ABI_SIZE(struct cgfs_denial, 72);
CGFS_ABI_SIZE(struct cgfs_kill, 56);
CGFS_ABI_SIZE(struct cgfs_control_args, 24);

#endif
