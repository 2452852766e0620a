/* SPDX-License-Identifier: MIT */
/*
 * spec.h - the OCI runtime specification that podctl sends to an agent.
 */
#ifndef PODCTL_SPEC_H
#define PODCTL_SPEC_H

#include "agent/podctl/source/source.h"

/**
 * oci_spec() - a container on a->rootfs
 * @a:      borrowed; rootfs and limits
 * @pod:    borrowed; the sandbox's id
 * @ctr:    borrowed; NULL: the sandbox container itself
 * @argv:   borrowed; NULL-terminated; NULL: the process that only waits
 * @ret:    out; release with json_decref()
 */
int oci_spec(const struct args *a, const char *pod, const char *ctr, char *const *argv,
	     json_t **ret, struct cgfs_err *reterr);
/* The parts that a bundle takes over: process, and --mount at the end of @list. */
json_t *oci_process(const struct args *a, char *const *argv);
int oci_add_mounts(json_t *list, const struct mounts *m);
/* bundle.c: the same of a->oci_bundle; @argv may be empty. */
int oci_bundle(const struct args *a, const char *pod, const char *ctr, char *const *argv,
	       json_t *resources, json_t **ret, struct cgfs_err *reterr);
/* Can the words be sent to an agent? */
int oci_words(char *const *argv, struct cgfs_err *reterr);

#endif
