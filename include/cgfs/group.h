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
 * The values are checked first, then every directory is created, then the device policy is put
 * in place, then the limits are written.  If any step fails, all is undone.
 *
 * Units:   as in struct cgfs_resources
 * Errors:  -EINVAL      the id or a value is not valid; nothing was written
 *          -EEXIST      the id is in use; the group that has it is unchanged
 *          -ENODEV      a resource needs a controller that is not on this host
 *          -EOPNOTSUPP  a resource cannot be expressed on this controller's version
 *          other        the kernel's, about the file in reterr->path
 * Context: with a policy, may wait for another process that is changing its pins
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
 * Units:   as in struct cgfs_resources
 * Errors:  as cgfs_pod_create(), and
 *          -EINVAL  @pod is not a pod, or is being removed
 * Context: as cgfs_pod_create()
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_container_create(struct cgfs *c, struct cgfs_group *pod,
					      const char *id, const struct cgfs_resources *res,
					      struct cgfs_group **ret, struct cgfs_err *reterr);

/**
 * cgfs_pod_open() - a handle for a pod that exists
 * @c:      borrowed; must outlive the handle
 * @id:     borrowed; see cgfs_id_check()
 * @ret:    out; release with cgfs_group_close()
 * @reterr: may be NULL
 *
 * Registers the group with the device policy.  A group that the policy does not know, since its
 * maps were lost or the group was made without one, stays as it is until a list is set.
 *
 * Errors:  -ENOENT  no hierarchy has such a directory
 *          -EINVAL  the id is not valid
 *          -EBUSY   the group is bound by the policy of another pin directory
 *          other    the kernel's, or the policy's
 * Context: with a policy, may wait for another process that is changing its pins
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_pod_open(struct cgfs *c, const char *id, struct cgfs_group **ret,
				      struct cgfs_err *reterr);

/**
 * cgfs_container_open() - a handle for a container that exists
 * @c:      borrowed; must outlive the handle
 * @pod:    borrowed, as for cgfs_container_create(); NULL for a standalone container
 * @id:     borrowed; see cgfs_id_check()
 * @ret:    out; release with cgfs_group_close()
 * @reterr: may be NULL
 *
 * Errors:  as cgfs_pod_open()
 * Context: as cgfs_pod_open()
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_container_open(struct cgfs *c, struct cgfs_group *pod, const char *id,
					    struct cgfs_group **ret, struct cgfs_err *reterr);

/**
 * cgfs_group_close() - release the handle; the cgroup and its processes stay
 * @g: may be NULL
 *
 * A removal in progress continues; CGFS_EVENT_REMOVED reports its end.
 */
CGFS_API void cgfs_group_close(struct cgfs_group *g);

/* These only read memory.  Strings and the pod's handle belong to @g and are valid until it is
 * closed; cgroup_id is the inode in the cgroup2 tree, 0 without one. */
CGFS_API const char *cgfs_group_id(const struct cgfs_group *g);
CGFS_API struct cgfs_group *cgfs_group_pod(
	const struct cgfs_group *g); /* NULL: standalone, or a pod */
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
 *          -ENOENT  @g is being removed
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
 * unless both are within a threaded tree; where all controllers are on cgroup2, the container
 * must be part of such a tree.  Memory is always charged to the process.
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
 * @ret_pidfd: out, in the parent only; release with close(2)
 * @reterr:    may be NULL; filled in the parent
 *
 * Returns twice, as fork does, once the child is in every hierarchy of the container; the
 * child does not return when it could not join one.  It takes 0.5 ms where
 * cgfs_group_add_pid() takes 9 ms, because nothing has to wait for a grace period.  In a process
 * with several threads the child may call async-signal-safe functions only.
 *
 * Errors:  -EINVAL      @g is a pod, or is being removed
 *          -EOPNOTSUPP  the context is not on a kernel (struct cgfs_fs of a simulation)
 *          -EAGAIN      pids.max, of the container or its pod
 *          -EBUSY       it is frozen, so the child would not run
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
 * @ret_n:    out; how many
 * @reterr:   may be NULL
 *
 * Errors:  -ENOENT or -ENODEV  the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_pids(struct cgfs_group *g, pid_t **ret_pids, size_t *ret_n,
					struct cgfs_err *reterr);

