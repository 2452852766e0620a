/* SPDX-License-Identifier: MIT */
/*
 * clear.c - the directories of a group and of all below it, removed in one go.  The caller waits,
 * and is a child process of one that cannot: nothing is changed but directories, neither in memory
 * nor in the policy, which forgets the group in its removal.
 */
#include "cgfs/base/util.h"
#include "cgfs/group/group.h"
#include "cgfs/tree/context.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"
#include "cgfs/tree/walk.h"

#include <stdio.h>

struct clearing {
	struct cgfs *c;
	unsigned int depth; /* of the current directory below the group */
	unsigned int keep;  /* so deep they stay: a pod's containers */
	int hierarchy;
	bool in_use; /* the group itself */
	int result;
	int where; /* the hierarchy of @left, whose removal gave @result */
	char left[CGFS_ID_MAX + 1];
};

static int enter(void *arg, int dirfd)
{
	struct clearing *k = arg;

	k->depth++;
	return 0;
}

/* One that cannot be removed saves no other beside it. */
static int leave(void *arg, int parent, const char *name, int dirfd)
{
	struct clearing *k = arg;
	int r;

	if (k->depth-- <= k->keep)
		return 0;
	r = k->c->fs->ops->rmdir(k->c->fs->ctx, parent, name);
	if (r < 0 && r != -ENOENT && k->result == 0) {
		snprintf(k->left, sizeof(k->left), "%s", name);
		k->where = k->hierarchy;
		k->result = r;
	}
	return 0;
}

static int clear_in(struct cgfs_group *g, int i, struct clearing *k)
{
	static const struct tree_ops ops = { .enter = enter, .leave = leave };
	auto_door_fd struct door_fd dir = { g->c, fs_open(g->c, g->c->hierarchy[i].root_fd, g->rel,
							  O_RDONLY | O_DIRECTORY) };

	if (dir.fd < 0)
		return dir.fd == -ENOENT ? 0 : dir.fd;
	return tree_walk(g->c, dir.fd, &ops, k);
}

/* One of its own directories, once nothing is below it.  In use, it and those that follow are the
 * removal's again. */
static int rmdir_own(struct cgfs_group *g, int i, struct clearing *k)
{
	int r;

	if (k->result || k->in_use)
		return 0;
	r = g->c->fs->ops->rmdir(g->c->fs->ctx, g->c->hierarchy[i].root_fd, g->rel);
	k->in_use = r == -EBUSY || r == -ENOTEMPTY;
	return r == -ENOENT || k->in_use ? 0 : r;
}

int cgfs_group_clear(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct clearing k = { .c = g->c, .keep = g->is_pod };
	char path[512];
	int r = check_writable(g->c, "clear", reterr);

	if (r < 0)
		return r;
	for (int at = 0; at < g->c->n; at++) {
		int i = hierarchy_at(g->c, at);

		if (g->c->hierarchy[i].root_fd < 0)
			continue;
		k.depth = 0;
		k.hierarchy = i;
		r = clear_in(g, i, &k);
		if (r == 0)
			r = rmdir_own(g, i, &k);
		if (r < 0) {
			group_file_path(g, i, NULL, path, sizeof(path));
			return err_file(reterr, r, "clear", path);
		}
	}
	if (k.result == 0)
		return 0;
	group_file_path(g, k.where, NULL, path, sizeof(path));
	return err_why(reterr, k.result, "clear", path, "%s below it: %s", k.left,
		       strerror(-k.result));
}
