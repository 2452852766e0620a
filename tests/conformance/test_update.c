// SPDX-License-Identifier: MIT
/*
 * test_update.c - updates are all or nothing: what was written is put back when something later
 * is refused, memory limits do not kill unless the caller allows it, and a pod changes together
 * with its containers.
 */
#include "extra.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* -- roll-back: every control file that an update can touch, before and after -------------------
 */

static const struct {
	enum cgfs_controller ctl;
	const char *file;
} touched[] = {
	{ CGFS_CPU, "cpu.shares" },
	{ CGFS_CPU, "cpu.cfs_quota_us" },
	{ CGFS_CPU, "cpu.cfs_period_us" },
	{ CGFS_CPU, "cpu.cfs_burst_us" },
	{ CGFS_CPU, "cpu.weight" },
	{ CGFS_CPU, "cpu.max" },
	{ CGFS_CPU, "cpu.max.burst" },
	{ CGFS_CPU, "cpu.idle" },
	{ CGFS_CPUSET, "cpuset.cpus" },
	{ CGFS_CPUSET, "cpuset.mems" },
	{ CGFS_CPUSET, "cpuset.cpu_exclusive" },
	{ CGFS_CPUSET, "cpuset.cpus.partition" },
	{ CGFS_MEMORY, "memory.limit_in_bytes" },
	{ CGFS_MEMORY, "memory.memsw.limit_in_bytes" },
	{ CGFS_MEMORY, "memory.soft_limit_in_bytes" },
	{ CGFS_MEMORY, "memory.swappiness" },
	{ CGFS_MEMORY, "memory.kmem.tcp.limit_in_bytes" },
	{ CGFS_MEMORY, "memory.oom_control" },
	{ CGFS_MEMORY, "memory.max" },
	{ CGFS_MEMORY, "memory.high" },
	{ CGFS_MEMORY, "memory.low" },
	{ CGFS_MEMORY, "memory.min" },
	{ CGFS_MEMORY, "memory.swap.max" },
	{ CGFS_MEMORY, "memory.oom.group" },
	{ CGFS_PIDS, "pids.max" },
	{ CGFS_IO, "blkio.throttle.read_bps_device" },
	{ CGFS_IO, "blkio.throttle.write_iops_device" },
	{ CGFS_IO, "io.max" },
	{ CGFS_HUGETLB, "hugetlb.2MB.max" },
	{ CGFS_HUGETLB, "hugetlb.2MB.rsvd.max" },
	{ CGFS_HUGETLB, "hugetlb.2MB.limit_in_bytes" },
};
#define N_TOUCHED (sizeof(touched) / sizeof(touched[0]))

struct snapshot {
	char text[N_TOUCHED][512];
};

static void take(struct world *w, const struct cgfs_group *g, struct snapshot *s)
{
	for (size_t i = 0; i < N_TOUCHED; i++) {
		int r = w->ops->cat(w, touched[i].ctl, cgfs_group_path(g), touched[i].file,
				    s->text[i], sizeof(s->text[i]));

		if (r < 0)
			snprintf(s->text[i], sizeof(s->text[i]), "none");
	}
}

static void check_same(struct world *w, const struct cgfs_group *g, const struct snapshot *before,
		       const char *when)
{
	static struct snapshot now;

	take(w, g, &now);
	for (size_t i = 0; i < N_TOUCHED; i++)
		CHECK_MSG(strcmp(now.text[i], before->text[i]) == 0,
			  "%s: %s was \"%s\" and is now \"%s\"", when, touched[i].file,
			  before->text[i], now.text[i]);
}

static size_t count_changed(struct world *w, const struct cgfs_group *g,
			    const struct snapshot *before)
{
	static struct snapshot now;
	size_t n = 0;

	take(w, g, &now);
	for (size_t i = 0; i < N_TOUCHED; i++)
		n += strcmp(now.text[i], before->text[i]) != 0;
	return n;
}

