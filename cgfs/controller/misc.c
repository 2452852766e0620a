/* SPDX-License-Identifier: MIT */
/*
 * misc.c - the misc controller: the same file on both versions, one line for each resource.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/misc.rst; cgroup-v2.rst "Misc"
 */
#include "table.h"

#include <inttypes.h>
#include <stdio.h>

static int apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr)
{
	for (size_t i = 0; i < res->n_misc; i++) {
		char text[96];
		int r;

		if (res->misc[i].max == CGFS_MAX)
			snprintf(text, sizeof(text), "%.64s max", res->misc[i].name);
		else
			snprintf(text, sizeof(text), "%.64s %" PRIu64, res->misc[i].name,
				 res->misc[i].max);
		ctl_entry(d, i);
		r = dir_write(d, "misc.max", text, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct ctl_ops ctl_misc_v1 = {
	.handles = CGFS_SET_MISC,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};

const struct ctl_ops ctl_misc_v2 = {
	.handles = CGFS_SET_MISC,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};
