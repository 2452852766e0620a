/* SPDX-License-Identifier: MIT */
/*
 * cgfs/update.h - limits and device rules of groups that exist: changed, read back, resized.
 */
#ifndef CGFS_UPDATE_H
#define CGFS_UPDATE_H

#include <cgfs/base.h>
#include <cgfs/resources.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs_group;

/* Limits as the kernel has them after an update: it rounds, and see CGFS_SET_NEAREST.  Only the
 * members whose CGFS_SET_ bit is in @set are known.  CGFS_MAX is "no limit". */
struct cgfs_applied {
	size_t sz;
	uint64_t set;
	uint64_t memory_max_bytes;
	uint64_t memory_swap_bytes; /* memory and swap together, as in struct cgfs_resources */
	uint64_t memory_high_bytes;
	uint64_t memory_low_bytes;
	uint64_t cpu_weight;
	uint64_t cpu_quota_us, cpu_period_us;
	uint64_t pids_max;
	uint64_t memory_in_use_bytes; /* now, when memory_max_bytes is known */
	uint64_t memory_min_bytes;
	uint64_t memory_zswap_max_bytes;
	uint64_t memory_swappiness;
	uint64_t memory_kernel_bytes, memory_kernel_tcp_bytes;
	bool memory_oom_group, memory_oom_disable, memory_zswap_writeback;
	bool cpu_idle;
	uint32_t net_classid;
	uint64_t cpu_burst_us;
	uint64_t cpu_rt_runtime_us, cpu_rt_period_us;
	uint64_t io_weight; /* 10..1000; of iocost's weights between two the lower one */
	/* With the bits of cpuset_cpus and cpuset_mems: those in effect are not those that are set;
	 * cgfs_group_cpuset() has both. */
	bool cpus_differ, mems_differ;
	bool admit_exempt;
	bool reserved[5]; /* false */
	uint64_t memory_admit_bytes;
};

#define CGFS_APPLIED_INIT CGFS_SIZED(struct cgfs_applied)

/* Options of cgfs_group_set(); CGFS_SET_OPTS_INIT, then set what differs. */
struct cgfs_set_opts {
	size_t sz;
	/* In: CGFS_APPLIED_INIT; out: of the limits in @res->set those that struct cgfs_applied
	 * has, as they read afterwards.  NULL: not wanted. */
	struct cgfs_applied *applied;
};

#define CGFS_SET_OPTS_INIT CGFS_SIZED(struct cgfs_set_opts)

#ifndef __cplusplus
/* The most frequent options in place, as an argument: report into *@to. */
#define CGFS_SET_OPTS_APPLIED(to)                                                                  \
	(&(struct cgfs_set_opts){ .sz = sizeof(struct cgfs_set_opts), .applied = (to) })
#endif

