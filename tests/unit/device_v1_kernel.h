/* SPDX-License-Identifier: MIT */
/*
 * device_v1_kernel.h - the kernel's reading of v1's exceptions, for what is compiled to them.
 */
#ifndef DEVICE_V1_KERNEL_H
#define DEVICE_V1_KERNEL_H

#include "cgfs/request/device.h"

/* The bits of @access that the kernel would grant: all of them or none. */
static inline uint32_t v1_granted(const struct cgfs_devices_v1 *set, enum cgfs_device_type type,
				  int32_t major, int32_t minor, uint32_t access)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct cgfs_device_rule *e = &set->exceptions[i];

		if (e->type != type || (e->major != CGFS_DEVICE_ANY && e->major != major) ||
		    (e->minor != CGFS_DEVICE_ANY && e->minor != minor))
			continue;
		/* devcgroup_legacy_check_permission(): overlap refuses, containment grants. */
		if (set->allow && (e->access & access))
			return 0;
		if (!set->allow && !(access & ~e->access))
			return access;
	}
	return set->allow ? access : 0;
}

#endif
