/* SPDX-License-Identifier: MIT */
/*
 * table.h - one controller on one cgroup version.
 *
 * This folder and host.c are the only places that know v1 from v2.  A file here holds one
 * controller: its v1 table and its v2 table side by side.  table.c lists them all.
 */
#ifndef CGFS_CONTROLLER_TABLE_H
#define CGFS_CONTROLLER_TABLE_H

#include "../core.h"
#include "../parse.h"

/* Statistics files whose descriptors a group keeps, over all controllers and versions. */
enum kept {
	KEPT_MEMORY_CURRENT,
	KEPT_MEMORY_MAX,
	KEPT_MEMORY_HIGH,
	KEPT_MEMORY_LOW,
	KEPT_MEMORY_PEAK,
	KEPT_MEMORY_SWAP_CURRENT,
	KEPT_MEMORY_SWAP_MAX,
	KEPT_MEMORY_MIN,
	KEPT_MEMORY_SWAP_PEAK,
	KEPT_MEMORY_SWAP_EVENTS,
	KEPT_MEMORY_ZSWAP,
	KEPT_MEMORY_ZSWAP_MAX,
	KEPT_MEMORY_KERNEL,
	KEPT_MEMORY_EVENTS,
	KEPT_MEMORY_FAILCNT,
	KEPT_MEMORY_STAT,
	KEPT_CPU_STAT,
	KEPT_CPU_WEIGHT,
	KEPT_CPU_QUOTA,
	KEPT_CPU_PERIOD,
	KEPT_CPUACCT_STAT,
	KEPT_CPUACCT_USAGE,
	KEPT_CPUACCT_USER,
	KEPT_CPUACCT_SYSTEM,
	KEPT_PIDS_CURRENT,
	KEPT_PIDS_MAX,
	KEPT_PIDS_PEAK,
	KEPT_PIDS_EVENTS,
	KEPT_PIDS_EVENTS_LOCAL,
	KEPT_MEMORY_EVENTS_LOCAL,
	KEPT_IO_STAT,
	KEPT_IO_SERVICED,
	KEPT_CPU_PRESSURE,
	KEPT_MEMORY_PRESSURE,
	KEPT_IO_PRESSURE,
	KEPT_CGROUP_STAT,
	KEPT_CGROUP_EVENTS,
	KEPT_FREEZER_STATE,
	KEPT_COUNT
};

struct keyed_file {
	const char *name;
	enum kept slot;
	uint32_t what; /* CGFS_READ_* */
};

/* A limit that stands in a file of its own, as it is read back into struct cgfs_applied. */
struct ctl_limit {
	uint64_t bit;	  /* CGFS_SET_* */
	const char *file; /* of several for one limit the first that exists */
	const char *key;  /* of a file of "key value" lines; NULL: the value alone */
	bool iocost;	  /* in that controller's scale of weights */
};
#define CTL_LIMIT(bit, file, key)                                                                  \
	{                                                                                          \
		CGFS_SET_##bit, file, key, false                                                   \
	}

/* Every slot but the last two is mandatory; the ctl_no_* functions below stand for "nothing to do".
 */
struct ctl_ops {
	uint64_t handles; /* CGFS_SET_* bits that apply() understands */
	uint32_t reads;	  /* CGFS_READ_* bits for which stats() has something */
	/* A directory of the way to the pods root, the root included, was made (@ours) or found.
	 * @dir: its path, for errors.  1: what is made in it needs the same, as it hands nothing
	 * down. */
	int (*prepare_root)(struct cgfs *c, int parent_fd, int dir_fd, bool ours, const char *dir,
			    struct cgfs_err *reterr);
	int (*apply)(const struct cgfs_dir *d, const struct cgfs_resources *res,
		     struct cgfs_err *reterr);
	int (*stats)(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		     struct cgfs_err *reterr);
	/* Files of "key value" lines, ended by one without a name; NULL: it has none. */
	const struct keyed_file *keyed;
	/* Limits that are no figures, ended by one without a bit; NULL: it has none. */
	const struct ctl_limit *limits;
};

