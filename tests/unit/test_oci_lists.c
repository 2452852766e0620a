/* SPDX-License-Identifier: MIT */
/*
 * test_oci_lists.c - the lesser fields and the lists of `linux.resources`: devices, block
 * devices, huge pages, rdma, network priorities.
 */
#include "cgfs/base/util.h"
#include "tests/tap.h"
#include "tests/unit/oci_text.h"

#include <stdio.h>

TAP_TEST(oci_lesser_fields_are_read)
{
	struct cgfs_resources *res;

	res = take("{\"memory\":{\"swappiness\":0,\"kernelTCP\":8192,"
		   "\"disableOOMKiller\":true},\"cpu\":{\"quota\":50000,\"burst\":20000,"
		   "\"idle\":1,\"realtimeRuntime\":950000,\"realtimePeriod\":1000000},"
		   "\"blockIO\":{\"weight\":10},\"network\":{\"classID\":1048577}}");
	CHECK_INT(res->set, CGFS_SET_MEMORY_SWAPPINESS | CGFS_SET_MEMORY_KERNEL_TCP |
				    CGFS_SET_MEMORY_OOM_DISABLE | CGFS_SET_CPU_QUOTA |
				    CGFS_SET_CPU_BURST | CGFS_SET_CPU_IDLE |
				    CGFS_SET_CPU_RT_RUNTIME | CGFS_SET_CPU_RT_PERIOD |
				    CGFS_SET_IO_WEIGHT | CGFS_SET_NET_CLASSID | CGFS_SET_DEVICES);
	CHECK_INT(res->memory_swappiness, 0);
	CHECK_INT(res->memory_kernel_tcp_bytes, 8192);
	CHECK(res->memory_oom_disable);
	CHECK_INT(res->cpu_burst_us, 20000);
	CHECK(res->cpu_idle);
	CHECK_INT(res->cpu_rt_runtime_us, 950000);
	CHECK_INT(res->cpu_rt_period_us, 1000000);
	CHECK_INT(res->io_weight, 10);
	CHECK_INT(res->net_classid, 1048577);
	cgfs_resources_free(res);
	/* A client can leave these out, so that 0 is 0. */
	res = take("{\"cpu\":{\"burst\":0,\"idle\":0,\"shares\":1024}}");
	CHECK_INT(res->set,
		  CGFS_SET_CPU_BURST | CGFS_SET_CPU_IDLE | CGFS_SET_CPU_SHARES | CGFS_SET_DEVICES);
	CHECK(!res->cpu_idle);
	cgfs_resources_free(res);
}

TAP_TEST(oci_lesser_fields_out_of_range_are_refused)
{
	refuse("{\"memory\":{\"swappiness\":101}}", "memory.swappiness: \"101\"", "0 to 100");
	refuse("{\"memory\":{\"swappiness\":-1}}", "memory.swappiness: \"-1\"", "negative");
	refuse("{\"cpu\":{\"idle\":2}}", "cpu.idle: \"2\"", "0 or 1");
	refuse("{\"cpu\":{\"idle\":1,\"shares\":512}}", "cpu.idle", "cpu.shares is set");
	refuse("{\"cpu\":{\"quota\":5000,\"burst\":5001}}", "cpu.burst: \"5001\"", "cpu.quota");
	refuse("{\"cpu\":{\"realtimeRuntime\":2,\"realtimePeriod\":1}}",
	       "cpu.realtimeRuntime: \"2\"", "cpu.realtimePeriod");
	/* blkio_weight_5: 10 is the specification's least */
	refuse("{\"blockIO\":{\"weight\":5}}", "blockIO.weight: \"5\"", "10 to 1000");
	refuse("{\"blockIO\":{\"weight\":1001}}", "blockIO.weight: \"1001\"", "10 to 1000");
	refuse("{\"network\":{\"classID\":4294967296}}", "network.classID", "4294967295");
	refuse("{\"network\":{\"classID\":-1}}", "network.classID: \"-1\"", "0 to");
}

