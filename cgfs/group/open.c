/* SPDX-License-Identifier: MIT */
/*
 * open.c - the context: the table of controllers and the hierarchies that carry them.
 */
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/report.h"
#include "cgfs/controller/table.h"
#include "cgfs/event/events.h"
#include "cgfs/group/group.h"
#include "cgfs/group/root.h"
#include "cgfs/tree/descriptors.h"
#include "cgfs/tree/fs.h"
#include "cgfs/tree/mounts.h"

#include <sys/mount.h>
#include <sys/stat.h>

#define BIT(ctl)     (1u << (ctl))
#define ROOT_LEN_MAX 1023

/* "/a/b": absolute, every part a name, no slash at the end.  Another program may have made the
 * parts: what systemd delegates is below "user@1000.service", which is no id. */
static int check_root(const char *root, struct cgfs_err *reterr)
{
	char part[CGFS_ID_MAX + 1];
	const char *p = root;

	if (root[0] != '/')
		return err_value(reterr, -EINVAL, "open pods root", root,
				 "must be an absolute path such as /pods");
	if (strlen(root) > ROOT_LEN_MAX)
		return err_value(reterr, -EINVAL, "open pods root", root,
				 "the path is longer than %d bytes", ROOT_LEN_MAX);
	while (*p) {
		size_t n = strcspn(p + 1, "/");

		if (n >= sizeof(part))
			return err_value(reterr, -EINVAL, "open pods root", root,
					 "a part is longer than %d bytes", CGFS_ID_MAX);
		memcpy(part, p + 1, n);
		part[n] = '\0';
		if (!cgfs_directory_ok(part))
			return err_value(reterr, -EINVAL, "open pods root", root,
					 "\"%s\" is not a valid name", part);
		p += n + 1;
	}
	return 0;
}

/* A kernel without any cgroup2 mount still has the tree; eBPF needs a mount to hold on to.  The
 * controllers that no v1 hierarchy has taken come with it: on kernels that have no v1 memory and
 * cpuset, those.  Never beside another mount: each new one replaces the options of all. */
static int mount_unified(struct cgfs_mounts *m, const char *path, struct cgfs_err *reterr)
{
	struct cgfs_mount *new;

	for (size_t i = 0; i < m->n; i++) {
		if (m->mount[i].version == CGFS_V2)
			return 0;
	}
	if (m->n == CGFS_MOUNTS_MAX || strlen(path) >= sizeof(new->path))
		return err_file(reterr, -ENAMETOOLONG, "mount cgroup2 on", path);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_file(reterr, -errno, "mkdir", path);
	if (mount("cgroup2", path, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_file(reterr, -errno, "mount cgroup2 on", path);
	new = &m->mount[m->n++];
	*new = (struct cgfs_mount){ .version = CGFS_V2, .ours = true };
	strcpy(new->path, path);
	new->controllers = unified_controllers(path);
	return 0;
}

/* A user who can create groups in some hierarchies only is shown those alone.  One who can create
 * them in none is shown all, for reading. */
static void find_denied(struct cgfs *c, int *denied, uint32_t *granted)
{
	bool any = false;

	for (size_t i = 0; i < c->mounts.n; i++) {
		granted[i] = rootless_granted(c, &c->mounts.mount[i], &denied[i]);
		any |= !denied[i];
	}
	if (!any)
		memset(denied, 0, CGFS_MOUNTS_MAX * sizeof(*denied));
}

static void place_controllers(struct cgfs *c, uint32_t use)
{
	uint32_t granted[CGFS_MOUNTS_MAX];
	int denied[CGFS_MOUNTS_MAX];

	c->unified = -1;
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++)
		c->place[ctl].hierarchy = -1;

	find_denied(c, denied, granted);
	for (size_t i = 0; i < c->mounts.n; i++) {
		const struct cgfs_mount *m = &c->mounts.mount[i];
		struct hierarchy *h = &c->hierarchy[c->n];
		uint32_t controllers = use ? m->controllers & use : m->controllers;

		c->denied |= controllers & (denied[i] ? UINT32_MAX : ~granted[i]);
		c->denied_ro |= denied[i] == -EROFS ? controllers : 0;
		controllers &= granted[i];
		if (denied[i])
			continue;
		if (m->version == CGFS_V2) {
			if (c->unified >= 0)
				continue; /* the same tree, mounted twice */
			c->unified = c->n;
		} else if (!controllers) {
			continue;
		}
		h->mount = m;
		h->controllers = controllers;
		h->mount_fd = h->root_fd = -EBADF;
		for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
			if (controllers & BIT(ctl))
				c->place[ctl] = (struct place){ m->version, c->n,
								ctl_ops(ctl, m->version) };
		}
		c->n++;
	}
}

static int open_mounts(struct cgfs *c, struct cgfs_err *reterr)
{
	for (int i = 0; i < c->n; i++) {
		struct hierarchy *h = &c->hierarchy[i];

		h->mount_fd = fs_open(c, AT_FDCWD, h->mount->path, O_RDONLY | O_DIRECTORY);
		if (h->mount_fd < 0)
			return err_file(reterr, h->mount_fd, "open", h->mount->path);
	}
	return 0;
}

/* Functions of a table that begins with its size: those from there to @end, the last of the first
 * version, must be there.  What was added since may be missing in a caller's. */
