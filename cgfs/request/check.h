/* SPDX-License-Identifier: MIT */
/*
 * check.h - the one validation of resources, for each way of writing them down.
 */
#ifndef CGFS_RESOURCES_CHECK_H
#define CGFS_RESOURCES_CHECK_H

#include "cgfs/request/members.h"

#include <cgfs/resources.h>

/* Most entries of `unified`, of huge page sizes, block devices ... in one request. */
#define CGFS_UNIFIED_MAX       256
#define CGFS_ENTRIES_MAX       256
/* The longest value of `unified`: one page of text. */
#define CGFS_UNIFIED_VALUE_MAX 4095

/* No members, but how to change them. */
#define CGFS_PERMISSIONS (CGFS_SET_ALLOW_OOM_KILL | CGFS_SET_NEAREST)

/* @user of any version as one of this library; NULL sets nothing. */
CGFS_CHECK int resources_in(struct cgfs_resources *copy, const struct cgfs_resources *user,
			    struct cgfs_err *reterr);

/* cgfs_resources_check() in other words. */
CGFS_CHECK int cgfs_resources_check_in(const struct cgfs_resources *res, enum words words,
				       struct cgfs_err *reterr);

/* A list of @n rules or entries (@what): not above @max, and there. */
CGFS_CHECK int cgfs_count_check(const void *list, size_t n, size_t max, const char *what,
				const char *name, struct cgfs_err *reterr);

/* The lists (io_devices ... net_prio) alone; a part of the above. */
CGFS_CHECK int cgfs_resource_lists_check(const struct cgfs_resources *res, enum words words,
					 struct cgfs_err *reterr);

/* One entry of a list, a struct cgfs_io_device, cgfs_hugetlb ...; @what is its name, "hugetlb[1]"
 * or "hugepageLimits[1]". */
CGFS_CHECK int cgfs_io_device_check(const void *entry, const char *what, struct cgfs_err *reterr);
CGFS_CHECK int cgfs_hugetlb_check(const void *entry, const char *what, struct cgfs_err *reterr);
CGFS_CHECK int cgfs_rdma_check(const void *entry, const char *what, struct cgfs_err *reterr);
CGFS_CHECK int cgfs_net_prio_check(const void *entry, const char *what, struct cgfs_err *reterr);

/* -EINVAL in these words; "max" for CGFS_MAX. */
int cgfs_value_refuse(struct cgfs_err *reterr, const char *name, uint64_t value, const char *why,
		      ...) __attribute__((format(printf, 4, 5)));

#endif
