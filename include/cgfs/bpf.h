/* SPDX-License-Identifier: MIT */
/*
 * cgfs/bpf.h - the eBPF device policy and kill attribution, for cgfs_open().
 *
 * In a library of its own (libcgfs-bpf), because it needs libbpf and libcgfs does not.
 */
#ifndef CGFS_BPF_H
#define CGFS_BPF_H

#include <cgfs/base.h>
#include <cgfs/policy.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs_bpf;

struct cgfs_bpf_opts {
	size_t sz;
	/* Where maps and links are pinned; NULL: /sys/fs/bpf/cgfs.  Made when missing; bpffs is
	 * mounted on /sys/fs/bpf when it is not. */
	const char *pin_dir;
	/* Receive denials and kills?  One process at a time can: the events of a pin directory
	 * are a queue, not a broadcast. */
	bool events;
	/* Where kill attribution is not loaded yet, leave it so: it takes two thirds of the time.
	 * Not with events. */
	bool no_kills;
};

#define CGFS_BPF_OPTS_INIT                                                                         \
	{                                                                                          \
		.sz = sizeof(struct cgfs_bpf_opts)                                                 \
	}

/**
 * cgfs_bpf_open() - load the programs, or take over those that are pinned
 * @opts:   borrowed; NULL for the defaults
 * @ret:    out; release with cgfs_bpf_close()
 * @reterr: may be NULL
 *
 * The device program is required; kill attribution is used where the kernel allows it.  Once loaded
 * it stays, whoever asked for it.
 *
 * Errors:  -EOPNOTSUPP  this kernel has no CONFIG_CGROUP_BPF or refuses the program
 *          -EPERM       CAP_BPF or CAP_SYS_ADMIN is missing
 *          -EPROTO      what is pinned is of another version; the error names both
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_bpf_open(const struct cgfs_bpf_opts *opts, struct cgfs_bpf **ret,
				      struct cgfs_err *reterr);

/**
 * cgfs_bpf_policy() - the table to hand to cgfs_open()
 * @bpf: borrowed; must outlive the context that uses it
 *
 * Return: a pointer into @bpf.
 */
CGFS_API const struct cgfs_policy *cgfs_bpf_policy(struct cgfs_bpf *bpf);

/**
 * cgfs_bpf_close() - release memory and descriptors; pinned programs keep enforcing
 * @bpf: may be NULL
 */
CGFS_API void cgfs_bpf_close(struct cgfs_bpf *bpf);

/**
 * cgfs_bpf_unpin() - remove the pins when no group uses them any more
 * @bpf:    borrowed
 * @reterr: may be NULL
 *
 * Errors:  -EBUSY  groups are left; nothing was removed
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_bpf_unpin(struct cgfs_bpf *bpf, struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
