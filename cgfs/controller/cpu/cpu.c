/* SPDX-License-Identifier: MIT */
/*
 * cpu.c - the cpu controller, and v1's cpuacct, which cgroup2 made a part of it.
 *
 * Kernel: Documentation/scheduler/sched-bwc.rst, admin-guide/cgroup-v1/cpuacct.rst;
 * cgroup-v2.rst "CPU"
 */
#include "cgfs/controller/cpu/cpu.h"
#include "cgfs/base/convert.h"
#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"

#include <stdio.h>
#include <stdlib.h>

#define WEIGHT_BITS (CGFS_SET_CPU_WEIGHT | CGFS_SET_CPU_SHARES)
#define QUOTA_BITS  (CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD)
#define BURST_BITS  (CGFS_SET_CPU_BURST | CGFS_SET_CPU_IDLE)
#define RT_BITS	    (CGFS_SET_CPU_RT_RUNTIME | CGFS_SET_CPU_RT_PERIOD)

typedef int bandwidth_fn(const struct cgfs_dir *d, const struct cgfs_resources *res,
			 struct cgfs_err *reterr);

/*
 * The kernel keeps burst <= quota at every step (EINVAL): the quota goes first when it grows,
 * the burst when it shrinks.
 */
static int quota_and_burst(const struct cgfs_dir *d, const struct cgfs_resources *res,
			   bandwidth_fn *quota, const char *burst, struct cgfs_err *reterr)
{
	int r = res->set & QUOTA_BITS ? quota(d, res, reterr) : 0;

	if (!(res->set & CGFS_SET_CPU_BURST))
		return r;
	if (r == 0)
		return dir_write_limit(d, burst, res->cpu_burst_us, "", reterr);
	if (r != -EINVAL)
		return r;
	r = dir_write_limit(d, burst, res->cpu_burst_us, "", reterr);
	return r < 0 ? r : quota(d, res, reterr);
}

/* Before the weight: a group that is idle refuses one (EINVAL). */
static int idle(const struct cgfs_dir *d, const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	if (!(res->set & CGFS_SET_CPU_IDLE))
		return 0;
	return dir_write(d, "cpu.idle", res->cpu_idle ? "1" : "0", reterr);
}

/* -- v1 ------------------------------------------------------------------------------------ */

static int v1_period(const struct cgfs_dir *d, const struct cgfs_resources *res,
		     struct cgfs_err *reterr)
{
	return dir_write_limit(d, "cpu.cfs_period_us", res->cpu_period_us, "", reterr);
}

static int v1_quota(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	return dir_write_limit(d, "cpu.cfs_quota_us", res->cpu_quota_us, "-1", reterr);
}

/*
 * Two files for one ratio: the kernel refuses (EINVAL) a step between whose ratio is above the
 * parent's, or below what the children have.  If period first does not work, quota first may.
 */
static int v1_bandwidth(const struct cgfs_dir *d, const struct cgfs_resources *res,
			struct cgfs_err *reterr)
{
	int r = 0;

	if ((res->set & QUOTA_BITS) == CGFS_SET_CPU_QUOTA)
		return v1_quota(d, res, reterr);
	r = v1_period(d, res, reterr);
	if ((res->set & QUOTA_BITS) == CGFS_SET_CPU_PERIOD)
		return r;
	if (r == 0)
		return v1_quota(d, res, reterr);
	if (r != -EINVAL)
		return r;
	r = v1_quota(d, res, reterr);
	return r < 0 ? r : v1_period(d, res, reterr);
}

static int v1_rt_period(const struct cgfs_dir *d, const struct cgfs_resources *res,
			struct cgfs_err *reterr)
{
	return res->set & CGFS_SET_CPU_RT_PERIOD
		       ? dir_write_limit(d, "cpu.rt_period_us", res->cpu_rt_period_us, "", reterr)
		       : 0;
}

static int v1_rt_runtime(const struct cgfs_dir *d, const struct cgfs_resources *res,
			 struct cgfs_err *reterr)
{
	return res->set & CGFS_SET_CPU_RT_RUNTIME
		       ? dir_write_limit(d, "cpu.rt_runtime_us", res->cpu_rt_runtime_us, "-1",
					 reterr)
		       : 0;
}

/* Two files for one ratio, as above: a step between must be within the parent's, too. */
static int v1_realtime(const struct cgfs_dir *d, const struct cgfs_resources *res,
		       struct cgfs_err *reterr)
{
	int r = v1_rt_period(d, res, reterr);

