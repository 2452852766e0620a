/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * cgfs_adm.bpf.c - may a process of this group ask for more memory?
 *
 * Runs for the processes of each cgroup that was given a budget, where they map memory, fork and
 * exec, and refuses while the group's memory cgroup uses its budget or more.  What is mapped
 * already, and giving back, pass none of these hooks.
 * Optional: needs the kernel's BTF, and bpf among the security modules.
 */
#include "bpf/base/kernel.h"
#include "bpf/group/history.bpf.h"

#include <bpf/bpf_core_read.h>
#include <cgfs/abi/admit.h>

#define ENOMEM 12
#define EAGAIN 11
#define SECOND 1000000000ull
#define MIB    (1024 * 1024ull)

/* Refusals of one group that are recorded in a second; the others are counted. */
#define RECORDS_PER_SECOND 16

#define ADMIT  1
#define REFUSE 0

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct cgfs_admit);
} cgfs_admit SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_group_key);
	__type(value, struct cgfs_refusals);
} cgfs_refusals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_exempt_key);
	__type(value, struct cgfs_exempt);
} cgfs_exempt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024);
} cgfs_refused SEC(".maps");

static __always_inline int is_exempt(struct task_struct *task, struct cgroup_subsys_state *css,
				     __u64 up_to, __u64 now)
{
	__u64 started = task->group_leader->start_boottime;

	for (int level = 0; level < CGFS_GROUP_DEPTH && css; level++) {
		struct cgfs_exempt_key key = { .memory_id = css->cgroup->kn->id };
		struct cgfs_exempt *e = bpf_map_lookup_elem(&cgfs_exempt, &key);

		if (e && started >= e->since_ns && (!e->until_ns || now < e->until_ns))
			return 1;
		if (key.memory_id == up_to)
			break;
		css = css->parent;
	}
	return 0;
}

static __always_inline void record(struct cgfs_admit *a, __u64 usage, __u64 now,
				   enum cgfs_refusal_call call)
{
	struct cgfs_group *g = group_find(a->cgroup_id);
	struct cgfs_refusal *r = 0;

	if (now - a->window_ns >= SECOND) {
		a->window_ns = now;
		a->records = 0;
	}
	if (__sync_fetch_and_add(&a->records, 1) < RECORDS_PER_SECOND)
		r = bpf_ringbuf_reserve(&cgfs_refused, sizeof(*r), 0);
	if (!r) {
		if (g)
			event_lost(g);
		return;
	}
	r->abi = CGFS_ADMIT_ABI;
	r->type = CGFS_RECORD_REFUSAL;
	r->time_ns = now;
	r->cgroup_id = a->cgroup_id;
	r->pod_cgroup_id = a->pod_cgroup_id;
	r->budget_bytes = a->budget_bytes;
	r->usage_bytes = usage;
	r->pid = bpf_get_current_pid_tgid() >> 32;
	r->call = call;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	bpf_ringbuf_submit(r, 0);
}

/* Of the pod's groups the one that the process is in; 0: its memory is below the pod, and it is
 * not in that cgroup2 tree. */
static __always_inline __u64 group_of(struct task_struct *task, __u64 pod_cgroup_id)
{
	struct cgroup_subsys_state *css = &task->cgroups->dfl_cgrp->self;

	for (int level = 0; level < CGFS_GROUP_DEPTH && css; level++) {
		__u64 id = css->cgroup->kn->id;
		struct cgfs_group *g = group_find(id);

		if (g)
			return g->pod_cgroup_id == pod_cgroup_id ? id : 0;
		css = css->parent;
	}
	return 0;
}

/* Global, so that the verifier looks at it once. */
__attribute__((noinline)) int cgfs_refusal_keep(enum cgfs_refusal_call call, __u64 usage, __u64 now)
{
	struct cgfs_admit *a = bpf_get_local_storage(&cgfs_admit, 0);
	struct cgfs_group *g = group_find(a->cgroup_id);
	struct cgfs_history h = {
		.cgroup_id = a->cgroup_id,
		.limit_bytes = a->budget_bytes,
		.level = CGFS_OF_CONTAINER,
		.call = call == CGFS_REFUSED_MAP    ? CGFS_CALL_MAP
			: call == CGFS_REFUSED_EXEC ? CGFS_CALL_EXEC
						    : CGFS_CALL_FORK,
		.usage_bytes = usage,
		.last_ns = now,
		.pid = bpf_get_current_pid_tgid() >> 32,
	};

	if (g && !g->container[0]) {
		__u64 id = group_of(bpf_get_current_task_btf(), a->cgroup_id);

		h.level = CGFS_OF_POD;
		if (id) {
			h.cgroup_id = id;
			g = group_find(id);
		}
	}
	if (!g)
		return 0;
	bpf_get_current_comm(h.comm, sizeof(h.comm));
	history_put(g, CGFS_REFUSED, &h);
	return 0;
}