/* A disk that this world has: the fake's, or the first one of this machine. */
static bool disk(struct world *w, uint32_t *ret_major, uint32_t *ret_minor)
{
	unsigned int major, minor;
	unsigned long long blocks;
	char line[256], name[64];
	bool found = false;
	FILE *f;

	*ret_major = 8;
	*ret_minor = 0;
	if (!w->kind->live)
		return true;
	f = fopen("/proc/partitions", "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %u %llu %63s", &major, &minor, &blocks, name) == 4 &&
		    strncmp(name, "loop", 4) != 0 && strncmp(name, "zram", 4) != 0) {
			*ret_major = major;
			*ret_minor = minor;
			found = true;
		}
	}
	if (f)
		fclose(f);
	return found;
}

struct everything {
	struct cgfs_resources res;
	struct cgfs_io_device io[2];
	struct cgfs_hugetlb huge;
};

/* All that this layout can change at once; @factor makes two of them differ everywhere. */
static void fill(struct world *w, struct cgfs_group *g, struct everything *e, unsigned int factor,
		 bool idle)
{
	struct cgfs_resources *res = &e->res;

	memset(e, 0, sizeof(*e));
	*res = (struct cgfs_resources)CGFS_RESOURCES_INIT;
	res->set = CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD | CGFS_SET_PIDS_MAX;
	res->cpu_quota_us = 20000 * factor;
	res->cpu_period_us = 100000 / factor;
	res->pids_max = 100 * factor;
	if (world_version(w, CGFS_CPUSET) != CGFS_NONE) {
		res->set |= CGFS_SET_CPUSET_CPUS;
		res->cpuset_cpus = factor == 1 ? "0" : "0-1";
	}
	if (world_has_file(w, CGFS_CPU, g, "cpu.idle") && idle) {
		res->set |= CGFS_SET_CPU_IDLE;
		res->cpu_idle = true;
	} else {
		res->set |= CGFS_SET_CPU_WEIGHT;
		res->cpu_weight = 250 * factor;
	}
	if (world_has_file(w, CGFS_CPU, g,
			   world_v2(w, CGFS_CPU) ? "cpu.max.burst" : "cpu.cfs_burst_us")) {
		res->set |= CGFS_SET_CPU_BURST;
		res->cpu_burst_us = 3000 * factor;
	}
	if (world_version(w, CGFS_MEMORY) != CGFS_NONE) {
		res->set |= CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_LOW;
		res->memory_max_bytes = 64 * MIB * factor;
		res->memory_low_bytes = 4 * MIB * factor;
	}
	if (world_version(w, CGFS_MEMORY) == CGFS_V1) {
		res->set |= CGFS_SET_MEMORY_SWAPPINESS | CGFS_SET_MEMORY_OOM_DISABLE;
		res->memory_swappiness = 20 * factor;
		res->memory_oom_disable = factor > 1;
	} else if (world_v2(w, CGFS_MEMORY)) {
		res->set |= CGFS_SET_MEMORY_HIGH | CGFS_SET_MEMORY_MIN | CGFS_SET_MEMORY_OOM_GROUP;
		res->memory_high_bytes = 48 * MIB * factor;
		res->memory_min_bytes = MIB * factor;
		res->memory_oom_group = factor > 1;
	}
	if (world_has_file(w, CGFS_IO, g,
			   world_v2(w, CGFS_IO) ? "io.max" : "blkio.throttle.read_bps_device") &&
	    disk(w, &e->io[0].major, &e->io[0].minor)) {
		res->set |= CGFS_SET_IO_DEVICES;
		res->io_devices = e->io;
		res->n_io_devices = 1;
		e->io[0].set = CGFS_IO_READ_BPS | CGFS_IO_WRITE_IOPS;
		e->io[0].read_bps = 1000000 * factor;
		e->io[0].write_iops = 500 * factor;
	}
	if (world_has_file(w, CGFS_HUGETLB, g, "hugetlb.2MB.max") ||
	    world_has_file(w, CGFS_HUGETLB, g, "hugetlb.2MB.limit_in_bytes")) {
		res->set |= CGFS_SET_HUGETLB;
		res->hugetlb = &e->huge;
		res->n_hugetlb = 1;
		e->huge = (struct cgfs_hugetlb){ "2MB", 4 * MIB * factor };
	}
}

