/* SPDX-License-Identifier: MIT */
/*
 * host.h - what the files of the fake share: the tree, processes, open files, control files.
 *
 * Rules and errnos were recorded on real kernels (6.1, 6.12 and 7.2 as cgroup2, 6.1 and 6.18
 * as cgroup v1).  Left out: threaded cgroups (though "domain threaded" happens as it does
 * there), cpuset partitions, PSI triggers, release agents, swap, real-time scheduling.
 */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include "fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define FAKE_PAGE	4096ull
#define FAKE_NONE	UINT64_MAX /* no limit */
#define FAKE_CPUS	4	   /* 0-3; one memory node, 0; one disk, 8:0 */
#define FAKE_FD_FIRST	(1 << 24)
#define FAKE_PID_FIRST	10000000 /* above any pid that a kernel gives out */
/* Of a node's file tables: what it has as a cgroup, and per controller. */
#define FAKE_CORE	CGFS_CONTROLLER_COUNT
/* Of the network; with 18 bytes for each, net_prio.ifpriomap is longer than a page. */
#define FAKE_INTERFACES 300

struct node;
struct open_file;

/* One control file.  A read without a handler shows the field, or is -EINVAL; so is a write. */
struct ctl_file {
	const char *name;
	enum { ROOT = 1, CHILD = 2, BOTH = 3 } where;
	int (*read)(const struct open_file *file, FILE *out);
	int (*write)(const struct open_file *file, char *text);
	size_t field;  /* offset in struct node of its uint64_t; 0: has none */
	uint64_t init; /* of a new cgroup */
	struct fake_kernel since;
	unsigned int needs; /* enum fake_disk: there only on a machine that has it */
};

/* One row of a table. */
#define CTL(file, on, show, store, ...)                                                            \
	{                                                                                          \
		.name = (file), .where = (on), .read = (show), .write = (store), ##__VA_ARGS__     \
	}
#define FIELD(member)	    .field = offsetof(struct node, member)
#define SINCE(major, minor) .since = { (major), (minor) }
#define NEEDS(feature)	    .needs = FAKE_##feature

/* One controller, with a table of files (ended by a NULL name) for each version. */
struct controller {
	const char *v1_name, *v2_name; /* NULL: not on this version */
	const struct ctl_file *v1, *v2;
	bool threaded;			/* v2: lives with processes in inner cgroups */
	void (*online)(struct node *n); /* after the fields have their initial values */
	void (*offline)(struct node *n);
	int (*can_attach)(const struct node *n);
};

extern const struct controller *const fake_controllers[CGFS_CONTROLLER_COUNT]; /* or NULL */
extern const struct controller fake_cpu, fake_cpuacct, fake_cpuset, fake_memory, fake_pids, fake_io,
	fake_devices, fake_freezer, fake_hugetlb, fake_rdma, fake_misc, fake_net_cls, fake_net_prio;
extern const struct ctl_file fake_core_v1[], fake_core_v2[];

/* The counters of memory.events, in the order of the file. */
enum mem_event { EV_LOW, EV_HIGH, EV_MAX, EV_OOM, EV_OOM_KILL, EV_GROUP_KILL, EV_COUNT };

/* One registration in cgroup.event_control. */
struct listener {
	int efd;
	bool usage; /* of memory.usage_in_bytes, else of memory.oom_control */
	uint64_t threshold;
	struct listener *next;
};

/* One exception of the v1 devices controller; -1 is a wildcard. */
struct dev_exception {
	enum cgfs_device_type type;
	int64_t major, minor;
	uint32_t access;
};

/* A file, or the directory itself (""), that was delegated to a user. */
struct owned {
	struct owned *next;
	const char *name;
	uid_t uid;
	gid_t gid;
};

