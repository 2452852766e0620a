/* SPDX-License-Identifier: MIT */
/*
 * json.c - events and figures as JSON, and the names of both.  Owns the keys that programs read;
 * must not know where the values came from.
 */
#include "cgfs/figure/json.h"

#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"

#include <cgfs/event.h>
#include <cgfs/stats.h>
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
	[CGFS_EVENT_PINS_RESTORED] = "pins_restored",
	[CGFS_EVENT_MEMORY_REFUSED] = "memory_refused",
	[CGFS_EVENT_FOREIGN_PROGRAM] = "foreign_program",
};
_Static_assert(ARRAY_SIZE(event_names) == CGFS_EVENT_FOREIGN_PROGRAM + 1, "a name for each event");

static const char *const pressure_names[] = {
	[CGFS_PRESSURE_CPU] = "cpu",
	[CGFS_PRESSURE_MEMORY] = "memory",
	[CGFS_PRESSURE_IO] = "io",
};

static const char *const refused_names[] = {
	[CGFS_MAP_REFUSED] = "map",
	[CGFS_EXEC_REFUSED] = "exec",
	[CGFS_FORK_REFUSED] = "fork",
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

/* What is not known is null, which is neither 0 nor "". */
static void put_string_or_null(struct json_out *o, const char *key, const char *text)
{
	json_out_string(o, key, text[0] ? text : NULL);
}

static void put_number_or_null(struct json_out *o, const char *key, uint64_t number)
{
	if (number)
		json_out_number(o, key, number);
	else
		json_out_string(o, key, NULL);
}

static void put_device(struct json_out *o, const struct cgfs_event *e)
{
	bool known = e->device_type == CGFS_DEVICE_BLOCK || e->device_type == CGFS_DEVICE_CHAR;
	const char type[] = { known ? (char)e->device_type : '?', '\0' };
	char access[4];

	snprintf(access, sizeof(access), "%s%s%s", e->access & CGFS_ACCESS_READ ? "r" : "",
		 e->access & CGFS_ACCESS_WRITE ? "w" : "",
		 e->access & CGFS_ACCESS_MKNOD ? "m" : "");
	json_out_object(o, "device");
	json_out_string(o, "type", type);
	json_out_number(o, "major", e->major);
	json_out_number(o, "minor", e->minor);
	json_out_string(o, "access", access);
	json_out_number(o, "rule", e->rule);
	json_out_end(o);
}

static void put_removed(struct json_out *o, const struct cgfs_event *e)
{
	json_out_signed(o, "error", e->error);
	json_out_string(o, "message", e->message);
	if (e->count == CGFS_MAX)
		json_out_string(o, "dying_descendants", NULL);
	else
		json_out_number(o, "dying_descendants", e->count);
}

static void put_event(struct json_out *o, const struct cgfs_event *e)
{
	json_out_object(o, NULL);
	json_out_string(o, "type", cgfs_event_name(e->type));
	json_out_number(o, "time_ns", e->time_ns);
	put_string_or_null(o, "pod", e->pod);
	put_string_or_null(o, "container", e->container);
	put_number_or_null(o, "cgroup_id", e->cgroup_id);
	put_number_or_null(o, "pid", e->pid > 0 ? (uint64_t)e->pid : 0);
	put_string_or_null(o, "comm", e->comm);
	switch (e->type) {
	case CGFS_EVENT_OOM_KILL:
		json_out_number(o, "count", e->pid > 0 ? 1 : e->count);
		break;
	case CGFS_EVENT_DEVICE_DENIED:
		put_device(o, e);
		break;
	case CGFS_EVENT_REMOVED:
		put_removed(o, e);
		break;
	case CGFS_EVENT_LOST:
	case CGFS_EVENT_PINS_RESTORED:
		json_out_number(o, "count", e->count);
		break;
	case CGFS_EVENT_MEMORY_THRESHOLD:
		json_out_number(o, "threshold_bytes", e->threshold);
		json_out_number(o, "usage_bytes", e->value);
		break;
	case CGFS_EVENT_MEMORY_REFUSED:
		json_out_string(o, "call",
				(size_t)e->refused < ARRAY_SIZE(refused_names)
					? refused_names[e->refused]
					: "unknown");
		json_out_number(o, "budget_bytes", e->threshold);
		json_out_number(o, "usage_bytes", e->value);
		break;
	case CGFS_EVENT_FOREIGN_PROGRAM:
		json_out_number(o, "program_id", e->value);
		json_out_string(o, "message", e->message);
		break;
	case CGFS_EVENT_PRESSURE:
		json_out_string(o, "resource",
				(size_t)e->pressure < ARRAY_SIZE(pressure_names)
					? pressure_names[e->pressure]
					: "unknown");
		json_out_number(o, "stall_us", e->threshold);
		json_out_number(o, "window_us", e->value);
		break;
	case CGFS_EVENT_NONE:
	case CGFS_EVENT_EMPTY:
		break;
	}
	json_out_end(o);
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
void figure_put_stats(struct json_out *o, const struct cgfs_stats *stats)
{
	const char *last = "";

	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		const char *name = stat_names[i], *dot;
		size_t same = common_objects(last, name);

		if (!stats->figure[i].available)
			continue;
		for (const char *p = last + same; (p = strchr(p, '.')); p++)
			json_out_end(o);
		for (last = name, name += same; (dot = strchr(name, '.')); name = dot + 1) {
			char key[64];

			snprintf(key, sizeof(key), "%.*s", (int)(dot - name), name);
			json_out_object(o, key);
		}
		json_out_limit(o, name, stats->figure[i].value);
	}
	for (const char *p = last; (p = strchr(p, '.')); p++)
		json_out_end(o);
}

int cgfs_event_json(const struct cgfs_event *user, char **ret_json)
{
	struct cgfs_event event = CGFS_EVENT_INIT;
	int r = SIZED_IN(&event, user, NULL);
	struct json_out o;

	if (r == 0)
		r = json_out_open(&o);
	if (r < 0)
		return r;
	put_event(&o, &event);
	return json_out_close(&o, ret_json);
}

int cgfs_stats_json(const struct cgfs_stats *user, char **ret_json)
{
	struct cgfs_stats stats = CGFS_STATS_INIT;
	int r = SIZED_IN(&stats, user, NULL);
	struct json_out o;

	if (r == 0)
		r = json_out_open(&o);
	if (r < 0)
		return r;
	json_out_object(&o, NULL);
	figure_put_stats(&o, &stats);
	json_out_end(&o);
	return json_out_close(&o, ret_json);
}
