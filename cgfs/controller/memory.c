/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the memory controller.
 *
 * Swap: the API speaks OCI (memory and swap together).  That is v1's memsw; v2 has swap alone,
 * so the memory limit is subtracted.  Figures speak v2 (swap alone), so memsw is subtracted.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/memory.rst; cgroup-v2.rst "Memory"
 */
#include "memory.h"

#include "../convert.h"

#include <inttypes.h>
#include <stdio.h>

#define LIMIT_BITS (CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_SWAP)

/* -- v1 ------------------------------------------------------------------------------------ */

#define V1_LIMIT "memory.limit_in_bytes"
#define V1_MEMSW "memory.memsw.limit_in_bytes"

static int v1_limit(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = dir_write_limit(d, V1_LIMIT, res->memory_max_bytes, "-1", reterr);

	/* The kernel has tried to reclaim. */
	return r == -EBUSY && (res->set & CGFS_SET_NEAREST) ? memory_v1_nearest(d, res, reterr) : r;
}

static int v1_memsw(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = dir_write_limit(d, V1_MEMSW, memory_v1_memsw(d, res), "-1", reterr);

	/* No swap accounting: "no limit" is what there is. */
	return r == -ENOENT && res->memory_swap_bytes == CGFS_MAX ? 0 : r;
}

/* The kernel keeps limit <= memsw at every step (EINVAL): shrinking writes the limit first,
 * growing writes memsw first. */
static int v1_limits(const struct cgfs_dir *d, const struct cgfs_resources *res,
		     struct cgfs_err *reterr)
{
	int r;

	if ((res->set & LIMIT_BITS) == CGFS_SET_MEMORY_MAX)
		return v1_limit(d, res, reterr);
	if ((res->set & LIMIT_BITS) == CGFS_SET_MEMORY_SWAP)
		return v1_memsw(d, res, reterr);
	r = v1_limit(d, res, reterr);
	if (r == 0)
		return v1_memsw(d, res, reterr);
	if (r != -EINVAL)
		return r;
	r = v1_memsw(d, res, reterr);
	return r < 0 ? r : v1_limit(d, res, reterr);
}

/* Linux 5.16 and later take any number for it, or none, and do nothing: what the file says then
 * counts. */
static int v1_kernel(const struct cgfs_dir *d, const struct cgfs_resources *res,
		     struct cgfs_err *reterr)
{
	const char *file = "memory.kmem.limit_in_bytes";
	uint64_t want = res->memory_kernel_bytes, now = CGFS_MAX;
	int r = dir_write_limit(d, file, want, "-1", reterr);
	char text[32], path[512];
	ssize_t n;

	if (want == CGFS_MAX)
		return r == -ENOENT || r == -EOPNOTSUPP ? 0 : r;
	if (r == 0) {
		n = dir_read(d, file, text, sizeof(text), reterr);
		r = n < 0 ? (int)n : cgfs_parse_v1_limit(text, (size_t)n, &now);
		if (n >= 0 && r < 0)
			return dir_error(d, r, "parse", file, text, reterr);
	}
	if (r == -EOPNOTSUPP || (r == 0 && now == CGFS_MAX)) {
		group_file_path(d->g, d->hierarchy, file, path, sizeof(path));
		r = cgfs_err_set(reterr, -EOPNOTSUPP, "set memory.kernel", path, NULL,
				 "this kernel does not limit it; none does since Linux 5.16");
	}
	return r;
}

static int v1_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = 0;

	if (res->set & LIMIT_BITS)
		r = v1_limits(d, res, reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_LOW))
		r = dir_write_limit(d, "memory.soft_limit_in_bytes", res->memory_low_bytes, "-1",
				    reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_SWAPPINESS))
		r = dir_write_limit(d, "memory.swappiness", res->memory_swappiness, "", reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_KERNEL))
		r = v1_kernel(d, res, reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_KERNEL_TCP))
		r = dir_write_limit(d, "memory.kmem.tcp.limit_in_bytes",
				    res->memory_kernel_tcp_bytes, "-1", reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_OOM_DISABLE))
		r = dir_write(d, "memory.oom_control", res->memory_oom_disable ? "1" : "0", reterr);
	return r;
}

/* v1 says "no limit" as the largest multiple of the page size. */
static void v1_unlimited(struct cgfs_stats *s, enum cgfs_stat stat)
{
	if (s->available[stat] && s->value[stat] >= (uint64_t)INT64_MAX - 65535)
		s->value[stat] = CGFS_MAX;
}