	if (r == 0) {
		r = v1_rt_runtime(d, res, reterr);
	} else if (r == -EINVAL && (res->set & RT_BITS) == RT_BITS) {
		r = v1_rt_runtime(d, res, reterr);
		r = r < 0 ? r : v1_rt_period(d, res, reterr);
	}
	if (r == -EINVAL)
		return cgfs_err_context(reterr, r, "realtime bandwidth comes out of the parent's");
	if (r == -ENOENT)
		return err_why(reterr, -EOPNOTSUPP, "set", "cpu.realtime",
			       "this kernel was built without RT_GROUP_SCHED");
	return r;
}

static int v1_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = idle(d, res, reterr);

	if (r == 0 && (res->set & WEIGHT_BITS)) {
		uint64_t shares = res->set & CGFS_SET_CPU_SHARES
					  ? res->cpu_shares
					  : cgfs_shares_from_weight(res->cpu_weight);

		r = dir_write_limit(d, "cpu.shares", shares, "", reterr);
	}
	if (r == 0)
		r = quota_and_burst(d, res, v1_bandwidth, "cpu.cfs_burst_us", reterr);
	return r == 0 ? v1_realtime(d, res, reterr) : r;
}

/* The quota reads -1 for none. */
static int v1_stat_quota(const struct cgfs_dir *d, struct cgfs_stats *s, struct cgfs_err *reterr)
{
	const char *file = "cpu.cfs_quota_us";
	char text[32];
	ssize_t n = dir_read_kept(d, KEPT_CPU_QUOTA, file, text, sizeof(text));

	if (n < 0)
		return n == -ENOENT ? 0 : dir_error(d, (int)n, "read", file, NULL, reterr);
	ctl_stat_set(s, CGFS_STAT_CPU_QUOTA, text[0] == '-' ? CGFS_MAX : strtoull(text, NULL, 10));
	return 0;
}

/* Nanoseconds, where figures are microseconds. */
static void from_ns(struct cgfs_stats *s, enum cgfs_stat stat)
{
	s->figure[stat].value /= 1000;
}

static int v1_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		    struct cgfs_err *reterr)
{
	from_ns(s, CGFS_STAT_CPU_THROTTLED);
	from_ns(s, CGFS_STAT_CPU_BURST);
	if (s->figure[CGFS_STAT_CPU_WEIGHT].available)
		s->figure[CGFS_STAT_CPU_WEIGHT].value =
			cgfs_weight_from_shares(s->figure[CGFS_STAT_CPU_WEIGHT].value);
	return what & CGFS_READ_CPU ? v1_stat_quota(d, s, reterr) : 0;
}

static const struct cgfs_key v1_keys[] = {
	{ "nr_periods", CGFS_STAT_CPU_PERIODS },
	{ "nr_throttled", CGFS_STAT_CPU_THROTTLED_PERIODS },
	{ "throttled_time", CGFS_STAT_CPU_THROTTLED },
	{ "nr_bursts", CGFS_STAT_CPU_BURSTS },
	{ "burst_time", CGFS_STAT_CPU_BURST },
};

static const struct stat_file v1_figures[] = {
	STAT_KEYED_USED("cpu.stat", CPU_STAT, CPU, v1_keys),
	STAT_NUMBER("cpu.shares", CPU_WEIGHT, CPU, CPU_WEIGHT),
	STAT_NUMBER("cpu.cfs_period_us", CPU_PERIOD, CPU, CPU_PERIOD),
	{ .name = NULL },
};

static const struct ctl_limit v1_more[] = {
	CTL_LIMIT(CPU_BURST, "cpu.cfs_burst_us", NULL),
	CTL_LIMIT(CPU_IDLE, "cpu.idle", NULL),
	CTL_LIMIT(CPU_RT_RUNTIME, "cpu.rt_runtime_us", NULL),
	CTL_LIMIT(CPU_RT_PERIOD, "cpu.rt_period_us", NULL),
	{ .bit = 0 },
};

const struct ctl_ops ctl_cpu_v1 = {
	.handles = WEIGHT_BITS | QUOTA_BITS | BURST_BITS | RT_BITS,
	.reads = CGFS_READ_CPU | CGFS_READ_USAGE,
	.apply = v1_apply,
	.figures = v1_figures,
	.stats = v1_stats,
	.limits = v1_more,
	.why = ctl_cpu_why,
};

/* cpuacct only counts, in nanoseconds. */
static int cpuacct_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
			 struct cgfs_err *reterr)
{
	from_ns(s, CGFS_STAT_CPU_USAGE);
	from_ns(s, CGFS_STAT_CPU_USER);
	from_ns(s, CGFS_STAT_CPU_SYSTEM);
	return 0;
}

