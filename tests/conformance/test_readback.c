// SPDX-License-Identifier: MIT
/*
 * test_readback.c - what a cpuset has, its flags on v1, peaks that begin anew, and every limit as
 * it is in force.
 */
#include "extra.h"

#include <stdlib.h>
#include <unistd.h>

static struct cgfs_cpuset *cpuset(struct cgfs_group *g)
{
	struct cgfs_cpuset *set = NULL;

	OK(cgfs_group_cpuset(g, &set, &err));
	return set;
}

WORLD_TEST(readback_cpuset)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr;
	struct cgfs_cpuset *set;
	bool v1;

	world_need(w, CGFS_CPUSET);
	v1 = world_version(w, CGFS_CPUSET) == CGFS_V1;
	res.set = CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS;
	res.cpuset_cpus = "0";
	res.cpuset_mems = "0";
	ctr = world_container(w, NULL, c, "c1", &res);
	set = cpuset(ctr);
	CHECK_STR(set->cpus, "0");
	CHECK_STR(set->mems, "0");
	CHECK_STR(set->effective_cpus, "0");
	CHECK_STR(set->effective_mems, "0");
	CHECK(v1 == !set->partition);
	if (!v1)
		CHECK_STR(set->partition, "member");
	CHECK_INT(set->flags, v1 ? CGFS_CPUSET_SCHED_LOAD_BALANCE : 0);
	free(set);
}

/* v2 takes more than there is to be had, and gives what there is; v1 refuses it. */
WORLD_TEST(readback_cpuset_that_differs_is_reported)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_applied a = CGFS_APPLIED_INIT;
	struct cgfs_group *pod, *ctr;
	struct cgfs_cpuset *set;
	char *json = NULL;

	world_need(w, CGFS_CPUSET);
	if (w->kind->live && sysconf(_SC_NPROCESSORS_ONLN) < 2)
		world_skip(w, "there is one processor");
	res.set = CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS;
	res.cpuset_cpus = "0";
	res.cpuset_mems = "0";
	pod = world_pod(w, c, "web", NULL);
	OK(cgfs_group_set(pod, &res, CGFS_SET_OPTS_APPLIED(&a), &err));
	CHECK_INT(a.set, res.set);
	CHECK(!a.cpus_differ && !a.mems_differ);
	if (world_version(w, CGFS_CPUSET) == CGFS_V1)
		return;
	ctr = world_container(w, pod, c, "c1", NULL);
	res.set = CGFS_SET_CPUSET_CPUS;
	res.cpuset_cpus = "0-1";
	OK(cgfs_group_set(ctr, &res, CGFS_SET_OPTS_APPLIED(&a), &err));
	CHECK_INT(a.set, CGFS_SET_CPUSET_CPUS);
	CHECK(a.cpus_differ && !a.mems_differ);
	a = (struct cgfs_applied)CGFS_APPLIED_INIT;
	OK(cgfs_group_limits(ctr, &a, &err));
	CHECK(a.cpus_differ);
	set = cpuset(ctr);
	CHECK(set->cpus_differ && !set->mems_differ);
	free(set);
	OK(cgfs_group_json(ctr, CGFS_READ_ALL, &json, &err));
	CHECK_HAS(json, "\"differs\":[\"cpus\"]");
	free(json);
}

/* v1 hands its parent's down at once, cgroup2 shows what is in effect. */
WORLD_TEST(readback_cpuset_without_its_own)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr;
	struct cgfs_cpuset *set;

	world_need(w, CGFS_CPUSET);
	ctr = world_container(w, NULL, c, "c1", NULL);
	set = cpuset(ctr);
	CHECK(*set->effective_cpus && *set->effective_mems);
	if (world_version(w, CGFS_CPUSET) == CGFS_V1)
		CHECK_STR(set->cpus, set->effective_cpus);
	else
		CHECK_STR(set->cpus, "");
	free(set);
}

