/* SPDX-License-Identifier: MIT */
/*
 * admit.h - the object cgfs_adm: refuses new memory to groups that have used their budget.
 */
#ifndef BPF_ADMIT_ADMIT_H
#define BPF_ADMIT_ADMIT_H

#include "bpf/base/base.h"

extern const struct object_ops cgfs_bpf_admit_object;

/* See admit_memory() and hold_memory() of struct cgfs_policy_ops. */
int cgfs_bpf_admit_set(struct object *o, const struct cgfs_policy_group *group,
		       const struct cgfs_policy_admit *admit, struct cgfs_err *reterr);
int cgfs_bpf_admit_hold(struct object *o, const struct cgfs_policy_group *group, uint64_t ms,
			bool all, struct cgfs_err *reterr);
/* Detaches from the group what another load of these programs has left attached; its maps are of no
 * use to any process.  @o may be off. */
int cgfs_bpf_admit_clear(const struct object *o, const struct cgfs_policy_group *group,
			 struct cgfs_err *reterr);

#endif
