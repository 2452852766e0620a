/* SPDX-License-Identifier: MIT */
/*
 * unified.h - entries of OCI's `unified`, before any path is made of them.
 */
#ifndef CGFS_UNIFIED_H
#define CGFS_UNIFIED_H

#include <cgfs/resources.h>

/*
 * Refuses names that are no cgroup2 file of a controller, and values that are not one write: only
 * a file that takes one key for each write may have several lines (and one newline at the end).
 */
CGFS_CHECK int cgfs_unified_check(const struct cgfs_unified *entry, const char *what,
				  struct cgfs_err *reterr);

#endif
