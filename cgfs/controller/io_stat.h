/* SPDX-License-Identifier: MIT */
/*
 * io_stat.h - the statistics slots of io.c's tables.
 */
#ifndef CGFS_CONTROLLER_IO_STAT_H
#define CGFS_CONTROLLER_IO_STAT_H

#include "table.h"

int io_stats_v1(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		struct cgfs_err *reterr);
int io_stats_v2(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		struct cgfs_err *reterr);

#endif
