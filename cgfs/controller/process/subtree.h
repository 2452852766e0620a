/* SPDX-License-Identifier: MIT */
/*
 * subtree.h - see subtree.c.
 */
#ifndef CGFS_CONTROLLER_SUBTREE_H
#define CGFS_CONTROLLER_SUBTREE_H

#include "cgfs/controller/base/ops.h"

/* Prepares, for what is made in it, the directory @fd of @depth parts of the root's path (0: the
 * mount, whose @parent_fd is negative), which was there before unless it is @ours.  @parent_fd has
 * been prepared.  @dir: its path, for errors. */
int subtree_prepare(struct cgfs *c, int hierarchy, size_t depth, int parent_fd, int fd, bool ours,
		    const char *dir, struct cgfs_err *reterr);
/* Switches off what @enabled says, and takes from it what is off by then. */
int subtree_disable(struct cgfs *c, int dirfd, const char *dir, uint32_t *enabled,
		    struct cgfs_err *reterr);
/* Before the first container of a pod; what was off is added to *@ret_enabled.  Close takes it
 * back. */
int subtree_open(struct cgfs_group *pod, uint32_t *ret_enabled, struct cgfs_err *reterr);
void subtree_close(struct cgfs_group *pod, uint32_t enabled);
/* Which controllers of @m the children of @dirfd can have, as far as this process may switch them
 * on there or in @above_fd, the directory above it (-EBADF: it is the mount itself).  @all: of the
 * root's path no part is missing below @dirfd. */
uint32_t subtree_granted(struct cgfs *c, const struct cgfs_mount *m, int dirfd, int above_fd,
			 bool all);

#endif
