/* SPDX-License-Identifier: MIT */
/*
 * world.h - where a conformance test runs: a fake host, or the kernel at hand.
 *
 * A test function gets a world and knows nothing else.  Through the world it opens contexts of
 * the library, makes processes and commands them, and looks at the truth (control files,
 * /proc/PID/cgroup, directories) by ways that share no code with the library.
 *
 * Each test runs in a process of its own.  A failed CHECK ends that process; the runner (run.c)
 * then removes all that is left in the kernel.  At the end of a test that passes, world_close()
 * releases everything in an orderly way and checks that nothing stayed.
 */
#ifndef WORLD_H
#define WORLD_H

#include <cgfs/cgfs.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/fake/fake.h"
#include "tests/kit/kit.h"

#define KIB ((uint64_t)1024)
#define MIB (KIB * 1024)

/* How long to wait for what must happen.  Long, because it only delays a failure. */
#define PATIENCE_MS 300000

enum world_policy {
	WORLD_POLICY, /* device policy and kill attribution, as far as there are any */
	WORLD_FILES,  /* control files only */
	WORLD_MEMORY, /* as WORLD_POLICY, with memory accounting where there is any */
};

struct shim;
struct world;

struct world_kind {
	const char *name;  /* "fake-v2-6.12", "live" */
	const char *group; /* "fake-v2": what --world takes */
	enum cgfs_layout layout;
	struct fake_kernel kernel;
	bool live;
};

/* What a fake host and the running kernel do differently.  Processes are named by pid. */
struct world_ops {
	void (*open)(struct world *w);
	void (*close)(struct world *w);
	void (*restart)(struct world *w); /* no context is open */
	/* Fills fs, mounts, policy and cgroup2_mount. */
	void (*options)(struct world *w, enum world_policy policy, struct cgfs_open_opts *opts);
	/* Lets time pass where it does not by itself. */
	void (*tick)(struct world *w);

	pid_t (*spawn)(struct world *w);
	pid_t (*fork)(struct world *w, pid_t pid); /* -EAGAIN when the kernel refuses */
	bool (*alive)(struct world *w, pid_t pid);
	bool (*runs)(struct world *w, pid_t pid); /* alive and not frozen, as far as one sees now */
	void (*exit)(struct world *w, pid_t pid);
	int (*alloc)(struct world *w, pid_t pid, uint64_t bytes);    /* -ENOMEM: it was killed */
	void (*release)(struct world *w, pid_t pid, uint64_t bytes); /* what one alloc took */
	/* The same with memory that the kernel may take back; stays until it does. */
	int (*cache)(struct world *w, pid_t pid, uint64_t bytes);
	/* Page cache of a file; with 0 the file is opened only, for a process that may not open it
	 * later. -ENOTSUP where no file is on anything but memory. */
	int (*file)(struct world *w, pid_t pid, uint64_t bytes);
	/* Huge pages of 2 MiB, once: -ENOMEM at a limit (alive or not), -ENOTSUP without any. */
	int (*huge)(struct world *w, pid_t pid, uint64_t bytes);
	void (*burn)(struct world *w, pid_t pid, uint64_t us);
	int (*device)(struct world *w, pid_t pid, enum cgfs_device_type type, int major, int minor,
		      uint32_t access);		  /* 0 or -EPERM */
	void (*bomb)(struct world *w, pid_t pid); /* forks for ever; set pids.max first */
	int (*threads)(struct world *w, pid_t pid, unsigned int n); /* -ENOTSUP */
	/* Killed processes stay for so many ticks; -ENOTSUP. */
	int (*slow_death)(struct world *w, unsigned int ticks);
	const char *(*comm)(struct world *w, pid_t pid);

	enum cgfs_version_id (*version)(struct world *w, enum cgfs_controller ctl);
	const char *(*mount)(struct world *w, enum cgfs_controller ctl);
	const char *(*cgroup_of)(struct world *w, pid_t pid, enum cgfs_controller ctl);
	int (*cat)(struct world *w, enum cgfs_controller ctl, const char *path, const char *file,
		   char *buf, size_t len);
	bool (*exists)(struct world *w, enum cgfs_controller ctl, const char *path);
	/* Whose a file is, or with "" the directory. */
	int (*owner)(struct world *w, enum cgfs_controller ctl, const char *path, const char *file,
		     uid_t *ret_uid, gid_t *ret_gid);
	/* mkdir and rmdir without the library. */
	int (*mkdir)(struct world *w, enum cgfs_controller ctl, const char *path);
	int (*rmdir)(struct world *w, enum cgfs_controller ctl, const char *path);
	/* Moves a process there, likewise. */
	int (*move)(struct world *w, enum cgfs_controller ctl, const char *path, pid_t pid);
	/* Hierarchies with a controller the library knows, the cgroup2 tree included. */
	size_t (*hierarchies)(struct world *w);
	/* Directories strictly below the pods root, in all of them. */
	size_t (*directories)(struct world *w);
};

extern const struct world_ops world_fake_ops, world_live_ops;

#define WORLD_CONTEXTS_MAX 4
#define WORLD_GROUPS_MAX   256
#define WORLD_PIDS_MAX	   512

struct world {
	const struct world_kind *kind;
	const struct world_ops *ops;
	const char *root;    /* "/cgfs-test-1234-7" */
	bool root_by_hand;   /* the test made it, and the library must leave it */
	const char *scratch; /* a directory for nodes and mounts; live only */
	const char *pin_dir; /* live only */
	const struct kit *kit;
	int report_fd; /* notes and the reason of a skip go to the runner */
	void *priv;    /* of the world's kind */
	struct shim *shim;
	struct cgfs *contexts[WORLD_CONTEXTS_MAX];
	size_t n_contexts;
	struct cgfs_group *groups[WORLD_GROUPS_MAX]; /* tracked handles, oldest first */
	size_t n_groups;
	pid_t pids[WORLD_PIDS_MAX];
	size_t n_pids;
	size_t fds_at_start;
	char policy_missing[256]; /* why WORLD_POLICY has no policy */
};