static const struct stat_file cpuacct_figures[] = {
	STAT_NUMBER_USED("cpuacct.usage", CPUACCT_USAGE, CPU, CPU_USAGE),
	STAT_NUMBER("cpuacct.usage_user", CPUACCT_USER, CPU, CPU_USER),
	STAT_NUMBER("cpuacct.usage_sys", CPUACCT_SYSTEM, CPU, CPU_SYSTEM),
	{ "cpuacct.stat", KEPT_CPUACCT_STAT, CGFS_READ_CPU, 0, v1_keys, 0 },
	{ .name = NULL },
};

const struct ctl_ops ctl_cpuacct_v1 = {
	.reads = CGFS_READ_CPU | CGFS_READ_USAGE,
	.figures = cpuacct_figures,
	.stats = cpuacct_stats,
};

/* -- v2 ------------------------------------------------------------------------------------ */

/* "QUOTA PERIOD".  Without the second number the kernel keeps the period that is there; there
 * is no such short form for the quota, so that is read first. */
static int v2_bandwidth(const struct cgfs_dir *d, const struct cgfs_resources *res,
			struct cgfs_err *reterr)
{
	uint64_t quota = res->cpu_quota_us;
	char text[64];
	ssize_t n;

	if (!(res->set & CGFS_SET_CPU_QUOTA)) {
		n = dir_read(d, "cpu.max", text, sizeof(text), reterr);
		if (n < 0)
			return (int)n;
		quota = text[0] == 'm' ? CGFS_MAX : strtoull(text, NULL, 10);
	}
	cgfs_cpu_max(text, sizeof(text), quota,
		     res->set & CGFS_SET_CPU_PERIOD ? res->cpu_period_us : 0);
	return dir_write(d, "cpu.max", text, reterr);
}

static int v2_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = idle(d, res, reterr);

	if (r == 0 && (res->set & WEIGHT_BITS)) {
		uint64_t weight = res->set & CGFS_SET_CPU_WEIGHT
					  ? res->cpu_weight
					  : cgfs_weight_from_shares(res->cpu_shares);

		r = dir_write_limit(d, "cpu.weight", weight, "", reterr);
	}
	if (r == 0)
		r = quota_and_burst(d, res, v2_bandwidth, "cpu.max.burst", reterr);
	return r;
}

static int v2_stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		    struct cgfs_err *reterr)
{
	char text[64], *period;
	ssize_t n;

	if (!(what & CGFS_READ_CPU))
		return 0;
	n = dir_read_kept(d, KEPT_CPU_QUOTA, "cpu.max", text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? 0 : dir_error(d, (int)n, "read", "cpu.max", NULL, reterr);
	ctl_stat_set(s, CGFS_STAT_CPU_QUOTA, text[0] == 'm' ? CGFS_MAX : strtoull(text, NULL, 10));
	period = strchr(text, ' ');
	if (period)
		ctl_stat_set(s, CGFS_STAT_CPU_PERIOD, strtoull(period, NULL, 10));
	return 0;
}

static const struct cgfs_key v2_keys[] = {
	{ "usage_usec", CGFS_STAT_CPU_USAGE },
	{ "user_usec", CGFS_STAT_CPU_USER },
	{ "system_usec", CGFS_STAT_CPU_SYSTEM },
	{ "nr_periods", CGFS_STAT_CPU_PERIODS },
	{ "nr_throttled", CGFS_STAT_CPU_THROTTLED_PERIODS },
	{ "throttled_usec", CGFS_STAT_CPU_THROTTLED },
	{ "nr_bursts", CGFS_STAT_CPU_BURSTS },
	{ "burst_usec", CGFS_STAT_CPU_BURST },
};

static const struct stat_file v2_figures[] = {
	STAT_KEYED_USED("cpu.stat", CPU_STAT, CPU, v2_keys),
	STAT_NUMBER("cpu.weight", CPU_WEIGHT, CPU, CPU_WEIGHT),
	{ .name = NULL },
};

static const struct ctl_limit v2_more[] = {
	CTL_LIMIT(CPU_BURST, "cpu.max.burst", NULL),
	CTL_LIMIT(CPU_IDLE, "cpu.idle", NULL),
	{ .bit = 0 },
};

const struct ctl_ops ctl_cpu_v2 = {
	.handles = WEIGHT_BITS | QUOTA_BITS | BURST_BITS,
	.reads = CGFS_READ_CPU | CGFS_READ_USAGE,
	.apply = v2_apply,
	.figures = v2_figures,
	.stats = v2_stats,
	.limits = v2_more,
	.why = ctl_cpu_why,
};
