/* SPDX-License-Identifier: MIT */
/*
 * group.h - what the files of this room ask of each other.
 */
#ifndef CGFS_GROUP_GROUP_H
#define CGFS_GROUP_GROUP_H

#include <cgfs/cgfs.h>

/* The next handle, held by a reference while it is looked at; @g, NULL to begin with, is let go.
 * The walk continues when handles are closed meanwhile (group.c). */
struct cgfs_group *group_walk(struct cgfs *c, struct cgfs_group *g);

/* set.c */

struct journal;

/* Can this host take all of @res?  No I/O. */
int resources_plan(const struct cgfs *c, const struct cgfs_resources *res, struct cgfs_err *reterr);
/* Everything but devices. */
int resources_apply(struct cgfs_group *g, const struct cgfs_resources *res, struct journal *j,
		    struct cgfs_err *reterr);

/* all.c: the round of removals and watches, for struct cgfs. */
void group_round(struct cgfs *c, bool missed);

/* removal.c; in all *_step(): time has passed; @missed: or anything may have happened. */
void removal_step(struct cgfs_group *g, bool missed);
void removal_free(struct cgfs_group *g);
/* The hierarchy whose directories of a group are the @at-th to go: cgroup2's last, since its events
 * notify us of the others. */
int hierarchy_at(const struct cgfs *c, int at);
/* Those that go on although no caller has a handle any more end where they are. */
void removal_end_all(struct cgfs *c);

/* kill.c: cgfs_group_kill() in bounded steps, which kill_round() continues.  -EAGAIN: there are
 * more.  *@ret_found: how many processes were found; SIZE_MAX: the kernel did not say. */
int kill_go(struct cgfs_group *g, size_t *ret_found, struct cgfs_err *reterr);
void kill_round(struct cgfs_group *g);
void kill_free(struct cgfs_group *g);

/* watch.c: thresholds, pressure, emptiness */
void watch_step(struct cgfs_group *g, bool missed);
/* A process was put into it. */
void watch_joined(struct cgfs_group *g);
/* -EPERM: a process that joined would be bound by no device policy (join.c). */
int join_guard(struct cgfs_group *g, struct cgfs_err *reterr);
void watch_free(struct cgfs_group *g);

/* oom.c */
int oom_watch(struct cgfs_group *g, struct cgfs_err *reterr);
/* Now, without waiting for a notification. */
void oom_look(struct cgfs_group *g);
void oom_step(struct cgfs_group *g, bool missed);
void oom_unwatch(struct cgfs_group *g);

#endif
