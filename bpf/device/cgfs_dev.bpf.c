/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * cgfs_dev.bpf.c - the device policy of every pod and container: one program, rules as data.
 *
 * Attached to the cgroup of each group.  The kernel runs it for the container first and then for
 * the pod, and grants what both grant.  What binds the group stands in its cgroup storage; what
 * is not there is denied.  A device that was asked for before is decided without a look-up.
 * Needs no BTF of the kernel and no CO-RE; must not know how a list is compiled.
 */
#include "bpf/group/history.bpf.h"

#include <cgfs/abi/device.h>

/* Denials of one group that are recorded within one second; the rest is only counted. */
#define RECORDS_MAX 64
#define SECOND_NS   1000000000ull

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, struct cgfs_policy_val);
} cgfs_policy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, struct cgfs_counts);
} cgfs_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_rule_key);
	__type(value, struct cgfs_rule);
} cgfs_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 128 * 1024);
} cgfs_denials SEC(".maps");

/*
 * Whose process is it?  The group is the nearest cgroup upwards that is one: a container may nest
 * cgroups of its own.  Searched from the root down, because how deep a container nests is up to
 * the container, and how deep the groups are is up to us.
 *
 * This and the next are global functions, with arguments that are plain numbers, because the
 * kernel verifies those once and by themselves: loading takes a third of the time.
 */
__noinline __u64 cgfs_nearest(__u64 attached)
{
	__u64 id = bpf_get_current_cgroup_id(), found = attached;
	int level;

	if (group_find(id))
		return id;
	for (level = 1; level < CGFS_GROUP_DEPTH; level++) {
		id = bpf_get_current_ancestor_cgroup_id(level);
		if (!id)
			break;
		if (group_find(id))
			found = id;
	}
	return found;
}

/* What a list refused of a request: access bits in the upper half, the rule in the lower. */
#define REFUSED(bits, rule) ((__u64)(bits) << 32 | (rule))

static __always_inline void judge_bit(__u64 *refused, __u32 want, __u32 bit,
				      enum cgfs_policy_verdict verdict, __u32 rule)
{
	if (!(want & bit) || verdict == CGFS_ALLOW)
		return;
	/* Of several refusals, name the latest rule: better than "no rule matched". */
	if (rule < (__u32)*refused)
		rule = *refused;
	*refused = REFUSED((*refused >> 32) | bit, rule);
}

/* Neither of two crossing patterns contains the other: the later rule decides each bit. */
static __always_inline __u64 judge(__u32 want, const struct cgfs_rule *a, const struct cgfs_rule *b)
{
	const struct cgfs_rule *r;
	__u64 refused = 0;

	r = a->read_rule > b->read_rule ? a : b;
	judge_bit(&refused, want, BPF_DEVCG_ACC_READ, r->read, r->read_rule);
	r = a->write_rule > b->write_rule ? a : b;
	judge_bit(&refused, want, BPF_DEVCG_ACC_WRITE, r->write, r->write_rule);
	r = a->mknod_rule > b->mknod_rule ? a : b;
	judge_bit(&refused, want, BPF_DEVCG_ACC_MKNOD, r->mknod, r->mknod_rule);
	return refused;
}

/*
 * What one list refuses: at most four look-ups, however long it was.  An element holds what
 * every rule that covers its whole pattern comes to, so the narrowest one is the answer.
 */
__noinline __u64 cgfs_check(__u64 cgroup_id, __u64 generation, __u32 access_type, __u32 major,
			    __u32 minor)
{
	struct cgfs_rule_key key = {
		.cgroup_id = cgroup_id,
		.generation = generation,
		.kind = access_type & 0xffff,
		.major = major,
		.minor = minor,
	};
	__u32 want = access_type >> 16;
	const struct cgfs_rule *rule, *column;

	rule = bpf_map_lookup_elem(&cgfs_rules, &key);
	if (rule)
		return judge(want, rule, rule);
	key.major = CGFS_POLICY_ANY;
	column = bpf_map_lookup_elem(&cgfs_rules, &key);
	key.major = major;
	key.minor = CGFS_POLICY_ANY;
	rule = bpf_map_lookup_elem(&cgfs_rules, &key);
	if (!rule)
		rule = column;
	if (!rule) {
		key.major = CGFS_POLICY_ANY;
		rule = bpf_map_lookup_elem(&cgfs_rules, &key);
	}
	if (!rule)
		return REFUSED(want, 0);
	if (!column)
		column = rule;
	return judge(want, rule, column);
}

/*
 * A container that hammers a denied node must not crowd out the records of others.  Two
 * processors may both take the last turn; the limit need not be exact.
 */
static __always_inline int may_record(struct cgfs_group *g, __u64 now)
{
	if (now - g->window_ns >= SECOND_NS) {
		g->window_ns = now;
		g->records = 0;
	}
	if (g->records >= RECORDS_MAX)
		return 0;
	g->records++;
	return 1;
}

/* What refused: the level of its list in the upper half, the rule in the lower. */
#define REFUSAL(level, rule) ((__u64)(level) << 32 | (rule))

