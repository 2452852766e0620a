/* SPDX-License-Identifier: MIT */
/*
 * host.c - the context: the table of controllers and the hierarchies that carry them.
 */
#include "controller/table.h"
#include "core.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define BIT(ctl)     (1u << (ctl))
#define ROOT_LEN_MAX 1023

/* The controllers by which a layout gets its name; the others follow whatever there is. */
#define MAIN_CONTROLLERS                                                                           \
	(BIT(CGFS_CPU) | BIT(CGFS_CPUSET) | BIT(CGFS_MEMORY) | BIT(CGFS_PIDS) | BIT(CGFS_IO))

static const char *const controller_names[CGFS_CONTROLLER_COUNT] = {
	[CGFS_CPU] = "cpu",	      [CGFS_CPUACCT] = "cpuacct",
	[CGFS_CPUSET] = "cpuset",     [CGFS_MEMORY] = "memory",
	[CGFS_PIDS] = "pids",	      [CGFS_IO] = "io",
	[CGFS_DEVICES] = "devices",   [CGFS_FREEZER] = "freezer",
	[CGFS_HUGETLB] = "hugetlb",   [CGFS_RDMA] = "rdma",
	[CGFS_MISC] = "misc",	      [CGFS_NET_CLS] = "net_cls",
	[CGFS_NET_PRIO] = "net_prio", [CGFS_PERF_EVENT] = "perf_event",
};

const char *cgfs_controller_name(enum cgfs_controller ctl)
{
	return (unsigned int)ctl < CGFS_CONTROLLER_COUNT ? controller_names[ctl] : "unknown";
}

int cgfs_controller_from_name(const char *name)
{
	if (streq(name, "blkio"))
		return CGFS_IO;
	for (int i = 0; i < CGFS_CONTROLLER_COUNT; i++) {
		if (streq(name, controller_names[i]))
			return i;
	}
	return -ENOENT;
}

const char *cgfs_layout_name(enum cgfs_layout layout)
{
	static const char *const names[] = { "none", "v1", "hybrid", "mixed", "v2" };

	return (unsigned int)layout < ARRAY_SIZE(names) ? names[layout] : "unknown";
}

/* "/a/b": absolute, every part a name, no slash at the end.  Somebody else may have made the parts:
 * what systemd delegates is below "user@1000.service", which is no id. */
static int check_root(const char *root, struct cgfs_err *reterr)
{
	char part[CGFS_ID_MAX + 1];
	const char *p = root;

	if (root[0] != '/')
		return cgfs_err_set(reterr, -EINVAL, "open pods root", NULL, root,
				    "must be an absolute path such as /pods");
	if (strlen(root) > ROOT_LEN_MAX)
		return cgfs_err_set(reterr, -EINVAL, "open pods root", NULL, root,
				    "the path is longer than %d bytes", ROOT_LEN_MAX);
	while (*p) {
		size_t n = strcspn(p + 1, "/");

		if (n >= sizeof(part))
			return cgfs_err_set(reterr, -EINVAL, "open pods root", NULL, root,
					    "a part is longer than %d bytes", CGFS_ID_MAX);
		memcpy(part, p + 1, n);
		part[n] = '\0';
		if (!cgfs_directory_ok(part))
			return cgfs_err_set(reterr, -EINVAL, "open pods root", NULL, root,
					    "\"%s\" is not a valid name", part);
		p += n + 1;
	}
	return 0;
}

