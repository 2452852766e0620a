/* SPDX-License-Identifier: MIT */
/*
 * cgfs/abi/device.h - types of the object cgfs_dev: what binds each group, and records of what was
 * refused.
 */
#ifndef CGFS_ABI_DEVICE_H
#define CGFS_ABI_DEVICE_H

#include <cgfs/abi/group.h>

#define CGFS_DEVICE_ABI 1

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

/* Records of the ring buffer cgfs_denials. */
enum cgfs_denial_type {
	CGFS_RECORD_DENIAL = 1,
};

struct cgfs_denial {
	__u32 abi; /* CGFS_DEVICE_ABI */
	enum cgfs_denial_type type;
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

CGFS_ABI_SIZE(struct cgfs_policy_val, 152);
CGFS_ABI_SIZE(struct cgfs_counts, 16);
CGFS_ABI_SIZE(struct cgfs_rule_key, 24);
CGFS_ABI_SIZE(struct cgfs_rule, 24);
CGFS_ABI_SIZE(struct cgfs_denial, 72);

#endif
