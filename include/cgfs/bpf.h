/* SPDX-License-Identifier: MIT */
/*
 * cgfs/bpf.h - the eBPF programs for cgfs_open(): device policy, kill attribution, memory
 * accounting and admission, and the history of a pod.
 *
 * These functions are in a separate library (libcgfs-bpf), because they need libbpf and libcgfs
 * does not.
 */
#ifndef CGFS_BPF_H
#define CGFS_BPF_H

#include <cgfs/abi/history.h>
#include <cgfs/base.h>
#include <cgfs/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs_bpf;

struct cgfs_bpf_opts {
	size_t sz;
	/* Receive denials and kills.  The events of a pin directory are a queue, not a broadcast:
	 * one process at a time receives them. */
	bool events;
	/* Do not load kill attribution, which takes two thirds of the time, unless it is pinned.
	 * Excludes @events. */
	bool no_kills;
	/* For reading: uses what is pinned, or nothing (-ENOENT); loads, pins, attaches, locks and
	 * removes nothing, except that with @events the queue of events is read, if no other
	 * process does.  For a context with cgfs_open_opts.read_only; changes are -EROFS. */
	bool read_only;
	/* Where maps and links are pinned; NULL: /sys/fs/bpf/cgfs.  Made when missing; bpffs is
	 * mounted on /sys/fs/bpf when it is not. */
	const char *pin_dir;
	/* Count memory at the moment of each charge, and watch its thresholds there, where the
	 * kernel allows it; loading all takes over three times as long with it. */
	bool memory;
	bool reserved[7]; /* false */
};

#define CGFS_BPF_OPTS_INIT CGFS_SIZED(struct cgfs_bpf_opts)

/**
 * cgfs_bpf_open() - load the programs, or take over those that are pinned
 * @opts:   borrowed; NULL for the defaults
 * @ret:    out; release with cgfs_bpf_close()
 * @reterr: may be NULL
 *
 * The device program is required; kill attribution, and memory accounting where @opts->memory asks
 * for it, are used where the kernel allows them: cgfs_probe() reports that as `bpf.oom` and
 * `bpf.memory`.  Once a process has loaded them, they stay loaded.
 *
 * Errors:  -EOPNOTSUPP  this kernel has no CONFIG_CGROUP_BPF or refuses the program
 *          -ENOENT      @opts->read_only, and nothing is pinned
 *          -EPERM       CAP_BPF or CAP_SYS_ADMIN is missing
 *          -EPROTO      the pinned objects are of another version; the error names both
 *          -EINVAL      two options contradict each other
 *          other        the kernel's, about the pin in reterr->path
 * Context: takes 20 ms to load and verify; waits for another process that is changing the pins
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_bpf_open(const struct cgfs_bpf_opts *opts, struct cgfs_bpf **ret,
				      struct cgfs_err *reterr);

/**
 * cgfs_bpf_policy() - the table for cgfs_open_opts.policy
 * @bpf: borrowed; must outlive the context that uses it
 *
 * Return: a pointer into @bpf, valid until cgfs_bpf_close(); never NULL.
 */
CGFS_API const struct cgfs_policy *cgfs_bpf_policy(struct cgfs_bpf *bpf);

/**
 * cgfs_bpf_close() - release memory and descriptors; pinned programs keep enforcing
 * @bpf: may be NULL; contexts that use it must have been closed
 *
 * Another process may receive the events from now on, also while a child of this one has copies of
 * its descriptors.  A child that was forked since cgfs_bpf_open() releases only what it has itself.
 */
CGFS_API void cgfs_bpf_close(struct cgfs_bpf *bpf);

/* One record as it stands in the pinned map. */
struct cgfs_bpf_record {
	size_t sz; /* of an element of the list; see CGFS_AT() */
	struct cgfs_history_key key;
	struct cgfs_history value;
};

/**
 * cgfs_bpf_history() - refusals and kills in a pod and its containers
 * @bpf:           borrowed; may be for reading
 * @pod_cgroup_id: of the pod, or of a container without one
 * @ret:           out; the latest first; release with free(); walk with CGFS_AT()
 * @ret_n:         out; at most CGFS_HISTORY_SLOTS of each kind
 * @ret_lost:      out; records of any pod that found no room
 * @reterr:        may be NULL
 *
 * Records are kept until the pod is removed, also those of containers that are gone.  A pod
 * without records has none.
 *
 * Errors:  -ENOENT  the pod is not known
 *          -ENOMEM
 *          other    the kernel's
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_bpf_history(struct cgfs_bpf *bpf, uint64_t pod_cgroup_id,
					 struct cgfs_bpf_record **ret, size_t *ret_n,
					 uint64_t *ret_lost, struct cgfs_err *reterr);

/**
 * cgfs_bpf_unpin() - remove the pins when no group uses them any more
 * @bpf:    borrowed
 * @reterr: may be NULL
 *
 * Errors:  -EBUSY  there are still groups, or another process has the directory open for writing;
 *                  nothing was removed
 *          -EROFS  @bpf is for reading
 * Context: waits for another process that is changing the pins
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_bpf_unpin(struct cgfs_bpf *bpf, struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
