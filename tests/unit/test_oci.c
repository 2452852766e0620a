/* SPDX-License-Identifier: MIT */
/*
 * test_oci.c - `linux.resources` as runtimes and orchestrators write it: what is taken, what is
 * refused with which field, and what 0, -1, null and absence mean.
 */
#include "cgfs/base/util.h"
#include "tests/tap.h"
#include "tests/unit/oci_text.h"
#include <jansson.h>

#include <stdio.h>

TAP_TEST(oci_every_supported_field_is_read)
{
	struct cgfs_resources *res;

	res = take("{\"memory\":{\"limit\":67108864,\"reservation\":33554432,\"swap\":134217728},"
		   "\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000,\"cpus\":\"0-1\","
		   "\"mems\":\"0\"},\"pids\":{\"limit\":32},"
		   "\"unified\":{\"memory.high\":\"60000000\",\"pids.max\":\"max\"}}");
	CHECK_INT(res->set, CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_LOW | CGFS_SET_MEMORY_SWAP |
				    CGFS_SET_CPU_SHARES | CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD |
				    CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS |
				    CGFS_SET_PIDS_MAX | CGFS_SET_UNIFIED | CGFS_SET_DEVICES);
	CHECK_INT(res->memory_max_bytes, 67108864);
	CHECK_INT(res->memory_low_bytes, 33554432);
	CHECK_INT(res->memory_swap_bytes, 134217728);
	CHECK_INT(res->cpu_shares, 512);
	CHECK_INT(res->cpu_quota_us, 50000);
	CHECK_INT(res->cpu_period_us, 100000);
	CHECK_STR(res->cpuset_cpus, "0-1");
	CHECK_STR(res->cpuset_mems, "0");
	CHECK_INT(res->pids_max, 32);
	CHECK_INT(res->n_unified, 2);
	CHECK_STR(res->unified[0].file, "memory.high");
	CHECK_STR(res->unified[0].value, "60000000");
	CHECK_STR(res->unified[1].file, "pids.max");
	CHECK_STR(res->unified[1].value, "max");
	cgfs_resources_free(res);
}

TAP_TEST(oci_budget_may_follow_the_limit)
{
	struct cgfs_resources *res = take("{\"memory\":{\"limit\":1048576,\"admit\":\"auto\"}}");

	CHECK(res->set & CGFS_SET_MEMORY_ADMIT);
	CHECK_INT(res->memory_admit_bytes, CGFS_ADMIT_AUTO);
	cgfs_resources_free(res);
	refuse("{\"memory\":{\"admit\":\"Auto\"}}", "memory.admit", "");
	refuse("{\"memory\":{\"limit\":\"auto\"}}", "memory.limit", "");
}

TAP_TEST(oci_zero_empty_and_null_are_unset)
{
	is_unset("{}");
	is_unset(" {\n}\n");
	is_unset("{\"memory\":null,\"cpu\":null,\"pids\":null,\"devices\":null,\"unified\":null,"
		 "\"blockIO\":null,\"network\":null,\"hugepageLimits\":null,\"rdma\":null}");
	is_unset("{\"memory\":{},\"cpu\":{},\"pids\":{},\"devices\":[],\"unified\":{},"
		 "\"blockIO\":{},\"network\":{},\"hugepageLimits\":[],\"rdma\":{}}");
	/* mem_limit_0, mem_reservation_0, mem_swap_0_only, pids_0 */
	is_unset("{\"memory\":{\"limit\":0,\"swap\":0,\"reservation\":0},\"pids\":{\"limit\":0}}");
	is_unset("{\"memory\":{\"limit\":null,\"swappiness\":null,\"disableOOMKiller\":null}}");
	is_unset("{\"cpu\":{\"shares\":0,\"quota\":0,\"period\":0,\"cpus\":\"\",\"mems\":\"\","
		 "\"burst\":null,\"idle\":null,\"realtimeRuntime\":0,\"realtimePeriod\":0}}");
	cgfs_resources_free(NULL);
}

/* A number that the parser has no type for makes the text be looked through again: once, with any
 * content of its strings. */
TAP_TEST(oci_digits_of_long_strings_cost_nothing)
{
	static const char head[] = "{\"comment\":\"", tail[] = "\",\"cpu\":{\"shares\":"
							       "18446744073709551615}}";
	size_t len = 1u << 20, digits = len - strlen(head) - strlen(tail);
	char *text = malloc(len + 1);
	struct cgfs_resources *res;

	CHECK(text);
	strcpy(text, head);
	memset(text + strlen(head), '1', digits);
	strcpy(text + strlen(head) + digits, tail);
	res = take(text);
	CHECK_INT(res->cpu_shares, CGFS_MAX - 1);
	cgfs_resources_free(res);
	free(text);
}

