/* SPDX-License-Identifier: MIT */
/*
 * cgfs/stats.h - one set of figures, with one meaning each, on every layout.
 *
 * A figure that this kernel or layout does not provide is "not available", which is not 0.
 */
#ifndef CGFS_STATS_H
#define CGFS_STATS_H

#include <cgfs/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs;
struct cgfs_group;

/*
 * X(NAME, "json.path", unit): the figure's constant, its place in the JSON, its unit.
 * Limits are CGFS_MAX where there is none.  Figures include descendants, on v1 too (the
 * total_* lines of memory.stat).
 *
 *   memory.swap.*      swap alone on both versions (v1: memsw minus memory)
 *   memory.anon, file  v1 total_rss, total_cache
 *   memory.kernel      v2 `kernel` of memory.stat; v1 memory.kmem.usage_in_bytes
 *   memory.events.*    v2 memory.events; v1 has oom_kill alone (memory.oom_control) and the
 *                      failcnt as `max`
 *   cpu.*              v2 cpu.stat; v1 cpuacct.usage and cpu.stat
 *   memory.events_local.*  the same for this group alone, without its descendants
 *   io.*               all devices together; cgfs_group_io() has them one by one
 *   pressure.*         PSI, from the cgroup2 tree on every layout; averages in 0.01 percent
 *   cgroup.frozen      1 when all of its processes are stopped, by its own or a higher freezer,
 *                      v1's or cgroup2's
 *   device.*           counted by the device policy; not available without one
 *   memory_charge.*    counted in the kernel at the moment of each charge, where the policy counts
 *                      memory (cgfs_bpf_opts.memory): usage at the last charge; peak since the
 *                      group was added; charges, those refused, and of these those that this
 *                      group's own limit refused; runs of reclaim that its processes had to wait
 *                      for, and how long those took.  The kernel charges in batches of up to 64
 *                      pages per processor: usage and peak are within that of memory.current and
 *                      memory.peak while the group charges
 */
