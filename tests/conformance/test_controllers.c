// SPDX-License-Identifier: MIT
/*
 * test_controllers.c - each knob on each layout: written through a handle, read as `cat` shows
 * it.  What a version does not have is refused with an error that names the member, and what
 * this kernel was built without is skipped by the name of its file.
 */
#include "extra.h"

#include <stdlib.h>
#include <unistd.h>

static struct cgfs_resources only(uint64_t bit)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = bit;
	return res;
}

static struct cgfs_group *group(struct world *w, struct cgfs **ret_c)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);

	if (ret_c)
		*ret_c = c;
	return world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
}

static const char *either(struct world *w, enum cgfs_controller ctl, const char *v1, const char *v2)
{
	return world_v2(w, ctl) ? v2 : v1;
}

/* Refused where the controller is of the other version; true: done with. */
static bool wrong_version(struct world *w, enum cgfs_controller ctl, enum cgfs_version_id has,
			  struct cgfs_group *g, const struct cgfs_resources *res, const char *name)
{
	enum cgfs_version_id version = world_version(w, ctl);

	if (version == has)
		return false;
	CHECK_HAS(REFUSED(cgfs_group_set(g, res, NULL, &err),
			  version == CGFS_NONE ? -ENODEV : -EOPNOTSUPP),
		  name);
	return true;
}

/* -- cpu ----------------------------------------------------------------------------------------
 */

WORLD_TEST(controllers_cpu_burst)
{
	struct cgfs_resources res = only(CGFS_SET_CPU_BURST);
	struct cgfs_group *g = group(w, NULL);
	const char *file;

	world_need(w, CGFS_CPU);
	file = either(w, CGFS_CPU, "cpu.cfs_burst_us", "cpu.max.burst");
	world_need_file(w, CGFS_CPU, g, file);
	/* The kernel keeps burst <= quota at each step: both grow, then both shrink. */
	for (int i = 0; i < 3; i++) {
		static const uint64_t quota[] = { 50000, 90000, 20000 },
				      burst[] = { 40000, 80000, 5000 };

		res.set = CGFS_SET_CPU_BURST | CGFS_SET_CPU_QUOTA;
		res.cpu_quota_us = quota[i];
		res.cpu_burst_us = burst[i];
		OK(cgfs_group_set(g, &res, NULL, &err));
		CHECK_INT(world_cat_number(w, CGFS_CPU, g, file), burst[i]);
		CHECK_INT(world_stat(g, CGFS_STAT_CPU_QUOTA), quota[i]);
	}
	/* More than the quota that is there: the kernel's word, and nothing changed. */
	res = only(CGFS_SET_CPU_BURST);
	res.cpu_burst_us = 30000;
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), file);
	CHECK_INT(world_cat_number(w, CGFS_CPU, g, file), 5000);
	res.cpu_burst_us = 0;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_CPU, g, file), "0");
}

WORLD_TEST(controllers_cpu_idle)
{
	struct cgfs_resources res = only(CGFS_SET_CPU_IDLE), weight = only(CGFS_SET_CPU_WEIGHT);
	struct cgfs_group *g = group(w, NULL);

	world_need(w, CGFS_CPU);
	world_need_file(w, CGFS_CPU, g, "cpu.idle");
	res.cpu_idle = true;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.idle"), "1");
	/* An idle group has no weight. */
	weight.cpu_weight = 200;
	CHECK_HAS(REFUSED(cgfs_group_set(g, &weight, NULL, &err), -EINVAL),
		  either(w, CGFS_CPU, "cpu.shares", "cpu.weight"));
	res.set |= CGFS_SET_CPU_WEIGHT;
	res.cpu_weight = 200;
	REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL);
	/* Busy again, with a weight, in one call. */
	res.cpu_idle = false;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.idle"), "0");
	CHECK_INT(world_stat(g, CGFS_STAT_CPU_WEIGHT), 200);
}

