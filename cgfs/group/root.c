/* SPDX-License-Identifier: MIT */
/*
 * root.c - the pods root: made on first use in every hierarchy, with controllers enabled on
 * the way down, and what was made removed again when it is empty.
 */
#include "cgfs/group/root.h"

#include "cgfs/base/util.h"
#include "cgfs/controller/process/room.h"
#include "cgfs/controller/process/subtree.h"
#include "cgfs/tree/descriptors.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>

/* @depth: how many parts of the root's path; 0: the mount itself. */
static size_t path_len(const struct cgfs *c, size_t depth)
{
	const char *p = c->root;

	while (*p && depth-- > 0)
		p += 1 + strcspn(p + 1, "/");
	return (size_t)(p - c->root);
}

static void root_path(const struct cgfs *c, int hierarchy, size_t depth, char *buf, size_t len)
{
	snprintf(buf, len, "%s%.*s", c->hierarchy[hierarchy].mount->path, (int)path_len(c, depth),
		 c->root);
}

static int root_error(const struct cgfs *c, int hierarchy, size_t depth, int code, const char *op,
		      struct cgfs_err *reterr)
{
	char path[512];

	root_path(c, hierarchy, depth, path, sizeof(path));
	return err_file(reterr, code, op, path);
}

int root_prepare_group(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;

	for (int i = 0; i < c->n && !g->pod; i++) {
		struct hierarchy *h = &c->hierarchy[i];
		char path[512];
		int fd, r;

		if (!h->by_hand)
			continue;
		group_file_path(g, i, NULL, path, sizeof(path));
		r = group_dir(g, i, &fd, reterr);
		if (r == 0)
			r = subtree_prepare(c, i, SIZE_MAX, h->root_fd, fd, true, path, reterr);
		h->by_hand = true;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Walks "/a/b" down from the mount, making what is missing. */
static int make_root(struct cgfs *c, int i, struct cgfs_err *reterr)
{
	struct hierarchy *h = &c->hierarchy[i];
	auto_door_fd struct door_fd parent = { c, fs_open(c, h->mount_fd, ".",
							  O_RDONLY | O_DIRECTORY) };
	const char *p = c->root;
	int r;

	h->made = 0;
	if (parent.fd < 0)
		return root_error(c, i, 0, parent.fd, "open", reterr);
	r = subtree_prepare(c, i, 0, -EBADF, parent.fd, false, h->mount->path, reterr);
	for (size_t depth = 1; r == 0 && *p; depth++) {
		size_t n = strcspn(++p, "/");
		char part[CGFS_ID_MAX + 1], path[512];
		auto_door_fd struct door_fd dir = { c, -EBADF };
		int made;

		memcpy(part, p, n);
		part[n] = '\0';
		made = dir_make_marked(c, parent.fd, part);
		if (made < 0 && made != -EEXIST) {
			root_error(c, i, depth, made, "mkdir", reterr);
			snprintf(path, sizeof(path), "%.*s", (int)path_len(c, depth), c->root);
			return room_mkdir(c, i, path, made, reterr);
		}
		h->made += made == 0;
		dir.fd = fs_open(c, parent.fd, part, O_RDONLY | O_DIRECTORY);
		if (dir.fd < 0)
			return root_error(c, i, depth, dir.fd, "open", reterr);
		root_path(c, i, depth, path, sizeof(path));
		r = subtree_prepare(c, i, depth, parent.fd, dir.fd, made == 0, path, reterr);
		fs_close(c, &parent.fd);
		parent.fd = take_fd(&dir.fd);
		p += n;
	}
	if (r < 0)
		return r;
	fs_close(c, &h->root_fd);
	h->root_fd = take_fd(&parent.fd);
	h->ready = true;
	return 0;
}

bool root_ready(const struct cgfs *c)
{
	for (int i = 0; i < c->n; i++) {
		if (!c->hierarchy[i].ready)
			return false;
	}
	return true;
}

/* Is it open in any hierarchy? */
static bool root_any(const struct cgfs *c)
{
	for (int i = 0; i < c->n; i++) {
		if (c->hierarchy[i].root_fd >= 0)
			return true;
	}
	return false;
}

bool root_complete(const struct cgfs *c)
{
	for (int i = 0; i < c->n; i++) {
		if (c->hierarchy[i].root_fd < 0)
			return false;
	}
	return true;
}

int root_ensure(struct cgfs *c, struct cgfs_err *reterr)
{
	int r;

	for (int i = 0; i < c->n; i++) {
		if (c->hierarchy[i].ready)
			continue;
		r = make_root(c, i, reterr);
		if (r < 0) {
			root_unmake(c);
			return cgfs_err_context(reterr, r, "make pods root");
		}
	}
	return 0;
}

int root_find(struct cgfs *c, struct cgfs_err *reterr)
{
	int result = 0;

	for (int i = 0; i < c->n; i++) {
		struct hierarchy *h = &c->hierarchy[i];
		int r;

		if (h->root_fd >= 0)
			continue;
		r = fs_open(c, h->mount_fd, *c->root ? c->root + 1 : ".", O_RDONLY | O_DIRECTORY);
		if (r >= 0)
			h->root_fd = r;
		else if (r != -ENOENT && result == 0)
			result = root_error(c, i, SIZE_MAX, r, "open", reterr);
	}
	return result;
}

void root_forget(struct cgfs *c)
{
	for (int i = 0; i < c->n; i++) {
		fs_close(c, &c->hierarchy[i].root_fd);
		c->hierarchy[i].ready = false;
	}
}

static int any(void *arg, const char *name)
{
	return 1;
}

static size_t root_depth(const struct cgfs *c)
{
	size_t depth = 0;

	for (const char *p = c->root; *p; p++)
		depth += *p == '/';
	return depth;
}

/* 1: the directory of @depth parts of the root's path may go, 0: it is not ours; -ENOTEMPTY: it is
 * the root, is not ours, and has pods. */
static int may_remove(struct cgfs *c, int i, size_t depth, const char *rel)
{
	struct hierarchy *h = &c->hierarchy[i];
	size_t all = root_depth(c);
	auto_door_fd struct door_fd dir = { c, -EBADF };
	int r;

	if (depth + h->made > all)
		return 1;
	dir.fd = fs_open(c, h->mount_fd, rel, O_RDONLY | O_DIRECTORY);
	if (dir.fd < 0)
		return dir.fd;
	r = dir_marked(c, dir.fd);
	if (r != 0 || depth < all)
		return r;
	r = c->fs->ops->list(c->fs->ctx, dir.fd, any, NULL);
	return r > 0 ? -ENOTEMPTY : r;
}

/* Removes "/a/b", then "/a" if it is empty, too; each only if this library made it. */
static int remove_root(struct cgfs *c, int i)
{
	struct hierarchy *h = &c->hierarchy[i];
	auto_free char *path = strdup(c->root);
	size_t all = root_depth(c);
	int r;

	if (!path)
		return -ENOMEM;
	for (size_t depth = all; depth > 0; depth--) {
		r = may_remove(c, i, depth, path + 1);
		if (r > 0)
			r = c->fs->ops->rmdir(c->fs->ctx, h->mount_fd, path + 1);
		else if (r == 0)
			return 0;
		if (depth == all && r < 0 && r != -ENOENT)
			return r == -EBUSY ? -ENOTEMPTY : r;
		/* Of a parent that another process uses by now. */
		if (r < 0 && r != -ENOENT)
			return r == -EBUSY || r == -ENOTEMPTY || r == -EACCES ? 0 : r;
		if (h->made)
			h->made--;
		*strrchr(path, '/') = '\0';
	}
	return 0;
}

/* Of the directory of @depth parts of the root's path. */
static int disable_at(struct cgfs *c, size_t depth, bool failed, struct cgfs_err *reterr)
{
	auto_free char *rel = depth ? strndup(c->root + 1, path_len(c, depth) - 1) : strdup(".");
	auto_door_fd struct door_fd dir = { c, -EBADF };
	char path[512];
	int r;

	if (!rel)
		return root_error(c, c->unified, depth, -ENOMEM, "open", reterr);
	dir.fd = fs_open(c, c->hierarchy[c->unified].mount_fd, rel, O_RDONLY | O_DIRECTORY);
	if (dir.fd < 0)
		return root_error(c, c->unified, depth, dir.fd, "open", reterr);
	r = failed ? 0 : c->fs->ops->list(c->fs->ctx, dir.fd, any, NULL);
	if (r < 0)
		return root_error(c, c->unified, depth, r, "list", reterr);
	if (r > 0)
		return 0;
	root_path(c, c->unified, depth, path, sizeof(path));
	r = subtree_disable(c, dir.fd, path, &c->enabled[depth], reterr);
	return r == -EBUSY ? 0 : r;
}

/*
 * Switches off what this context switched on in directories that were there before.  Not where
 * another process has cgroups by now, which would lose their control files without a word; unless
 * all of it was a moment ago (@failed).  The kernel refuses where a cgroup below has enabled them.
 */
static int disable(struct cgfs *c, bool failed, struct cgfs_err *reterr)
{
	size_t depth = root_depth(c);
	int result = 0;

	for (size_t k = c->enabled ? depth + 1 : 0; k-- > 0;) {
		int r = c->enabled[k] ? disable_at(c, k, failed, result ? NULL : reterr) : 0;

		if (r == 0 || r == -ENOENT)
			c->enabled[k] = 0;
		else if (result == 0)
			result = r;
	}
	return result;
}

void root_unmake(struct cgfs *c)
{
	root_forget(c);
	for (int i = 0; i < c->n; i++) {
		struct hierarchy *h = &c->hierarchy[i];
		auto_free char *path = strdup(c->root);

		for (; path && h->made; h->made--) {
			if (c->fs->ops->rmdir(c->fs->ctx, h->mount_fd, path + 1) < 0)
				break;
			*strrchr(path, '/') = '\0';
		}
		h->made = 0;
	}
	ignore(disable(c, true, NULL)); /* what is left is left to cgfs_root_remove() */
	ignore(root_find(c, NULL));	/* the next call that needs it looks again */
}

int cgfs_root_remove(struct cgfs *c, struct cgfs_err *reterr)
{
	int result = 0, r;

	r = check_writable(c, "remove pods root", reterr);
	if (r < 0)
		return r;
	root_forget(c);
	for (int i = 0; i < c->n; i++) {
		r = remove_root(c, i);
		if (r < 0 && result == 0)
			result = root_error(c, i, SIZE_MAX, r, "rmdir", reterr);
	}
	if (result == 0)
		result = disable(c, false, reterr);
	r = root_find(c, result == 0 ? reterr : NULL);
	result = result < 0 ? result : r;
	if (result == 0 && c->policy)
		result = c->policy->ops->sweep(c->policy->ctx, c->hierarchy[c->unified].mount_fd,
					       reterr);
	return result;
}

/* To the controllers the root is a group like any other, but it has no handle: no id, no device
 * policy, and it is not removed with its limits. */
void root_group(struct cgfs *c, struct cgfs_group *ret)
{
	*ret = (struct cgfs_group){ .c = c, .path = c->root, .rel = ".", .id = "", .is_pod = true };
	for (int i = 0; i < HIERARCHY_MAX; i++)
		ret->dir[i] = -EBADF;
}

void root_group_end(struct cgfs_group *root)
{
	group_close_all(root);
	free(root->kept);
	free(root->inode);
}

int cgfs_root_stats(struct cgfs *c, unsigned int what, struct cgfs_stats *ret_stats,
		    struct cgfs_err *reterr)
{
	struct cgfs_group root;
	int r = root_find(c, reterr);

	if (r == 0 && !root_any(c))
		r = err_value(reterr, -ENOENT, "read figures of", cgfs_root(c),
			      "there is no pods root");
	if (r < 0)
		return r;
	root_group(c, &root);
	r = cgfs_group_stats(&root, what & ~CGFS_READ_POLICY, ret_stats, reterr);
	root_group_end(&root);
	return r;
}