static void need_limits(struct world *w)
{
	world_need(w, CGFS_CPU);
	world_need(w, CGFS_PIDS);
}

/* A device that does not exist: the kernel refuses it when all else is written.  First from a fresh
 * group, where files of devices are empty, then from one with values of its own. */
WORLD_TEST(update_refused_at_the_end)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *ctr;
	static struct snapshot before;
	struct everything e;

	need_limits(w);
	world_need(w, CGFS_IO);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	for (unsigned int factor = 1; factor <= 2; factor++) {
		take(w, ctr, &before);
		fill(w, ctr, &e, factor, factor == 2);
		if (e.res.n_io_devices == 0)
			world_skip(w, "no disk that could be throttled");
		e.res.n_io_devices = 2;
		e.io[1] = e.io[0];
		e.io[1].major = 4000;
		REFUSED(cgfs_group_set(ctr, &e.res, NULL, &err), -ENODEV);
		check_same(w, ctr, &before, factor == 1 ? "fresh" : "with limits");
		/* And without it, it goes through. */
		e.res.n_io_devices = 1;
		OK(cgfs_group_set(ctr, &e.res, NULL, &err));
		CHECK(count_changed(w, ctr, &before) >= 5);
	}
}

/* On the fakes each write in turn: the first controller has been applied, the second fails. */
WORLD_TEST(update_each_write_refused)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr;
	static struct snapshot before;
	struct everything e;
	unsigned int nth = 0;
	bool struck;

	if (w->kind->live)
		world_skip(w, "no kernel can be made to fail");
	need_limits(w);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	for (unsigned int factor = 1; factor <= 2; factor++) {
		fill(w, ctr, &e, factor, factor == 2);
		nth = 0;
		do {
			struct cgfs_err err = { 0 };
			char when[64];
			int r;

			take(w, ctr, &before);
			fake_fail(world_fake(w), FAKE_WRITE, ++nth, -EIO);
			r = cgfs_group_set(ctr, &e.res, NULL, &err);
			struck = fake_struck(world_fake(w));
			fake_fail(world_fake(w), 0, 0, 0);
			CHECK_MSG(struck || r == 0, "%d: %s", r, err.text);
			if (r == 0)
				continue; /* it found another way */
			CHECK_INT(r, -EIO);
			snprintf(when, sizeof(when), "factor %u, write %u", factor, nth);
			check_same(w, ctr, &before, when);
		} while (struck);
		CHECK(nth > 5);
	}
}

/* -- memory below what is in use ----------------------------------------------------------------
 */

WORLD_TEST(update_shrink_reclaims_first)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = extra_memory(128 * MIB);
	struct cgfs_group *pod, *ctr;
	struct snapshot before;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	pod = world_pod(w, c, "web", &res);
	ctr = world_container(w, pod, c, "c1", &res);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 24 * MIB), 0);
	CHECK_INT(w->ops->cache(w, pid, 32 * MIB), 0);
	take(w, ctr, &before);
	/* More than can be reclaimed. */
	res = extra_memory(16 * MIB);
	CHECK_HAS(REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -EBUSY), extra_max_file(w));
	check_same(w, ctr, &before, "container");
	take(w, pod, &before);
	CHECK_HAS(REFUSED(cgfs_group_set(pod, &res, NULL, &err), -EBUSY), extra_max_file(w));
	check_same(w, pod, &before, "pod");
	/* What can be reclaimed is. */
	CHECK_INT(w->ops->cache(w, pid, 32 * MIB), 0);
	res = extra_memory(40 * MIB);
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_CURRENT) <= 40 * MIB);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, pod, extra_max_file(w)), 40 * MIB);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
	world_runs(w, pid);
}

