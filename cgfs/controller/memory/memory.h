/* SPDX-License-Identifier: MIT */
/*
 * memory.h - what memory.c has in files of its own.
 */
#ifndef CGFS_CONTROLLER_MEMORY_H
#define CGFS_CONTROLLER_MEMORY_H

#include "cgfs/controller/base/ops.h"

/* The number of the group's directory in the hierarchy that carries memory; 0: it has none. */
int memory_number(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr);
/* The group's own limit; CGFS_MAX: none. */
int memory_limit_of(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr);
/* The number of the group's directory in the hierarchy that carries memory, for a policy that
 * counts memory; 0 without either. */
int memory_identify(struct cgfs_group *g, const struct cgfs_policy *policy, uint64_t *ret,
		    struct cgfs_err *reterr);

/* bulk.c: the session of the policy's report of all groups, taken now; 0: it is not asked for, or
 * there is none. */
uint64_t memory_report(const struct cgfs *c, unsigned int what);
/* Those figures of @g that are in it; the others are left to the files. */
void memory_reported(const struct cgfs_group *g, unsigned int what, uint64_t session,
		     struct cgfs_stats *s);

/* shrink.c: memory.max of v2, below what is in use as well. */
int memory_v2_max(const struct cgfs_dir *d, const struct cgfs_resources *res,
		  struct cgfs_err *reterr);
/* v1's limit of both, beside the new memory limit. */
uint64_t memory_v1_memsw(const struct cgfs_dir *d, const struct cgfs_resources *res);
/* v1 has answered EBUSY: the lowest limit that it takes. */
int memory_v1_nearest(const struct cgfs_dir *d, const struct cgfs_resources *res,
		      struct cgfs_err *reterr);
/* 0 when this kernel can take back a group's memory on demand, or has no memory controller. */
int ctl_can_reclaim(struct cgfs_group *g, struct cgfs_err *reterr);

#endif