/**
 * cgfs_group_pids_bounded() - cgfs_group_pids(), if there are not too many cgroups to look into
 * @g:           borrowed
 * @max_cgroups: how many may be below the group
 * @ret_pids:    out; release with free(3); NULL when there are none
 * @ret_n:       out
 * @reterr:      may be NULL
 *
 * A container makes cgroups below its own as it likes, and each takes three system calls.  A
 * program that serves others meanwhile asks for the list of a wide tree in another thread or
 * process.
 *
 * Errors:  -E2BIG               there are more than @max_cgroups
 *          -ENOENT or -ENODEV  the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Context: does not wait
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_pids_bounded(struct cgfs_group *g, size_t max_cgroups,
						pid_t **ret_pids, size_t *ret_n,
						struct cgfs_err *reterr);

/**
 * cgfs_group_threads() - the threads of a group and its descendants
 * @g:        borrowed
 * @ret_tids: out; release with free(3); NULL when there are none
 * @ret_n:    out; how many
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
 * @timeout_ms: how long to wait until all have stopped; the group is thawed after that
 * @reterr:     may be NULL
 *
 * Errors:  -ETIMEDOUT  not all have stopped in time; the group was thawed again
 *          -ENODEV     no freezer on this host, or the group is gone
 *          other       the kernel's; the group was thawed again
 * Context: waits @timeout_ms at the most
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_freeze(struct cgfs_group *g, unsigned int timeout_ms,
					  struct cgfs_err *reterr);

/**
 * cgfs_group_thaw() - resume all processes of a group; one that is not frozen is a success
 * @g:      borrowed
 * @reterr: may be NULL
 *
 * Where v1's freezer is mounted beside a cgroup2 tree, both are thawed, also when
 * another process froze them.
 *
 * Errors:  -ENODEV  no freezer on this host, or the group is gone
 *          other    the kernel's
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_thaw(struct cgfs_group *g, struct cgfs_err *reterr);

/**
 * cgfs_group_kill() - SIGKILL to every process of a group and its descendants
 * @g:      borrowed
 * @reterr: may be NULL
 *
 * Does not wait until they have exited.  With a cgroup2 directory the library writes cgroup.kill,
 * so that no fork escapes.  Without one, it sends rounds of signals until cgroup.procs of another
 * hierarchy is empty, and stops the processes between them.  A frozen group is killed as well.
 *
 * Errors:  -ENODEV or -ENOENT  the group is gone
 *          other               the kernel's; some processes may have been killed
 * Context: without a cgroup2 directory takes up to half a second
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_kill(struct cgfs_group *g, struct cgfs_err *reterr);

/**
 * cgfs_group_kill_begin() - cgfs_group_kill() for callers that must not wait
 * @g:      borrowed; closing it ends the kill where it is
 * @reterr: may be NULL; filled for an error of the first part
 *
 * Works for a few milliseconds; each cgfs_event_read() then continues.  More than one part is
 * needed when the group has very many cgroups below it, or when processes have to be stopped
 * first.  No event reports the end of the kill; cgfs_group_watch_empty() reports the last exit, and
 * cgfs_group_remove(), which kills in the same way, reports the removal.
 *
 * Errors:  as cgfs_group_kill()
 * Context: does not wait
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_kill_begin(struct cgfs_group *g, struct cgfs_err *reterr);

/* Options of cgfs_group_remove(); CGFS_REMOVE_OPTS_INIT, then set what differs. */
struct cgfs_remove_opts {
	size_t sz;
	/* Have the kernel reclaim the memory that is still charged, mostly page cache, between the
	 * exit of the last process and the first rmdir.  Otherwise the cgroup stays in the kernel
	 * as a dying descendant until that memory is reclaimed for another reason. */
	bool reclaim;
	/* Return when everything is removed, or after @timeout_ms, instead of reporting it by an
	 * event.  Other events that arrive in the meantime are kept for cgfs_event_read(). */
	bool wait;
	unsigned int timeout_ms;
	/* How many cgroups may be below the group, counted over all hierarchies; 0: any number.
	 * With more the removal ends with -E2BIG once the processes are gone: see
	 * cgfs_group_clear(). */
	size_t max_below;
};

#define CGFS_REMOVE_OPTS_INIT CGFS_SIZED(struct cgfs_remove_opts)

#ifndef __cplusplus
/* The most frequent options in place, as an argument: wait for @ms milliseconds at the most. */
#define CGFS_REMOVE_OPTS_WAIT(ms)                                                                  \
	(&(struct cgfs_remove_opts){                                                               \
		.sz = sizeof(struct cgfs_remove_opts), .wait = true, .timeout_ms = (ms) })
