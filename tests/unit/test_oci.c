/* SPDX-License-Identifier: MIT */
/*
 * test_oci.c - `linux.resources` as runtimes and orchestrators write it: what is taken, what is
 * refused with which field, and what 0, -1, null and absence mean.
 */
#include "cgfs/internal.h"
#include "tests/tap.h"
#include "tests/unit/oci_text.h"

#include <stdio.h>

static void oci_every_supported_field_is_read(void **state)
{
	struct cgfs_resources *res;

	(void)state;
	res = take("{\"memory\":{\"limit\":67108864,\"reservation\":33554432,\"swap\":134217728},"
		   "\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":100000,\"cpus\":\"0-1\","
		   "\"mems\":\"0\"},\"pids\":{\"limit\":32},"
		   "\"unified\":{\"memory.high\":\"60000000\",\"pids.max\":\"max\"}}");
	assert_int_equal(res->set, CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_LOW |
					   CGFS_SET_MEMORY_SWAP | CGFS_SET_CPU_SHARES |
					   CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD |
					   CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS |
					   CGFS_SET_PIDS_MAX | CGFS_SET_UNIFIED | CGFS_SET_DEVICES);
	assert_int_equal(res->memory_max_bytes, 67108864);
	assert_int_equal(res->memory_low_bytes, 33554432);
	assert_int_equal(res->memory_swap_bytes, 134217728);
	assert_int_equal(res->cpu_shares, 512);
	assert_int_equal(res->cpu_quota_us, 50000);
	assert_int_equal(res->cpu_period_us, 100000);
	assert_string_equal(res->cpuset_cpus, "0-1");
	assert_string_equal(res->cpuset_mems, "0");
	assert_int_equal(res->pids_max, 32);
	assert_int_equal(res->n_unified, 2);
	assert_string_equal(res->unified[0].file, "memory.high");
	assert_string_equal(res->unified[0].value, "60000000");
	assert_string_equal(res->unified[1].file, "pids.max");
	assert_string_equal(res->unified[1].value, "max");
	cgfs_resources_free(res);
}