WORLD_TEST(readback_cpuset_flags)
{
	const unsigned int on = CGFS_CPUSET_MEMORY_MIGRATE | CGFS_CPUSET_MEMORY_SPREAD_PAGE;
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr;
	struct cgfs_cpuset *set;

	world_need(w, CGFS_CPUSET);
	ctr = world_container(w, NULL, c, "c1", NULL);
	if (world_v2(w, CGFS_CPUSET)) {
		CHECK_HAS(REFUSED(cgfs_group_set_cpuset_flags(ctr, on, on, &err), -EOPNOTSUPP),
			  "cpuset");
		return;
	}
	OK(cgfs_group_set_cpuset_flags(ctr, on | CGFS_CPUSET_SCHED_LOAD_BALANCE, on, &err));
	set = cpuset(ctr);
	CHECK_INT(set->flags, on);
	free(set);
	CHECK_INT(world_cat_number(w, CGFS_CPUSET, ctr, "cpuset.memory_migrate"), 1);
	CHECK_INT(world_cat_number(w, CGFS_CPUSET, ctr, "cpuset.sched_load_balance"), 0);
	OK(cgfs_group_set_cpuset_flags(ctr, CGFS_CPUSET_MEMORY_MIGRATE, 0, &err));
	set = cpuset(ctr);
	CHECK_INT(set->flags, CGFS_CPUSET_MEMORY_SPREAD_PAGE);
	free(set);
	REFUSED(cgfs_group_set_cpuset_flags(ctr, 1u << 30, 1u << 30, &err), -EINVAL);
	REFUSED(cgfs_group_set_cpuset_flags(ctr, 0, on, &err), -EINVAL);
}

/* The parent is not exclusive, so the child must not be; what was changed before is put back. */
WORLD_TEST(readback_cpuset_flags_all_or_nothing)
{
	const unsigned int which = CGFS_CPUSET_CPU_EXCLUSIVE | CGFS_CPUSET_MEM_EXCLUSIVE;
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod, *ctr;
	struct cgfs_cpuset *set;
	unsigned int before;

	world_need(w, CGFS_CPUSET);
	if (world_v2(w, CGFS_CPUSET))
		world_skip(w, "cgroup2 has no such flags");
	res.set = CGFS_SET_CPUSET_CPUS;
	res.cpuset_cpus = "0";
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", &res);
	set = cpuset(ctr);
	before = set->flags;
	free(set);
	CHECK_HAS(REFUSED(cgfs_group_set_cpuset_flags(ctr, which | CGFS_CPUSET_MEMORY_MIGRATE,
						      which | CGFS_CPUSET_MEMORY_MIGRATE, &err),
			  -EACCES),
		  "cpuset.cpu_exclusive");
	set = cpuset(ctr);
	CHECK_INT(set->flags, before);
	free(set);
}

WORLD_TEST(readback_peak_begins_anew)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_err why = { 0 };
	struct cgfs_group *ctr;
	uint64_t high, now;
	pid_t pid;
	int r;

	world_need(w, CGFS_MEMORY);
	res.set = CGFS_SET_MEMORY_MAX;
	res.memory_max_bytes = 256 * MIB;
	ctr = world_container(w, NULL, c, "c1", &res);
	world_need_file(w, CGFS_MEMORY, ctr,
			world_v2(w, CGFS_MEMORY) ? "memory.peak" : "memory.max_usage_in_bytes");
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 64 * MIB), 0);
	w->ops->release(w, pid, 64 * MIB);
	high = world_stat(ctr, CGFS_STAT_MEMORY_PEAK);
	CHECK(high >= 64 * MIB);
	r = cgfs_group_reset_peak(ctr, &why);
	if (r == -EOPNOTSUPP) {
		CHECK(world_v2(w, CGFS_MEMORY));
		CHECK_HAS(why.text, "6.12");
		CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_PEAK), high);
		/* A fake's kernel is known. */
		CHECK(w->kind->live || w->kind->kernel.major == 6);
		CHECK(w->kind->live || w->kind->kernel.minor < 12);
		world_skip(w, "this kernel cannot");
	}
	CHECK_MSG(r == 0, "%s", why.text);
	now = world_stat(ctr, CGFS_STAT_MEMORY_PEAK);
	CHECK_MSG(now < 32 * MIB, "the peak is still %llu", (unsigned long long)now);
	CHECK_INT(w->ops->alloc(w, pid, 48 * MIB), 0);
	w->ops->release(w, pid, 48 * MIB);
	now = world_stat(ctr, CGFS_STAT_MEMORY_PEAK);
	CHECK_MSG(now >= 48 * MIB && now < high, "the peak is %llu", (unsigned long long)now);
	/* And once more. */
	OK(cgfs_group_reset_peak(ctr, &err));
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_PEAK) < 32 * MIB);
}

