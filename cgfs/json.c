/* SPDX-License-Identifier: MIT */
/*
 * json.c - events and figures as JSON, and the names of both.  Owns the keys that programs read;
 * must not know where the values came from.
 *
 * Written by hand: a JSON library's integers end at 2^63 and its strings must be UTF-8, while
 * counters have 64 bits and a process may call itself anything.
 */
#include "json.h"
#include "internal.h"

#include <cgfs/event.h>
#include <cgfs/stats.h>
#include <inttypes.h>
#include <stdio.h>

static const char *const event_names[] = {
	[CGFS_EVENT_NONE] = "none",
	[CGFS_EVENT_OOM_KILL] = "oom_kill",
	[CGFS_EVENT_DEVICE_DENIED] = "device_denied",
	[CGFS_EVENT_REMOVED] = "removed",
	[CGFS_EVENT_LOST] = "lost",
	[CGFS_EVENT_MEMORY_THRESHOLD] = "memory_threshold",
	[CGFS_EVENT_PRESSURE] = "pressure",
	[CGFS_EVENT_EMPTY] = "empty",
};
_Static_assert(ARRAY_SIZE(event_names) == CGFS_EVENT_EMPTY + 1, "a name for each event");

static const char *const pressure_names[] = {
	[CGFS_PRESSURE_CPU] = "cpu",
	[CGFS_PRESSURE_MEMORY] = "memory",
	[CGFS_PRESSURE_IO] = "io",
};

#define STAT_NAME(name, json, unit) json,
#define STAT_UNIT(name, json, unit) unit,
static const char *const stat_names[] = { CGFS_STATS(STAT_NAME) };
static const char *const stat_units[] = { CGFS_STATS(STAT_UNIT) };

const char *cgfs_event_name(enum cgfs_event_type type)
{
	return (size_t)type < ARRAY_SIZE(event_names) ? event_names[type] : "unknown";
}

const char *cgfs_stat_name(enum cgfs_stat stat)
{
	return (size_t)stat < ARRAY_SIZE(stat_names) ? stat_names[stat] : "unknown";
}

const char *cgfs_stat_unit(enum cgfs_stat stat)
{
	return (size_t)stat < ARRAY_SIZE(stat_units) ? stat_units[stat] : "unknown";
}

/* Length of the UTF-8 sequence at the front of a string; 0 if there is none. */
static size_t utf8_len(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t min;
	} forms[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		uint32_t c = s[0] & (unsigned char)~forms[i].mask;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		for (size_t k = 1; k <= i + 1; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[k] & 0x3f);
		}
		if (c < forms[i].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return 0;
		return i + 2;
	}
	return 0;
}

static void put_string(FILE *f, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	putc('"', f);
	while (*s) {
		size_t n = *s < 0x80 ? 1 : utf8_len(s);

		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if (*s < ' ' || *s == 0x7f)
			fprintf(f, "\\u%04x", *s);
		else if (!n)
			fputs("\\ufffd", f);
		else
			fwrite(s, 1, n, f);
		s += n ? n : 1;
	}
	putc('"', f);
}

void cgfs_json_number(FILE *f, bool *first, const char *key, uint64_t value)
{
	fprintf(f, "%s\"%s\":", *first ? "" : ",", key);
	if (value == CGFS_MAX)
		fputs("\"max\"", f);
	else
		fprintf(f, "%" PRIu64, value);
	*first = false;
}

void cgfs_json_text(FILE *f, bool *first, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(f, "%s\"%s\":", *first ? "" : ",", key);
	put_string(f, text);
	*first = false;
}

void cgfs_json_name(FILE *f, const char *key, const char *text)
{
	fprintf(f, "{\"%s\":", key);
	put_string(f, text);
}

/* What is not known is null, which is neither 0 nor "". */
static void put_string_or_null(FILE *f, const char *key, const char *text)
{
	fprintf(f, ",\"%s\":", key);
	if (text[0])
		put_string(f, text);
	else
		fputs("null", f);
}

static void put_number_or_null(FILE *f, const char *key, uint64_t number)
{
	if (number)
		fprintf(f, ",\"%s\":%" PRIu64, key, number);
	else
		fprintf(f, ",\"%s\":null", key);
}

