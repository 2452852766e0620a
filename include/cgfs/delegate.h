/* SPDX-License-Identifier: MIT */
/*
 * cgfs/delegate.h - delegation of a pod or container to another user.
 *
 * The new owner can create cgroups below the group, move their own processes between them and, on
 * cgroup2, enable the group's controllers there.  The new owner cannot change the group's own
 * limits, because those files keep their owner.  A program of the new owner opens a context with
 * the group's path as cgfs_open_opts.root and creates pods there; cgfs_open() describes what such
 * a context can do.
 */
#ifndef CGFS_DELEGATE_H
#define CGFS_DELEGATE_H

#include <cgfs/base.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs_group;

/**
 * cgfs_group_delegate() - make a user the owner of a group
 * @g:      borrowed; a pod or a container
 * @uid:    the new owner; 0 ends the delegation
 * @gid:    the new group of users; file modes do not change, so this alone grants no access
 * @reterr: may be NULL
 *
 * In each hierarchy the directory changes its owner, and of the files in it:
 * on cgroup2 those that /sys/kernel/cgroup/delegate lists (cgroup.procs, cgroup.threads and
 * cgroup.subtree_control where there is no such list); on v1 cgroup.procs and tasks.  Nothing
 * below the group changes its owner.  If the kernel refuses one change, the call takes back those
 * before it.
 *
 * Processes that the user is to move must already be in the group or below it, because cgroup2
 * refuses to move a process across the border of a delegated subtree.  v1 has no such border: it
 * only checks that the process belongs to the user.  The kernel's documentation therefore calls
 * v1 delegation unsafe: a user with two such groups can move processes from one into the other.
 *
 * Errors:  -EINVAL  @uid or @gid is -1; nothing was written
 *          -EPERM   the caller has no CAP_CHOWN
 *          -ENOENT  the group is being removed, or is gone
 *          other    the kernel's, about the file in reterr->path
 * Context: does not wait
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_delegate(struct cgfs_group *g, uid_t uid, gid_t gid,
					    struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
