/* SPDX-License-Identifier: MIT */
/*
 * events.c - the verb `events`: OOM kills, denied devices and removals, as they happen.
 */
#include "agent/podctl/verb/verb.h"
#include "cgfs/base/clock.h"

#include <stdio.h>

/* One of a list of names. */
static int add_type(const char *what, const char *name, size_t len, unsigned int *to,
		    struct cgfs_err *reterr)
{
	char all[256] = "", text[64];

	for (unsigned int i = 1; i <= CGFS_EVENT_FOREIGN_PROGRAM; i++) {
		const char *known = cgfs_event_name((enum cgfs_event_type)i);
		size_t at = strlen(all);

		if (strlen(known) == len && strncmp(known, name, len) == 0) {
			*to |= 1u << i;
			return 0;
		}
		snprintf(all + at, sizeof(all) - at, "%s%s", at ? ", " : "", known);
	}
	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	return cgfs_err_set(reterr, -EINVAL, what, NULL, text,
			    "is not a type of event; the types are: %s", all);
}

static int set_types(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	int r = 0;

	for (const char *at = value; r == 0; at += strcspn(at, ",") + 1) {
		r = add_type(what, at, strcspn(at, ","), to, reterr);
		if (!at[strcspn(at, ",")])
			break;
	}
	return r;
}

static const struct opt options[] = {
	{ "pod", 0, "POD", opt_string, offsetof(struct args, pod),
	  "print only what happens to this pod" },
	{ "container", 0, "CONTAINER", opt_string, offsetof(struct args, container),
	  "print only what happens to containers of this id" },
	{ "type", 0, "TYPE[,TYPE]", set_types, offsetof(struct args, types),
	  "print only events of these types" },
	{ "since", 0, "TIME", opt_time, offsetof(struct args, since_ns),
	  "print first what has happened since then and is still known: 90s,\n"
	  "10m, 1h30m ago, or a time of UTC as in 2026-11-30T13:21:47Z" },
	{ "count", 'n', "N", opt_count, offsetof(struct args, count), "end after N events" },
	{ "timeout", 't', "SECONDS", opt_seconds, offsetof(struct args, timeout_ms),
	  "end after this time; 0: print pending events and end" },
	{ 0 },
};

static const struct opt *const tables[] = { options, NULL };

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
		return out_json_line(stdout, event);

	wall_clock(time, sizeof(time), doc_number(event, "time_ns"));
	snprintf(where, sizeof(where), "%s%s%s", doc_string(event, "pod"), *ctr ? "/" : "", ctr);
	doc_event_text(event, text, sizeof(text));
	printf("%s  %-13s  %-16s  %s\n", time, doc_string(event, "type"), where, text);
	return fflush(stdout) ? -EIO : 0;
}

static bool is_meant(const struct args *a, const json_t *event)
{
	bool typed = !a->types;

	for (unsigned int i = 1; !typed && i <= CGFS_EVENT_FOREIGN_PROGRAM; i++)
		typed = a->types & 1u << i &&
			streq(doc_string(event, "type"), cgfs_event_name((enum cgfs_event_type)i));
	return typed && (!a->pod || streq(doc_string(event, "pod"), a->pod)) &&
	       (!a->container || streq(doc_string(event, "container"), a->container));
}

static int follow(const struct args *a, struct source *s, uint64_t *ret_seen,
		  struct cgfs_err *reterr)
{
	const uint64_t start = now_ms();
	json_t *event;
	int left, r;

	while (*ret_seen < a->count) {
		left = args_left_ms(a, start);
		r = s->ops->next_event(s, left, &event, reterr);
		if (r < 0)
			return r;
		if (r == 0 && !left)
			return 0;
		if (r == 0)
			continue;
		if (is_meant(a, event)) {
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

static int check(struct args *a, struct cgfs_err *reterr)
{
	const char *wrong = "events --pod";
	int r = a->pod ? cgfs_id_check(a->pod, reterr) : 0;

	if (r == 0 && a->container) {
		wrong = "events --container";
		r = cgfs_id_check(a->container, reterr);
	}

	/* A handshake takes its time also when the caller does not wait for events. */
	if (a->timeout_ms < a->answer_ms)
		a->answer_ms = a->timeout_ms < 1000 ? 1000 : a->timeout_ms;
	return r < 0 ? cgfs_err_context(reterr, r, "%s", wrong) : 0;
}

static int events(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	uint64_t seen = 0;
	int r = follow(a, s, &seen, reterr);

	/* A caller that waits for a number of events wants to know whether they came. */
	return r < 0 ? r : a->count != CGFS_MAX && seen < a->count ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_events = {
	.name = "events",
	.operands = "",
	.summary = "Watch OOM kills, denied devices and removals",
	.text = "Prints one line for each event until it is interrupted or --count or --timeout "
		"is\n"
		"reached; with --json one object per line.  An agent sends every event to every\n"
		"podctl.  Without an agent, the events of a pin directory are a queue: one podctl\n"
		"receives each event.  An agent keeps the last 256 for --since; without one the\n"
		"last denials, kills, thresholds and refusals of pods that are there are known,\n"
		"the same of a program again as one line.\n\n"
		"Types: oom_kill, device_denied, removed, lost, memory_threshold, pressure, "
		"empty,\n"
		"pins_restored, memory_refused, foreign_program.",
	.tables = tables,
	.max = 0,
	.exits = "0 success; 1 failure, or fewer than --count events came; 2 wrong usage",
	.check = check,
	.use = SOURCE_EVENTS,
	.with = events,
};