static int check_table(const void *table, size_t end, const char *what, struct cgfs_err *reterr)
{
	void (*fn)(void);

	for (size_t at = sizeof(size_t); at < end; at += sizeof(fn)) {
		memcpy(&fn, (const char *)table + at, sizeof(fn));
		if (!fn)
			return err_why(reterr, -EINVAL, what, NULL,
				       "function %zu of the table is missing", at / sizeof(fn));
	}
	return 0;
}

static int take_tables(struct cgfs *c, const struct cgfs_open_opts *opts, struct cgfs_err *reterr)
{
	int r = 0;

	c->fs = cgfs_fs_kernel();
	if (opts->fs && opts->fs != c->fs) {
		r = sized_in(&c->own_fs, sizeof(c->own_fs), opts->fs, "fs", reterr);
		if (r == 0)
			r = sized_in(&c->own_fs_ops, sizeof(c->own_fs_ops), c->own_fs.ops,
				     "fs->ops", reterr);
		if (r == 0)
			r = check_table(&c->own_fs_ops,
					offsetof(struct cgfs_fs_ops, mode) +
						sizeof(c->own_fs_ops.mode),
					"fs->ops", reterr);
		c->own_fs.ops = &c->own_fs_ops;
		c->fs = &c->own_fs;
	}
	if (r == 0 && opts->policy) {
		r = sized_in(&c->own_policy, sizeof(c->own_policy), opts->policy, "policy", reterr);
		if (r == 0)
			r = sized_in(&c->own_policy_ops, sizeof(c->own_policy_ops),
				     c->own_policy.ops, "policy->ops", reterr);
		if (r == 0)
			r = check_table(&c->own_policy_ops,
					offsetof(struct cgfs_policy_ops, get_rules) +
						sizeof(c->own_policy_ops.get_rules),
					"policy->ops", reterr);
		c->own_policy.ops = &c->own_policy_ops;
	}
	return r;
}

static int take_mounts(struct cgfs *c, const struct cgfs_mounts *user, struct cgfs_err *reterr)
{
	int r = sized_in(&c->mounts, sizeof(c->mounts), user, "mounts", reterr);

	if (r < 0)
		return r;
	if (c->mounts.n > CGFS_MOUNTS_MAX || c->mounts.n_unused > CGFS_UNUSED_MOUNTS_MAX ||
	    offsetof(struct cgfs_mounts, mount) + c->mounts.n * sizeof(c->mounts.mount[0]) >
		    user->sz)
		return err_why(reterr, -EINVAL, "mounts", NULL, "there is no room for %zu",
			       c->mounts.n);
	return 0;
}

int cgfs_open(const struct cgfs_open_opts *user, struct cgfs **ret, struct cgfs_err *reterr)
{
	struct cgfs_open_opts opts;
	struct cgfs *c;
	int r = sized_in(&opts, sizeof(opts), user, "opts", reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "open context");
	if (opts.top && opts.root)
		return err_value(reterr, -EINVAL, "open pods root", opts.root,
				 "top and root do not go together");
	if (opts.read_only && opts.cgroup2_mount)
		return err_value(reterr, -EINVAL, "open context", opts.cgroup2_mount,
				 "a context for reading mounts nothing");
	if (!opts.root)
		opts.root = opts.top ? "" : "/pods";
	r = opts.top ? 0 : check_root(opts.root, reterr);
	if (r < 0)
		return r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return err_file(reterr, -ENOMEM, "open context", NULL);
	c->max_kept = descriptors_max();
	c->root = strdup(opts.root);
	c->round = group_round;
	c->on_write = opts.written ? report_write : NULL;
	c->written = opts.written;
	c->written_user = opts.written_user;
	c->mounts.sz = sizeof(c->mounts);
	r = c->root ? 0 : err_file(reterr, -ENOMEM, NULL, NULL);
	if (r == 0)
		r = take_tables(c, &opts, reterr);
	if (r == 0 && opts.read_only)
		fs_refuse_changes(c);
	if (r == 0 && opts.mounts)
		r = take_mounts(c, opts.mounts, reterr);
	if (r < 0)
		cgfs_err_context(reterr, r, "open context");
	else if (!opts.mounts)
		r = cgfs_discover(&c->mounts, reterr);
	if (r == 0 && opts.cgroup2_mount)
		r = mount_unified(&c->mounts, opts.cgroup2_mount, reterr);
	if (r == 0) {
		place_controllers(c, opts.controllers);
		/* A policy holds on to cgroup2 directories; without a tree there is nothing to
		 * hold on to, and v1's own devices controller is on its own. */
		c->policy = c->unified >= 0 && opts.policy ? &c->own_policy : NULL;
		r = open_mounts(c, reterr);
	}
	if (r == 0)
		r = events_new(c, reterr);
	if (r == 0)
		r = root_find(c, reterr);
	if (r < 0) {
		cgfs_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

void cgfs_close(struct cgfs *c)
{
	if (!c)
		return;
	removal_end_all(c);
	events_free(c);
	for (int i = 0; i < c->n; i++) {
		fs_close(c, &c->hierarchy[i].root_fd);
		fs_close(c, &c->hierarchy[i].mount_fd);
		if (c->hierarchy[i].mount->ours)
			umount2(c->hierarchy[i].mount->path, MNT_DETACH);
	}
	free(c->enabled);
	free(c->root);
	free(c);
}
