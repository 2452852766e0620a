/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the memory controller.
 *
 * Swap: the API speaks OCI (memory and swap together).  That is v1's memsw; v2 has swap alone,
 * so the memory limit is subtracted.  Figures speak v2 (swap alone), so memsw is subtracted.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/memory.rst; cgroup-v2.rst "Memory"
 */
#include "cgfs/controller/memory/memory.h"

#include "cgfs/base/convert.h"
#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>

/* Of a file that a report has as well. */
#define CGFS_READ_MEMORY_BOTH (CGFS_READ_MEMORY | CGFS_READ_MEMORY_BULK)

#define LIMIT_BITS (CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_SWAP)
#define V1_LIMIT   "memory.limit_in_bytes"

int memory_number(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);
	const struct cgfs_fs *fs = g->c->fs;
	int fd, r;

	*ret = 0;
	if (d.hierarchy < 0)
		return 0;
	if (d.hierarchy == g->c->unified) {
		*ret = g->cgroup_id;
		return 0;
	}
	r = group_dir(g, d.hierarchy, &fd, reterr);
	if (r < 0)
		return group_part_lost(&d, r);
	r = fs->ops->inode(fs->ctx, fd, ret);
	return r < 0 ? dir_error(&d, r, "stat", NULL, NULL, reterr) : 0;
}

int memory_limit_of(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_MEMORY);

	return dir_read_number(
		&d, g->c->place[CGFS_MEMORY].version == CGFS_V1 ? V1_LIMIT : "memory.max", ret,
		reterr);
}

int memory_identify(struct cgfs_group *g, const struct cgfs_policy *policy, uint64_t *ret,
		    struct cgfs_err *reterr)
{
	*ret = 0;
	return policy->ops->counts_memory && policy->ops->counts_memory(policy->ctx)
		       ? memory_number(g, ret, reterr)
		       : 0;
}

/* -- v1 ------------------------------------------------------------------------------------ */

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

/*
 * A memory limit alone leaves as much swap as there was, as on v2: what limits both together moves
 * with it.
 */
static int v1_with_swap(const struct cgfs_dir *d, const struct cgfs_resources *res,
			struct cgfs_resources *both, struct cgfs_err *reterr)
{
	uint64_t limit, memsw;
	int r;

	*both = *res;
	/* A new group has no journal, and no limit yet. */
	if (!d->journal)
		return 0;
	r = dir_read_number(d, V1_MEMSW, &memsw, reterr);
	if (r == -ENOENT && dir_alive(d))
		return 0; /* no swap accounting */
	if (r == 0 && memsw == CGFS_MAX)
		return 0;
	if (r == 0)
		r = dir_read_number(d, V1_LIMIT, &limit, reterr);
	if (r < 0)
		return r;
	both->set |= CGFS_SET_MEMORY_SWAP;
	both->memory_swap_bytes = res->memory_max_bytes > CGFS_MAX - (memsw - limit)
					  ? CGFS_MAX
					  : res->memory_max_bytes + (memsw - limit);
	return 0;
}

/* The kernel keeps limit <= memsw at every step (EINVAL): shrinking writes the limit first,
 * growing writes memsw first. */
static int v1_limits(const struct cgfs_dir *d, const struct cgfs_resources *res,
		     struct cgfs_err *reterr)
{
	struct cgfs_resources both;
	int r;

	if ((res->set & LIMIT_BITS) == CGFS_SET_MEMORY_MAX) {
		r = v1_with_swap(d, res, &both, reterr);
		if (r < 0)
			return r;
		if (!(both.set & CGFS_SET_MEMORY_SWAP))
			return v1_limit(d, res, reterr);
		res = &both;
	}
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
	char path[512];

