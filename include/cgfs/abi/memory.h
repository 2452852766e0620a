/* SPDX-License-Identifier: MIT */
/*
 * cgfs/abi/memory.h - types of the object cgfs_mem: what each group charges to its memory cgroup,
 * and records of thresholds that were crossed.
 */
#ifndef CGFS_ABI_MEMORY_H
#define CGFS_ABI_MEMORY_H

#include <cgfs/abi/group.h>

#define CGFS_MEMORY_ABI 1

/* Thresholds of one group. */
#define CGFS_MEMORY_LINES 16

/* cgfs_memory_ids, hash: where a group's memory is charged.  The key is struct cgfs_group_key. */
struct cgfs_memory_id {
	__u64 memory_id; /* inode of its directory in the hierarchy that carries memory */
};

/* "Up" is crossed at @bytes or above; it is news again when usage has been at @fall_bytes or below.
 */
struct cgfs_memcg_line {
	__u64 bytes;
	__u64 fall_bytes;
};

/*
 * cgfs_memcg, hash keyed by struct cgfs_memory_id: a memory cgroup whose charges are counted.  User
 * space replaces the whole element at one instant; the program changes up_bytes and down_bytes.
 */
struct cgfs_memcg {
	__u64 cgroup_id; /* of the group */
	__u64 pod_cgroup_id;
	__u64 page_bytes;
	__u64 up_bytes;	  /* the lowest threshold that is not crossed; all bits set: none */
	__u64 down_bytes; /* the highest fall_bytes of those that are; 0: none */
	__u32 n;
	__u32 rsv;
	struct cgfs_memcg_line lines[CGFS_MEMORY_LINES];
};

/* cgfs_memory, hash per processor, keyed by struct cgfs_group_key: what this processor saw. */
struct cgfs_memory {
	__u64 time_ns;	   /* of the last charge, CLOCK_BOOTTIME */
	__u64 usage_bytes; /* then */
	__u64 peak_bytes;  /* the highest usage after a charge */
	__u64 charges; /* that changed usage, not from what a processor had in stock; or refused */
	__u64 failed;  /* of these, refused */
	__u64 failed_here; /* of these, by the limit of this group, not of another level */
	__u64 reclaims;	   /* runs of reclaim that its processes had to do for a memory cgroup */
	__u64 reclaim_ns;  /* the time that they took */
};

/* cgfs_crossed, hash: thresholds whose crossing was reported, and is not over. */
struct cgfs_crossed_key {
	__u64 memory_id;
	__u64 bytes;
};

struct cgfs_crossed {
	__u64 time_ns;
};

/* Records of the ring buffer cgfs_crossings. */
enum cgfs_crossing_type {
	CGFS_RECORD_CROSSING = 3,
};

struct cgfs_crossing {
	__u32 abi; /* CGFS_MEMORY_ABI */
	enum cgfs_crossing_type type;
	__u64 time_ns;	 /* CLOCK_BOOTTIME */
	__u64 cgroup_id; /* of the group */
	__u64 pod_cgroup_id;
	__u64 bytes; /* the threshold */
	__u64 usage_bytes;
	__u32 pid; /* process (thread group) that charged, as in the initial namespace */
	__u32 rsv;
	char comm[16];
};

CGFS_ABI_SIZE(struct cgfs_memory_id, 8);
CGFS_ABI_SIZE(struct cgfs_memcg_line, 16);
CGFS_ABI_SIZE(struct cgfs_memcg, 304);
CGFS_ABI_SIZE(struct cgfs_memory, 64);
CGFS_ABI_SIZE(struct cgfs_crossed_key, 16);
CGFS_ABI_SIZE(struct cgfs_crossed, 8);
CGFS_ABI_SIZE(struct cgfs_crossing, 72);

#endif
