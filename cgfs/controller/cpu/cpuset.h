/* SPDX-License-Identifier: MIT */
/*
 * cpuset.h - lists of processors or memory nodes as sets, for the files of the cpuset controller.
 */
#ifndef CGFS_CONTROLLER_CPUSET_H
#define CGFS_CONTROLLER_CPUSET_H

#include "cgfs/controller/base/ops.h"

#define CPUSET_NUMBERS 8192 /* CONFIG_NR_CPUS has no more */

/* Sets the numbers of "0-3,7" in @set, which has room for all, to @value. */
void cpuset_mark(const char *list, bool *set, bool value);
void ctl_cpuset_why(const struct ctl_refused *w, char *buf, size_t len);

/* Has cpuset the flags of struct cgfs_cpuset here (cpuset_read.c)? */
bool ctl_cpuset_flags(const struct cgfs *c);
/* A v1 cpuset that has nothing gets what its parent has, as its pod before it; for -ENOSPC. */
int ctl_cpuset_fill(struct cgfs_group *g, struct cgfs_err *reterr);
/* After all writes: what the kernel takes, and says only when asked that it has no effect. */
int ctl_confirm(const struct cgfs_dir *d, const char *file, const char *value,
		struct cgfs_err *reterr);

#endif
