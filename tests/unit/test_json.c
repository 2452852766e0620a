/* SPDX-License-Identifier: MIT */
/*
 * test_json.c - events and figures as JSON: the exact text, and that a JSON parser takes it.
 */
#include "cgfs/internal.h"
#include "tests/tap.h"
#include <cgfs/event.h>
#include <cgfs/stats.h>

#include <jansson.h>

static void event_is(const struct cgfs_event *e, const char *want)
{
	auto_free char *got = NULL;
	json_t *json;

	assert_int_equal(cgfs_event_json(e, &got), 0);
	assert_string_equal(got, want);
	json = json_loads(got, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	json_decref(json);
}

static void event_json_denial_names_device_and_rule(void **state)
{
	struct cgfs_event e = {
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

	(void)state;
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

static void event_json_unknown_members_are_null(void **state)
{
	struct cgfs_event e = { .type = CGFS_EVENT_OOM_KILL, .pod = "web", .count = 2 };

	(void)state;
	event_is(&e, "{\"type\":\"oom_kill\",\"time_ns\":0,\"pod\":\"web\",\"container\":null,"
		     "\"cgroup_id\":null,\"pid\":null,\"comm\":null,\"count\":2}");
	e.pid = 5;
	event_is(&e, "{\"type\":\"oom_kill\",\"time_ns\":0,\"pod\":\"web\",\"container\":null,"
		     "\"cgroup_id\":null,\"pid\":5,\"comm\":null,\"count\":1}");
}

static void event_json_other_types_have_their_members(void **state)
{
	struct cgfs_event e = { .type = CGFS_EVENT_REMOVED,
				.container = "c",
				.error = -16,
				.count = 2,
				.message = "rmdir \"/pods/c\": busy" };

	(void)state;
	event_is(&e, "{\"type\":\"removed\",\"time_ns\":0,\"pod\":null,\"container\":\"c\","
		     "\"cgroup_id\":null,\"pid\":null,\"comm\":null,\"error\":-16,"
		     "\"message\":\"rmdir \\\"/pods/c\\\": busy\",\"dying_descendants\":2}");
	e.count = CGFS_MAX;
	event_is(&e, "{\"type\":\"removed\",\"time_ns\":0,\"pod\":null,\"container\":\"c\","
		     "\"cgroup_id\":null,\"pid\":null,\"comm\":null,\"error\":-16,"
		     "\"message\":\"rmdir \\\"/pods/c\\\": busy\",\"dying_descendants\":null}");
	e = (struct cgfs_event){ .type = CGFS_EVENT_LOST, .count = UINT64_C(1) << 62 };
	event_is(&e, "{\"type\":\"lost\",\"time_ns\":0,\"pod\":null,\"container\":null,"
		     "\"cgroup_id\":null,\"pid\":null,\"comm\":null,"
		     "\"count\":4611686018427387904}");
	e = (struct cgfs_event){
		.type = CGFS_EVENT_NONE, .pod = "p", .container = "c", .cgroup_id = 1
	};
	event_is(&e, "{\"type\":\"none\",\"time_ns\":0,\"pod\":\"p\",\"container\":\"c\","
		     "\"cgroup_id\":1,\"pid\":null,\"comm\":null}");
}

static void event_json_watches_carry_what_was_watched_for(void **state)
{
	struct cgfs_event e = {
		.type = CGFS_EVENT_MEMORY_THRESHOLD, .pod = "p", .threshold = 1000, .value = 1024
	};

	(void)state;
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

static void event_json_hostile_comm_stays_json(void **state)
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

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cgfs_event e = { .type = CGFS_EVENT_NONE };
		char want[256];

		snprintf(e.comm, sizeof(e.comm), "%s", cases[i].comm);
		snprintf(want, sizeof(want),
			 "{\"type\":\"none\",\"time_ns\":0,\"pod\":null,\"container\":null,"
			 "\"cgroup_id\":null,\"pid\":null,\"comm\":\"%s\"}",
			 cases[i].want);
		event_is(&e, want);
	}
}

static void event_name_every_type_has_its_own(void **state)
{
	(void)state;
	assert_string_equal(cgfs_event_name(CGFS_EVENT_NONE), "none");
	assert_string_equal(cgfs_event_name(CGFS_EVENT_OOM_KILL), "oom_kill");
	assert_string_equal(cgfs_event_name(CGFS_EVENT_DEVICE_DENIED), "device_denied");
	assert_string_equal(cgfs_event_name(CGFS_EVENT_REMOVED), "removed");
	assert_string_equal(cgfs_event_name(CGFS_EVENT_LOST), "lost");
	assert_string_equal(cgfs_event_name(CGFS_EVENT_MEMORY_THRESHOLD), "memory_threshold");
	assert_string_equal(cgfs_event_name(CGFS_EVENT_PRESSURE), "pressure");
	assert_string_equal(cgfs_event_name(CGFS_EVENT_EMPTY), "empty");
	assert_string_equal(cgfs_event_name((enum cgfs_event_type)99), "unknown");
	assert_string_equal(cgfs_event_name((enum cgfs_event_type) - 1), "unknown");
}

static void stats_are(const struct cgfs_stats *s, const char *want)
{
	auto_free char *got = NULL;

	assert_int_equal(cgfs_stats_json(s, &got), 0);
	assert_string_equal(got, want);
}

static void stats_json_only_available_figures_are_there(void **state)
{
	struct cgfs_stats s = { 0 };

	(void)state;
	stats_are(&s, "{}");
	s.available[CGFS_STAT_PIDS_CURRENT] = true;
	stats_are(&s, "{\"pids\":{\"current\":0}}");
	s.available[CGFS_STAT_OOM_KILLS] = true;
	s.value[CGFS_STAT_OOM_KILLS] = 3;
	stats_are(&s, "{\"pids\":{\"current\":0},\"oom_kills\":3}");
	s.available[CGFS_STAT_MEMORY_EVENTS_OOM] = true;
	s.available[CGFS_STAT_MEMORY_SWAP_MAX] = true;
	s.value[CGFS_STAT_MEMORY_SWAP_MAX] = CGFS_MAX;
	s.available[CGFS_STAT_MEMORY_ANON] = true;
	s.value[CGFS_STAT_MEMORY_ANON] = CGFS_MAX - 1;
	stats_are(&s, "{\"memory\":{\"swap\":{\"max\":\"max\"},\"anon\":18446744073709551614,"
		      "\"events\":{\"oom\":0}},\"pids\":{\"current\":0},\"oom_kills\":3}");
}

/* Follows a dotted path; NULL when it is not there. */
static json_t *at_path(json_t *json, const char *path)
{
	char key[64];

	while (json && *path) {
		size_t len = strcspn(path, ".");

		assert_in_range(len, 1, sizeof(key) - 1);
		memcpy(key, path, len);
		key[len] = '\0';
		json = json_object_get(json, key);
		path += len + (path[len] == '.');
	}
	return json;
}

static void stats_json_every_figure_is_at_its_path(void **state)
{
	struct cgfs_stats s;
	auto_free char *text = NULL;
	json_error_t error;
	json_t *json;

	(void)state;
	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		s.available[i] = true;
		s.value[i] = 1000 + i;
	}
	assert_int_equal(cgfs_stats_json(&s, &text), 0);
	/* An object that is opened twice, or is also a figure, would be a duplicate key. */
	json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s: %s", error.text, text);
	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		json_t *leaf = at_path(json, cgfs_stat_name((enum cgfs_stat)i));

		if (!json_is_integer(leaf))
			fail_msg("%s is no number", cgfs_stat_name((enum cgfs_stat)i));
		assert_int_equal(json_integer_value(leaf), 1000 + i);
	}
	json_decref(json);
}