int ctl_no_prepare_root(struct cgfs *c, int parent_fd, int dir_fd, bool ours, const char *dir,
			struct cgfs_err *reterr);
int ctl_no_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr);
int ctl_no_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		 struct cgfs_err *reterr);

/* One figure from one single-value file; a file that is not there leaves it unavailable.  A
 * negative return is a real error: the group is gone. */
int ctl_stat_file(const struct cgfs_dir *d, enum kept slot, const char *file, enum cgfs_stat stat,
		  struct cgfs_stats *s, struct cgfs_err *reterr);

static inline void ctl_stat_set(struct cgfs_stats *s, enum cgfs_stat stat, uint64_t value)
{
	s->value[stat] = value;
	s->available[stat] = true;
}

/* Figures from a file of "key value" lines; a key's index is an enum cgfs_stat. */
int ctl_stat_keyed(const struct cgfs_dir *d, enum kept slot, const char *file,
		   const struct cgfs_key *keys, size_t n_keys, struct cgfs_stats *s,
		   struct cgfs_err *reterr);

/* Files of the cgroup2 tree itself (pressure.c). */
extern const struct keyed_file tree_keyed[];

/* NULL: the controller has no such version, or the library only makes its directories. */
const struct ctl_ops *ctl_ops(enum cgfs_controller ctl, enum cgfs_version_id version);
/* Its name in cgroup.controllers or /proc/cgroups; NULL where it does not exist. */
const char *ctl_name(enum cgfs_controller ctl, enum cgfs_version_id version);
/* The text of cgroup.controllers or cgroup.subtree_control, which is taken apart, as 1u << enum
 * cgfs_controller each. */
uint32_t ctl_listed(char *text);

/* The controller of a cgroup2 control file, memory of "memory.high"; -ENOENT for any other. */
int ctl_of_file(const char *file);
/* Which of the members @set a control file of @ctl carries; 0: none (asked.c). */
uint64_t ctl_members(enum cgfs_controller ctl, enum cgfs_version_id version, const char *file,
		     const char *value, uint64_t set);
/* What to write so that @file holds @old again after @value was written (undo.c). */
int ctl_undo(const char *file, const char *value, const char *old, char *buf, size_t len);
/* The file whose content a write to @file changes as well; NULL: none. */
const char *ctl_lost_with(const char *file, enum cgfs_version_id version);
/* 0 when this kernel can take back a group's memory if told to, or has no memory controller. */
int ctl_can_reclaim(struct cgfs_group *g, struct cgfs_err *reterr);
/* A file that does something and holds nothing. */
bool ctl_write_only(const char *file);
/* After all writes: what the kernel takes, and says only when asked that it has no effect. */
int ctl_confirm(const struct cgfs_dir *d, const char *file, const char *value,
		struct cgfs_err *reterr);
/* The entry of the list of limits that is written from now on, for struct cgfs_written. */
static inline void ctl_entry(const struct cgfs_dir *d, size_t entry)
{
	d->g->c->asked.entry = entry;
}

/* Is one of @controllers among the v1 names "cpu,cpuacct" from @names up to @end? */
bool ctl_in_list(uint32_t controllers, const char *names, const char *end);

extern const struct ctl_ops ctl_cpu_v1, ctl_cpu_v2;
extern const struct ctl_ops ctl_cpuacct_v1;
extern const struct ctl_ops ctl_cpuset_v1, ctl_cpuset_v2;
extern const struct ctl_ops ctl_memory_v1, ctl_memory_v2;
extern const struct ctl_ops ctl_pids_v1, ctl_pids_v2;
extern const struct ctl_ops ctl_io_v1, ctl_io_v2;
extern const struct ctl_ops ctl_hugetlb_v1, ctl_hugetlb_v2;
extern const struct ctl_ops ctl_rdma_v1, ctl_rdma_v2;
extern const struct ctl_ops ctl_misc_v1, ctl_misc_v2;
extern const struct ctl_ops ctl_net_cls_v1, ctl_net_prio_v1;
extern const struct ctl_ops ctl_freezer_v1;

#endif
