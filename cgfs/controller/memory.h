/* SPDX-License-Identifier: MIT */
/*
 * memory.h - what memory.c has in files of its own.
 */
#ifndef CGFS_CONTROLLER_MEMORY_H
#define CGFS_CONTROLLER_MEMORY_H

#include "table.h"

/* shrink.c: memory.max of v2, below what is in use as well. */
int memory_v2_max(const struct cgfs_dir *d, const struct cgfs_resources *res,
		  struct cgfs_err *reterr);
/* v1's limit of both, next to whatever the memory limit has become. */
uint64_t memory_v1_memsw(const struct cgfs_dir *d, const struct cgfs_resources *res);
/* v1 has answered EBUSY: the lowest limit that it takes. */
int memory_v1_nearest(const struct cgfs_dir *d, const struct cgfs_resources *res,
		      struct cgfs_err *reterr);

#endif
