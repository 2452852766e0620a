/* SPDX-License-Identifier: MIT */
/*
 * cgfs/group.h - pods and containers.
 *
 * A pod is the cgroup {root}/{pod}, a container of it {root}/{pod}/{container}; a standalone
 * container is {root}/{container}.  Each exists once in every hierarchy in use; one handle
 * stands for all of these directories together.  Processes live in containers, never in pods:
 * that keeps cgroup2's no-internal-process rule on every layout.
 *
 * A handle is memory and descriptors; closing it changes nothing in the kernel.
 */
#ifndef CGFS_GROUP_H
#define CGFS_GROUP_H

#include <cgfs/base.h>
#include <cgfs/resources.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs;
struct cgfs_group;

/**
 * cgfs_pod_create() - make a pod
 * @c:      borrowed; must outlive the handle
 * @id:     borrowed; see cgfs_id_check()
 * @res:    borrowed; NULL: no limits.  Without CGFS_SET_DEVICES the OCI default devices are
 *          allowed and everything else is denied
 * @ret:    out; release with cgfs_group_close()
 * @reterr: may be NULL
 *
 * The values are checked first, then every directory is made, then the device policy is put
 * in place, then the limits are written.  If any step fails, all is undone.
 *
 * Errors:  -EINVAL      the id or a value is not valid; nothing was written
 *          -EEXIST      the id is in use; the group that has it is unchanged
 *          -ENODEV      a resource needs a controller that is not on this host
 *          -EOPNOTSUPP  a resource cannot be expressed on this controller's version
 *          other        what the kernel said, about the file in reterr->path
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_pod_create(struct cgfs *c, const char *id,
					const struct cgfs_resources *res, struct cgfs_group **ret,
					struct cgfs_err *reterr);

/**
 * cgfs_container_create() - make a container
 * @c:      borrowed; must outlive the handle
 * @pod:    borrowed; NULL for a standalone container, which is then bound like a pod.  The pod
 *          stays allocated until its last container handle is closed
 * @id:     borrowed; see cgfs_id_check()
 * @res:    borrowed; NULL: no limits of its own.  Without CGFS_SET_DEVICES a container of a
 *          pod is bound by the pod's device policy alone
 * @ret:    out; release with cgfs_group_close()
 * @reterr: may be NULL
 *
 * Errors:  as cgfs_pod_create()
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_container_create(struct cgfs *c, struct cgfs_group *pod,
					      const char *id, const struct cgfs_resources *res,
					      struct cgfs_group **ret, struct cgfs_err *reterr);

/**
 * cgfs_pod_open() - a handle for a pod that exists, whoever made it
 * @c: as above
 * @id: as above
 * @ret: as above
 * @reterr: as above
 *
 * The device policy is told of the group, so that one whose maps were lost denies everything.
 *
 * Errors:  -ENOENT  no hierarchy has such a directory
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_pod_open(struct cgfs *c, const char *id, struct cgfs_group **ret,
				      struct cgfs_err *reterr);

/** cgfs_container_open() - the same for a container; @pod NULL: a standalone one */
CGFS_API CGFS_CHECK int cgfs_container_open(struct cgfs *c, struct cgfs_group *pod, const char *id,
					    struct cgfs_group **ret, struct cgfs_err *reterr);

/**
 * cgfs_group_close() - release the handle; the cgroup and its processes stay
 * @g: may be NULL
 *
 * A removal that has begun goes on, and is told by its event.
 */
CGFS_API void cgfs_group_close(struct cgfs_group *g);

/* Plain reads of memory.  cgroup_id is the inode in the cgroup2 tree, 0 without one. */
CGFS_API const char *cgfs_group_id(const struct cgfs_group *g);
CGFS_API struct cgfs_group *cgfs_group_pod(const struct cgfs_group *g); /* NULL: has none */
CGFS_API bool cgfs_group_is_pod(const struct cgfs_group *g);
CGFS_API uint64_t cgfs_group_cgroup_id(const struct cgfs_group *g);
/* "/pods/web/c1": the path below each hierarchy's root. */
CGFS_API const char *cgfs_group_path(const struct cgfs_group *g);

