/* SPDX-License-Identifier: MIT */
/*
 * test_resources.c - which limits are taken and which are refused, and in what words.
 */
#include "cgfs/base/util.h"
#include "tests/tap.h"
#include <cgfs/resources.h>

#define INIT(...)                                                                                  \
	(struct cgfs_resources)                                                                    \
	{                                                                                          \
		.sz = sizeof(struct cgfs_resources), __VA_ARGS__                                   \
	}

static void take(struct cgfs_resources res)
{
	struct cgfs_err err = { 0 };

	CHECK_MSG(cgfs_resources_check(&res, &err) >= 0, "%s", err.text);
}

static void refuse_as(struct cgfs_resources res, int code, const char *what, const char *why)
{
	struct cgfs_err err = { 0 };

	CHECK_INT(cgfs_resources_check(&res, &err), code);
	CHECK_INT(err.code, code);
	if (!strstr(err.text, what) || !strstr(err.text, why))
		FAIL("\"%s\" does not say \"%s\" and \"%s\"", err.text, what, why);
	CHECK_INT(cgfs_resources_check(&res, NULL), code);
}

static void refuse(struct cgfs_resources res, const char *what, const char *why)
{
	refuse_as(res, -EINVAL, what, why);
}

TAP_TEST(resources_without_bits_are_taken_whatever_the_members_hold)
{
	struct cgfs_resources res;

	memset(&res, 0xff, sizeof(res));
	res.sz = sizeof(res);
	res.set = 0;
	take(res);
	take(INIT(.set = 0));
}

TAP_TEST(resources_memory_range_is_checked)
{
	take(INIT(.set = CGFS_SET_MEMORY_MAX, .memory_max_bytes = 64 << 20));
	take(INIT(.set = CGFS_SET_MEMORY_MAX, .memory_max_bytes = INT64_MAX));
	take(INIT(.set = CGFS_SET_MEMORY_MAX, .memory_max_bytes = CGFS_MAX));
	take(INIT(.set = CGFS_SET_MEMORY_LOW | CGFS_SET_MEMORY_MIN | CGFS_SET_MEMORY_HIGH));
	refuse(INIT(.set = CGFS_SET_MEMORY_MAX, .memory_max_bytes = 0), "memory_max_bytes: \"0\"",
	       "one page");
	refuse(INIT(.set = CGFS_SET_MEMORY_MAX, .memory_max_bytes = 4095),
	       "memory_max_bytes: \"4095\"", "one page");
	refuse(INIT(.set = CGFS_SET_MEMORY_MAX, .memory_max_bytes = UINT64_C(1) << 63),
	       "memory_max_bytes: \"9223372036854775808\"", "9223372036854775807");
	refuse(INIT(.set = CGFS_SET_MEMORY_MAX, .memory_max_bytes = CGFS_MAX - 1),
	       "18446744073709551614", "largest");
	refuse(INIT(.set = CGFS_SET_MEMORY_LOW, .memory_low_bytes = CGFS_MAX - 1),
	       "memory_low_bytes", "largest");
	refuse(INIT(.set = CGFS_SET_MEMORY_HIGH, .memory_high_bytes = CGFS_MAX - 1),
	       "memory_high_bytes", "largest");
	refuse(INIT(.set = CGFS_SET_MEMORY_MIN, .memory_min_bytes = CGFS_MAX - 1),
	       "memory_min_bytes", "largest");
	refuse(INIT(.set = CGFS_SET_MEMORY_SWAP, .memory_swap_bytes = CGFS_MAX - 1),
	       "memory_swap_bytes", "largest");
}

TAP_TEST(resources_swap_must_fit_the_memory)
{
	const uint64_t both = CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_SWAP;

	take(INIT(.set = both, .memory_max_bytes = 8192, .memory_swap_bytes = 8192));
	take(INIT(.set = both, .memory_max_bytes = 8192, .memory_swap_bytes = 16384));
	take(INIT(.set = both, .memory_max_bytes = 8192, .memory_swap_bytes = CGFS_MAX));
	take(INIT(.set = both, .memory_max_bytes = CGFS_MAX, .memory_swap_bytes = CGFS_MAX));
	take(INIT(.set = CGFS_SET_MEMORY_SWAP, .memory_swap_bytes = CGFS_MAX));
	refuse(INIT(.set = both, .memory_max_bytes = 8192, .memory_swap_bytes = 8191),
	       "memory_swap_bytes: \"8191\"", "memory_max_bytes is 8192");
	refuse(INIT(.set = both, .memory_max_bytes = 8192, .memory_swap_bytes = 0),
	       "memory_swap_bytes: \"0\"", "memory_max_bytes is 8192");
	refuse(INIT(.set = both, .memory_max_bytes = CGFS_MAX, .memory_swap_bytes = 8192),
	       "memory_swap_bytes", "unlimited");
	refuse(INIT(.set = CGFS_SET_MEMORY_SWAP, .memory_max_bytes = 8192,
		    .memory_swap_bytes = 8192),
	       "memory_swap_bytes", "needs memory_max_bytes");
}

