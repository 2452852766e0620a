/* SPDX-License-Identifier: MIT */
/*
 * fake.h - a cgroup file system in user space, with the kernel's rules and faults on demand.
 *
 * One `struct fake` is one host: hierarchies in some layout, a kernel release to play, and
 * simulated processes.  It plugs into the library as a struct cgfs_fs, its mount table as a
 * struct cgfs_mounts, and its device policy as a struct cgfs_policy.
 */
#ifndef FAKE_H
#define FAKE_H

#include <cgfs/cgfs.h>

struct fake;

/* The kernel to play: which control files exist and which errno comes back. */
struct fake_kernel {
	int major, minor;
};

#define FAKE_KERNEL_6_1	 ((struct fake_kernel){ 6, 1 })
#define FAKE_KERNEL_6_12 ((struct fake_kernel){ 6, 12 })
#define FAKE_KERNEL_7_2	 ((struct fake_kernel){ 7, 2 })

/* @layout: V1 (no cgroup2 tree at all), HYBRID (v1 controllers, cgroup2 with hugetlb only),
 * MIXED (memory and cpuset only on cgroup2) or V2.  Never fails: aborts when out of memory. */
struct fake *fake_new(enum cgfs_layout layout, struct fake_kernel kernel);
void fake_free(struct fake *f);

const struct cgfs_fs *fake_fs(struct fake *f);
const struct cgfs_mounts *fake_mounts(const struct fake *f);
/* A device policy that follows cgfs/policy.h with the reference evaluator, and reports denials
 * and (when @oom is set) kills.  There is one per host; what it knows outlives a context, as pinned
 * maps do.  NULL without a cgroup2 tree. */
const struct cgfs_policy *fake_policy(struct fake *f, bool oom);

/* Simulated processes.  They start in the root cgroup of every hierarchy.  Through cgroup.procs
 * processes of this machine can join too (0 is the caller): what kills one of these in the fake
 * sends it SIGKILL when it descends from the caller, and otherwise only takes it out. */
pid_t fake_spawn(struct fake *f);
/* -EAGAIN when a pids.max on the way up refuses; -ESRCH when @parent is frozen or gone. */
pid_t fake_fork(struct fake *f, pid_t parent);
void fake_exit(struct fake *f, pid_t pid);
bool fake_alive(const struct fake *f, pid_t pid);
bool fake_frozen(const struct fake *f, pid_t pid);
/* How long a killed process takes to disappear: it stays in its cgroup until fake_tick() has
 * been called this many times (default 0: at once). */
void fake_set_exit_delay(struct fake *f, unsigned int ticks);
/* The same for freezing: so many ticks from "freezing" to "frozen". */
void fake_set_freeze_delay(struct fake *f, unsigned int ticks);
void fake_tick(struct fake *f);

/* Charges anonymous memory to the process's memory cgroup.  0 (perhaps after the OOM killer ended
 * others of the cgroup that was at its limit), -ENOMEM when it ended this process instead, or
 * -EAGAIN when it is disabled (v1's memory.oom_control): there the process would now sleep. */
int fake_charge(struct fake *f, pid_t pid, uint64_t bytes);
/* The same for page cache, which belongs to the cgroup and can be reclaimed. */
int fake_charge_cache(struct fake *f, pid_t pid, uint64_t bytes);
void fake_uncharge(struct fake *f, pid_t pid, uint64_t bytes);
/* Maps and touches huge pages of 2 MiB, once in a process's life: 0, or -ENOMEM at a limit (of the
 * reservation, which refuses, or of the usage, which ends the process). */
int fake_huge(struct fake *f, pid_t pid, uint64_t bytes);
/* Gives the machine an RDMA device "mlx5_0" and 50 of a resource "res_a" of the misc controller,
 * and has a cgroup use some: -EBUSY over its limit. */
void fake_add_hardware(struct fake *f);
int fake_use_hardware(struct fake *f, enum cgfs_controller ctl, const char *path, uint64_t handles,
		      uint64_t objects);
/* v1's memory as it was before 5.11: no hierarchy unless it is switched on, and a limit for the
 * kernel's own.  Before the first cgroup is made. */
void fake_old_memory(struct fake *f);
/* What the machine's disk, 8:0, can do beyond throttling; each brings its control files.  With
 * both BFQ and iocost the disk is iocost's.  Before the first cgroup is made. */
