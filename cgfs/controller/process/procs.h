/* SPDX-License-Identifier: MIT */
/*
 * procs.h - the processes of a group: the lists that the kernel has of them, whether there is any,
 * and the files by which they are moved, killed and handed to another user; see procs.c.
 */
#ifndef CGFS_CONTROLLER_PROCS_H
#define CGFS_CONTROLLER_PROCS_H

#include <cgfs/cgfs.h>

/* The list of processes, or of threads, in one hierarchy; what is written there moves there. */
const char *procs_file(const struct cgfs *c, int hierarchy, bool threads);
/* Where a process that has one thread moves itself without waiting for a grace period, where that
 * is possible. */
const char *procs_own_file(const struct cgfs *c, int hierarchy);
/* Does the hierarchy keep a thread with its process, where others may take it alone? */
bool procs_keep_threads(const struct cgfs *c, int hierarchy);
/* What cgfs_proc_cgroup() knows the hierarchy by. */
uint32_t procs_key(const struct cgfs *c, int hierarchy);

/* The hierarchy whose list is that of the group, and the next one to ask when the group has no
 * directory there; -1: there is no other. */
int procs_first(const struct cgfs *c);
int procs_next(const struct cgfs *c, int hierarchy);

struct pid_list {
	struct cgfs *c;
	pid_t *pid; /* to be freed */
	size_t n, size;
	int dirfd;
	const char *file; /* of procs_file() */
	size_t max;	  /* cgroups that may be below the group; then -E2BIG */
};

/* Appends those of one directory, without what is below it. */
int procs_read_dir(struct pid_list *l);

/* Is any process in the group or below it?  1, 0, or a negative errno. */
int procs_populated(struct cgfs_group *g);
/* What the cgroup2 tree says of it; negative: it does not. */
int procs_announced(struct cgfs_group *g);
/* Calls @fn when that changes; -EOPNOTSUPP: no cgroup2 tree says so. */
int procs_watch(struct cgfs_group *g, void (*fn)(struct cgfs_group *g), int *ret_wd,
		struct cgfs_err *reterr);
/* Kills them all at once; -ENOENT: no cgroup2 tree, a kernel that cannot, or the group has no
 * directory there. */
int procs_kill(struct cgfs_group *g, struct cgfs_err *reterr);

/* The files with which a user moves processes, one a line, in @buf. */
int procs_delegated(struct cgfs *c, int hierarchy, char *buf, size_t len, struct cgfs_err *reterr);

#endif
