/* SPDX-License-Identifier: MIT */
/*
 * cgfs/cpuset.h - the processors and memory nodes of a group, and the flags that v1 has beside
 * them.
 *
 * Which ones a group may use is set with cgfs_group_set() (cpuset_cpus, cpuset_mems,
 * cpuset_partition); what it has then depends on the groups above it.
 */
#ifndef CGFS_CPUSET_H
#define CGFS_CPUSET_H

#include <cgfs/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cgfs_group;

/* v1's files of the same names, cpuset.cpu_exclusive and so on. */
#define CGFS_CPUSET_CPU_EXCLUSIVE      (1u << 0)
#define CGFS_CPUSET_MEM_EXCLUSIVE      (1u << 1)
#define CGFS_CPUSET_MEM_HARDWALL       (1u << 2)
#define CGFS_CPUSET_MEMORY_MIGRATE     (1u << 3)
#define CGFS_CPUSET_MEMORY_SPREAD_PAGE (1u << 4)
#define CGFS_CPUSET_MEMORY_SPREAD_SLAB (1u << 5)
#define CGFS_CPUSET_SCHED_LOAD_BALANCE (1u << 6)

/* Lists are in the kernel's form, "0-3,7". */
struct cgfs_cpuset {
	size_t sz;				     /* of the library's structure */
	unsigned int flags;			     /* CGFS_CPUSET_ bits; v1 only */
	const char *cpus, *mems;		     /* as they were set; "": unset */
	const char *effective_cpus, *effective_mems; /* those that its processes can use */
	/* cgroup2: "member", "root", "isolated", or one of them and " invalid (why)".  NULL on v1,
	 * and where the kernel has no partitions. */
	const char *partition;
	/* Those in effect are not those that were set: on cgroup2 the group above has fewer,
	 * another has them in a partition, or they are switched off. */
	bool cpus_differ, mems_differ;
	bool reserved[6]; /* false */
};

/**
 * cgfs_group_cpuset() - read the processors and nodes of a group
 * @g:       borrowed
 * @ret_set: out; release with free(3), strings included
 * @reterr:  may be NULL
 *
 * v1 cpuset.cpus, .mems, .effective_cpus, .effective_mems and the flags; v2 cpuset.cpus, .mems,
 * .cpus.effective, .mems.effective and .cpus.partition.
 *
 * Errors:  -ENODEV  no cpuset controller on this host, or the group is gone
 *          -ENOMEM, or the kernel's about the file in reterr->path
 * Context: opens files; nothing is kept
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_cpuset(struct cgfs_group *g, struct cgfs_cpuset **ret_set,
					  struct cgfs_err *reterr);

/**
 * cgfs_group_set_cpuset_flags() - switch flags of a v1 cpuset on or off
 * @g:      borrowed
 * @which:  CGFS_CPUSET_ bits that are meant; the others stay
 * @flags:  those of @which that are to be on
 * @reterr: may be NULL
 *
 * All of it, or nothing: flags that were changed are put back when the kernel refuses another.
 *
 * Errors:  -EOPNOTSUPP  cpuset is on cgroup2, which has none of them; a partition is the nearest
 *          -ENODEV      no cpuset controller on this host, or the group is gone
 *          -EINVAL      @which has an unknown bit; or, as -EACCES, the kernel's rule for exclusive
 *                       sets: siblings must not overlap, and the parent must be exclusive
 * Context: does not wait
 * Since:   0.1
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_group_set_cpuset_flags(struct cgfs_group *g, unsigned int which,
						    unsigned int flags, struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