TAP_TEST(oci_block_devices_are_read_in_order)
{
	struct cgfs_resources *res;

	res = take("{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":500}],"
		   "\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":16,\"rate\":1048576}],"
		   "\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":16,\"rate\":0}],"
		   "\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":16,\"rate\":100},"
		   "{\"major\":8,\"minor\":16,\"rate\":200}],"
		   "\"throttleWriteIOPSDevice\":[{\"major\":7,\"minor\":0,"
		   "\"rate\":4294967296}]}}");
	CHECK_INT(res->set, CGFS_SET_IO_DEVICES | CGFS_SET_DEVICES);
	CHECK_INT(res->n_io_devices, 6);
	CHECK_INT(res->io_devices[0].set, CGFS_IO_WEIGHT);
	CHECK_INT(res->io_devices[0].major, 8);
	CHECK_INT(res->io_devices[0].minor, 0);
	CHECK_INT(res->io_devices[0].weight, 500);
	CHECK_INT(res->io_devices[1].set, CGFS_IO_READ_BPS);
	CHECK_INT(res->io_devices[1].minor, 16);
	CHECK_INT(res->io_devices[1].read_bps, 1048576);
	/* blkio_rate_0: no limit, as v1 has it */
	CHECK_INT(res->io_devices[2].set, CGFS_IO_WRITE_BPS);
	CHECK_INT(res->io_devices[2].write_bps, CGFS_MAX);
	/* blkio_same_device_twice: both, in order */
	CHECK_INT(res->io_devices[3].set, CGFS_IO_READ_IOPS);
	CHECK_INT(res->io_devices[3].read_iops, 100);
	CHECK_INT(res->io_devices[4].read_iops, 200);
	CHECK_INT(res->io_devices[5].set, CGFS_IO_WRITE_IOPS);
	CHECK_INT(res->io_devices[5].write_iops, UINT64_C(4294967296));
	cgfs_resources_free(res);
}

TAP_TEST(oci_bad_block_devices_are_refused_by_list_and_index)
{
	static const struct {
		const char *list, *field, *why;
	} cases[] = {
		{ "\"throttleReadBpsDevice\":{}", "blockIO.throttleReadBpsDevice", "array" },
		{ "\"throttleReadBpsDevice\":[5]", "blockIO.throttleReadBpsDevice[0]: \"5\"",
		  "object" },
		{ "\"throttleReadBpsDevice\":[{\"minor\":0,\"rate\":1}]",
		  "blockIO.throttleReadBpsDevice[0]", "\"major\" is missing" },
		{ "\"throttleReadBpsDevice\":[{\"major\":8,\"rate\":1}]",
		  "blockIO.throttleReadBpsDevice[0]", "\"minor\" is missing" },
		{ "\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0}]",
		  "blockIO.throttleReadBpsDevice[0]", "\"rate\" is missing" },
		{ "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":-1}]",
		  "blockIO.throttleWriteIOPSDevice[0].rate: \"-1\"", "0 to" },
		{ "\"throttleWriteIOPSDevice\":[{\"major\":-1,\"minor\":0,\"rate\":1}]",
		  "blockIO.throttleWriteIOPSDevice[0].major: \"-1\"", "0 to" },
		{ "\"throttleWriteIOPSDevice\":[{\"major\":4096,\"minor\":0,\"rate\":1}]",
		  "blockIO.throttleWriteIOPSDevice[0]: \"4096\"", "4095" },
		{ "\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":5}]",
		  "blockIO.weightDevice[0]: \"5\"", "10 to 1000" },
		{ "\"weightDevice\":[{\"major\":8,\"minor\":0,\"weight\":\"5\"}]",
		  "blockIO.weightDevice[0].weight: \"5\"", "integer" },
	};
	char json[256];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(json, sizeof(json), "{\"blockIO\":{%s}}", cases[i].list);
		refuse(json, cases[i].field, cases[i].why);
	}
}

TAP_TEST(oci_hugepages_are_read_or_refused_by_name)
{
	static const char *const bad[] = { "2MB/../x", "../2MB", "",	"MB",	"2",
					   "2mb",      "02MB",	 "2TB", "2MBx", "2 MB" };
	struct cgfs_resources *res;
	char json[128];

	res = take("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":0},"
		   "{\"pageSize\":\"1GB\",\"limit\":1073741824}]}");
	CHECK_INT(res->set, CGFS_SET_HUGETLB | CGFS_SET_DEVICES);
	CHECK_INT(res->n_hugetlb, 2);
	CHECK_STR(res->hugetlb[0].page_size, "2MB");
	CHECK_INT(res->hugetlb[0].max_bytes, 0);
	CHECK_STR(res->hugetlb[1].page_size, "1GB");
	CHECK_INT(res->hugetlb[1].max_bytes, 1073741824);
	cgfs_resources_free(res);
	/* huge_bad_name: before a path is made of it */
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(json, sizeof(json),
			 "{\"hugepageLimits\":[{\"pageSize\":\"%s\",\"limit\":0}]}", bad[i]);
		refuse(json, "hugepageLimits[0]", "such as 2MB");
	}
	refuse("{\"hugepageLimits\":[{\"limit\":0}]}", "hugepageLimits[0]", "pageSize");
	refuse("{\"hugepageLimits\":[{\"pageSize\":\"2MB\"}]}", "hugepageLimits[0]", "limit");
	refuse("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":-1}]}",
	       "hugepageLimits[0].limit: \"-1\"", "0 to");
}

