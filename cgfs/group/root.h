/* SPDX-License-Identifier: MIT */
/*
 * root.h - the pods root: made, found and removed; and what a process without privilege may use
 * below it (rootless.c).
 */
#ifndef CGFS_GROUP_ROOT_H
#define CGFS_GROUP_ROOT_H

#include <cgfs/cgfs.h>

/* Makes the root in every hierarchy, with controllers enabled on the way down. */
int root_ensure(struct cgfs *c, struct cgfs_err *reterr);
/* Is it open in every hierarchy? */
bool root_complete(const struct cgfs *c);
/* Has root_ensure() nothing to do? */
bool root_ready(const struct cgfs *c);
/* Opens it where it exists; hierarchies without it keep root_fd -EBADF. */
int root_find(struct cgfs *c, struct cgfs_err *reterr);
void root_forget(struct cgfs *c);
/* Removes what this context made of it, as far as it is empty; what was there before stays, as
 * it was. */
void root_unmake(struct cgfs *c);
/* The root as a group, for its limits and figures. */
void root_group(struct cgfs *c, struct cgfs_group *ret);
void root_group_end(struct cgfs_group *root);
/* What a group needs when the directory above it was there before and does not hand it down. */
int root_prepare_group(struct cgfs_group *g, struct cgfs_err *reterr);

/* Why this process cannot make groups in @m, -EACCES or -EROFS; 0: it can, and the controllers that
 * they would have (rootless.c). */
uint32_t rootless_granted(struct cgfs *c, const struct cgfs_mount *m, int *ret_refused);
/* The kernel refused a new group's device list: is that an error? */
int rootless_devices(bool asked, struct cgfs_err *reterr);

#endif
