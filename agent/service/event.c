/* SPDX-License-Identifier: MIT */
/*
 * event.c - events of libcgfs: completed removals go to the requests that wait for them,
 * everything goes into the log and to the connections that asked.
 */
#include <cgfs/cgfs.h>
#include <stdio.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/service/message.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"

#define SLICE_NS (4 * 1000000ull)
#define PAST_MAX 256

/* The last events, for subscribers that come later. */
struct past {
	struct {
		uint64_t time_ns; /* CLOCK_BOOTTIME */
		char *body;
	} event[PAST_MAX];
	size_t next; /* the oldest, when the ring is full */
};

static void log_event(struct agent *a, const struct cgfs_event *ev)
{
	char device[64] = "";
	bool denied = ev->type == CGFS_EVENT_DEVICE_DENIED;

	if (denied)
		snprintf(device, sizeof(device), "%c %u:%u %s%s%s", (char)ev->device_type,
			 ev->major, ev->minor, ev->access & CGFS_ACCESS_READ ? "r" : "",
			 ev->access & CGFS_ACCESS_WRITE ? "w" : "",
			 ev->access & CGFS_ACCESS_MKNOD ? "m" : "");
	log_write(&a->log, LOG_WARNING, "event", "type", cgfs_event_name(ev->type), "pod",
		  *ev->pod ? ev->pod : NULL, "container", *ev->container ? ev->container : NULL,
		  "pid", ev->pid ? LOG_NUM(ev->pid) : NULL, "comm", *ev->comm ? ev->comm : NULL,
		  "device", denied ? device : NULL, "rule", denied ? LOG_NUM(ev->rule) : NULL,
		  "count", ev->count ? LOG_NUM(ev->count) : NULL, NULL);
}

/* NULL: no memory. */
static char *event_body(const struct cgfs_event *ev)
{
	auto_free char *text = NULL;
	char *body;

	if (cgfs_event_json(ev, &text) < 0 || asprintf(&body, "{\"Event\":%s}", text) < 0)
		return NULL;
	return body;
}

/* First what could not be reported before. */
static void send_event(struct conn *c, const char *body)
{
	struct conn_state *s = conn_state(c);

	if (s->lost > 0) {
		struct cgfs_event lost = { .sz = sizeof(struct cgfs_event),
					   .type = CGFS_EVENT_LOST,
					   .count = s->lost };
		auto_free char *text = event_body(&lost);

		if (!text || conn_notify(c, MSG_EXT_EVENT_NOTIFICATION, text, true) < 0) {
			s->lost++;
			return;
		}
		s->lost = 0;
	}
	if (conn_notify(c, MSG_EXT_EVENT_NOTIFICATION, body, true) < 0)
		s->lost++;
}

/* Takes @body over.  Without memory for the ring it is not kept. */
static void keep(struct agent *a, const struct cgfs_event *ev, char *body)
{
	struct past *p = a->past;

	if (!p)
		p = a->past = calloc(1, sizeof(*p));
	if (!p || !body) {
		free(body);
		return;
	}
	free(p->event[p->next].body);
	p->event[p->next].body = body;
	p->event[p->next].time_ns = ev->time_ns;
	p->next = (p->next + 1) % PAST_MAX;
}

void event_replay(struct agent *a, struct conn *c, uint32_t age_ms)
{
	uint64_t now = now_ns(CLOCK_BOOTTIME), age = age_ms * 1000000ull;
	uint64_t since = now > age ? now - age : 0;
	const struct past *p = a->past;

	for (size_t i = 0; p && i < PAST_MAX; i++) {
		size_t at = (p->next + i) % PAST_MAX;

		if (p->event[at].body && p->event[at].time_ns >= since)
			send_event(c, p->event[at].body);
	}
}

void event_forget(struct agent *a)
{
	for (size_t i = 0; a->past && i < PAST_MAX; i++)
		free(a->past->event[i].body);
	free(take_ptr(a->past));
}

static void broadcast(struct agent *a, const struct cgfs_event *ev)
{
	char *body = event_body(ev);

	for (struct conn *c = bridge_next_conn(a->bridge, NULL); c;
	     c = bridge_next_conn(a->bridge, c)) {
		if (!conn_state(c)->events)
			continue;
		if (body)
			send_event(c, body);
		else
			conn_state(c)->lost++;
	}
	keep(a, ev, body);
}

static void on_removed(struct agent *a, const struct cgfs_event *ev)
{
	struct hash_node *node;
	struct container *c;
	struct pod *p;

	if (!*ev->container) {
		p = pod_find(a, ev->pod);
		if (!p || !p->removal.begun)
			foreign_removed(a, ev->pod, ev->error, ev->message);
		else if (removal_over(&p->removal, ev->error))
			pod_removed(p, ev->error, ev->message);
		return;
	}
	node = hash_find(&a->containers, ev->container);
	c = node ? container_of(node, struct container, node) : NULL;
	if (c && c->removal.begun && streq(ev->pod, c->pod ? c->pod->id : "") &&
	    removal_over(&c->removal, ev->error))
		container_removed(c, ev->error, ev->message);
}

/* What is left after a while keeps the descriptor readable, and others have their turn. */
static void on_event(void *ctx, uint32_t events)
{
	uint64_t until = now_ns(CLOCK_MONOTONIC) + SLICE_NS;
	struct agent *a = ctx;
	struct cgfs_err err = { 0 };
	struct cgfs_event ev = CGFS_EVENT_INIT;
	int r;

	do {
		r = cgfs_event_read(a->cgfs, &ev, &err);
		if (r != 1)
			break;
		if (ev.type != CGFS_EVENT_REMOVED)
			log_event(a, &ev);
		/* That one goes on. */
		if (ev.type != CGFS_EVENT_REMOVED || ev.error != -E2BIG)
			broadcast(a, &ev);
		if (ev.type == CGFS_EVENT_REMOVED)
			on_removed(a, &ev);
	} while (now_ns(CLOCK_MONOTONIC) < until);
	if (r < 0)
		log_write(&a->log, LOG_ERROR, "cannot read events", "error", err.text, NULL);
}

int event_watch(struct agent *a)
{
	a->events = (struct loop_fd){ .fn = on_event, .ctx = a, .fd = cgfs_event_fd(a->cgfs) };
	return loop_set(a->loop, &a->events, EPOLLIN);
}