#define CGFS_STATS(X)                                                                              \
	X(MEMORY_CURRENT, "memory.current", "bytes")                                               \
	X(MEMORY_MAX, "memory.max", "bytes")                                                       \
	X(MEMORY_HIGH, "memory.high", "bytes")                                                     \
	X(MEMORY_LOW, "memory.low", "bytes")                                                       \
	X(MEMORY_MIN, "memory.min", "bytes")                                                       \
	X(MEMORY_PEAK, "memory.peak", "bytes")                                                     \
	X(MEMORY_SWAP_CURRENT, "memory.swap.current", "bytes")                                     \
	X(MEMORY_SWAP_MAX, "memory.swap.max", "bytes")                                             \
	X(MEMORY_SWAP_PEAK, "memory.swap.peak", "bytes")                                           \
	X(MEMORY_SWAP_EVENTS_MAX, "memory.swap.events.max", "count")                               \
	X(MEMORY_SWAP_EVENTS_FAIL, "memory.swap.events.fail", "count")                             \
	X(MEMORY_ZSWAP_CURRENT, "memory.zswap.current", "bytes")                                   \
	X(MEMORY_ZSWAP_MAX, "memory.zswap.max", "bytes")                                           \
	X(MEMORY_ANON, "memory.anon", "bytes")                                                     \
	X(MEMORY_FILE, "memory.file", "bytes")                                                     \
	X(MEMORY_KERNEL, "memory.kernel", "bytes")                                                 \
	X(MEMORY_KERNEL_STACK, "memory.kernel_stack", "bytes")                                     \
	X(MEMORY_PAGETABLES, "memory.pagetables", "bytes")                                         \
	X(MEMORY_SLAB, "memory.slab", "bytes")                                                     \
	X(MEMORY_SOCK, "memory.sock", "bytes")                                                     \
	X(MEMORY_SHMEM, "memory.shmem", "bytes")                                                   \
	X(MEMORY_ZSWAPPED, "memory.zswapped", "bytes")                                             \
	X(MEMORY_FILE_MAPPED, "memory.file_mapped", "bytes")                                       \
	X(MEMORY_FILE_DIRTY, "memory.file_dirty", "bytes")                                         \
	X(MEMORY_FILE_WRITEBACK, "memory.file_writeback", "bytes")                                 \
	X(MEMORY_ANON_THP, "memory.anon_thp", "bytes")                                             \
	X(MEMORY_INACTIVE_ANON, "memory.inactive_anon", "bytes")                                   \
	X(MEMORY_ACTIVE_ANON, "memory.active_anon", "bytes")                                       \
	X(MEMORY_INACTIVE_FILE, "memory.inactive_file", "bytes")                                   \
	X(MEMORY_ACTIVE_FILE, "memory.active_file", "bytes")                                       \
	X(MEMORY_UNEVICTABLE, "memory.unevictable", "bytes")                                       \
	X(MEMORY_PGFAULT, "memory.pgfault", "count")                                               \
	X(MEMORY_PGMAJFAULT, "memory.pgmajfault", "count")                                         \
	X(MEMORY_REFAULT_ANON, "memory.workingset_refault_anon", "count")                          \
	X(MEMORY_REFAULT_FILE, "memory.workingset_refault_file", "count")                          \
	X(MEMORY_PGPGIN, "memory.pgpgin", "count")                                                 \
	X(MEMORY_PGPGOUT, "memory.pgpgout", "count")                                               \
	X(MEMORY_EVENTS_LOW, "memory.events.low", "count")                                         \
	X(MEMORY_EVENTS_HIGH, "memory.events.high", "count")                                       \
	X(MEMORY_EVENTS_MAX, "memory.events.max", "count")                                         \
	X(MEMORY_EVENTS_OOM, "memory.events.oom", "count")                                         \
	X(MEMORY_EVENTS_OOM_KILL, "memory.events.oom_kill", "count")                               \
	X(MEMORY_EVENTS_OOM_GROUP_KILL, "memory.events.oom_group_kill", "count")                   \
	X(MEMORY_LOCAL_LOW, "memory.events_local.low", "count")                                    \
	X(MEMORY_LOCAL_HIGH, "memory.events_local.high", "count")                                  \
	X(MEMORY_LOCAL_MAX, "memory.events_local.max", "count")                                    \
	X(MEMORY_LOCAL_OOM, "memory.events_local.oom", "count")                                    \
	X(MEMORY_LOCAL_OOM_KILL, "memory.events_local.oom_kill", "count")                          \
	X(MEMORY_LOCAL_OOM_GROUP_KILL, "memory.events_local.oom_group_kill", "count")              \
	X(CPU_USAGE, "cpu.usage", "us")                                                            \
	X(CPU_USER, "cpu.user", "us")                                                              \
	X(CPU_SYSTEM, "cpu.system", "us")                                                          \
	X(CPU_PERIODS, "cpu.nr_periods", "count")                                                  \
	X(CPU_THROTTLED_PERIODS, "cpu.nr_throttled", "count")                                      \
	X(CPU_THROTTLED, "cpu.throttled", "us")                                                    \
	X(CPU_BURSTS, "cpu.nr_bursts", "count")                                                    \
	X(CPU_BURST, "cpu.burst", "us")                                                            \
	X(CPU_WEIGHT, "cpu.weight", "weight")                                                      \
	X(CPU_QUOTA, "cpu.quota", "us")                                                            \
	X(CPU_PERIOD, "cpu.period", "us")                                                          \
	X(PIDS_CURRENT, "pids.current", "count")                                                   \
	X(PIDS_MAX, "pids.max", "count")                                                           \
	X(PIDS_PEAK, "pids.peak", "count")                                                         \
	X(PIDS_EVENTS_MAX, "pids.events.max", "count")                                             \
	X(PIDS_LOCAL_MAX, "pids.events_local.max", "count")                                        \
	X(IO_READ, "io.read_bytes", "bytes")                                                       \
	X(IO_WRITE, "io.write_bytes", "bytes")                                                     \
	X(IO_READ_OPS, "io.read_ops", "count")                                                     \
	X(IO_WRITE_OPS, "io.write_ops", "count")                                                   \
	X(IO_DISCARD, "io.discard_bytes", "bytes")                                                 \
	X(IO_DISCARD_OPS, "io.discard_ops", "count")                                               \
	X(PRESSURE_CPU_SOME_AVG10, "pressure.cpu.some.avg10", "0.01%")                             \
	X(PRESSURE_CPU_SOME_AVG60, "pressure.cpu.some.avg60", "0.01%")                             \
	X(PRESSURE_CPU_SOME_AVG300, "pressure.cpu.some.avg300", "0.01%")                           \
	X(PRESSURE_CPU_SOME, "pressure.cpu.some.total", "us")                                      \
	X(PRESSURE_CPU_FULL_AVG10, "pressure.cpu.full.avg10", "0.01%")                             \
	X(PRESSURE_CPU_FULL_AVG60, "pressure.cpu.full.avg60", "0.01%")                             \
	X(PRESSURE_CPU_FULL_AVG300, "pressure.cpu.full.avg300", "0.01%")                           \
	X(PRESSURE_CPU_FULL, "pressure.cpu.full.total", "us")                                      \
	X(PRESSURE_MEMORY_SOME_AVG10, "pressure.memory.some.avg10", "0.01%")                       \
	X(PRESSURE_MEMORY_SOME_AVG60, "pressure.memory.some.avg60", "0.01%")                       \
	X(PRESSURE_MEMORY_SOME_AVG300, "pressure.memory.some.avg300", "0.01%")                     \
	X(PRESSURE_MEMORY_SOME, "pressure.memory.some.total", "us")                                \
	X(PRESSURE_MEMORY_FULL_AVG10, "pressure.memory.full.avg10", "0.01%")                       \
	X(PRESSURE_MEMORY_FULL_AVG60, "pressure.memory.full.avg60", "0.01%")                       \
	X(PRESSURE_MEMORY_FULL_AVG300, "pressure.memory.full.avg300", "0.01%")                     \
	X(PRESSURE_MEMORY_FULL, "pressure.memory.full.total", "us")                                \
	X(PRESSURE_IO_SOME_AVG10, "pressure.io.some.avg10", "0.01%")                               \
	X(PRESSURE_IO_SOME_AVG60, "pressure.io.some.avg60", "0.01%")                               \
	X(PRESSURE_IO_SOME_AVG300, "pressure.io.some.avg300", "0.01%")                             \
	X(PRESSURE_IO_SOME, "pressure.io.some.total", "us")                                        \
	X(PRESSURE_IO_FULL_AVG10, "pressure.io.full.avg10", "0.01%")                               \
	X(PRESSURE_IO_FULL_AVG60, "pressure.io.full.avg60", "0.01%")                               \
	X(PRESSURE_IO_FULL_AVG300, "pressure.io.full.avg300", "0.01%")                             \
	X(PRESSURE_IO_FULL, "pressure.io.full.total", "us")                                        \
	X(DESCENDANTS, "cgroup.descendants", "count")                                              \
	X(DYING_DESCENDANTS, "cgroup.dying_descendants", "count")                                  \
	X(FROZEN, "cgroup.frozen", "0 or 1")                                                       \
	X(DEVICE_ALLOWED, "device.allowed", "count")                                               \
	X(DEVICE_DENIED, "device.denied", "count")                                                 \
	X(OOM_KILLS, "oom_kills", "count")                                                         \
	X(CHARGE_USAGE, "memory_charge.usage", "bytes")                                            \
	X(CHARGE_PEAK, "memory_charge.peak", "bytes")                                              \
	X(CHARGE_COUNT, "memory_charge.count", "count")                                            \
	X(CHARGE_FAILED, "memory_charge.failed", "count")                                          \
	X(CHARGE_FAILED_HERE, "memory_charge.failed_here", "count")                                \
	X(CHARGE_RECLAIMS, "memory_charge.reclaims", "count")                                      \
	X(CHARGE_RECLAIM_TIME, "memory_charge.reclaim_time", "us")                                 \
	X(ADMIT_BUDGET, "memory_admit.budget", "bytes")                                            \
	X(ADMIT_REFUSING, "memory_admit.refusing", "0 or 1")                                       \
	X(ADMIT_MAPS, "memory_admit.maps_refused", "count")                                        \
	X(ADMIT_EXECS, "memory_admit.execs_refused", "count")                                      \
	X(ADMIT_FORKS, "memory_admit.forks_refused", "count")                                      \
	X(ADMIT_EXEMPT, "memory_admit.exempt", "0 or 1")

