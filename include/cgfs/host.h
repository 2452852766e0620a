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

/* A word for the whole table, for people; nothing in the library decides by it. */
enum cgfs_layout {
	CGFS_LAYOUT_NONE,   /* no cgroup hierarchy at all */
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

#define CGFS_MOUNTS_MAX 16

struct cgfs_mounts {
	size_t n;
	struct cgfs_mount mount[CGFS_MOUNTS_MAX];
};

struct cgfs;

/* One control file that a create or a set wrote: what became of a limit. */
struct cgfs_written {
	enum cgfs_controller controller; /* CGFS_CONTROLLER_COUNT: a file of the cgroup2 tree */
	enum cgfs_version_id version;
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
	/* 0; or the negative errno of a write that the kernel refused.  Another file or another
	 * order may do, so not every refusal ends the call; the last one before it ends does. */
	int error;
};

/* Options of cgfs_open(); CGFS_OPEN_OPTS_INIT, then set what differs. */
struct cgfs_open_opts {
	size_t sz;
	/* Where pods live, in every hierarchy: "/pods" when NULL.  Absolute, relative to the
	 * root that this process sees; made on first use with all parents.  Its parts may have
	 * names that no id has, such as "user@1000.service". */
	const char *root;
	/* Device policy and kill attribution; NULL: control files only.  Borrowed until close. */
	const struct cgfs_policy *policy;
	/* NULL: the kernel.  Borrowed until close. */
	const struct cgfs_fs *fs;
	/* NULL: found by cgfs_discover().  Copied. */
	const struct cgfs_mounts *mounts;
	/* Where to mount a cgroup2 tree when there is none, for eBPF, and for the controllers
	 * that are not on v1; unmounted by cgfs_close().  NULL: do not. */
	const char *cgroup2_mount;
	/* Controllers to use: bits 1u << enum cgfs_controller; 0: all that there are. */
	uint32_t controllers;
	/* Called after each control file that a create or a set has written, or could not, in
	 * order, for who wants to show it; NULL: nobody.  What a failure takes back is not
	 * reported. */
	void (*written)(void *user, const struct cgfs_written *w);
	void *written_user;
	/* Groups are at the top of each hierarchy, "/web"; @root must be NULL.  cgfs_root() is
	 * then "/", which is not removed, and has no limits. */
	bool top;
};

#define CGFS_OPEN_OPTS_INIT                                                                        \
	{                                                                                          \
		.sz = sizeof(struct cgfs_open_opts)                                                \
	}

/* Where one controller is. */
struct cgfs_place {
	enum cgfs_version_id version;
	const char *mount; /* mount point of its hierarchy; "" when version is CGFS_NONE */
};

/**
 * cgfs_discover() - the hierarchies that are mounted here, as libcgroup finds them
 * @ret_mounts: out
 * @reterr:     may be NULL
 *
 * Errors:  -ENOENT  no cgroup hierarchy is mounted
 *          -EIO     libcgroup failed; the error holds its words
 * Context: reads /proc/mounts and /proc/cgroups; libcgroup keeps process-wide state, so two
 *          threads must not call this at once
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
 * A process without privilege needs a root of its own, below a group that was given to it
 * (cgfs_group_delegate()) and that holds no process itself.  Hierarchies where it may not make
 * directories, and controllers of cgroup2 that do not reach so far, are then not used: a limit that
 * needs one is -EACCES and says so.  v1's device rules want CAP_SYS_ADMIN: asked for, they are
 * -EPERM; the default list is left out, and the rules of what is above hold.  Where it owns no
 * root at all it can still list and read.
 *
 * Errors:  -ENOENT  no cgroup hierarchy is mounted
 *          -EINVAL  @opts->root is not an absolute path made of valid names
 *          -E2BIG   @opts is from a newer version and uses members unknown here
 *
 * Return: 0, or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_open(const struct cgfs_open_opts *opts, struct cgfs **ret,
				  struct cgfs_err *reterr);

/**
 * cgfs_close() - release the context; pods and containers stay as they are
 * @c: may be NULL; all group handles of @c must have been closed
 *
 * A removal that is under way (cgfs_group_remove()) ends where it is.
 */
CGFS_API void cgfs_close(struct cgfs *c);

/* The table, in several views; all of them plain reads of memory. */
CGFS_API enum cgfs_layout cgfs_layout(const struct cgfs *c);
CGFS_API struct cgfs_place cgfs_place(const struct cgfs *c, enum cgfs_controller ctl);
CGFS_API const struct cgfs_mounts *cgfs_mounts(const struct cgfs *c);
CGFS_API const char *cgfs_root(const struct cgfs *c);

/* "v1", "hybrid", "mixed", "v2", "none"; "cpu", "memory", ...: static strings. */
CGFS_API const char *cgfs_layout_name(enum cgfs_layout layout);
CGFS_API const char *cgfs_controller_name(enum cgfs_controller ctl);

/**
 * cgfs_controller_from_name() - the reverse; knows v1's names ("blkio") too
 * @name: borrowed
 *
 * Return: the controller, or -ENOENT.
 */
CGFS_API int cgfs_controller_from_name(const char *name);

/**
 * cgfs_root_set() - limits for all pods together
 * @c:      borrowed
 * @res:    borrowed; see cgfs/resources.h; no devices
 * @reterr: may be NULL
 *
 * Makes the pods root if need be.  The values are checked before the first write, and if the
 * kernel refuses one, the files that were written get their old values back.
 *
 * Errors:  as cgfs_group_set()
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
 * Controllers that were enabled on the way to it by this context are disabled again where
 * nobody else uses them.  A later create makes the root anew.  The policy forgets groups whose
 * directories somebody else removed.
 *
 * Errors:  -ENOTEMPTY  pods are left
 *
 * Return: 0 (also when there was no root), or a negative errno.
 */
CGFS_API CGFS_CHECK int cgfs_root_remove(struct cgfs *c, struct cgfs_err *reterr);

#ifdef __cplusplus
}
#endif
#endif