	if (want == CGFS_MAX)
		return r == -ENOENT || r == -EOPNOTSUPP ? 0 : r;
	if (r == 0)
		r = dir_read_number(d, file, &now, reterr);
	if (r == -EOPNOTSUPP || (r == 0 && now == CGFS_MAX)) {
		group_file_path(d->g, d->hierarchy, file, path, sizeof(path));
		r = err_why(reterr, -EOPNOTSUPP, "set memory.kernel", path,
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

/* v1 shows "no limit" as the largest multiple of the page size. */
static void v1_unlimited(struct cgfs_stats *s, enum cgfs_stat stat)
{
	if (s->figure[stat].available && s->figure[stat].value >= (uint64_t)INT64_MAX - 65535)
		s->figure[stat].value = CGFS_MAX;
}

/* memsw less memory; both were read at different moments, so it may come out below zero. */
static void v1_swap(struct cgfs_stats *s, enum cgfs_stat swap, uint64_t memory)
{
	if (s->figure[swap].available)
		s->figure[swap].value = cgfs_swap_alone(s->figure[swap].value, memory);
}

/* v1 counts events where they happen and nowhere above: for a pod that is not the whole. */
static void v1_local(const struct cgfs_group *g, struct cgfs_stats *s, enum cgfs_stat whole,
		     enum cgfs_stat local)
{
	if (!s->figure[whole].available)
		return;
	ctl_stat_set(s, local, s->figure[whole].value);
	if (g->is_pod) {
		s->figure[whole].available = false;
		s->figure[whole].value = 0;
	}
}

static const struct cgfs_key v1_events[] = {
	{ "oom_kill", CGFS_STAT_MEMORY_EVENTS_OOM_KILL },
};

/* In the order in which the kernel prints them. */
static const struct cgfs_key v1_stat[] = {
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

static const struct stat_file v1_figures[] = {
	STAT_NUMBER_USED("memory.usage_in_bytes", MEMORY_CURRENT, MEMORY_BOTH, MEMORY_CURRENT),
	STAT_NUMBER_USED(V1_LIMIT, MEMORY_MAX, MEMORY_BOTH, MEMORY_MAX),
	STAT_NUMBER("memory.soft_limit_in_bytes", MEMORY_LOW, MEMORY_BOTH, MEMORY_LOW),
	STAT_NUMBER("memory.max_usage_in_bytes", MEMORY_PEAK, MEMORY_BOTH, MEMORY_PEAK),
	STAT_NUMBER("memory.memsw.usage_in_bytes", MEMORY_SWAP_CURRENT, MEMORY_BOTH,
		    MEMORY_SWAP_CURRENT),
	STAT_NUMBER(V1_MEMSW, MEMORY_SWAP_MAX, MEMORY_BOTH, MEMORY_SWAP_MAX),
	STAT_NUMBER("memory.kmem.usage_in_bytes", MEMORY_KERNEL, MEMORY_BOTH, MEMORY_KERNEL),
	STAT_NUMBER("memory.failcnt", MEMORY_FAILCNT, MEMORY_BOTH, MEMORY_EVENTS_MAX),
	STAT_KEYED_USED("memory.oom_control", MEMORY_EVENTS, MEMORY_BOTH, v1_events),
	STAT_KEYED("memory.stat", MEMORY_STAT, MEMORY_STAT, v1_stat),
	{ .name = NULL },
};

static int v1_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		    struct cgfs_err *reterr)
{
	if (!(what & (CGFS_READ_MEMORY_BOTH | CGFS_READ_USAGE)))
		return 0;
	v1_local(d->g, s, CGFS_STAT_MEMORY_EVENTS_MAX, CGFS_STAT_MEMORY_LOCAL_MAX);
	v1_local(d->g, s, CGFS_STAT_MEMORY_EVENTS_OOM_KILL, CGFS_STAT_MEMORY_LOCAL_OOM_KILL);
	v1_unlimited(s, CGFS_STAT_MEMORY_MAX);
	v1_unlimited(s, CGFS_STAT_MEMORY_LOW);
	/* An unset soft limit protects nothing; "max" would read as protecting everything. */
	if (s->figure[CGFS_STAT_MEMORY_LOW].value == CGFS_MAX)
		s->figure[CGFS_STAT_MEMORY_LOW].available = false;
	v1_unlimited(s, CGFS_STAT_MEMORY_SWAP_MAX);
	v1_swap(s, CGFS_STAT_MEMORY_SWAP_CURRENT, s->figure[CGFS_STAT_MEMORY_CURRENT].value);
	v1_swap(s, CGFS_STAT_MEMORY_SWAP_MAX, s->figure[CGFS_STAT_MEMORY_MAX].value);
	return 0;
}

/*
 * Before Linux 5.11 a group whose memory.use_hierarchy is 0 does not count what is below it: a
 * pod's limit would bind no process.  A new group has its parent's; systemd switches it on at the
 * top, a guest without systemd does not.  It can be changed only while there is nothing below.
 */
static int v1_prepare_root(struct cgfs *c, int parent_fd, int dir_fd, bool ours, const char *dir,
			   struct cgfs_err *reterr)
{
	const char *file = "memory.use_hierarchy";
	char path[512], flag[8];
	ssize_t n = fs_read_at(c, dir_fd, file, flag, sizeof(flag));
	int r = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (n < 0)
		return n == -ENOENT ? 0 : err_file(reterr, (int)n, "read", path);
	if (flag[0] != '0')
		return 0;
	if (!ours)
		return 1; /* another program's: each group that we make in it is switched on itself
			   */
	r = fs_write_at(c, dir_fd, file, "1");
	return r < 0 ? cgfs_err_set(reterr, r, "write", path, "1", NULL) : 0;
}

static void v1_why(const struct ctl_refused *w, char *buf, size_t len)
{
	const char *file =
		streq(w->file, V1_MEMSW) ? "memory.memsw.usage_in_bytes" : "memory.usage_in_bytes";
	char text[32];
	ssize_t n;

	if (w->code != -EBUSY || (!streq(w->file, V1_LIMIT) && !streq(w->file, V1_MEMSW)))
		return;
	n = dir_read(w->d, file, text, sizeof(text), NULL);
	if (n > 0)
		snprintf(buf, len,
			 "%.*s bytes are in use and cannot be reclaimed (%s); for a limit cgroup "
			 "v1 kills no process",
			 (int)strcspn(text, "\n"), text, file);
}

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
	.reads = CGFS_READ_MEMORY_BOTH | CGFS_READ_MEMORY_STAT | CGFS_READ_USAGE,
	.prepare_root = v1_prepare_root,
	.apply = v1_apply,
	.figures = v1_figures,
	.stats = v1_stats,
	.limits = v1_more,
	.why = v1_why,
};

/* -- v2 ------------------------------------------------------------------------------------ */

static int v2_swap(const struct cgfs_dir *d, const struct cgfs_resources *res,
		   struct cgfs_err *reterr)
{
	/* cgfs_resources_check() saw that it is not less. */
	uint64_t swap = cgfs_swap_alone(res->memory_swap_bytes, res->memory_max_bytes);
	int r = dir_write_limit(d, "memory.swap.max", swap, "max", reterr);

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

static const struct cgfs_key v2_events[] = {
	{ "low", CGFS_STAT_MEMORY_EVENTS_LOW },
	{ "high", CGFS_STAT_MEMORY_EVENTS_HIGH },
	{ "max", CGFS_STAT_MEMORY_EVENTS_MAX },
	{ "oom", CGFS_STAT_MEMORY_EVENTS_OOM },
	{ "oom_kill", CGFS_STAT_MEMORY_EVENTS_OOM_KILL },
	{ "oom_group_kill", CGFS_STAT_MEMORY_EVENTS_OOM_GROUP_KILL },
};

static const struct cgfs_key v2_local[] = {
	{ "low", CGFS_STAT_MEMORY_LOCAL_LOW },
	{ "high", CGFS_STAT_MEMORY_LOCAL_HIGH },
	{ "max", CGFS_STAT_MEMORY_LOCAL_MAX },
	{ "oom", CGFS_STAT_MEMORY_LOCAL_OOM },
	{ "oom_kill", CGFS_STAT_MEMORY_LOCAL_OOM_KILL },
	{ "oom_group_kill", CGFS_STAT_MEMORY_LOCAL_OOM_GROUP_KILL },
};

static const struct cgfs_key v2_swap_events[] = {
	{ "max", CGFS_STAT_MEMORY_SWAP_EVENTS_MAX },
	{ "fail", CGFS_STAT_MEMORY_SWAP_EVENTS_FAIL },
};

/* In the order in which the kernel prints them. */
static const struct cgfs_key v2_stat[] = {
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

static const struct stat_file v2_figures[] = {
	STAT_NUMBER_USED("memory.current", MEMORY_CURRENT, MEMORY_BOTH, MEMORY_CURRENT),
	STAT_NUMBER_USED("memory.max", MEMORY_MAX, MEMORY_BOTH, MEMORY_MAX),
	STAT_NUMBER("memory.high", MEMORY_HIGH, MEMORY_BOTH, MEMORY_HIGH),
	STAT_NUMBER("memory.low", MEMORY_LOW, MEMORY_BOTH, MEMORY_LOW),
	STAT_NUMBER("memory.min", MEMORY_MIN, MEMORY_BOTH, MEMORY_MIN),
	STAT_NUMBER("memory.peak", MEMORY_PEAK, MEMORY_BOTH, MEMORY_PEAK),
	STAT_NUMBER("memory.swap.current", MEMORY_SWAP_CURRENT, MEMORY_BOTH, MEMORY_SWAP_CURRENT),
	STAT_NUMBER("memory.swap.max", MEMORY_SWAP_MAX, MEMORY_BOTH, MEMORY_SWAP_MAX),
	STAT_NUMBER("memory.swap.peak", MEMORY_SWAP_PEAK, MEMORY_BOTH, MEMORY_SWAP_PEAK),
	STAT_NUMBER("memory.zswap.current", MEMORY_ZSWAP, MEMORY, MEMORY_ZSWAP_CURRENT),
	STAT_NUMBER("memory.zswap.max", MEMORY_ZSWAP_MAX, MEMORY, MEMORY_ZSWAP_MAX),
	STAT_KEYED_USED("memory.events", MEMORY_EVENTS, MEMORY_BOTH, v2_events),
	STAT_KEYED("memory.events.local", MEMORY_EVENTS_LOCAL, MEMORY_BOTH, v2_local),
	STAT_KEYED("memory.swap.events", MEMORY_SWAP_EVENTS, MEMORY_BOTH, v2_swap_events),
	STAT_KEYED("memory.stat", MEMORY_STAT, MEMORY_STAT, v2_stat),
	{ .name = NULL },
};

static const struct ctl_limit v2_more[] = {
	CTL_LIMIT(MEMORY_OOM_GROUP, "memory.oom.group", NULL),
	CTL_LIMIT(ZSWAP_WRITEBACK, "memory.zswap.writeback", NULL),
	{ .bit = 0 },
};

const struct ctl_ops ctl_memory_v2 = {
	.handles = LIMIT_BITS | CGFS_SET_MEMORY_LOW | CGFS_SET_MEMORY_HIGH | CGFS_SET_MEMORY_MIN |
		   CGFS_SET_MEMORY_ZSWAP_MAX | CGFS_SET_ZSWAP_WRITEBACK | CGFS_SET_MEMORY_OOM_GROUP,
	.reads = CGFS_READ_MEMORY_BOTH | CGFS_READ_MEMORY_STAT | CGFS_READ_USAGE,
	.apply = v2_apply,
	.figures = v2_figures,
	.limits = v2_more,
};
