/* SPDX-License-Identifier: MIT */
/*
 * test_value.c - sizes, counts, CPUs, seconds and device options as podctl reads them, and the
 * OCI resources it makes of them.  Needs no kernel.
 */
#include "tests/tap.h"

#include "agent/podctl/verb/verb.h"

#include <signal.h>
#include <stdio.h>

static void bytes_ok(const char *text, uint64_t want)
{
	struct cgfs_err err = { 0 };
	uint64_t got = 1;

	CHECK_MSG(value_bytes("--memory", text, &got, &err) == 0, "%s: %s", text, err.text);
	CHECK_INT(got, want);
}

static void bytes_refused(const char *text, const char *why)
{
	struct cgfs_err err = { 0 };
	uint64_t got = 4711;

	CHECK_INT(value_bytes("--memory", text, &got, &err), -EINVAL);
	CHECK_INT(got, 4711);
	CHECK(strstr(err.text, "--memory"));
	CHECK_STR(err.value, text);
	CHECK_MSG(strstr(err.text, why), "%s: \"%s\" does not say \"%s\"", text, err.text, why);
}

TAP_TEST(bytes_accepts_units_of_1024)
{
	bytes_ok("0", 0);
	bytes_ok("65536", 65536);
	bytes_ok("65536B", 65536);
	bytes_ok("1K", 1024);
	bytes_ok("64M", 67108864);
	bytes_ok("64m", 67108864);
	bytes_ok("64Mi", 67108864);
	bytes_ok("64MiB", 67108864);
	bytes_ok("1G", 1073741824);
	bytes_ok("2T", 2199023255552);
	bytes_ok("7E", 7ull << 60);
	bytes_ok("9223372036854775807", INT64_MAX);
	bytes_ok("max", CGFS_MAX);
}

TAP_TEST(bytes_refuses_what_is_not_a_size)
{
	bytes_refused("", "not a size");
	bytes_refused("M", "not a size");
	bytes_refused("lots", "not a size");
	bytes_refused(" 64M", "not a size");
	bytes_refused("-1", "negative");
	bytes_refused("1.5G", "whole number");
	bytes_refused("64MB", "1000 or 1024");
	bytes_refused("64Q", "unknown unit");
	bytes_refused("64MiBs", "unknown unit");
	bytes_refused("64 M", "unknown unit");
	bytes_refused("64iB", "unknown unit");
	bytes_refused("MAX", "not a size");
}

TAP_TEST(bytes_refuses_overflow)
{
	bytes_refused("18446744073709551616", "too large");
	bytes_refused("9223372036854775808", "too large");
	bytes_refused("8E", "too large");
	bytes_refused("16E", "too large");
	bytes_refused("9007199254740992K", "too large");
}

static void cpus_ok(const char *text, uint64_t want)
{
	struct cgfs_err err = { 0 };
	uint64_t quota = 1, period = 1;

	CHECK_MSG(value_cpus("--cpus", text, &quota, &period, &err) == 0, "%s: %s", text, err.text);
	CHECK_INT(quota, want);
	CHECK_INT(period, 100000);
}

static void cpus_refused(const char *text, const char *why)
{
	struct cgfs_err err = { 0 };
	uint64_t quota = 4711, period = 4711;

	CHECK_INT(value_cpus("--cpus", text, &quota, &period, &err), -EINVAL);
	CHECK_INT(quota, 4711);
	CHECK_INT(period, 4711);
	CHECK_MSG(strstr(err.text, why), "%s: \"%s\" does not say \"%s\"", text, err.text, why);
}

TAP_TEST(cpus_is_exact_to_the_microsecond)
{
	cpus_ok("0.5", 50000);
	cpus_ok("1", 100000);
	cpus_ok("0.29", 29000); /* 28999.999... in binary floating point */
	cpus_ok("0.01", 1000);
	cpus_ok("2.00001", 200001);
	cpus_ok("1.1000000", 110000);
	cpus_ok("max", CGFS_MAX);
}

TAP_TEST(cpus_refuses_what_cannot_be_kept)
{
	cpus_refused("0", "below 0.01");
	cpus_refused("0.00999", "below 0.01");
	cpus_refused("0.000001", "too many digits");
	cpus_refused("-1", "negative");
	cpus_refused("half", "not a number");
	cpus_refused(".5", "not a number");
	cpus_refused("1.", "not a number");
	cpus_refused("0.5x", "not a number");
	cpus_refused("1e3", "not a number");
	cpus_refused("99999999999999999999", "too large");
	cpus_refused("184467440737096", "too large");
}