WORLD_TEST(controllers_cpu_realtime)
{
	struct cgfs_resources res = only(CGFS_SET_CPU_RT_RUNTIME | CGFS_SET_CPU_RT_PERIOD), pod_res;
	struct cgfs_group *g = group(w, NULL);

	res.cpu_rt_runtime_us = 0;
	res.cpu_rt_period_us = 500000;
	if (wrong_version(w, CGFS_CPU, CGFS_V1, g, &res, "cpu.realtime"))
		return;
	if (!world_has_file(w, CGFS_CPU, g, "cpu.rt_runtime_us")) {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EOPNOTSUPP),
			  "RT_GROUP_SCHED");
		return;
	}
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.rt_period_us"), "500000");
	CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.rt_runtime_us"), "0");
	/* The pod has no time to give. */
	res = only(CGFS_SET_CPU_RT_RUNTIME);
	res.cpu_rt_runtime_us = 1000;
	pod_res = res;
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "cpu.rt_runtime_us");
	/* Nor has the root, unless the machine was set up for it. */
	(void)!cgfs_group_set(cgfs_group_pod(g), &pod_res, NULL, NULL);
	CHECK_STR(world_cat(w, CGFS_CPU, g, "cpu.rt_runtime_us"), "0");
}

/* -- cpuset -------------------------------------------------------------------------------------
 */

WORLD_TEST(controllers_cpuset_partition)
{
	struct cgfs_resources res = only(CGFS_SET_CPUSET_PARTITION);
	struct cgfs_group *g = group(w, NULL);
	struct cgfs_err e = { 0 };
	int r;

	world_need(w, CGFS_CPUSET);
	res.cpuset_partition = "nonsense";
	REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL);
	if (!world_v2(w, CGFS_CPUSET)) {
		res.cpuset_partition = "isolated";
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EOPNOTSUPP), "isolated");
		res.cpuset_partition = "member";
		OK(cgfs_group_set(g, &res, NULL, &err));
		CHECK_STR(world_cat(w, CGFS_CPUSET, g, "cpuset.cpu_exclusive"), "0");
		/* Only below one that is exclusive itself. */
		res.cpuset_partition = "root";
		REFUSED(cgfs_group_set(g, &res, NULL, &err), -EACCES);
		CHECK_STR(world_cat(w, CGFS_CPUSET, g, "cpuset.cpu_exclusive"), "0");
		return;
	}
	world_need_file(w, CGFS_CPUSET, g, "cpuset.cpus.partition");
	res.cpuset_partition = "member";
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_CPUSET, g, "cpuset.cpus.partition"), "member");
	if (!w->kind->live)
		return;
	/* Below a pod that is no partition the kernel calls it invalid, at once or when asked: an
	 * error either way, with the kernel's reason, and back to what it was. */
	res.cpuset_partition = "root";
	res.set |= CGFS_SET_CPUSET_CPUS;
	res.cpuset_cpus = "0";
	r = cgfs_group_set(g, &res, NULL, &e);
	CHECK_MSG(r < 0, "a partition below a member: \"%s\"",
		  world_cat(w, CGFS_CPUSET, g, "cpuset.cpus.partition"));
	CHECK_HAS(e.text, "partition");
	CHECK_STR(world_cat(w, CGFS_CPUSET, g, "cpuset.cpus.partition"), "member");
	CHECK_STR(world_cat(w, CGFS_CPUSET, g, "cpuset.cpus"), "");
}

WORLD_TEST(controllers_cpuset_bad_lists)
{
	static const char *const bad[] = { "", "0-", "-1", "1-0", ",", "a", "0 -1", "70000" };
	struct cgfs_resources res = only(CGFS_SET_CPUSET_CPUS);
	struct cgfs_group *g = group(w, NULL);

	world_need(w, CGFS_CPUSET);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		res.cpuset_cpus = bad[i];
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "cpuset_cpus");
	}
	res = only(CGFS_SET_CPUSET_MEMS);
	res.cpuset_mems = "60";
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "cpuset.mems");
}

