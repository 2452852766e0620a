/* SPDX-License-Identifier: MIT */
/*
 * oci.h - the OCI runtime specification that podctl sends to an agent.
 */
#ifndef PODCTL_OCI_H
#define PODCTL_OCI_H

#include "podctl.h"

/**
 * oci_spec() - a container on a->rootfs
 * @a:      borrowed; rootfs and limits
 * @pod:    borrowed; the sandbox's id
 * @ctr:    borrowed; NULL: the sandbox container itself
 * @argv:   borrowed; NULL-terminated; empty: the process that only waits
 * @ret:    out; release with json_decref()
 */
int oci_spec(const struct args *a, const char *pod, const char *ctr, char *const *argv,
	     json_t **ret, struct cgfs_err *reterr);

#endif