TAP_TEST(oci_limit_with_swap_0_leaves_swap_alone)
{
	struct cgfs_resources *res = take("{\"memory\":{\"limit\":8192,\"swap\":0}}");

	CHECK_INT(res->set, CGFS_SET_MEMORY_MAX | CGFS_SET_DEVICES);
	cgfs_resources_free(res);
}

TAP_TEST(oci_minus_one_is_unlimited)
{
	struct cgfs_resources *res;

	res = take("{\"memory\":{\"limit\":-1,\"swap\":-1},\"cpu\":{\"quota\":-1},"
		   "\"pids\":{\"limit\":-1}}");
	CHECK_INT(res->memory_max_bytes, CGFS_MAX);
	CHECK_INT(res->memory_swap_bytes, CGFS_MAX);
	CHECK_INT(res->cpu_quota_us, CGFS_MAX);
	CHECK_INT(res->pids_max, CGFS_MAX);
	cgfs_resources_free(res);
	res = take("{\"memory\":{\"swap\":-1}}");
	CHECK_INT(res->set, CGFS_SET_MEMORY_SWAP | CGFS_SET_DEVICES);
	cgfs_resources_free(res);
}

TAP_TEST(oci_other_negative_numbers_are_refused)
{
	refuse("{\"memory\":{\"limit\":-5}}", "memory.limit: \"-5\"", "-1");
	refuse("{\"memory\":{\"swap\":-2}}", "memory.swap: \"-2\"", "-1");
	refuse("{\"memory\":{\"reservation\":-2}}", "memory.reservation: \"-2\"", "-1");
	refuse("{\"cpu\":{\"quota\":-5}}", "cpu.quota: \"-5\"", "-1");
	refuse("{\"pids\":{\"limit\":-2}}", "pids.limit: \"-2\"", "-1");
	refuse("{\"cpu\":{\"shares\":-1}}", "cpu.shares: \"-1\"", "negative");
	refuse("{\"cpu\":{\"period\":-1}}", "cpu.period: \"-1\"", "negative");
}

TAP_TEST(oci_ranges_are_named_as_in_json)
{
	refuse("{\"memory\":{\"limit\":100}}", "memory.limit: \"100\"", "page");
	refuse("{\"memory\":{\"limit\":8192,\"swap\":4096}}", "memory.swap: \"4096\"",
	       "memory.limit is 8192");
	refuse("{\"memory\":{\"swap\":8192}}", "memory.swap", "needs memory.limit");
	/* mem_limit_neg1_swap_set */
	refuse("{\"memory\":{\"limit\":-1,\"swap\":8192}}", "memory.swap",
	       "memory.limit is unlimited");
	refuse("{\"cpu\":{\"quota\":999}}", "cpu.quota: \"999\"", "1000");
	refuse("{\"cpu\":{\"period\":10}}", "cpu.period: \"10\"", "1000");
	refuse("{\"cpu\":{\"cpus\":\"0-\"}}", "cpu.cpus: \"0-\"", "list");
	refuse("{\"cpu\":{\"mems\":\"x\"}}", "cpu.mems: \"x\"", "list");
	refuse("{\"pids\":{\"limit\":4194305}}", "pids.limit: \"4194305\"", "4194304");
	refuse("{\"unified\":{\"cgroup.procs\":\"0\"}}", "unified: \"cgroup.procs\"",
	       "no resource");
	refuse("{\"unified\":{\"memory.high\":\"1\\n0\"}}", "unified memory.high", "newline");
	refuse("{\"unified\":{\"../x\":\"1\"}}", "unified", "without /");
	refuse("{\"unified\":{\"\":\"1\"}}", "unified", "no name");
}

