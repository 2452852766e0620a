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
 *   device.*           counted by the device policy; not available without one
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
	X(DEVICE_ALLOWED, "device.allowed", "count")                                               \
	X(DEVICE_DENIED, "device.denied", "count")                                                 \
	X(OOM_KILLS, "oom_kills", "count")

#define CGFS_STAT_ENUM(name, json, unit) CGFS_STAT_##name,
enum cgfs_stat { CGFS_STATS(CGFS_STAT_ENUM) CGFS_STAT_COUNT };

struct cgfs_stats {
	uint64_t value[CGFS_STAT_COUNT];
	bool available[CGFS_STAT_COUNT];
};

/* What to read: a caller pays for what it asks. */
#define CGFS_READ_MEMORY      (1u << 0) /* usage, limits, peak, swap, events */
#define CGFS_READ_MEMORY_STAT (1u << 1) /* the long memory.stat file */
#define CGFS_READ_CPU	      (1u << 2)
#define CGFS_READ_PIDS	      (1u << 3)
#define CGFS_READ_POLICY      (1u << 4) /* counters of the device policy */
#define CGFS_READ_IO	      (1u << 5)
#define CGFS_READ_PRESSURE    (1u << 6)
#define CGFS_READ_CGROUP      (1u << 7) /* cgroups below, dying ones included (cgroup2 tree) */
/* Lists, which struct cgfs_stats has no room for: cgfs_group_json() alone looks at these. */
#define CGFS_READ_HUGETLB     (1u << 8)
#define CGFS_READ_RDMA	      (1u << 9)
#define CGFS_READ_MISC	      (1u << 10)
#define CGFS_READ_NATIVE      (1u << 11) /* the kernel's own fields, see cgfs_group_native() */
#define CGFS_READ_ALL	      (~0u)

/**
 * cgfs_group_stats() - read the figures of a pod or container
 * @g:         borrowed
 * @what:      CGFS_READ_* bits
 * @ret_stats: out; every figure that was not read is marked as not available
 * @reterr:    may be NULL
 *
 * Descriptors of the files are opened once per group and kept.
 *
 * Units:   see CGFS_STATS.
 * Errors:  -ENOENT or -ENODEV  the group was removed by somebody
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
 * `cgroup.dying_descendants` among them is how many removed groups the kernel still keeps.
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
 * One call for all pods and containers, through descriptors that stay open.  A group that was
 * removed by somebody meanwhile is left out.
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
 * v1 memory.max_usage_in_bytes and memory.memsw.max_usage_in_bytes, for whoever reads them.  v2
 * memory.peak and memory.swap.peak, for figures read through this handle alone.
 *
 * Errors:  -EOPNOTSUPP  cgroup2 before Linux 6.12
 *          -ENODEV      no memory controller on this host, or the group is gone
 * Context: does not wait
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_reset_peak(struct cgfs_group *g, struct cgfs_err *reterr);

/* What one block device has done for a group. */
struct cgfs_io_stat {
	uint32_t major, minor;
	uint64_t read_bytes, write_bytes, discard_bytes;
	uint64_t read_ops, write_ops, discard_ops;
};

/**
 * cgfs_group_io() - the block devices that a group has used
 * @g:       borrowed
 * @ret_io:  out; release with free(3); NULL when there are none
 * @ret_n:   out
 * @reterr:  may be NULL
 *
 * v2 io.stat; v1 blkio.throttle.io_service_bytes_recursive and io_serviced_recursive.
 *
 * Errors:  -ENODEV  no io controller on this host, or the group is gone
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_io(struct cgfs_group *g, struct cgfs_io_stat **ret_io,
				      size_t *ret_n, struct cgfs_err *reterr);

/* Huge pages of one size.  Only the members whose CGFS_HUGETLB_ bit is in @available are known. */
#define CGFS_HUGETLB_CURRENT	  (1u << 0)
#define CGFS_HUGETLB_MAX	  (1u << 1)
#define CGFS_HUGETLB_PEAK	  (1u << 2)
#define CGFS_HUGETLB_FAILED	  (1u << 3)
#define CGFS_HUGETLB_LOCAL_FAILED (1u << 4)
#define CGFS_HUGETLB_RSVD_CURRENT (1u << 5)
#define CGFS_HUGETLB_RSVD_MAX	  (1u << 6)
#define CGFS_HUGETLB_RSVD_PEAK	  (1u << 7)
#define CGFS_HUGETLB_RSVD_FAILED  (1u << 8)

struct cgfs_hugetlb_stat {
	char page_size[16]; /* "2MB", as in struct cgfs_hugetlb */
	unsigned int available;
	uint64_t current_bytes, max_bytes;
	uint64_t peak_bytes;   /* v1 only */
	uint64_t failed;       /* how often a limit was hit, descendants included */
	uint64_t local_failed; /* by this group alone; v1: by this group's own limit */
	uint64_t rsvd_current_bytes, rsvd_max_bytes;
	uint64_t rsvd_peak_bytes, rsvd_failed; /* v1 only; v2 counts both as `failed` */
};