/* -- memory -------------------------------------------------------------------------------------
 */

WORLD_TEST(controllers_memory_swappiness)
{
	static const uint64_t values[] = { 0, 1, 100, 60 };
	struct cgfs_resources res = only(CGFS_SET_MEMORY_SWAPPINESS);
	struct cgfs_group *g = group(w, NULL);

	res.memory_swappiness = 10;
	if (wrong_version(w, CGFS_MEMORY, CGFS_V1, g, &res, "memory.swappiness"))
		return;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		res.memory_swappiness = values[i];
		OK(cgfs_group_set(g, &res, NULL, &err));
		CHECK_INT(world_cat_number(w, CGFS_MEMORY, g, "memory.swappiness"), values[i]);
	}
	res.memory_swappiness = 101;
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "memory_swappiness");
	CHECK_STR(world_cat(w, CGFS_MEMORY, g, "memory.swappiness"), "60");
}

WORLD_TEST(controllers_memory_kernel_tcp)
{
	struct cgfs_resources res = only(CGFS_SET_MEMORY_KERNEL_TCP);
	struct cgfs_group *g = group(w, NULL);
	const char *file = "memory.kmem.tcp.limit_in_bytes";

	res.memory_kernel_tcp_bytes = 8 * MIB;
	if (wrong_version(w, CGFS_MEMORY, CGFS_V1, g, &res, "memory.kernelTCP"))
		return;
	world_need_file(w, CGFS_MEMORY, g, file);
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, g, file), 8 * MIB);
	res.memory_kernel_tcp_bytes = CGFS_MAX;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK(world_cat_number(w, CGFS_MEMORY, g, file) > (uint64_t)1 << 62);
}

WORLD_TEST(controllers_memory_oom_disable)
{
	struct cgfs_resources res = only(CGFS_SET_MEMORY_OOM_DISABLE);
	struct cgfs_group *g = group(w, NULL);

	res.memory_oom_disable = true;
	if (wrong_version(w, CGFS_MEMORY, CGFS_V1, g, &res, "memory.disableOOMKiller"))
		return;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_INT(extra_keyed(w, CGFS_MEMORY, g, "memory.oom_control", "oom_kill_disable"), 1);
	res.memory_oom_disable = false;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_INT(extra_keyed(w, CGFS_MEMORY, g, "memory.oom_control", "oom_kill_disable"), 0);
}

WORLD_TEST(controllers_memory_oom_group)
{
	struct cgfs_resources res = only(CGFS_SET_MEMORY_OOM_GROUP);
	struct cgfs_group *g = group(w, NULL);

	res.memory_oom_group = true;
	if (wrong_version(w, CGFS_MEMORY, CGFS_V2, g, &res, "memory.oom.group"))
		return;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_MEMORY, g, "memory.oom.group"), "1");
	res.memory_oom_group = false;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_MEMORY, g, "memory.oom.group"), "0");
}

WORLD_TEST(controllers_memory_zswap)
{
	struct cgfs_resources res = only(CGFS_SET_MEMORY_ZSWAP_MAX);
	struct cgfs_group *g = group(w, NULL);

	res.memory_zswap_max_bytes = 16 * MIB;
	if (wrong_version(w, CGFS_MEMORY, CGFS_V2, g, &res, "memory.zswap.max"))
		return;
	if (!world_has_file(w, CGFS_MEMORY, g, "memory.zswap.max")) {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EOPNOTSUPP),
			  "memory.zswap.max");
		return;
	}
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, g, "memory.zswap.max"), 16 * MIB);
	res.memory_zswap_max_bytes = CGFS_MAX;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_MEMORY, g, "memory.zswap.max"), "max");
}

/* -- hugetlb ------------------------------------------------------------------------------------
 */

