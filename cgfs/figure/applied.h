/* SPDX-License-Identifier: MIT */
/*
 * applied.h - limits as they are in force; see applied.c.
 */
#ifndef CGFS_FIGURE_APPLIED_H
#define CGFS_FIGURE_APPLIED_H

#include <cgfs/cgfs.h>

/* What is in force now (applied.c). */
int applied_read(struct cgfs_group *g, uint64_t set, struct cgfs_applied *ret,
		 struct cgfs_err *reterr);

/* Admission in it, as it is to be set after the limits. */
int applied_admit(struct cgfs_group *g, const struct cgfs_resources *res, struct cgfs_applied *a,
		  struct cgfs_err *reterr);

#endif
