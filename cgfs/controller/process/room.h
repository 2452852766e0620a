/* SPDX-License-Identifier: MIT */
/*
 * room.h - the kernel has refused a new directory @path, below the mount, with @code; controllers
 * for the children of @dir; a process in a group.  All return @code, and where a file of cgroup2 is
 * the reason, the error has its name.
 */
#ifndef CGFS_CONTROLLER_ROOM_H
#define CGFS_CONTROLLER_ROOM_H

#include "cgfs/tree/context.h"

int room_mkdir(struct cgfs *c, int hierarchy, const char *path, int code, struct cgfs_err *reterr);
int room_threads(struct cgfs *c, int dirfd, const char *dir, int code, struct cgfs_err *reterr);
int room_process(struct cgfs_group *g, int code, struct cgfs_err *reterr);

#endif