__noinline int cgfs_record(__u64 cgroup_id, __u64 refusal, __u32 access_type, __u32 major,
			   __u32 minor)
{
	struct cgfs_group *g = group_find(cgroup_id);
	__u64 now = bpf_ktime_get_boot_ns();
	struct cgfs_denial *d = NULL;
	__u32 access = access_type >> 16;
	struct cgfs_history h = {
		.cgroup_id = cgroup_id,
		.level = refusal >> 32,
		.device = access_type & 0xffff,
		.major = major,
		.minor = minor,
		.read = !!(access & BPF_DEVCG_ACC_READ),
		.write = !!(access & BPF_DEVCG_ACC_WRITE),
		.mknod = !!(access & BPF_DEVCG_ACC_MKNOD),
		.rule = (__u32)refusal,
		.last_ns = now,
		.pid = bpf_get_current_pid_tgid() >> 32,
	};

	if (!g)
		return 0;
	bpf_get_current_comm(h.comm, sizeof(h.comm));
	history_put(g, CGFS_DENIED, &h);
	if (may_record(g, now))
		d = bpf_ringbuf_reserve(&cgfs_denials, sizeof(*d), 0);
	if (!d) {
		event_lost(g);
		return 0;
	}
	d->abi = CGFS_DEVICE_ABI;
	d->type = CGFS_RECORD_DENIAL;
	d->time_ns = now;
	d->cgroup_id = cgroup_id;
	d->pod_cgroup_id = g->pod_cgroup_id;
	d->pid = h.pid;
	d->kind = h.device;
	d->major = major;
	d->minor = minor;
	d->access = access;
	d->rule = h.rule;
	__builtin_memcpy(d->comm, h.comm, sizeof(d->comm));
	bpf_ringbuf_submit(d, 0);
	return 0;
}

/* Bits of @want that the group's list grants, by memory of what was asked before or by look-up. */
static __always_inline __u32 granted(struct cgfs_policy_val *policy, __u32 access_type, __u32 major,
				     __u32 minor)
{
	__u64 device = CGFS_POLICY_VERDICT(access_type & 0xffff, major, minor);
	__u64 *slot = &policy->verdicts[CGFS_POLICY_SLOT(major, minor)];
	__u64 verdict = *(volatile __u64 *)slot;

	if ((verdict & ~7ull) == device)
		return verdict & 7;
	if (policy->mode != CGFS_LIST)
		return 0;
	verdict = cgfs_check(policy->cgroup_id, policy->generation, access_type | 7 << 16, major,
			     minor) >>
		  32;
	verdict = ~verdict & 7;
	/* One store, so that another processor sees all of it or nothing. */
	*(volatile __u64 *)slot = device | verdict;
	return verdict;
}

/* The group's own list refuses.  One record for a request; the other groups count it. */
static __always_inline void denied(struct cgfs_policy_val *policy, __u32 access_type, __u32 major,
				   __u32 minor)
{
	__u64 id = policy->cgroup_id, other;
	struct cgfs_group *g;
	__u32 rule = 0;

	if (policy->is_pod) {
		id = other = cgfs_nearest(id);
		if (other != policy->cgroup_id && bpf_get_retval() < 0) {
			/* A container has refused before, recorded it, and counted it here. */
			g = group_find(policy->cgroup_id);
			if (g)
				__sync_fetch_and_add(&g->denied_elsewhere, -1);
			return;
		}
	} else {
		g = group_find(id);
		other = g ? g->pod_cgroup_id : 0;
	}
	if (other != policy->cgroup_id) {
		g = group_find(other);
		if (g)
			__sync_fetch_and_add(&g->denied_elsewhere, 1);
	}
	if (policy->mode == CGFS_LIST)
		rule = cgfs_check(policy->cgroup_id, policy->generation, access_type, major, minor);
	g = group_find(policy->cgroup_id);
	cgfs_record(id, REFUSAL(g && g->container[0] ? CGFS_OF_CONTAINER : CGFS_OF_POD, rule),
		    access_type, major, minor);
}

SEC("cgroup/dev")
int cgfs_dev(struct bpf_cgroup_dev_ctx *ctx)
{
	__u32 access_type = ctx->access_type, major = ctx->major, minor = ctx->minor;
	struct cgfs_policy_val *policy = bpf_get_local_storage(&cgfs_policy, 0);
	/* Atomic even so: a process may be preempted here by another one of its cgroup. */
	struct cgfs_counts *counts = bpf_get_local_storage(&cgfs_counts, 0);
	__u32 want = access_type >> 16;

	/* access(F_OK) and its like ask for nothing. */
	if (!want)
		return 1;

	if (policy->mode == CGFS_POD ||
	    (granted(policy, access_type, major, minor) & want) == want) {
		__sync_fetch_and_add(&counts->device_allowed, 1);
		return 1;
	}
	__sync_fetch_and_add(&counts->device_denied, 1);
	denied(policy, access_type, major, minor);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
