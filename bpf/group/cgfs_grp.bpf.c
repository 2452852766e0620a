/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * cgfs_grp.bpf.c - the maps that all objects share, and what user space changes in elements that
 * the kernel counts in: an update from user space would replace the element, and lose what was
 * counted meanwhile.
 */
#include "bpf/group/maps.bpf.h"

#define ENOENT 2
#define EINVAL 22

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
	return -EINVAL;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
