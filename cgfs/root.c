/* SPDX-License-Identifier: MIT */
/*
 * root.c - the pods root: made on first use in every hierarchy, with controllers enabled on
 * the way down, and removed again when it is empty.
 */
#include "controller/table.h"
#include "core.h"

#include <stdio.h>

/* @depth: how many parts of the root's path; 0: the mount itself. */
static size_t path_len(const struct cgfs *c, size_t depth)
{
	const char *p = c->root;

	while (*p && depth-- > 0)
		p += 1 + strcspn(p + 1, "/");
	return (size_t)(p - c->root);
}

static int root_error(const struct cgfs *c, int hierarchy, size_t depth, int code, const char *op,
		      const char *file, struct cgfs_err *reterr)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%.*s%s%s", c->hierarchy[hierarchy].mount->path,
		 (int)path_len(c, depth), c->root, file ? "/" : "", file ? file : "");
	return cgfs_err_set(reterr, code, op, path, NULL, NULL);
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += n) {
		if ((p == text || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\n' || !p[n]))
			return true;
	}
	return false;
}

/*
 * Enables, for the children of a cgroup2 directory, the controllers that the library drives.
 * Each one that was off is reported in *ret_enabled.
 */
int subtree_enable(struct cgfs *c, int hierarchy, int dirfd, const char *prefix,
		   uint32_t *ret_enabled)
{
	const char *file = "cgroup.subtree_control";
	char name[FILE_PATH_MAX], on[256], words[256] = "";
	uint32_t missing = 0;
	ssize_t n;
	int r;

	snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "/" : "", file);
	n = fs_read_at(c, dirfd, name, on, sizeof(on));
	if (n < 0)
		return (int)n;
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		if (c->place[ctl].hierarchy != hierarchy || !c->place[ctl].ops ||
		    has_word(on, ctl_name(ctl, CGFS_V2)))
			continue;
		missing |= 1u << ctl;
		strcat(words, *words ? " +" : "+");
		strcat(words, ctl_name(ctl, CGFS_V2));
	}
	if (missing) {
		r = fs_write_at(c, dirfd, name, words);
		if (r < 0)
			return r;
	}
	if (ret_enabled)
		*ret_enabled = missing;
	return 0;
}

/* Controllers for the children of one part of the root's path, which was there before (@ours:
 * it was not, and goes when its time comes). */
static int enable(struct cgfs *c, int i, size_t depth, int fd, bool ours, struct cgfs_err *reterr)
{
	const char *file = "cgroup.subtree_control";
	uint32_t enabled = 0;
	size_t levels = 2;
	int r;

	for (const char *p = c->root; !c->enabled && *p; p++)
		levels += *p == '/';
	if (!c->enabled)
		c->enabled = calloc(levels, sizeof(*c->enabled));
	if (!c->enabled)
		return root_error(c, i, depth, -ENOMEM, "write", file, reterr);
	r = subtree_enable(c, i, fd, "", &enabled);
	if (r < 0)
		root_error(c, i, depth, r, "enable controllers", file, reterr);
	if (r == -EBUSY)
		cgfs_err_context(reterr, r,
				 "a cgroup with processes has no controllers for children");
	if (r == 0 && !ours)
		c->enabled[depth] |= enabled;
	return r;
}

/* The directory of @depth parts of the root's path, whose @parent_fd was prepared. */
static int prepare(struct cgfs *c, int i, size_t depth, int parent_fd, int fd, bool ours,
		   struct cgfs_err *reterr)
{
	struct hierarchy *h = &c->hierarchy[i];

	if (i == c->unified)
		return enable(c, i, depth, fd, ours, reterr);
	h->by_hand = false;
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		int r;

		if (c->place[ctl].hierarchy != i || !c->place[ctl].ops)
			continue;
		r = c->place[ctl].ops->prepare_root(c, parent_fd, fd, ours, reterr);
		if (r < 0)
			return r;
		h->by_hand |= r > 0;
	}
	return 0;
}

