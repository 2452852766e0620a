/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * maps.bpf.h - the maps that all objects share, for their programs.  cgfs_grp makes and pins them;
 * an object that includes this is loaded onto those.
 */
#ifndef BPF_GROUP_MAPS_BPF_H
#define BPF_GROUP_MAPS_BPF_H

#include <cgfs/abi/group.h>
#include <linux/bpf.h>

/* After linux/bpf.h, whose types they use. */
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_group_key);
	__type(value, struct cgfs_group);
} cgfs_groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cgfs_state);
} cgfs_state SEC(".maps");

static __always_inline struct cgfs_group *group_find(__u64 cgroup_id)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };

	return bpf_map_lookup_elem(&cgfs_groups, &key);
}

static __always_inline struct cgfs_state *state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cgfs_state, &zero);
}

/* An event of the group found no room in its ring. */
static __always_inline void event_lost(struct cgfs_group *g)
{
	struct cgfs_state *s = state();

	__sync_fetch_and_add(&g->events_lost, 1);
	if (s)
		__sync_fetch_and_add(&s->events_lost, 1);
}

#endif
