// SPDX-License-Identifier: MIT
/*
 * controllers.c - the only list of controllers.  The tables of their control files stand in
 * the file of each.
 */
#include "host.h"

const struct controller *const fake_controllers[CGFS_CONTROLLER_COUNT] = {
	[CGFS_CPU] = &fake_cpu,		  [CGFS_CPUACCT] = &fake_cpuacct,
	[CGFS_CPUSET] = &fake_cpuset,	  [CGFS_MEMORY] = &fake_memory,
	[CGFS_PIDS] = &fake_pids,	  [CGFS_IO] = &fake_io,
	[CGFS_DEVICES] = &fake_devices,	  [CGFS_FREEZER] = &fake_freezer,
	[CGFS_HUGETLB] = &fake_hugetlb,	  [CGFS_RDMA] = &fake_rdma,
	[CGFS_MISC] = &fake_misc,	  [CGFS_NET_CLS] = &fake_net_cls,
	[CGFS_NET_PRIO] = &fake_net_prio,
};
