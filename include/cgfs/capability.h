/* SPDX-License-Identifier: MIT */
/*
 * cgfs/capability.h - what this host can do, found out by doing it.
 */
#ifndef CGFS_CAPABILITY_H
#define CGFS_CAPABILITY_H

#include <cgfs/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs;

struct cgfs_capability {
	char name[32]; /* "controller.memory", "cgroup.kill", "bpf.device" ... */
	bool ok;
	char detail[160]; /* where or how, when ok; why not, when not */
	char remedy[160]; /* what to change; empty when ok or when nothing helps */
};

#define CGFS_CAPABILITIES_MAX 64

struct cgfs_capabilities {
	size_t n;
	struct cgfs_capability cap[CGFS_CAPABILITIES_MAX];
};

/**
 * cgfs_capability_add() - append one finding; for those who implement struct cgfs_policy_ops
 * @caps:   the record; when it is full the finding is dropped
 * @name:   dotted name, at most 31 bytes
 * @ok:     does it work?
 * @detail: why, or where
 * @remedy: what to change; "" for none
 */
CGFS_API void cgfs_capability_add(struct cgfs_capabilities *caps, const char *name, bool ok,
				  const char *detail, const char *remedy);

/**
 * cgfs_probe() - try everything once and say how it went
 * @c:        borrowed
 * @ret_caps: out; the caller's storage
 * @reterr:   may be NULL
 *
 * Makes a scratch cgroup below the pods root, writes and reads back limits, asks the device
 * policy (if there is one) to try its programs, and removes everything again.  A capability
 * that is missing is a finding, not a failure.
 *
 * Errors:  what the kernel says when not even a scratch cgroup can be made
 * Context: takes milliseconds; not for hot paths
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_probe(struct cgfs *c, struct cgfs_capabilities *ret_caps,
				   struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