/* memsw less memory; both were read at different moments, so it may come out below zero. */
static void v1_swap(struct cgfs_stats *s, enum cgfs_stat swap, uint64_t memory)
{
	if (s->available[swap])
		s->value[swap] = cgfs_swap_alone(s->value[swap], memory);
}

/* v1 counts events where they happen and nowhere above: for a pod that is not the whole. */
static void v1_local(const struct cgfs_group *g, struct cgfs_stats *s, enum cgfs_stat whole,
		     enum cgfs_stat local)
{
	if (!s->available[whole])
		return;
	ctl_stat_set(s, local, s->value[whole]);
	if (g->is_pod) {
		s->available[whole] = false;
		s->value[whole] = 0;
	}
}

static int v1_files(const struct cgfs_dir *d, struct cgfs_stats *s, struct cgfs_err *reterr)
{
	static const struct {
		enum kept slot;
		const char *file;
		enum cgfs_stat stat;
	} files[] = {
		{ KEPT_MEMORY_CURRENT, "memory.usage_in_bytes", CGFS_STAT_MEMORY_CURRENT },
		{ KEPT_MEMORY_MAX, V1_LIMIT, CGFS_STAT_MEMORY_MAX },
		{ KEPT_MEMORY_LOW, "memory.soft_limit_in_bytes", CGFS_STAT_MEMORY_LOW },
		{ KEPT_MEMORY_PEAK, "memory.max_usage_in_bytes", CGFS_STAT_MEMORY_PEAK },
		{ KEPT_MEMORY_SWAP_CURRENT, "memory.memsw.usage_in_bytes",
		  CGFS_STAT_MEMORY_SWAP_CURRENT },
		{ KEPT_MEMORY_SWAP_MAX, V1_MEMSW, CGFS_STAT_MEMORY_SWAP_MAX },
		{ KEPT_MEMORY_KERNEL, "memory.kmem.usage_in_bytes", CGFS_STAT_MEMORY_KERNEL },
		{ KEPT_MEMORY_FAILCNT, "memory.failcnt", CGFS_STAT_MEMORY_EVENTS_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = ctl_stat_file(d, files[i].slot, files[i].file, files[i].stat, s, reterr);

		if (r < 0)
			return r;
	}
	v1_local(d->g, s, CGFS_STAT_MEMORY_EVENTS_MAX, CGFS_STAT_MEMORY_LOCAL_MAX);
	v1_unlimited(s, CGFS_STAT_MEMORY_MAX);
	v1_unlimited(s, CGFS_STAT_MEMORY_LOW);
	/* An unset soft limit protects nothing; "max" would read as protecting everything. */
	if (s->value[CGFS_STAT_MEMORY_LOW] == CGFS_MAX)
		s->available[CGFS_STAT_MEMORY_LOW] = false;
	v1_unlimited(s, CGFS_STAT_MEMORY_SWAP_MAX);
	v1_swap(s, CGFS_STAT_MEMORY_SWAP_CURRENT, s->value[CGFS_STAT_MEMORY_CURRENT]);
	v1_swap(s, CGFS_STAT_MEMORY_SWAP_MAX, s->value[CGFS_STAT_MEMORY_MAX]);
	return 0;
}

static int v1_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		    struct cgfs_err *reterr)
{
	static const struct cgfs_key events[] = {
		{ "oom_kill", CGFS_STAT_MEMORY_EVENTS_OOM_KILL },
	};
	/* In the order in which the kernel prints them. */
	static const struct cgfs_key stat[] = {
		{ "total_cache", CGFS_STAT_MEMORY_FILE },
		{ "total_rss", CGFS_STAT_MEMORY_ANON },
		{ "total_rss_huge", CGFS_STAT_MEMORY_ANON_THP },
		{ "total_shmem", CGFS_STAT_MEMORY_SHMEM },
		{ "total_mapped_file", CGFS_STAT_MEMORY_FILE_MAPPED },
		{ "total_dirty", CGFS_STAT_MEMORY_FILE_DIRTY },
		{ "total_writeback", CGFS_STAT_MEMORY_FILE_WRITEBACK },
		{ "total_workingset_refault_anon", CGFS_STAT_MEMORY_REFAULT_ANON },
		{ "total_workingset_refault_file", CGFS_STAT_MEMORY_REFAULT_FILE },
		{ "total_pgpgin", CGFS_STAT_MEMORY_PGPGIN },
		{ "total_pgpgout", CGFS_STAT_MEMORY_PGPGOUT },
		{ "total_pgfault", CGFS_STAT_MEMORY_PGFAULT },
		{ "total_pgmajfault", CGFS_STAT_MEMORY_PGMAJFAULT },
		{ "total_inactive_anon", CGFS_STAT_MEMORY_INACTIVE_ANON },
		{ "total_active_anon", CGFS_STAT_MEMORY_ACTIVE_ANON },
		{ "total_inactive_file", CGFS_STAT_MEMORY_INACTIVE_FILE },
		{ "total_active_file", CGFS_STAT_MEMORY_ACTIVE_FILE },
		{ "total_unevictable", CGFS_STAT_MEMORY_UNEVICTABLE },
	};
	int r = 0;

	if (what & CGFS_READ_MEMORY) {
		r = v1_files(d, s, reterr);
		if (r == 0)
			r = ctl_stat_keyed(d, KEPT_MEMORY_EVENTS, "memory.oom_control", events,
					   ARRAY_SIZE(events), s, reterr);
		v1_local(d->g, s, CGFS_STAT_MEMORY_EVENTS_OOM_KILL,
			 CGFS_STAT_MEMORY_LOCAL_OOM_KILL);
	}
	if (r == 0 && (what & CGFS_READ_MEMORY_STAT))
		r = ctl_stat_keyed(d, KEPT_MEMORY_STAT, "memory.stat", stat, ARRAY_SIZE(stat), s,
				   reterr);
	return r;
}