/* Zero-extension: members that this library does not know must not be used. */
static int check_opts(const struct cgfs_open_opts *opts, struct cgfs_err *reterr)
{
	const unsigned char *p = (const unsigned char *)opts;

	if (opts->sz < sizeof(opts->sz))
		return cgfs_err_set(reterr, -EINVAL, "open context", NULL, NULL,
				    "opts->sz is not set");
	for (size_t i = sizeof(*opts); i < opts->sz; i++) {
		if (p[i])
			return cgfs_err_set(reterr, -E2BIG, "open context", NULL, NULL,
					    "options of a newer version are set");
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
		return cgfs_err_set(reterr, -ENAMETOOLONG, "mount cgroup2 on", path, NULL, NULL);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return cgfs_err_set(reterr, -errno, "mkdir", path, NULL, NULL);
	if (mount("cgroup2", path, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return cgfs_err_set(reterr, -errno, "mount cgroup2 on", path, NULL, NULL);
	new = &m->mount[m->n++];
	*new = (struct cgfs_mount){ .version = CGFS_V2, .ours = true };
	strcpy(new->path, path);
	new->controllers = unified_controllers(path);
	return 0;
}

/* For who can make groups in some hierarchies and not in others, these others are not there.  Who
 * can make them nowhere may still look at all. */
static void find_denied(struct cgfs *c, bool *denied, uint32_t *granted)
{
	bool any = false;

	for (size_t i = 0; i < c->mounts.n; i++) {
		bool usable;

		granted[i] = rootless_granted(c, &c->mounts.mount[i], &usable);
		denied[i] = !usable;
		any |= usable;
	}
	if (!any)
		memset(denied, 0, CGFS_MOUNTS_MAX * sizeof(*denied));
}

static void place_controllers(struct cgfs *c, uint32_t use)
{
	uint32_t granted[CGFS_MOUNTS_MAX];
	bool denied[CGFS_MOUNTS_MAX];

	c->unified = -1;
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++)
		c->place[ctl].hierarchy = -1;

	find_denied(c, denied, granted);
	for (size_t i = 0; i < c->mounts.n; i++) {
		const struct cgfs_mount *m = &c->mounts.mount[i];
		struct hierarchy *h = &c->hierarchy[c->n];
		uint32_t controllers = use ? m->controllers & use : m->controllers;

		c->denied |= controllers & (denied[i] ? UINT32_MAX : ~granted[i]);
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
			return cgfs_err_set(reterr, h->mount_fd, "open", h->mount->path, NULL,
					    NULL);
	}
	return 0;
}

int cgfs_open(const struct cgfs_open_opts *user, struct cgfs **ret, struct cgfs_err *reterr)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c;
	int r;

	if (user) {
		r = check_opts(user, reterr);
		if (r < 0)
			return r;
		memcpy(&opts, user, user->sz < sizeof(opts) ? user->sz : sizeof(opts));
	}
	if (opts.top && opts.root)
		return cgfs_err_set(reterr, -EINVAL, "open pods root", NULL, opts.root,
				    "top and root do not go together");
	if (!opts.root)
		opts.root = opts.top ? "" : "/pods";
	r = opts.top ? 0 : check_root(opts.root, reterr);
	if (r < 0)
		return r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return cgfs_err_set(reterr, -ENOMEM, "open context", NULL, NULL, NULL);
	c->fs = opts.fs ? opts.fs : cgfs_fs_kernel();
	c->max_kept = descriptors_max();
	c->root = strdup(opts.root);
	c->written = opts.written;
	c->written_user = opts.written_user;
	if (opts.mounts)
		c->mounts = *opts.mounts;
	r = c->root ? 0 : cgfs_err_set(reterr, -ENOMEM, "open context", NULL, NULL, NULL);
	if (r == 0 && !opts.mounts)
		r = cgfs_discover(&c->mounts, reterr);
	if (r == 0 && opts.cgroup2_mount)
		r = mount_unified(&c->mounts, opts.cgroup2_mount, reterr);
	if (r == 0) {
		place_controllers(c, opts.controllers);
		/* A policy holds on to cgroup2 directories; without a tree there is nothing to
		 * hold on to, and v1's own devices controller is on its own. */
		c->policy = c->unified >= 0 ? opts.policy : NULL;
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

enum cgfs_layout cgfs_layout(const struct cgfs *c)
{
	uint32_t v1 = 0, v2 = 0;
	bool foreign_v2 = false;

	for (int i = 0; i < c->n; i++) {
		const struct cgfs_mount *m = c->hierarchy[i].mount;

		if (m->version == CGFS_V1)
			v1 |= m->controllers;
		else
			v2 |= m->controllers;
		foreign_v2 |= m->version == CGFS_V2 && !m->ours;
	}
	if (!v1)
		return foreign_v2 ? CGFS_LAYOUT_V2 : CGFS_LAYOUT_NONE;
	if (v2 & MAIN_CONTROLLERS)
		return CGFS_LAYOUT_MIXED;
	return foreign_v2 ? CGFS_LAYOUT_HYBRID : CGFS_LAYOUT_V1;
}

struct cgfs_place cgfs_place(const struct cgfs *c, enum cgfs_controller ctl)
{
	struct cgfs_place place = { CGFS_NONE, "" };

	if ((unsigned int)ctl < CGFS_CONTROLLER_COUNT && c->place[ctl].hierarchy >= 0) {
		place.version = c->place[ctl].version;
		place.mount = c->hierarchy[c->place[ctl].hierarchy].mount->path;
	}
	return place;
}

const struct cgfs_mounts *cgfs_mounts(const struct cgfs *c)
{
	return &c->mounts;
}

const char *cgfs_root(const struct cgfs *c)
{
	return *c->root ? c->root : "/";
}