WORLD_TEST(controllers_hugetlb_each_size)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} sizes[] = { { "64KB", 64 * KIB },
		      { "2MB", 2 * MIB },
		      { "32MB", 32 * MIB },
		      { "1GB", 1024 * MIB } };
	struct cgfs_resources res = only(CGFS_SET_HUGETLB);
	struct cgfs_hugetlb huge = { "2MB", 4 * MIB };
	struct cgfs_group *g = group(w, NULL);
	const char *limit = either(w, CGFS_HUGETLB, "limit_in_bytes", "max");
	size_t n = 0;

	res.hugetlb = &huge;
	res.n_hugetlb = 1;
	if (world_version(w, CGFS_HUGETLB) == CGFS_NONE) {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -ENODEV), "hugepageLimits");
		return;
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char file[64], rsvd[64];

		snprintf(file, sizeof(file), "hugetlb.%s.%s", sizes[i].name, limit);
		snprintf(rsvd, sizeof(rsvd), "hugetlb.%s.rsvd.%s", sizes[i].name, limit);
		huge = (struct cgfs_hugetlb){ sizes[i].name, 3 * sizes[i].bytes };
		if (!world_has_file(w, CGFS_HUGETLB, g, file)) {
			CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL),
				  sizes[i].name);
			continue;
		}
		n++;
		OK(cgfs_group_set(g, &res, NULL, &err));
		CHECK_INT(world_cat_number(w, CGFS_HUGETLB, g, file), huge.max_bytes);
		/* A mapping beyond it is refused, not killed at its first touch. */
		if (world_has_file(w, CGFS_HUGETLB, g, rsvd))
			CHECK_INT(world_cat_number(w, CGFS_HUGETLB, g, rsvd), huge.max_bytes);
		huge.max_bytes = 0;
		OK(cgfs_group_set(g, &res, NULL, &err));
		CHECK_STR(world_cat(w, CGFS_HUGETLB, g, file), "0");
		huge.max_bytes = CGFS_MAX;
		OK(cgfs_group_set(g, &res, NULL, &err));
		if (world_v2(w, CGFS_HUGETLB))
			CHECK_STR(world_cat(w, CGFS_HUGETLB, g, file), "max");
		else
			CHECK(world_cat_number(w, CGFS_HUGETLB, g, file) > (uint64_t)1 << 62);
	}
	CHECK_MSG(n > 0, "a hugetlb controller without a page size");
	/* A size that no kernel has. */
	huge = (struct cgfs_hugetlb){ "3MB", 3 * MIB };
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "3MB");
	/* None of it is what the group has anyway; 2048KB are there under another name. */
	huge.max_bytes = 0;
	OK(cgfs_group_set(g, &res, NULL, &err));
	huge.page_size = "2048KB";
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "2048KB");
}

/* -- io -----------------------------------------------------------------------------------------
 */

/* Its number, in the API's and in the files' form. */
static bool disk(struct world *w, struct cgfs_io_device *dev, char text[32])
{
	bool found = extra_disk(w, dev);

	snprintf(text, 32, "%u:%u", dev->major, dev->minor);
	return found;
}

static void need_io(struct world *w, const struct cgfs_group *g)
{
	world_need(w, CGFS_IO);
	world_need_file(w, CGFS_IO, g,
			either(w, CGFS_IO, "blkio.throttle.read_bps_device", "io.max"));
}

