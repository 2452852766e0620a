/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * kernel.h - the few kernel types that cgfs_oom reads, with only the members that it reads.
 * CO-RE finds where they are in the running kernel, so order and size mean nothing here.
 */
#ifndef CGFS_BPF_KERNEL_H
#define CGFS_BPF_KERNEL_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[];
};

struct css_set {
	struct cgroup *dfl_cgrp;
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
};

#pragma clang attribute pop

#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */

#endif
