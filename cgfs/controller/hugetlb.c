/* SPDX-License-Identifier: MIT */
/*
 * hugetlb.c - the hugetlb controller: one pair of files for each page size.
 *
 * Reservations are limited together with usage: with the usage limit alone a mapping succeeds
 * and a later fault in it is a SIGBUS.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/hugetlb.rst; cgroup-v2.rst "HugeTLB"
 */
#include "table.h"

#include <stdio.h>

static int write_size(const struct cgfs_dir *d, const struct cgfs_hugetlb *h, const char *limit,
		      const char *unlimited, struct cgfs_err *reterr)
{
	char file[64];
	int r;

	snprintf(file, sizeof(file), "hugetlb.%.16s.%s", h->page_size, limit);
	r = dir_write_limit(d, file, h->max_bytes, unlimited, reterr);
	if (r == -ENOENT)
		return cgfs_err_set(reterr, -EINVAL, "set hugepage limit", NULL, h->page_size,
				    "this kernel has no huge pages of that size");
	if (r < 0)
		return r;
	/* Reservations are counted since 5.7. */
	snprintf(file, sizeof(file), "hugetlb.%.16s.rsvd.%s", h->page_size, limit);
	r = dir_write_limit(d, file, h->max_bytes, unlimited, reterr);
	return r == -ENOENT ? 0 : r;
}

static int v1_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < res->n_hugetlb; i++) {
		ctl_entry(d, i);
		r = write_size(d, &res->hugetlb[i], "limit_in_bytes", "-1", reterr);
	}
	return r;
}

static int v2_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < res->n_hugetlb; i++) {
		ctl_entry(d, i);
		r = write_size(d, &res->hugetlb[i], "max", "max", reterr);
	}
	return r;
}

const struct ctl_ops ctl_hugetlb_v1 = {
	.handles = CGFS_SET_HUGETLB,
	.prepare_root = ctl_no_prepare_root,
	.apply = v1_apply,
	.stats = ctl_no_stats,
};

const struct ctl_ops ctl_hugetlb_v2 = {
	.handles = CGFS_SET_HUGETLB,
	.prepare_root = ctl_no_prepare_root,
	.apply = v2_apply,
	.stats = ctl_no_stats,
};