TAP_TEST(oci_wrong_types_are_refused)
{
	refuse("[]", "resources", "object");
	refuse("{\"memory\":[]}", "memory", "object");
	refuse("{\"memory\":5}", "memory: \"5\"", "object");
	refuse("{\"memory\":{\"limit\":\"67108864\"}}", "memory.limit: \"67108864\"", "integer");
	refuse("{\"memory\":{\"limit\":67108864.5}}", "memory.limit: \"67108864.5\"", "integer");
	refuse("{\"pids\":{\"limit\":1e-3}}", "pids.limit", "integer");
	refuse("{\"memory\":{\"limit\":true}}", "memory.limit: \"true\"", "integer");
	refuse("{\"memory\":{\"limit\":{}}}", "memory.limit", "integer");
	refuse("{\"memory\":{\"disableOOMKiller\":0}}", "memory.disableOOMKiller", "true or");
	refuse("{\"cpu\":\"0\"}", "cpu: \"0\"", "object");
	refuse("{\"cpu\":{\"cpus\":0}}", "cpu.cpus: \"0\"", "string");
	refuse("{\"pids\":[32]}", "pids", "object");
	refuse("{\"devices\":{}}", "devices", "array");
	refuse("{\"devices\":[1]}", "devices[0]: \"1\"", "object");
	refuse("{\"unified\":[]}", "unified", "object");
	refuse("{\"unified\":{\"pids.max\":5}}", "unified.pids.max: \"5\"", "string");
	refuse("{\"unified\":{\"pids.max\":null}}", "unified.pids.max", "string");
	refuse("{\"blockIO\":[]}", "blockIO", "object");
	refuse("{\"blockIO\":{\"weightDevice\":{}}}", "blockIO.weightDevice", "array");
	refuse("{\"hugepageLimits\":{}}", "hugepageLimits", "array");
	refuse("{\"rdma\":[]}", "rdma", "object");
	refuse("{\"network\":[]}", "network", "object");
}

/* Integers that the parser has no type for are exact in errors. */
TAP_TEST(oci_numbers_beyond_63_bits_are_quoted_as_they_stand)
{
	struct cgfs_resources *res;

	refuse("{\"memory\":{\"limit\":9223372036854775808}}",
	       "memory.limit: \"9223372036854775808\": ", "signed number of 64 bits");
	refuse("{\"memory\":{\"limit\":-9223372036854775809}}",
	       "memory.limit: \"-9223372036854775809\": ", "signed number of 64 bits");
	refuse("{\"cpu\":{\"shares\":18446744073709551616}}",
	       "cpu.shares: \"18446744073709551616\": ", "64 bits");
	refuse("{\"cpu\":{\"shares\":18446744073709551615,\"quota\":1e30}}",
	       "cpu.quota: \"1000000000000000019884624838656\": ", "64 bits");
	refuse("{\"memory\":{\"swappiness\":18446744073709551615}}",
	       "memory.swappiness: \"18446744073709551614\"", "100");
	res = take("{\"cpu\":{\"shares\":18446744073709551615,\"period\":1e5,\"quota\":50000.0},"
		   "\"pids\":{\"limit\":-1.0}}");
	CHECK_INT(res->cpu_shares, CGFS_MAX - 1);
	CHECK_INT(res->cpu_period_us, 100000);
	CHECK_INT(res->cpu_quota_us, 50000);
	CHECK_INT(res->pids_max, CGFS_MAX);
	cgfs_resources_free(res);
}

TAP_TEST(oci_bad_json_is_refused)
{
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };

	refuse("", "resources", "no JSON");
	refuse("{", "resources", "no JSON");
	refuse("null", "resources", "no JSON");
	refuse("{} {}", "resources", "no JSON");
	refuse("{\"memory\":{\"limit\":1,\"limit\":2}}", "resources", "duplicate");
	refuse("{\"memory\":{\"limit\":18446744073709551615}}", "memory.limit", "signed number");
	refuse("{\"unified\":{\"memory.high\":\"1\\u0000\"}}", "resources", "no JSON");
	refuse("{\"unified\":{\"\377\":\"1\"}}", "resources", "no JSON");
	CHECK_INT(cgfs_resources_from_oci("{}\0", 3, NULL, &res, &err), -EINVAL);
	CHECK(!res);
}

static struct cgfs_resources *take_with(const char *json, struct cgfs_oci_opts opts)
{
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };

	/* A reference is kept: the strings are used after the caller's own is gone. */
	opts.parsed = json_loads(json, 0, NULL);
	CHECK(opts.parsed);
	CHECK_MSG(cgfs_resources_from_oci(NULL, 0, &opts, &res, &err) >= 0, "%s: %s", json,
		  err.text);
	json_decref(opts.parsed);
	return res;
}

