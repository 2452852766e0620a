/* SPDX-License-Identifier: MIT */
/*
 * cgfs/abi/report.h - types of the object cgfs_rpt: whose memory cgroup is a line of the report,
 * and the figures of each, which are written at each read of the pin `all`.
 */
#ifndef CGFS_ABI_REPORT_H
#define CGFS_ABI_REPORT_H

#include <cgfs/abi/figures.h>
#include <cgfs/abi/group.h>

#define CGFS_REPORT_ABI 2

/* cgfs_report, hash: the groups of the report. */
struct cgfs_report_key {
	__u64 memory_id; /* inode of the directory in the hierarchy that carries memory */
};

struct cgfs_report {
	__u64 cgroup_id; /* of the group */
	__u64 page_bytes;
};

/* cgfs_report_ids, hash keyed by struct cgfs_group_key: the key in cgfs_report of groups whose
 * memory is in another hierarchy; that of the others is their own number. */

/* What a read of `all` returns, once it has written the figures of all groups. */
struct cgfs_report_head {
	__u32 size; /* of this */
	__u32 abi;
	__u32 element_size; /* of struct cgfs_figures */
	__u32 rsv;
	__u64 session; /* of this read; each later one has a higher number */
};

CGFS_ABI_SIZE(struct cgfs_report_head, 24);
CGFS_ABI_SIZE(struct cgfs_report_key, 8);
CGFS_ABI_SIZE(struct cgfs_report, 16);

#endif