/* A cgroup.  Fields of controllers that it does not have are meaningless. */
struct node {
	struct fake *host;
	struct hierarchy *h;
	struct node *parent, *children, *next;
	char *name;
	uint64_t id; /* inode number */
	bool removed;
	unsigned int opens;			/* open files: it is freed after the last one */
	uint32_t enabled;			/* controllers whose files it has */
	uint32_t serial[CGFS_CONTROLLER_COUNT]; /* counts how often each was taken away */
	size_t procs, procs_below;		/* own; own and those of descendants */
	size_t dying;				/* removed children that page cache keeps */
	bool was_frozen;			/* the last state in cgroup.events */
	mode_t mode;				/* its permissions */
	char note[96];				/* an extended attribute */
	char *trusted;				/* another one, of any hierarchy */
	struct owned *owned;			/* all else is the maker's */
	uid_t maker;

	/* core.c */
	uint64_t subtree_control, max_depth, max_descendants, pressure;
	uint64_t clone_children, notify_on_release;
	/* freezer.c: v1 freezer.state, v2 cgroup.freeze */
	uint64_t freeze, frozen_at;
	/* cpu.c */
	uint64_t shares, weight, quota_us, period_us, burst_us, idle;
	uint64_t user_us, system_us, periods, throttled_periods, throttled_us;
	/* cpuset.c: bit masks */
	uint64_t cpus, mems, cpu_exclusive, mem_exclusive, mem_hardwall, memory_migrate;
	uint64_t spread_page, spread_slab, load_balance;
	/* pids.c */
	uint64_t pids_max, pids_peak, pids_events, pids_events_local;
	/* memory*.c; usage and peak include descendants, the others are the cgroup's own */
	uint64_t usage, peak, anon, cache;
	uint64_t mem_max, mem_high, mem_low, mem_min, mem_soft, memsw_max, swap_max, swap_high;
	uint64_t zswap_max, zswap_writeback, kmem_tcp_max, kmem_max, use_hierarchy;
	uint64_t oom_group, oom_kill_disable, under_oom, swappiness, move_charge;
	uint64_t failcnt;
	uint64_t events[EV_COUNT], events_local[EV_COUNT];
	struct listener *listeners;
	/* devices.c */
	bool dev_allow; /* what holds where no exception does */
	struct dev_exception *exceptions;
	size_t n_exceptions;
	/* io.c */
	uint64_t io_weight, rbps, wbps, riops, wiops;
	uint64_t io_weight_disk, bfq_weight, bfq_weight_disk, latency; /* of the disk; 0: none */
	/* net.c */
	uint64_t classid;
	uint32_t prio[FAKE_INTERFACES];
	/* misc.c */
	uint64_t huge_max[2], huge_usage[2], huge_peak[2], huge_fail[2];
	uint64_t huge_rsvd_max[2], huge_rsvd[2], huge_rsvd_peak[2], huge_rsvd_fail[2];
	uint64_t huge_events[2], huge_events_local[2];
	uint64_t rdma[2], rdma_max[2], rdma_peak[2], rdma_events[2]; /* handles, objects */
	uint64_t misc, misc_max, misc_peak, misc_events;
};

struct hierarchy {
	enum cgfs_version_id version;
	uint32_t controllers;
	const char *path;
	struct node *root;
};

/* Memory that a process has charged, and where; it stays there when the process moves. */
struct charge {
	struct node *node;
	uint64_t bytes;
};

struct process {
	struct process *next; /* ascending by pid */
	pid_t pid;
	bool real;	    /* not ours: a process of the machine */
	bool dying, killed; /* dying: has begun to exit; killed: will, once it is thawed */
	uint64_t gone_at;   /* when dying */
	struct node *in[CGFS_MOUNTS_MAX]; /* by hierarchy */
	struct charge *charges;
	size_t n_charges;
	uint64_t huge; /* bytes of huge pages, and where they are charged */
	struct node *huge_in;
};

/* A descriptor of the door; type NULL is a directory. */
struct open_file {
	bool used;
	unsigned int generation;
	int flags;
	struct node *node;
	const struct ctl_file *type;
	int ctl; /* the controller whose file it is, or FAKE_CORE */
	uint32_t serial;
	uint64_t *peak; /* memory.peak after a reset through this descriptor */
	pid_t pid;	/* of /proc/PID/cgroup, which stands beside the tree */
};

struct watch {
	int wd;
	struct node *node; /* NULL: the file is gone */
	const struct ctl_file *type;
};

