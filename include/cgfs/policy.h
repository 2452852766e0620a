/* SPDX-License-Identifier: MIT */
/*
 * cgfs/policy.h - what enforces device rules and watches kills where control files cannot.
 *
 * The library does not know eBPF.  Whoever does (bpf/, or the fake of the tests) hands this
 * table to cgfs_open(); the library calls it at the right moments of a group's life.  All
 * functions return 0 or a negative errno and fill @reterr on failure.
 */
#ifndef CGFS_POLICY_H
#define CGFS_POLICY_H

#include <cgfs/base.h>
#include <cgfs/capability.h>
#include <cgfs/device.h>
#include <cgfs/event.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One pod or container, seen from the policy's side.  All members are borrowed for the call. */
struct cgfs_policy_group {
	int cgroup_fd;		/* its directory in the cgroup2 tree, as struct cgfs_fs gave it */
	uint64_t cgroup_id;	/* inode of that directory */
	uint64_t pod_cgroup_id; /* the same of its pod; equal to cgroup_id for a pod and for a
				   standalone container */
	const char *pod;	/* id; "" for a standalone container */
	const char *container;	/* id; "" for a pod */
};

/* What the policy has counted for one group since it was added. */
struct cgfs_policy_counters {
	uint64_t device_allowed;
	uint64_t device_denied;
	uint64_t oom_kills;
	uint64_t events_lost;
};

struct cgfs_policy_ops {
	/* A group was made, or found again after a restart, and no process can have joined it
	 * through the library before this returns.  Idempotent: a group that is known keeps
	 * its rules and counters when @rules is NULL.
	 * @rules NULL: a container without a list of its own, bound by its pod's alone; a pod or
	 * standalone container then denies everything until set_rules. */
	int (*add)(void *ctx, const struct cgfs_policy_group *group,
		   const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr);
	/* Replaces the whole list at one instant: every request is judged by the old list or by
	 * the new one.  @rules NULL: back to the pod's list alone. */
	int (*set_rules)(void *ctx, const struct cgfs_policy_group *group,
			 const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr);
	/* The group's directory is about to be removed, or is gone: cgroup_fd may be -EBADF.
	 * A group that is not known is a success. */
	int (*remove)(void *ctx, const struct cgfs_policy_group *group, struct cgfs_err *reterr);
	/* Forgets the groups whose directories somebody else removed.  @cgroup2_fd is a directory
	 * of the tree that they were in, borrowed, as struct cgfs_fs gave it. */
	int (*sweep)(void *ctx, int cgroup2_fd, struct cgfs_err *reterr);
	int (*counters)(void *ctx, uint64_t cgroup_id, struct cgfs_policy_counters *ret);
	/* A real, pollable descriptor (-ENOTSUP when there are no events), and a non-blocking
	 * read that returns 1 with an event, with names resolved, or 0 without. */
	int (*event_fd)(void *ctx);
	int (*event_read)(void *ctx, struct cgfs_event *ret_event, struct cgfs_err *reterr);
	/* Does event_read report OOM kills?  If not, the library watches control files. */
	bool (*reports_oom)(void *ctx);
	/* Appends what was probed; see cgfs/capability.h. */
	int (*probe)(void *ctx, struct cgfs_capabilities *caps, struct cgfs_err *reterr);
	/* The list in force, in any words that decide the same: 1 with a list to be released with
	 * free(3) (of no rules: it is not NULL either), 0 when the group has none of its own and is
	 * bound by its pod's, -ENOENT when the group is not known. */
	int (*get_rules)(void *ctx, const struct cgfs_policy_group *group,
			 struct cgfs_device_rule **ret_rules, size_t *ret_n,
			 struct cgfs_err *reterr);
};

struct cgfs_policy {
	const struct cgfs_policy_ops *ops;
	void *ctx;
};

#ifdef __cplusplus
}
#endif
#endif
