/* SPDX-License-Identifier: MIT */
/*
 * descriptors.c - how many descriptors of groups stay open.  A group keeps those of its
 * directories and statistics files, so that the next read is one system call; with thousands of
 * groups that is more than a process may have.  So the group that was used longest ago gives its
 * own up when they come to half of RLIMIT_NOFILE (the rest is the program's), and whenever an open
 * fails for want of descriptors.  They come back at the next use.  From half of that on, a group
 * whose files are open gives its directories up as soon as another one is used.
 *
 * A walk over all groups comes to the one used longest ago next, so it takes from the one before,
 * and finds as many as there is room for when it comes again.
 *
 * What was given up is found again by path, and must be the same directory: its inode is kept.
 * Eventfds and what is registered with them stay, since events would be lost with them, and so
 * does a peak that was reset, which the kernel keeps with the descriptor.
 */
#include "cgfs/tree/descriptors.h"

#include "cgfs/base/util.h"
#include "cgfs/tree/context.h"
#include "cgfs/tree/fs.h"
#include "cgfs/tree/kept.h"

#include <sys/resource.h>

#define KEPT_MIN 16

_Static_assert(KEPT_COUNT <= 64, "cgfs_group.pinned has a bit for each");

size_t descriptors_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 < KEPT_MIN)
		return KEPT_MIN;
	return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : (size_t)limit.rlim_cur / 2;
}

static void detach(struct cgfs_group *g)
{
	struct cgfs *c = g->c;

	if (g->newer)
		g->newer->older = g->older;
	else if (c->newest == g)
		c->newest = g->older;
	if (g->older)
		g->older->newer = g->newer;
	else if (c->oldest == g)
		c->oldest = g->newer;
	g->newer = g->older = NULL;
}

void group_close_fd(struct cgfs_group *g, int *fd)
{
	g->c->n_kept -= *fd >= 0;
	fs_close(g->c, fd);
}

static bool close_files(struct cgfs_group *g, uint64_t but)
{
	size_t before = g->c->n_kept;

	for (int i = 0; g->kept && i < KEPT_COUNT; i++) {
		if (g->kept[i] >= 0 && !(but & 1ull << i))
			group_close_fd(g, &g->kept[i]);
	}
	return g->c->n_kept < before;
}

/* False: which directory it is cannot be kept in mind, so it stays open. */
static bool close_directory(struct cgfs_group *g, int i)
{
	struct cgfs *c = g->c;
	uint64_t inode;

	if (g->dir[i] < 0)
		return false;
	if (!g->inode)
		g->inode = calloc((size_t)c->n, sizeof(*g->inode));
	if (!g->inode || c->fs->ops->inode(c->fs->ctx, g->dir[i], &inode) < 0)
		return false;
	g->inode[i] = inode;
	group_close_fd(g, &g->dir[i]);
	return true;
}

/* Where descriptors become scarce, directories are given up first: what is read again and again is
 * the files. */
static void leave_directories(struct cgfs_group *g)
{
	if (g && g->kept && g->c->n_kept >= g->c->max_kept / 2)
		for (int i = 0; i < g->c->n; i++)
			close_directory(g, i);
}

void group_used(struct cgfs_group *g)
{
	struct cgfs *c = g->c;

	if (c->newest == g)
		return;
	leave_directories(c->newest);
	detach(g);
	g->older = c->newest;
	if (c->newest)
		c->newest->newer = g;
	else
		c->oldest = g;
	c->newest = g;
}

bool descriptors_give_up(struct cgfs *c)
{
	struct cgfs_group *g = c->oldest, *next;
	bool closed = false;

	if (c->walking && c->newest)
		g = c->newest->older;
	/* The one used last is being used now: a caller holds the number of its directory. */
	for (; g && g != c->newest && !closed; g = next) {
		next = c->walking ? g->older : g->newer;
		closed = close_files(g, g->pinned);
		for (int i = 0; i < c->n; i++)
			closed |= close_directory(g, i);
		detach(g);
	}
	return closed || (c->newest && close_files(c->newest, c->newest->pinned));
}

int group_open_fd(struct cgfs_group *g, int dirfd, const char *name, int flags)
{
	struct cgfs *c = g->c;
	int fd;

	group_used(g);
	while (c->n_kept >= c->max_kept && c->oldest != g) {
		if (!descriptors_give_up(c))
			break;
	}
	fd = fs_open(c, dirfd, name, flags);
	c->n_kept += fd >= 0;
	return fd;
}

bool group_is_same(struct cgfs_group *g, int hierarchy, int fd)
{
	struct cgfs *c = g->c;
	uint64_t inode;

	return !g->inode || !g->inode[hierarchy] ||
	       (c->fs->ops->inode(c->fs->ctx, fd, &inode) == 0 && inode == g->inode[hierarchy]);
}

void group_close_all(struct cgfs_group *g)
{
	for (int i = 0; i < g->c->n; i++)
		group_close_fd(g, &g->dir[i]);
	close_files(g, 0);
	detach(g);
}
