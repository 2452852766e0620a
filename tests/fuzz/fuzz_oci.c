/* SPDX-License-Identifier: MIT */
/*
 * fuzz_oci.c - `linux.resources` of any source: what is taken is valid, what is refused has a
 * reason.
 */
#include "cgfs/base/util.h"

#include <cgfs/resources.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };
	int r;

	r = cgfs_resources_from_oci((const char *)data, size, NULL, &res, &err);
	if (r < 0) {
		if (res || err.code != r || !err.text[0])
			abort();
		return 0;
	}
	if (cgfs_resources_check(res, NULL) != 0 || !(res->set & CGFS_SET_DEVICES) ||
	    strlen(cgfs_resources_ignored(res)) > 511)
		abort();
	cgfs_resources_free(res);
	return 0;
}