TAP_TEST(oci_parsed_json_and_options_are_taken)
{
	static const char text[] = "{\"pids\":{\"limit\":5},\"cpu\":{\"cpus\":\"0-1\"},"
				   "\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":1,"
				   "\"minor\":3,\"access\":\"rw\"}]}";
	struct cgfs_oci_opts plain = CGFS_OCI_OPTS_INIT, exact = plain, update = plain;
	struct cgfs_resources *res, *same = take(text);
	size_t defaults;

	(void)cgfs_device_defaults(&defaults);
	exact.exact_devices = update.update = true;
	res = take_with(text, plain);
	CHECK_INT(res->pids_max, 5);
	CHECK_STR(res->cpuset_cpus, "0-1");
	CHECK_INT(res->n_devices, 1 + defaults);
	CHECK_INT(same->n_devices, 1 + defaults);
	CHECK_INT(res->set, same->set);
	cgfs_resources_free(same);
	cgfs_resources_free(res);

	res = take_with(text, exact);
	CHECK_INT(res->n_devices, 1);
	cgfs_resources_free(res);
	/* No rules are a list that denies everything, and not the absence of a list. */
	res = take_with("{}", exact);
	CHECK(res->set & CGFS_SET_DEVICES);
	CHECK_INT(res->n_devices, 0);
	CHECK(res->devices);
	cgfs_resources_free(res);

	res = take_with(text, update);
	CHECK_INT(res->n_devices, 1 + defaults);
	cgfs_resources_free(res);
	for (int i = 0; i < 3; i++) {
		static const char *const none[] = { "{}", "{\"devices\":[]}",
						    "{\"devices\":null}" };

		res = take_with(none[i], update);
		CHECK(!(res->set & CGFS_SET_DEVICES));
		cgfs_resources_free(res);
	}
}

TAP_TEST(oci_text_or_parsed_json_must_be_given)
{
	struct cgfs_oci_opts opts = CGFS_OCI_OPTS_INIT;
	struct cgfs_resources *res = NULL;

	CHECK_INT(cgfs_resources_from_oci(NULL, 0, NULL, &res, NULL), -EINVAL);
	opts.parsed = json_array();
	CHECK_INT(cgfs_resources_from_oci("{}", 2, &opts, &res, NULL), -EINVAL);
	CHECK_INT(cgfs_resources_from_oci(NULL, 0, &opts, &res, NULL), -EINVAL);
	json_decref(opts.parsed);
	opts.parsed = NULL;
	opts.sz = 0;
	CHECK_INT(cgfs_resources_from_oci("{}", 2, &opts, &res, NULL), -EINVAL);
	CHECK(!res);
}

TAP_TEST(oci_too_much_is_refused)
{
	const size_t size = (1 << 20) + 2;
	auto_free char *json = malloc(size);
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };
	size_t at;

	CHECK(json);
	memset(json, ' ', size);
	json[0] = '{';
	json[(1 << 20) - 1] = '}';
	CHECK_INT(cgfs_resources_from_oci(json, 1 << 20, NULL, &res, &err), 0);
	cgfs_resources_free(res);
	res = NULL;
	CHECK_INT(cgfs_resources_from_oci(json, (1 << 20) + 1, NULL, &res, &err), -E2BIG);
	CHECK(strstr(err.text, "1048577"));

	/* Deep, and brackets that are only text. */
	at = (size_t)sprintf(json, "{\"x\":");
	memset(json + at, '[', 31);
	memset(json + at + 31, ']', 31);
	sprintf(json + at + 62, "}");
	res = take(json);
	cgfs_resources_free(res);
	memset(json + at, '[', 32);
	memset(json + at + 32, ']', 32);
	sprintf(json + at + 64, "}");
	refuse_as(json, -E2BIG, "resources", "deeper");
	memset(json + at, '[', 500000);
	json[at + 500000] = '\0';
	refuse_as(json, -E2BIG, "resources", "deeper");
	at = (size_t)sprintf(json, "{\"x\":\"\\\"");
	memset(json + at, '[', 100);
	sprintf(json + at + 100, "\"}");
	res = take(json);
	cgfs_resources_free(res);

	/* Entries. */
	at = (size_t)sprintf(json, "{\"devices\":[");
	for (int i = 0; i < 4086; i++)
		at += (size_t)sprintf(json + at, "%s{\"type\":\"c\",\"access\":\"r\"}",
				      i ? "," : "");
	sprintf(json + at, "]}");
	refuse_as(json, -E2BIG, "devices", "4086 entries");
	at = (size_t)sprintf(json, "{\"unified\":{");
	for (int i = 0; i < 257; i++)
		at += (size_t)sprintf(json + at, "%s\"memory.x%d\":\"1\"", i ? "," : "", i);
	sprintf(json + at, "}}");
	refuse_as(json, -E2BIG, "unified", "257 entries");
	at = (size_t)sprintf(json, "{\"hugepageLimits\":[");
	for (int i = 0; i < 257; i++)
		at += (size_t)sprintf(json + at, "%s{\"pageSize\":\"2MB\",\"limit\":0}",
				      i ? "," : "");
	sprintf(json + at, "]}");
	refuse_as(json, -E2BIG, "hugepageLimits", "257 entries");
	/* The lists of block devices count together. */
	at = (size_t)sprintf(json, "{\"blockIO\":{\"weightDevice\":[");
	for (int i = 0; i < 256; i++)
		at += (size_t)sprintf(json + at, "%s{\"major\":8,\"minor\":%d,\"weight\":100}",
				      i ? "," : "", i);
	sprintf(json + at, "],\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":1}]}}");
	refuse_as(json, -E2BIG, "blockIO.throttleReadBpsDevice[0]", "256");
}

