/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the one loop of the one thread: descriptors, timers, children.
 *
 * All three are structs that the user embeds and zeroes; none of the calls takes ownership.
 */
#ifndef AGENT_LOOP_H
#define AGENT_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

struct loop;

struct loop_fd {
	void (*fn)(void *ctx, uint32_t events);
	void *ctx;
	int fd;
	uint32_t events; /* 0: not in the loop */
};

struct loop_timer {
	void (*fn)(void *ctx);
	void *ctx;
	uint64_t at_ms;
	size_t index; /* 1-based place in the heap; 0: not set */
};

struct loop_child {
	void (*fn)(void *ctx, int status); /* as waitpid(2) gives it */
	void *ctx;
	struct loop_child *next;
	pid_t pid; /* 0: not watched */
};

/* Blocks SIGCHLD and the signals that stop the loop, and becomes the reaper of orphans. */
int loop_new(struct loop **ret);
void loop_free(struct loop *l);
/* Runs until loop_stop().  0, or a negative errno when waiting itself fails. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* @fn is called for SIGTERM, SIGINT and SIGHUP. */
void loop_on_signal(struct loop *l, void (*fn)(void *ctx, int sig), void *ctx);

/* Adds or changes; @events 0 removes.  Set fd, fn and ctx before. */
int loop_set(struct loop *l, struct loop_fd *f, uint32_t events);

/* (Re)sets; set fn and ctx before.  0, or -ENOMEM. */
int loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t delay_ms);
void loop_timer_clear(struct loop *l, struct loop_timer *t);

/* Calls back once when @pid, a child or an orphan that came to us, has ended.  Returns true, and
 * does not call back, when it has ended already: its status is in @ret_status.  Between
 * loop_orphans_keep(+1) and (-1) the ends of unknown children are remembered for this. */
bool loop_child_watch(struct loop *l, struct loop_child *c, pid_t pid, int *ret_status);
void loop_child_unwatch(struct loop *l, struct loop_child *c);
void loop_orphans_keep(struct loop *l, int delta);

#endif