TAP_TEST(oci_rdma_and_priorities_are_read_or_refused)
{
	struct cgfs_resources *res;

	res = take("{\"rdma\":{\"mlx5_0\":{\"hcaHandles\":3},\"mlx5_1\":{\"hcaObjects\":9}},"
		   "\"network\":{\"priorities\":[{\"name\":\"eth0\",\"priority\":500}]}}");
	CHECK_INT(res->set, CGFS_SET_RDMA | CGFS_SET_NET_PRIO | CGFS_SET_DEVICES);
	CHECK_INT(res->n_rdma, 2);
	CHECK_STR(res->rdma[0].device, "mlx5_0");
	CHECK_INT(res->rdma[0].hca_handles, 3);
	CHECK_INT(res->rdma[0].hca_objects, CGFS_MAX);
	CHECK_STR(res->rdma[1].device, "mlx5_1");
	CHECK_INT(res->rdma[1].hca_objects, 9);
	CHECK_INT(res->n_net_prio, 1);
	CHECK_STR(res->net_prio[0].interface, "eth0");
	CHECK_INT(res->net_prio[0].priority, 500);
	cgfs_resources_free(res);
	refuse("{\"rdma\":{\"a b\":{}}}", "rdma.a b", "letters");
	refuse("{\"rdma\":{\"\":{}}}", "rdma.", "1 to 63");
	refuse("{\"rdma\":{\"x\":5}}", "rdma.x: \"5\"", "object");
	refuse("{\"rdma\":{\"x\":{\"hcaHandles\":4294967295}}}", "rdma.x", "2147483647");
	refuse("{\"rdma\":{\"x\":{\"hcaHandles\":-1}}}", "rdma.x.hcaHandles: \"-1\"", "0 to");
	refuse("{\"network\":{\"priorities\":[{\"name\":\"eth0\"}]}}", "network.priorities[0]",
	       "priority");
	refuse("{\"network\":{\"priorities\":[{\"priority\":1}]}}", "network.priorities[0]",
	       "name");
	refuse("{\"network\":{\"priorities\":[{\"name\":\"eth0 1\\neth1\","
	       "\"priority\":1}]}}",
	       "network.priorities[0]", "letters");
	refuse("{\"network\":{\"priorities\":[{\"name\":\"0123456789abcdef\","
	       "\"priority\":1}]}}",
	       "network.priorities[0]", "1 to 15");
}

/* The first rules of the list; the defaults stand after them. */
static void devices_are(const char *json, const char *want)
{
	struct cgfs_resources *res = take(json);
	char got[512] = "", text[48];
	size_t n;

	cgfs_device_defaults(&n);
	CHECK(res->n_devices >= n && res->n_devices <= CGFS_DEVICE_RULES_MAX);
	for (size_t i = 0; i < res->n_devices - n; i++) {
		size_t at = strlen(got);

		cgfs_device_format(&res->devices[i], text, sizeof(text));
		snprintf(got + at, sizeof(got) - at, "%s%s", at ? ", " : "", text);
	}
	CHECK(memcmp(res->devices + res->n_devices - n, cgfs_device_defaults(&n),
		     n * sizeof(*res->devices)) == 0);
	cgfs_resources_free(res);
	CHECK_STR(got, want);
}

TAP_TEST(oci_devices_are_read_in_order_with_wildcards)
{
	devices_are(
		"{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},"
		"{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":229,\"access\":\"rw\"}]}",
		"deny a *:* rwm, c 10:229 rw");
	/* dev_wild_neg1, missing and null alike */
	devices_are(
		"{\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":-1,\"minor\":-1,"
		"\"access\":\"m\"},{\"allow\":true,\"type\":\"b\",\"access\":\"m\"},"
		"{\"allow\":true,\"type\":\"c\",\"major\":136,\"minor\":null,\"access\":\"r\"}]}",
		"c *:* m, b *:* m, c 136:* r");
	devices_are("{\"devices\":[{\"allow\":true,\"type\":\"a\",\"access\":\"rwm\"},"
		    "{\"allow\":true,\"type\":\"\",\"major\":-1,\"access\":\"r\"}]}",
		    "a *:* rwm, a *:* r");
	/* dev_deny_all_r: that bit alone */
	devices_are("{\"devices\":[{\"allow\":false,\"access\":\"r\"}]}", "deny a *:* r");
}

