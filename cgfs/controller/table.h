/* SPDX-License-Identifier: MIT */
/*
 * table.h - the controllers of both cgroup versions.
 *
 * Only this folder and those below it know v1 from v2, and the names of control files.
 */
#ifndef CGFS_CONTROLLER_TABLE_H
#define CGFS_CONTROLLER_TABLE_H

#include "cgfs/controller/base/ops.h"

/* Which CGFS_SET_* bits it handles on one version or the other. */
uint64_t ctl_handles(enum cgfs_controller ctl);
/* NULL: the controller has no such version, or the library only makes its directories. */
const struct ctl_ops *ctl_ops(enum cgfs_controller ctl, enum cgfs_version_id version);
/* Why @ctl has no place here, and what to change; static strings, or @text (missing.c). */
struct ctl_missing {
	bool missing; /* false: cgroup2 needs no controller for it */
	const char *detail, *remedy;
	char text[300];
};
void ctl_missing(const struct cgfs *c, enum cgfs_controller ctl, struct ctl_missing *ret);
/* What to change where a group cannot be made for this negative errno; "": not known. */
#define CTL_READ_ONLY "its hierarchy is mounted read-only"
const char *ctl_create_remedy(int error);

#endif
