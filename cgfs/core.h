/* SPDX-License-Identifier: MIT */
/*
 * core.h - the library's own structures.  Only files in cgfs/ include it.
 *
 * A context has hierarchies; a controller has a place, which is a hierarchy and a version; a
 * group is the same relative path in every hierarchy in use.
 */
#ifndef CGFS_CORE_H
#define CGFS_CORE_H

#include "internal.h"

#include <cgfs/cgfs.h>
#include <fcntl.h>

#define HIERARCHY_MAX CGFS_MOUNTS_MAX

/* May a directory of somebody's be called so?  Wider than what cgfs_id_check() takes (id.c). */
bool cgfs_directory_ok(const char *name);

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

/* Whose control files are being written; kept only for cgfs_open_opts.written. */
struct asked {
	bool on;
	enum cgfs_controller ctl;
	uint64_t set; /* members that are meant */
	size_t entry; /* of the list that is being written */
	const struct unified_plan *unified;
};

struct cgfs {
	const struct cgfs_fs *fs;
	const struct cgfs_policy *policy; /* NULL: none, or no cgroup2 tree to hold on to */
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
	struct cgfs_group *groups; /* all handles */
	/* Those with descriptors, in the order of their last use; see descriptors.c. */
	struct cgfs_group *newest, *oldest;
	size_t n_kept, max_kept; /* descriptors that groups keep */
	void (*written)(void *user, const struct cgfs_written *w);
	void *written_user;
	struct asked asked;
	struct events *events;
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
	struct watch_set *watch; /* NULL when nobody asked; see watch.c */
	struct removal *removal;
};

static inline bool in_use(const struct hierarchy *h)
{
	return h->mount != NULL;
}

/* The next handle, held by a reference while it is looked at; @g, NULL to begin with, is let go.
 * Whatever is closed meanwhile, the walk goes on (group.c). */
struct cgfs_group *group_walk(struct cgfs *c, struct cgfs_group *g);

/* -- fs calls, through the context's door (fs.c) ----------------------------------------- */

int fs_open(struct cgfs *c, int dirfd, const char *name, int flags);
void fs_close(struct cgfs *c, int *fd);
/* Whole file from offset 0, NUL-terminated; the length, or -EFBIG when @len is too small. */
ssize_t fs_pread(struct cgfs *c, int fd, char *buf, size_t len);
ssize_t fs_read_at(struct cgfs *c, int dirfd, const char *name, char *buf, size_t len);
/* The same for files that may be long: *ret is @small, or *ret_big where that does not do, which is
 * to be freed. */
ssize_t fs_read_long(struct cgfs *c, int dirfd, const char *name, char *small, size_t len,
		     char **ret_big, char **ret);
int fs_write_at(struct cgfs *c, int dirfd, const char *name, const char *value);

/* When a process was started, in clock ticks since boot, which with its pid is a name that no other
 * process has; 0: there is none.  Not through the door. */
uint64_t process_start(pid_t pid);

/* Closes a descriptor of the door on scope exit. */
struct door_fd {
	struct cgfs *c;
	int fd;
};
static inline void cgfs_cleanup_door_fd(struct door_fd *d)
{
	fs_close(d->c, &d->fd);
}
#define auto_door_fd __attribute__((cleanup(cgfs_cleanup_door_fd)))

/* -- descriptors that stay open (descriptors.c) ------------------------------------------- */

size_t descriptors_max(void);
/* Closes some, of the group that was used longest ago; false: there is none that can be. */
bool descriptors_give_up(struct cgfs *c);
/* One that the group keeps, in g->dir or g->kept. */
int group_open_fd(struct cgfs_group *g, int dirfd, const char *name, int flags);
void group_close_fd(struct cgfs_group *g, int *fd);
void group_close_all(struct cgfs_group *g);
void group_used(struct cgfs_group *g);
/* Is the directory the one that was given up?  True when none was. */
bool group_is_same(struct cgfs_group *g, int hierarchy, int fd);

/* -- one directory of one group (io.c) ---------------------------------------------------- */

/* What control files read before they were changed, to be written back on failure. */
struct journal;

struct queued;

struct cgfs_dir {
	struct cgfs_group *g;
	int hierarchy;
	struct journal *journal; /* NULL: nothing to restore, the group is removed on failure */
};

int dir_write(const struct cgfs_dir *d, const char *file, const char *value,
	      struct cgfs_err *reterr);
