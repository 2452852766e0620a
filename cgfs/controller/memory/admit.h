/* SPDX-License-Identifier: MIT */
/*
 * admit.h - admission: the budget of a group's memory, which the policy enforces; see admit.c.
 */
#ifndef CGFS_CONTROLLER_ADMIT_H
#define CGFS_CONTROLLER_ADMIT_H

#include <cgfs/cgfs.h>

#define ADMIT_BITS (CGFS_SET_MEMORY_ADMIT | CGFS_SET_ADMIT_EXEMPT)

/* Can this host take it?  No I/O. */
int admit_plan(const struct cgfs *c, const struct cgfs_resources *res, struct cgfs_err *reterr);
/* What the policy does with the group now. */
int admit_read(const struct cgfs_group *g, struct cgfs_policy_admit *ret, struct cgfs_err *reterr);
/* The budget that the group's memory limit gives it; CGFS_MAX: it has no limit. */
int admit_automatic(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr);
/* What of it is in @res replaces what *@was says, in one step. */
int admit_apply(struct cgfs_group *g, const struct cgfs_resources *res,
		const struct cgfs_policy_admit *was, struct cgfs_err *reterr);
/* Back to *@was, after a later step failed. */
void admit_undo(struct cgfs_group *g, const struct cgfs_policy_admit *was);
/* The policy does not know the group: what it was given by pins that are gone, and that no process
 * could change, refuses no more. */
int admit_forget(struct cgfs_group *g, struct cgfs_err *reterr);

#endif
