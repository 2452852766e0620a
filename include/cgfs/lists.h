/* SPDX-License-Identifier: MIT */
/*
 * cgfs/lists.h - figures that are lists, the kernel's own counters, and all of it as JSON.
 */
#ifndef CGFS_LISTS_H
#define CGFS_LISTS_H

#include <cgfs/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs_group;

/* Element @i of a list that the library returned.  Each begins with its size, which can be larger
 * than in this header; list[i] would then point into the middle of an element. */
#define CGFS_AT(list, i) ((__typeof__(list))(const void *)((const char *)(list) + (i) * (list)->sz))

/* The I/O of a group on one block device. */
struct cgfs_io_stat {
	size_t sz; /* of the library's structure: see CGFS_AT() */
	uint32_t major, minor;
	uint64_t read_bytes, write_bytes, discard_bytes;
	uint64_t read_ops, write_ops, discard_ops;
};

/**
 * cgfs_group_io() - the block devices that a group has used
 * @g:       borrowed
 * @ret_io:  out; release with free(3); NULL when there are none
 * @ret_n:   out; how many
 * @reterr:  may be NULL
 *
 * v2 io.stat; v1 blkio.throttle.io_service_bytes_recursive and io_serviced_recursive.
 *
 * Units:   bytes, and operations
 * Errors:  -ENODEV  no io controller on this host, or the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Context: opens files; nothing is kept
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
	size_t sz;	    /* of the library's structure: see CGFS_AT() */
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

/* RDMA resources of one device; the same files on v1 and v2.  @available: CGFS_RDMA_ bits; what is
 * in use and its limit are always known. */
#define CGFS_RDMA_PEAK	 (1u << 0) /* since 7.2 */
#define CGFS_RDMA_FAILED (1u << 1) /* since 7.2 */

struct cgfs_rdma_stat {
	size_t sz; /* of the library's structure: see CGFS_AT() */
	char device[64];
	uint64_t hca_handles, hca_objects;	   /* in use */
	uint64_t hca_handles_max, hca_objects_max; /* CGFS_MAX: no limit */
	unsigned int available;
	uint64_t hca_handles_peak, hca_objects_peak;
	uint64_t hca_handles_failed, hca_objects_failed; /* how often a limit was hit, here or below
							  */
};

/**
 * cgfs_group_rdma() - the RDMA devices that a group uses, or may use
 * @g:       borrowed
 * @ret_rdma: out; release with free(3); NULL when there are no such devices
 * @ret_n:   out
 * @reterr:  may be NULL
 *
 * rdma.current, rdma.max, rdma.peak and rdma.events; one entry for each device in any of them.
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
	size_t sz;     /* of the library's structure: see CGFS_AT() */
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
 * pids.events.  Files that this kernel does not have, and lines without a number, are skipped.
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
 * The members of cgfs_stats_json(), and, as far as they are requested and available, "io_devices",
 * "hugetlb", "rdma", "misc" (arrays), "cpuset", "limits" (objects) and "native" (an object of
 * files, each an object of keys).  The keys of "limits" are the members of struct cgfs_resources,
 * io_devices, net_prio and devices included.  Unavailable members are omitted; "no limit" is the
 * string "max".
 *
 * Units:   as in CGFS_STATS and struct cgfs_resources
 * Errors:  -ENODEV  the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_json(struct cgfs_group *g, unsigned int what, char **ret_json,
					struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
