/* SPDX-License-Identifier: MIT */
/*
 * pressure.h - figures of the cgroup2 tree itself, which belong to no controller; see pressure.c.
 */
#ifndef CGFS_CONTROLLER_PRESSURE_H
#define CGFS_CONTROLLER_PRESSURE_H

#include "cgfs/controller/base/ops.h"

int pressure_stats(struct cgfs_group *g, struct cgfs_stats *s, struct cgfs_err *reterr);
/* Calls @fn when a trigger of the file, this one or another process's, has fired; the descriptor
 * has the trigger and says which. */
int pressure_watch(struct cgfs_group *g, enum cgfs_pressure what, const char *trigger,
		   void (*fn)(struct cgfs_group *g), int *ret_fd, int *ret_wd,
		   struct cgfs_err *reterr);
/* For CGFS_READ_USAGE only whether it is frozen. */
int descendants_stats(struct cgfs_group *g, unsigned int what, struct cgfs_stats *s,
		      struct cgfs_err *reterr);
/* Microseconds that all its processes have used, and those below; 0 when it cannot be read. */
uint64_t unified_cpu_time(struct cgfs_group *g);

/* Files of the cgroup2 tree itself (pressure.c). */
extern const struct stat_file tree_figures[];

#endif
