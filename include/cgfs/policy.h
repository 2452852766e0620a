/* SPDX-License-Identifier: MIT */
/*
 * cgfs/policy.h - what enforces device rules and watches kills where control files cannot.
 *
 * The library does not know eBPF.  An implementation (bpf/, or the fake of the tests) passes this
 * table to cgfs_open(), and the library calls it at each step of a group's life.  All
 * functions return 0 or a negative errno and fill @reterr on failure.
 */
#ifndef CGFS_POLICY_H
#define CGFS_POLICY_H

#include <cgfs/abi/figures.h>
#include <cgfs/base.h>
#include <cgfs/capability.h>
#include <cgfs/device.h>
#include <cgfs/event.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One pod or container, seen from the policy's side.  All members are borrowed for the call. */
struct cgfs_policy_group {
	size_t sz;
	int cgroup_fd;		/* its directory in the cgroup2 tree, as struct cgfs_fs gave it */
	uint64_t cgroup_id;	/* inode of that directory */
	uint64_t pod_cgroup_id; /* the same of its pod; equal to cgroup_id for a pod and for a
				   standalone container */
	const char *pod;	/* id; "" for a standalone container */
	const char *container;	/* id; "" for a pod */
	uint64_t memory_id;	/* add() of a policy that counts memory, admit_memory(), and
				   hold_memory(): inode of its directory in the hierarchy that
				   carries memory; 0: not known */
	uint64_t detach_later;	/* remove(): 1: the kernel is busy with the end of many cgroups, and
				   what waits for that is left to it */
};

/* What the policy has counted for one group since it was added. */
struct cgfs_policy_counters {
	size_t sz; /* set by the library; the policy fills as far as it reaches */
	uint64_t device_allowed;
	uint64_t device_denied;
	uint64_t oom_kills;
	uint64_t events_lost;
	uint64_t counts_oom; /* 1: oom_kills counts, also without a reader of events; 0: not */
	/* Memory, as seen at each charge. */
	uint64_t counts_memory;	     /* 1: these count; 0: not */
	uint64_t memory_usage;	     /* bytes, at the last charge */
	uint64_t memory_peak;	     /* bytes */
	uint64_t memory_charges;     /* charges that changed usage, or were refused */
	uint64_t memory_failed;	     /* of these, refused */
	uint64_t memory_failed_here; /* of these, by the limit of this group */
	uint64_t memory_reclaims;    /* runs of reclaim that its processes had to wait for */
	uint64_t memory_reclaim_us;  /* how long they took */
	/* Admission. */
	uint64_t counts_admit;	 /* 1: these count, the group has or had a budget; 0: not */
	uint64_t admit_budget;	 /* bytes; CGFS_MAX: none */
	uint64_t admit_refusing; /* 1: the last request that was looked at was refused */
	uint64_t admit_maps;	 /* requests that were refused */
	uint64_t admit_execs;
	uint64_t admit_forks;
	uint64_t admit_exempt;	/* 1: no budget refuses its processes; also without counts_admit */
	uint64_t admit_follows; /* 1: the budget follows the group's memory limit, and admit_budget
				   is of the time at which a request was last looked at */
};

/* What admission is to do with a group. */
struct cgfs_policy_admit {
	size_t sz;
	uint64_t budget_bytes; /* CGFS_MAX: none */
	uint64_t lift_bytes;   /* once refused, admitted again at this usage */
	bool exempt;	       /* no budget, its own or its pod's, refuses its processes */
	bool follows;	       /* both are those of the memory limit at this moment; the policy
				  goes on to compute them when that changes: the limit less a
				  sixteenth, at least 1 MiB and at most half of it, and of
				  the rest a sixteenth less; without a limit none */
	bool reserved[6];      /* false */
};

/* The memory of one group, as the kernel's own counters have it. */
struct cgfs_policy_memory {
	size_t sz;
	struct cgfs_figures figures;
};

struct cgfs_policy_ops {
	size_t sz; /* sizeof(struct cgfs_policy_ops); all functions up to get_rules must be there */
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
	/* Forgets the groups whose directories another process removed.  @cgroup2_fd is a directory
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
	/* The three of memory: NULL, or counts_memory() false, where it is not counted.  Then
	 * memory_id of struct cgfs_policy_group is not looked at, and the library watches control
	 * files. */
	bool (*counts_memory)(void *ctx);
	/* Replaces the thresholds of a group; @n 0: none.  From now on event_read() reports each
	 * that is crossed by a charge; those that were, and are in the new list, stay crossed. */
	int (*watch_memory)(void *ctx, uint64_t cgroup_id, const struct cgfs_memory_line *lines,
			    size_t n, struct cgfs_err *reterr);
	/* The caller has seen usage at or above @bytes, one of the thresholds: 1 when that is news
	 * and the caller is to report it, 0 when it was or will be reported by event_read(). */
	int (*crossed_memory)(void *ctx, uint64_t cgroup_id, uint64_t bytes);
	/* Replaces what admission does with a group, at one instant; NULL where there is none. */
	int (*admit_memory)(void *ctx, const struct cgfs_policy_group *group,
			    const struct cgfs_policy_admit *admit, struct cgfs_err *reterr);
	/* For @ms milliseconds no budget refuses processes of the group that are started from now
	 * on, or with @all any; a success where no group has a budget. */
	int (*hold_memory)(void *ctx, const struct cgfs_policy_group *group, uint64_t ms, bool all,
			   struct cgfs_err *reterr);
	/* Both NULL, or a negative errno, where there is no report: the library reads files. */
	/* Takes the figures of all groups at once; *@ret_session is never 0. */
	int (*report_memory)(void *ctx, uint64_t *ret_session);
	/* Those of one group, taken in that session or since; -ENOENT: it was not there then. */
	int (*reported_memory)(void *ctx, uint64_t cgroup_id, uint64_t session,
			       struct cgfs_policy_memory *ret);
	/* NULL where that cannot be known.  Calls @fn for each device program on the group's own
	 * cgroup that this policy, or another of its kind, did not attach; what @fn returns but 0
	 * ends that, and is returned when it is negative. */
	int (*foreign_programs)(void *ctx, const struct cgfs_policy_group *group,
				int (*fn)(void *arg, uint32_t id, const char *name), void *arg);
};

struct cgfs_policy {
	size_t sz;
	const struct cgfs_policy_ops *ops;
	void *ctx;
};

#ifdef __cplusplus
}
#endif
#endif
