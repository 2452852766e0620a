/* SPDX-License-Identifier: MIT */
/*
 * cgfs/host.h - which controller lives where on this boot, and the context for all else.
 *
 * "v1 or v2" is a property of a controller, not of the host.  The context holds one table:
 * for each controller the hierarchy that carries it and that hierarchy's version.
 */
#ifndef CGFS_HOST_H
#define CGFS_HOST_H

#include <cgfs/base.h>
#include <cgfs/fs.h>
#include <cgfs/policy.h>
#include <cgfs/resources.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Controllers by their cgroup2 names where both versions have one ("io" is v1's blkio).
 * CPUACCT, DEVICES, FREEZER, NET_CLS and NET_PRIO exist as v1 controllers only. */
enum cgfs_controller {
	CGFS_CPU,
	CGFS_CPUACCT,
	CGFS_CPUSET,
	CGFS_MEMORY,
	CGFS_PIDS,
	CGFS_IO,
	CGFS_DEVICES,
	CGFS_FREEZER,
	CGFS_HUGETLB,
	CGFS_RDMA,
	CGFS_MISC,
	CGFS_NET_CLS,
	CGFS_NET_PRIO,
	CGFS_PERF_EVENT,
	CGFS_CONTROLLER_COUNT
};

enum cgfs_version_id {
	CGFS_NONE = 0, /* the controller is not on this host */
	CGFS_V1 = 1,
	CGFS_V2 = 2,
};

/* A name for the whole table, for display; the library makes no decision by it. */
enum cgfs_layout {
	CGFS_LAYOUT_NONE,   /* no cgroup hierarchy */
	CGFS_LAYOUT_V1,	    /* v1 controllers, no cgroup2 tree (or only one that cgfs mounted) */
	CGFS_LAYOUT_HYBRID, /* cpu, memory, pids, cpuset and io on v1, beside a cgroup2 tree */
	CGFS_LAYOUT_MIXED,  /* some of these on v1 and some on cgroup2 */
	CGFS_LAYOUT_V2,	    /* no v1 hierarchy */
};

/* One mounted hierarchy; what discovery finds and what the fake provides. */
struct cgfs_mount {
	enum cgfs_version_id version;
	uint32_t controllers; /* 1u << enum cgfs_controller; on cgroup2: cgroup.controllers */
	bool ours;	      /* mounted by cgfs: see cgroup2_mount */
	char path[256];
};

/* A cgroup mount that was left out, and why.  Never changes its size, like struct cgfs_mount. */
struct cgfs_unused_mount {
	uint32_t controllers; /* bits as in struct cgfs_mount, as far as they are known */
	char path[256];
	char reason[160];
	char remedy[160]; /* what to change */
};

#define CGFS_MOUNTS_MAX	       16
#define CGFS_UNUSED_MOUNTS_MAX 8

struct cgfs_mounts {
	size_t sz;
	size_t n;
	struct cgfs_mount mount[CGFS_MOUNTS_MAX];
	/* Hidden under another mount, without the prefix of its files, or of a part of its
	 * hierarchy that does not go with the others; more than these are not kept. */
	size_t n_unused;
	struct cgfs_unused_mount unused[CGFS_UNUSED_MOUNTS_MAX];
};

#define CGFS_MOUNTS_INIT CGFS_SIZED(struct cgfs_mounts)

struct cgfs;

/* One control file that a create or a set wrote: what became of a limit. */
struct cgfs_written {
	size_t sz;			 /* of the library's structure */
	enum cgfs_controller controller; /* CGFS_CONTROLLER_COUNT: a file of the cgroup2 tree */
	enum cgfs_version_id version;
	/* 0; or the negative errno of a write that the kernel refused.  Another file or another
	 * order may do, so not every refusal ends the call; the last one before it ends does. */
	int error;
	const char *path;  /* "/sys/fs/cgroup/memory/pods/web/memory.limit_in_bytes" */
	const char *file;  /* its last part */
	const char *value; /* the text written, without a newline */
	/* The CGFS_SET_ bits of struct cgfs_resources that it carries; 0: a step on the way,
	 * or taken over from what was there. */
	uint64_t members;
	/* Of members that are lists (io_devices, hugetlb, rdma, misc, net_prio, unified): which
	 * entry.  A unified entry that went to another file than it names is unified all the
	 * same. */
	size_t entry;
};

/* Options of cgfs_open(); CGFS_OPEN_OPTS_INIT, then set what differs. */
struct cgfs_open_opts {
	size_t sz;
	/* Where pods live, in every hierarchy: "/pods" when NULL.  Absolute, relative to the
	 * root that this process sees; created on first use with all parents.  Its parts may be
	 * names that are not valid as ids, such as "user@1000.service". */
	const char *root;
	/* Device policy, kills, memory accounting and admission (cgfs/bpf.h); NULL: control files
	 * only.  Borrowed until close. */
	const struct cgfs_policy *policy;
	/* NULL: the kernel.  Borrowed until close. */
	const struct cgfs_fs *fs;
	/* NULL: cgfs_discover() finds them.  Copied. */
	const struct cgfs_mounts *mounts;
	/* Where to mount a cgroup2 tree when there is none, for eBPF, and for the controllers
	 * that are not on v1; cgfs_close() unmounts it.  NULL: mount none. */
	const char *cgroup2_mount;
	/* Controllers to use: bits 1u << enum cgfs_controller; 0: all that are mounted. */
	uint32_t controllers;
	/* Groups are at the top of each hierarchy, "/web"; @root must be NULL.  cgfs_root() is
	 * then "/", which is not removed, and has no limits. */
	bool top;
	/* For reading: nothing in the kernel is changed, nothing attached, registered or locked,
	 * and calls that would are -EROFS.  @cgroup2_mount must be NULL.  OOM kills of cgroup v1
	 * are then reported by a policy only, because an eventfd would have to be registered. */
	bool read_only;
	/* Optional.  Called after every attempted write to a control file of a create or a set,
	 * in order.  Writes that undo earlier ones after a failure are not reported. */
	void (*written)(void *user, const struct cgfs_written *w);
	void *written_user;
};