static uint32_t granted(const char *json, int32_t major, int32_t minor)
{
	struct cgfs_resources *res = take(json);
	uint32_t bits = cgfs_device_check(res->devices, res->n_devices, CGFS_DEVICE_CHAR, major,
					  minor, CGFS_ACCESS_ALL);

	cgfs_resources_free(res);
	return bits;
}

TAP_TEST(oci_devices_start_from_deny_and_end_with_the_defaults)
{
	static const char *const no_deny =
		"{\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":10,\"minor\":229,"
		"\"access\":\"rw\"}]}";
	static const char *const deny_null =
		"{\"devices\":[{\"allow\":false,\"type\":\"c\",\"major\":1,\"minor\":3,"
		"\"access\":\"rwm\"}]}";
	static const char *const hole =
		"{\"devices\":[{\"allow\":true,\"type\":\"c\",\"access\":\"rwm\"},"
		"{\"allow\":false,\"type\":\"c\",\"major\":10,\"minor\":229,\"access\":\"rwm\"}]}";

	/* dev_no_leading_deny */
	CHECK_INT(granted(no_deny, 10, 229), 7);
	CHECK_INT(granted(no_deny, 10, 228), CGFS_ACCESS_MKNOD);
	/* dev_deny_default */
	CHECK_INT(granted(deny_null, 1, 3), 7);
	/* dev_wild_allow_deny_one, as v2 has it; v1 is test_devices' */
	CHECK_INT(granted(hole, 10, 229), CGFS_ACCESS_MKNOD);
	CHECK_INT(granted(hole, 10, 228), 7);
}

TAP_TEST(oci_bad_devices_are_refused_by_index)
{
	static const struct {
		const char *entry, *field, *why;
	} cases[] = {
		/* dev_type_a_with_major, dev_type_missing_with_major: privilege by accident */
		{ "\"type\":\"a\",\"major\":1,\"access\":\"r\"", "devices[0]:", "type" },
		{ "\"type\":\"a\",\"minor\":3,\"access\":\"r\"", "devices[0]:", "type" },
		{ "\"major\":1,\"minor\":3,\"access\":\"r\"", "devices[0]:", "type" },
		{ "\"type\":\"u\",\"access\":\"r\"", "devices[0].type: \"u\"", "a, b or c" },
		{ "\"type\":\"p\",\"access\":\"r\"", "devices[0].type: \"p\"", "a, b or c" },
		{ "\"type\":\"x\",\"access\":\"r\"", "devices[0].type: \"x\"", "a, b or c" },
		{ "\"type\":\"cc\",\"access\":\"r\"", "devices[0].type: \"cc\"", "a, b or c" },
		{ "\"type\":\"c\",\"access\":\"\"", "devices[0].access: \"\"", "r, w and m" },
		{ "\"type\":\"c\"", "devices[0]:", "access is missing" },
		{ "\"type\":\"c\",\"access\":null", "devices[0]:", "access is missing" },
		{ "\"type\":\"c\",\"access\":\"xyz\"", "devices[0].access: \"xyz\"", "r, w and m" },
		{ "\"type\":\"c\",\"major\":-5,\"access\":\"r\"", "devices[0].major: \"-5\"",
		  "-1 for any" },
		{ "\"type\":\"c\",\"minor\":-2,\"access\":\"r\"", "devices[0].minor: \"-2\"",
		  "-1 for any" },
		{ "\"type\":\"c\",\"major\":4096,\"access\":\"r\"", "devices[0].major: \"4096\"",
		  "4095" },
		{ "\"type\":\"c\",\"major\":4294967297,\"access\":\"r\"", "devices[0].major",
		  "4095" },
		{ "\"type\":\"c\",\"minor\":1048576,\"access\":\"r\"", "devices[0].minor",
		  "1048575" },
		{ "\"type\":\"c\",\"major\":\"1\",\"access\":\"r\"", "devices[0].major: \"1\"",
		  "integer" },
		{ "\"type\":5,\"access\":\"r\"", "devices[0].type: \"5\"", "string" },
		{ "\"type\":\"c\",\"access\":7", "devices[0].access: \"7\"", "string" },
		{ "\"allow\":1,\"access\":\"r\"", "devices[0].allow: \"1\"", "true or false" },
	};
	char json[256];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(json, sizeof(json), "{\"devices\":[{%s}]}", cases[i].entry);
		refuse(json, cases[i].field, cases[i].why);
	}
	refuse("{\"devices\":[{\"access\":\"r\"},{\"access\":\"q\"}]}", "devices[1].access", "");
	refuse("{\"devices\":[null]}", "devices[0]", "object");
}
