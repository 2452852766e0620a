/* SPDX-License-Identifier: MIT */
/*
 * subtree.c - what the children of a directory get from it.  On cgroup2 those controllers that are
 * switched on there; on v1 each hierarchy has its controllers everywhere, but some hand nothing
 * down before that is switched on.
 *
 * Kernel: cgroup-v2.rst "Enabling and Disabling"
 */
#include "cgfs/controller/process/subtree.h"

#include "cgfs/base/util.h"
#include "cgfs/controller/process/room.h"
#include "cgfs/tree/fs.h"
#include "cgfs/tree/names.h"

#include <stdio.h>

#define SUBTREE "cgroup.subtree_control"

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += n) {
		if ((p == text || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\n' || !p[n]))
			return true;
	}
	return false;
}

/* Enables, for the children of a cgroup2 directory, the controllers that the library drives.  Bits
 * of what was off are added to *@ret_enabled. */
static int enable(struct cgfs *c, int dirfd, const char *dir, uint32_t *ret_enabled,
		  struct cgfs_err *reterr)
{
	const char *file = SUBTREE;
	char path[512], on[256], words[256] = "";
	uint32_t missing = 0;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	n = fs_read_at(c, dirfd, file, on, sizeof(on));
	if (n < 0)
		return err_file(reterr, (int)n, "read", path);
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		if (c->place[ctl].hierarchy != c->unified || !c->place[ctl].ops ||
		    has_word(on, ctl_name(ctl, CGFS_V2)))
			continue;
		missing |= 1u << ctl;
		strcat(words, *words ? " +" : "+");
		strcat(words, ctl_name(ctl, CGFS_V2));
	}
	if (missing) {
		r = fs_write_at(c, dirfd, file, words);
		if (r < 0)
			return room_threads(c, dirfd, dir,
					    cgfs_err_set(reterr, r, "write", path, words, NULL),
					    reterr);
	}
	*ret_enabled |= missing;
	return 0;
}

int subtree_disable(struct cgfs *c, int dirfd, const char *dir, uint32_t *enabled,
		    struct cgfs_err *reterr)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/" SUBTREE, dir);
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		char word[32];
		int r;

		if (!(*enabled & (1u << ctl)))
			continue;
		snprintf(word, sizeof(word), "-%s", ctl_name(ctl, CGFS_V2));
		r = fs_write_at(c, dirfd, SUBTREE, word);
		if (r < 0)
			return cgfs_err_set(reterr, r, "write", path, word, NULL);
		*enabled &= ~(1u << ctl);
	}
	return 0;
}

/* Of one part of the root's path, which was there before (@ours: it was not, and goes when its time
 * comes). */
static int v2_prepare(struct cgfs *c, size_t depth, int fd, bool ours, const char *dir,
		      struct cgfs_err *reterr)
{
	uint32_t enabled = 0;
	size_t levels = 2;
	int r;

	for (const char *p = c->root; !c->enabled && *p; p++)
		levels += *p == '/';
	if (!c->enabled)
		c->enabled = calloc(levels, sizeof(*c->enabled));
	if (!c->enabled)
		return err_file(reterr, -ENOMEM, "enable controllers in", dir);
	r = enable(c, fd, dir, &enabled, reterr);
	if (r == -EBUSY)
		cgfs_err_context(reterr, r,
				 "a cgroup with processes has no controllers for children");
	if (r == 0 && !ours)
		c->enabled[depth] |= enabled;
	return r;
}

static int v1_prepare(struct cgfs *c, int i, int parent_fd, int fd, bool ours, const char *dir,
		      struct cgfs_err *reterr)
{
	struct hierarchy *h = &c->hierarchy[i];

	h->by_hand = parent_fd < 0; /* the mount, which stays as it is */
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT && parent_fd >= 0; ctl++) {
		int r;

		if (c->place[ctl].hierarchy != i || !c->place[ctl].ops ||
		    !c->place[ctl].ops->prepare_root)
			continue;
		r = c->place[ctl].ops->prepare_root(c, parent_fd, fd, ours, dir, reterr);
		if (r < 0)
			return r;
		h->by_hand |= r > 0;
	}
	return 0;
}

int subtree_prepare(struct cgfs *c, int i, size_t depth, int parent_fd, int fd, bool ours,
		    const char *dir, struct cgfs_err *reterr)
{
	return i == c->unified ? v2_prepare(c, depth, fd, ours, dir, reterr)
			       : v1_prepare(c, i, parent_fd, fd, ours, dir, reterr);
}

int subtree_open(struct cgfs_group *pod, uint32_t *ret_enabled, struct cgfs_err *reterr)
{
	struct cgfs *c = pod->c;
	char path[512];
	int fd, r;

	if (c->unified < 0 || pod->subtree)
		return 0;
	r = group_dir(pod, c->unified, &fd, reterr);
	if (r < 0)
		return r;
	group_file_path(pod, c->unified, NULL, path, sizeof(path));
	r = enable(c, fd, path, ret_enabled, reterr);
	pod->subtree = r == 0;
	return r;
}

void subtree_close(struct cgfs_group *pod, uint32_t enabled)
{
	if (!enabled)
		return;
	ignore(subtree_disable(pod->c, pod->dir[pod->c->unified], "", &enabled, NULL));
	pod->subtree = false;
}

static uint32_t controllers_in(struct cgfs *c, int dirfd, const char *file)
{
	char text[512];

	return fs_read_at(c, dirfd, file, text, sizeof(text)) < 0 ? 0 : ctl_listed(text);
}

uint32_t subtree_granted(struct cgfs *c, const struct cgfs_mount *m, int dirfd, int above_fd,
			 bool all)
{
	const char *file = SUBTREE;

	if (m->version == CGFS_V1)
		return UINT32_MAX;
	/* Parts are to be made below: what they get is decided here. */
	if (!all && fs_refused(c, dirfd, file))
		return controllers_in(c, dirfd, file);
	if (above_fd >= 0 && fs_refused(c, above_fd, file))
		return controllers_in(c, dirfd, "cgroup.controllers");
	return UINT32_MAX;
}