/* A limit in `unified` is no less safe than the same limit as a member. */
WORLD_TEST(update_unified_does_not_kill)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = extra_memory(128 * MIB);
	struct cgfs_unified entry = { "memory.max", "16M" };
	struct cgfs_group *ctr;
	struct snapshot before;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 48 * MIB), 0);
	take(w, ctr, &before);
	res = (struct cgfs_resources)CGFS_RESOURCES_INIT;
	res.set = CGFS_SET_UNIFIED;
	res.unified = &entry;
	res.n_unified = 1;
	CHECK_HAS(REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -EBUSY), extra_max_file(w));
	check_same(w, ctr, &before, "container");
	entry.value = "0";
	CHECK_HAS(REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -EINVAL), "memory.max");
	check_same(w, ctr, &before, "container");
	entry.value = "96M";
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, ctr, extra_max_file(w)), 96 * MIB);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	world_runs(w, pid);
}

static void check_alive(struct world *w, struct cgfs *c, struct cgfs_group *g, pid_t pid)
{
	CHECK_INT(world_stat(g, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
	world_runs(w, pid);
}

/* Page cache goes, anonymous memory stays, and the result has what the limit has become. */
WORLD_TEST(update_returns_what_was_applied)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = extra_memory(256 * MIB);
	struct cgfs_applied a = CGFS_APPLIED_INIT, unset = { .sz = 0 };
	struct cgfs_group *ctr;
	uint64_t in_use;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	pid = extra_with_file(w, ctr, 64 * MIB);
	CHECK_INT(w->ops->alloc(w, pid, 24 * MIB), 0);
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_CURRENT) >= 80 * MIB);
	REFUSED(cgfs_group_set(ctr, &res, CGFS_SET_OPTS_APPLIED(&unset), &err), -EINVAL);
	res = extra_memory(48 * MIB + 1000);
	OK(cgfs_group_set(ctr, &res, CGFS_SET_OPTS_APPLIED(&a), &err));
	CHECK_INT(a.set, CGFS_SET_MEMORY_MAX);
	CHECK_INT(a.memory_max_bytes, 48 * MIB); /* whole pages */
	CHECK(a.memory_in_use_bytes >= 24 * MIB && a.memory_in_use_bytes <= 48 * MIB);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, ctr, extra_max_file(w)), 48 * MIB);
	if (world_v2(w, CGFS_MEMORY))
		CHECK_STR(world_cat(w, CGFS_MEMORY, ctr, "memory.high"), "max");
	check_alive(w, c, ctr, pid);
	/* Below what cannot go: nothing at all, or as near as it gets. */
	res = extra_memory(8 * MIB);
	REFUSED(cgfs_group_set(ctr, &res, CGFS_SET_OPTS_APPLIED(&a), &err), -EBUSY);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_MAX), 48 * MIB);
	res.set |= CGFS_SET_NEAREST;
	OK(cgfs_group_set(ctr, &res, CGFS_SET_OPTS_APPLIED(&a), &err));
	CHECK(a.memory_max_bytes >= 24 * MIB && a.memory_max_bytes < 40 * MIB);
	CHECK(a.memory_in_use_bytes <= a.memory_max_bytes);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, ctr, extra_max_file(w)), a.memory_max_bytes);
	check_alive(w, c, ctr, pid);
	/* Again: it does not go up. */
	in_use = a.memory_max_bytes;
	OK(cgfs_group_set(ctr, &res, CGFS_SET_OPTS_APPLIED(&a), &err));
	CHECK(a.memory_max_bytes <= in_use);
	if (world_v2(w, CGFS_MEMORY))
		CHECK_STR(world_cat(w, CGFS_MEMORY, ctr, "memory.high"), "max");
	res.set |= CGFS_SET_ALLOW_OOM_KILL;
	REFUSED(cgfs_group_set(ctr, &res, CGFS_SET_OPTS_APPLIED(&a), &err), -EINVAL);
	/* Up again, to exactly what was asked for. */
	res = extra_memory(64 * MIB);
	res.set |= CGFS_SET_NEAREST;
	OK(cgfs_group_set(ctr, &res, CGFS_SET_OPTS_APPLIED(&a), &err));
	CHECK_INT(a.memory_max_bytes, 64 * MIB);
	check_alive(w, c, ctr, pid);
}