/**
 * cgfs_group_set() - change limits or the device policy
 * @g:      borrowed
 * @res:    borrowed; what is not in @res->set stays as it is
 * @opts:   borrowed; NULL for the defaults
 * @reterr: may be NULL
 *
 * The values are checked before the first write.  If the kernel refuses one, the files that
 * were already written get their old values back.
 *
 * For a memory limit below what is in use the library lowers memory.high, writes memory.reclaim as
 * long as that helps, writes the limit, and restores memory.high; v1's kernel reclaims when the
 * limit is written.  No process is killed for it without CGFS_SET_ALLOW_OOM_KILL.  If too little
 * can be reclaimed, the call is -EBUSY and changes nothing; with CGFS_SET_NEAREST it sets the
 * lowest possible limit instead, which @opts->applied has.
 *
 * Units:   as in struct cgfs_resources
 * Errors:  as cgfs_pod_create(), and
 *          -EBUSY   more memory is in use than the new limit, and it cannot be reclaimed; see
 *                   CGFS_SET_NEAREST and CGFS_SET_ALLOW_OOM_KILL
 *          -EINVAL  sz of @res, @opts or @opts->applied is not set
 *          -E2BIG   one of them is from a newer version and uses members unknown here
 * Context: takes as long as the kernel reclaims
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_set(struct cgfs_group *g, const struct cgfs_resources *res,
				       const struct cgfs_set_opts *opts, struct cgfs_err *reterr);

/**
 * cgfs_group_hold_admission() - exempt processes that are started now from memory budgets
 * @g:      borrowed
 * @ms:     how long, in milliseconds; at most an hour
 * @all:    processes that are there already, too
 * @reterr: may be NULL
 *
 * For a caller that starts a process in the group from outside, as an OCI runtime does.  For @ms no
 * budget (memory_admit_bytes), of the group or of its pod, refuses processes of the group that were
 * started after this call, or with @all any process of it.  Calls that overlap count as one that
 * began with the first, but no process is exempt that is older than two minutes at the last call.
 * Does nothing where no group has a budget.
 *
 * Errors:  -EINVAL  @ms is too large
 *          -EROFS   the context is for reading
 *          other    the policy's
 * Context: may wait for another process that is changing rules
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_hold_admission(struct cgfs_group *g, uint64_t ms, bool all,
						  struct cgfs_err *reterr);

/**
 * cgfs_group_limits() - the limits in force, without changing any
 * @g:           borrowed
 * @ret_applied: in: CGFS_APPLIED_INIT; out: all that there are on this host
 * @reterr:      may be NULL
 *
 * After cgfs_pod_resize(), for the pod and each container, it reads what cgfs_group_set() reports.
 * Limits that are lists: cgfs_group_io_limits(), cgfs_group_net_prio(), cgfs_group_hugetlb(),
 * cgfs_group_rdma(), cgfs_group_misc(); processors and nodes: cgfs_group_cpuset().
 *
 * Units:   as in struct cgfs_resources
 * Errors:  -EINVAL  @ret_applied->sz is not set
 *          -E2BIG   it is from a newer version and has members set that are unknown here
 *          -ENOENT or -ENODEV  the group is gone
 * Context: opens files; nothing is kept
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_limits(struct cgfs_group *g, struct cgfs_applied *ret_applied,
					  struct cgfs_err *reterr);

/**
 * cgfs_group_devices() - the device rules in force
 * @g:         borrowed
 * @ret_rules: out; release with free(3); NULL when the group has no list and only its pod's list
 *             binds it.  A list of no rules, which denies everything, is not NULL
 * @ret_n:     out; how many rules
 * @reterr:    may be NULL
 *
 * In order, from "deny everything", as cgfs_group_set() takes them.  Read from the device policy,
 * also when another process set it; without a policy, from v1's devices.list as it was when the
 * handle was made, with later changes.  The rules can differ from those that were written, but they
 * decide the same.
 *
 * Errors:  -ENODEV  neither a device policy nor v1's devices controller on this host
 *          -ENOMEM, or the policy's
 * Context: may wait for another process that is changing rules
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_devices(struct cgfs_group *g,
					   struct cgfs_device_rule **ret_rules, size_t *ret_n,
					   struct cgfs_err *reterr);

/**
 * cgfs_group_io_limits() - the limits of a group's block devices, as they are in force
 * @g:       borrowed
 * @ret_dev: out; release with free(3); NULL when there are none
 * @ret_n:   out; one entry a device, with those limits in `set` that it has
 * @reterr:  may be NULL
 *
 * v2 io.max, io.latency, io.bfq.weight or io.weight; v1 blkio.throttle.*_device,
 * blkio.bfq.weight_device or blkio.weight_device.
 *
 * Units:   as in struct cgfs_io_device; a weight of iocost is rounded down
 * Errors:  -ENODEV  no io controller on this host, or the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Context: opens files; nothing is kept
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_io_limits(struct cgfs_group *g, struct cgfs_io_device **ret_dev,
					     size_t *ret_n, struct cgfs_err *reterr);

/**
 * cgfs_group_net_prio() - the priority of each network interface for a group's traffic
 * @g:        borrowed
 * @ret_prio: out; release with free(3), names included; NULL when there is no interface
 * @ret_n:    out; every interface of the network namespace, as net_prio.ifpriomap has them
 * @reterr:   may be NULL
 *
 * Errors:  -ENODEV  no net_prio controller on this host (v1 only), or the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Context: opens files; nothing is kept
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_net_prio(struct cgfs_group *g, struct cgfs_net_prio **ret_prio,
					    size_t *ret_n, struct cgfs_err *reterr);

/**
 * cgfs_group_reclaim() - reclaim memory of a group now
 * @g:         borrowed; descendants are included
 * @bytes:     how much; CGFS_MAX: all that can be
 * @ret_bytes: out; by how much usage went down, which can be less than @bytes; may be NULL
 * @reterr:    may be NULL
 *
 * v2: memory.reclaim, as long as it helps.  v1: memory.force_empty, which knows no amount.
 *
 * Errors:  -ENODEV      no memory controller on this host
 *          -EOPNOTSUPP  a kernel before 5.19, or a part on v1
 *          other        the kernel's about the file in reterr->path
 * Context: takes as long as the kernel reclaims
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_reclaim(struct cgfs_group *g, uint64_t bytes,
					   uint64_t *ret_bytes, struct cgfs_err *reterr);

/**
 * cgfs_pod_resize() - change a pod and containers of it together
 * @pod:     borrowed
 * @pod_res: borrowed; NULL: the pod stays as it is
 * @ctr:     borrowed; @n containers of @pod
 * @ctr_res: borrowed; the new limits of each of them, in the same order
 * @n:       how many
 * @reterr:  may be NULL
 *
 * For a 3-CPU pod with 1 + 2 that becomes 5 with 4 + 1, the pod grows, then the second container
 * shrinks, then the first one grows.  At no moment does a group have less than both its old and its
 * new share, or a container more than its pod.  Either all changes are applied, or none.
 *
 * Units:   as in struct cgfs_resources
 * Errors:  -EINVAL  a container of another pod; a device list; else as cgfs_group_set()
 *          -EBUSY   memory is in use beyond a new limit, see CGFS_SET_ALLOW_OOM_KILL
 * Context: takes as long as the kernel reclaims
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_pod_resize(struct cgfs_group *pod,
					const struct cgfs_resources *pod_res,
					struct cgfs_group *const *ctr,
					const struct cgfs_resources *ctr_res, size_t n,
					struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
