/* SPDX-License-Identifier: MIT */
/*
 * names.h - the names of controllers, on either version.
 */
#ifndef CGFS_TREE_NAMES_H
#define CGFS_TREE_NAMES_H

#include <cgfs/host.h>

/* Its name in cgroup.controllers or /proc/cgroups; NULL where it does not exist. */
const char *ctl_name(enum cgfs_controller ctl, enum cgfs_version_id version);
/* The text of cgroup.controllers or cgroup.subtree_control, which is taken apart, as 1u << enum
 * cgfs_controller each. */
uint32_t ctl_listed(char *text);
/* The controller of a cgroup2 control file, memory of "memory.high"; -ENOENT for any other. */
int ctl_of_file(const char *file);
/* Is one of @controllers among the v1 names "cpu,cpuacct" from @names up to @end? */
bool ctl_in_list(uint32_t controllers, const char *names, const char *end);

#endif
