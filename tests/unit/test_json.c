/* SPDX-License-Identifier: MIT */
/*
 * test_json.c - events and figures as JSON: the exact text, and that a JSON parser takes it;
 * integers that the parser has no type for.
 */
#include "cgfs/base/json.h"
#include "cgfs/base/util.h"
#include "tests/tap.h"
#include <cgfs/event.h>
#include <cgfs/stats.h>

#include <jansson.h>

TAP_TEST(large_integers_go_through_as_they_are)
{
	static const char *const same[] = {
		"[18446744073709551615,9223372036854775808,-9223372036854775809,1]",
		"{\"a\":{\"b\":123456789012345678901234567890},\"c\":\"18446744073709551615\"}",
		"[\"\\\"18446744073709551615\\\\\",18446744073709551615]",
		"[\"\\\"\\\\u0000\",18446744073709551615,\"u0000\"]",
		"[9223372036854775807,-9223372036854775808,1.5]",
	};
	static const char *const bad[] = {
		"[18446744073709551615",      "[018446744073709551615]",
		"[18446744073709551615,]",    "[18446744073709551615,\"\\u0000\"]",
		"[18446744073709551615,\"a]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		json_t *j = cgfs_json_load(same[i], strlen(same[i]), 0, NULL);
		auto_free char *text = cgfs_json_dump(j, JSON_COMPACT);

		CHECK(text);
		CHECK_STR(text, same[i]);
		json_decref(j);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(!cgfs_json_load(bad[i], strlen(bad[i]), 0, NULL));
}

TAP_TEST(large_integers_are_read_as_numbers)
{
	static const char text[] = "[18446744073709551615,9223372036854775808,7,"
				   "18446744073709551616,-9223372036854775809,-1,\"7\"]";
	json_t *j = cgfs_json_load(text, strlen(text), 0, NULL);
	uint64_t n = 5;

	CHECK(cgfs_json_u64(json_array_get(j, 0), &n) && n == UINT64_MAX);
	CHECK(cgfs_json_u64(json_array_get(j, 1), &n) && n == UINT64_C(1) << 63);
	CHECK(cgfs_json_u64(json_array_get(j, 2), &n) && n == 7);
	for (size_t i = 3; i < json_array_size(j); i++)
		CHECK(!cgfs_json_u64(json_array_get(j, i), &n));
	CHECK_STR(cgfs_json_big(json_array_get(j, 4)), "-9223372036854775809");
	CHECK(!cgfs_json_big(json_array_get(j, 6)));
	json_decref(j);
}

static void event_is(const struct cgfs_event *e, const char *want)
{
	auto_free char *got = NULL;
	json_t *json;

	CHECK_INT(cgfs_event_json(e, &got), 0);
	CHECK_STR(got, want);
	json = json_loads(got, JSON_REJECT_DUPLICATES, NULL);
	CHECK(json);
	json_decref(json);
}

TAP_TEST(event_json_denial_names_device_and_rule)
{
	struct cgfs_event e = {
		.sz = sizeof(struct cgfs_event),
		.type = CGFS_EVENT_DEVICE_DENIED,
		.time_ns = 123456789012345,
		.cgroup_id = 4242,
		.pod = "web",
		.container = "c1",
		.pid = 77,
		.comm = "cat",
		.device_type = CGFS_DEVICE_CHAR,
		.major = 1,
		.minor = 11,
		.access = CGFS_ACCESS_READ | CGFS_ACCESS_WRITE,
		.rule = 3,
	};

	event_is(&e, "{\"type\":\"device_denied\",\"time_ns\":123456789012345,\"pod\":\"web\","
		     "\"container\":\"c1\",\"cgroup_id\":4242,\"pid\":77,\"comm\":\"cat\","
		     "\"device\":{\"type\":\"c\",\"major\":1,\"minor\":11,\"access\":\"rw\","
		     "\"rule\":3}}");
	e.device_type = (enum cgfs_device_type)0;
	e.access = CGFS_ACCESS_ALL;
	e.major = e.minor = e.rule = UINT32_MAX;
	event_is(&e, "{\"type\":\"device_denied\",\"time_ns\":123456789012345,\"pod\":\"web\","
		     "\"container\":\"c1\",\"cgroup_id\":4242,\"pid\":77,\"comm\":\"cat\","
		     "\"device\":{\"type\":\"?\",\"major\":4294967295,\"minor\":4294967295,"
		     "\"access\":\"rwm\",\"rule\":4294967295}}");
}

TAP_TEST(event_json_unknown_members_are_null)
{
	struct cgfs_event e = { .sz = sizeof(struct cgfs_event),
				.type = CGFS_EVENT_OOM_KILL,
				.pod = "web",
				.count = 2 };

	event_is(&e, "{\"type\":\"oom_kill\",\"time_ns\":0,\"pod\":\"web\",\"container\":null,"
		     "\"cgroup_id\":null,\"pid\":null,\"comm\":null,\"count\":2}");
	e.pid = 5;
	event_is(&e, "{\"type\":\"oom_kill\",\"time_ns\":0,\"pod\":\"web\",\"container\":null,"
		     "\"cgroup_id\":null,\"pid\":5,\"comm\":null,\"count\":1}");
}

TAP_TEST(event_json_other_types_have_their_members)
{
	struct cgfs_event e = { .sz = sizeof(struct cgfs_event),
				.type = CGFS_EVENT_REMOVED,
				.container = "c",
				.error = -16,
				.count = 2,
				.message = "rmdir \"/pods/c\": busy" };

	event_is(&e, "{\"type\":\"removed\",\"time_ns\":0,\"pod\":null,\"container\":\"c\","
		     "\"cgroup_id\":null,\"pid\":null,\"comm\":null,\"error\":-16,"
		     "\"message\":\"rmdir \\\"/pods/c\\\": busy\",\"dying_descendants\":2}");
	e.count = CGFS_MAX;
	event_is(&e, "{\"type\":\"removed\",\"time_ns\":0,\"pod\":null,\"container\":\"c\","
		     "\"cgroup_id\":null,\"pid\":null,\"comm\":null,\"error\":-16,"
		     "\"message\":\"rmdir \\\"/pods/c\\\": busy\",\"dying_descendants\":null}");
	e = (struct cgfs_event){ .sz = sizeof(e),
				 .type = CGFS_EVENT_LOST,
				 .count = UINT64_C(1) << 62 };
	event_is(&e, "{\"type\":\"lost\",\"time_ns\":0,\"pod\":null,\"container\":null,"
		     "\"cgroup_id\":null,\"pid\":null,\"comm\":null,"
		     "\"count\":4611686018427387904}");
	e = (struct cgfs_event){ .sz = sizeof(e),
				 .type = CGFS_EVENT_NONE,
				 .pod = "p",
				 .container = "c",
				 .cgroup_id = 1 };
	event_is(&e, "{\"type\":\"none\",\"time_ns\":0,\"pod\":\"p\",\"container\":\"c\","
		     "\"cgroup_id\":1,\"pid\":null,\"comm\":null}");
}

TAP_TEST(event_json_watches_carry_what_was_watched_for)
{
	struct cgfs_event e = { .sz = sizeof(struct cgfs_event),
				.type = CGFS_EVENT_MEMORY_THRESHOLD,
				.pod = "p",
				.threshold = 1000,
				.value = 1024 };

	event_is(&e, "{\"type\":\"memory_threshold\",\"time_ns\":0,\"pod\":\"p\","
		     "\"container\":null,\"cgroup_id\":null,\"pid\":null,\"comm\":null,"
		     "\"threshold_bytes\":1000,\"usage_bytes\":1024}");
	e.type = CGFS_EVENT_PRESSURE;
	e.pressure = CGFS_PRESSURE_IO;
	event_is(&e, "{\"type\":\"pressure\",\"time_ns\":0,\"pod\":\"p\","
		     "\"container\":null,\"cgroup_id\":null,\"pid\":null,\"comm\":null,"
		     "\"resource\":\"io\",\"stall_us\":1000,\"window_us\":1024}");
	e.type = CGFS_EVENT_EMPTY;
	event_is(&e, "{\"type\":\"empty\",\"time_ns\":0,\"pod\":\"p\",\"container\":null,"
		     "\"cgroup_id\":null,\"pid\":null,\"comm\":null}");
}

TAP_TEST(event_json_hostile_comm_stays_json)
{
	static const struct {
		const char *comm, *want;
	} cases[] = {
		{ "a\"b\\c", "a\\\"b\\\\c" },
		{ "\n\t\033[1m\177", "\\u000a\\u0009\\u001b[1m\\u007f" },
		{ "\303\251\342\202\254", "\303\251\342\202\254" },
		{ "\360\237\230\200", "\360\237\230\200" },
		{ "x\377\376y", "x\\ufffd\\ufffdy" },
		{ "\300\257", "\\ufffd\\ufffd" },	     /* an overlong '/' */
		{ "\355\240\200", "\\ufffd\\ufffd\\ufffd" }, /* half of a surrogate pair */
		{ "\364\220\200\200", "\\ufffd\\ufffd\\ufffd\\ufffd" },	    /* above U+10FFFF */
		{ "0123456789abc\342\202", "0123456789abc\\ufffd\\ufffd" }, /* cut by comm's end */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cgfs_event e = { .sz = sizeof(struct cgfs_event), .type = CGFS_EVENT_NONE };
		char want[256];

		snprintf(e.comm, sizeof(e.comm), "%s", cases[i].comm);
		snprintf(want, sizeof(want),
			 "{\"type\":\"none\",\"time_ns\":0,\"pod\":null,\"container\":null,"
			 "\"cgroup_id\":null,\"pid\":null,\"comm\":\"%s\"}",
			 cases[i].want);
		event_is(&e, want);
	}
}

TAP_TEST(event_name_every_type_has_its_own)
{
	CHECK_STR(cgfs_event_name(CGFS_EVENT_NONE), "none");
	CHECK_STR(cgfs_event_name(CGFS_EVENT_OOM_KILL), "oom_kill");
	CHECK_STR(cgfs_event_name(CGFS_EVENT_DEVICE_DENIED), "device_denied");
	CHECK_STR(cgfs_event_name(CGFS_EVENT_REMOVED), "removed");
	CHECK_STR(cgfs_event_name(CGFS_EVENT_LOST), "lost");
	CHECK_STR(cgfs_event_name(CGFS_EVENT_MEMORY_THRESHOLD), "memory_threshold");
	CHECK_STR(cgfs_event_name(CGFS_EVENT_PRESSURE), "pressure");
	CHECK_STR(cgfs_event_name(CGFS_EVENT_EMPTY), "empty");
	CHECK_STR(cgfs_event_name((enum cgfs_event_type)99), "unknown");
	CHECK_STR(cgfs_event_name((enum cgfs_event_type) - 1), "unknown");
}

static void stats_are(const struct cgfs_stats *s, const char *want)
{
	auto_free char *got = NULL;

	CHECK_INT(cgfs_stats_json(s, &got), 0);
	CHECK_STR(got, want);
}

TAP_TEST(stats_json_only_available_figures_are_there)
{
	struct cgfs_stats s = CGFS_STATS_INIT;

	stats_are(&s, "{}");
	s.figure[CGFS_STAT_PIDS_CURRENT].available = true;
	stats_are(&s, "{\"pids\":{\"current\":0}}");
	s.figure[CGFS_STAT_OOM_KILLS].available = true;
	s.figure[CGFS_STAT_OOM_KILLS].value = 3;
	stats_are(&s, "{\"pids\":{\"current\":0},\"oom_kills\":3}");
	s.figure[CGFS_STAT_MEMORY_EVENTS_OOM].available = true;
	s.figure[CGFS_STAT_MEMORY_SWAP_MAX].available = true;
	s.figure[CGFS_STAT_MEMORY_SWAP_MAX].value = CGFS_MAX;
	s.figure[CGFS_STAT_MEMORY_ANON].available = true;
	s.figure[CGFS_STAT_MEMORY_ANON].value = CGFS_MAX - 1;
	stats_are(&s, "{\"memory\":{\"swap\":{\"max\":\"max\"},\"anon\":18446744073709551614,"
		      "\"events\":{\"oom\":0}},\"pids\":{\"current\":0},\"oom_kills\":3}");
}

/* Follows a dotted path; NULL when it is not there. */
static json_t *at_path(json_t *json, const char *path)
{
	char key[64];

	while (json && *path) {
		size_t len = strcspn(path, ".");

		CHECK(len >= 1 && len < sizeof(key));
		memcpy(key, path, len);
		key[len] = '\0';
		json = json_object_get(json, key);
		path += len + (path[len] == '.');
	}
	return json;
}

TAP_TEST(stats_json_every_figure_is_at_its_path)
{
	struct cgfs_stats s = CGFS_STATS_INIT;
	auto_free char *text = NULL;
	json_error_t error;
	json_t *json;

	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		s.figure[i].available = true;
		s.figure[i].value = 1000 + i;
	}
	CHECK_INT(cgfs_stats_json(&s, &text), 0);
	/* An object that is opened twice, or is also a figure, would be a duplicate key. */
	json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	CHECK_MSG(json, "%s: %s", error.text, text);
	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		json_t *leaf = at_path(json, cgfs_stat_name((enum cgfs_stat)i));

		CHECK_MSG(json_is_integer(leaf), "%s is no number",
			  cgfs_stat_name((enum cgfs_stat)i));
		CHECK_INT(json_integer_value(leaf), 1000 + i);
	}
	json_decref(json);
}

TAP_TEST(stat_unit_is_one_of_the_six)
{
	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		const char *unit = cgfs_stat_unit((enum cgfs_stat)i);

		CHECK(streq(unit, "bytes") || streq(unit, "us") || streq(unit, "count") ||
		      streq(unit, "weight") || streq(unit, "0.01%") || streq(unit, "0 or 1"));
	}
	CHECK_STR(cgfs_stat_name(CGFS_STAT_MEMORY_CURRENT), "memory.current");
	CHECK_STR(cgfs_stat_unit(CGFS_STAT_CPU_USAGE), "us");
	CHECK_STR(cgfs_stat_name(CGFS_STAT_COUNT), "unknown");
	CHECK_STR(cgfs_stat_unit(CGFS_STAT_COUNT), "unknown");
}
