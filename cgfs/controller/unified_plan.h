/* SPDX-License-Identifier: MIT */
/*
 * unified_plan.h - what OCI's `unified`, which is written in names of cgroup2, comes to on this
 * host, on either version.
 */
#ifndef CGFS_CONTROLLER_UNIFIED_PLAN_H
#define CGFS_CONTROLLER_UNIFIED_PLAN_H

#include "cgfs/controller/base/ops.h"

/* One file to write after all members, one write for each line of @value. */
struct unified_write {
	enum cgfs_controller ctl; /* CGFS_CONTROLLER_COUNT: the cgroup2 tree itself */
	size_t entry;		  /* of the caller's list */
	char file[64];
	char *value;
};

/* What a caller's resources come to on this host. */
struct unified_plan {
	struct cgfs_resources res; /* the caller's, with what v1 has as a member put in its place */
	struct unified_write *write;
	size_t n_write;
	/* Which entry a member comes from, counted from 1; 0: from the caller's own member.  By the
	 * number of its bit. */
	unsigned int from[64];
	/* The devices of res, when some are from io.max: the caller's @n_given, then ours. */
	struct cgfs_io_device *io;
	unsigned int *io_from;
	size_t n_given;
};

/*
 * Fills *ret (release with unified_plan_free(), after a failure, too).  No I/O.
 * -ENODEV: the controller is not on this host; -EOPNOTSUPP: v1 has nothing that is exactly this;
 * -EINVAL: the value is none that cgroup2 would take.
 */
int unified_plan(const struct cgfs *c, const struct cgfs_resources *res, struct unified_plan *ret,
		 struct cgfs_err *reterr);
void unified_plan_free(struct unified_plan *plan);

#endif
