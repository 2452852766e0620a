/* SPDX-License-Identifier: MIT */
/*
 * convert.h - conversions that only the controllers need; the public ones are in resources.h.
 */
#ifndef CGFS_CONVERT_H
#define CGFS_CONVERT_H

#include <stdint.h>

/*
 * OCI's blkio weight (10..1000, BFQ's scale, default 100) as io.weight (1..10000, default 100):
 * two straight lines through (10, 1), (100, 100) and (1000, 10000).  runc and crun use one line
 * from (10, 1) to (1000, 10000), which makes the default 910, nine times everybody else's.
 */
uint64_t cgfs_io_weight(uint64_t weight);

#endif
