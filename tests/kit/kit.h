/* SPDX-License-Identifier: MIT */
/*
 * kit.h - what a test has for itself on the running kernel: a pods root, a pin directory, a
 * directory for files, a process in a cgroup; and nothing is left of it, also when the test dies.
 * No line here goes through the library, which is judged by it.
 */
#ifndef TESTS_KIT_H
#define TESTS_KIT_H

#include <cgfs/host.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* -- the host's mounts ---------------------------------------------------------------------- */

struct kit_mount {
	enum cgfs_version_id version;
	uint32_t controllers; /* 1u << enum cgfs_controller */
	char path[256];
};

#define KIT_MOUNTS_MAX 32
/* The cgroup2 tree itself, where an enum cgfs_controller is asked for. */
#define UNIFIED	       CGFS_CONTROLLER_COUNT

/* From /proc/self/mountinfo.  Hierarchies without a controller known here are left out, except
 * cgroup2; each hierarchy is named once. */
size_t kit_mounts(struct kit_mount *mounts);
/* The mount of @ctl, as of now; false: there is none. */
bool kit_mount_of(int ctl, struct kit_mount *ret);
/* Of @ctl; CGFS_NONE where there is none. */
enum cgfs_version_id kit_version(int ctl);

/* -- texts of files; negative errno ---------------------------------------------------------- */

/* How many bytes; @buf becomes a string. */
int kit_read(const char *path, char *buf, size_t len);
int kit_write(const char *path, const char *text);

/* -- the test's own ------------------------------------------------------------------------- */

struct kit {
	char root[64];	  /* of the pods, in each hierarchy: "/cgfs-test-4711-1" */
	char dir[96];	  /* for files and nodes */
	char pins[96];	  /* pin directory */
	char hidden[112]; /* in dir: where a cgroup2 tree may be mounted */
	int janitor;	  /* pipe to it: written to when nothing is left */
	pid_t janitor_pid;
};

/* Names alone, dir in @where.  Two names made by living processes differ. */
void kit_name(struct kit *k, const char *where);
/* Names, makes dir, and starts a process that sweeps when this one dies before kit_close(). */
void kit_open(struct kit *k, const char *where);
/* Directories of the root and pins that are there: how many; prints them. */
size_t kit_left(const struct kit *k);
/* Kills and removes all that there is of root, pins and dir.  True when there was anything of the
 * first two, which @text then lists. */
bool kit_sweep(const struct kit *k, char *text, size_t len);
/* The groups alone. */
void kit_sweep_groups(const struct kit *k, char *text, size_t len);
/* Sweeps, and ends the janitor. */
void kit_close(struct kit *k);

/* Path of @file (or "") of group @path in the first hierarchy that has it; false: in none. */
bool kit_find(const struct kit *k, const char *path, const char *file, char *buf, size_t len);
bool kit_exists(const struct kit *k, const char *path);
/* The process is in the group, in each hierarchy. */
void kit_check_member(const struct kit *k, pid_t pid, const char *path);
/* Directories strictly below @path. */
size_t kit_count(const char *path);
/* The cgroup of the process; @ctl as above; "" where it has none.  In static storage. */
const char *kit_cgroup_of(pid_t pid, int ctl);

/* Runs @fn in a process that is in the cgroup with directory @path: what it returned (0..125). */
int kit_run(const char *path, int (*fn)(void *arg), void *arg);
/* The same, without waiting; it dies with this process. */
pid_t kit_spawn(const char *path, int (*fn)(void *arg), void *arg);

#endif
