/* SPDX-License-Identifier: MIT */
/*
 * io_stat.h - the statistics slot of io.c's tables.
 */
#ifndef CGFS_CONTROLLER_IO_STAT_H
#define CGFS_CONTROLLER_IO_STAT_H

#include "cgfs/controller/base/ops.h"

int io_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
	     struct cgfs_err *reterr);

#endif