/*
 * Before Linux 5.11 a group whose memory.use_hierarchy is 0 does not count what is below it: a
 * pod's limit would bind nobody.  A new group has its parent's; systemd switches it on at the top,
 * a guest without systemd does not.  It can be changed only while there is nothing below.
 */
static int v1_prepare_root(struct cgfs *c, int parent_fd, int dir_fd, bool ours, const char *dir,
			   struct cgfs_err *reterr)
{
	const char *file = "memory.use_hierarchy";
	char path[512], flag[8];
	ssize_t n = fs_read_at(c, dir_fd, file, flag, sizeof(flag));
	int r = 0;

	(void)parent_fd;
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (n < 0)
		return n == -ENOENT ? 0 : cgfs_err_set(reterr, (int)n, "read", path, NULL, NULL);
	if (flag[0] != '0')
		return 0;
	if (!ours)
		return 1; /* somebody's: what we make in it is switched on by itself */
	r = fs_write_at(c, dir_fd, file, "1");
	return r < 0 ? cgfs_err_set(reterr, r, "write", path, "1", NULL) : 0;
}

static const struct keyed_file v1_keyed[] = {
	{ "memory.stat", KEPT_MEMORY_STAT, CGFS_READ_MEMORY_STAT },
	{ "memory.oom_control", KEPT_MEMORY_EVENTS, CGFS_READ_MEMORY },
	{ NULL, 0, 0 },
};

static const struct ctl_limit v1_more[] = {
	CTL_LIMIT(MEMORY_SWAPPINESS, "memory.swappiness", NULL),
	CTL_LIMIT(MEMORY_KERNEL, "memory.kmem.limit_in_bytes", NULL),
	CTL_LIMIT(MEMORY_KERNEL_TCP, "memory.kmem.tcp.limit_in_bytes", NULL),
	CTL_LIMIT(MEMORY_OOM_DISABLE, "memory.oom_control", "oom_kill_disable"),
	{ .bit = 0 },
};

const struct ctl_ops ctl_memory_v1 = {
	.handles = LIMIT_BITS | CGFS_SET_MEMORY_LOW | CGFS_SET_MEMORY_SWAPPINESS |
		   CGFS_SET_MEMORY_KERNEL | CGFS_SET_MEMORY_KERNEL_TCP |
		   CGFS_SET_MEMORY_OOM_DISABLE,
	.reads = CGFS_READ_MEMORY | CGFS_READ_MEMORY_STAT,
	.prepare_root = v1_prepare_root,
	.apply = v1_apply,
	.stats = v1_stats,
	.keyed = v1_keyed,
	.limits = v1_more,
};

/* -- v2 ------------------------------------------------------------------------------------ */

static int v2_swap(const struct cgfs_dir *d, const struct cgfs_resources *res,
		   struct cgfs_err *reterr)
{
	/* cgfs_resources_check() saw that it is not less. */
	uint64_t swap = cgfs_swap_alone(res->memory_swap_bytes, res->memory_max_bytes);
	int r;

	r = dir_write_limit(d, "memory.swap.max", swap, "max", reterr);
	/* No swap accounting: "no limit" is what there is. */
	return r == -ENOENT && swap == CGFS_MAX ? 0 : r;
}