struct notifier {
	struct notifier *next;
	int rfd, wfd; /* of a pipe; the library has the first */
	int next_wd;
	struct watch *watches;
	size_t n_watches;
	int last_wd;
	uint32_t last_mask;
};

struct fault {
	unsigned int ops, nth, calls;
	int err;
	bool struck;
	char path[4096], value[64]; /* of the call that failed */
};

struct policy;

struct fake {
	struct fake_kernel kernel;
	struct hierarchy h[CGFS_MOUNTS_MAX];
	size_t n_h;
	struct cgfs_mounts mounts;
	struct cgfs_fs fs;
	struct process *procs;
	pid_t next_pid;
	uint64_t next_id, now, exit_delay, freeze_delay;
	uid_t user; /* of the caller */
	bool hardware, old_memory;
	unsigned int disk; /* enum fake_disk */
	struct open_file *files;
	size_t n_files, n_open, n_peaks, bad_closes;
	struct notifier *notifiers;
	struct fault fault;
	struct policy *policy;
	char path[4096];
};

/* host.c */
void *fake_alloc(size_t size);
void *fake_grow(void *old, size_t n, size_t size);
bool fake_since(const struct fake *f, struct fake_kernel k);
struct node *fake_find(const struct fake *f, enum cgfs_controller ctl, const char *path);
/* The hierarchy that carries @ctl, or the cgroup2 tree for FAKE_CORE; NULL: none does. */
struct hierarchy *fake_hierarchy(const struct fake *f, int ctl);

/* owner.c */
int fake_node_owner(const struct node *n, const char *file, uid_t *ret_uid, gid_t *ret_gid);
int fake_node_chown(struct node *n, const char *file, uid_t uid, gid_t gid);
int fake_node_may_write(const struct node *n, const char *file);
void fake_node_disown(struct node *n); /* it is freed */

/* door.c */
extern const struct cgfs_fs_ops fake_fs_ops;
/* Counts a call; a negative errno when it is the one that has to fail. */
int fake_enter(struct fake *f, enum fake_op op);
const struct open_file *fake_open_file(const struct fake *f, int fd); /* NULL: none of ours */

/* tree.c */
void fake_node_free(struct node *n); /* with all that is below */
void fake_node_put(struct node *n);  /* an open file less */
int fake_node_mkdir(struct node *dir, const char *name);
int fake_node_rmdir(struct node *n);
struct node *fake_node_child(const struct node *dir, const char *name);
size_t fake_node_count(const struct node *n); /* descendants */
void fake_node_path(const struct node *n, char *buf, size_t len);
void fake_node_enable(struct node *n, int ctl);
void fake_node_disable(struct node *n, int ctl);
/* The control file @name of @n, and the table it is from. */
const struct ctl_file *fake_node_file(const struct node *n, const char *name, int *ret_ctl);
/* All of them; how many there are in @files. */
size_t fake_node_files(const struct node *n, const struct ctl_file **files, size_t most);
uint64_t *fake_field(struct node *n, const struct ctl_file *type);

/* parse.c: as the kernel's functions of a similar name; @text is never NULL */
char *fake_strip(char *text);
int fake_parse_u64(const char *text, uint64_t *ret);
int fake_parse_s64(const char *text, int64_t *ret);
int fake_parse_int(const char *text, int *ret);
/* "64M", in bytes, whole pages; @max spells FAKE_NONE. */
int fake_parse_bytes(const struct fake *f, const char *text, const char *max, uint64_t *ret);
/* "0-3,7"; at most @bits numbers. */
int fake_parse_list(const char *text, unsigned int bits, uint64_t *ret);
void fake_format_list(uint64_t mask, FILE *out);
void fake_format_max(uint64_t value, FILE *out);
/* Handlers for fields that are plain numbers, 0 or 1, or "max" or a number. */
int fake_show_u64(const struct open_file *file, FILE *out);
int fake_show_max(const struct open_file *file, FILE *out);
int fake_show_nothing(const struct open_file *file, FILE *out);
int fake_show_zero(const struct open_file *file, FILE *out);
int fake_store_bool(const struct open_file *file, char *text); /* any number, kept as 0 or 1 */
int fake_store_01(const struct open_file *file, char *text);   /* 0, 1 or -EINVAL */
int fake_store_any(const struct open_file *file, char *text);  /* accepted, no effect */