#define CGFS_OPEN_OPTS_INIT CGFS_SIZED(struct cgfs_open_opts)

/* Where one controller is. */
struct cgfs_place {
	enum cgfs_version_id version;
	const char *mount; /* mount point of its hierarchy; "" when version is CGFS_NONE */
};

/**
 * cgfs_discover() - the hierarchies that are mounted here
 * @ret_mounts: in: CGFS_MOUNTS_INIT; out
 * @reterr:     may be NULL
 *
 * Of several mounts of a hierarchy it takes the one that goes with those of the others, so that a
 * group has the same path in all.  A mount that cannot be used is left out with its reason, and
 * does not affect the others.
 *
 * Errors:  -ENOENT  no cgroup hierarchy is mounted that can be used; @ret_mounts has those that
 *                   were left out
 *          -E2BIG   there are more than @ret_mounts has room for
 *          other    the kernel's, of /proc/self/mountinfo or /proc/self/cgroup
 * Context: reads these two files and calls libcgroup, which keeps process-wide state, so two
 *          threads must not call this at the same time
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_discover(struct cgfs_mounts *ret_mounts, struct cgfs_err *reterr);

/**
 * cgfs_open() - a context for one pods root
 * @opts:   borrowed; NULL for the defaults
 * @ret:    out; release with cgfs_close()
 * @reterr: may be NULL
 *
 * Changes nothing in the kernel, except for the mount that @opts->cgroup2_mount asks for.
 *
 * A process without privilege needs a root below a group that was delegated to it
 * (cgfs_group_delegate()) and that has no process itself.  Hierarchies where it may not create
 * directories, and cgroup2 controllers that are not enabled there, are then not used: a limit that
 * needs one is -EACCES, with the reason.  v1's device rules need CAP_SYS_ADMIN: a requested list is
 * -EPERM; without a request the default list is omitted, and the rules of the groups above apply.
 * A process that owns no root can still list and read.
 *
 * Errors:  -ENOENT  no cgroup hierarchy is mounted
 *          -EINVAL  @opts->root is not an absolute path made of valid names, or two options
 *                   contradict each other
 *          -E2BIG   @opts is from a newer version and uses members unknown here
 *          other    the kernel's, for instance of the mount of @opts->cgroup2_mount
 * Context: without @opts->mounts as cgfs_discover()
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_open(const struct cgfs_open_opts *opts, struct cgfs **ret,
				  struct cgfs_err *reterr);

/**
 * cgfs_close() - release the context; pods and containers stay as they are
 * @c: may be NULL; all group handles of @c must have been closed
 *
 * A removal in progress (cgfs_group_remove()) stops where it is; what it has not removed stays.
 */
CGFS_API void cgfs_close(struct cgfs *c);

/* In C++ a function may have the name of a structure, too; g++ -Wshadow warns of it. */
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

/* The table, in several views.  All of them only read memory; pointers belong to @c and are valid
 * until cgfs_close(). */
CGFS_API enum cgfs_layout cgfs_layout(const struct cgfs *c);
CGFS_API struct cgfs_place cgfs_place(const struct cgfs *c, enum cgfs_controller ctl);
CGFS_API const struct cgfs_mounts *cgfs_mounts(const struct cgfs *c);
CGFS_API const char *cgfs_root(const struct cgfs *c);

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* "v1", "hybrid", "mixed", "v2", "none"; "cpu", "memory", ...: static strings, never NULL. */
CGFS_API const char *cgfs_layout_name(enum cgfs_layout layout);
CGFS_API const char *cgfs_controller_name(enum cgfs_controller ctl);

/**
 * cgfs_controller_from_name() - a controller by its name, also by its v1 name ("blkio")
 * @name: borrowed
 *
 * Errors:  -ENOENT  no controller has this name
 *
 * Return: the enum cgfs_controller, or a negative errno.
 */
CGFS_API int cgfs_controller_from_name(const char *name);

/**
 * cgfs_root_set() - limits for all pods together
 * @c:      borrowed
 * @res:    borrowed; see cgfs/resources.h; no devices
 * @reterr: may be NULL
 *
 * Creates the pods root if it does not exist.  The values are checked before the first write, and
 * if the kernel refuses one, the files that were written get their old values back.
 *
 * Units:   as in struct cgfs_resources
 * Errors:  as cgfs_group_set()
 * Context: takes as long as the kernel reclaims
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_root_set(struct cgfs *c, const struct cgfs_resources *res,
				      struct cgfs_err *reterr);

/**
 * cgfs_root_remove() - remove the pods root from every hierarchy when it is empty
 * @c:      borrowed
 * @reterr: may be NULL
 *
 * Only directories of the root's path that this library created are removed: they have the
 * sticky bit, and only their owner may write to them.
 *
 * Controllers that were enabled on the way to it by this context are disabled again where
 * no other cgroup uses them.  A later create creates the root again.  The policy forgets groups
 * whose directories another process removed.
 *
 * Errors:  -ENOTEMPTY  there are still pods; they stay
 *          other       the kernel's, or the policy's; what could be removed is removed
 * Context: with a policy, may wait for another process that is changing its pins
 *
 * Return: 0 (also when there was no root), or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_root_remove(struct cgfs *c, struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
