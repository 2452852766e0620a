/* SPDX-License-Identifier: MIT */
/*
 * ops.h - one controller on one cgroup version, and what the files of all controllers use.
 *
 * A file of a controller has its v1 table and its v2 table side by side; table.c lists them all.
 */
#ifndef CGFS_CONTROLLER_OPS_H
#define CGFS_CONTROLLER_OPS_H

#include "cgfs/tree/dir.h"
#include "cgfs/tree/kept.h"

struct cgfs_key;

/* A file with figures, of one number or of "key value" lines, whose descriptor the group keeps. */
struct stat_file {
	const char *name;
	enum kept slot;
	uint32_t what;		     /* CGFS_READ_* */
	enum cgfs_stat stat;	     /* of the one number */
	const struct cgfs_key *keys; /* the index of each is an enum cgfs_stat; NULL: one number */
	size_t n_keys;		     /* 0: read for cgfs_group_native() alone */
};
#define STAT_NUMBER(name, slot, what, stat)                                                        \
	{                                                                                          \
		name, KEPT_##slot, CGFS_READ_##what, CGFS_STAT_##stat, NULL, 0                     \
	}
/* The same for files that CGFS_READ_USAGE reads as well. */
#define STAT_NUMBER_USED(name, slot, what, stat)                                                   \
	{                                                                                          \
		name, KEPT_##slot, CGFS_READ_##what | CGFS_READ_USAGE, CGFS_STAT_##stat, NULL, 0   \
	}
#define STAT_KEYED_USED(name, slot, what, keys)                                                    \
	{                                                                                          \
		name, KEPT_##slot, CGFS_READ_##what | CGFS_READ_USAGE, 0, keys, ARRAY_SIZE(keys)   \
	}
#define STAT_KEYED(name, slot, what, keys)                                                         \
	{                                                                                          \
		name, KEPT_##slot, CGFS_READ_##what, 0, keys, ARRAY_SIZE(keys)                     \
	}

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

/* A write that the kernel has refused. */
struct ctl_refused {
	const struct cgfs_dir *d;
	const char *file, *value;
	int code;
};

/* A slot that is NULL is nothing to do; apply() is there with @handles. */
struct ctl_ops {
	uint64_t handles; /* CGFS_SET_* bits that apply() understands */
	uint32_t reads;	  /* CGFS_READ_* bits for which it has figures */
	/* A directory of the way to the pods root, the root included, was made (@ours) or found.
	 * @dir: its path, for errors.  1: what is made in it needs the same, as it hands nothing
	 * down. */
	int (*prepare_root)(struct cgfs *c, int parent_fd, int dir_fd, bool ours, const char *dir,
			    struct cgfs_err *reterr);
	int (*apply)(const struct cgfs_dir *d, const struct cgfs_resources *res,
		     struct cgfs_err *reterr);
	/* Ended by one without a name. */
	const struct stat_file *figures;
	/* After those: what no table says. */
	int (*stats)(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		     struct cgfs_err *reterr);
	/* The kernel wants the limit to be within that of the group above at any moment. */
	bool within_parent;
	/* Limits that are no figures, ended by one without a bit; NULL: it has none. */
	const struct ctl_limit *limits;
	/* Explains the kernel's errno by the files of the groups around it; "" remains when they do
	 * not explain it.  NULL: no file can. */
	void (*why)(const struct ctl_refused *w, char *buf, size_t len);
};

/* @code, with that reason in the error instead of the kernel's word. */
int ctl_why(const struct ctl_ops *ops, const struct cgfs_dir *d, int code, struct cgfs_err *reterr);
/* All figures of one controller, but those that a report has given already; a file that is not
 * there leaves its own unavailable.  A negative return is a real error: the group is gone. */
int ctl_stats(const struct cgfs_dir *d, const struct ctl_ops *ops, unsigned int what,
	      struct cgfs_stats *s, struct cgfs_err *reterr);
/* Those of one file. */
int ctl_stat_file(const struct cgfs_dir *d, const struct stat_file *f, struct cgfs_stats *s,
		  struct cgfs_err *reterr);

static inline void ctl_stat_set(struct cgfs_stats *s, enum cgfs_stat stat, uint64_t value)
{
	s->figure[stat].value = value;
	s->figure[stat].available = true;
}

/* v1: an eventfd that counts what the kernel announces of @file, on the condition @more (" " and a
 * number, or ""); then @fn is called, which has to read it. */
int ctl_add_counter(const struct cgfs_dir *d, const char *file, const char *more,
		    void (*fn)(struct cgfs_group *g), int *ret_counter, struct cgfs_err *reterr);

/* How control files are put back (undo.c). */
extern const struct undo_ops ctl_undo;

extern const struct ctl_ops ctl_cpu_v1, ctl_cpu_v2;
extern const struct ctl_ops ctl_cpuacct_v1;
/* The same files on both versions. */
extern const struct ctl_ops ctl_pids, ctl_rdma, ctl_misc;
extern const struct ctl_ops ctl_cpuset_v1, ctl_cpuset_v2;
extern const struct ctl_ops ctl_memory_v1, ctl_memory_v2;
extern const struct ctl_ops ctl_io_v1, ctl_io_v2;
extern const struct ctl_ops ctl_hugetlb_v1, ctl_hugetlb_v2;
extern const struct ctl_ops ctl_net_cls_v1, ctl_net_prio_v1;
extern const struct ctl_ops ctl_freezer_v1;

#endif