/* -- limits -------------------------------------------------------------------------------------
 */

#define ROW(bit, name, value, also)                                                                \
	{                                                                                          \
		CGFS_SET_##bit, #name, offsetof(struct cgfs_resources, name),                      \
			offsetof(struct cgfs_applied, name),                                       \
			sizeof(((struct cgfs_applied *)0)->name), value, also                      \
	}

/* Every limit that is one value: what was set, or that it is not known where it cannot be set. */
static const struct limit_row {
	uint64_t bit;
	const char *name;
	size_t to, from, size;
	uint64_t value, also;
} rows[] = {
	ROW(MEMORY_MAX, memory_max_bytes, 64 * MIB, 0),
	ROW(MEMORY_SWAP, memory_swap_bytes, 96 * MIB, CGFS_SET_MEMORY_MAX),
	ROW(MEMORY_LOW, memory_low_bytes, 8 * MIB, 0),
	ROW(MEMORY_HIGH, memory_high_bytes, 48 * MIB, 0),
	ROW(MEMORY_MIN, memory_min_bytes, 4 * MIB, 0),
	ROW(MEMORY_ZSWAP_MAX, memory_zswap_max_bytes, 16 * MIB, 0),
	ROW(MEMORY_SWAPPINESS, memory_swappiness, 35, 0),
	ROW(MEMORY_KERNEL, memory_kernel_bytes, 20 * MIB, 0),
	ROW(ZSWAP_WRITEBACK, memory_zswap_writeback, 0, 0),
	ROW(MEMORY_KERNEL_TCP, memory_kernel_tcp_bytes, 12 * MIB, 0),
	ROW(MEMORY_OOM_GROUP, memory_oom_group, 1, 0),
	ROW(MEMORY_OOM_DISABLE, memory_oom_disable, 1, 0),
	ROW(CPU_WEIGHT, cpu_weight, 250, 0),
	ROW(CPU_QUOTA, cpu_quota_us, 70000, 0),
	ROW(CPU_PERIOD, cpu_period_us, 50000, 0),
	ROW(CPU_BURST, cpu_burst_us, 30000, CGFS_SET_CPU_QUOTA),
	ROW(CPU_IDLE, cpu_idle, 1, 0),
	ROW(CPU_RT_RUNTIME, cpu_rt_runtime_us, 0, 0),
	ROW(CPU_RT_PERIOD, cpu_rt_period_us, 400000, CGFS_SET_CPU_RT_RUNTIME),
	ROW(PIDS_MAX, pids_max, 77, 0),
	ROW(IO_WEIGHT, io_weight, 300, 0),
	ROW(NET_CLASSID, net_classid, 0x10002, 0),
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static struct cgfs_resources resources_of(const struct limit_row *row)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = row->bit | row->also;
	res.memory_max_bytes = 64 * MIB;
	res.cpu_quota_us = 70000;
	memcpy((char *)&res + row->to, &row->value, row->size);
	return res;
}

static void check_row(const struct limit_row *row, const struct cgfs_applied *a)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)a + row->from, row->size);
	CHECK_MSG(a->set & row->bit, "%s is not known", row->name);
	CHECK_MSG(value == row->value, "%s is %llu, not %llu", row->name, (unsigned long long)value,
		  (unsigned long long)row->value);
}