static void oci_zero_empty_and_null_are_unset(void **state)
{
	(void)state;
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

/* A number that the parser has no type for makes the text be looked through again: once, whatever
 * stands in its strings. */
static void oci_digits_of_long_strings_cost_nothing(void **state)
{
	static const char head[] = "{\"comment\":\"", tail[] = "\",\"cpu\":{\"shares\":"
							       "18446744073709551615}}";
	size_t len = 1u << 20, digits = len - strlen(head) - strlen(tail);
	char *text = malloc(len + 1);
	struct cgfs_resources *res;

	(void)state;
	assert_non_null(text);
	strcpy(text, head);
	memset(text + strlen(head), '1', digits);
	strcpy(text + strlen(head) + digits, tail);
	res = take(text);
	assert_int_equal(res->cpu_shares, CGFS_MAX - 1);
	cgfs_resources_free(res);
	free(text);
}

static void oci_limit_with_swap_0_leaves_swap_alone(void **state)
{
	struct cgfs_resources *res = take("{\"memory\":{\"limit\":8192,\"swap\":0}}");

	(void)state;
	assert_int_equal(res->set, CGFS_SET_MEMORY_MAX | CGFS_SET_DEVICES);
	cgfs_resources_free(res);
}

static void oci_minus_one_is_unlimited(void **state)
{
	struct cgfs_resources *res;

	(void)state;
	res = take("{\"memory\":{\"limit\":-1,\"swap\":-1},\"cpu\":{\"quota\":-1},"
		   "\"pids\":{\"limit\":-1}}");
	assert_int_equal(res->memory_max_bytes, CGFS_MAX);
	assert_int_equal(res->memory_swap_bytes, CGFS_MAX);
	assert_int_equal(res->cpu_quota_us, CGFS_MAX);
	assert_int_equal(res->pids_max, CGFS_MAX);
	cgfs_resources_free(res);
	res = take("{\"memory\":{\"swap\":-1}}");
	assert_int_equal(res->set, CGFS_SET_MEMORY_SWAP | CGFS_SET_DEVICES);
	cgfs_resources_free(res);
}

static void oci_other_negative_numbers_are_refused(void **state)
{
	(void)state;
	refuse("{\"memory\":{\"limit\":-5}}", "memory.limit: \"-5\"", "-1");
	refuse("{\"memory\":{\"swap\":-2}}", "memory.swap: \"-2\"", "-1");
	refuse("{\"memory\":{\"reservation\":-2}}", "memory.reservation: \"-2\"", "-1");
	refuse("{\"cpu\":{\"quota\":-5}}", "cpu.quota: \"-5\"", "-1");
	refuse("{\"pids\":{\"limit\":-2}}", "pids.limit: \"-2\"", "-1");
	refuse("{\"cpu\":{\"shares\":-1}}", "cpu.shares: \"-1\"", "negative");
	refuse("{\"cpu\":{\"period\":-1}}", "cpu.period: \"-1\"", "negative");
}

static void oci_ranges_are_told_in_the_words_of_json(void **state)
{
	(void)state;
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

static void oci_wrong_types_are_refused(void **state)
{
	(void)state;
	refuse("[]", "resources", "object");
	refuse("{\"memory\":[]}", "memory", "object");
	refuse("{\"memory\":5}", "memory: \"5\"", "object");
	refuse("{\"memory\":{\"limit\":\"67108864\"}}", "memory.limit: \"67108864\"", "integer");
	refuse("{\"memory\":{\"limit\":67108864.0}}", "memory.limit", "integer");
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

static void oci_bad_json_is_refused(void **state)
{
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };

	(void)state;
	refuse("", "resources", "no JSON");
	refuse("{", "resources", "no JSON");
	refuse("null", "resources", "no JSON");
	refuse("{} {}", "resources", "no JSON");
	refuse("{\"memory\":{\"limit\":1,\"limit\":2}}", "resources", "duplicate");
	refuse("{\"memory\":{\"limit\":18446744073709551615}}", "memory.limit", "signed number");
	refuse("{\"unified\":{\"memory.high\":\"1\\u0000\"}}", "resources", "no JSON");
	refuse("{\"unified\":{\"\377\":\"1\"}}", "resources", "no JSON");
	assert_int_equal(cgfs_resources_from_oci("{}\0", 3, &res, &err), -EINVAL);
	assert_null(res);
}

static void oci_too_much_is_refused(void **state)
{
	const size_t size = (1 << 20) + 2;
	auto_free char *json = malloc(size);
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };
	size_t at;

	(void)state;
	assert_non_null(json);
	memset(json, ' ', size);
	json[0] = '{';
	json[(1 << 20) - 1] = '}';
	assert_int_equal(cgfs_resources_from_oci(json, 1 << 20, &res, &err), 0);
	cgfs_resources_free(res);
	res = NULL;
	assert_int_equal(cgfs_resources_from_oci(json, (1 << 20) + 1, &res, &err), -E2BIG);
	assert_non_null(strstr(err.text, "1048577"));

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

static void oci_largest_device_list_is_taken(void **state)
{
	auto_free char *json = malloc(1 << 20);
	struct cgfs_resources *res;
	size_t at, n;

	(void)state;
	assert_non_null(json);
	cgfs_device_defaults(&n);
	at = (size_t)sprintf(json, "{\"devices\":[");
	for (size_t i = 0; i < CGFS_DEVICE_RULES_MAX - n; i++)
		at += (size_t)sprintf(json + at, "%s{\"type\":\"c\",\"access\":\"r\"}",
				      i ? "," : "");
	sprintf(json + at, "]}");
	res = take(json);
	assert_int_equal(res->n_devices, CGFS_DEVICE_RULES_MAX);
	cgfs_resources_free(res);
}

static void oci_what_changes_behaviour_and_cannot_be_applied_is_refused(void **state)
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

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refuse_as(cases[i].json, -EOPNOTSUPP, cases[i].field, "");
}

static void oci_what_is_so_already_is_accepted(void **state)
{
	(void)state;
	is_unset("{\"memory\":{\"useHierarchy\":true,\"disableOOMKiller\":false,"
		 "\"checkBeforeUpdate\":true,\"kernel\":0,\"kernelTCP\":0}}");
	is_unset("{\"blockIO\":{\"weight\":0,\"weightDevice\":[],\"throttleReadBpsDevice\":[]},"
		 "\"network\":{\"classID\":0,\"priorities\":[]}}");
}

static void oci_unknown_members_are_ignored_and_reported(void **state)
{
	struct cgfs_resources *res;

	(void)state;
	res = take("{\"colour\":{\"x\":1},\"memory\":{\"limit\":8192,\"shade\":null},"
		   "\"devices\":[{\"allow\":false,\"access\":\"rwm\",\"path\":\"/dev/x\"}]}");
	assert_string_equal(cgfs_resources_ignored(res), "colour, memory.shade, devices[0].path");
	assert_int_equal(res->memory_max_bytes, 8192);
	cgfs_resources_free(res);
	res = take("{}");
	assert_string_equal(cgfs_resources_ignored(res), "");
	cgfs_resources_free(res);
}

static void oci_many_unknown_members_are_reported_as_far_as_they_fit(void **state)
{
	auto_free char *json = malloc(1 << 16);
	struct cgfs_resources *res;
	size_t at;

	(void)state;
	assert_non_null(json);
	at = (size_t)sprintf(json, "{");
	for (int i = 0; i < 500; i++)
		at += (size_t)sprintf(json + at, "%s\"unknown%0100d\":{}", i ? "," : "", i);
	sprintf(json + at, "}");
	res = take(json);
	/* Of each name 64 bytes, and no name in part. */
	at = strlen(cgfs_resources_ignored(res));
	assert_int_equal(at, 7 * 64 + 6 * strlen(", "));
	assert_memory_equal(cgfs_resources_ignored(res) + at - 66, ", unknown", 9);
	cgfs_resources_free(res);
}

static const struct tap_test tests[] = {
	TAP_TEST(oci_every_supported_field_is_read),
	TAP_TEST(oci_zero_empty_and_null_are_unset),
	TAP_TEST(oci_digits_of_long_strings_cost_nothing),
	TAP_TEST(oci_limit_with_swap_0_leaves_swap_alone),
	TAP_TEST(oci_minus_one_is_unlimited),
	TAP_TEST(oci_other_negative_numbers_are_refused),
	TAP_TEST(oci_ranges_are_told_in_the_words_of_json),
	TAP_TEST(oci_wrong_types_are_refused),
	TAP_TEST(oci_bad_json_is_refused),
	TAP_TEST(oci_too_much_is_refused),
	TAP_TEST(oci_largest_device_list_is_taken),
	TAP_TEST(oci_what_changes_behaviour_and_cannot_be_applied_is_refused),
	TAP_TEST(oci_what_is_so_already_is_accepted),
	TAP_TEST(oci_unknown_members_are_ignored_and_reported),
	TAP_TEST(oci_many_unknown_members_are_reported_as_far_as_they_fit),
};

TAP_MAIN(tests)
