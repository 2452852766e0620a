/* SPDX-License-Identifier: MIT */
/*
 * proc.h - parses what /proc has about cgroups.
 */
#ifndef CGFS_PROC_H
#define CGFS_PROC_H

#include <cgfs/base.h>

/*
 * One line of /proc/PID/mountinfo: where it is mounted, with what the kernel writes as \040 and the
 * like as it is, and the type of file system.  -EINVAL for a line that is not of the form, -ERANGE
 * when one of the two has no room.
 */
CGFS_CHECK int cgfs_proc_mount(const char *line, char *path, size_t path_size, char *type,
			       size_t type_size);

/* The rest of such a line; fails in the same way. */
struct proc_mount {
	uint64_t id;
	unsigned int major, minor;
	bool read_only;	     /* this mount; its file system may be, too */
	char root[256];	     /* which directory of the file system is mounted */
	const char *options; /* of the file system, inside the line, up to its end */
};
CGFS_CHECK int cgfs_proc_mount_more(const char *line, struct proc_mount *ret);

/*
 * In the text of /proc/PID/cgroup, the path in one hierarchy ("/", "/a/b"): in the cgroup2 tree
 * when @controllers is 0, else in v1's with one of these, 1u << enum cgfs_controller.  -ENOENT: no
 * line of it, or one that leads out of what is mounted, "/../x" of another cgroup namespace;
 * -ERANGE: no room.
 */
CGFS_CHECK int cgfs_proc_cgroup(const char *text, uint32_t controllers, char *path, size_t size);

#endif