static void check_every_limit(struct world *w)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_applied a = CGFS_APPLIED_INIT;
	struct cgfs_group *pod;
	uint64_t known = 0;

	pod = world_pod(w, c, "web", NULL);
	for (size_t i = 0; i < N_ROWS; i++) {
		struct cgfs_resources res = resources_of(&rows[i]);
		struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
		struct cgfs_err why = { 0 };
		int r;

		r = cgfs_group_set(ctr, &res, NULL, &why);
		OK(cgfs_group_limits(ctr, &a, &err));
		if (r == 0)
			check_row(&rows[i], &a);
		else
			CHECK_MSG(r == -EOPNOTSUPP || r == -ENODEV, "%s: %d (%s)", rows[i].name, r,
				  why.text);
		/* The file of the kernel's memory outlived what it did. */
		if (r < 0 && rows[i].bit != CGFS_SET_MEMORY_KERNEL)
			CHECK_MSG(!(a.set & rows[i].bit), "%s is known", rows[i].name);
		/* And the result of an update has the same. */
		if (r == 0) {
			OK(cgfs_group_set(ctr, &res, CGFS_SET_OPTS_APPLIED(&a), &err));
			check_row(&rows[i], &a);
			CHECK_INT(a.set & ~res.set, 0);
		}
		known |= r == 0 ? rows[i].bit : 0;
		world_destroy(w, ctr);
	}
	if (world_version(w, CGFS_CPU) != CGFS_NONE && world_version(w, CGFS_MEMORY) != CGFS_NONE)
		CHECK(known & CGFS_SET_MEMORY_MAX && known & CGFS_SET_CPU_QUOTA);
}

WORLD_TEST(readback_every_limit)
{
	if (world_fake(w))
		fake_add_disk(world_fake(w), FAKE_BFQ);
	check_every_limit(w);
}

/* The weight is iocost's then, or there is none. */
WORLD_TEST(readback_every_limit_without_bfq)
{
	if (w->kind->live)
		world_skip(w, "a kernel has BFQ or not");
	check_every_limit(w);
}

/* Before 5.11: the kernel's memory has a limit, and hierarchy is something to switch on. */
WORLD_TEST(readback_old_memory)
{
	const char *file = "memory.use_hierarchy";
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod, *ctr;
	struct cgfs *c;

	if (!world_fake(w) || world_version(w, CGFS_MEMORY) != CGFS_V1)
		world_skip(w, "plays v1 of an old kernel, on a fake");
	fake_old_memory(world_fake(w));
	c = world_context(w, WORLD_FILES);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	CHECK_STR(world_cat(w, CGFS_MEMORY, pod, file), "1");
	CHECK_STR(world_cat(w, CGFS_MEMORY, ctr, file), "1");
	res.set = CGFS_SET_MEMORY_KERNEL;
	res.memory_kernel_bytes = 32 * MIB;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, ctr, "memory.kmem.limit_in_bytes"), 32 * MIB);
	res.memory_kernel_bytes = CGFS_MAX;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	world_destroy(w, ctr);
	world_destroy(w, pod);
	check_every_limit(w);
}

/* The pods root is another process's, made without hierarchy: pods have it all the same. */
WORLD_TEST(readback_old_memory_in_anothers_root)
{
	struct cgfs_group *ctr;
	struct cgfs *c;

	if (!world_fake(w) || world_version(w, CGFS_MEMORY) != CGFS_V1)
		world_skip(w, "plays v1 of an old kernel, on a fake");
	fake_old_memory(world_fake(w));
	CHECK_INT(w->ops->mkdir(w, CGFS_MEMORY, w->root), 0);
	w->root_by_hand = true;
	c = world_context(w, WORLD_FILES);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	CHECK_STR(world_cat(w, CGFS_MEMORY, cgfs_group_pod(ctr), "memory.use_hierarchy"), "1");
	CHECK_STR(world_cat(w, CGFS_MEMORY, ctr, "memory.use_hierarchy"), "1");
}