#endif

/**
 * cgfs_group_remove() - delete a group: kill, wait until it is empty, remove
 * @g:      borrowed; the caller still has to close it, at any time
 * @opts:   borrowed; NULL for the defaults
 * @reterr: may be NULL
 *
 * Returns at once, unless @opts->wait is set.  CGFS_EVENT_REMOVED reports that the group and all
 * cgroups below it are removed from every hierarchy; its `error` is negative if something stayed.
 * Memory that cannot be reclaimed does not prevent the removal; the event has the reason.
 *
 * Errors:  -EALREADY    a removal is in progress; with @opts->wait the call waits for it
 *          -ETIMEDOUT   not everything was removed in time; the error names what is left.  The
 *                       removal continues, and an event reports its end
 *          -ENOENT      the group was removed before, alone or with its pod
 *          -EOPNOTSUPP  @opts->reclaim, and this kernel cannot reclaim on request; nothing was
 *                       changed
 *          -EINVAL      @opts->sz is not set
 *          -E2BIG       @opts is from a newer version and uses members unknown here; with
 *                       @opts->wait also: there are more than @opts->max_below
 * Context: waits @opts->timeout_ms at the most, with @opts->wait.  With @opts->reclaim the call, or
 *          the cgfs_event_read() that finds the group empty, takes as long as the kernel reclaims
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_remove(struct cgfs_group *g, const struct cgfs_remove_opts *opts,
					  struct cgfs_err *reterr);

/**
 * cgfs_group_clear() - remove the directories of a container, or of a pod without containers, and
 * all cgroups below
 * @g:      borrowed; of a pod the containers stay, and it with them
 * @reterr: may be NULL; names the first that could not be removed
 *
 * For callers that must not wait: a container can have made so many cgroups below its own that
 * the kernel holds each rmdir up for a long time, also the last ones.  They give
 * cgfs_remove_opts.max_below, call this in a child process when the removal ends with -E2BIG, and
 * call cgfs_group_remove() once more, which finds little or nothing left and does all else.
 * Only directories change; nothing that the parent process has in memory does.
 *
 * Errors:  -EBUSY  there is a process in a cgroup below it; the others have been removed
 *          others  the kernel's
 * Context: takes as long as the kernel takes
 *
 * Return: 0, or a negative errno.  0 also where a process is in the group itself: then it stays.
 */
CGFS_API CGFS_CHECK int cgfs_group_clear(struct cgfs_group *g, struct cgfs_err *reterr);

/**
 * cgfs_pod_list() - call @fn for each directory below the pods root, in any hierarchy
 * @c:      borrowed
 * @fn:     called once per id, which is borrowed; a non-zero return stops the walk and is returned
 * @arg:    for @fn
 * @reterr: may be NULL
 *
 * Errors:  -ENOMEM, or the kernel's about the directory in reterr->path; a root that does not
 *          exist has no pods
 *
 * Return: 0, what @fn returned, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_pod_list(struct cgfs *c, int (*fn)(void *arg, const char *id),
				      void *arg, struct cgfs_err *reterr);

/**
 * cgfs_container_list() - call @fn for each directory below a pod, in any hierarchy
 * @pod:    borrowed
 * @fn:     as for cgfs_pod_list()
 * @arg:    for @fn
 * @reterr: may be NULL
 *
 * Errors:  as cgfs_pod_list()
 *
 * Return: 0, what @fn returned, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_container_list(struct cgfs_group *pod,
					    int (*fn)(void *arg, const char *id), void *arg,
					    struct cgfs_err *reterr);

/**
 * cgfs_sweep() - remove pods that an earlier process left
 * @c:            borrowed
 * @keep:         called for each id below the pods root that has no handle; true: it stays.
 *                NULL: all are removed
 * @arg:          for @keep
 * @timeout_ms:   for each of them, as in struct cgfs_remove_opts
 * @ret_removed:  out; how many were removed; may be NULL; set on failure too
 * @reterr:       may be NULL; filled for the first that could not be removed; the sweep continues
 *
 * Errors:  -EINVAL  @keep is NULL at the top of the hierarchies (cgfs_open_opts.top), where other
 *                   programs have their cgroups
 *          others   as cgfs_group_remove(), of the first that could not be removed
 * Context: waits @timeout_ms at the most for each pod
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
