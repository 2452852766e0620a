/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * cgfs_oom.bpf.c - whose process did the OOM killer end, and at whose limit?
 *
 * Runs in the kernel at the moment of the kill, while the victim still has a cgroup and a name.
 * Optional: needs the kernel's BTF.
 */
#include "bpf/base/kernel.h"
#include "bpf/group/history.bpf.h"

#include <bpf/bpf_core_read.h>
#include <cgfs/abi/kill.h>

/* Of its own, so that a flood of denials cannot push kills out. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} cgfs_kills SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_group_key);
	__type(value, struct cgfs_oom_memory);
} cgfs_oom_memory SEC(".maps");

/* The OOM killer that works now; there is one at a time, under the kernel's oom_lock.  Not static:
 * clang makes two variables of that, both with the type of the whole, and then the kernel refuses
 * the object's BTF. */
struct {
	__u64 pid_tgid; /* who called it; 0: not known */
	__u64 memcg;	/* of struct oom_control */
} cgfs_killer;

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

/*
 * The nearest cgroup upwards that is a group; searched downwards, see cgfs_dev.
 *
 * This, cgfs_marked() and cgfs_level() are global functions, with arguments that are plain numbers,
 * because the kernel verifies those once and by themselves: not for each way through another loop.
 */
__noinline __u64 cgfs_group_of(__u64 css_set)
{
	struct cgroup *cgrp = BPF_CORE_READ((struct css_set *)css_set, dfl_cgrp);
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

static __always_inline struct mem_cgroup *memcg_of(struct cgroup_subsys_state *css)
{
	return (void *)css - bpf_core_field_offset(struct mem_cgroup, css);
}

/* Without killer: v1 marks the whole tree below the limit, so it is the highest cgroup with a mark.
 */
__noinline __u64 cgfs_marked(__u64 css_set)
{
	__u64 index = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct css_set *cgroups = (struct css_set *)css_set;
	struct cgroup_subsys_state *css = 0;
	struct mem_cgroup *found = 0;

	if (!bpf_core_field_exists(struct mem_cgroup, oom_lock))
		return 0;
	bpf_core_read(&css, sizeof(css), &cgroups->subsys[index]);
	for (int level = 0; level < CGFS_GROUP_DEPTH && css; level++) {
		if (!BPF_CORE_READ(memcg_of(css), oom_lock))
			break;
		found = memcg_of(css);
		css = BPF_CORE_READ(css, parent);
	}
	return (__u64)found;
}

static __always_inline struct cgfs_oom_memory *memory_of(__u64 cgroup_id)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };

	return bpf_map_lookup_elem(&cgfs_oom_memory, &key);
}

/* Which level is @memcg, seen from the group that lost a process? */
__noinline __u32 cgfs_level(__u64 memcg, __u64 own_id, __u64 pod_id)
{
	struct cgroup_subsys_state *css = &((struct mem_cgroup *)memcg)->css;

	for (int level = 0; level < CGFS_GROUP_DEPTH && css; level++) {
		__u64 id = BPF_CORE_READ(css, cgroup, kn, id);

		if (id == own_id || id == pod_id) {
			if (level)
				return CGFS_OF_INNER;
			return id == pod_id ? CGFS_OF_POD : CGFS_OF_CONTAINER;
		}
		css = BPF_CORE_READ(css, parent);
	}
	return CGFS_ABOVE_POD;
}

/* At whose limit, and how much that was. */
static __always_inline void blame(struct task_struct *task, struct cgfs_group *g,
				  struct cgfs_history *h)
{
	int known = cgfs_killer.pid_tgid && cgfs_killer.pid_tgid == bpf_get_current_pid_tgid();
	struct mem_cgroup *memcg = known ? (void *)cgfs_killer.memcg
					 : (void *)cgfs_marked((__u64)BPF_CORE_READ(task, cgroups));
	struct cgfs_oom_memory *own = memory_of(h->cgroup_id), *pod = memory_of(g->pod_cgroup_id);
	__u64 max;

	if (!memcg) {
		h->level = known ? CGFS_OF_MACHINE : CGFS_UNKNOWN;
		return;
	}
	if (!own || !pod)
		return;
	h->level = cgfs_level((__u64)memcg, own->memory_id, g->pod[0] ? pod->memory_id : 0);
	max = BPF_CORE_READ(memcg, memory.max);
	/* v1 without a limit of memory: it was that of memory and swap together. */
	if (max < (~0ull >> 1) / own->page_bytes)
		h->limit_bytes = max * own->page_bytes;
	h->usage_bytes = BPF_CORE_READ(memcg, memory.usage.counter) * own->page_bytes;
}

static __always_inline void remember(struct task_struct *task, struct cgfs_group *g,
				     __u64 cgroup_id, __u64 now)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct cgfs_history h = {
		.cgroup_id = cgroup_id,
		.last_ns = now,
		.pid = task->tgid,
	};

	bpf_core_read(h.comm, sizeof(h.comm), &leader->comm);
	blame(task, g, &h);
	history_put(g, CGFS_KILLED, &h);
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

/* Called by one of two programs, with the type of pointer that the kernel gives it. */
static __noinline int victim(struct task_struct *task)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct cgfs_group *g, *pod;
	__u64 id;

	if (leaves_by_itself(task))
		return 0;
	id = cgfs_group_of((__u64)BPF_CORE_READ(task, cgroups));
	g = group_find(id);
	if (!g || counted_before(task, now))
		return 0;
	__sync_fetch_and_add(&g->oom_kills, 1);
	if (g->pod_cgroup_id != id) {
		pod = group_find(g->pod_cgroup_id);
		if (pod)
			__sync_fetch_and_add(&pod->oom_kills, 1);
	}
	remember(task, g, id, now);
	record(task, g, id, now);
	return 0;
}

/* (struct oom_control *oc): the OOM killer begins. */
SEC("fentry/out_of_memory")
int cgfs_oom_begin(__u64 *ctx)
{
	struct oom_control *oc = (struct oom_control *)ctx[0];

	cgfs_killer.memcg = (__u64)oc->memcg;
	cgfs_killer.pid_tgid = bpf_get_current_pid_tgid();
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