#define CGFS_STAT_ENUM(name, json, unit) CGFS_STAT_##name,
enum cgfs_stat { CGFS_STATS(CGFS_STAT_ENUM) CGFS_STAT_COUNT };

/* Where a figure comes from. */
enum cgfs_source {
	CGFS_SOURCE_FILE,   /* a control file */
	CGFS_SOURCE_POLICY, /* counted by the policy, in the kernel */
	CGFS_SOURCE_REPORT, /* what a control file shows, from the policy's report of all groups */
};

/* Never changes its size: it is the element of an array in a structure. */
struct cgfs_figure {
	uint64_t value;
	bool available;
	uint8_t source;	  /* enum cgfs_source */
	bool reserved[6]; /* 0 */
};

/* @sz limits the figures that the library of another version has filled; cgfs_stats_get() checks
 * it. */
struct cgfs_stats {
	size_t sz;
	struct cgfs_figure figure[CGFS_STAT_COUNT];
};

#define CGFS_STATS_INIT CGFS_SIZED(struct cgfs_stats)

/**
 * cgfs_stats_get() - one figure of a structure that any version of the library filled
 * @stats:     borrowed; as cgfs_group_stats() or cgfs_stats_all() gave it
 * @stat:      which
 * @ret_value: out; written when the figure is available
 *
 * Return: true if the figure is available.
 */