/* @unlimited is what the file takes for CGFS_MAX: "max" or "-1". */
int dir_write_limit(const struct cgfs_dir *d, const char *file, uint64_t value,
		    const char *unlimited, struct cgfs_err *reterr);
ssize_t dir_read(const struct cgfs_dir *d, const char *file, char *buf, size_t len,
		 struct cgfs_err *reterr);
/* Is the directory still there?  Tells a file that the kernel lacks from a group that is gone. */
bool dir_alive(const struct cgfs_dir *d);
/* Is there such a file, to write to?  1, 0, or a negative errno. */
int dir_has(const struct cgfs_dir *d, const char *file);
int dir_error(const struct cgfs_dir *d, int code, const char *op, const char *file,
	      const char *value, struct cgfs_err *reterr);
/* Same as dir_read through a descriptor that stays open; -ENOENT when there is no such file
 * (remembered), without filling an error. */
ssize_t dir_read_kept(const struct cgfs_dir *d, int slot, const char *file, char *buf, size_t len);

struct journal *journal_new(void);
/* Writes everything back, newest first, and frees; a NULL journal is nothing to do. */
void journal_undo(struct journal *j);
void journal_free(struct journal *j);

/* The group's directory in a hierarchy: opened on first use, kept. */
int group_dir(struct cgfs_group *g, int hierarchy, int *ret_fd, struct cgfs_err *reterr);
/* mount + path + file, for messages. */
void group_file_path(const struct cgfs_group *g, int hierarchy, const char *file, char *buf,
		     size_t len);

/* May this process make groups in @m at all, and which controllers would they have (rootless.c)? */
uint32_t rootless_granted(struct cgfs *c, const struct cgfs_mount *m, bool *ret_usable);
/* The kernel refused a new group's device list: is that an error? */
int rootless_devices(bool asked, struct cgfs_err *reterr);

/* What a cgroup2 mount carries now (discover.c). */
uint32_t unified_controllers(const char *mount_point);

/* -- the pods root (root.c) ---------------------------------------------------------------- */

/* Makes the root in every hierarchy, with controllers enabled on the way down. */
int root_ensure(struct cgfs *c, struct cgfs_err *reterr);
/* Is it open in every hierarchy? */
bool root_complete(const struct cgfs *c);
/* Has root_ensure() nothing to do? */
bool root_ready(const struct cgfs *c);
/* Opens it where it exists; hierarchies without it keep root_fd -EBADF. */
int root_find(struct cgfs *c, struct cgfs_err *reterr);
void root_forget(struct cgfs *c);
/* Removes what this context made of it, as far as it is empty; what was there before stays, as
 * it was. */
void root_unmake(struct cgfs *c);
/* What a group needs when the directory above it was somebody's and does not hand it down. */
int root_prepare_group(struct cgfs_group *g, struct cgfs_err *reterr);
/* @dir: the directory's path, for errors.  Bits of what was off are added to *@ret_enabled; disable
 * takes off those that it has switched off. */
int subtree_enable(struct cgfs *c, int hierarchy, int dirfd, const char *dir, uint32_t *ret_enabled,
		   struct cgfs_err *reterr);
int subtree_disable(struct cgfs *c, int dirfd, const char *dir, uint32_t *enabled,
		    struct cgfs_err *reterr);

/* From here to asked_end() dir_write() reports to cgfs_open_opts.written. */
static inline void asked_begin(struct cgfs *c, int ctl, uint64_t set, size_t entry)
{
	c->asked =
		(struct asked){ c->written != NULL, (enum cgfs_controller)ctl, set, entry, NULL };
}
static inline void asked_end(struct cgfs *c)
{
	c->asked.on = false;
}

/* -- resources (resources.c) --------------------------------------------------------------- */

/* What is in force now (applied.c). */
int applied_read(struct cgfs_group *g, uint64_t set, struct cgfs_applied *ret,
		 struct cgfs_err *reterr);

/* Can this host take all of @res?  No I/O. */
int resources_plan(const struct cgfs *c, const struct cgfs_resources *res, struct cgfs_err *reterr);
/* Everything but devices. */
int resources_apply(struct cgfs_group *g, const struct cgfs_resources *res, struct journal *j,
		    struct cgfs_err *reterr);
/* A list without rules, which denies everything; NULL is no list. */
extern const struct cgfs_device_rule no_devices[1];
/* The device list: at create (@fresh), or as a replacement.  @rules NULL: none of its own. */
int devices_apply(struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n, bool fresh,
		  struct cgfs_err *reterr);