TAP_TEST(count_and_seconds)
{
	struct cgfs_err err = { 0 };
	uint64_t n = 0;

	CHECK_INT(value_count("--pids", "32", &n, &err), 0);
	CHECK_INT(n, 32);
	CHECK_INT(value_count("--pids", "max", &n, &err), 0);
	CHECK(n == CGFS_MAX);
	CHECK_INT(value_count("--pids", "-1", &n, &err), -EINVAL);
	CHECK_INT(value_count("--pids", "3x", &n, &err), -EINVAL);
	CHECK_INT(value_count("--pids", "", &n, &err), -EINVAL);
	CHECK_INT(value_count("--pids", "18446744073709551615", &n, &err), -EINVAL);
	CHECK_INT(value_seconds("--timeout", "0.25", &n, &err), 0);
	CHECK_INT(n, 250);
	CHECK_INT(value_seconds("--timeout", "soon", &n, &err), -EINVAL);
	/* What is refused sets nothing. */
	CHECK_INT(value_seconds("--timeout", "9223372036854776", &n, &err), -EINVAL);
	CHECK_INT(n, 250);
}

TAP_TEST(times_have_bounds)
{
	static const char *const refused[] = { "9999-01-01T00:00:00Z", "1000000000s1000000000s",
					       "11574d1d", "1h1", "" };
	struct cgfs_err err = { 0 };
	int64_t ns = 1;

	CHECK_INT(value_time("--since", "2262-01-01T00:00:00.5Z", &ns, &err), 0);
	CHECK(ns == INT64_C(9214646400500000000));
	CHECK_INT(value_time("--since", "1h30m", &ns, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		CHECK_MSG(value_time("--since", refused[i], &ns, &err) == -EINVAL, "%s",
			  refused[i]);
}

TAP_TEST(figures_have_units)
{
	char buf[OUT_LEN];

	CHECK_STR(out_value(buf, "bytes", 0), "0 B");
	CHECK_STR(out_value(buf, "bytes", 1023), "1023 B");
	CHECK_STR(out_value(buf, "bytes", 1024), "1.0 KiB");
	CHECK_STR(out_value(buf, "bytes", 67108864), "64.0 MiB");
	CHECK_STR(out_value(buf, "bytes", 1024 * 1024 - 1), "1023.9 KiB");
	CHECK_STR(out_value(buf, "bytes", 3ull << 59), "1.5 EiB");
	CHECK_STR(out_value(buf, "bytes", CGFS_MAX), "max");
	CHECK_STR(out_value(buf, "us", 999), "999 us");
	CHECK_STR(out_value(buf, "us", 12345), "12.3 ms");
	CHECK_STR(out_value(buf, "us", 61500000), "61.50 s");
	CHECK_STR(out_value(buf, "count", 7), "7");
	CHECK_STR(out_percent(buf, 1, 3), "33.3 %");
	CHECK_STR(out_percent(buf, 5, 0), "0.0 %");
	CHECK_STR(out_percent(buf, UINT64_MAX / 2, UINT64_MAX), "49.9 %");
}

/* Runs words through a verb's option tables, as main() does. */
static int parse(struct args *a, struct cgfs_err *err, const char *const *words)
{
	static char *argv[16];
	int n = 0;

	for (; words[n]; n++)
		argv[n] = (char *)words[n];
	argv[n] = NULL;
	*a = (struct args){ .limits.res = CGFS_RESOURCES_INIT };
	return opt_parse(&verb_run, a, n, argv, err);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

TAP_TEST(options_end_at_the_command)
{
	struct cgfs_err err = { 0 };
	struct args a;

	CHECK_INT(parse(&a, &err, WORDS("--pod=web", "-m", "1M", "--", "ls", "--json")), 0);
	CHECK_STR(a.pod, "web");
	CHECK(!a.json);
	CHECK_INT(a.argc, 2);
	CHECK_STR(a.argv[0], "ls");
	CHECK_STR(a.argv[1], "--json");
	CHECK(!a.argv[2]);
	CHECK_INT(a.limits.res.memory_max_bytes, 1048576);

	CHECK_INT(parse(&a, &err, WORDS("--pod", "web", "ls", "--json")), 0);
	CHECK(!a.json);
	CHECK_STR(a.argv[1], "--json");
}

TAP_TEST(a_budget_is_a_size_or_a_word)
{
	struct cgfs_err err = { 0 };
	struct args a;
	json_t *oci;

	CHECK_INT(parse(&a, &err, WORDS("--memory-admit", "48M", "ls")), 0);
	CHECK_INT(a.limits.res.memory_admit_bytes, 48 << 20);
	CHECK_INT(parse(&a, &err, WORDS("--memory-admit", "exempt", "ls")), 0);
	CHECK(a.limits.res.admit_exempt);
	CHECK_INT(parse(&a, &err, WORDS("--memory-admit", "most", "ls")), -EINVAL);
	CHECK_INT(parse(&a, &err, WORDS("-m", "64M", "--memory-admit", "auto", "ls")), 0);
	CHECK_INT(limits_finish(&a.limits, &err), 0);
	CHECK_INT(a.limits.res.memory_admit_bytes, CGFS_ADMIT_AUTO);
	CHECK(!a.limits.res.admit_exempt);
	CHECK_INT(limits_oci(&a.limits, false, &oci, &err), 0);
	CHECK_STR(json_string_value(json_object_get(json_object_get(oci, "memory"), "admit")),
		  "auto");
	json_decref(oci);
	limits_free(&a.limits);
}

TAP_TEST(options_name_what_is_wrong)
{
	struct cgfs_err err = { 0 };
	struct args a;

	CHECK_INT(parse(&a, &err, WORDS("--pot", "web", "ls")), -EINVAL);
	CHECK(strstr(err.text, "\"--pot\": unknown option"));
	CHECK_INT(parse(&a, &err, WORDS("--po", "web", "ls")), -EINVAL);
	CHECK_INT(parse(&a, &err, WORDS("--pod")), -EINVAL);
	CHECK(strstr(err.text, "needs a value: POD"));
	CHECK_INT(parse(&a, &err, WORDS("--pod", "", "ls")), -EINVAL);
	CHECK_INT(parse(&a, &err, WORDS("--json=yes", "ls")), -EINVAL);
	CHECK(strstr(err.text, "takes no value"));
	CHECK_INT(parse(&a, &err, WORDS("--pod", "web")), 0);
	CHECK_INT(verb_run.check(&a, &err), -EINVAL);
	CHECK(strstr(err.text, "COMMAND is missing"));
	CHECK_INT(parse(&a, &err, WORDS("--cpu-weight", "10001", "ls")), -EINVAL);
	CHECK(strstr(err.text, "--cpu-weight: \"10001\""));
	CHECK_INT(parse(&a, &err, WORDS("--pids", "0", "ls")), -EINVAL);
}

TAP_TEST(devices_keep_their_order)
{
	struct cgfs_err err = { 0 };
	struct args a;
	size_t n;

	(void)cgfs_device_defaults(&n);
	CHECK_INT(parse(&a, &err, WORDS("--device", "c 1:11 r", "--device=deny b *:* rwm", "ls")),
		  0);
	CHECK_INT(limits_finish(&a.limits, &err), 0);
	CHECK_INT(a.limits.res.n_devices, n + 2);
	CHECK_INT(a.limits.res.devices[n].minor, 11);
	CHECK(a.limits.res.devices[n].allow);
	CHECK_INT(a.limits.res.devices[n + 1].type, CGFS_DEVICE_BLOCK);
	CHECK(!a.limits.res.devices[n + 1].allow);
	limits_free(&a.limits);

	CHECK_INT(parse(&a, &err, WORDS("--no-default-devices", "ls")), 0);
	CHECK_INT(limits_finish(&a.limits, &err), 0);
	CHECK_INT(a.limits.res.n_devices, 0);
	CHECK(a.limits.res.set & CGFS_SET_DEVICES);
	limits_free(&a.limits);

	CHECK_INT(parse(&a, &err, WORDS("--device", "c 1:x r", "ls")), -EINVAL);
	CHECK(strstr(err.text, "--device \"c 1:x r\""));
	limits_free(&a.limits);
}

/* An agent gets what the library would have got. */
TAP_TEST(limits_survive_oci)
{
	struct cgfs_resources *back;
	struct cgfs_err err = { 0 };
	json_t *oci;
	char *text;
	struct args a;

	CHECK_INT(parse(&a, &err,
			WORDS("-m", "64M", "-c", "0.5", "-p", "max", "--cpu-weight", "300",
			      "--device", "c 1:11 r", "--device", "deny c 10:* rw", "ls")),
		  0);
	CHECK_INT(limits_finish(&a.limits, &err), 0);
	CHECK_INT(limits_oci(&a.limits, false, &oci, &err), 0);
	text = json_dumps(oci, 0);
	json_decref(oci);
	CHECK_MSG(cgfs_resources_from_oci(text, strlen(text), NULL, &back, &err) == 0, "%s: %s",
		  text, err.text);
	free(text);
	CHECK_INT(back->memory_max_bytes, 67108864);
	CHECK_INT(back->cpu_quota_us, 50000);
	CHECK_INT(back->cpu_period_us, 100000);
	CHECK(back->pids_max == CGFS_MAX);
	CHECK_INT(cgfs_weight_from_shares(back->cpu_shares), 300);
	CHECK_INT(cgfs_device_check(back->devices, back->n_devices, CGFS_DEVICE_CHAR, 1, 11,
				    CGFS_ACCESS_ALL),
		  CGFS_ACCESS_READ | CGFS_ACCESS_MKNOD);
	CHECK_INT(cgfs_device_check(back->devices, back->n_devices, CGFS_DEVICE_CHAR, 10, 1,
				    CGFS_ACCESS_READ | CGFS_ACCESS_WRITE),
		  0);
	cgfs_resources_free(back);
	limits_free(&a.limits);
}

TAP_TEST(every_weight_survives_shares)
{
	for (uint64_t w = 1; w <= 10000; w++)
		CHECK_INT(cgfs_weight_from_shares(cgfs_shares_from_weight(w)), w);
}

TAP_TEST(signals_have_names_and_numbers)
{
	static const struct {
		const char *text;
		int want;
	} good[] = { { "TERM", SIGTERM }, { "SIGTERM", SIGTERM }, { "sigusr1", SIGUSR1 },
		     { "9", SIGKILL },	  { "1", SIGHUP },	  { "34", 34 } };
	static const char *const bad[] = {
		"", "0", "-1", "65", "9x", "TERMS", "SIG", "99999999999"
	};
	struct cgfs_err err = { 0 };
	int got;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK_INT(value_signal("--signal", good[i].text, &got, &err), 0);
		CHECK_INT(got, good[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_MSG(value_signal("--signal", bad[i], &got, &err) == -EINVAL,
			  "\"%s\" was taken for a signal", bad[i]);
		CHECK(strstr(err.text, "--signal"));
	}
}

TAP_TEST(times_are_read_to_the_nanosecond)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:01.5Z", 1500000000 },
		{ "2000-02-29T12:00:00Z", INT64_C(951825600) * 1000000000 },
		{ "2000-03-01T00:00:00.000000001Z", INT64_C(951868800) * 1000000000 + 1 },
		{ "2026-11-30T13:21:47.057252Z", INT64_C(1796044907057252000) },
		{ "2100-03-01T00:00:00Z", INT64_C(4107542400) * 1000000000 },
	};
	static const char *const bad[] = { "",
					   "2026",
					   "2026-11-30T13:21:47",
					   "2026-13-30T13:21:47Z",
					   "2026-11-30 13:21:47Z",
					   "2026-11-30T24:21:47Z",
					   "2263-01-01T00:00:00Z",
					   "26-11-30T13:21:47Z" };
	int64_t ns;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK_INT(value_stamp(rows[i].text, &ns), strlen(rows[i].text));
		CHECK_INT(ns, rows[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(value_stamp(bad[i], &ns), 0);
}

TAP_TEST(target_splits_once)
{
	char longest[310];
	struct target t;
	static const char *const bad[] = {
		"",	  "/",	  "web/", "/c1",    "a/b/c",	    "..",
		"web/..", "../x", "we b", "web/\n", "cgroup.procs", "-x"
	};
	struct cgfs_err err = { 0 };

	CHECK_INT(target_parse("stat", "web", &t, &err), 0);
	CHECK_STR(t.pod, "web");
	CHECK_STR(t.ctr, "");
	CHECK_INT(target_parse("stat", "web/c1", &t, &err), 0);
	CHECK_STR(t.ctr, "c1");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_MSG(target_parse("stat", bad[i], &t, &err) < 0, "\"%s\" was taken for a name",
			  bad[i]);
		CHECK(strstr(err.text, "stat \"") == err.text);
		CHECK(!strchr(err.text, '\n'));
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CHECK_INT(target_parse("stat", longest, &t, &err), -ENAMETOOLONG);
}
