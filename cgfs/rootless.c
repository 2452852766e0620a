/* SPDX-License-Identifier: MIT */
/*
 * rootless.c - what a process that is not root may use below its pods root, found out when the
 * context is opened.  Knows no user ids: it asks whether it may write.
 *
 * Without privilege a hierarchy is usable where the root, or the part of its path that exists,
 * is the process's own, because somebody delegated it.  Of the cgroup2 tree's controllers, those
 * are usable that whoever delegated it has enabled that far.
 */
#include "controller/table.h"
#include "core.h"

/* The deepest directory of the root's path that there is. */
struct reached {
	struct door_fd dir, above; /* above: -EBADF at the mount itself */
	bool all;
};

static int reach(struct cgfs *c, int mount_fd, struct reached *to)
{
	const char *p = c->root;
	char part[CGFS_ID_MAX + 1];

	to->dir = (struct door_fd){ c, fs_open(c, mount_fd, ".", O_RDONLY | O_DIRECTORY) };
	to->above = (struct door_fd){ c, -EBADF };
	while (to->dir.fd >= 0 && *p) {
		size_t n = strcspn(p + 1, "/");
		int fd;

		memcpy(part, p + 1, n);
		part[n] = '\0';
		fd = fs_open(c, to->dir.fd, part, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return fd == -ENOENT ? 0 : fd;
		fs_close(c, &to->above.fd);
		to->above.fd = to->dir.fd;
		to->dir.fd = fd;
		p += n + 1;
	}
	to->all = to->dir.fd >= 0;
	return to->dir.fd < 0 ? to->dir.fd : 0;
}

static bool refused(struct cgfs *c, int dirfd, const char *name)
{
	return c->fs->ops->may_write(c->fs->ctx, dirfd, name) == -EACCES;
}

static uint32_t controllers_in(struct cgfs *c, int dirfd, const char *file)
{
	char text[512];

	return fs_read_at(c, dirfd, file, text, sizeof(text)) < 0 ? 0 : ctl_listed(text);
}

/* Which of the cgroup2 tree's controllers the children of what was reached can have. */
static uint32_t granted(struct cgfs *c, struct reached *to)
{
	const char *file = "cgroup.subtree_control";

	/* Parts are to be made below: what they get is decided here. */
	if (!to->all && refused(c, to->dir.fd, file))
		return controllers_in(c, to->dir.fd, file);
	if (to->above.fd >= 0 && refused(c, to->above.fd, file))
		return controllers_in(c, to->dir.fd, "cgroup.controllers");
	return UINT32_MAX;
}

uint32_t rootless_granted(struct cgfs *c, const struct cgfs_mount *m, bool *ret_usable)
{
	auto_door_fd struct door_fd mount = { c, fs_open(c, AT_FDCWD, m->path,
							 O_RDONLY | O_DIRECTORY) };
	struct reached to = { .dir = { c, -EBADF }, .above = { c, -EBADF } };
	uint32_t controllers = UINT32_MAX;

	*ret_usable = true;
	/* What cannot be opened is said, with its name, by who needs it. */
	c->rootless |= mount.fd >= 0 && refused(c, mount.fd, ".");
	if (mount.fd >= 0 && reach(c, mount.fd, &to) == 0) {
		*ret_usable = !refused(c, to.dir.fd, ".");
		if (m->version == CGFS_V2 && *ret_usable)
			controllers = granted(c, &to);
	}
	fs_close(c, &to.dir.fd);
	fs_close(c, &to.above.fd);
	return controllers;
}

/*
 * v1's device files want CAP_SYS_ADMIN, whoever owns them.  The default list, which nobody asked
 * for, is then left out: what is above the root decides alone.
 */
int rootless_devices(bool asked, struct cgfs_err *reterr)
{
	struct cgfs_err e;

	if (!asked)
		return 0;
	if (!reterr)
		return -EPERM;
	e = *reterr;
	return cgfs_err_set(reterr, -EPERM, e.op, e.path, e.value,
			    "device rules of cgroup v1 want CAP_SYS_ADMIN");
}
