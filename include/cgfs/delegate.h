/* SPDX-License-Identifier: MIT */
/*
 * cgfs/delegate.h - a pod or container in the hands of another user.
 *
 * Who was given a group may make cgroups below it, move his processes between them and, on
 * cgroup2, hand on the controllers that the group has.  He may not change the group's own limits:
 * their files stay with whom they are.  A program of his opens a context of its own with the
 * group's path as cgfs_open_opts.root and makes pods there; see cgfs_open() for what such a
 * context can do.
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
 * cgfs_group_delegate() - give a group to a user
 * @g:      borrowed; a pod or a container
 * @uid:    the user; 0 takes it back
 * @gid:    the group of users; modes stay as they are, so it gives nobody anything by itself
 * @reterr: may be NULL
 *
 * In each hierarchy the directory changes its owner, and of the files in it:
 * on cgroup2 those that /sys/kernel/cgroup/delegate lists (cgroup.procs, cgroup.threads and
 * cgroup.subtree_control where there is no such list); on v1 cgroup.procs and tasks.  Nothing
 * below the group changes its owner.  All of it, or nothing: what was given is taken back when
 * the kernel refuses the rest.
 *
 * Processes that the user is to move must be in the group, or below it, already: cgroup2
 * lets nobody carry a process across the border of what he was given.  v1 has no such border
 * (only the process has to be his own), and its documentation calls delegation unsafe: a user
 * who has two such groups can move his processes from one into the other.
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
