/* SPDX-License-Identifier: MIT */
/*
 * bulk.c - figures of memory from the policy's report of all groups, in place of control files.
 * Which figure of the kernel's structures is which file's, on v1 and on v2.
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/memory/memory.h"

struct from {
	uint16_t stat, at; /* enum cgfs_stat; offset in struct cgfs_figures */
	bool limit;	   /* CGFS_FIGURE_NONE: there is none; else: there is no figure */
};
#define FROM(stat, member)                                                                         \
	{                                                                                          \
		CGFS_STAT_MEMORY_##stat, offsetof(struct cgfs_figures, member), false              \
	}
#define FROM_LIMIT(stat, member)                                                                   \
	{                                                                                          \
		CGFS_STAT_MEMORY_##stat, offsetof(struct cgfs_figures, member), true               \
	}

/* With swap and memory together, as v1's files have it. */
static const struct from v1[] = {
	FROM(CURRENT, current_bytes),
	FROM_LIMIT(MAX, max_bytes),
	FROM_LIMIT(LOW, soft_bytes),
	FROM(PEAK, peak_bytes),
	FROM(SWAP_CURRENT, swap_current_bytes),
	FROM_LIMIT(SWAP_MAX, swap_max_bytes),
	FROM(KERNEL, kernel_bytes),
	FROM(EVENTS_MAX, failed),
	FROM(EVENTS_OOM_KILL, all.oom_kill),
};

static const struct from v2[] = {
	FROM(CURRENT, current_bytes),
	FROM_LIMIT(MAX, max_bytes),
	FROM_LIMIT(HIGH, high_bytes),
	FROM_LIMIT(LOW, low_bytes),
	FROM_LIMIT(MIN, min_bytes),
	FROM(PEAK, peak_bytes),
	FROM(SWAP_CURRENT, swap_current_bytes),
	FROM_LIMIT(SWAP_MAX, swap_max_bytes),
	FROM(SWAP_PEAK, swap_peak_bytes),
	FROM(SWAP_EVENTS_MAX, all.swap_max),
	FROM(SWAP_EVENTS_FAIL, all.swap_fail),
	FROM(EVENTS_LOW, all.low),
	FROM(EVENTS_HIGH, all.high),
	FROM(EVENTS_MAX, all.max),
	FROM(EVENTS_OOM, all.oom),
	FROM(EVENTS_OOM_KILL, all.oom_kill),
	FROM(EVENTS_OOM_GROUP_KILL, all.oom_group_kill),
	FROM(LOCAL_LOW, here.low),
	FROM(LOCAL_HIGH, here.high),
	FROM(LOCAL_MAX, here.max),
	FROM(LOCAL_OOM, here.oom),
	FROM(LOCAL_OOM_KILL, here.oom_kill),
	FROM(LOCAL_OOM_GROUP_KILL, here.oom_group_kill),
};

static const struct from v2_stat[] = {
	FROM(ANON, stat.anon),
	FROM(FILE, stat.file),
	FROM(KERNEL, stat.kernel),
	FROM(KERNEL_STACK, stat.kernel_stack),
	FROM(PAGETABLES, stat.pagetables),
	FROM(SOCK, stat.sock),
	FROM(SHMEM, stat.shmem),
	FROM(ZSWAPPED, stat.zswapped),
	FROM(FILE_MAPPED, stat.file_mapped),
	FROM(FILE_DIRTY, stat.file_dirty),
	FROM(FILE_WRITEBACK, stat.file_writeback),
	FROM(ANON_THP, stat.anon_thp),
	FROM(INACTIVE_ANON, stat.inactive_anon),
	FROM(ACTIVE_ANON, stat.active_anon),
	FROM(INACTIVE_FILE, stat.inactive_file),
	FROM(ACTIVE_FILE, stat.active_file),
	FROM(UNEVICTABLE, stat.unevictable),
	FROM(SLAB, stat.slab),
	FROM(REFAULT_ANON, stat.refault_anon),
	FROM(REFAULT_FILE, stat.refault_file),
	FROM(PGFAULT, stat.pgfault),
	FROM(PGMAJFAULT, stat.pgmajfault),
};

static void take(const struct cgfs_figures *from, const struct from *list, size_t n,
		 struct cgfs_stats *s)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value;

		memcpy(&value, (const char *)from + list[i].at, sizeof(value));
		if (value == CGFS_FIGURE_NONE && !list[i].limit)
			continue;
		ctl_stat_set(s, (enum cgfs_stat)list[i].stat, value);
		s->figure[list[i].stat].source = CGFS_SOURCE_REPORT;
	}
}

uint64_t memory_report(const struct cgfs *c, unsigned int what)
{
	const unsigned int has =
		CGFS_READ_MEMORY | CGFS_READ_MEMORY_BULK | CGFS_READ_MEMORY_STAT | CGFS_READ_USAGE;
	const struct cgfs_policy *p = c->policy;
	uint64_t session;

	if (!(what & has) || !p || !p->ops->report_memory || !p->ops->reported_memory ||
	    p->ops->report_memory(p->ctx, &session) < 0)
		return 0;
	return session;
}

void memory_reported(const struct cgfs_group *g, unsigned int what, uint64_t session,
		     struct cgfs_stats *s)
{
	const struct cgfs_policy *p = g->c->policy;
	struct cgfs_policy_memory m = { .sz = sizeof(m) };
	bool old = g->c->place[CGFS_MEMORY].version == CGFS_V1;

	if (p->ops->reported_memory(p->ctx, g->cgroup_id, session, &m) < 0)
		return;
	if (what & (CGFS_READ_MEMORY | CGFS_READ_MEMORY_BULK | CGFS_READ_USAGE)) {
		if (old)
			take(&m.figures, v1, ARRAY_SIZE(v1), s);
		else
			take(&m.figures, v2, ARRAY_SIZE(v2), s);
	}
	/* All of it, or nothing. */
	if (!old && what & CGFS_READ_MEMORY_STAT && m.figures.stat.anon != CGFS_FIGURE_NONE)
		take(&m.figures, v2_stat, ARRAY_SIZE(v2_stat), s);
}
