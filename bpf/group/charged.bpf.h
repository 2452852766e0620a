/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * charged.bpf.h - the map of what groups charge for memory.  cgfs_mem makes, pins and fills it;
 * cgfs_rpt, loaded behind it, reads it.
 */
#ifndef BPF_GROUP_CHARGED_BPF_H
#define BPF_GROUP_CHARGED_BPF_H

#include <cgfs/abi/memory.h>
#include <linux/bpf.h>

/* After linux/bpf.h, whose types they use. */
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_group_key);
	__type(value, struct cgfs_memory);
} cgfs_memory SEC(".maps");

#endif
