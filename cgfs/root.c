/* SPDX-License-Identifier: MIT */
/*
 * root.c - the pods root: made on first use in every hierarchy, with controllers enabled on
 * the way down, and removed again when it is empty.
 */
#include "controller/table.h"
#include "core.h"

#include <stdio.h>

static int root_error(const struct cgfs *c, int hierarchy, int code, const char *op,
		      const char *file, struct cgfs_err *reterr)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s%s%s", c->hierarchy[hierarchy].mount->path, c->root,
		 file ? "/" : "", file ? file : "");
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

static int prepare(struct cgfs *c, int i, int parent_fd, int fd, bool top, struct cgfs_err *reterr)
{
	struct hierarchy *h = &c->hierarchy[i];
	int r;

	if (i == c->unified) {
		if (top) {
			r = subtree_enable(c, i, parent_fd, "", &h->enabled);
			if (r < 0)
				return root_error(c, i, r, "enable controllers above", NULL,
						  reterr);
		}
		r = subtree_enable(c, i, fd, "", NULL);
		return r < 0 ? root_error(c, i, r, "write", "cgroup.subtree_control", reterr) : 0;
	}
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		if (c->place[ctl].hierarchy != i || !c->place[ctl].ops)
			continue;
		r = c->place[ctl].ops->prepare_root(c, parent_fd, fd, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The mount's own directory as the root. */
static int open_top(struct cgfs *c, int i, struct cgfs_err *reterr)
{
	struct hierarchy *h = &c->hierarchy[i];
	int r = i == c->unified ? subtree_enable(c, i, h->mount_fd, "", &h->enabled) : 0;

	if (r < 0)
		return root_error(c, i, r, "enable controllers in", NULL, reterr);
	h->root_fd = fs_open(c, h->mount_fd, ".", O_RDONLY | O_DIRECTORY);
	return h->root_fd < 0 ? root_error(c, i, h->root_fd, "open", NULL, reterr) : 0;
}

int root_prepare_top(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;

	if (*c->root)
		return 0;
	for (int i = 0; i < c->n; i++) {
		int fd, r;

		if (i == c->unified)
			continue;
		r = group_dir(g, i, &fd, reterr);
		if (r == 0)
			r = prepare(c, i, c->hierarchy[i].root_fd, fd, false, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Walks "/a/b" down from the mount, making what is missing. */
static int make_root(struct cgfs *c, int i, struct cgfs_err *reterr)
{
	struct hierarchy *h = &c->hierarchy[i];
	auto_door_fd struct door_fd parent = { c, -EBADF };
	const char *p = c->root + 1;
	int r;

	h->made = 0;
	if (!*c->root)
		return open_top(c, i, reterr);
	for (bool top = true;; top = false) {
		int parent_fd = top ? h->mount_fd : parent.fd;
		size_t n = strcspn(p, "/");
		char part[CGFS_ID_MAX + 1];
		auto_door_fd struct door_fd dir = { c, -EBADF };

		memcpy(part, p, n);
		part[n] = '\0';
		r = c->fs->ops->mkdir(c->fs->ctx, parent_fd, part, 0755);
		if (r < 0 && r != -EEXIST)
			return root_error(c, i, r, "mkdir", NULL, reterr);
		h->made += r == 0;
		dir.fd = fs_open(c, parent_fd, part, O_RDONLY | O_DIRECTORY);
		if (dir.fd < 0)
			return root_error(c, i, dir.fd, "open", NULL, reterr);
		r = prepare(c, i, parent_fd, dir.fd, top, reterr);
		if (r < 0)
			return r;
		fs_close(c, &parent.fd);
		parent.fd = take_fd(&dir.fd);
		p += n;
		if (!*p)
			break;
		p++;
	}
	fs_close(c, &h->root_fd);
	h->root_fd = take_fd(&parent.fd);
	return 0;
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
		if (c->hierarchy[i].root_fd >= 0)
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
	for (int i = 0; i < c->n; i++)
		fs_close(c, &c->hierarchy[i].root_fd);
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

/* Switches off what this context switched on in the mount's subtree_control, unless somebody
 * else has cgroups there by now: they would lose their control files without a word. */
static void disable(struct cgfs *c, int i)
{
	struct hierarchy *h = &c->hierarchy[i];

	if (!h->enabled || c->fs->ops->list(c->fs->ctx, h->mount_fd, any, NULL) != 0)
		return;
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		char word[32];

		if (!(h->enabled & (1u << ctl)))
			continue;
		snprintf(word, sizeof(word), "-%s", ctl_name(ctl, CGFS_V2));
		(void)!fs_write_at(c, h->mount_fd, "cgroup.subtree_control", word);
	}
	h->enabled = 0;
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
		disable(c, i);
	}
	root_find(c);
}

int cgfs_root_remove(struct cgfs *c, struct cgfs_err *reterr)
{
	int result = 0, r;

	root_forget(c);
	for (int i = 0; i < c->n; i++) {
		r = remove_root(c, i);
		if (r < 0 && result == 0)
			result = root_error(c, i, r, "rmdir", NULL, reterr);
		if (r == 0)
			disable(c, i);
	}
	root_find(c);
	if (result == 0 && c->policy)
		result = c->policy->ops->sweep(c->policy->ctx, c->hierarchy[c->unified].mount_fd,
					       reterr);
	return result;
}