/* process.c */
struct process *fake_process(const struct fake *f, pid_t pid); /* NULL: not (or no longer) */
/* What cgroup.procs does; @vet has the last word. */
int fake_join(struct node *n, pid_t pid, int (*vet)(const struct node *n));
int fake_list_pids(const struct open_file *file, FILE *out);
/* Is @path "/proc/PID/cgroup" of a process that there is?  Its pid, or a negative errno. */
int fake_proc_path(const struct fake *f, const char *path);
extern const struct ctl_file fake_proc_cgroup, fake_sys_delegate;
void fake_kill_process(struct fake *f, struct process *p);
void fake_kill_subtree(struct node *n);
int fake_signal(struct fake *f, pid_t pid, int sig);
void fake_reap(struct fake *f); /* real processes that are gone, killed ones that thawed */
void fake_processes_free(struct fake *f);
static inline struct node *fake_node_of(const struct process *p, const struct hierarchy *h)
{
	return h ? p->in[h - h->root->host->h] : NULL;
}

/* freezer.c */
bool fake_node_freezing(const struct node *n); /* itself or an ancestor */
bool fake_node_frozen(const struct node *n);   /* and time enough has passed */
void fake_refresh_frozen(struct node *n);      /* v2: notify changes, downwards */
int fake_store_freeze(const struct open_file *file, char *text);

/* cpu.c */
int fake_show_cpu_stat(const struct open_file *file, FILE *out);
int fake_show_cpu_stat_local(const struct open_file *file, FILE *out);

/* pids.c */
int fake_pids_may_fork(struct node *n);
void fake_pids_joined(struct node *n);

/* memory.c: the accounting; memory_v1.c and memory_v2.c: the files */
int fake_mem_charge(struct fake *f, struct process *p, uint64_t bytes, bool cache);
void fake_mem_uncharge(struct fake *f, struct process *p, uint64_t bytes);
void fake_mem_release(struct fake *f, struct process *p);  /* all of it */
void fake_mem_event(struct node *n, enum mem_event e);	   /* v2; on v1 nothing */
uint64_t fake_mem_reclaim(struct node *n, uint64_t bytes); /* how much was */
/* Kills in the subtree, or @asking (may be NULL); false: there is no process to kill. */
bool fake_mem_oom(struct node *n, struct process *asking);
void fake_mem_total(const struct node *n, uint64_t *ret_anon, uint64_t *ret_cache);
void fake_mem_used(struct node *n, uint64_t old); /* v1: listeners of thresholds */
void fake_mem_oom_notify(struct node *n);	  /* v1: listeners of oom_control, downwards */
void fake_mem_unlisten(struct node *n);
extern const struct ctl_file fake_memory_v1[], fake_memory_v2[];

/* misc.c */
void fake_huge_release(struct process *p);

/* devices.c */
bool fake_dev_allowed(const struct node *n, enum cgfs_device_type type, int32_t major,
		      int32_t minor, uint32_t access);

/* notify.c */
int fake_notify_open(struct fake *f);
int fake_notify_add(struct fake *f, int nfd, struct node *n, const struct ctl_file *type);
int fake_notify_remove(struct fake *f, int nfd, int wd);
bool fake_notify_close(struct fake *f, int nfd);
void fake_notify(struct node *n, const struct ctl_file *type);
void fake_notify_name(struct node *n, const char *name); /* no such file: nothing */
void fake_notify_gone(struct node *n);			 /* rmdir */
void fake_notify_hidden(struct node *n, int ctl);	 /* files of a controller */
void fake_notify_free(struct fake *f);

/* policy.c */
bool fake_policy_allows(struct fake *f, const struct process *p, enum cgfs_device_type type,
			int32_t major, int32_t minor, uint32_t access);
void fake_policy_oom(struct fake *f, const struct process *p);
void fake_policy_free(struct fake *f);
void fake_policy_dump(const struct fake *f, FILE *out);

#endif