TAP_TEST(oci_largest_device_list_is_taken)
{
	auto_free char *json = malloc(1 << 20);
	struct cgfs_resources *res;
	size_t at, n;

	CHECK(json);
	cgfs_device_defaults(&n);
	at = (size_t)sprintf(json, "{\"devices\":[");
	for (size_t i = 0; i < CGFS_DEVICE_RULES_MAX - n; i++)
		at += (size_t)sprintf(json + at, "%s{\"type\":\"c\",\"access\":\"r\"}",
				      i ? "," : "");
	sprintf(json + at, "]}");
	res = take(json);
	CHECK_INT(res->n_devices, CGFS_DEVICE_RULES_MAX);
	cgfs_resources_free(res);
}

TAP_TEST(oci_what_changes_behaviour_and_cannot_be_applied_is_refused)
{
	static const struct {
		const char *json, *field;
	} cases[] = {
		{ "{\"memory\":{\"useHierarchy\":false}}", "memory.useHierarchy: \"false\"" },
		{ "{\"blockIO\":{\"leafWeight\":100}}", "blockIO.leafWeight" },
		/* bfq_weight_and_device */
		{ "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":100,"
		  "\"leafWeight\":100}]}}",
		  "blockIO.weightDevice[0]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refuse_as(cases[i].json, -EOPNOTSUPP, cases[i].field, "");
}

TAP_TEST(oci_what_is_so_already_is_accepted)
{
	is_unset("{\"memory\":{\"useHierarchy\":true,\"disableOOMKiller\":false,"
		 "\"checkBeforeUpdate\":true,\"kernel\":0,\"kernelTCP\":0}}");
	is_unset("{\"blockIO\":{\"weight\":0,\"weightDevice\":[],\"throttleReadBpsDevice\":[]},"
		 "\"network\":{\"classID\":0,\"priorities\":[]}}");
}

TAP_TEST(oci_unknown_members_are_ignored_and_reported)
{
	struct cgfs_resources *res;

	res = take("{\"colour\":{\"x\":1},\"memory\":{\"limit\":8192,\"shade\":null},"
		   "\"devices\":[{\"allow\":false,\"access\":\"rwm\",\"path\":\"/dev/x\"}]}");
	CHECK_STR(cgfs_resources_ignored(res), "colour, memory.shade, devices[0].path");
	CHECK_INT(res->memory_max_bytes, 8192);
	cgfs_resources_free(res);
	res = take("{}");
	CHECK_STR(cgfs_resources_ignored(res), "");
	cgfs_resources_free(res);
}

TAP_TEST(oci_many_unknown_members_are_reported_as_far_as_they_fit)
{
	auto_free char *json = malloc(1 << 16);
	struct cgfs_resources *res;
	size_t at;

	CHECK(json);
	at = (size_t)sprintf(json, "{");
	for (int i = 0; i < 500; i++)
		at += (size_t)sprintf(json + at, "%s\"unknown%0100d\":{}", i ? "," : "", i);
	sprintf(json + at, "}");
	res = take(json);
	/* Of each name 64 bytes, and no name in part. */
	at = strlen(cgfs_resources_ignored(res));
	CHECK_INT(at, 7 * 64 + 6 * strlen(", "));
	CHECK(memcmp(cgfs_resources_ignored(res) + at - 66, ", unknown", 9) == 0);
	cgfs_resources_free(res);
}