static int v2_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = 0;

	if (res->set & CGFS_SET_MEMORY_MIN)
		r = dir_write_limit(d, "memory.min", res->memory_min_bytes, "max", reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_LOW))
		r = dir_write_limit(d, "memory.low", res->memory_low_bytes, "max", reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_HIGH))
		r = dir_write_limit(d, "memory.high", res->memory_high_bytes, "max", reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_SWAP))
		r = v2_swap(d, res, reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_MAX))
		r = memory_v2_max(d, res, reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_ZSWAP_MAX))
		r = dir_write_limit(d, "memory.zswap.max", res->memory_zswap_max_bytes, "max",
				    reterr);
	if (r == 0 && (res->set & CGFS_SET_MEMORY_OOM_GROUP))
		r = dir_write(d, "memory.oom.group", res->memory_oom_group ? "1" : "0", reterr);
	if (r == 0 && (res->set & CGFS_SET_ZSWAP_WRITEBACK))
		r = dir_write(d, "memory.zswap.writeback", res->memory_zswap_writeback ? "1" : "0",
			      reterr);
	return r;
}

static int v2_files(const struct cgfs_dir *d, struct cgfs_stats *s, struct cgfs_err *reterr)
{
	static const struct {
		enum kept slot;
		const char *file;
		enum cgfs_stat stat;
	} files[] = {
		{ KEPT_MEMORY_CURRENT, "memory.current", CGFS_STAT_MEMORY_CURRENT },
		{ KEPT_MEMORY_MAX, "memory.max", CGFS_STAT_MEMORY_MAX },
		{ KEPT_MEMORY_HIGH, "memory.high", CGFS_STAT_MEMORY_HIGH },
		{ KEPT_MEMORY_LOW, "memory.low", CGFS_STAT_MEMORY_LOW },
		{ KEPT_MEMORY_MIN, "memory.min", CGFS_STAT_MEMORY_MIN },
		{ KEPT_MEMORY_PEAK, "memory.peak", CGFS_STAT_MEMORY_PEAK },
		{ KEPT_MEMORY_SWAP_CURRENT, "memory.swap.current", CGFS_STAT_MEMORY_SWAP_CURRENT },
		{ KEPT_MEMORY_SWAP_MAX, "memory.swap.max", CGFS_STAT_MEMORY_SWAP_MAX },
		{ KEPT_MEMORY_SWAP_PEAK, "memory.swap.peak", CGFS_STAT_MEMORY_SWAP_PEAK },
		{ KEPT_MEMORY_ZSWAP, "memory.zswap.current", CGFS_STAT_MEMORY_ZSWAP_CURRENT },
		{ KEPT_MEMORY_ZSWAP_MAX, "memory.zswap.max", CGFS_STAT_MEMORY_ZSWAP_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int r = ctl_stat_file(d, files[i].slot, files[i].file, files[i].stat, s, reterr);

		if (r < 0)
			return r;
	}
	return 0;
}

static int v2_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		    struct cgfs_err *reterr)
{
	static const struct cgfs_key events[] = {
		{ "low", CGFS_STAT_MEMORY_EVENTS_LOW },
		{ "high", CGFS_STAT_MEMORY_EVENTS_HIGH },
		{ "max", CGFS_STAT_MEMORY_EVENTS_MAX },
		{ "oom", CGFS_STAT_MEMORY_EVENTS_OOM },
		{ "oom_kill", CGFS_STAT_MEMORY_EVENTS_OOM_KILL },
		{ "oom_group_kill", CGFS_STAT_MEMORY_EVENTS_OOM_GROUP_KILL },
	};
	static const struct cgfs_key local[] = {
		{ "low", CGFS_STAT_MEMORY_LOCAL_LOW },
		{ "high", CGFS_STAT_MEMORY_LOCAL_HIGH },
		{ "max", CGFS_STAT_MEMORY_LOCAL_MAX },
		{ "oom", CGFS_STAT_MEMORY_LOCAL_OOM },
		{ "oom_kill", CGFS_STAT_MEMORY_LOCAL_OOM_KILL },
		{ "oom_group_kill", CGFS_STAT_MEMORY_LOCAL_OOM_GROUP_KILL },
	};
	static const struct cgfs_key swap[] = {
		{ "max", CGFS_STAT_MEMORY_SWAP_EVENTS_MAX },
		{ "fail", CGFS_STAT_MEMORY_SWAP_EVENTS_FAIL },
	};
	/* In the order in which the kernel prints them. */
	static const struct cgfs_key stat[] = {
		{ "anon", CGFS_STAT_MEMORY_ANON },
		{ "file", CGFS_STAT_MEMORY_FILE },
		{ "kernel", CGFS_STAT_MEMORY_KERNEL },
		{ "kernel_stack", CGFS_STAT_MEMORY_KERNEL_STACK },
		{ "pagetables", CGFS_STAT_MEMORY_PAGETABLES },
		{ "sock", CGFS_STAT_MEMORY_SOCK },
		{ "shmem", CGFS_STAT_MEMORY_SHMEM },
		{ "zswapped", CGFS_STAT_MEMORY_ZSWAPPED },
		{ "file_mapped", CGFS_STAT_MEMORY_FILE_MAPPED },
		{ "file_dirty", CGFS_STAT_MEMORY_FILE_DIRTY },
		{ "file_writeback", CGFS_STAT_MEMORY_FILE_WRITEBACK },
		{ "anon_thp", CGFS_STAT_MEMORY_ANON_THP },
		{ "inactive_anon", CGFS_STAT_MEMORY_INACTIVE_ANON },
		{ "active_anon", CGFS_STAT_MEMORY_ACTIVE_ANON },
		{ "inactive_file", CGFS_STAT_MEMORY_INACTIVE_FILE },
		{ "active_file", CGFS_STAT_MEMORY_ACTIVE_FILE },
		{ "unevictable", CGFS_STAT_MEMORY_UNEVICTABLE },
		{ "slab", CGFS_STAT_MEMORY_SLAB },
		{ "workingset_refault_anon", CGFS_STAT_MEMORY_REFAULT_ANON },
		{ "workingset_refault_file", CGFS_STAT_MEMORY_REFAULT_FILE },
		{ "pgfault", CGFS_STAT_MEMORY_PGFAULT },
		{ "pgmajfault", CGFS_STAT_MEMORY_PGMAJFAULT },
	};
	int r = 0;

	if (what & CGFS_READ_MEMORY) {
		r = v2_files(d, s, reterr);
		if (r == 0)
			r = ctl_stat_keyed(d, KEPT_MEMORY_EVENTS, "memory.events", events,
					   ARRAY_SIZE(events), s, reterr);
		if (r == 0)
			r = ctl_stat_keyed(d, KEPT_MEMORY_EVENTS_LOCAL, "memory.events.local",
					   local, ARRAY_SIZE(local), s, reterr);
		if (r == 0)
			r = ctl_stat_keyed(d, KEPT_MEMORY_SWAP_EVENTS, "memory.swap.events", swap,
					   ARRAY_SIZE(swap), s, reterr);
	}
	if (r == 0 && (what & CGFS_READ_MEMORY_STAT))
		r = ctl_stat_keyed(d, KEPT_MEMORY_STAT, "memory.stat", stat, ARRAY_SIZE(stat), s,
				   reterr);
	return r;
}

