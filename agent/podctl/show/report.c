/* SPDX-License-Identifier: MIT */
/*
 * report.c - what `run` prints at the end: killed processes, the limits they hit, denied devices.
 */
#include "agent/podctl/show/show.h"

#include <stdio.h>

void report_event(struct report *r, json_t *event)
{
	const char *type = doc_string(event, "type"), *ctr = doc_string(event, "container");

	if (!streq(doc_string(event, "pod"), r->pod) || (*ctr && !streq(ctr, r->ctr)))
		return;
	if (!streq(type, cgfs_event_name(CGFS_EVENT_OOM_KILL)) &&
	    !streq(type, cgfs_event_name(CGFS_EVENT_DEVICE_DENIED)))
		return;
	if (!r->events)
		r->events = json_array();
	json_array_append(r->events, event);
}

void report_stats(struct report *r, const struct group_info *ctr, const struct group_info *pod)
{
	uint64_t max;

	ignore(info_oom_kills(ctr, &r->oom_kills));
	ignore(info_figure(ctr, CGFS_STAT_DEVICE_DENIED, &r->denials));
	r->memory_max = CGFS_MAX;
	if (info_figure(ctr, CGFS_STAT_MEMORY_MAX, &max))
		r->memory_max = max;
	if (info_figure(pod, CGFS_STAT_MEMORY_MAX, &max) && max < r->memory_max) {
		r->memory_max = max;
		r->limit_is_pods = true;
	}
}

/* All events of one type: the first @show in full, the rest as a number. */
static uint64_t print_events(const struct report *r, enum cgfs_event_type type, const char *what,
			     const char *tail, uint64_t show)
{
	uint64_t seen = 0;
	json_t *event;
	char text[256];
	size_t i;

	json_array_foreach(r->events, i, event)
	{
		if (!streq(doc_string(event, "type"), cgfs_event_name(type)))
			continue;
		if (seen++ >= show)
			continue;
		doc_event_text(event, text, sizeof(text));
		out_note("%s/%s: %s: %s%s", r->pod, r->ctr, what, text, tail);
	}
	return seen;
}

void report_print(const struct args *a, const struct report *r, int status)
{
	const uint64_t show = 3;
	char max[OUT_LEN], tail[OUT_LEN + 64] = "";
	uint64_t seen;

	if (a->json) {
		json_t *doc =
			json_pack("{s:s, s:s, s:i, s:I, s:I, s:o}", "pod", r->pod, "container",
				  r->ctr, "status", status, "oom_kills", (json_int_t)r->oom_kills,
				  "device_denied", (json_int_t)r->denials, "events",
				  r->events ? json_incref(r->events) : json_array());

		ignore(out_json_line(stderr, doc));
		json_decref(doc);
		return;
	}

	if (r->memory_max != CGFS_MAX)
		snprintf(tail, sizeof(tail), ", at the %s's memory limit of %s",
			 r->limit_is_pods ? "pod" : "container",
			 out_value(max, "bytes", r->memory_max));
	seen = print_events(r, CGFS_EVENT_OOM_KILL, "killed for lack of memory", tail, show);
	if (!seen && r->oom_kills)
		out_note("%s/%s: killed for lack of memory%s", r->pod, r->ctr, tail);

	seen = print_events(r, CGFS_EVENT_DEVICE_DENIED, "device denied", "", show);
	if (seen < r->denials)
		seen = r->denials;
	if (seen > show)
		out_note("%s/%s: device denied: %llu times in all", r->pod, r->ctr,
			 (unsigned long long)seen);
}
