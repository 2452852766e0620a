/* SPDX-License-Identifier: MIT */
/*
 * stats.c - collects the figures of a group from the controllers and the policy that have
 * them.  Names no control file.
 */
#include "controller/table.h"
#include "core.h"

static int from_policy(struct cgfs_group *g, struct cgfs_stats *s, struct cgfs_err *reterr)
{
	const struct cgfs_policy *p = g->c->policy;
	struct cgfs_policy_counters n;
	int r;

	if (!p || !g->cgroup_id)
		return 0;
	r = p->ops->counters(p->ctx, g->cgroup_id, &n);
	if (r < 0) /* it does not know the group, or failed */
		return r == -ENOENT ? 0
				    : cgfs_err_set(reterr, r, "read counters of the device policy",
						   NULL, NULL, NULL);
	ctl_stat_set(s, CGFS_STAT_DEVICE_ALLOWED, n.device_allowed);
	ctl_stat_set(s, CGFS_STAT_DEVICE_DENIED, n.device_denied);
	if (p->ops->reports_oom(p->ctx))
		ctl_stat_set(s, CGFS_STAT_OOM_KILLS, n.oom_kills);
	return 0;
}

int cgfs_group_stats(struct cgfs_group *g, unsigned int what, struct cgfs_stats *ret_stats,
		     struct cgfs_err *reterr)
{
	struct cgfs_stats s = { .value = { 0 } };
	int r;

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		const struct place *p = &g->c->place[ctl];
		struct cgfs_dir d = { g, p->hierarchy, NULL };

		if (!p->ops || !(p->ops->reads & what))
			continue;
		r = p->ops->stats(&d, what, &s, reterr);
		if (r < 0)
			return cgfs_err_context(reterr, r, "read figures of \"%.80s\"", g->rel);
	}
	r = what & CGFS_READ_PRESSURE ? pressure_stats(g, &s, reterr) : 0;
	if (r == 0 && (what & CGFS_READ_CGROUP))
		r = descendants_stats(g, &s, reterr);
	if (r == 0 && (what & CGFS_READ_POLICY))
		r = from_policy(g, &s, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "read figures of \"%.80s\"", g->rel);
	*ret_stats = s;
	return 0;
}

/* To the controllers the root is a group like any other; see cgfs_root_set(). */
int cgfs_root_stats(struct cgfs *c, unsigned int what, struct cgfs_stats *ret_stats,
		    struct cgfs_err *reterr)
{
	struct cgfs_group root = { .c = c, .rel = ".", .id = "", .is_pod = true };
	int r;

	root.path = c->root;
	for (int i = 0; i < HIERARCHY_MAX; i++)
		root.dir[i] = -EBADF;
	r = root_find(c, reterr);
	if (r == 0 && !root_complete(c))
		r = cgfs_err_set(reterr, -ENOENT, "read figures of", NULL, cgfs_root(c),
				 "there is no pods root");
	if (r == 0)
		r = cgfs_group_stats(&root, what & ~CGFS_READ_POLICY, ret_stats, reterr);
	group_close_all(&root);
	free(root.kept);
	free(root.inode);
	return r;
}

int cgfs_stats_all(struct cgfs *c, unsigned int what,
		   int (*fn)(void *arg, struct cgfs_group *g, const struct cgfs_stats *stats),
		   void *arg, struct cgfs_err *reterr)
{
	struct cgfs_stats s;
	int r = 0;

	for (struct cgfs_group *g = group_walk(c, NULL); g; g = group_walk(c, g)) {
		if (r != 0 || g->state != GROUP_LIVE)
			continue;
		r = cgfs_group_stats(g, what, &s, reterr);
		if (r == -ENOENT || r == -ENODEV)
			r = 0;
		else if (r == 0)
			r = fn(arg, g, &s);
	}
	return r;
}
