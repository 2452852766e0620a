/* SPDX-License-Identifier: MIT */
/*
 * device.h - lists of device rules, and processes that open devices, for the tests of them.
 */
#ifndef CONFORMANCE_DEVICE_H
#define CONFORMANCE_DEVICE_H

#include "world.h"

#define R   CGFS_ACCESS_READ
#define W   CGFS_ACCESS_WRITE
#define RW  (R | W)
#define RWM CGFS_ACCESS_ALL

/* Character devices that are harmless to open. */
enum { NUL = 3, ZERO = 5, FULL = 7, RANDOM = 8, URANDOM = 9, KMSG = 11 };

static inline int mem(struct world *w, pid_t pid, int minor, uint32_t access)
{
	return w->ops->device(w, pid, CGFS_DEVICE_CHAR, 1, minor, access);
}

static inline struct cgfs_device_rule allow(int minor, uint32_t access)
{
	return (struct cgfs_device_rule){ CGFS_DEVICE_CHAR, 1, minor, access, true };
}

static inline struct cgfs_resources rules(const struct cgfs_device_rule *list, size_t n)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_DEVICES;
	res.devices = list;
	res.n_devices = n;
	return res;
}

static inline void set(struct cgfs_group *g, const struct cgfs_device_rule *list, size_t n)
{
	struct cgfs_resources res = rules(list, n);

	OK(cgfs_group_set(g, &res, NULL, &err));
}

#endif
