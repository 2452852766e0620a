/* SPDX-License-Identifier: MIT */
/*
 * pids.c - the pids controller: the same files on both versions.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/pids.rst, cgroup-v2.rst "PID"
 */
#include "table.h"

static int apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr)
{
	return dir_write_limit(d, "pids.max", res->pids_max, "max", reterr);
}

static int stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		 struct cgfs_err *reterr)
{
	static const struct cgfs_key events[] = { { "max", CGFS_STAT_PIDS_EVENTS_MAX } };
	static const struct cgfs_key local[] = { { "max", CGFS_STAT_PIDS_LOCAL_MAX } };
	int r;

	(void)what;
	r = ctl_stat_file(d, KEPT_PIDS_CURRENT, "pids.current", CGFS_STAT_PIDS_CURRENT, s, reterr);
	if (r == 0)
		r = ctl_stat_file(d, KEPT_PIDS_MAX, "pids.max", CGFS_STAT_PIDS_MAX, s, reterr);
	if (r == 0)
		r = ctl_stat_file(d, KEPT_PIDS_PEAK, "pids.peak", CGFS_STAT_PIDS_PEAK, s, reterr);
	if (r == 0)
		r = ctl_stat_keyed(d, KEPT_PIDS_EVENTS, "pids.events", events, ARRAY_SIZE(events),
				   s, reterr);
	if (r == 0)
		r = ctl_stat_keyed(d, KEPT_PIDS_EVENTS_LOCAL, "pids.events.local", local,
				   ARRAY_SIZE(local), s, reterr);
	return r;
}

static const struct keyed_file keyed[] = {
	{ "pids.events", KEPT_PIDS_EVENTS, CGFS_READ_PIDS },
	{ "pids.events.local", KEPT_PIDS_EVENTS_LOCAL, CGFS_READ_PIDS },
	{ NULL, 0, 0 },
};

const struct ctl_ops ctl_pids_v1 = {
	.handles = CGFS_SET_PIDS_MAX,
	.reads = CGFS_READ_PIDS,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = stats,
	.keyed = keyed,
};

const struct ctl_ops ctl_pids_v2 = {
	.handles = CGFS_SET_PIDS_MAX,
	.reads = CGFS_READ_PIDS,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = stats,
	.keyed = keyed,
};
