/* SPDX-License-Identifier: MIT */
/*
 * history.h - what was refused to a pod, and killed in it, from the pinned map.
 */
#ifndef PODCTL_HISTORY_H
#define PODCTL_HISTORY_H

#include "agent/podctl/args/args.h"

#include <cgfs/bpf.h>

/* The latest first; release with free().  Changes nothing, and needs no agent. */
int history_read(const struct args *a, uint64_t pod_cgroup_id, struct cgfs_bpf_record **ret,
		 size_t *ret_n, uint64_t *ret_lost, struct cgfs_err *reterr);

#endif