static __always_inline void count(struct cgfs_admit *a, enum cgfs_refusal_call call)
{
	struct cgfs_group_key key = { .cgroup_id = a->cgroup_id };
	struct cgfs_refusals *n = bpf_map_lookup_elem(&cgfs_refusals, &key);

	if (n)
		__sync_fetch_and_add(call == CGFS_REFUSED_MAP	 ? &n->maps
				     : call == CGFS_REFUSED_EXEC ? &n->execs
								 : &n->forks,
				     1);
}

/* The budget that follows a limit of @max pages, as struct cgfs_policy_admit has it.  Any number of
 * processes that write the same may do so at once. */
static __always_inline void follow(struct cgfs_admit *a, __u64 max)
{
	__u64 limit = max * a->page_bytes, margin = limit / 16, budget, lift;

	if (margin < MIB)
		margin = MIB;
	if (margin > limit / 2)
		margin = limit / 2;
	budget = max >= (~0ull >> 1) / a->page_bytes ? ~0ull : limit - margin;
	lift = budget - budget / 16;
	if (budget == a->budget_bytes && lift == a->lift_bytes)
		return;
	a->lift_bytes = lift;
	a->budget_bytes = budget;
}

/*
 * The memory cgroup of the thread may be one below the group's, and of another hierarchy than the
 * one that the program is attached in: so it is searched upwards by its number.  One that is not
 * found is not below the group there, and its memory is not the group's.
 * Global, so that the verifier looks at it once.  1: refuse.
 */
__attribute__((noinline)) int cgfs_judge(enum cgfs_refusal_call call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 index = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct cgfs_admit *a = bpf_get_local_storage(&cgfs_admit, 0);
	struct cgroup_subsys_state *own, *css;
	struct mem_cgroup *memcg;
	__u64 usage, now, id = 0;

	own = css = task->cgroups->subsys[index];
	for (int level = 0; level < CGFS_GROUP_DEPTH && css; level++) {
		id = css->cgroup->kn->id;
		if (id == a->memory_id)
			break;
		css = css->parent;
	}
	if (!css || id != a->memory_id)
		return 0;
	memcg = (void *)css - bpf_core_field_offset(struct mem_cgroup, css);
	if (a->follows)
		follow(a, BPF_CORE_READ(memcg, memory.max));
	usage = BPF_CORE_READ(memcg, memory.usage.counter) * a->page_bytes;
	if (usage < a->budget_bytes && (!a->refusing || usage <= a->lift_bytes)) {
		if (a->refusing)
			a->refusing = 0;
		return 0;
	}
	a->refusing = 1;
	now = bpf_ktime_get_boot_ns();
	/* Refused below already, by a program that ran before this one? */
	if (bpf_get_retval() < 0 || is_exempt(task, own, id, now))
		return 0;
	count(a, call);
	cgfs_refusal_keep(call, usage, now);
	record(a, usage, now, call);
	return 1;
}

/* mmap, brk and a growing mremap, before anything has changed.  What an exec maps behind the point
 * of no return is left: refusing would kill the process. */
SEC("lsm_cgroup/mmap_addr")
int cgfs_admit_map(__u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	(void)ctx;
	if (BPF_CORE_READ_BITFIELD(task, in_execve))
		return ADMIT;
	if (!cgfs_judge(CGFS_REFUSED_MAP))
		return ADMIT;
	bpf_set_retval(-ENOMEM);
	return REFUSE;
}

/* Address space that was reserved without any access, and is to be written to from now on: how an
 * allocator grows the heap of a thread.  Other changes of access take no memory. */
SEC("lsm_cgroup/file_mprotect")
int cgfs_admit_open(__u64 *ctx)
{
	const struct vm_area_struct *vma = (void *)ctx[0];

	if (!(ctx[2] & PROT_WRITE) || BPF_CORE_READ(vma, vm_flags) & VM_ACCESS)
		return ADMIT;
	if (BPF_CORE_READ_BITFIELD(bpf_get_current_task_btf(), in_execve) ||
	    !cgfs_judge(CGFS_REFUSED_MAP))
		return ADMIT;
	bpf_set_retval(-ENOMEM);
	return REFUSE;
}

SEC("lsm_cgroup/bprm_creds_for_exec")
int cgfs_admit_exec(__u64 *ctx)
{
	(void)ctx;
	if (!cgfs_judge(CGFS_REFUSED_EXEC))
		return ADMIT;
	bpf_set_retval(-ENOMEM);
	return REFUSE;
}

SEC("lsm_cgroup/task_alloc")
int cgfs_admit_fork(__u64 *ctx)
{
	(void)ctx;
	if (!cgfs_judge(CGFS_REFUSED_FORK))
		return ADMIT;
	bpf_set_retval(-EAGAIN);
	return REFUSE;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
