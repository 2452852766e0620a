/* SPDX-License-Identifier: MIT */
/*
 * cpuset.h - lists of processors or memory nodes as sets, for the files of the cpuset controller.
 */
#ifndef CGFS_CONTROLLER_CPUSET_H
#define CGFS_CONTROLLER_CPUSET_H

#include "cgfs/controller/table.h"

#define CPUSET_NUMBERS 8192 /* CONFIG_NR_CPUS has no more */

/* Sets the numbers of "0-3,7" in @set, which has room for all, to @value. */
void cpuset_mark(const char *list, bool *set, bool value);
void ctl_cpuset_why(const struct ctl_refused *w, char *buf, size_t len);

#endif
