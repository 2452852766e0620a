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

static void root_path(const struct cgfs *c, int hierarchy, size_t depth, char *buf, size_t len)
{
	snprintf(buf, len, "%s%.*s", c->hierarchy[hierarchy].mount->path, (int)path_len(c, depth),
		 c->root);
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

/* Enables, for the children of a cgroup2 directory, the controllers that the library drives. */
int subtree_enable(struct cgfs *c, int hierarchy, int dirfd, const char *dir, uint32_t *ret_enabled,
		   struct cgfs_err *reterr)
{
	const char *file = "cgroup.subtree_control";
	char path[512], on[256], words[256] = "";
	uint32_t missing = 0;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	n = fs_read_at(c, dirfd, file, on, sizeof(on));
	if (n < 0)
		return cgfs_err_set(reterr, (int)n, "read", path, NULL, NULL);
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		if (c->place[ctl].hierarchy != hierarchy || !c->place[ctl].ops ||
		    has_word(on, ctl_name(ctl, CGFS_V2)))
			continue;
		missing |= 1u << ctl;
		strcat(words, *words ? " +" : "+");
		strcat(words, ctl_name(ctl, CGFS_V2));
	}
	if (missing) {
		r = fs_write_at(c, dirfd, file, words);
		if (r < 0)
			return cgfs_err_set(reterr, r, "write", path, words, NULL);
	}
	if (ret_enabled)
		*ret_enabled |= missing;
	return 0;
}

int subtree_disable(struct cgfs *c, int dirfd, const char *dir, uint32_t *enabled,
		    struct cgfs_err *reterr)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir);
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		char word[32];
		int r;

		if (!(*enabled & (1u << ctl)))
			continue;
		snprintf(word, sizeof(word), "-%s", ctl_name(ctl, CGFS_V2));
		r = fs_write_at(c, dirfd, "cgroup.subtree_control", word);
		if (r < 0)
			return cgfs_err_set(reterr, r, "write", path, word, NULL);
		*enabled &= ~(1u << ctl);
	}
	return 0;
}

/* Controllers for the children of one part of the root's path, which was there before (@ours:
 * it was not, and goes when its time comes). */
static int enable(struct cgfs *c, int i, size_t depth, int fd, bool ours, struct cgfs_err *reterr)
{
	const char *file = "cgroup.subtree_control";
	uint32_t enabled = 0;
	size_t levels = 2;
	char path[512];
	int r;

	for (const char *p = c->root; !c->enabled && *p; p++)
		levels += *p == '/';
	if (!c->enabled)
		c->enabled = calloc(levels, sizeof(*c->enabled));
	if (!c->enabled)
		return root_error(c, i, depth, -ENOMEM, "write", file, reterr);
	root_path(c, i, depth, path, sizeof(path));
	r = subtree_enable(c, i, fd, path, &enabled, reterr);
	if (r == -EBUSY)
		cgfs_err_context(reterr, r,
				 "a cgroup with processes has no controllers for children");
	if (r == 0 && !ours)
		c->enabled[depth] |= enabled;
	return r;
}

/* The directory of @depth parts of the root's path, whose @parent_fd was prepared; @dir: its path,
 * for errors. */
static int prepare(struct cgfs *c, int i, size_t depth, int parent_fd, int fd, bool ours,
		   const char *dir, struct cgfs_err *reterr)
{
	struct hierarchy *h = &c->hierarchy[i];

	if (i == c->unified)
		return enable(c, i, depth, fd, ours, reterr);
	h->by_hand = false;
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		int r;

		if (c->place[ctl].hierarchy != i || !c->place[ctl].ops)
			continue;
		r = c->place[ctl].ops->prepare_root(c, parent_fd, fd, ours, dir, reterr);
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
		char path[512];
		int fd, r;

		if (!h->by_hand)
			continue;
		group_file_path(g, i, NULL, path, sizeof(path));
		r = group_dir(g, i, &fd, reterr);
		if (r == 0)
			r = prepare(c, i, SIZE_MAX, h->root_fd, fd, true, path, reterr);
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
		char part[CGFS_ID_MAX + 1], path[512];
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
		root_path(c, i, depth, path, sizeof(path));
		r = prepare(c, i, depth, parent.fd, dir.fd, made == 0, path, reterr);
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
			result = root_error(c, i, SIZE_MAX, r, "open", NULL, reterr);
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

/* Of the directory of @depth parts of the root's path. */
static int disable_at(struct cgfs *c, size_t depth, bool failed, struct cgfs_err *reterr)
{
	auto_free char *rel = depth ? strndup(c->root + 1, path_len(c, depth) - 1) : strdup(".");
	auto_door_fd struct door_fd dir = { c, -EBADF };
	char path[512];
	int r;

	if (!rel)
		return root_error(c, c->unified, depth, -ENOMEM, "open", NULL, reterr);
	dir.fd = fs_open(c, c->hierarchy[c->unified].mount_fd, rel, O_RDONLY | O_DIRECTORY);
	if (dir.fd < 0)
		return root_error(c, c->unified, depth, dir.fd, "open", NULL, reterr);
	r = failed ? 0 : c->fs->ops->list(c->fs->ctx, dir.fd, any, NULL);
	if (r < 0)
		return root_error(c, c->unified, depth, r, "list", NULL, reterr);
	if (r > 0)
		return 0;
	root_path(c, c->unified, depth, path, sizeof(path));
	r = subtree_disable(c, dir.fd, path, &c->enabled[depth], reterr);
	return r == -EBUSY ? 0 : r;
}

/*
 * Switches off what this context switched on in directories that were there before.  Not where
 * somebody else has cgroups by now, which would lose their control files without a word; unless
 * all of it was a moment ago (@failed).  The kernel refuses where somebody handed them on.
 */
static int disable(struct cgfs *c, bool failed, struct cgfs_err *reterr)
{
	size_t depth = 0;
	int result = 0;

	for (const char *p = c->root; *p; p++)
		depth += *p == '/';
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
	(void)!disable(c, true, NULL); /* what is left is left to cgfs_root_remove() */
	(void)!root_find(c, NULL);     /* whoever needs it looks again */
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
		result = disable(c, false, reterr);
	r = root_find(c, result == 0 ? reterr : NULL);
	result = result < 0 ? result : r;
	if (result == 0 && c->policy)
		result = c->policy->ops->sweep(c->policy->ctx, c->hierarchy[c->unified].mount_fd,
					       reterr);
	return result;
}