TAP_TEST(resources_cpu_range_is_checked)
{
	const uint64_t weight = CGFS_SET_CPU_WEIGHT, shares = CGFS_SET_CPU_SHARES;
	const uint64_t quota = CGFS_SET_CPU_QUOTA, period = CGFS_SET_CPU_PERIOD;

	take(INIT(.set = weight, .cpu_weight = 1));
	take(INIT(.set = weight, .cpu_weight = 10000));
	refuse(INIT(.set = weight, .cpu_weight = 0), "cpu_weight: \"0\"", "1 to 10000");
	refuse(INIT(.set = weight, .cpu_weight = 10001), "cpu_weight: \"10001\"", "1 to 10000");
	refuse(INIT(.set = weight, .cpu_weight = CGFS_MAX), "cpu_weight: \"max\"", "1 to");
	/* Shares are clamped, as the kernel does. */
	take(INIT(.set = shares, .cpu_shares = 1));
	take(INIT(.set = shares, .cpu_shares = 300000));
	refuse(INIT(.set = shares, .cpu_shares = CGFS_MAX), "cpu_shares: \"max\"", "relative");
	refuse(INIT(.set = weight | shares, .cpu_weight = 100, .cpu_shares = 1024), "cpu_shares",
	       "cpu_weight");
	take(INIT(.set = quota, .cpu_quota_us = 1000));
	take(INIT(.set = quota, .cpu_quota_us = CGFS_MAX));
	take(INIT(.set = quota, .cpu_quota_us = (UINT64_C(1) << 44) - 1));
	refuse(INIT(.set = quota, .cpu_quota_us = 999), "cpu_quota_us: \"999\"", "1000");
	refuse(INIT(.set = quota, .cpu_quota_us = 0), "cpu_quota_us: \"0\"", "1000");
	refuse(INIT(.set = quota, .cpu_quota_us = UINT64_C(1) << 44), "cpu_quota_us", "largest");
	take(INIT(.set = period, .cpu_period_us = 1000));
	take(INIT(.set = quota | period, .cpu_quota_us = 4000000, .cpu_period_us = 1000000));
	refuse(INIT(.set = period, .cpu_period_us = 999), "cpu_period_us: \"999\"", "1000000");
	refuse(INIT(.set = period, .cpu_period_us = 1000001), "cpu_period_us", "1000000");
	refuse(INIT(.set = period, .cpu_period_us = CGFS_MAX), "cpu_period_us: \"max\"", "1000");
}

TAP_TEST(resources_pids_range_is_checked)
{
	take(INIT(.set = CGFS_SET_PIDS_MAX, .pids_max = 0));
	take(INIT(.set = CGFS_SET_PIDS_MAX, .pids_max = 4194304));
	take(INIT(.set = CGFS_SET_PIDS_MAX, .pids_max = CGFS_MAX));
	refuse(INIT(.set = CGFS_SET_PIDS_MAX, .pids_max = 4194305), "pids_max: \"4194305\"",
	       "4194304");
}