static const struct keyed_file v2_keyed[] = {
	{ "memory.stat", KEPT_MEMORY_STAT, CGFS_READ_MEMORY_STAT },
	{ "memory.events", KEPT_MEMORY_EVENTS, CGFS_READ_MEMORY },
	{ "memory.events.local", KEPT_MEMORY_EVENTS_LOCAL, CGFS_READ_MEMORY },
	{ "memory.swap.events", KEPT_MEMORY_SWAP_EVENTS, CGFS_READ_MEMORY },
	{ NULL, 0, 0 },
};

static const struct ctl_limit v2_more[] = {
	CTL_LIMIT(MEMORY_OOM_GROUP, "memory.oom.group", NULL),
	CTL_LIMIT(ZSWAP_WRITEBACK, "memory.zswap.writeback", NULL),
	{ .bit = 0 },
};

const struct ctl_ops ctl_memory_v2 = {
	.handles = LIMIT_BITS | CGFS_SET_MEMORY_LOW | CGFS_SET_MEMORY_HIGH | CGFS_SET_MEMORY_MIN |
		   CGFS_SET_MEMORY_ZSWAP_MAX | CGFS_SET_ZSWAP_WRITEBACK | CGFS_SET_MEMORY_OOM_GROUP,
	.reads = CGFS_READ_MEMORY | CGFS_READ_MEMORY_STAT,
	.prepare_root = ctl_no_prepare_root,
	.apply = v2_apply,
	.stats = v2_stats,
	.keyed = v2_keyed,
	.limits = v2_more,
};
