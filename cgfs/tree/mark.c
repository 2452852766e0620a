/* SPDX-License-Identifier: MIT */
/*
 * mark.c - which directories on the way to the pods root this library made, so that it removes no
 * other.  They have the sticky bit, which means nothing where only the owner may write, so that
 * no other program sets it there.  Unlike an attribute it comes with mkdir(2) itself: a process
 * that is killed leaves no directory without it, and one that is started later finds it.
 */
#include <sys/stat.h>

#include "cgfs/base/util.h"
#include "cgfs/tree/dir.h"

int dir_make_marked(struct cgfs *c, int dirfd, const char *name)
{
	return c->fs->ops->mkdir(c->fs->ctx, dirfd, name, S_ISVTX | 0755);
}

int dir_marked(struct cgfs *c, int dirfd)
{
	mode_t mode;
	int r = c->fs->ops->mode(c->fs->ctx, dirfd, &mode);

	return r < 0 ? r : (mode & (S_ISVTX | S_IWGRP | S_IWOTH)) == S_ISVTX;
}
