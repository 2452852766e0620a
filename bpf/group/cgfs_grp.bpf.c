/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * cgfs_grp.bpf.c - the maps that all objects share, and what user space changes in elements that
 * the kernel counts in: an update from user space would replace the element, and lose what was
 * counted meanwhile.
 */
#include "bpf/group/history.bpf.h"

#define ENOENT 2
#define EINVAL 22

/* Deletes the records of one kind, that of slot 0 last: an error of the kernel's, or 0.  Global:
 * the kernel verifies it once, and not for each kind. */
__noinline int cgfs_forget(__u64 pod_cgroup_id, __u32 kind)
{
	struct cgfs_history_key key = { .pod_cgroup_id = pod_cgroup_id, .kind = kind };
	int err = 0;

#pragma clang loop unroll(disable)
	for (__u32 slot = CGFS_HISTORY_SLOTS; slot > 0 && (!err || err == -ENOENT); slot--) {
		key.slot = slot - 1;
		err = bpf_map_delete_elem(&cgfs_history, &key);
	}
	return err == -ENOENT ? 0 : err;
}

/* A kind with records has one in slot 0, see history_put(), which goes last: the caller tries again
 * what the kernel cannot delete now (from 6.16 on it may not get the lock of a bucket).  Most pods
 * have none, and looking is cheaper than deleting nothing.  As long as the pod is there its
 * programs may make a record anew that was just deleted; who says that there were some looks at all
 * slots. */
static __always_inline NO_LINES int forget(struct cgfs_control_args *args)
{
	struct cgfs_history_key key = { .pod_cgroup_id = args->cgroup_id };
	const __u64 all = args->lost;
	int err;

#pragma clang loop unroll(disable)
	for (__u32 kind = CGFS_DENIED; kind <= CGFS_REFUSED; kind++) {
		key.kind = kind;
		if (!all && !bpf_map_lookup_elem(&cgfs_history, &key))
			continue;
		args->lost = 1;
		err = cgfs_forget(args->cgroup_id, kind);
		if (err)
			return err;
	}
	return 0;
}

SEC("syscall")
int cgfs_control(struct cgfs_control_args *args)
{
	struct cgfs_group *g;
	struct cgfs_state *s;
	__u64 lost;

	if (args->op == CGFS_CONTROL_NEXT) {
		s = state();
		if (!s)
			return -ENOENT;
		if (!++s->generation)
			s->generation = 1;
		args->generation = s->generation;
		return 0;
	}
	if (args->op == CGFS_CONTROL_LOST) {
		g = group_find(args->cgroup_id);
		if (!g)
			return -ENOENT;
		lost = g->events_lost;
		args->lost = lost - g->lost_reported;
		g->lost_reported = lost;
		return 0;
	}
	if (args->op == CGFS_CONTROL_FORGET)
		return forget(args);
	return -EINVAL;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