static void check_disk(struct cgfs_group *g, const struct cgfs_io_device *want)
{
	struct cgfs_io_device *dev = NULL;
	size_t n = 7;

	OK(cgfs_group_io_limits(g, &dev, &n, &err));
	CHECK_INT(n, want->set != 0);
	CHECK((dev != NULL) == (n > 0));
	if (!n)
		return;
	CHECK_INT(dev->major, want->major);
	CHECK_INT(dev->minor, want->minor);
	CHECK_INT(dev->set, want->set);
	if (want->set & CGFS_IO_READ_BPS)
		CHECK_INT(dev->read_bps, want->read_bps);
	if (want->set & CGFS_IO_WRITE_BPS)
		CHECK_INT(dev->write_bps, want->write_bps);
	if (want->set & CGFS_IO_READ_IOPS)
		CHECK_INT(dev->read_iops, want->read_iops);
	if (want->set & CGFS_IO_WRITE_IOPS)
		CHECK_INT(dev->write_iops, want->write_iops);
	if (want->set & CGFS_IO_WEIGHT)
		CHECK_INT(dev->weight, want->weight);
	if (want->set & CGFS_IO_LATENCY)
		CHECK_INT(dev->latency_us, want->latency_us);
	free(dev);
}

WORLD_TEST(readback_io_limits)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_io_device dev, want, *none = NULL;
	struct cgfs_group *ctr;
	size_t n = 0;

	if (world_fake(w))
		fake_add_disk(world_fake(w), FAKE_IOLATENCY);
	ctr = world_container(w, NULL, c, "c1", NULL);
	if (world_version(w, CGFS_IO) == CGFS_NONE) {
		REFUSED(cgfs_group_io_limits(ctr, &none, &n, &err), -ENODEV);
		return;
	}
	world_need_file(w, CGFS_IO, ctr,
			world_v2(w, CGFS_IO) ? "io.max" : "blkio.throttle.read_bps_device");
	if (!extra_disk(w, &dev))
		world_skip(w, "no disk that could be throttled");
	want = dev;
	check_disk(ctr, &want);
	dev.set = CGFS_IO_READ_BPS | CGFS_IO_WRITE_BPS | CGFS_IO_READ_IOPS | CGFS_IO_WRITE_IOPS;
	dev.read_bps = 1000000;
	dev.write_bps = 2000000;
	dev.read_iops = 300;
	dev.write_iops = CGFS_MAX;
	if (world_has_file(w, CGFS_IO, ctr, "io.latency"))
		dev.set |= CGFS_IO_LATENCY;
	dev.latency_us = 5000;
	res.set = CGFS_SET_IO_DEVICES;
	res.io_devices = &dev;
	res.n_io_devices = 1;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	want = dev;
	want.set &= ~CGFS_IO_WRITE_IOPS; /* no limit is none */
	check_disk(ctr, &want);
	dev.read_bps = dev.write_bps = dev.read_iops = CGFS_MAX;
	dev.latency_us = 0;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	want.set = 0;
	check_disk(ctr, &want);
}

/* Gives the disk another scheduler, in a guest, which is ours alone; *ret_was is the present one,
 * or
 * "" where there is no such. */
static void scheduler(const char *name, char ret_was[64])
{
	const char *path = "/sys/block/nullb0/queue/scheduler";
	FILE *f = getenv("CGFS_TEST_GUEST") ? fopen(path, "r+e") : NULL;
	const char *start, *end;
	char text[256] = "";

	ret_was[0] = '\0';
	if (!f)
		return;
	if (fgets(text, sizeof(text), f) && strstr(text, name)) {
		start = strchr(text, '[');
		end = strchr(text, ']');
		if (start && end)
			snprintf(ret_was, 64, "%.*s", (int)(end - start - 1), start + 1);
		rewind(f);
		fputs(name, f);
	}
	CHECK(fclose(f) == 0);
}

