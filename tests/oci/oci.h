/* SPDX-License-Identifier: MIT */
/*
 * oci.h - where the cases run: on a fake host through the library, or on the kernel at hand
 * through podctl.  A failed check ends the test.
 */
#ifndef OCI_H
#define OCI_H

#include "case.h"

#include "tests/fake/fake.h"

/* One test: a case on a host. */
struct oci_test {
	char name[128];
	const json_t *list;
	size_t index;
	enum cgfs_layout layout; /* of a fake */
	struct fake_kernel kernel;
	struct oci_live *live; /* NULL: a fake */
};

void oci_run_fake(const struct oci_test *t);

/* The kernel at hand; NULL, and why, when nothing can be tried here. */
struct oci_live *oci_live_new(char *why, size_t len);
void oci_run_live(const struct oci_test *t);
/* Removes what a failed test left. */
void oci_live_sweep(struct oci_live *live);

#endif