TAP_TEST(resources_cpuset_syntax_is_checked)
{
	static const char *const good[] = { "0",     "0-3",	"0-3,7", "1,1,1", "0-0",    "65535",
					    "0,",    ",0",	"0,,1",	 "0 ,1",  " 0\t1 ", "all",
					    "ALL,0", "0-3:1/2", "0-N",	 "N",	  "all:2/2" };
	static const char *const bad[] = { "",	      " ",	  " , ",   "0-,1",
					   "0 -1",    "a",	  "0-",	   "-1",
					   "3-1",     "0-3-5",	  "0\n",   "al",
					   "0-3:0/2", "65536",	  "0;1",   "99999999999999999999",
					   "0-3:1",   "0-3:",	  "0:1/2", "0-3:3/2",
					   "0-3:1/0", "alls",	  "n",	   "N-0",
					   "all-3",   "0-3:1/2/3" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		take(INIT(.set = CGFS_SET_CPUSET_CPUS, .cpuset_cpus = good[i]));
		take(INIT(.set = CGFS_SET_CPUSET_MEMS, .cpuset_mems = good[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		refuse(INIT(.set = CGFS_SET_CPUSET_CPUS, .cpuset_cpus = bad[i]), "cpuset_cpus", "");
		refuse(INIT(.set = CGFS_SET_CPUSET_MEMS, .cpuset_mems = bad[i]), "cpuset_mems", "");
	}
	refuse(INIT(.set = CGFS_SET_CPUSET_CPUS), "cpuset_cpus", "names nothing");
	{
		char longest[5001] = { 0 };

		for (size_t i = 0; i < 5000; i++)
			longest[i] = i % 2 ? ',' : '1';
		longest[4999] = '1';
		refuse(INIT(.set = CGFS_SET_CPUSET_CPUS, .cpuset_cpus = longest), "cpuset_cpus",
		       "4095");
	}
}

TAP_TEST(resources_bad_device_rule_is_named)
{
	struct cgfs_device_rule rules[] = {
		{ CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_ALL, true },
		{ CGFS_DEVICE_CHAR, -5, 3, CGFS_ACCESS_ALL, true },
	};

	take(INIT(.set = CGFS_SET_DEVICES));
	take(INIT(.set = CGFS_SET_DEVICES, .devices = rules, .n_devices = 1));
	refuse(INIT(.set = CGFS_SET_DEVICES, .devices = rules, .n_devices = 2), "devices[1]",
	       "c -5:3 rwm");
	refuse(INIT(.set = CGFS_SET_DEVICES, .n_devices = 2), "devices", "no list");
	refuse_as(INIT(.set = CGFS_SET_DEVICES, .devices = rules, .n_devices = 4097), -E2BIG,
		  "devices", "4097");
}

static void unified_refused(const char *file, const char *value, const char *why)
{
	struct cgfs_unified u = { file, value };

	refuse(INIT(.set = CGFS_SET_UNIFIED, .unified = &u, .n_unified = 1), "unified", why);
}

static void unified_taken(const char *file, const char *value)
{
	struct cgfs_unified u = { file, value };

	take(INIT(.set = CGFS_SET_UNIFIED, .unified = &u, .n_unified = 1));
}

TAP_TEST(unified_files_of_controllers_are_taken)
{
	unified_taken("memory.high", "1048576");
	unified_taken("memory.oom.group", "1");
	unified_taken("cpu.uclamp.min", "10.5");
	unified_taken("cpuset.cpus.partition", "root");
	unified_taken("pids.max", "max");
	unified_taken("hugetlb.2MB.rsvd.max", "0");
	unified_taken("rdma.max", "mlx5_0 hca_handle=2");
	unified_taken("misc.max", "res_a 1");
	unified_taken("io.max", "8:0 rbps=1048576");
}

TAP_TEST(unified_names_that_are_no_resource_are_refused)
{
	static const char *const core[] = { "cgroup.procs",  "cgroup.threads",
					    "cgroup.kill",   "cgroup.type",
					    "cgroup.freeze", "cgroup.subtree_control",
					    "cgroup.stat",   "cgroup.events" };

	for (size_t i = 0; i < ARRAY_SIZE(core); i++)
		unified_refused(core[i], "1", "is no resource");
	unified_refused("", "1", "no name");
	unified_refused(NULL, "1", "needs a file");
	unified_refused("memory.high", NULL, "needs a file");
	unified_refused("/sys/fs/cgroup/memory.high", "1", "without /");
	unified_refused("../memory.high", "1", "without /");
	unified_refused("memory..high", "1", "without /");
	unified_refused("sub/memory.high", "1", "without /");
	unified_refused("memory", "1", "form");
	unified_refused("memory.", "1", "form");
	unified_refused(".memory", "1", "not a controller");
	unified_refused("memory.hi gh", "1", "no control file");
	unified_refused("memory.high\n", "1", "no control file");
	unified_refused("nosuch.max", "1", "\"nosuch\" is not a controller");
	unified_refused("blkio.weight", "100", "\"blkio\" is not a controller");
	unified_refused("devices.allow", "a", "not a controller");
	unified_refused("memoryx.max", "1", "not a controller");
}

TAP_TEST(unified_newline_is_refused_where_a_file_takes_one_line)
{
	unified_refused("memory.high", "1\n0", "newline");
	unified_refused("memory.high", "1\n", "newline");
	unified_refused("hugetlb.2MB.max", "1\n2", "newline");
	unified_taken("io.max", "8:0 rbps=1\n8:16 rbps=2");
	unified_taken("io.max", "8:0 rbps=1\n8:16 rbps=2\n");
	unified_taken("rdma.max", "a hca_handle=1\nb hca_handle=2");
	unified_refused("io.max", "8:0 rbps=1\n\n8:16 rbps=2", "empty line");
	unified_refused("io.max", "\n", "empty line");
	unified_refused("io.max", "", "nothing");
	unified_refused("memory.high", "1\r", "control character");
	unified_refused("memory.high", "1\t2", "control character");
}

TAP_TEST(unified_too_much_is_refused)
{
	static struct cgfs_unified many[257];
	char value[4097] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct cgfs_unified){ "memory.high", "1" };
	take(INIT(.set = CGFS_SET_UNIFIED, .unified = many, .n_unified = 256));
	refuse_as(INIT(.set = CGFS_SET_UNIFIED, .unified = many, .n_unified = 257), -E2BIG,
		  "unified", "257");
	refuse(INIT(.set = CGFS_SET_UNIFIED, .n_unified = 1), "unified", "no list");
	memset(value, '1', 4095);
	unified_taken("memory.high", value);
	value[4095] = '1';
	unified_refused("memory.high", value, "4095");
}

TAP_TEST(resources_lesser_cpu_and_memory_ranges_are_checked)
{
	const uint64_t burst = CGFS_SET_CPU_BURST, quota = CGFS_SET_CPU_QUOTA;
	const uint64_t runtime = CGFS_SET_CPU_RT_RUNTIME, period = CGFS_SET_CPU_RT_PERIOD;

	take(INIT(.set = burst, .cpu_burst_us = 100000));
	take(INIT(.set = burst | quota, .cpu_burst_us = 1000, .cpu_quota_us = 1000));
	take(INIT(.set = burst | quota, .cpu_burst_us = 1000, .cpu_quota_us = CGFS_MAX));
	refuse(INIT(.set = burst | quota, .cpu_burst_us = 1001, .cpu_quota_us = 1000),
	       "cpu_burst_us: \"1001\"", "cpu_quota_us");
	refuse(INIT(.set = burst, .cpu_burst_us = CGFS_MAX), "cpu_burst_us: \"max\"", "largest");
	take(INIT(.set = CGFS_SET_CPU_IDLE, .cpu_idle = true));
	take(INIT(.set = CGFS_SET_CPU_IDLE | CGFS_SET_CPU_WEIGHT, .cpu_weight = 5));
	refuse(INIT(.set = CGFS_SET_CPU_IDLE | CGFS_SET_CPU_WEIGHT, .cpu_weight = 5,
		    .cpu_idle = true),
	       "cpu_idle", "cpu_weight is set");
	refuse(INIT(.set = CGFS_SET_CPU_IDLE | CGFS_SET_CPU_SHARES, .cpu_shares = 5,
		    .cpu_idle = true),
	       "cpu_idle", "cpu_shares is set");
	take(INIT(.set = runtime | period, .cpu_rt_runtime_us = 5, .cpu_rt_period_us = 5));
	take(INIT(.set = runtime | period, .cpu_rt_runtime_us = CGFS_MAX, .cpu_rt_period_us = 5));
	refuse(INIT(.set = runtime | period, .cpu_rt_runtime_us = 6, .cpu_rt_period_us = 5),
	       "cpu_rt_runtime_us: \"6\"", "cpu_rt_period_us");
	refuse(INIT(.set = runtime, .cpu_rt_runtime_us = CGFS_MAX - 1), "cpu_rt_runtime_us",
	       "largest");
	refuse(INIT(.set = period), "cpu_rt_period_us: \"0\"", "1 to");
	refuse(INIT(.set = period, .cpu_rt_period_us = CGFS_MAX), "cpu_rt_period_us", "1 to");
	take(INIT(.set = CGFS_SET_MEMORY_SWAPPINESS, .memory_swappiness = 100));
	refuse(INIT(.set = CGFS_SET_MEMORY_SWAPPINESS, .memory_swappiness = 101),
	       "memory_swappiness: \"101\"", "0 to 100");
	refuse(INIT(.set = CGFS_SET_MEMORY_KERNEL_TCP, .memory_kernel_tcp_bytes = CGFS_MAX - 1),
	       "memory_kernel_tcp_bytes", "largest");
	refuse(INIT(.set = CGFS_SET_MEMORY_ZSWAP_MAX, .memory_zswap_max_bytes = CGFS_MAX - 1),
	       "memory_zswap_max_bytes", "largest");
	take(INIT(.set = CGFS_SET_MEMORY_ZSWAP_MAX, .memory_zswap_max_bytes = 0));
	take(INIT(.set = CGFS_SET_CPUSET_PARTITION, .cpuset_partition = "isolated"));
	refuse(INIT(.set = CGFS_SET_CPUSET_PARTITION, .cpuset_partition = "roots"),
	       "cpuset_partition: \"roots\"", "member, root or isolated");
	refuse(INIT(.set = CGFS_SET_CPUSET_PARTITION), "cpuset_partition", "member, root");
}

static void io_taken(struct cgfs_io_device dev)
{
	take(INIT(.set = CGFS_SET_IO_DEVICES, .io_devices = &dev, .n_io_devices = 1));
}

static void io_refused(struct cgfs_io_device dev, const char *why)
{
	const struct cgfs_io_device both[] = { { .major = 8, .set = CGFS_IO_WEIGHT, .weight = 100 },
					       dev };

	refuse(INIT(.set = CGFS_SET_IO_DEVICES, .io_devices = both, .n_io_devices = 2),
	       "io_devices[1]", why);
}

TAP_TEST(resources_io_devices_are_checked)
{
	take(INIT(.set = CGFS_SET_IO_WEIGHT, .io_weight = 10));
	take(INIT(.set = CGFS_SET_IO_WEIGHT, .io_weight = 1000));
	refuse(INIT(.set = CGFS_SET_IO_WEIGHT, .io_weight = 9), "io_weight: \"9\"", "10 to 1000");
	refuse(INIT(.set = CGFS_SET_IO_WEIGHT, .io_weight = 1001), "io_weight", "10 to 1000");
	io_taken((struct cgfs_io_device){ .major = 4095,
					  .minor = 1048575,
					  .set = CGFS_IO_READ_BPS | CGFS_IO_WRITE_IOPS,
					  .read_bps = 1,
					  .write_iops = CGFS_MAX });
	io_taken((struct cgfs_io_device){ .set = CGFS_IO_LATENCY });
	io_refused((struct cgfs_io_device){ .set = 0 }, "CGFS_IO_");
	io_refused((struct cgfs_io_device){ .set = 1u << 6 }, "CGFS_IO_");
	io_refused((struct cgfs_io_device){ .set = CGFS_IO_LATENCY, .major = 4096 }, "4095");
	io_refused((struct cgfs_io_device){ .set = CGFS_IO_LATENCY, .minor = 1048576 }, "1048575");
	io_refused((struct cgfs_io_device){ .set = CGFS_IO_WEIGHT, .weight = 9 }, "10 to 1000");
	io_refused((struct cgfs_io_device){ .set = CGFS_IO_READ_BPS }, "rate of 0");
	io_refused((struct cgfs_io_device){ .set = CGFS_IO_WRITE_BPS }, "rate of 0");
	io_refused((struct cgfs_io_device){ .set = CGFS_IO_READ_IOPS }, "rate of 0");
	io_refused((struct cgfs_io_device){ .set = CGFS_IO_WRITE_IOPS }, "rate of 0");
	refuse(INIT(.set = CGFS_SET_IO_DEVICES, .n_io_devices = 1), "io_devices", "no list");
	refuse_as(INIT(.set = CGFS_SET_IO_DEVICES, .n_io_devices = 257), -E2BIG, "io_devices",
		  "257");
}

TAP_TEST(resources_named_lists_are_checked)
{
	struct cgfs_hugetlb huge = { "2MB", CGFS_MAX };
	struct cgfs_rdma rdma = { "mlx5_0", 1, CGFS_MAX };
	struct cgfs_misc misc = { "sev_es", 5 };
	struct cgfs_net_prio prio = { "eth0.100", UINT32_MAX };

	take(INIT(.set = CGFS_SET_HUGETLB | CGFS_SET_RDMA | CGFS_SET_MISC | CGFS_SET_NET_PRIO,
		  .hugetlb = &huge, .n_hugetlb = 1, .rdma = &rdma, .n_rdma = 1, .misc = &misc,
		  .n_misc = 1, .net_prio = &prio, .n_net_prio = 1));
	huge.max_bytes = CGFS_MAX - 1;
	refuse(INIT(.set = CGFS_SET_HUGETLB, .hugetlb = &huge, .n_hugetlb = 1), "hugetlb[0]",
	       "largest");
	huge = (struct cgfs_hugetlb){ NULL, 0 };
	refuse(INIT(.set = CGFS_SET_HUGETLB, .hugetlb = &huge, .n_hugetlb = 1), "hugetlb[0]",
	       "such as 2MB");
	rdma.device = "a\nb";
	refuse(INIT(.set = CGFS_SET_RDMA, .rdma = &rdma, .n_rdma = 1), "rdma[0]", "letters");
	rdma = (struct cgfs_rdma){ "a", 0, UINT64_C(1) << 31 };
	refuse(INIT(.set = CGFS_SET_RDMA, .rdma = &rdma, .n_rdma = 1), "rdma[0]", "2147483647");
	misc.name = "sev 1";
	refuse(INIT(.set = CGFS_SET_MISC, .misc = &misc, .n_misc = 1), "misc[0]", "letters");
	misc.name = NULL;
	refuse(INIT(.set = CGFS_SET_MISC, .misc = &misc, .n_misc = 1), "misc[0]", "1 to 63");
	prio.interface = "eth0/..";
	refuse(INIT(.set = CGFS_SET_NET_PRIO, .net_prio = &prio, .n_net_prio = 1), "net_prio[0]",
	       "letters");
	refuse(INIT(.set = CGFS_SET_HUGETLB, .n_hugetlb = 1), "hugetlb", "no list");
	refuse(INIT(.set = CGFS_SET_RDMA, .n_rdma = 1), "rdma", "no list");
	refuse(INIT(.set = CGFS_SET_MISC, .n_misc = 1), "misc", "no list");
	refuse(INIT(.set = CGFS_SET_NET_PRIO, .n_net_prio = 1), "net_prio", "no list");
	refuse_as(INIT(.set = CGFS_SET_MISC, .n_misc = 257), -E2BIG, "misc", "257");
}

TAP_TEST(resources_of_another_version_are_judged_by_what_they_use)
{
	struct {
		struct cgfs_resources res;
		uint64_t future[2];
	} newer = { .res = CGFS_RESOURCES_INIT };
	struct cgfs_err err = { 0 };

	newer.res.sz = sizeof(newer);
	CHECK_INT(cgfs_resources_check(&newer.res, NULL), 0);
	newer.future[1] = 1;
	CHECK_INT(cgfs_resources_check(&newer.res, &err), -E2BIG);
	CHECK(strstr(err.text, CGFS_VERSION));
	newer.future[1] = 0;
	refuse_as(INIT(.set = UINT64_C(1) << 35), -E2BIG, "set", "0x800000000");
	refuse_as(INIT(.set = UINT64_C(1) << 61), -E2BIG, "set", "0x2000000000000000");
	take(INIT(.set = CGFS_SET_ALLOW_OOM_KILL));
	take(INIT(.set = CGFS_SET_NEAREST));
	refuse_as(INIT(.set = CGFS_SET_NEAREST | CGFS_SET_ALLOW_OOM_KILL), -EINVAL, "resources",
		  "together");
	newer.res.sz = 0;
	CHECK_INT(cgfs_resources_check(&newer.res, &err), -EINVAL);
	CHECK(strstr(err.text, "sz is 0"));
	/* A caller that knows two members: the others are not read. */
	newer.res.sz = offsetof(struct cgfs_resources, memory_swap_bytes);
	newer.res.set = CGFS_SET_MEMORY_MAX;
	newer.res.memory_max_bytes = 1 << 20;
	memset((char *)&newer + newer.res.sz, 0xff, sizeof(newer) - newer.res.sz);
	CHECK_INT(cgfs_resources_check(&newer.res, NULL), 0);
	newer.res.sz = SIZE_MAX;
	CHECK_INT(cgfs_resources_check(&newer.res, NULL), -EINVAL);
}
