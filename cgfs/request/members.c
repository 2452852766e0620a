/* SPDX-License-Identifier: MIT */
/*
 * members.c - what each member of struct cgfs_resources is called, and where its value stands.
 * A new limit begins here; what it does is its controller's.
 */
#include "cgfs/request/members.h"

#include "cgfs/base/util.h"

#include <cgfs/update.h>
#include <stddef.h>

/* A member that can only be set; of several struct members for one bit the first. */
#define SET(bit, own, type, oci, unified)                                                          \
	{                                                                                          \
		CGFS_SET_##bit, { #own, oci, unified }, MEMBER_##type,                             \
			offsetof(struct cgfs_resources, own), 0, CGFS_STAT_COUNT                   \
	}
/* One that struct cgfs_applied has under the same name. */
#define BOTH(bit, own, type, oci, unified)                                                         \
	{                                                                                          \
		CGFS_SET_##bit, { #own, oci, unified }, MEMBER_##type,                             \
			offsetof(struct cgfs_resources, own), offsetof(struct cgfs_applied, own),  \
			CGFS_STAT_COUNT                                                            \
	}
/* One that is a figure, too. */
#define SHOWN(bit, own, oci, unified, figure)                                                      \
	{                                                                                          \
		CGFS_SET_##bit, { #own, oci, unified }, MEMBER_U64,                                \
			offsetof(struct cgfs_resources, own), offsetof(struct cgfs_applied, own),  \
			CGFS_STAT_##figure                                                         \
	}

/* Where OCI has no field, and cgroup2 no file, the word is the nearest that says it. */
/* clang-format off */
const struct member members[MEMBERS] = {
	SHOWN(MEMORY_MAX, memory_max_bytes, "memory.limit", "memory.max", MEMORY_MAX),
	SHOWN(MEMORY_SWAP, memory_swap_bytes, "memory.swap", "memory.swap.max", MEMORY_SWAP_MAX),
	SHOWN(MEMORY_LOW, memory_low_bytes, "memory.reservation", "memory.low", MEMORY_LOW),
	SHOWN(MEMORY_HIGH, memory_high_bytes, "memory.high", "memory.high", MEMORY_HIGH),
	SHOWN(MEMORY_MIN, memory_min_bytes, "memory.min", "memory.min", MEMORY_MIN),
	SHOWN(MEMORY_ZSWAP_MAX, memory_zswap_max_bytes, "memory.zswap.max", "memory.zswap.max",
	      MEMORY_ZSWAP_MAX),
	SHOWN(MEMORY_ADMIT, memory_admit_bytes, "memory.admit", "memory.admit", ADMIT_BUDGET),
	BOTH(ADMIT_EXEMPT, admit_exempt, BOOL, "memory.admitExempt",
	     "memory.admitExempt"),
	BOTH(MEMORY_SWAPPINESS, memory_swappiness, U64, "memory.swappiness", "memory.swappiness"),
	BOTH(MEMORY_KERNEL, memory_kernel_bytes, U64, "memory.kernel", "memory.kernel"),
	BOTH(MEMORY_KERNEL_TCP, memory_kernel_tcp_bytes, U64, "memory.kernelTCP",
	     "memory.kernelTCP"),
	BOTH(ZSWAP_WRITEBACK, memory_zswap_writeback, BOOL, "memory.zswap.writeback",
	     "memory.zswap.writeback"),
	BOTH(MEMORY_OOM_GROUP, memory_oom_group, BOOL, "memory.oom.group", "memory.oom.group"),
	BOTH(MEMORY_OOM_DISABLE, memory_oom_disable, BOOL, "memory.disableOOMKiller",
	     "memory.disableOOMKiller"),
	SHOWN(CPU_WEIGHT, cpu_weight, "cpu.weight", "cpu.weight", CPU_WEIGHT),
	SET(CPU_SHARES, cpu_shares, U64, "cpu.shares", "cpu.weight"),
	SHOWN(CPU_QUOTA, cpu_quota_us, "cpu.quota", "cpu.max", CPU_QUOTA),
	SHOWN(CPU_PERIOD, cpu_period_us, "cpu.period", "cpu.max", CPU_PERIOD),
	BOTH(CPU_BURST, cpu_burst_us, U64, "cpu.burst", "cpu.max.burst"),
	BOTH(CPU_IDLE, cpu_idle, BOOL, "cpu.idle", "cpu.idle"),
	BOTH(CPU_RT_RUNTIME, cpu_rt_runtime_us, U64, "cpu.realtimeRuntime", "cpu.realtimeRuntime"),
	BOTH(CPU_RT_PERIOD, cpu_rt_period_us, U64, "cpu.realtimePeriod", "cpu.realtimePeriod"),
	SET(CPUSET_CPUS, cpuset_cpus, TEXT, "cpu.cpus", "cpuset.cpus"),
	SET(CPUSET_MEMS, cpuset_mems, TEXT, "cpu.mems", "cpuset.mems"),
	SET(CPUSET_PARTITION, cpuset_partition, TEXT, "cpuset.partition", "cpuset.cpus.partition"),
	SHOWN(PIDS_MAX, pids_max, "pids.limit", "pids.max", PIDS_MAX),
	BOTH(IO_WEIGHT, io_weight, U64, "blockIO.weight", "io.weight"),
	SET(IO_DEVICES, io_devices, LIST, "blockIO", "io.max"),
	SET(HUGETLB, hugetlb, LIST, "hugepageLimits", "hugetlb"),
	SET(RDMA, rdma, LIST, "rdma", "rdma.max"),
	SET(MISC, misc, LIST, "misc", "misc.max"),
	BOTH(NET_CLASSID, net_classid, U32, "network.classID", "network.classID"),
	SET(NET_PRIO, net_prio, LIST, "network.priorities", "network.priorities"),
	SET(DEVICES, devices, LIST, "devices", "devices"),
	SET(UNIFIED, unified, LIST, "unified", "unified"),
};
/* clang-format on */

const struct member *member_of(uint64_t bits)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		if (bits & members[i].bit)
			return &members[i];
	}
	return NULL;
}

const char *member_word(uint64_t bits, enum words words)
{
	const struct member *m = member_of(bits);

	return m ? m->word[words] : "?";
}

uint64_t member_asked(const struct cgfs_resources *res, uint64_t bit)
{
	uint64_t value;

	memcpy(&value, (const char *)res + member_of(bit)->asked, sizeof(value));
	return value;
}

const char *cgfs_resources_field(uint64_t member)
{
	return member_word(member, WORDS_OCI);
}
