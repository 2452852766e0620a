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

/* In a cgroup nested deeper than this, a denial is the pod's, not the container's. */
#define CGFS_POLICY_DEPTH 32

/* Slots for verdicts, per group; a power of two. */
#define CGFS_POLICY_VERDICTS 16

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

enum cgfs_policy_mode {
	CGFS_NOTHING = 0, /* no list, as of a cgroup that was just attached: everything is denied */
	CGFS_LIST = 1,	  /* cgfs_rules of the generation */
	CGFS_POD = 2,	  /* the pod's list alone */
};

/*
 * cgfs_policy, cgroup storage: what binds a group.  User space replaces the whole element, which
 * the kernel does at one instant; the program writes verdicts that it has worked out.
 */
struct cgfs_policy_val {
	__u64 cgroup_id;
	enum cgfs_policy_mode mode;
	__u32 generation;
	__u32 is_pod; /* 1: there may be containers below it */
	__u32 rsv;
	/* What was asked before: CGFS_POLICY_VERDICT() of the device with the bits that are
	 * allowed; 0: empty. */
	__u64 verdicts[CGFS_POLICY_VERDICTS];
};

/* Numbers have 12 and 20 bits in the kernel; kinds 1 and 2 make that an element is not 0. */
#define CGFS_POLICY_VERDICT(kind, major, minor)                                                    \
	((__u64)(kind) << 48 | (__u64)(major) << 32 | (__u64)(minor) << 8)
#define CGFS_POLICY_SLOT(major, minor) (((minor) ^ (major)*5) & (CGFS_POLICY_VERDICTS - 1))

/*
 * cgfs_counts, cgroup storage per processor: what the group's own list said.  Those requests that
 * another list of the pod refused are in struct cgfs_group.
 */
struct cgfs_counts {
	__u64 device_allowed;
	__u64 device_denied;
};

/*
 * cgfs_groups, hash: one pod or container.  User space makes and deletes elements and never
 * overwrites one: the kernel counts in them.
 */
struct cgfs_group_key {
	__u64 cgroup_id; /* inode of the directory in the cgroup2 tree */
};

struct cgfs_group {
	__u64 pod_cgroup_id; /* its own id for a pod or a standalone container */
	char pod[CGFS_POLICY_NAME];
	char container[CGFS_POLICY_NAME];
	__u64 denied_elsewhere; /* allowed by its own list; refused by its pod's, or a container's
				 */
	__u64 oom_kills;
	__u64 events_lost;   /* denials and kills without a record */
	__u64 lost_reported; /* how many of those user space has been told of */
	__u64 window_ns;     /* CLOCK_BOOTTIME */
	__u64 records;	     /* denials recorded since then */
};

/* cgfs_rules, hash: compiled from the ordered list: what every rule that covers the whole pattern
 * comes to. */
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

/* cgfs_state, array of one. */
struct cgfs_state {
	__u32 abi; /* CGFS_POLICY_ABI of whoever made the maps; written before they are pinned */
	__u32 generation;  /* the last one given out; never used twice, by any group */
	__u64 events_lost; /* sum over all groups, those that are gone included */
};

/* Ring buffer records.  Each begins with these two. */
enum cgfs_record_type {
	CGFS_RECORD_DENIAL = 1,
	CGFS_RECORD_KILL = 2,
};

struct cgfs_denial {
	__u32 abi;
	enum cgfs_record_type type;
	__u64 time_ns;	 /* CLOCK_BOOTTIME */
	__u64 cgroup_id; /* of the group */
	__u64 pod_cgroup_id;
	__u32 pid; /* process (thread group) id in the initial namespace */
	enum cgfs_policy_kind kind;
	__u32 major;
	__u32 minor;
	__u32 access; /* BPF_DEVCG_ACC_* bits that were asked for */
	__u32 rule;   /* 1-based position in the list that refused; 0: no rule matched */
	char comm[16];
};

struct cgfs_kill {
	__u32 abi;
	enum cgfs_record_type type;
	__u64 time_ns;	 /* CLOCK_BOOTTIME */
	__u64 cgroup_id; /* of the group */
	__u64 pod_cgroup_id;
	__u32 pid; /* process (thread group) id in the initial namespace */
	__u32 rsv;
	char comm[16];
};

/* The argument of the program cgfs_control, a BPF_PROG_TYPE_SYSCALL. */
enum cgfs_control_op {
	CGFS_CONTROL_NEXT = 1, /* give out a generation; callers hold the lock of the pins */
	CGFS_CONTROL_LOST = 2, /* take the number of lost events that nobody was told of */
};

struct cgfs_control_args {
	enum cgfs_control_op op;
	__u32 generation; /* NEXT: out */
	__u64 cgroup_id;  /* LOST: in */
	__u64 lost;	  /* LOST: out */
};

#ifdef __cplusplus
#define CGFS_ABI_SIZE(type, size) static_assert(sizeof(type) == (size), #type " is ABI")
#else
#define CGFS_ABI_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " is ABI")
#endif
CGFS_ABI_SIZE(struct cgfs_policy_val, 152);
CGFS_ABI_SIZE(struct cgfs_counts, 16);
CGFS_ABI_SIZE(struct cgfs_group, 216);
CGFS_ABI_SIZE(struct cgfs_rule_key, 24);
CGFS_ABI_SIZE(struct cgfs_rule, 24);
CGFS_ABI_SIZE(struct cgfs_state, 16);
CGFS_ABI_SIZE(struct cgfs_denial, 72);
CGFS_ABI_SIZE(struct cgfs_kill, 56);
CGFS_ABI_SIZE(struct cgfs_control_args, 24);

#endif
