/* SPDX-License-Identifier: MIT */
/*
 * table.c - the only list of what is done for controllers on either version.
 */
#include "cgfs/controller/table.h"

static const struct {
	const struct ctl_ops *v1, *v2;
} table[CGFS_CONTROLLER_COUNT] = {
	[CGFS_CPU] = { &ctl_cpu_v1, &ctl_cpu_v2 },
	[CGFS_CPUACCT] = { &ctl_cpuacct_v1, NULL },
	[CGFS_CPUSET] = { &ctl_cpuset_v1, &ctl_cpuset_v2 },
	[CGFS_MEMORY] = { &ctl_memory_v1, &ctl_memory_v2 },
	[CGFS_PIDS] = { &ctl_pids, &ctl_pids },
	[CGFS_IO] = { &ctl_io_v1, &ctl_io_v2 },
	/* Of [CGFS_DEVICES], v1's files are written by devices_apply(), together with the device
	 * policy. */
	[CGFS_FREEZER] = { &ctl_freezer_v1, NULL },
	[CGFS_HUGETLB] = { &ctl_hugetlb_v1, &ctl_hugetlb_v2 },
	[CGFS_RDMA] = { &ctl_rdma, &ctl_rdma },
	[CGFS_MISC] = { &ctl_misc, &ctl_misc },
	[CGFS_NET_CLS] = { &ctl_net_cls_v1, NULL },
	[CGFS_NET_PRIO] = { &ctl_net_prio_v1, NULL },
};

const struct ctl_ops *ctl_ops(enum cgfs_controller ctl, enum cgfs_version_id version)
{
	return version == CGFS_V1 ? table[ctl].v1 : version == CGFS_V2 ? table[ctl].v2 : NULL;
}

uint64_t ctl_handles(enum cgfs_controller ctl)
{
	return (table[ctl].v1 ? table[ctl].v1->handles : 0) |
	       (table[ctl].v2 ? table[ctl].v2->handles : 0);
}