/* A weight for one disk, beside the group's; a refused update puts it back, or takes it away. */
static void disk_weight(struct world *w, unsigned int feature, const char *file)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_io_device dev[2], want;
	struct cgfs_group *ctr;

	world_need(w, CGFS_IO);
	if (world_fake(w))
		fake_add_disk(world_fake(w), feature);
	ctr = world_container(w, NULL, c, "c1", NULL);
	world_need_file(w, CGFS_IO, ctr, file);
	extra_disk(w, &dev[0]);
	dev[0].set = CGFS_IO_WEIGHT;
	dev[1] = dev[0];
	dev[1].major = 4000;
	res.set = CGFS_SET_IO_DEVICES;
	res.io_devices = dev;
	for (uint64_t weight = 200; weight <= 400; weight += 200) {
		want = dev[0];
		if (weight == 200)
			want.set = 0; /* none before */
		dev[0].weight = dev[1].weight = weight;
		res.n_io_devices = 2;
		REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -ENODEV);
		check_disk(ctr, &want);
		res.n_io_devices = 1;
		OK(cgfs_group_set(ctr, &res, NULL, &err));
		check_disk(ctr, &dev[0]);
	}
	CHECK_HAS(world_cat(w, CGFS_IO, ctr, file), feature & FAKE_IOCOST ? " 3400" : " 400");
}

WORLD_TEST(readback_bfq_weight_of_a_disk)
{
	char was[64], bfq[64];

	scheduler("bfq", was);
	if (w->kind->live && !*was)
		world_skip(w, "no disk here can be given another scheduler");
	disk_weight(w, FAKE_BFQ,
		    world_v2(w, CGFS_IO) ? "io.bfq.weight" : "blkio.bfq.weight_device");
	if (!*was)
		return;
	scheduler(was, bfq);
	CHECK_STR(bfq, "bfq");
}

/* Beside BFQ, which is not this disk's scheduler. */
WORLD_TEST(readback_iocost_weight_of_a_disk)
{
	if (!world_v2(w, CGFS_IO))
		world_skip(w, "iocost is cgroup2's");
	if (w->kind->live)
		world_skip(w, "a disk that was given to iocost once keeps it");
	disk_weight(w, FAKE_BFQ | FAKE_IOCOST, "io.weight");
}

/* A disk of neither: the error gives the reason, and names the value. */
WORLD_TEST(readback_no_weight_of_a_disk)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_io_device dev;
	struct cgfs_group *ctr = world_container(w, NULL, c, "c1", NULL);
	const char *text;

	world_need(w, CGFS_IO);
	if (!extra_disk(w, &dev))
		world_skip(w, "no disk");
	dev.set = CGFS_IO_WEIGHT;
	dev.weight = 200;
	res.set = CGFS_SET_IO_DEVICES;
	res.io_devices = &dev;
	res.n_io_devices = 1;
	if (w->kind->live && cgfs_group_set(ctr, &res, NULL, NULL) == 0)
		world_skip(w, "this disk has weights");
	text = REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -EOPNOTSUPP);
	CHECK_HAS(text, "I/O scheduler");
	dev.set = 0;
	check_disk(ctr, &dev);
}

WORLD_TEST(readback_net_priorities)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *ctr = world_container(w, NULL, c, "c1", NULL);
	struct cgfs_net_prio prio = { "lo", 7 }, *list = NULL;
	size_t n = 0, lo = 0;

	if (world_version(w, CGFS_NET_PRIO) == CGFS_NONE) {
		REFUSED(cgfs_group_net_prio(ctr, &list, &n, &err), -ENODEV);
		return;
	}
	res.set = CGFS_SET_NET_PRIO;
	res.net_prio = &prio;
	res.n_net_prio = 1;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	OK(cgfs_group_net_prio(ctr, &list, &n, &err));
	for (size_t i = 0; i < n; i++) {
		bool is_lo = strcmp(list[i].interface, "lo") == 0;

		CHECK_INT(list[i].priority, is_lo ? 7 : 0);
		lo += is_lo;
	}
	CHECK_INT(lo, 1);
	free(list);
}
