/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * cgfs_oom.bpf.c - whose process did the OOM killer end?
 *
 * Runs in the kernel at the moment of the kill, while the victim still has a cgroup and a name.
 * Optional: needs the kernel's BTF.
 */
#include "bpf/base/kernel.h"
#include "bpf/group/maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <cgfs/abi/kill.h>

/* Of its own, so that a flood of denials cannot push kills out. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} cgfs_kills SEC(".maps");

/* Processes that were counted: the kernel marks each thread that needs memory to die. */
struct cgfs_victim_key {
	__u64 start_ns;
	__u32 pid;
	__u32 rsv;
};

struct cgfs_victim {
	__u64 time_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct cgfs_victim_key);
	__type(value, struct cgfs_victim);
} cgfs_victims SEC(".maps");

/* The nearest cgroup upwards that is a group; searched downwards, see cgfs_dev. */
static __always_inline __u64 group_of(struct task_struct *task)
{
	struct cgroup *cgrp = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	int level, depth = BPF_CORE_READ(cgrp, level);
	__u64 id, found = 0;

	id = BPF_CORE_READ(cgrp, kn, id);
	if (group_find(id))
		return id;
	for (level = 1; level < CGFS_GROUP_DEPTH; level++) {
		struct cgroup *ancestor = NULL;

		if (level >= depth)
			break;
		bpf_core_read(&ancestor, sizeof(ancestor), &cgrp->ancestors[level]);
		id = BPF_CORE_READ(ancestor, kn, id);
		if (group_find(id))
			found = id;
	}
	return found;
}

/* A process that was on its way out by its own will is marked, too, to speed it up. */
static __always_inline int leaves_by_itself(struct task_struct *task)
{
	return (BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT) &&
	       !(BPF_CORE_READ(task, signal, group_exit_code) & 0x7f);
}

static __always_inline int counted_before(struct task_struct *task, __u64 now)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct cgfs_victim_key key = {
		.start_ns = BPF_CORE_READ(leader, start_boottime),
		.pid = task->tgid,
	};
	struct cgfs_victim value = { .time_ns = now };

	return bpf_map_update_elem(&cgfs_victims, &key, &value, BPF_NOEXIST) != 0;
}

static __always_inline void record(struct task_struct *task, struct cgfs_group *g, __u64 cgroup_id,
				   __u64 now)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct cgfs_kill *k;

	k = bpf_ringbuf_reserve(&cgfs_kills, sizeof(*k), 0);
	if (!k) {
		event_lost(g);
		return;
	}
	k->abi = CGFS_KILL_ABI;
	k->type = CGFS_RECORD_KILL;
	k->time_ns = now;
	k->cgroup_id = cgroup_id;
	k->pod_cgroup_id = g->pod_cgroup_id;
	k->pid = task->tgid;
	k->rsv = 0;
	bpf_core_read(k->comm, sizeof(k->comm), &leader->comm);
	bpf_ringbuf_submit(k, 0);
}

static __always_inline int victim(struct task_struct *task)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct cgfs_group *g, *pod;
	__u64 id;

	if (leaves_by_itself(task))
		return 0;
	id = group_of(task);
	g = group_find(id);
	if (!g || counted_before(task, now))
		return 0;
	__sync_fetch_and_add(&g->oom_kills, 1);
	if (g->pod_cgroup_id != id) {
		pod = group_find(g->pod_cgroup_id);
		if (pod)
			__sync_fetch_and_add(&pod->oom_kills, 1);
	}
	record(task, g, id, now);
	return 0;
}

/* Kernels whose tracepoint hands over the victim; others refuse victim()'s plain reads of it. */
SEC("tp_btf/mark_victim")
int cgfs_oom_tp(__u64 *ctx)
{
	return victim((struct task_struct *)ctx[0]);
}

/* Kernels whose tracepoint hands over a pid only. */
SEC("fentry/mark_oom_victim")
int cgfs_oom_fn(__u64 *ctx)
{
	return victim((struct task_struct *)ctx[0]);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
