/* SPDX-License-Identifier: MIT */
/*
 * queue.h - events that wait for cgfs_event_read().
 */
#ifndef CGFS_QUEUE_H
#define CGFS_QUEUE_H

#include <cgfs/cgfs.h>

struct queued {
	struct queued *next;
	struct cgfs_event ev;
};

struct event_queue {
	int fd; /* readable while the queue is not empty */
	struct queued *first, **last;
	struct queued lost; /* in the list while it counts: events that found no memory */
};

/* The descriptor is -EBADF, and queue_free() may follow, also after an error. */
int queue_open(struct event_queue *q);
void queue_free(struct event_queue *q);
/* @e from malloc(3), filled but for its place in the list; is the queue's from now on. */
void queue_append(struct event_queue *q, struct queued *e);
/* Cannot fail: without memory, a CGFS_EVENT_LOST stands in the event's place. */
void queue_push(struct event_queue *q, const struct cgfs_event *ev);
bool queue_pop(struct event_queue *q, struct cgfs_event *ret);

#endif