int root_prepare_group(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;

	for (int i = 0; i < c->n && !g->pod; i++) {
		struct hierarchy *h = &c->hierarchy[i];
		int fd, r;

		if (!h->by_hand)
			continue;
		r = group_dir(g, i, &fd, reterr);
		if (r == 0)
			r = prepare(c, i, SIZE_MAX, h->root_fd, fd, true, reterr);
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
	int r = 0;

	h->made = 0;
	h->by_hand = i != c->unified;
	if (parent.fd < 0)
		return root_error(c, i, 0, parent.fd, "open", NULL, reterr);
	if (i == c->unified)
		r = enable(c, i, 0, parent.fd, false, reterr);
	for (size_t depth = 1; r == 0 && *p; depth++) {
		size_t n = strcspn(++p, "/");
		char part[CGFS_ID_MAX + 1];
		auto_door_fd struct door_fd dir = { c, -EBADF };
		int made;

		memcpy(part, p, n);
		part[n] = '\0';
		made = c->fs->ops->mkdir(c->fs->ctx, parent.fd, part, 0755);
		if (made < 0 && made != -EEXIST)
			return root_error(c, i, depth, made, "mkdir", NULL, reterr);
		h->made += made == 0;
		dir.fd = fs_open(c, parent.fd, part, O_RDONLY | O_DIRECTORY);
		if (dir.fd < 0)
			return root_error(c, i, depth, dir.fd, "open", NULL, reterr);
		r = prepare(c, i, depth, parent.fd, dir.fd, made == 0, reterr);
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

void root_find(struct cgfs *c)
{
	for (int i = 0; i < c->n; i++) {
		struct hierarchy *h = &c->hierarchy[i];

		if (h->root_fd < 0)
			h->root_fd = fs_open(c, h->mount_fd, *c->root ? c->root + 1 : ".",
					     O_RDONLY | O_DIRECTORY);
	}
}

void root_forget(struct cgfs *c)
{
	for (int i = 0; i < c->n; i++) {
		fs_close(c, &c->hierarchy[i].root_fd);
		c->hierarchy[i].ready = false;
	}
}

/* Removes "/a/b", then "/a" if nobody else is in it. */
static int remove_root(struct cgfs *c, int i)
{
	struct hierarchy *h = &c->hierarchy[i];
	auto_free char *path = NULL;
	char *slash;
	int r;

	if (!*c->root)
		return 0;
	path = strdup(c->root + 1);
	if (!path)
		return -ENOMEM;
	r = c->fs->ops->rmdir(c->fs->ctx, h->mount_fd, path);
	if (r < 0 && r != -ENOENT)
		return r == -EBUSY ? -ENOTEMPTY : r;
	while ((slash = strrchr(path, '/'))) {
		*slash = '\0';
		if (c->fs->ops->rmdir(c->fs->ctx, h->mount_fd, path) < 0)
			break;
	}
	return 0;
}

static int any(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return 1;
}

/*
 * Switches off what this context switched on in directories that were there before.  Not where
 * somebody else has cgroups by now, which would lose their control files without a word; unless
 * all of it was a moment ago (@failed).  The kernel refuses where somebody handed them on.
 */
static void disable(struct cgfs *c, bool failed)
{
	size_t depth = 0;

	for (const char *p = c->root; *p; p++)
		depth += *p == '/';
	for (size_t k = c->enabled ? depth + 1 : 0; k-- > 0;) {
		auto_free char *path = k ? strndup(c->root + 1, path_len(c, k) - 1) : strdup(".");
		auto_door_fd struct door_fd dir = { c, -EBADF };

		if (c->enabled[k] && path)
			dir.fd = fs_open(c, c->hierarchy[c->unified].mount_fd, path,
					 O_RDONLY | O_DIRECTORY);
		if (dir.fd < 0 || (!failed && c->fs->ops->list(c->fs->ctx, dir.fd, any, NULL) != 0))
			continue;
		for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
			char word[32];

			if (!(c->enabled[k] & (1u << ctl)))
				continue;
			snprintf(word, sizeof(word), "-%s", ctl_name(ctl, CGFS_V2));
			(void)!fs_write_at(c, dir.fd, "cgroup.subtree_control", word);
		}
		c->enabled[k] = 0;
	}
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
	disable(c, true);
	root_find(c);
}

int cgfs_root_remove(struct cgfs *c, struct cgfs_err *reterr)
{
	int result = 0, r;

	root_forget(c);
	for (int i = 0; i < c->n; i++) {
		r = remove_root(c, i);
		if (r < 0 && result == 0)
			result = root_error(c, i, SIZE_MAX, r, "rmdir", NULL, reterr);
	}
	if (result == 0)
		disable(c, false);
	root_find(c);
	if (result == 0 && c->policy)
		result = c->policy->ops->sweep(c->policy->ctx, c->hierarchy[c->unified].mount_fd,
					       reterr);
	return result;
}
