/* SPDX-License-Identifier: MIT */
/*
 * resources_check.h - the one validation of resources, for each way of writing them down.
 */
#ifndef CGFS_RESOURCES_CHECK_H
#define CGFS_RESOURCES_CHECK_H

#include <cgfs/resources.h>

/* Most entries of `unified`, of huge page sizes, block devices ... in one request. */
#define CGFS_UNIFIED_MAX       256
#define CGFS_ENTRIES_MAX       256
/* The longest value of `unified`: one page of text. */
#define CGFS_UNIFIED_VALUE_MAX 4095

/* What the caller calls the members; errors are in these words. */
struct cgfs_resource_names {
	const char *memory_max, *memory_swap, *memory_low, *memory_high, *memory_min;
	const char *cpu_weight, *cpu_shares, *cpu_quota, *cpu_period;
	const char *cpu_burst, *cpu_idle, *cpu_rt_runtime, *cpu_rt_period;
	const char *cpuset_cpus, *cpuset_mems, *cpuset_partition, *pids_max, *devices, *unified;
	const char *memory_swappiness, *memory_kernel, *memory_kernel_tcp, *memory_zswap_max;
	const char *io_weight, *io_devices, *hugetlb, *rdma, *misc, *net_prio;
};

/* cgfs_resources_check() with other names. */
CGFS_CHECK int cgfs_resources_check_named(const struct cgfs_resources *res,
					  const struct cgfs_resource_names *names,
					  struct cgfs_err *reterr);

/* The lists (io_devices ... net_prio) alone; a part of the above. */
CGFS_CHECK int cgfs_resource_lists_check(const struct cgfs_resources *res,
					 const struct cgfs_resource_names *names,
					 struct cgfs_err *reterr);

/* One entry of a list; @what is its name, "hugetlb[1]" or "hugepageLimits[1]". */
CGFS_CHECK int cgfs_io_device_check(const struct cgfs_io_device *dev, const char *what,
				    struct cgfs_err *reterr);
CGFS_CHECK int cgfs_hugetlb_check(const struct cgfs_hugetlb *h, const char *what,
				  struct cgfs_err *reterr);
CGFS_CHECK int cgfs_rdma_check(const struct cgfs_rdma *rdma, const char *what,
			       struct cgfs_err *reterr);
CGFS_CHECK int cgfs_net_prio_check(const struct cgfs_net_prio *prio, const char *what,
				   struct cgfs_err *reterr);

/* -EINVAL in these words; "max" for CGFS_MAX. */
int cgfs_value_refuse(struct cgfs_err *reterr, const char *name, uint64_t value, const char *why,
		      ...) __attribute__((format(printf, 4, 5)));

#endif
