/* SPDX-License-Identifier: MIT */
/*
 * mounts.h - the cgroup mounts of one mount namespace, and which of them the library goes through.
 */
#ifndef CGFS_MOUNTS_H
#define CGFS_MOUNTS_H

#include <cgfs/host.h>

#define MOUNT_ROOT_MAX 256

/* Why a mount cannot be used, and what to change. */
struct obstacle {
	const char *reason, *remedy;
};

/* One line of mountinfo. */
struct candidate {
	enum cgfs_version_id version;
	uint32_t controllers; /* v1: the key of the hierarchy; cgroup2 is one hierarchy */
	uint64_t id;
	unsigned int major, minor; /* of the device */
	bool read_only;
	char path[256];
	char root[MOUNT_ROOT_MAX]; /* which directory of the hierarchy is mounted; "" is the top */
	char inside[MOUNT_ROOT_MAX]; /* the process, seen from @root; "" when it is not below it */
	size_t hierarchy;	     /* index of its first mount */
	const struct obstacle *unusable; /* NULL when it can be used */
	bool chosen;
};

/* Is @line of mountinfo a cgroup mount that has controllers known here, or may have them?  @own is
 * the text of /proc/self/cgroup. */
bool mounts_parse(const char *line, const char *own, struct candidate *ret);

/*
 * Chooses one mount of each hierarchy, so that a group has the same path in all of them: those of
 * the same directory, the top if there is one; else one in which this process stands where it
 * stands in the others, as in a container that sees its own part of each.  Of equal ones it takes
 * the first that may be written.  Fills hierarchy, chosen, and unusable where that cost a hierarchy
 * its only mount.
 */
void mounts_choose(struct candidate *list, size_t n);

/* What a cgroup2 mount carries now (discover.c). */
uint32_t unified_controllers(const char *mount_point);

#endif
