/* SPDX-License-Identifier: MIT */
/*
 * cgfs/abi/figures.h - the figures of memory of one group, as the object cgfs_rpt writes them.
 */
#ifndef CGFS_ABI_FIGURES_H
#define CGFS_ABI_FIGURES_H

#include <linux/types.h>

/* A change raises CGFS_REPORT_ABI as well: cgfs_rpt makes the map. */
#define CGFS_FIGURES_ABI 1

/* Stands in struct cgfs_figures in place of a figure that this kernel does not have, and in that of
 * a limit that is not set. */
#define CGFS_FIGURE_NONE (~0ull)

struct cgfs_figure_events {
	__u64 low;
	__u64 high;
	__u64 max;
	__u64 oom;
	__u64 oom_kill;
	__u64 oom_group_kill;
	__u64 swap_max;
	__u64 swap_fail;
};

/* memory.stat, where the kernel lets a program ask for it (Linux 7.2 does); else `anon` is
 * CGFS_FIGURE_NONE. */
struct cgfs_figure_stat {
	__u64 anon;
	__u64 file;
	__u64 kernel;
	__u64 kernel_stack;
	__u64 pagetables;
	__u64 sock;
	__u64 shmem;
	__u64 zswapped;
	__u64 file_mapped;
	__u64 file_dirty;
	__u64 file_writeback;
	__u64 anon_thp;
	__u64 inactive_anon;
	__u64 active_anon;
	__u64 inactive_file;
	__u64 active_file;
	__u64 unevictable;
	__u64 slab;
	__u64 refault_anon;
	__u64 refault_file;
	__u64 pgfault;
	__u64 pgmajfault;
};

/* cgfs_figures, hash keyed by struct cgfs_group_key: bytes and counts, as the control files of the
 * hierarchy that carries memory show them; cgroup v1 counts swap together with memory. */
struct cgfs_figures {
	__u32 size; /* of this; 0: no read has come to the group yet */
	__u32 abi;
	__u64 session; /* of the last read that came to it */
	__u64 current_bytes;
	__u64 max_bytes;
	__u64 high_bytes;
	__u64 low_bytes;
	__u64 min_bytes;
	__u64 soft_bytes;
	__u64 peak_bytes;
	__u64 failed;
	__u64 swap_current_bytes;
	__u64 swap_max_bytes;
	__u64 swap_peak_bytes;
	__u64 kernel_bytes;
	struct cgfs_figure_events all;	/* descendants included, on cgroup2 */
	struct cgfs_figure_events here; /* without */
	struct cgfs_figure_stat stat;
};

#ifdef __cplusplus
static_assert(sizeof(struct cgfs_figures) == 416, "struct cgfs_figures is ABI");
#else
_Static_assert(sizeof(struct cgfs_figures) == 416, "struct cgfs_figures is ABI");
#endif

#endif
