/* SPDX-License-Identifier: MIT */
/*
 * stats.c - collects the figures of a group from the controllers and the policy that have
 * them.  Names no control file.
 */
#include "cgfs/figure/stats.h"
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/memory/admit.h"
#include "cgfs/controller/memory/memory.h"
#include "cgfs/controller/process/pressure.h"

static void counted(struct cgfs_stats *s, enum cgfs_stat stat, uint64_t value)
{
	ctl_stat_set(s, stat, value);
	s->figure[stat].source = CGFS_SOURCE_POLICY;
}

static int from_policy(struct cgfs_group *g, struct cgfs_stats *s, struct cgfs_err *reterr)
{
	const struct cgfs_policy *p = g->c->policy;
	struct cgfs_policy_counters n = { .sz = sizeof(n) };
	int r;

	if (!p || !g->cgroup_id)
		return 0;
	r = p->ops->counters(p->ctx, g->cgroup_id, &n);
	if (r < 0) /* it does not know the group, or failed */
		return r == -ENOENT
			       ? 0
			       : err_file(reterr, r, "read counters of the device policy", NULL);
	counted(s, CGFS_STAT_DEVICE_ALLOWED, n.device_allowed);
	counted(s, CGFS_STAT_DEVICE_DENIED, n.device_denied);
	if (n.counts_oom || p->ops->reports_oom(p->ctx))
		counted(s, CGFS_STAT_OOM_KILLS, n.oom_kills);
	if (n.admit_follows) {
		r = admit_automatic(g, &n.admit_budget, reterr);
		if (r < 0)
			return r;
	}
	if (n.counts_admit) {
		counted(s, CGFS_STAT_ADMIT_BUDGET, n.admit_budget);
		counted(s, CGFS_STAT_ADMIT_REFUSING, n.admit_refusing);
		counted(s, CGFS_STAT_ADMIT_MAPS, n.admit_maps);
		counted(s, CGFS_STAT_ADMIT_EXECS, n.admit_execs);
		counted(s, CGFS_STAT_ADMIT_FORKS, n.admit_forks);
	}
	if (n.counts_admit || n.admit_exempt)
		counted(s, CGFS_STAT_ADMIT_EXEMPT, n.admit_exempt);
	if (!n.counts_memory)
		return 0;
	counted(s, CGFS_STAT_CHARGE_USAGE, n.memory_usage);
	counted(s, CGFS_STAT_CHARGE_PEAK, n.memory_peak);
	counted(s, CGFS_STAT_CHARGE_COUNT, n.memory_charges);
	counted(s, CGFS_STAT_CHARGE_FAILED, n.memory_failed);
	counted(s, CGFS_STAT_CHARGE_FAILED_HERE, n.memory_failed_here);
	counted(s, CGFS_STAT_CHARGE_RECLAIMS, n.memory_reclaims);
	counted(s, CGFS_STAT_CHARGE_RECLAIM_TIME, n.memory_reclaim_us);
	return 0;
}

/* What came of the sources of figures that were asked. */
struct sources {
	unsigned int answered;
	int lost; /* why one did not, of a group that is in other hierarchies still */
};

static int answer(struct cgfs_group *g, int hierarchy, struct sources *from, int r)
{
	if (r == 0)
		from->answered++;
	else if (group_part_lost(&(struct cgfs_dir){ .g = g, .hierarchy = hierarchy }, r) == 0)
		from->lost = r;
	else
		return r;
	return 0;
}

/* @session: of the policy's report; 0: there is none. */
static int collect(struct cgfs_group *g, unsigned int what, uint64_t session, struct cgfs_stats *s,
		   struct cgfs_err *reterr)
{
	struct sources from = { 0, 0 };
	int r = 0;

	if (session)
		memory_reported(g, what, session, s);
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT && r == 0; ctl++) {
		const struct place *p = &g->c->place[ctl];
		struct cgfs_dir d = dir_in(g, p->hierarchy);

		if (p->ops && (p->ops->reads & what))
			r = answer(g, d.hierarchy, &from, ctl_stats(&d, p->ops, what, s, reterr));
	}
	if (r == 0 && (what & CGFS_READ_PRESSURE))
		r = answer(g, g->c->unified, &from, pressure_stats(g, s, reterr));
	if (r == 0 && (what & (CGFS_READ_CGROUP | CGFS_READ_USAGE)))
		r = answer(g, g->c->unified, &from, descendants_stats(g, what, s, reterr));
	if (r == 0 && (what & CGFS_READ_POLICY))
		r = answer(g, g->c->unified, &from, from_policy(g, s, reterr));
	/* Where no figure can be had, the caller has to know why. */
	return r == 0 && from.lost && !from.answered ? from.lost : r;
}

int stats_read(struct cgfs_group *g, unsigned int what, uint64_t session, struct cgfs_stats *ret,
	       struct cgfs_err *reterr)
{
	int r;

	*ret = (struct cgfs_stats)CGFS_STATS_INIT;
	r = collect(g, what, session, ret, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "read figures of \"%.80s\"", g->rel) : 0;
}

int cgfs_group_stats(struct cgfs_group *g, unsigned int what, struct cgfs_stats *ret_stats,
		     struct cgfs_err *reterr)
{
	struct cgfs_stats s;
	int r = SIZED_CHECK(ret_stats, reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "read figures of \"%.80s\"", g->rel);
	r = stats_read(g, what, 0, &s, reterr);
	if (r < 0)
		return r;
	SIZED_OUT(ret_stats, &s);
	return 0;
}