/**
 * cgfs_group_hugetlb() - the huge pages of a group, by page size
 * @g:       borrowed
 * @ret_huge: out; release with free(3); NULL when the kernel has no huge pages.  Ascending
 * @ret_n:   out
 * @reterr:  may be NULL
 *
 * v2 hugetlb.SIZE.current, .max, .events, .events.local and .rsvd.*; v1
 * hugetlb.SIZE.usage_in_bytes, .limit_in_bytes, .max_usage_in_bytes, .failcnt and .rsvd.*.  v1
 * counts a failure at the limit that was hit, so a pod's `failed` is not available there.
 *
 * Units:   bytes; CGFS_MAX: no limit
 * Errors:  -ENODEV  no hugetlb controller on this host, or the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Context: opens files; nothing is kept
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_hugetlb(struct cgfs_group *g,
					   struct cgfs_hugetlb_stat **ret_huge, size_t *ret_n,
					   struct cgfs_err *reterr);

/* RDMA resources of one device; the same files on v1 and v2. */
struct cgfs_rdma_stat {
	char device[64];
	uint64_t hca_handles, hca_objects;	   /* in use */
	uint64_t hca_handles_max, hca_objects_max; /* CGFS_MAX: no limit */
};

/**
 * cgfs_group_rdma() - the RDMA devices that a group uses, or may use
 * @g:       borrowed
 * @ret_rdma: out; release with free(3); NULL when there are no such devices
 * @ret_n:   out
 * @reterr:  may be NULL
 *
 * rdma.current and rdma.max, one entry a device of either.
 *
 * Errors:  -ENODEV  no rdma controller on this host, or the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Context: opens files; nothing is kept
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_rdma(struct cgfs_group *g, struct cgfs_rdma_stat **ret_rdma,
					size_t *ret_n, struct cgfs_err *reterr);

/* One resource of the misc controller.  @available: CGFS_MISC_ bits. */
#define CGFS_MISC_CURRENT (1u << 0)
#define CGFS_MISC_MAX	  (1u << 1)
#define CGFS_MISC_PEAK	  (1u << 2) /* since 6.11 */
#define CGFS_MISC_FAILED  (1u << 3)

struct cgfs_misc_stat {
	char name[64]; /* "sev", as in misc.capacity */
	unsigned int available;
	uint64_t current, max, peak;
	uint64_t failed; /* how often the limit was hit, here or below */
};

/**
 * cgfs_group_misc() - the misc controller's resources, as a group has them
 * @g:       borrowed
 * @ret_misc: out; release with free(3); NULL when this host has no such resource
 * @ret_n:   out
 * @reterr:  may be NULL
 *
 * misc.current, misc.max, misc.peak and misc.events, the same on v1 and v2.
 *
 * Errors:  -ENODEV  no misc controller on this host, or the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Context: opens files; nothing is kept
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_misc(struct cgfs_group *g, struct cgfs_misc_stat **ret_misc,
					size_t *ret_n, struct cgfs_err *reterr);

/**
 * cgfs_group_native() - every counter that the kernel has, under the kernel's name
 * @g:      borrowed
 * @what:   CGFS_READ_* bits: the files of which controllers
 * @fn:     called for each line "KEY VALUE", in the kernel's order, with the file's name;
 *          CGFS_MAX stands for "max".  A non-zero return ends the walk and is returned
 * @arg:    for @fn
 * @reterr: may be NULL
 *
 * v2: memory.stat, memory.events, memory.events.local, memory.swap.events, cpu.stat, pids.events,
 * pids.events.local, cgroup.stat.  v1: memory.stat, memory.oom_control, cpu.stat, cpuacct.stat,
 * pids.events.  A file that this kernel does not have is left out, and so is a line that is
 * no number.
 *
 * Errors:  -ENODEV  the group is gone
 *          other    the kernel's about the file in reterr->path
 * Context: descriptors are those of cgfs_group_stats(), which are kept
 * Since:   0.1
 *
 * Return: 0, what @fn returned, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_native(struct cgfs_group *g, unsigned int what,
					  int (*fn)(void *arg, const char *file, const char *key,
						    uint64_t value),
					  void *arg, struct cgfs_err *reterr);

/**
 * cgfs_group_json() - all figures of a group as one JSON object, lists included
 * @g:        borrowed
 * @what:     CGFS_READ_* bits
 * @ret_json: out; release with free(3); no newline
 * @reterr:   may be NULL
 *
 * What cgfs_stats_json() makes of the figures, with, as far as they are asked for and to be had,
 * "io_devices", "hugetlb", "rdma", "misc" (arrays) and "native" (an object of files, each an object
 * of keys) beside them.  What is not available is not there; "no limit" is the string "max".
 *
 * Errors:  -ENODEV  the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_json(struct cgfs_group *g, unsigned int what, char **ret_json,
					struct cgfs_err *reterr);

/**
 * cgfs_stats_json() - the figures that are available, as a JSON object
 * @stats:    borrowed
 * @ret_json: out; release with free(3); nested by the dots of the json paths, no newline.
 *            "no limit" is the string "max"
 *
 * Errors:  -ENOMEM
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_stats_json(const struct cgfs_stats *stats, char **ret_json);

/* The json path and the unit ("bytes", "us", "count", "weight") of one figure. */
CGFS_API const char *cgfs_stat_name(enum cgfs_stat stat);
CGFS_API const char *cgfs_stat_unit(enum cgfs_stat stat);

#ifdef __cplusplus
}
#endif
#endif
