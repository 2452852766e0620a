/* SPDX-License-Identifier: MIT */
/*
 * convert.h - conversions that only the controllers need; the public ones are in resources.h.
 */
#ifndef CGFS_CONVERT_H
#define CGFS_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * OCI's blkio weight (10..1000, BFQ's scale, default 100) as io.weight (1..10000, default 100):
 * two straight lines through (10, 1), (100, 100) and (1000, 10000).  runc and crun use one line
 * from (10, 1) to (1000, 10000), which makes the default 910, nine times that of other groups.
 */
uint64_t cgfs_io_weight(uint64_t weight);

/* The way back: the largest weight whose io.weight is not above @io; 10..1000. */
uint64_t cgfs_weight_of_io(uint64_t io);

/* The shares that the scheduler keeps for a cpu.weight: 100 -> 1024. */
uint64_t cgfs_shares_of_scheduler(uint64_t weight);

/* The shares of a nice value, as cpu.weight.nice has it: 0 -> 1024. */
uint64_t cgfs_shares_of_nice(int nice);

/* v1's and OCI's memory and swap together, as cgroup2's swap alone, and back; CGFS_MAX is no limit.
 * Less than the memory is no swap.  false: unlimited memory has no limited total, and a total is
 * at most INT64_MAX. */
uint64_t cgfs_swap_alone(uint64_t total, uint64_t memory);
bool cgfs_swap_and_memory(uint64_t swap, uint64_t memory, uint64_t *ret_total);

/* The text of cpu.max; @period_us 0: the one that is there stays.  As snprintf(). */
int cgfs_cpu_max(char *buf, size_t len, uint64_t quota_us, uint64_t period_us);

#endif
