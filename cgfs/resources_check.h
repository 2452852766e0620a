/* SPDX-License-Identifier: MIT */
/*
 * resources_check.h - the one validation of resources, for each way of writing them down.
 */
#ifndef CGFS_RESOURCES_CHECK_H
#define CGFS_RESOURCES_CHECK_H

#include <cgfs/resources.h>

/* Most entries of `unified` in one request, and the longest value: one page of text. */
#define CGFS_UNIFIED_MAX       256
#define CGFS_UNIFIED_VALUE_MAX 4095

/* What the caller calls the members; errors are in these words. */
struct cgfs_resource_names {
	const char *memory_max, *memory_swap, *memory_low, *memory_high, *memory_min;
	const char *cpu_weight, *cpu_shares, *cpu_quota, *cpu_period;
	const char *cpuset_cpus, *cpuset_mems, *pids_max, *devices, *unified;
};

/* cgfs_resources_check() with other names. */
CGFS_CHECK int cgfs_resources_check_named(const struct cgfs_resources *res,
					  const struct cgfs_resource_names *names,
					  struct cgfs_err *reterr);

#endif
