/* SPDX-License-Identifier: MIT */
/*
 * discover.c - which hierarchies are mounted, as libcgroup finds them.  The only file that
 * knows libcgroup.  libcgroup takes the first mount of each controller that mountinfo lists, and
 * stops at one that it cannot read; so mountinfo decides which mount is used (mounts.c), and
 * libcgroup what the hierarchy there carries.
 */
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/tree/mounts.h"
#include "cgfs/tree/names.h"

#include <libcgroup.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#ifndef STATX_MNT_ID
#include <linux/stat.h> /* musl */
#endif
#include <sys/vfs.h>

#define CANDIDATES_MAX 64 /* more are not looked at */

struct list {
	struct candidate at[CANDIDATES_MAX];
	size_t n;
	char *own; /* the text of /proc/self/cgroup */
};

static const struct obstacle denied = { "it may not be opened", "run as a user who may open it" };
static const struct obstacle closed = { "it cannot be opened", "umount it, and mount it anew" };
static const struct obstacle covered = { "another file system is mounted over it",
					 "umount what is mounted over it, or mount it once more "
					 "elsewhere" };
static const struct obstacle hidden = { "another cgroup mount hides it", "umount one of the two" };

/* Is this mount what its path leads to?  Why not; NULL: it is. */
static const struct obstacle *look(const struct candidate *m, bool *ret_top)
{
	struct statx x;
	struct statfs fs;

	if (syscall(SYS_statx, AT_FDCWD, m->path, 0, STATX_INO | STATX_MNT_ID, &x) < 0 ||
	    statfs(m->path, &fs) < 0 || access(m->path, R_OK | X_OK) < 0)
		return errno == EACCES ? &denied : errno == ENOENT ? &covered : &closed;
	if (fs.f_type != CGROUP2_SUPER_MAGIC && fs.f_type != CGROUP_SUPER_MAGIC)
		return &covered;
	if (x.stx_mask & STATX_MNT_ID ? x.stx_mnt_id != m->id
				      : x.stx_dev_major != m->major || x.stx_dev_minor != m->minor)
		return &hidden;
	/* Kernel: fs/kernfs/dir.c kernfs_create_root(): the top is the first of its numbers. */
	*ret_top = x.stx_ino == 1;
	return NULL;
}

static void add_line(struct list *list, const char *line)
{
	struct candidate m;
	bool top = false;

	if (list->n == CANDIDATES_MAX || !mounts_parse(line, list->own ? list->own : "", &m))
		return;
	if (!m.unusable)
		m.unusable = look(&m, &top);
	if (top)
		m.root[0] = '\0';
	list->at[list->n++] = m;
}

/* Lines have no bound: an overlay names all its layers.  @end ends one; for '\0' the whole file is
 * one. */
static int read_lines(const char *path, int end, struct list *list, struct cgfs_err *reterr)
{
	auto_free char *line = NULL;
	size_t size = 0;
	FILE *f = fopen(path, "re");
	int r = 0;

	if (!f)
		return err_file(reterr, -errno, "read", path);
	while (getdelim(&line, &size, end, f) > 0) {
		if (end) {
			add_line(list, line);
		} else {
			free(list->own);
			list->own = line;
			line = NULL;
		}
	}
	if (!feof(f))
		r = err_file(reterr, ferror(f) ? -EIO : -ENOMEM, "read", path);
	fclose(f);
	return r;
}

static void take(struct cgfs_mounts *m, const struct candidate *from)
{
	struct cgfs_mount *to;

	if (m->n == CGFS_MOUNTS_MAX)
		return;
	to = &m->mount[m->n++];
	to->version = from->version;
	to->controllers =
		from->version == CGFS_V2 ? unified_controllers(from->path) : from->controllers;
	strcpy(to->path, from->path);
}

/* Left out, unless a mount at the same path of the same version is used: that one hides it. */
static void leave(struct cgfs_mounts *m, const struct list *list, const struct candidate *from)
{
	struct cgfs_unused_mount *to;

	for (size_t i = 0; i < list->n; i++) {
		const struct candidate *o = &list->at[i];

		if (o->chosen && o->version == from->version && streq(o->path, from->path))
			return;
	}
	if (m->n_unused == CGFS_UNUSED_MOUNTS_MAX)
		return;
	to = &m->unused[m->n_unused++];
	to->controllers = from->controllers;
	strcpy(to->path, from->path);
	snprintf(to->reason, sizeof(to->reason), "%s", from->unusable->reason);
	snprintf(to->remedy, sizeof(to->remedy), "%s", from->unusable->remedy);
}

uint32_t unified_controllers(const char *mount_point)
{
	char path[300], text[512];
	uint32_t controllers = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", mount_point);
	f = fopen(path, "re");
	if (f && fgets(text, sizeof(text), f))
		controllers = ctl_listed(text);
	if (f)
		fclose(f);
	return controllers;
}

/* What libcgroup knows of the hierarchies that are used: at the mount that was chosen, or, when it
 * took another of the same controller, nothing that mountinfo has not said already. */
static void ask_libcgroup(struct cgfs_mounts *m)
{
	/* Its failure is about a mount that is left out, or there is none. */
	if (cgroup_init())
		return;
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		for (size_t i = 0; i < m->n; i++) {
			const char *name = ctl_name(ctl, m->mount[i].version);
			auto_free char *path = NULL;

			/* Only the name that belongs to the version: cpuacct is no v2 name. */
			if (name && !cgroup_get_subsys_mount_point(name, &path) && path &&
			    streq(path, m->mount[i].path))
				m->mount[i].controllers |= 1u << ctl;
		}
	}
}

static int find_mounts(struct cgfs_mounts *m, struct cgfs_err *reterr)
{
	auto_free struct list *list = calloc(1, sizeof(*list));
	int r;

	if (!list)
		return err_file(reterr, -ENOMEM, NULL, NULL);
	r = read_lines("/proc/self/cgroup", '\0', list, reterr);
	if (r == 0)
		r = read_lines("/proc/self/mountinfo", '\n', list, reterr);
	if (r == 0)
		mounts_choose(list->at, list->n);
	for (size_t i = 0; r == 0 && i < list->n; i++) {
		if (list->at[i].chosen)
			take(m, &list->at[i]);
		else if (list->at[i].unusable)
			leave(m, list, &list->at[i]);
	}
	free(list->own);
	return r;
}

int cgfs_discover(struct cgfs_mounts *ret_mounts, struct cgfs_err *reterr)
{
	struct cgfs_mounts m = CGFS_MOUNTS_INIT;
	int r = SIZED_CHECK(ret_mounts, reterr);

	if (r == 0)
		r = find_mounts(&m, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "discover cgroup hierarchies");
	ask_libcgroup(&m);
	if (m.n == 0) {
		SIZED_OUT(ret_mounts, &m);
		return err_why(reterr, -ENOENT, "discover cgroup hierarchies", NULL,
			       m.n_unused ? "%s: %s" : "none is mounted", m.unused[0].path,
			       m.unused[0].reason);
	}
	if (offsetof(struct cgfs_mounts, mount) + m.n * sizeof(m.mount[0]) > ret_mounts->sz)
		return err_why(reterr, -E2BIG, "discover cgroup hierarchies", NULL,
			       "there are %zu, more than the caller's structure holds", m.n);
	SIZED_OUT(ret_mounts, &m);
	return 0;
}
