/* SPDX-License-Identifier: MIT */
/*
 * walk.h - all directories below one.
 */
#ifndef CGFS_TREE_WALK_H
#define CGFS_TREE_WALK_H

#include <cgfs/cgfs.h>

/* Calls for each directory below @dirfd; what is gone by the time is not missed.  @enter:
 * before all that is below it.  @leave: after that, with the one above it and its name there.  An
 * error ends the walk. */
struct tree_ops {
	int (*enter)(void *arg, int dirfd);
	int (*leave)(void *arg, int parent, const char *name, int dirfd);
};
int tree_walk(struct cgfs *c, int dirfd, const struct tree_ops *ops, void *arg);

/* How many directories may be entered or left before the caller's loop has its turn, and until
 * when: how long the kernel takes for each depends on what is above it. */
struct tree_budget {
	unsigned int dirs;
	uint64_t until_ns; /* CLOCK_MONOTONIC; not before the first directory */
};
/* Of one step; steps of one dispatch share their time. */
struct tree_budget tree_step(const struct cgfs *c);
/* Takes one directory from it; false: it is used up. */
bool tree_may_go_on(struct tree_budget *b);
/* Has the dispatch that is under way used up its time?  Then no step is begun. */
bool tree_late(const struct cgfs *c);

/* The same in steps.  tree_go(): -EAGAIN: @budget is used up, and there are more; else the walk has
 * ended, with 0 or an error, and holds nothing any more.  @budget may be NULL.  tree_end() gives up
 * a walk that is under way. */
struct tree_walk {
	struct cgfs *c;
	int fd;
	struct tree_step *top;
	size_t left; /* how many more may be found */
};
/* -E2BIG, from this or from tree_go(): there are more than @max. */
int tree_begin(struct tree_walk *w, struct cgfs *c, int dirfd, size_t max);
int tree_go(struct tree_walk *w, const struct tree_ops *ops, void *arg, struct tree_budget *budget);
void tree_end(struct tree_walk *w);
#define TREE_STEP    64
#define TREE_STEP_NS (4 * 1000000ull)

#endif
