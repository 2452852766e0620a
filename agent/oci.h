/* SPDX-License-Identifier: MIT */
/*
 * oci.h - the container's OCI specification: checked, understood, rewritten for the runtime.
 */
#ifndef AGENT_OCI_H
#define AGENT_OCI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define OCI_WHY_MAX 320

enum oci_kind {
	OCI_STANDALONE,
	OCI_SANDBOX,
	OCI_WORKLOAD,
};

/* What the annotations say of a container's place. */
struct oci_place {
	enum oci_kind kind;
	const char *pod; /* of a sandbox: its own pod; "" for a standalone one.  In the spec */
};

/* 0, or an HR_... and @why.  The rules are those of the reference; see docs/gcs-compat.md. */
uint32_t oci_place(const json_t *spec, const char *id, struct oci_place *ret,
		   char why[OCI_WHY_MAX]);
/* Is it something that can be run here?  0, or an HR_... and @why. */
uint32_t oci_check(const json_t *spec, char why[OCI_WHY_MAX]);
/* The same for an OCI process that is added to a container. */
uint32_t oci_check_process(const json_t *process, char why[OCI_WHY_MAX]);
/* linux.resources as text, release with free(); NULL: there are none, or no memory. */
char *oci_resources(const json_t *spec);
/* No path:"" pid namespace: killing init does not kill the rest. */
bool oci_own_pidns(const json_t *spec);
/* Takes out what is not the runtime's business and makes paths absolute, for a bundle elsewhere.
 * Changes @spec.  0, or -ENOMEM. */
int oci_rewrite(json_t *spec, const char *bundle);
/* Absolute, without "..", "." and empty parts, and at least two parts. */
bool oci_bundle_ok(const char *path);

#endif
