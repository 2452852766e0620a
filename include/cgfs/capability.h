/* SPDX-License-Identifier: MIT */
/*
 * cgfs/capability.h - what this host can do, found by trying it or, in a context for reading, by
 * reading.
 */
#ifndef CGFS_CAPABILITY_H
#define CGFS_CAPABILITY_H

#include <cgfs/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs;

/* Never changes its size: it is the element of an array in a structure. */
struct cgfs_capability {
	char name[32]; /* "controller.memory", "cgroup.kill", "bpf.device" ... */
	bool ok;
	char detail[160]; /* ok: where or how; not ok: the reason */
	char remedy[160]; /* what to change; empty when ok or when no change helps */
};

#define CGFS_CAPABILITIES_MAX 64

/* The detail of what a context for reading does not try. */
#define CGFS_NOT_TRIED "not tried, because that writes"

struct cgfs_capabilities {
	size_t sz;
	size_t n;
	struct cgfs_capability cap[CGFS_CAPABILITIES_MAX];
};

#define CGFS_CAPABILITIES_INIT CGFS_SIZED(struct cgfs_capabilities)

/**
 * cgfs_capability_add() - append one finding; for implementations of struct cgfs_policy_ops
 * @caps:   borrowed; when it is full the finding is dropped
 * @name:   copied; dotted name, at most 31 bytes
 * @ok:     true if it works
 * @detail: copied; the reason, or the place; at most 159 bytes, else its middle is left
 *          out
 * @remedy: copied; what to change, at most 159 bytes; "" for none
 */
CGFS_API void cgfs_capability_add(struct cgfs_capabilities *caps, const char *name, bool ok,
				  const char *detail, const char *remedy);

/**
 * cgfs_probe() - try each capability once and report the results
 * @c:        borrowed
 * @ret_caps: in: CGFS_CAPABILITIES_INIT; out; the caller's storage
 * @reterr:   may be NULL
 *
 * Makes a scratch cgroup below the pods root, writes and reads back limits, asks the device
 * policy (if there is one) to try its programs, and removes everything again.  A missing
 * capability is a finding and not an error; so is a scratch cgroup that cannot be created
 * ("create"), and capabilities that need it are then not tried.  A context for reading
 * (cgfs_open_opts.read_only) makes no scratch cgroup and loads no program: it reports what it can
 * read, and CGFS_NOT_TRIED for the rest.
 *
 * Errors:  -EINVAL or -E2BIG  sz is not set, or there are members unknown here
 *          other              the kernel's, when the scratch cgroup cannot be removed
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
