/* SPDX-License-Identifier: MIT */
/*
 * test_value.c - sizes, counts, CPUs, seconds and device options as podctl reads them, and the
 * OCI resources it makes of them.  Needs no kernel.
 */
#include "../tap.h"

#include "../../agent/podctl/podctl.h"

#include <stdio.h>

static void bytes_ok(const char *text, uint64_t want)
{
	struct cgfs_err err = { 0 };
	uint64_t got = 1;

	if (value_bytes("--memory", text, &got, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(got, want);
}

static void bytes_refused(const char *text, const char *why)
{
	struct cgfs_err err = { 0 };
	uint64_t got = 4711;

	assert_int_equal(value_bytes("--memory", text, &got, &err), -EINVAL);
	assert_int_equal(got, 4711);
	assert_non_null(strstr(err.text, "--memory"));
	assert_string_equal(err.value, text);
	if (!strstr(err.text, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err.text, why);
}

static void bytes_accepts_units_of_1024(void **state)
{
	(void)state;
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

static void bytes_refuses_what_is_not_a_size(void **state)
{
	(void)state;
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

static void bytes_refuses_overflow(void **state)
{
	(void)state;
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

	if (value_cpus("--cpus", text, &quota, &period, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(quota, want);
	assert_int_equal(period, 100000);
}

static void cpus_refused(const char *text, const char *why)
{
	struct cgfs_err err = { 0 };
	uint64_t quota = 4711, period = 4711;

	assert_int_equal(value_cpus("--cpus", text, &quota, &period, &err), -EINVAL);
	assert_int_equal(quota, 4711);
	assert_int_equal(period, 4711);
	if (!strstr(err.text, why))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, err.text, why);
}

static void cpus_is_exact_to_the_microsecond(void **state)
{
	(void)state;
	cpus_ok("0.5", 50000);
	cpus_ok("1", 100000);
	cpus_ok("0.29", 29000); /* 28999.999... in binary floating point */
	cpus_ok("0.01", 1000);
	cpus_ok("2.00001", 200001);
	cpus_ok("1.1000000", 110000);
	cpus_ok("max", CGFS_MAX);
}

static void cpus_refuses_what_cannot_be_kept(void **state)
{
	(void)state;
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

static void count_and_seconds(void **state)
{
	struct cgfs_err err = { 0 };
	uint64_t n = 0;

	(void)state;
	assert_int_equal(value_count("--pids", "32", &n, &err), 0);
	assert_int_equal(n, 32);
	assert_int_equal(value_count("--pids", "max", &n, &err), 0);
	assert_true(n == CGFS_MAX);
	assert_int_equal(value_count("--pids", "-1", &n, &err), -EINVAL);
	assert_int_equal(value_count("--pids", "3x", &n, &err), -EINVAL);
	assert_int_equal(value_count("--pids", "", &n, &err), -EINVAL);
	assert_int_equal(value_count("--pids", "18446744073709551615", &n, &err), -EINVAL);
	assert_int_equal(value_seconds("--timeout", "0.25", &n, &err), 0);
	assert_int_equal(n, 250);
	assert_int_equal(value_seconds("--timeout", "soon", &n, &err), -EINVAL);
	/* What is refused sets nothing. */
	assert_int_equal(value_seconds("--timeout", "9223372036854776", &n, &err), -EINVAL);
	assert_int_equal(n, 250);
}

static void figures_have_units(void **state)
{
	char buf[OUT_LEN];

	(void)state;
	assert_string_equal(out_value(buf, "bytes", 0), "0 B");
	assert_string_equal(out_value(buf, "bytes", 1023), "1023 B");
	assert_string_equal(out_value(buf, "bytes", 1024), "1.0 KiB");
	assert_string_equal(out_value(buf, "bytes", 67108864), "64.0 MiB");
	assert_string_equal(out_value(buf, "bytes", 1024 * 1024 - 1), "1023.9 KiB");
	assert_string_equal(out_value(buf, "bytes", 3ull << 59), "1.5 EiB");
	assert_string_equal(out_value(buf, "bytes", CGFS_MAX), "max");
	assert_string_equal(out_value(buf, "us", 999), "999 us");
	assert_string_equal(out_value(buf, "us", 12345), "12.3 ms");
	assert_string_equal(out_value(buf, "us", 61500000), "61.50 s");
	assert_string_equal(out_value(buf, "count", 7), "7");
	assert_string_equal(out_percent(buf, 1, 3), "33.3 %");
	assert_string_equal(out_percent(buf, 5, 0), "0.0 %");
	assert_string_equal(out_percent(buf, UINT64_MAX / 2, UINT64_MAX), "49.9 %");
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

static void options_end_at_the_command(void **state)
{
	struct cgfs_err err = { 0 };
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, &err, WORDS("--pod=web", "-m", "1M", "--", "ls", "--json")), 0);
	assert_string_equal(a.pod, "web");
	assert_false(a.json);
	assert_int_equal(a.argc, 2);
	assert_string_equal(a.argv[0], "ls");
	assert_string_equal(a.argv[1], "--json");
	assert_null(a.argv[2]);
	assert_int_equal(a.limits.res.memory_max_bytes, 1048576);

	assert_int_equal(parse(&a, &err, WORDS("--pod", "web", "ls", "--json")), 0);
	assert_false(a.json);
	assert_string_equal(a.argv[1], "--json");
}

static void options_name_what_is_wrong(void **state)
{
	struct cgfs_err err = { 0 };
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, &err, WORDS("--pot", "web", "ls")), -EINVAL);
	assert_non_null(strstr(err.text, "\"--pot\": unknown option"));
	assert_int_equal(parse(&a, &err, WORDS("--po", "web", "ls")), -EINVAL);
	assert_int_equal(parse(&a, &err, WORDS("--pod")), -EINVAL);
	assert_non_null(strstr(err.text, "needs a value: POD"));
	assert_int_equal(parse(&a, &err, WORDS("--pod", "", "ls")), -EINVAL);
	assert_int_equal(parse(&a, &err, WORDS("--json=yes", "ls")), -EINVAL);
	assert_non_null(strstr(err.text, "takes no value"));
	assert_int_equal(parse(&a, &err, WORDS("--pod", "web")), -EINVAL);
	assert_non_null(strstr(err.text, "is missing"));
	assert_int_equal(parse(&a, &err, WORDS("--cpu-weight", "10001", "ls")), -EINVAL);
	assert_non_null(strstr(err.text, "--cpu-weight: \"10001\""));
	assert_int_equal(parse(&a, &err, WORDS("--pids", "0", "ls")), -EINVAL);
}

static void devices_keep_their_order(void **state)
{
	struct cgfs_err err = { 0 };
	struct args a;
	size_t n;

	(void)state;
	(void)cgfs_device_defaults(&n);
	assert_int_equal(parse(&a, &err, WORDS("-d", "c 1:11 r", "--device=deny b *:* rwm", "ls")),
			 0);
	assert_int_equal(limits_finish(&a.limits, &err), 0);
	assert_int_equal(a.limits.res.n_devices, n + 2);
	assert_int_equal(a.limits.res.devices[n].minor, 11);
	assert_true(a.limits.res.devices[n].allow);
	assert_int_equal(a.limits.res.devices[n + 1].type, CGFS_DEVICE_BLOCK);
	assert_false(a.limits.res.devices[n + 1].allow);
	limits_free(&a.limits);

	assert_int_equal(parse(&a, &err, WORDS("--no-default-devices", "ls")), 0);
	assert_int_equal(limits_finish(&a.limits, &err), 0);
	assert_int_equal(a.limits.res.n_devices, 0);
	assert_true(a.limits.res.set & CGFS_SET_DEVICES);
	limits_free(&a.limits);

	assert_int_equal(parse(&a, &err, WORDS("--device", "c 1:x r", "ls")), -EINVAL);
	assert_non_null(strstr(err.text, "--device \"c 1:x r\""));
	limits_free(&a.limits);
}

/* What an agent is told is what the library would have been told. */
static void limits_survive_oci(void **state)
{
	struct cgfs_resources *back;
	struct cgfs_err err = { 0 };
	json_t *oci;
	char *text;
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, &err,
			       WORDS("-m", "64M", "-c", "0.5", "-p", "max", "--cpu-weight", "300",
				     "-d", "c 1:11 r", "-d", "deny c 10:* rw", "ls")),
			 0);
	assert_int_equal(limits_finish(&a.limits, &err), 0);
	assert_int_equal(limits_oci(&a.limits, false, &oci, &err), 0);
	text = json_dumps(oci, 0);
	json_decref(oci);
	if (cgfs_resources_from_oci(text, strlen(text), &back, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	free(text);
	assert_int_equal(back->memory_max_bytes, 67108864);
	assert_int_equal(back->cpu_quota_us, 50000);
	assert_int_equal(back->cpu_period_us, 100000);
	assert_true(back->pids_max == CGFS_MAX);
	assert_int_equal(cgfs_weight_from_shares(back->cpu_shares), 300);
	assert_int_equal(cgfs_device_check(back->devices, back->n_devices, CGFS_DEVICE_CHAR, 1, 11,
					   CGFS_ACCESS_ALL),
			 CGFS_ACCESS_READ | CGFS_ACCESS_MKNOD);
	assert_int_equal(cgfs_device_check(back->devices, back->n_devices, CGFS_DEVICE_CHAR, 10, 1,
					   CGFS_ACCESS_READ | CGFS_ACCESS_WRITE),
			 0);
	cgfs_resources_free(back);
	limits_free(&a.limits);
}

static void every_weight_survives_shares(void **state)
{
	(void)state;
	for (uint64_t w = 1; w <= 10000; w++)
		assert_int_equal(cgfs_weight_from_shares(cgfs_shares_from_weight(w)), w);
}

static void target_splits_once(void **state)
{
	char pod[CGFS_ID_MAX + 1], ctr[CGFS_ID_MAX + 1], longest[310];
	static const char *const bad[] = {
		"",	  "/",	  "web/", "/c1",    "a/b/c",	    "..",
		"web/..", "../x", "we b", "web/\n", "cgroup.procs", "-x"
	};
	struct cgfs_err err = { 0 };

	(void)state;
	assert_int_equal(target_parse("stat", "web", pod, ctr, &err), 0);
	assert_string_equal(pod, "web");
	assert_string_equal(ctr, "");
	assert_int_equal(target_parse("stat", "web/c1", pod, ctr, &err), 0);
	assert_string_equal(ctr, "c1");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (target_parse("stat", bad[i], pod, ctr, &err) >= 0)
			fail_msg("\"%s\" was taken for a name", bad[i]);
		assert_ptr_equal(strstr(err.text, "stat \""), err.text);
		assert_null(strchr(err.text, '\n'));
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(target_parse("stat", longest, pod, ctr, &err), -ENAMETOOLONG);
}

static const struct tap_test tests[] = {
	TAP_TEST(bytes_accepts_units_of_1024),
	TAP_TEST(bytes_refuses_what_is_not_a_size),
	TAP_TEST(bytes_refuses_overflow),
	TAP_TEST(cpus_is_exact_to_the_microsecond),
	TAP_TEST(cpus_refuses_what_cannot_be_kept),
	TAP_TEST(count_and_seconds),
	TAP_TEST(figures_have_units),
	TAP_TEST(options_end_at_the_command),
	TAP_TEST(options_name_what_is_wrong),
	TAP_TEST(devices_keep_their_order),
	TAP_TEST(limits_survive_oci),
	TAP_TEST(every_weight_survives_shares),
	TAP_TEST(target_splits_once),
};

TAP_MAIN(tests)