/**
 * cgfs_group_add_pid() - move a process, with all its threads, into a container
 * @g:      borrowed; a container
 * @pid:    0 stands for the caller
 * @reterr: may be NULL
 *
 * Joins every hierarchy; if one refuses, the process stays where it was in the others as far
 * as the kernel lets it.
 *
 * Errors:  -EINVAL  @g is a pod, or @pid is negative
 *          -ESRCH   there is no such process
 *          other    the kernel's (cgroup.procs)
 * Context: may wait for an RCU grace period
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_add_pid(struct cgfs_group *g, pid_t pid,
					   struct cgfs_err *reterr);

/**
 * cgfs_group_add_thread() - move one thread, without the rest of its process
 * @g:      borrowed; a container
 * @tid:    0 stands for the calling thread
 * @reterr: may be NULL
 *
 * For cpu, cpuset and the like of v1: each v1 hierarchy takes the thread alone.  In the cgroup2
 * tree a thread stays with its process, and so do the limits of controllers that live there,
 * unless both are within a threaded tree; where there is nothing but cgroup2, a container that
 * is no part of such a tree refuses.  Memory belongs to the process in any case.
 *
 * Errors:  -EINVAL      @g is a pod, or @tid is negative
 *          -ENOENT      @g is being removed
 *          -ESRCH       there is no such thread
 *          -EOPNOTSUPP  all controllers are on cgroup2, and the container is not threaded
 *          other        the kernel's (tasks, cgroup.threads); the thread is then where it was
 * Context: may wait for an RCU grace period
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_add_thread(struct cgfs_group *g, pid_t tid,
					      struct cgfs_err *reterr);

/**
 * cgfs_group_spawn() - fork(2) into a container
 * @g:         borrowed; a container
 * @ret_pid:   out; the child's pid in the parent, 0 in the child
 * @ret_pidfd: out, in the parent only; to be closed by the caller
 * @reterr:    may be NULL; filled in the parent
 *
 * Returns twice, as fork does, once the child is in every hierarchy of the container; the
 * child does not return when it could not join one.  Ten times faster than
 * cgfs_group_add_pid(), because nothing has to wait for a grace period.  In a process with
 * several threads the child may call async-signal-safe functions only.
 *
 * Errors:  -EINVAL      @g is a pod, or is being removed
 *          -EOPNOTSUPP  the context is not on a kernel (struct cgfs_fs of a simulation)
 *          -EAGAIN      pids.max, of the container or its pod
 *          -EBUSY       it is frozen: nothing would run there before it is thawed
 *          other        the kernel's (clone3, cgroup.procs, tasks); no child is left
 * Context: waits for the child's few system calls, not for a grace period on cgroup2
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_spawn(struct cgfs_group *g, pid_t *ret_pid, int *ret_pidfd,
					 struct cgfs_err *reterr);

/**
 * cgfs_group_pids() - the processes of a group and its descendants
 * @g:        borrowed
 * @ret_pids: out; release with free(3); NULL when there are none
 * @ret_n:    out
 * @reterr:   may be NULL
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_pids(struct cgfs_group *g, pid_t **ret_pids, size_t *ret_n,
					struct cgfs_err *reterr);

/**
 * cgfs_group_threads() - the threads of a group and its descendants
 * @g:        borrowed
 * @ret_tids: out; release with free(3); NULL when there are none
 * @ret_n:    out
 * @reterr:   may be NULL
 *
 * As a v1 hierarchy lists them where there is one, so that threads which were moved alone are with
 * the group that they are in; else as the cgroup2 tree does.
 *
 * Errors:  -ENOENT or -ENODEV  the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Context: does not wait
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_threads(struct cgfs_group *g, pid_t **ret_tids, size_t *ret_n,
					   struct cgfs_err *reterr);

/**
 * cgfs_group_freeze() - stop all processes of a group
 * @g:          borrowed
 * @timeout_ms: how long to wait until all are stopped; then the freeze is taken back
 * @reterr:     may be NULL
 *
 * Errors:  -ETIMEDOUT  not all stopped in time; the group was thawed again
 *          -ENODEV     no freezer on this host
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_freeze(struct cgfs_group *g, unsigned int timeout_ms,
					  struct cgfs_err *reterr);

/** cgfs_group_thaw() - let them run again; a group that is not frozen is a success */
CGFS_API CGFS_CHECK int cgfs_group_thaw(struct cgfs_group *g, struct cgfs_err *reterr);

