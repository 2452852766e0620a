/* SPDX-License-Identifier: MIT */
/*
 * report.c - reports of each write what led to it, for a caller that shows what became of its
 * limits (struct cgfs_written).  Nothing is decided by it.
 */
#include "cgfs/controller/base/report.h"

#include "cgfs/base/util.h"
#include "cgfs/controller/table.h"
#include "cgfs/controller/unified_plan.h"

static const struct {
	const char *file;
	uint64_t members;
} files[] = {
	{ "cpu.shares", CGFS_SET_CPU_SHARES | CGFS_SET_CPU_WEIGHT },
	{ "cpu.weight", CGFS_SET_CPU_SHARES | CGFS_SET_CPU_WEIGHT },
	{ "cpu.idle", CGFS_SET_CPU_IDLE },
	{ "cpu.max", CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD },
	{ "cpu.cfs_quota_us", CGFS_SET_CPU_QUOTA },
	{ "cpu.cfs_period_us", CGFS_SET_CPU_PERIOD },
	{ "cpu.max.burst", CGFS_SET_CPU_BURST },
	{ "cpu.cfs_burst_us", CGFS_SET_CPU_BURST },
	{ "cpu.rt_runtime_us", CGFS_SET_CPU_RT_RUNTIME },
	{ "cpu.rt_period_us", CGFS_SET_CPU_RT_PERIOD },
	{ "cpuset.cpus", CGFS_SET_CPUSET_CPUS },
	{ "cpuset.mems", CGFS_SET_CPUSET_MEMS },
	{ "cpuset.cpu_exclusive", CGFS_SET_CPUSET_PARTITION },
	{ "cpuset.cpus.partition", CGFS_SET_CPUSET_PARTITION },
	{ "memory.max", CGFS_SET_MEMORY_MAX },
	{ "memory.limit_in_bytes", CGFS_SET_MEMORY_MAX },
	{ "memory.swap.max", CGFS_SET_MEMORY_SWAP },
	{ "memory.memsw.limit_in_bytes", CGFS_SET_MEMORY_SWAP },
	{ "memory.low", CGFS_SET_MEMORY_LOW },
	{ "memory.soft_limit_in_bytes", CGFS_SET_MEMORY_LOW },
	{ "memory.high", CGFS_SET_MEMORY_HIGH },
	{ "memory.min", CGFS_SET_MEMORY_MIN },
	{ "memory.swappiness", CGFS_SET_MEMORY_SWAPPINESS },
	{ "memory.kmem.limit_in_bytes", CGFS_SET_MEMORY_KERNEL },
	{ "memory.kmem.tcp.limit_in_bytes", CGFS_SET_MEMORY_KERNEL_TCP },
	{ "memory.oom_control", CGFS_SET_MEMORY_OOM_DISABLE },
	{ "memory.oom.group", CGFS_SET_MEMORY_OOM_GROUP },
	{ "memory.zswap.max", CGFS_SET_MEMORY_ZSWAP_MAX },
	{ "memory.zswap.writeback", CGFS_SET_ZSWAP_WRITEBACK },
};

/* Which of the members @set a control file of @ctl carries; 0: none. */
static uint64_t members_of(enum cgfs_controller ctl, enum cgfs_version_id version, const char *file,
			   const char *value, uint64_t set)
{
	const struct ctl_ops *ops = ctl_ops(ctl, version);
	uint64_t handles = ops ? ops->handles : set;

	/* One file for all, of which a device's number begins the line. */
	if (ctl == CGFS_IO)
		return set & (strchr(value, ':') ? CGFS_SET_IO_DEVICES : CGFS_SET_IO_WEIGHT);
	/* A controller with one limit has one member for all its files. */
	if (!(handles & (handles - 1)))
		return set & handles;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (streq(files[i].file, file))
			return set & files[i].members;
	}
	return 0;
}

/* Where a member's entry is one of `unified`, it is that. */
static void in_unified(const struct report *report, struct cgfs_written *w)
{
	const struct unified_plan *u = report->unified;
	unsigned int from = 0;

	if (!u || !w->members)
		return;
	if (w->members == CGFS_SET_IO_DEVICES && w->entry >= u->n_given)
		from = u->io_from[w->entry - u->n_given];
	else if (w->members != CGFS_SET_IO_DEVICES)
		from = u->from[__builtin_ctzll(w->members)];
	if (from) {
		w->members = CGFS_SET_UNIFIED;
		w->entry = from - 1;
	}
}

void report_write(const struct cgfs_dir *d, const char *file, const char *value, int error)
{
	struct cgfs *c = d->g->c;
	const struct report *report = d->report;
	struct cgfs_written w = {
		.sz = sizeof(w),
		.controller = report->ctl,
		.version = c->hierarchy[d->hierarchy].mount->version,
		.members = CGFS_SET_UNIFIED,
		.file = file,
		.value = value,
		.entry = report->entry,
		.error = error,
	};
	char path[2048]; /* a mount, a pods root, a pod, a container and the file */

	group_file_path(d->g, d->hierarchy, file, path, sizeof(path));
	w.path = path;
	if (report->set != CGFS_SET_UNIFIED) {
		w.members = members_of(report->ctl, w.version, file, value, report->set);
		in_unified(report, &w);
	}
	c->written(c->written_user, &w);
}
