/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * kernel.h - the few kernel types that the programs read, with only the members that they read.
 * CO-RE finds where they are in the running kernel, so order and size mean nothing here.
 */
#ifndef CGFS_BPF_KERNEL_H
#define CGFS_BPF_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	__u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[1]; /* as many as the running kernel has */
	struct cgroup *ancestors[];
};

struct seq_file {
	unsigned long size;
	unsigned long count;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct css_set {
	struct cgroup *dfl_cgrp;
	struct cgroup_subsys_state *subsys[];
};

enum cgroup_subsys_id {
	memory_cgrp_id, /* its value is the running kernel's */
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct page_counter {
	atomic64_t usage; /* pages */
	unsigned long max;
	unsigned long min, low, high;
	unsigned long watermark;
	unsigned long failcnt;
	struct page_counter *parent;
};

struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
	struct page_counter swap; /* on v1 with memory */
	struct page_counter kmem; /* v1 */
	unsigned long soft_limit; /* v1; pages */
	atomic64_t memory_events[1], memory_events_local[1];
	_Bool oom_lock; /* on v1, while the OOM killer works for it */
};

/* Their values are the running kernel's. */
enum memcg_memory_event {
	MEMCG_LOW,
	MEMCG_HIGH,
	MEMCG_MAX,
	MEMCG_OOM,
	MEMCG_OOM_KILL,
	MEMCG_OOM_GROUP_KILL,
	MEMCG_SWAP_MAX,
	MEMCG_SWAP_FAIL,
};

enum node_stat_item {
	NR_INACTIVE_ANON,
	NR_ACTIVE_ANON,
	NR_INACTIVE_FILE,
	NR_ACTIVE_FILE,
	NR_UNEVICTABLE,
	NR_SLAB_RECLAIMABLE_B,
	NR_SLAB_UNRECLAIMABLE_B,
	WORKINGSET_REFAULT_ANON,
	WORKINGSET_REFAULT_FILE,
	NR_ANON_MAPPED,
	NR_FILE_MAPPED,
	NR_FILE_PAGES,
	NR_FILE_DIRTY,
	NR_WRITEBACK,
	NR_SHMEM,
	NR_ANON_THPS,
	NR_KERNEL_STACK_KB,
	NR_PAGETABLE,
};

enum memcg_stat_item {
	MEMCG_SOCK,
	MEMCG_KMEM,
	MEMCG_ZSWAPPED,
};

enum vm_event_item {
	PGFAULT,
	PGMAJFAULT,
};

struct oom_control {
	struct mem_cgroup *memcg; /* whose limit it is; NULL: the machine has no memory left */
};

struct signal_struct {
	int group_exit_code;
	unsigned int flags;
};

struct task_struct {
	int tgid;
	__u64 start_boottime;
	char comm[16];
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct css_set *cgroups;
	unsigned int in_execve : 1;
};

struct vm_area_struct {
	unsigned long vm_flags;
};

#pragma clang attribute pop

#define VM_ACCESS  7 /* VM_READ, VM_WRITE, VM_EXEC of include/linux/mm.h */
#define PROT_WRITE 2

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

#endif
