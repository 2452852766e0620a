/* SPDX-License-Identifier: MIT */
/*
 * rootless.c - what a process that is not root may use below its pods root, found out when the
 * context is opened.  Knows no user ids: it asks whether it may write.  A hierarchy that is mounted
 * read-only is as one that belongs to another.
 *
 * Without privilege a hierarchy is usable where the root, or the part of its path that exists,
 * is the process's own, because it was delegated.  Of the cgroup2 tree's controllers, those
 * are usable that were enabled that far.
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/process/subtree.h"
#include "cgfs/group/root.h"
#include "cgfs/tree/context.h"
#include "cgfs/tree/fs.h"

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

uint32_t rootless_granted(struct cgfs *c, const struct cgfs_mount *m, int *ret_refused)
{
	auto_door_fd struct door_fd mount = { c, fs_open(c, AT_FDCWD, m->path,
							 O_RDONLY | O_DIRECTORY) };
	struct reached to = { .dir = { c, -EBADF }, .above = { c, -EBADF } };
	uint32_t controllers = UINT32_MAX;

	*ret_refused = 0;
	/* The call that needs it reports, by name, what cannot be opened. */
	c->rootless |= mount.fd >= 0 && fs_refused(c, mount.fd, ".") == -EACCES;
	if (mount.fd >= 0 && reach(c, mount.fd, &to) == 0) {
		*ret_refused = fs_refused(c, to.dir.fd, ".");
		if (!*ret_refused)
			controllers = subtree_granted(c, m, to.dir.fd, to.above.fd, to.all);
	}
	fs_close(c, &to.dir.fd);
	fs_close(c, &to.above.fd);
	return controllers;
}

/*
 * v1's device files need CAP_SYS_ADMIN for every owner.  The default list, which no caller asked
 * for, is then left out: what is above the root decides alone.
 */
int rootless_devices(bool asked, struct cgfs_err *reterr)
{
	return asked ? cgfs_err_reason(reterr, -EPERM,
				       "device rules of cgroup v1 want CAP_SYS_ADMIN")
		     : 0;
}
