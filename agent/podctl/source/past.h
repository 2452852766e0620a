/* SPDX-License-Identifier: MIT */
/*
 * past.h - what happened before this podctl, as far as the kernel has kept it.
 */
#ifndef PODCTL_PAST_H
#define PODCTL_PAST_H

#include "agent/podctl/args/args.h"

#include <cgfs/bpf.h>

/* The latest first; release with free().  Changes nothing, and needs no agent. */
int history_read(const struct args *a, uint64_t pod_cgroup_id, struct cgfs_bpf_record **ret,
		 size_t *ret_n, uint64_t *ret_lost, struct cgfs_err *reterr);

/* What the records of @pod say that is younger than a->since_ns, appended to the array @list. */
int past_read(const struct args *a, struct cgfs_bpf *bpf, const struct cgfs_group *pod,
	      json_t *list, struct cgfs_err *reterr);
/* The oldest first. */
int past_sort(json_t **list);

#endif
