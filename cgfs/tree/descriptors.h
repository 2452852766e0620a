/* SPDX-License-Identifier: MIT */
/*
 * descriptors.h - descriptors that stay open; see descriptors.c.
 */
#ifndef CGFS_TREE_DESCRIPTORS_H
#define CGFS_TREE_DESCRIPTORS_H

#include <cgfs/cgfs.h>

size_t descriptors_max(void);
/* Closes some, of the group that was used longest ago; false: there is none that can be. */
bool descriptors_give_up(struct cgfs *c);
/* One that the group keeps, in g->dir or g->kept. */
int group_open_fd(struct cgfs_group *g, int dirfd, const char *name, int flags);
void group_close_fd(struct cgfs_group *g, int *fd);
void group_close_all(struct cgfs_group *g);
void group_used(struct cgfs_group *g);
/* Is the directory the one that was given up?  True when none was. */
bool group_is_same(struct cgfs_group *g, int hierarchy, int fd);

#endif