/* Forgets the list that the handle keeps. */
void devices_forget(struct cgfs_group *g);
bool devices_enforced(const struct cgfs *c);
void group_policy(const struct cgfs_group *g, struct cgfs_policy_group *ret);

/* -- events and life cycle ------------------------------------------------------------------ */

int events_new(struct cgfs *c, struct cgfs_err *reterr);
void events_free(struct cgfs *c);
/* Never fails: without memory a CGFS_EVENT_LOST says later how many there were. */
void events_push(struct cgfs *c, const struct cgfs_event *ev);
/* For an event that somebody waits for: memory beforehand, released with free(3) or given to
 * events_push_in(). */
struct queued *events_reserve(void);
void events_push_in(struct cgfs *c, struct queued *q, const struct cgfs_event *ev);
/* Begins with type, time and the ids of @g. */
void events_init(struct cgfs_event *ev, enum cgfs_event_type type, const struct cgfs_group *g);
/* Reads all descriptors that are ready, without blocking, and drives removals. */
int events_dispatch(struct cgfs *c, struct cgfs_err *reterr);
/* Waits until a descriptor is ready, at most until @deadline_ns of CLOCK_MONOTONIC. */
int events_wait(struct cgfs *c, uint64_t deadline_ns);
/* Calls @fn for the group when @file of its cgroup2 directory changes. */
int events_watch(struct cgfs_group *g, const char *file, void (*fn)(struct cgfs_group *g),
		 int *ret_wd);
void events_unwatch(struct cgfs_group *g, void (*fn)(struct cgfs_group *g), int *wd);
/* An eventfd in the epoll set; calls @fn, who has to read it, when it counts. */
int events_add_counter(struct cgfs_group *g, void (*fn)(struct cgfs_group *g), int *ret_fd);
/* How often it counted since it was read last. */
uint64_t events_read_counter(int fd);
void events_drop_counter(struct cgfs *c, int *fd);
/* Asks for a round of all removal_step(), oom_step(), watch_step() after @delay_us; the earliest
 * wins.  Returns when that is, of CLOCK_MONOTONIC. */
uint64_t events_timer(struct cgfs *c, uint64_t delay_us);
/* In a round: is it @at, or was the round for somebody else?  Then one is asked for at that time.
 * 0: nobody waits. */
bool events_due(struct cgfs *c, uint64_t at);
uint64_t now_ns(int clock);

/* tree.c: calls for each directory below @dirfd; what is gone by the time is not missed.  @enter:
 * before all that is below it.  @leave: after that, with the one above it and its name there.  An
 * error ends the walk. */
struct tree_ops {
	int (*enter)(void *arg, int dirfd);
	int (*leave)(void *arg, int parent, const char *name, int dirfd);
};
int tree_walk(struct cgfs *c, int dirfd, const struct tree_ops *ops, void *arg);

/* removal.c; in all *_step(): time has passed; @missed: or anything may have happened. */
void removal_step(struct cgfs_group *g, bool missed);
void removal_free(struct cgfs_group *g);
/* Those that go on although nobody has a handle any more end where they are. */
void removal_end_all(struct cgfs *c);
/* 1, 0, or a negative errno. */
int group_populated(struct cgfs_group *g);
/* Removes the group's directories, with what is below them: 0, or why one is left. */
int group_rmdir(struct cgfs_group *g, char *left, size_t len);

/* process.c: does who joins it stop?  What cannot be told is no. */
bool group_is_frozen(struct cgfs_group *g);

/* watch.c: thresholds, pressure, emptiness */
void watch_step(struct cgfs_group *g, bool missed);
/* A process was put into it. */
void watch_joined(struct cgfs_group *g);
void watch_free(struct cgfs_group *g);

/* controller/pressure.c: PSI, which belongs to no controller and is on the cgroup2 tree */
int pressure_stats(struct cgfs_group *g, struct cgfs_stats *s, struct cgfs_err *reterr);
int descendants_stats(struct cgfs_group *g, struct cgfs_stats *s, struct cgfs_err *reterr);
/* Microseconds that all its processes have used, and those below; 0 when it cannot be read. */
uint64_t unified_cpu_time(struct cgfs_group *g);

/* oom.c */
int oom_watch(struct cgfs_group *g, struct cgfs_err *reterr);
/* Now, whatever the kernel has told. */
void oom_look(struct cgfs_group *g);
void oom_step(struct cgfs_group *g, bool missed);
void oom_unwatch(struct cgfs_group *g);

#endif
