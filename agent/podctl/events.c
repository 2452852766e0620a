/* SPDX-License-Identifier: MIT */
/*
 * events.c - the verb `events`: OOM kills, denied devices and removals, as they happen.
 */
#include "podctl.h"
#include "remote.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

static const struct opt options[] = {
	{ "pod", 0, "POD", opt_string, offsetof(struct args, pod),
	  "only what happens to this pod" },
	{ "count", 'n', "N", opt_count, offsetof(struct args, count), "end after N events" },
	{ "timeout", 't', "SECONDS", opt_seconds, offsetof(struct args, timeout_ms),
	  "end after this time; 0: only what there is by now" },
	{ 0 },
};

static const struct opt *const tables[] = { options, opt_global, NULL };

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Events carry CLOCK_BOOTTIME; people read wall clocks. */
static void wall_clock(char *buf, size_t len, uint64_t boot_ns)
{
	uint64_t ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME) + boot_ns;
	time_t s = (time_t)(ns / 1000000000);
	char hms[16];
	struct tm tm;

	localtime_r(&s, &tm);
	strftime(hms, sizeof(hms), "%H:%M:%S", &tm);
	snprintf(buf, len, "%s.%03u", hms, (unsigned int)(ns / 1000000 % 1000));
}

static int print(const struct args *a, json_t *event)
{
	const char *ctr = doc_string(event, "container");
	char time[32], text[320], where[2 * CGFS_ID_MAX + 2];

	if (a->json)
		return out_json_line(event);

	wall_clock(time, sizeof(time), doc_number(event, "time_ns"));
	snprintf(where, sizeof(where), "%s%s%s", doc_string(event, "pod"), *ctr ? "/" : "", ctr);
	doc_event_text(event, text, sizeof(text));
	printf("%s  %-13s  %-16s  %s\n", time, doc_string(event, "type"), where, text);
	return fflush(stdout) ? -EIO : 0;
}

/* Where events come from: an agent's subscription, or the library. */
struct source {
	struct client *sub;
	struct direct d;
	struct cgfs_group **groups; /* open, so that their control files are watched */
	size_t n;
};

static int keep(struct source *s, struct cgfs_group *g)
{
	struct cgfs_group **grown = reallocarray(s->groups, s->n + 1, sizeof(*grown));

	if (!grown) {
		cgfs_group_close(g);
		return -ENOMEM;
	}
	s->groups = grown;
	s->groups[s->n++] = g;
	return 0;
}

static int open_pod(struct source *s, const char *id)
{
	struct cgfs_group *pod, *ctr;
	struct ids ids = { 0 };
	int r;

	r = cgfs_pod_open(s->d.c, id, &pod, NULL);
	if (r == 0)
		r = keep(s, pod);
	if (r == 0)
		r = direct_list(&s->d, pod, &ids, NULL);
	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		r = cgfs_container_open(s->d.c, pod, ids.id[i], &ctr, NULL);
		if (r == 0)
			r = keep(s, ctr);
		else if (r == -ENOENT)
			r = 0;
	}
	ids_free(&ids);
	return r == -ENOENT ? 0 : r;
}

static int source_open(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	const char *agent = args_agent(a);
	struct ids ids = { 0 };
	int r;

	if (agent) {
		r = remote_open(agent, &s->sub, reterr);
		return r < 0 ? r : remote_subscribe(s->sub, reterr);
	}

	r = direct_open(a, DIRECT_EVENTS, &s->d, reterr);
	if (r == 0)
		r = direct_list(&s->d, NULL, &ids, reterr);
	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		r = open_pod(s, ids.id[i]);
		if (r < 0)
			cgfs_err_set(reterr, r, "watch pod", NULL, ids.id[i], NULL);
	}
	ids_free(&ids);
	return r;
}

static void source_close(struct source *s)
{
	while (s->n)
		cgfs_group_close(s->groups[--s->n]);
	free(s->groups);
	if (s->d.c)
		direct_close(&s->d);
	client_close(s->sub);
}

static int source_next(struct source *s, int timeout_ms, json_t **ret, struct cgfs_err *reterr)
{
	struct cgfs_event event;
	struct pollfd fd;
	int r;

	if (s->sub)
		return remote_event(s->sub, timeout_ms, ret, reterr);

	r = cgfs_event_read(s->d.c, &event, reterr);
	if (r == 0 && timeout_ms != 0) {
		fd = (struct pollfd){ .fd = cgfs_event_fd(s->d.c), .events = POLLIN };
		if (poll(&fd, 1, timeout_ms) < 0 && errno != EINTR)
			return cgfs_err_set(reterr, -errno, "poll", NULL, NULL, NULL);
		r = cgfs_event_read(s->d.c, &event, reterr);
	}
	if (r == 1 && doc_event(&event, ret) < 0)
		return doc_no_memory(reterr);
	return r;
}

static int follow(const struct args *a, struct source *s, uint64_t *ret_seen,
		  struct cgfs_err *reterr)
{
	const uint64_t start = now_ns(CLOCK_MONOTONIC) / 1000000;
	uint64_t passed, left;
	json_t *event;
	int r;

	while (*ret_seen < a->count) {
		passed = now_ns(CLOCK_MONOTONIC) / 1000000 - start;
		left = a->timeout_ms > passed ? a->timeout_ms - passed : 0;
		r = source_next(s,
				a->timeout_ms == CGFS_MAX ? -1
				: left < 3600000	  ? (int)left
							  : 3600000,
				&event, reterr);
		if (r < 0)
			return r;
		if (r == 0 && !left)
			return 0;
		if (r == 0)
			continue;
		if (!a->pod || streq(doc_string(event, "pod"), a->pod)) {
			r = print(a, event);
			(*ret_seen)++;
		}
		json_decref(event);
		if (r < 0)
			return cgfs_err_set(reterr, r, "write to standard output", NULL, NULL,
					    NULL);
	}
	return 0;
}

static int events(struct args *a)
{
	struct source s = { .d.lock = -EBADF };
	struct cgfs_err err = { 0 };
	uint64_t seen = 0;
	int r;

	if (a->pod) {
		r = cgfs_id_check(a->pod, &err);
		if (r < 0) {
			cgfs_err_context(&err, r, "events --pod");
			out_error(a, &err);
			return EXIT_USAGE;
		}
	}
	r = source_open(a, &s, &err);
	if (r == 0)
		r = follow(a, &s, &seen, &err);
	source_close(&s);
	if (r < 0) {
		out_error(a, &err);
		return EXIT_FAILED;
	}
	/* Who waits for a number of events wants to know whether they came. */
	return a->count != CGFS_MAX && seen < a->count ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_events = {
	.name = "events",
	.operands = "",
	.summary = "Watch OOM kills, denied devices and removals",
	.text = "One line for each event, until interrupted, or until --count or --timeout; with\n"
		"--json one object per line.  With --count the exit status is 1 when fewer came.\n"
		"An agent sends every event to everybody who asks.  Without an agent the events\n"
		"of a pin directory are a queue: one podctl takes each.",
	.tables = tables,
	.max = 0,
	.run = events,
};