static inline bool cgfs_stats_get(const struct cgfs_stats *stats, enum cgfs_stat stat,
				  uint64_t *ret_value)
{
	size_t i = stat,
	       end = offsetof(struct cgfs_stats, figure) + (i + 1) * sizeof(stats->figure[0]);

	if (end > stats->sz || !stats->figure[stat].available)
		return false;
	*ret_value = stats->figure[stat].value;
	return true;
}

/* What to read: each bit costs one or more reads of files. */
#define CGFS_READ_MEMORY      (1u << 0) /* usage, limits, peak, swap, events */
#define CGFS_READ_MEMORY_STAT (1u << 1) /* the long memory.stat file */
#define CGFS_READ_CPU	      (1u << 2)
#define CGFS_READ_PIDS	      (1u << 3)
#define CGFS_READ_POLICY      (1u << 4) /* counters of the device policy */
#define CGFS_READ_IO	      (1u << 5)
#define CGFS_READ_PRESSURE    (1u << 6)
#define CGFS_READ_CGROUP      (1u << 7) /* cgroups below, dying ones included; frozen or not */
/* Lists, which struct cgfs_stats has no room for: cgfs_group_json() alone looks at these. */
#define CGFS_READ_HUGETLB     (1u << 8)
#define CGFS_READ_RDMA	      (1u << 9)
#define CGFS_READ_MISC	      (1u << 10)
#define CGFS_READ_NATIVE      (1u << 11) /* the kernel's own fields, see cgfs_group_native() */
#define CGFS_READ_LIMITS      (1u << 12) /* all limits, see cgfs_group_limits() */
#define CGFS_READ_CPUSET      (1u << 13)
/* What changes from one second to the next, and the limit of memory: some of the figures of MEMORY,
 * CPU, PIDS and CGROUP, and fewer files. */
#define CGFS_READ_USAGE	      (1u << 14)
/* What MEMORY reads, but zswap: all that cgfs_stats_all() finds in a report. */
#define CGFS_READ_MEMORY_BULK (1u << 15)
#define CGFS_READ_ALL	      (~0u)