/**
 * cgfs_group_kill() - SIGKILL to every process of a group and its descendants
 * @g:      borrowed
 * @reterr: may be NULL
 *
 * Does not wait.  cgroup.kill where there is a cgroup2 directory, so that no fork escapes;
 * else rounds of signals until cgroup.procs is empty.  A frozen group dies as well.
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_kill(struct cgfs_group *g, struct cgfs_err *reterr);

/**
 * cgfs_group_remove() - begin to delete a group: kill, wait until empty, remove
 * @g:      borrowed; still to be closed by the caller, at any time
 * @reterr: may be NULL
 *
 * Returns at once.  A CGFS_EVENT_REMOVED says when everything is gone, bottom-up, in every
 * hierarchy, together with what was below it; its `error` says if something stayed.
 *
 * Errors:  -EALREADY  it has begun before
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_remove(struct cgfs_group *g, struct cgfs_err *reterr);

/* Options of a removal; CGFS_REMOVE_OPTS_INIT, then set what differs. */
struct cgfs_remove_opts {
	size_t sz;
	/* Have the kernel take back the memory that is still charged, page cache most of all,
	 * between the last process's end and the first rmdir.  Otherwise the cgroup lives on in the
	 * kernel, as a dying descendant, until that memory is needed by others. */
	bool reclaim;
};

#define CGFS_REMOVE_OPTS_INIT                                                                      \
	{                                                                                          \
		.sz = sizeof(struct cgfs_remove_opts)                                              \
	}

/**
 * cgfs_group_remove_with() - cgfs_group_remove() with options
 * @g:      borrowed; still to be closed by the caller, at any time
 * @opts:   borrowed; NULL for the defaults
 * @reterr: may be NULL
 *
 * Memory that cannot be reclaimed does not keep the group from being removed; the event says why.
 *
 * Errors:  as cgfs_group_remove(), and
 *          -EINVAL      @opts->sz is not that of this library
 *          -EOPNOTSUPP  this kernel cannot be told to reclaim; nothing has begun
 * Context: with @opts->reclaim the call, or the cgfs_event_read() that finds the group empty,
 *          takes as long as the kernel reclaims
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_remove_with(struct cgfs_group *g,
					       const struct cgfs_remove_opts *opts,
					       struct cgfs_err *reterr);

/**
 * cgfs_group_destroy_with() - cgfs_group_destroy() with options
 * @g:          borrowed; still to be closed by the caller
 * @opts:       borrowed; NULL for the defaults
 * @timeout_ms: how long at the most
 * @reterr:     may be NULL
 *
 * Errors:  as cgfs_group_destroy() and cgfs_group_remove_with()
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_destroy_with(struct cgfs_group *g,
						const struct cgfs_remove_opts *opts,
						unsigned int timeout_ms, struct cgfs_err *reterr);

/**
 * cgfs_group_destroy() - the same, and wait for it
 * @g:          borrowed; still to be closed by the caller
 * @timeout_ms: how long at the most
 * @reterr:     may be NULL
 *
 * Other events that arrive meanwhile are kept for cgfs_event_read().
 *
 * Errors:  -ETIMEDOUT  something would not die; the error names what is left.  The removal
 *                      goes on through the event descriptor
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_destroy(struct cgfs_group *g, unsigned int timeout_ms,
					   struct cgfs_err *reterr);

/**
 * cgfs_pod_list() - call @fn for each directory below the pods root, in any hierarchy
 * @c:      borrowed
 * @fn:     called once per id; a non-zero return stops the walk and is returned
 * @arg:    for @fn
 * @reterr: may be NULL
 *
 * Return: 0, what @fn returned, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_pod_list(struct cgfs *c, int (*fn)(void *arg, const char *id),
				      void *arg, struct cgfs_err *reterr);

/** cgfs_container_list() - the same for what is below a pod */
CGFS_API CGFS_CHECK int cgfs_container_list(struct cgfs_group *pod,
					    int (*fn)(void *arg, const char *id), void *arg,
					    struct cgfs_err *reterr);

/**
 * cgfs_sweep() - remove what an earlier process left
 * @c:            borrowed
 * @keep:         asked for each id below the pods root that has no handle; true: it stays.
 *                NULL: nothing stays
 * @arg:          for @keep
 * @timeout_ms:   for each of them, as in cgfs_group_destroy()
 * @ret_removed:  out; how many were removed; may be NULL; set on failure too
 * @reterr:       may be NULL; of the first that could not be removed; the sweep goes on
 *
 * Errors:  -EINVAL  no @keep at the top of the hierarchies (cgfs_open_opts.top), which are full of
 *                   what is not ours
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_sweep(struct cgfs *c, bool (*keep)(void *arg, const char *id),
				   void *arg, unsigned int timeout_ms, size_t *ret_removed,
				   struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
