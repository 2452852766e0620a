/* SPDX-License-Identifier: MIT */
/*
 * oci_text.h - JSON that must be taken, or refused in given words, for the tests of OCI resources.
 */
#ifndef OCI_TEXT_H
#define OCI_TEXT_H

#include "tests/tap.h"
#include <cgfs/resources.h>

#include <errno.h>
#include <string.h>

static inline struct cgfs_resources *take(const char *json)
{
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };

	CHECK_MSG(cgfs_resources_from_oci(json, strlen(json), NULL, &res, &err) >= 0, "%s: %s",
		  json, err.text);
	CHECK(res);
	CHECK_INT(cgfs_resources_check(res, NULL), 0);
	return res;
}

static inline void refuse_as(const char *json, int code, const char *field, const char *why)
{
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };
	int r;

	r = cgfs_resources_from_oci(json, strlen(json), NULL, &res, &err);
	CHECK_MSG(r == code, "%s: %d, not %d (%s)", json, r, code, err.text);
	CHECK(!res);
	CHECK_INT(err.code, code);
	if (strncmp(err.text, field, strlen(field)) != 0 || !strstr(err.text, why))
		FAIL("\"%s\" does not say \"%s\" and \"%s\"", err.text, field, why);
	CHECK_INT(cgfs_resources_from_oci(json, strlen(json), NULL, &res, NULL), code);
}

static inline void refuse(const char *json, const char *field, const char *why)
{
	refuse_as(json, -EINVAL, field, why);
}

/* Exactly the default devices, and nothing else is set. */
static inline void is_unset(const char *json)
{
	struct cgfs_resources *res = take(json);
	const struct cgfs_device_rule *defaults;
	size_t n;

	defaults = cgfs_device_defaults(&n);
	CHECK_INT(res->set, CGFS_SET_DEVICES);
	CHECK_INT(res->n_devices, n);
	CHECK(memcmp(res->devices, defaults, n * sizeof(*defaults)) == 0);
	cgfs_resources_free(res);
}

#endif