WORLD_TEST(controllers_io_throttles)
{
	static const char *const v1[] = { "read_bps", "write_bps", "read_iops", "write_iops" };
	static const char *const v2[] = { "rbps", "wbps", "riops", "wiops" };
	static const uint64_t value[] = { 1048576, 2097152, 300, 400 };
	struct cgfs_resources res = only(CGFS_SET_IO_DEVICES);
	struct cgfs_group *g = group(w, NULL);
	struct cgfs_io_device dev;
	char number[32], want[96], file[64];

	need_io(w, g);
	if (!disk(w, &dev, number))
		world_skip(w, "no disk that could be throttled");
	dev.set = CGFS_IO_READ_BPS | CGFS_IO_WRITE_BPS | CGFS_IO_READ_IOPS | CGFS_IO_WRITE_IOPS;
	dev.read_bps = value[0];
	dev.write_bps = value[1];
	dev.read_iops = value[2];
	dev.write_iops = value[3];
	res.io_devices = &dev;
	res.n_io_devices = 1;
	OK(cgfs_group_set(g, &res, NULL, &err));
	for (int i = 0; i < 4; i++) {
		snprintf(file, sizeof(file), "blkio.throttle.%s_device", v1[i]);
		snprintf(want, sizeof(want), "%s%s%s%llu", world_v2(w, CGFS_IO) ? "" : number,
			 world_v2(w, CGFS_IO) ? v2[i] : "", world_v2(w, CGFS_IO) ? "=" : " ",
			 (unsigned long long)value[i]);
		CHECK_HAS(world_cat(w, CGFS_IO, g, world_v2(w, CGFS_IO) ? "io.max" : file), want);
	}
	/* One of them is lifted, the rest stays. */
	dev.set = CGFS_IO_READ_BPS;
	dev.read_bps = CGFS_MAX;
	OK(cgfs_group_set(g, &res, NULL, &err));
	if (world_v2(w, CGFS_IO)) {
		CHECK_HAS(world_cat(w, CGFS_IO, g, "io.max"), "rbps=max wbps=2097152 riops=300");
	} else {
		CHECK_STR(world_cat(w, CGFS_IO, g, "blkio.throttle.read_bps_device"), "");
		CHECK_HAS(world_cat(w, CGFS_IO, g, "blkio.throttle.write_bps_device"), "2097152");
	}
	dev.set = CGFS_IO_WRITE_BPS | CGFS_IO_READ_IOPS | CGFS_IO_WRITE_IOPS;
	dev.write_bps = dev.read_iops = dev.write_iops = CGFS_MAX;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_IO, g,
			    either(w, CGFS_IO, "blkio.throttle.write_iops_device", "io.max")),
		  "");
}

WORLD_TEST(controllers_io_of_no_device)
{
	struct cgfs_io_device dev = { 4000, 1, CGFS_IO_READ_BPS, .read_bps = 1000 };
	struct cgfs_resources res = only(CGFS_SET_IO_DEVICES);
	struct cgfs_group *g = group(w, NULL);
	const char *text;

	need_io(w, g);
	res.io_devices = &dev;
	res.n_io_devices = 1;
	text = REFUSED(cgfs_group_set(g, &res, NULL, &err), -ENODEV);
	CHECK_HAS(text, "4000:1");
	CHECK_HAS(text, either(w, CGFS_IO, "blkio.throttle.read_bps_device", "io.max"));
}

WORLD_TEST(controllers_io_latency)
{
	struct cgfs_resources res = only(CGFS_SET_IO_DEVICES);
	struct cgfs_group *g = group(w, NULL);
	struct cgfs_io_device dev;
	char number[32];

	need_io(w, g);
	if (!disk(w, &dev, number))
		world_skip(w, "no disk that could have a latency");
	dev.set = CGFS_IO_LATENCY;
	dev.latency_us = 5000;
	res.io_devices = &dev;
	res.n_io_devices = 1;
	if (!world_v2(w, CGFS_IO)) {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EOPNOTSUPP), "latency");
		return;
	}
	if (!world_has_file(w, CGFS_IO, g, "io.latency")) {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EOPNOTSUPP), "io.latency");
		return;
	}
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_HAS(world_cat(w, CGFS_IO, g, "io.latency"), "target=5000");
	dev.latency_us = 0;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_IO, g, "io.latency"), "");
}