/**
 * cgfs_group_stats() - read the figures of a pod or container
 * @g:         borrowed
 * @what:      CGFS_READ_* bits
 * @ret_stats: in: CGFS_STATS_INIT; out: every figure that was not read is marked as not available
 * @reterr:    may be NULL
 *
 * Descriptors of the files are opened once per group and kept.
 *
 * Units:   see CGFS_STATS.
 * Figures of a hierarchy in which the group has lost its directory are not available.
 *
 * Errors:  -ENOENT or -ENODEV  the group was removed, at least from every hierarchy that was read
 *          other               the kernel's about the file in reterr->path
 * Context: reads files; does not wait
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_stats(struct cgfs_group *g, unsigned int what,
					 struct cgfs_stats *ret_stats, struct cgfs_err *reterr);

/**
 * cgfs_root_stats() - the figures of the pods root: all pods together
 * @c:         borrowed
 * @what:      CGFS_READ_* bits
 * @ret_stats: out; as cgfs_group_stats()
 * @reterr:    may be NULL
 *
 * Among them `cgroup.dying_descendants` counts the removed groups that the kernel still keeps.
 *
 * Errors:  -ENOENT or -ENODEV  there is no pods root now
 *          other               the kernel's about the file in reterr->path
 * Context: opens files; nothing is kept
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_root_stats(struct cgfs *c, unsigned int what,
					struct cgfs_stats *ret_stats, struct cgfs_err *reterr);

/**
 * cgfs_stats_all() - the figures of every group that has a handle
 * @c:      borrowed
 * @what:   CGFS_READ_* bits
 * @fn:     called for each group; a non-zero return ends the walk and is returned
 * @arg:    for @fn
 * @reterr: may be NULL
 *
 * One call for all pods and containers, through descriptors that stay open.  A group that
 * another process has removed is skipped.
 *
 * Where the policy has a report of memory (capability bpf.report), the kernel writes the figures of
 * memory of all groups in one read, and no file of CGFS_READ_MEMORY_BULK is read but those of the
 * first group, which say what this kernel has; where programs may ask for memory.stat (Linux 7.2),
 * none of CGFS_READ_MEMORY_STAT either.  Each figure is what its file would show, and its source is
 * CGFS_SOURCE_REPORT.  What the report does not have is read from files.
 *
 * Errors:  as cgfs_group_stats(), of the first group that cannot be read; the walk ends there
 *
 * Return: 0, what @fn returned, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_stats_all(struct cgfs *c, unsigned int what,
				       int (*fn)(void *arg, struct cgfs_group *g,
						 const struct cgfs_stats *stats),
				       void *arg, struct cgfs_err *reterr);

/**
 * cgfs_group_reset_peak() - let memory.peak and memory.swap.peak begin anew, at what is in use now
 * @g:      borrowed
 * @reterr: may be NULL
 *
 * On v1 this resets memory.max_usage_in_bytes and memory.memsw.max_usage_in_bytes for all readers.
 * On v2 it resets memory.peak and memory.swap.peak for figures that are read through this handle.
 *
 * Errors:  -EOPNOTSUPP  cgroup2 before Linux 6.12
 *          -ENODEV      no memory controller on this host, or the group is gone
 * Context: does not wait
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_reset_peak(struct cgfs_group *g, struct cgfs_err *reterr);

/**
 * cgfs_stats_json() - the figures that are available, as a JSON object
 * @stats:    borrowed
 * @ret_json: out; release with free(3); nested by the dots of the json paths, no newline.
 *            "no limit" is the string "max"
 *
 * Errors:  -ENOMEM; -EINVAL or -E2BIG: sz is not set, or there are members unknown here
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_stats_json(const struct cgfs_stats *stats, char **ret_json);

/* The json path and the unit ("bytes", "us", "count", "weight", "0.01%", "0 or 1") of one figure.
 */
CGFS_API const char *cgfs_stat_name(enum cgfs_stat stat);
CGFS_API const char *cgfs_stat_unit(enum cgfs_stat stat);

#ifdef __cplusplus
}
#endif
#endif