enum fake_disk { FAKE_BFQ = 1 << 0, FAKE_IOCOST = 1 << 1, FAKE_IOLATENCY = 1 << 2 };
void fake_add_disk(struct fake *f, unsigned int features);
/* Lets the process run: adds to its cpu cgroup's usage, and to its throttling over quota. */
void fake_run(struct fake *f, pid_t pid, uint64_t user_us, uint64_t system_us);
/* 0 or -EPERM, as v1's devices controller and the device policy together decide. */
int fake_device(struct fake *f, pid_t pid, enum cgfs_device_type type, int32_t major, int32_t minor,
		uint32_t access);

/* What /proc/PID/cgroup has for the hierarchy that carries @ctl ("/pods/web/c1"), or for the
 * cgroup2 tree when @ctl is CGFS_CONTROLLER_COUNT.  Static storage per fake. */
const char *fake_cgroup_of(const struct fake *f, pid_t pid, enum cgfs_controller ctl);
/* Reads a control file, as `cat` would: the text in @buf, or a negative errno. */
int fake_cat(struct fake *f, enum cgfs_controller ctl, const char *path, const char *file,
	     char *buf, size_t len);
bool fake_exists(const struct fake *f, enum cgfs_controller ctl, const char *path);

/* The owner of a control file, or of the directory when @file is "": 0, or a negative errno. */
int fake_owner(struct fake *f, enum cgfs_controller ctl, const char *path, const char *file,
	       uid_t *ret_uid, gid_t *ret_gid);
/* What this process may not write to: everything that @uid does not own.  0 (root) may. */
void fake_set_user(struct fake *f, uid_t uid);

/* Invariants: directories that exist below the roots of all hierarchies; descriptors open. */
size_t fake_directories(const struct fake *f);
size_t fake_open_files(const struct fake *f);
/* Closes of descriptors that were not open. */
size_t fake_bad_closes(const struct fake *f);

/* Faults.  The @nth call (from 1) from now on, of any operation of the door whose bit is in
 * @ops, fails with @err (negative errno), once.  nth 0 switches faults off. */
enum fake_op {
	FAKE_OPEN = 1 << 0,
	FAKE_PREAD = 1 << 1,
	FAKE_WRITE = 1 << 2,
	FAKE_MKDIR = 1 << 3,
	FAKE_RMDIR = 1 << 4,
	FAKE_LIST = 1 << 5,
	FAKE_INODE = 1 << 6,
	FAKE_NOTIFY = 1 << 7,
	FAKE_KILL = 1 << 8,
	FAKE_OWNER = 1 << 9,
	FAKE_CHOWN = 1 << 10,
	FAKE_MAY_WRITE = 1 << 11,
	FAKE_ANY = (1 << 12) - 1, /* of the door */
	/* Of the device policy. */
	FAKE_POLICY_ADD = 1 << 12,
	FAKE_POLICY_SET_RULES = 1 << 13,
	FAKE_POLICY_REMOVE = 1 << 14,
	FAKE_POLICY_COUNTERS = 1 << 15,
	FAKE_POLICY_EVENT_FD = 1 << 16,
	FAKE_POLICY_EVENT_READ = 1 << 17,
	FAKE_POLICY_PROBE = 1 << 18,
	FAKE_POLICY_SWEEP = 1 << 19,
	FAKE_POLICY_GET_RULES = 1 << 20,
	/* Of the door again. */
	FAKE_NOTE = 1 << 21,
};
void fake_fail(struct fake *f, unsigned int ops, unsigned int nth, int err);
/* Calls of these operations (of all, when @ops is 0) since then; did the fault strike?  Closing
 * cannot fail and is not counted. */
unsigned int fake_calls(const struct fake *f);
bool fake_struck(const struct fake *f);
/* The file or directory of the call that failed ("/sys/fs/cgroup/pods/web/pids.max"), and what was
 * to be written; "" where there is none. */
const char *fake_struck_path(const struct fake *f);
const char *fake_struck_value(const struct fake *f);

/* All that a host holds and that can be changed: directories, their processes, control files,
 * watches, and the policy's lists, as text; release with free(3). */
char *fake_dump(struct fake *f);

#endif
