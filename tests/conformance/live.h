/* SPDX-License-Identifier: MIT */
/*
 * live.h - real processes that obey commands, for the live world (live_proc.c).  No line here goes
 * through the library.
 */
#ifndef LIVE_H
#define LIVE_H

#include "world.h"

struct live_procs;

struct live_procs *live_procs_new(void);
/* Kills and reaps all of them. */
void live_procs_free(struct live_procs *ps);

pid_t live_spawn(struct live_procs *ps);
pid_t live_fork(struct live_procs *ps, pid_t pid);
bool live_alive(struct live_procs *ps, pid_t pid);
/* Did it answer, within a moment? */
bool live_ping(struct live_procs *ps, pid_t pid);

enum live_op {
	LIVE_PING,
	LIVE_FORK,
	LIVE_ALLOC, /* bytes */
	LIVE_FREE,  /* bytes */
	LIVE_CACHE, /* bytes */
	LIVE_FILE,  /* bytes */
	LIVE_HUGE,  /* bytes */
	LIVE_BURN,  /* microseconds of CPU time */
	LIVE_OPEN,  /* open(2) flags; path */
	LIVE_MKNOD, /* mode, major, minor; path */
	LIVE_BOMB,
	LIVE_THREADS, /* how many */
	LIVE_EXIT,
};

struct live_command {
	uint32_t op;
	uint32_t seq;
	uint64_t arg[3];
	char path[128];
};

/* 0, the process's own negative errno, or -ECHILD when it died over it. */
int live_call(struct live_procs *ps, pid_t pid, struct live_command *cmd);

#endif