static void stat_unit_is_one_of_the_six(void **state)
{
	(void)state;
	for (size_t i = 0; i < CGFS_STAT_COUNT; i++) {
		const char *unit = cgfs_stat_unit((enum cgfs_stat)i);

		assert_true(streq(unit, "bytes") || streq(unit, "us") || streq(unit, "count") ||
			    streq(unit, "weight") || streq(unit, "0.01%") || streq(unit, "0 or 1"));
	}
	assert_string_equal(cgfs_stat_name(CGFS_STAT_MEMORY_CURRENT), "memory.current");
	assert_string_equal(cgfs_stat_unit(CGFS_STAT_CPU_USAGE), "us");
	assert_string_equal(cgfs_stat_name(CGFS_STAT_COUNT), "unknown");
	assert_string_equal(cgfs_stat_unit(CGFS_STAT_COUNT), "unknown");
}

static const struct tap_test tests[] = {
	TAP_TEST(event_json_denial_names_device_and_rule),
	TAP_TEST(event_json_unknown_members_are_null),
	TAP_TEST(event_json_other_types_have_their_members),
	TAP_TEST(event_json_watches_carry_what_was_watched_for),
	TAP_TEST(event_json_hostile_comm_stays_json),
	TAP_TEST(event_name_every_type_has_its_own),
	TAP_TEST(stats_json_only_available_figures_are_there),
	TAP_TEST(stats_json_every_figure_is_at_its_path),
	TAP_TEST(stat_unit_is_one_of_the_six),
};

TAP_MAIN(tests)
