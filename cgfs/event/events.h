/* SPDX-License-Identifier: MIT */
/*
 * events.h - one descriptor for everything that happens; see events.c.
 */
#ifndef CGFS_EVENT_EVENTS_H
#define CGFS_EVENT_EVENTS_H

#include <cgfs/cgfs.h>

struct queued;

int events_new(struct cgfs *c, struct cgfs_err *reterr);
void events_free(struct cgfs *c);
/* Never fails: without memory, CGFS_EVENT_LOST reports the number of dropped events later. */
void events_push(struct cgfs *c, const struct cgfs_event *ev);
/* For an event that a caller waits for: memory beforehand, released with free(3) or given to
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
/* An eventfd in the epoll set; calls @fn, which has to read it, when it counts. */
int events_add_counter(struct cgfs_group *g, void (*fn)(struct cgfs_group *g), int *ret_fd);
/* How often it counted since it was read last. */
uint64_t events_read_counter(int fd);
void events_drop_counter(struct cgfs *c, int *fd);
/* Asks for a round of all that wait (cgfs.round) after @delay_us; the earliest wins.   Returns when
 * that is, of CLOCK_MONOTONIC. */
uint64_t events_timer(struct cgfs *c, uint64_t delay_us);
/* In a round: is it @at, or was the round for another?  Then one is asked for at that time.
 * 0: there is nothing to wait for. */
bool events_due(struct cgfs *c, uint64_t at);

#endif