/* -- one test ------------------------------------------------------------------------------- */

struct world_test {
	const char *name;
	void (*fn)(struct world *w);
};

/* Appends @test to the table of tests. */
void world_add(const struct world_test *test);

/* A test; what follows it in braces is a function of `struct world *w`. */
#define WORLD_TEST(function)                                                                       \
	static void function(struct world *w);                                                     \
	__attribute__((constructor)) static void add_##function(void)                              \
	{                                                                                          \
		world_add(&(struct world_test){ #function, function });                            \
	}                                                                                          \
	static void function(__attribute__((unused)) struct world *w)

/* Ends the test. */
void world_skip(struct world *w, const char *why, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* Is what takes long and is the same on every kernel done at length?  Not in most of the guests. */
bool world_thorough(void);
void world_note(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* -- what tests use ------------------------------------------------------------------------- */

void world_open(struct world *w);
/* Releases all that the test made, and checks that nothing stayed. */
void world_close(struct world *w);

/* A context on the world's root; closed by world_close().  @controllers 0: all. */
struct cgfs *world_context(struct world *w, enum world_policy policy);
struct cgfs *world_context_with(struct world *w, enum world_policy policy, uint32_t controllers);
/* Skips the test when @c would not stop a process from opening a device. */
void world_need_devices(struct world *w, struct cgfs *c);
void world_need(struct world *w, enum cgfs_controller ctl);
void world_need_file(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
		     const char *file);

/* Make, and track: world_close() destroys and closes them, newest first. */
struct cgfs_group *world_pod(struct world *w, struct cgfs *c, const char *id,
			     const struct cgfs_resources *res);
struct cgfs_group *world_container(struct world *w, struct cgfs_group *pod, struct cgfs *c,
				   const char *id, const struct cgfs_resources *res);
struct cgfs_group *world_track(struct world *w, struct cgfs_group *g);
/* Closes a tracked handle now; what it stands for stays. */
void world_close_group(struct world *w, struct cgfs_group *g);
/* Destroys what a tracked handle stands for, and closes it. */
void world_destroy(struct world *w, struct cgfs_group *g);
/* Closes all contexts, handles and the policy, as a dying agent would; groups stay. */
void world_restart(struct world *w);

pid_t world_spawn(struct world *w);
/* A process in a container. */
pid_t world_spawn_in(struct world *w, struct cgfs_group *g);
pid_t world_fork(struct world *w, pid_t pid);
bool world_alive(struct world *w, pid_t pid);
/* Waits until it makes progress. */
void world_runs(struct world *w, pid_t pid);
/* Waits until it is gone. */
void world_gone(struct world *w, pid_t pid);

/* A control file of a group, as `cat` shows it; ends the test when it cannot be read.  The text
 * (without the last newline) is in static storage, one of eight in turn. */
const char *world_cat(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
		      const char *file);
uint64_t world_cat_number(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
			  const char *file);
bool world_has_file(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
		    const char *file);
static inline enum cgfs_version_id world_version(struct world *w, enum cgfs_controller ctl)
{
	return w->ops->version(w, ctl);
}
/* Is there a cgroup2 tree, and does @ctl live in it? */
static inline bool world_v2(struct world *w, enum cgfs_controller ctl)
{
	return w->ops->version(w, ctl) == CGFS_V2;
}
/* The value of one figure; ends the test when it is not available. */
uint64_t world_stat(struct cgfs_group *g, enum cgfs_stat stat);

/* Waits for an event of @type; @container NULL: of any group; others are thrown away. */
void world_event(struct world *w, struct cgfs *c, enum cgfs_event_type type, const char *container,
		 struct cgfs_event *ret);
/* Reads what there is now, after a moment of quiet; counts the events of @type. */
size_t world_count_events(struct world *w, struct cgfs *c, enum cgfs_event_type type);
/* Directories below the root are those of @n groups, in each hierarchy. */
void world_check_groups(struct world *w, size_t n);
/* The process is in the group, in each hierarchy. */
void world_check_member(struct world *w, pid_t pid, const struct cgfs_group *g);
size_t world_fds(void);
/* The fake host itself; NULL on a live world. */
struct fake *world_fake(struct world *w);
uint64_t world_now_ms(void);
void world_sleep_ms(unsigned int ms);

/* -- the shim between the library and the door (shim.c) -------------------------------------- */

struct shim *shim_new(struct world *w);
void shim_free(struct shim *s);
const struct cgfs_fs *shim_fs(struct shim *s, const struct cgfs_fs *real);
/* Reads return "not frozen yet" after any write. */
void shim_never_frozen(struct shim *s, bool on);
/* The next @n writes of FROZEN to v1's freezer have no effect, as those of a kernel on a
 * process that it meets at the wrong moment. */
void shim_miss_freezes(struct shim *s, unsigned int n);
/* Neither signals nor cgroup.kill reach a process. */
void shim_deaf(struct shim *s, bool on);
/* How often the library called rmdir since this was asked last. */
unsigned int shim_rmdirs(struct shim *s);
/* And all calls. */
unsigned int shim_calls(struct shim *s);
/* There is no cgroup.kill, as before Linux 5.14. */
void shim_no_kill(struct shim *s, bool on);
/* Called before each call of the door; NULL: nothing. */
void shim_before(struct shim *s, void (*fn)(struct world *w));

#endif