WORLD_TEST(update_limits_are_read_back)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_applied a = CGFS_APPLIED_INIT;
	struct cgfs_group *ctr;
	struct everything e;

	need_limits(w);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	OK(cgfs_group_limits(ctr, &a, &err));
	CHECK(a.set & CGFS_SET_PIDS_MAX);
	CHECK(a.pids_max == CGFS_MAX);
	if (world_version(w, CGFS_MEMORY) != CGFS_NONE)
		CHECK(a.memory_max_bytes == CGFS_MAX);
	CHECK_INT(!!(a.set & CGFS_SET_MEMORY_HIGH), world_v2(w, CGFS_MEMORY));
	fill(w, ctr, &e, 1, false);
	OK(cgfs_group_set(ctr, &e.res, CGFS_SET_OPTS_APPLIED(&a), &err));
	CHECK_INT(a.pids_max, e.res.pids_max);
	CHECK_INT(a.cpu_weight, e.res.cpu_weight);
	CHECK_INT(a.cpu_quota_us, e.res.cpu_quota_us);
	CHECK_INT(a.cpu_period_us, e.res.cpu_period_us);
	CHECK_INT(a.set & ~e.res.set, 0);
	if (e.res.set & CGFS_SET_MEMORY_MAX) {
		CHECK_INT(a.memory_max_bytes, e.res.memory_max_bytes);
		CHECK_INT(a.memory_low_bytes, e.res.memory_low_bytes);
	}
	if (e.res.set & CGFS_SET_MEMORY_HIGH)
		CHECK_INT(a.memory_high_bytes, e.res.memory_high_bytes);
}

/* Other limits of the same update are taken back with it. */
WORLD_TEST(update_shrink_refused_takes_the_rest_back)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr;
	struct snapshot before;
	struct everything e;
	pid_t pid;

	need_limits(w);
	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid = world_spawn_in(w, ctr);
	fill(w, ctr, &e, 1, false);
	OK(cgfs_group_set(ctr, &e.res, NULL, &err));
	CHECK_INT(w->ops->alloc(w, pid, 32 * MIB), 0);
	take(w, ctr, &before);
	fill(w, ctr, &e, 2, true);
	e.res.memory_max_bytes = 8 * MIB;
	REFUSED(cgfs_group_set(ctr, &e.res, NULL, &err), -EBUSY);
	check_same(w, ctr, &before, "everything");
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	world_runs(w, pid);
}

WORLD_TEST(update_allowed_kill)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = extra_memory(128 * MIB);
	struct cgfs_group *ctr;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid, small;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	small = world_spawn_in(w, ctr);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 48 * MIB), 0);
	res = extra_memory(16 * MIB);
	res.set |= CGFS_SET_ALLOW_OOM_KILL;
	if (!world_v2(w, CGFS_MEMORY)) {
		/* v1's kernel does not kill for a limit that is written. */
		REFUSED(cgfs_group_set(ctr, &res, NULL, &err), -EBUSY);
		CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_MAX), 128 * MIB);
		world_runs(w, pid);
		return;
	}
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_MAX), 16 * MIB);
	world_gone(w, pid);
	world_event(w, c, CGFS_EVENT_OOM_KILL, "c1", &ev);
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL) >= 1);
	/* A kernel does not wait for a victim whose memory is locked, and takes the next one. */
	if (!w->kind->live)
		world_runs(w, small);
}