/* BFQ has OCI's scale, iocost its own; without either there is no weight. */
WORLD_TEST(controllers_io_weight)
{
	const char *bfq, *plain;
	struct cgfs_resources res = only(CGFS_SET_IO_WEIGHT);
	struct cgfs_group *g = group(w, NULL);

	world_need(w, CGFS_IO);
	bfq = either(w, CGFS_IO, "blkio.bfq.weight", "io.bfq.weight");
	plain = either(w, CGFS_IO, "blkio.weight", "io.weight");
	res.io_weight = 500;
	if (world_has_file(w, CGFS_IO, g, bfq)) {
		OK(cgfs_group_set(g, &res, NULL, &err));
		CHECK_HAS(world_cat(w, CGFS_IO, g, bfq), "500");
	} else if (world_has_file(w, CGFS_IO, g, plain)) {
		OK(cgfs_group_set(g, &res, NULL, &err));
		CHECK_HAS(world_cat(w, CGFS_IO, g, plain),
			  either(w, CGFS_IO, "500", "default 4500"));
	} else {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EOPNOTSUPP), bfq);
	}
	res.io_weight = 9;
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "io_weight");
	res.io_weight = 1001;
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "io_weight");
}

/* -- rdma, misc, net ----------------------------------------------------------------------------
 */

WORLD_TEST(controllers_rdma_names_its_device)
{
	struct cgfs_rdma rdma = { "nosuch_0", 10, CGFS_MAX };
	struct cgfs_resources res = only(CGFS_SET_RDMA);
	struct cgfs_group *g = group(w, NULL);
	const char *text;

	res.rdma = &rdma;
	res.n_rdma = 1;
	if (world_version(w, CGFS_RDMA) == CGFS_NONE) {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -ENODEV), "rdma");
		return;
	}
	text = REFUSED(cgfs_group_set(g, &res, NULL, &err), -ENODEV);
	CHECK_HAS(text, "rdma.max");
	CHECK_HAS(text, "nosuch_0 hca_handle=10 hca_object=max");
}

WORLD_TEST(controllers_misc_names_its_resource)
{
	struct cgfs_misc misc = { "nosuch", 5 };
	struct cgfs_resources res = only(CGFS_SET_MISC);
	struct cgfs_group *g = group(w, NULL);
	const char *text;

	res.misc = &misc;
	res.n_misc = 1;
	if (world_version(w, CGFS_MISC) == CGFS_NONE) {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -ENODEV), "misc");
		return;
	}
	text = REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL);
	CHECK_HAS(text, "misc.max");
	CHECK_HAS(text, "nosuch 5");
	misc.max = CGFS_MAX;
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EINVAL), "nosuch max");
}

WORLD_TEST(controllers_net_cls_classid)
{
	struct cgfs_resources res = only(CGFS_SET_NET_CLASSID);
	struct cgfs_group *g = group(w, NULL);

	res.net_classid = 0x100001;
	if (world_version(w, CGFS_NET_CLS) != CGFS_V1) {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -ENODEV), "network.classID");
		return;
	}
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_INT(world_cat_number(w, CGFS_NET_CLS, g, "net_cls.classid"), 0x100001);
	res.net_classid = 0;
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_NET_CLS, g, "net_cls.classid"), "0");
}

WORLD_TEST(controllers_net_prio_interfaces)
{
	struct cgfs_net_prio prio = { "lo", 7 };
	struct cgfs_resources res = only(CGFS_SET_NET_PRIO);
	struct cgfs_group *g = group(w, NULL);

	res.net_prio = &prio;
	res.n_net_prio = 1;
	if (world_version(w, CGFS_NET_PRIO) != CGFS_V1) {
		CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -ENODEV),
			  "network.priorities");
		return;
	}
	OK(cgfs_group_set(g, &res, NULL, &err));
	CHECK_INT(extra_keyed(w, CGFS_NET_PRIO, g, "net_prio.ifpriomap", "lo"), 7);
	prio.interface = "nosuch0";
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -ENODEV), "nosuch0");
}
