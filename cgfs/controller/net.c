/* SPDX-License-Identifier: MIT */
/*
 * net.c - net_cls and net_prio: v1 only; cgroup2 leaves both to eBPF and netfilter.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/net_cls.rst, net_prio.rst
 */
#include "table.h"

#include <stdio.h>

static int classid(const struct cgfs_dir *d, const struct cgfs_resources *res,
		   struct cgfs_err *reterr)
{
	return dir_write_limit(d, "net_cls.classid", res->net_classid, "", reterr);
}

static int priorities(const struct cgfs_dir *d, const struct cgfs_resources *res,
		      struct cgfs_err *reterr)
{
	for (size_t i = 0; i < res->n_net_prio; i++) {
		char text[64];
		int r;

		snprintf(text, sizeof(text), "%.32s %u", res->net_prio[i].interface,
			 res->net_prio[i].priority);
		ctl_entry(d, i);
		r = dir_write(d, "net_prio.ifpriomap", text, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct ctl_ops ctl_net_cls_v1 = {
	.handles = CGFS_SET_NET_CLASSID,
	.prepare_root = ctl_no_prepare_root,
	.apply = classid,
	.stats = ctl_no_stats,
};

const struct ctl_ops ctl_net_prio_v1 = {
	.handles = CGFS_SET_NET_PRIO,
	.prepare_root = ctl_no_prepare_root,
	.apply = priorities,
	.stats = ctl_no_stats,
};
