/* SPDX-License-Identifier: MIT */
/*
 * devices_freeze.h - see devices_freeze.c.
 */
#ifndef CGFS_CONTROLLER_DEVICES_FREEZE_H
#define CGFS_CONTROLLER_DEVICES_FREEZE_H

#include "cgfs/controller/process/freezer.h"

struct stopped {
	int fd; /* of the directory to thaw; negative: none */
	const struct freezer *by;
};

/* Freezes the processes of the cgroup @rel, whose v1 devices directory is @devices_fd. */
int devices_stop(struct cgfs *c, int devices_fd, const char *rel, struct stopped *ret,
		 struct cgfs_err *reterr);
void devices_go_on(struct cgfs *c, struct stopped *s);

#endif
