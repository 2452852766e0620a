/* SPDX-License-Identifier: MIT */
/*
 * queue.c - see queue.h.  Must not know what the events are about.
 */
#include "cgfs/event/queue.h"

#include "cgfs/base/util.h"

#include <sys/eventfd.h>

int queue_open(struct event_queue *q)
{
	*q = (struct event_queue){ .last = &q->first };
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->fd >= 0)
		return 0;
	q->fd = -EBADF;
	return -errno;
}

void queue_free(struct event_queue *q)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;

	while (queue_pop(q, &ev))
		;
	if (q->fd >= 0)
		close(take_fd(&q->fd));
}

void queue_append(struct event_queue *q, struct queued *e)
{
	uint64_t one = 1;

	e->next = NULL;
	*q->last = e;
	q->last = &e->next;
	ignore(write(q->fd, &one, sizeof(one)));
}

void queue_push(struct event_queue *q, const struct cgfs_event *ev)
{
	struct queued *e = malloc(sizeof(*e));

	if (e) {
		e->ev = *ev;
		queue_append(q, e);
	} else if (q->lost.ev.count++ == 0) {
		q->lost.ev.type = CGFS_EVENT_LOST;
		q->lost.ev.time_ns = ev->time_ns;
		queue_append(q, &q->lost);
	}
}

bool queue_pop(struct event_queue *q, struct cgfs_event *ret)
{
	struct queued *e = q->first;
	uint64_t count;

	if (!e)
		return false;
	*ret = e->ev;
	q->first = e->next;
	if (!q->first) {
		q->last = &q->first;
		ignore(read(q->fd, &count, sizeof(count)));
	}
	if (e == &q->lost)
		e->ev.count = 0;
	else
		free(e);
	return true;
}
