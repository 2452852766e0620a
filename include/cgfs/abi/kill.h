/* SPDX-License-Identifier: MIT */
/*
 * cgfs/abi/kill.h - types of the object cgfs_oom: records of processes that the OOM killer ended.
 */
#ifndef CGFS_ABI_KILL_H
#define CGFS_ABI_KILL_H

#include <cgfs/abi/group.h>

#define CGFS_KILL_ABI 2

/* cgfs_oom_memory, hash keyed by struct cgfs_group_key: where a group's memory is charged. */
struct cgfs_oom_memory {
	__u64 memory_id; /* inode of its directory in the hierarchy that carries memory */
	__u64 page_bytes;
};

/* Records of the ring buffer cgfs_kills. */
enum cgfs_kill_type {
	CGFS_RECORD_KILL = 2,
};

struct cgfs_kill {
	__u32 abi; /* CGFS_KILL_ABI */
	enum cgfs_kill_type type;
	__u64 time_ns;	 /* CLOCK_BOOTTIME */
	__u64 cgroup_id; /* of the group */
	__u64 pod_cgroup_id;
	__u32 pid; /* process (thread group) id in the initial namespace */
	__u32 rsv;
	char comm[16];
};

CGFS_ABI_SIZE(struct cgfs_oom_memory, 16);
CGFS_ABI_SIZE(struct cgfs_kill, 56);

#endif
