/* SPDX-License-Identifier: MIT */
/*
 * rdma.c - the rdma controller: the same file on both versions, one line for each device.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/rdma.rst; cgroup-v2.rst "RDMA"
 */
#include "table.h"

#include <inttypes.h>
#include <stdio.h>

static size_t limit(char *buf, size_t len, const char *key, uint64_t value)
{
	if (value == CGFS_MAX)
		return (size_t)snprintf(buf, len, " %s=max", key);
	return (size_t)snprintf(buf, len, " %s=%" PRIu64, key, value);
}

static int apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr)
{
	for (size_t i = 0; i < res->n_rdma; i++) {
		char text[160];
		size_t n;
		int r;

		n = (size_t)snprintf(text, sizeof(text), "%.64s", res->rdma[i].device);
		n += limit(text + n, sizeof(text) - n, "hca_handle", res->rdma[i].hca_handles);
		limit(text + n, sizeof(text) - n, "hca_object", res->rdma[i].hca_objects);
		ctl_entry(d, i);
		r = dir_write(d, "rdma.max", text, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct ctl_ops ctl_rdma_v1 = {
	.handles = CGFS_SET_RDMA,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};

const struct ctl_ops ctl_rdma_v2 = {
	.handles = CGFS_SET_RDMA,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};
