/* SPDX-License-Identifier: MIT */
/*
 * devices.h - the device list of a group, enforced by v1, eBPF or both; see devices.c.
 */
#ifndef CGFS_CONTROLLER_DEVICES_H
#define CGFS_CONTROLLER_DEVICES_H

#include <cgfs/cgfs.h>

/* A list without rules, which denies everything; NULL is no list. */
extern const struct cgfs_device_rule no_devices[1];
/* The device list: at create (@fresh), or as a replacement.  @rules NULL: none of its own. */
int devices_apply(struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n, bool fresh,
		  struct cgfs_err *reterr);
/* Forgets the list that the handle keeps. */
void devices_forget(struct cgfs_group *g);
/* Does the context's device policy know it?  true without one. */
bool devices_bound(const struct cgfs_group *g);
bool devices_enforced(const struct cgfs *c);

#endif