static void put_device(FILE *f, const struct cgfs_event *e)
{
	bool known = e->device_type == CGFS_DEVICE_BLOCK || e->device_type == CGFS_DEVICE_CHAR;

	fprintf(f, ",\"device\":{\"type\":\"%c\",\"major\":%" PRIu32 ",\"minor\":%" PRIu32,
		known ? (char)e->device_type : '?', e->major, e->minor);
	fprintf(f, ",\"access\":\"%s%s%s\",\"rule\":%" PRIu32 "}",
		e->access & CGFS_ACCESS_READ ? "r" : "", e->access & CGFS_ACCESS_WRITE ? "w" : "",
		e->access & CGFS_ACCESS_MKNOD ? "m" : "", e->rule);
}

static void put_event(FILE *f, const struct cgfs_event *e)
{
	fprintf(f, "{\"type\":\"%s\",\"time_ns\":%" PRIu64, cgfs_event_name(e->type), e->time_ns);
	put_string_or_null(f, "pod", e->pod);
	put_string_or_null(f, "container", e->container);
	put_number_or_null(f, "cgroup_id", e->cgroup_id);
	put_number_or_null(f, "pid", e->pid > 0 ? (uint64_t)e->pid : 0);
	put_string_or_null(f, "comm", e->comm);
	switch (e->type) {
	case CGFS_EVENT_OOM_KILL:
		fprintf(f, ",\"count\":%" PRIu64, e->pid > 0 ? 1 : e->count);
		break;
	case CGFS_EVENT_DEVICE_DENIED:
		put_device(f, e);
		break;
	case CGFS_EVENT_REMOVED:
		fprintf(f, ",\"error\":%d,\"message\":", e->error);
		put_string(f, e->message);
		if (e->count == CGFS_MAX)
			fputs(",\"dying_descendants\":null", f);
		else
			fprintf(f, ",\"dying_descendants\":%" PRIu64, e->count);
		break;
	case CGFS_EVENT_LOST:
		fprintf(f, ",\"count\":%" PRIu64, e->count);
		break;
	case CGFS_EVENT_MEMORY_THRESHOLD:
		fprintf(f, ",\"threshold_bytes\":%" PRIu64 ",\"usage_bytes\":%" PRIu64,
			e->threshold, e->value);
		break;
	case CGFS_EVENT_PRESSURE:
		fprintf(f, ",\"resource\":\"%s\"",
			(size_t)e->pressure < ARRAY_SIZE(pressure_names)
				? pressure_names[e->pressure]
				: "unknown");
		fprintf(f, ",\"stall_us\":%" PRIu64 ",\"window_us\":%" PRIu64, e->threshold,
			e->value);
		break;
	case CGFS_EVENT_NONE:
	case CGFS_EVENT_EMPTY:
		break;
	}
	putc('}', f);
}

/* How much of both paths are the same objects: up to the last common dot. */
static size_t common_objects(const char *a, const char *b)
{
	size_t same = 0;

	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == '.')
			same = i + 1;
	return same;
}

/* Figures of one object stand side by side in CGFS_STATS, so that it is opened only once. */
static void put_stats(FILE *f, const struct cgfs_stats *stats)
{
	const char *last = "";
	bool first = true; /* in its object */

	putc('{', f);
	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		const char *name = stat_names[i], *dot;
		size_t same = common_objects(last, name);

		if (!stats->available[i])
			continue;
		for (const char *p = last + same; (p = strchr(p, '.')); p++) {
			putc('}', f);
			first = false;
		}
		for (last = name, name += same; (dot = strchr(name, '.')); name = dot + 1) {
			fprintf(f, "%s\"%.*s\":{", first ? "" : ",", (int)(dot - name), name);
			first = true;
		}
		fprintf(f, "%s\"%s\":", first ? "" : ",", name);
		if (stats->value[i] == CGFS_MAX)
			fputs("\"max\"", f);
		else
			fprintf(f, "%" PRIu64, stats->value[i]);
		first = false;
	}
	for (const char *p = last; (p = strchr(p, '.')); p++)
		putc('}', f);
	putc('}', f);
}

/* Writing into memory fails for want of memory only. */
static int finish(FILE *f, char **text, char **ret)
{
	bool failed = ferror(f);

	if (fclose(f) != 0 || failed) {
		free(*text);
		return -ENOMEM;
	}
	*ret = *text;
	return 0;
}

int cgfs_event_json(const struct cgfs_event *event, char **ret_json)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	put_event(f, event);
	return finish(f, &text, ret_json);
}

int cgfs_stats_json(const struct cgfs_stats *stats, char **ret_json)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	put_stats(f, stats);
	return finish(f, &text, ret_json);
}
