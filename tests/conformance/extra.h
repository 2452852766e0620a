/* SPDX-License-Identifier: MIT */
/*
 * extra.h - what several of the later test files need beyond world.h: contexts without the shim,
 * children that run a function, inner cgroups, and control files written by another process.
 */
#ifndef EXTRA_H
#define EXTRA_H

#include "world.h"

/* A context that talks to the kernel directly, as cgfs_group_spawn() and pressure want it.
 * Skips the test on a fake host. */
struct cgfs *extra_context(struct world *w, enum world_policy policy);
/* @controllers 0: all. */
struct cgfs *extra_context_with(struct world *w, enum world_policy policy, uint32_t controllers);

/* A child that cgfs_group_spawn() puts into @g and that ends with what @fn returns. */
pid_t extra_spawn(struct cgfs_group *g, int (*fn)(void *arg), void *arg);
/* Waits for its end and reaps it; the status as waitpid(2) has it. */
int extra_wait(pid_t pid);
/* Runs until it is killed, on the one CPU that all callers share. */
int extra_spin(void *arg);
/* Sleeps until it is killed. */
int extra_pause(void *arg);

/* Writes a control file without the library; 0 or a negative errno. */
int extra_put(struct world *w, enum cgfs_controller ctl, const char *path, const char *file,
	      const char *text);
/* The number behind @key in a file of "key value" lines; ends the test when there is none. */
uint64_t extra_keyed(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
		     const char *file, const char *key);
/* Cgroups that a container makes inside of itself, in each hierarchy: "a", then "a/b". */
void extra_nest(struct world *w, const struct cgfs_group *g, const char *inner);
void extra_enter(struct world *w, const struct cgfs_group *g, const char *inner, pid_t pid);

/* Waits until @condition is true, which it asks each millisecond. */
#define UNTIL(condition)                                                                           \
	for (int tries_ = 0; !(condition); tries_++) {                                             \
		CHECK(tries_ < PATIENCE_MS);                                                       \
		world_sleep_ms(1);                                                                 \
	}

/* How many processes the library lists. */
size_t extra_pids(struct cgfs_group *g);
void extra_until_pids(struct world *w, struct cgfs_group *g, size_t least, size_t most);
/* Waits until the process makes no progress, but lives. */
void extra_stopped(struct world *w, pid_t pid);

/* What cgfs_probe() found; NULL: no capability has the name. */
const struct cgfs_capability *extra_capability(struct cgfs *c, const char *name);
/* Why this host has no report of memory, for a context that asked for it; NULL: it has. */
const char *extra_no_report(struct world *w, struct cgfs *c);
/* Skips the test where there is none. */
void extra_need_report(struct world *w, struct cgfs *c);

struct cgfs_resources extra_memory(uint64_t max);
struct cgfs_resources extra_pids_max(uint64_t max);
struct cgfs_resources extra_quota(uint64_t quota, uint64_t period);
const char *extra_max_file(struct world *w);
/* A disk that can be throttled, and what its scheduler may weigh. */
bool extra_disk(struct world *w, struct cgfs_io_device *dev);
/* A process in the container with so much page cache of a file; skips where there is none. */
pid_t extra_with_file(struct world *w, struct cgfs_group *ctr, uint64_t bytes);

#endif
