/* SPDX-License-Identifier: MIT */
/*
 * context.h - the context and the handle of a group, as data.  Only files in cgfs/ include it.
 *
 * A context has hierarchies; a controller has a place, which is a hierarchy and a version; a
 * group is the same relative path in every hierarchy in use.
 */
#ifndef CGFS_TREE_CONTEXT_H
#define CGFS_TREE_CONTEXT_H

#include <cgfs/cgfs.h>

#define HIERARCHY_MAX CGFS_MOUNTS_MAX

/* Longest relative path of a group ("pod/container") with a control file behind it. */
#define REL_MAX	      (2 * (CGFS_ID_MAX + 1))
#define FILE_PATH_MAX (REL_MAX + 96)

struct hierarchy {
	const struct cgfs_mount *mount;
	int mount_fd;
	int root_fd;	      /* the pods root; -EBADF until something was made in it */
	uint32_t controllers; /* those in use, 1u << enum cgfs_controller */
	unsigned int made; /* how many parts of the root's path this context made, from its end */
	bool ready;	   /* the root was made, or looked at, so that groups can be made in it */
	bool by_hand;	   /* v1: the root hands nothing down, so each group is prepared itself */
};

struct place {
	enum cgfs_version_id version;
	int hierarchy;		   /* index; -1 without one */
	const struct ctl_ops *ops; /* NULL: the library only makes the directories */
};

struct cgfs_dir;

struct cgfs {
	const struct cgfs_fs *fs;
	const struct cgfs_policy *policy; /* NULL: none, or no cgroup2 tree to hold on to */
	/* The caller's tables, as this library knows them. */
	struct cgfs_fs own_fs;
	struct cgfs_fs_ops own_fs_ops;
	struct cgfs_policy own_policy;
	struct cgfs_policy_ops own_policy_ops;
	struct cgfs_mounts mounts;
	char *root; /* "/pods"; "" for the top of each hierarchy */
	struct hierarchy hierarchy[HIERARCHY_MAX];
	int n;
	int unified; /* index of the cgroup2 tree, -1 without one */
	/* Controllers, 1u << enum cgfs_controller, that this context switched on in the
	 * subtree_control of directories that were there: of the mount, then of each part of the
	 * root's path.  NULL until then. */
	uint32_t *enabled;
	struct place place[CGFS_CONTROLLER_COUNT];
	bool rootless;		   /* this process may not write at the top of the hierarchies */
	uint32_t denied;	   /* controllers that are on this host, but not for this process */
	uint32_t denied_ro;	   /* of these, those whose hierarchy is mounted read-only */
	struct cgfs_group *groups; /* all handles */
	/* Those with descriptors, in the order of their last use; see descriptors.c. */
	struct cgfs_group *newest, *oldest;
	size_t n_kept, max_kept; /* descriptors that groups keep */
	bool walking;		 /* over all groups, each of them once */
	void (*written)(void *user, const struct cgfs_written *w);
	void *written_user;
	/* A write with a report was made, or refused; set by cgfs_open() for a caller that wants to
	 * see those; else NULL. */
	void (*on_write)(const struct cgfs_dir *d, const char *file, const char *value, int error);
	/* By slot (kept.h): files of figures that a report has as well, and of these, those that
	 * this kernel has, too. */
	uint64_t report_looked, report_there;
	bool read_only; /* the door refuses every call that changes something */
	/* Time has passed, or with @missed anything may have happened: all that wait have a look.
	 * Set by cgfs_open(). */
	void (*round)(struct cgfs *c, bool missed);
	struct events *events;
	/* CLOCK_MONOTONIC: what a dispatch does step by step is left to the next one from then on,
	 * so that a caller's loop has its turn.  0: none is under way. */
	uint64_t step_until;
};

enum group_state { GROUP_LIVE, GROUP_REMOVING, GROUP_REMOVED };

struct cgfs_group {
	struct cgfs *c;
	struct cgfs_group *pod; /* holds a reference; NULL for pods and standalone containers */
	struct cgfs_group *next, **prev; /* in c->groups */
	struct cgfs_group *newer, *older;
	uint64_t pinned; /* of kept: those that may not be given up, 1 << slot */
	unsigned int refs;
	unsigned int n_below; /* handles of its containers; each holds a reference */
	bool is_pod;
	bool unbound; /* opened, and the device policy did not know it */
	enum group_state state;
	char *path;		/* "/pods/web/c1" */
	const char *rel;	/* "web/c1", inside path */
	const char *id;		/* "c1", inside path */
	int dir[HIERARCHY_MAX]; /* opened on first need; -EBADF until then */
	uint64_t *inode; /* of directories that were given up, by hierarchy; NULL: none was */
	uint64_t cgroup_id;
	bool subtree; /* controllers are enabled for children (cgroup2) */
	int *kept;    /* descriptors of statistics files, see KEPT_* */
	/* The list in force, as far as this handle knows; the default one is not a copy. */
	const struct cgfs_device_rule *rules;
	size_t n_rules;
	struct oom_watch *oom;	 /* NULL when nothing is watched through control files */
	struct watch_set *watch; /* NULL when no watch was asked for; see watch.c */
	struct removal *removal;
	struct killing *killing; /* under way; see kill.c */
};

/* As the policy knows the group (handle.c). */
void group_policy(const struct cgfs_group *g, struct cgfs_policy_group *ret);

#endif
