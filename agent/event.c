/* SPDX-License-Identifier: MIT */
/*
 * event.c - what libcgfs has to tell: removals that are complete go to whoever waits for them,
 * everything goes into the log and to the connections that asked.
 */
#include <stdio.h>

#include "../cgfs/internal.h"
#include "agent.h"

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

static json_t *event_body(const struct cgfs_event *ev)
{
	auto_free char *text = NULL;

	if (cgfs_event_json(ev, &text) < 0)
		return NULL;
	return json_pack("{s:o}", "Event", json_loads(text, 0, NULL));
}

/* First what could not be told before. */
static void tell(struct conn *c, const json_t *body)
{
	struct conn_state *s = conn_state(c);

	if (s->lost > 0) {
		struct cgfs_event lost = { .type = CGFS_EVENT_LOST, .count = s->lost };
		json_t *j = event_body(&lost);

		if (!j || conn_notify(c, MSG_EXT_EVENT_NOTIFICATION, j, true) < 0) {
			json_decref(j);
			s->lost++;
			return;
		}
		json_decref(j);
		s->lost = 0;
	}
	if (conn_notify(c, MSG_EXT_EVENT_NOTIFICATION, body, true) < 0)
		s->lost++;
}

static void broadcast(struct agent *a, const struct cgfs_event *ev)
{
	json_t *body = NULL;

	for (struct conn *c = bridge_next_conn(a->bridge, NULL); c;
	     c = bridge_next_conn(a->bridge, c)) {
		if (!conn_state(c)->events)
			continue;
		if (!body)
			body = event_body(ev);
		if (body)
			tell(c, body);
		else
			conn_state(c)->lost++;
	}
	json_decref(body);
}

static void on_removed(struct agent *a, const struct cgfs_event *ev)
{
	struct table_node *node;
	struct container *c;
	struct pod *p;

	if (!*ev->container) {
		p = pod_find(a, ev->pod);
		if (p && p->removing)
			pod_removed(p, ev->error, ev->message);
		else
			(void)foreign_removed(a, ev->pod, ev->error, ev->message);
		return;
	}
	node = table_find(&a->containers, ev->container);
	c = node ? container_of(node, struct container, node) : NULL;
	if (c && c->removing && streq(ev->pod, c->pod ? c->pod->id : ""))
		container_removed(c, ev->error, ev->message);
}

static void on_event(void *ctx, uint32_t events)
{
	struct agent *a = ctx;
	struct cgfs_err err = { 0 };
	struct cgfs_event ev;
	int r;

	(void)events;
	while ((r = cgfs_event_read(a->cgfs, &ev, &err)) == 1) {
		if (ev.type != CGFS_EVENT_REMOVED)
			log_event(a, &ev);
		broadcast(a, &ev);
		if (ev.type == CGFS_EVENT_REMOVED)
			on_removed(a, &ev);
	}
	if (r < 0)
		log_write(&a->log, LOG_ERROR, "cannot read events", "error", err.text, NULL);
}

int event_watch(struct agent *a)
{
	a->events = (struct loop_fd){ .fn = on_event, .ctx = a, .fd = cgfs_event_fd(a->cgfs) };
	return loop_set(a->loop, &a->events, EPOLLIN);
}
