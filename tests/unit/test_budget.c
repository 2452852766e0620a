/* SPDX-License-Identifier: MIT */
/*
 * test_budget.c - the budget that follows a memory limit: what the library gives to the policy.
 */
#include <cgfs/cgfs.h>

#include "cgfs/base/util.h"
#include "fake_host.h"

#define MIB (1024 * 1024ull)

/* The fake's policy, with admission. */
static struct cgfs_policy policy;
static struct cgfs_policy_ops ops;
static int (*fake_counters)(void *ctx, uint64_t id, struct cgfs_policy_counters *ret);
static struct cgfs_policy_admit given;
static unsigned int times;
static int answer;

static struct cgfs *c;
static struct cgfs_group *pod;
static struct cgfs_err err;

static int counters(void *ctx, uint64_t id, struct cgfs_policy_counters *ret)
{
	int r = fake_counters(ctx, id, ret);

	ret->counts_admit = times > 0;
	ret->admit_budget = given.budget_bytes;
	ret->admit_follows = given.follows;
	return r;
}

static int admit(void *ctx, const struct cgfs_policy_group *group,
		 const struct cgfs_policy_admit *a, struct cgfs_err *reterr)
{
	if (answer < 0)
		return cgfs_err_set(reterr, answer, "give a budget by", "fake", NULL, NULL);
	given = *a;
	times++;
	return 0;
}

static void begin(enum cgfs_layout layout, bool admits)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;

	instead(layout, FAKE_KERNEL_6_12);
	policy = *fake_policy(f, false);
	ops = *policy.ops;
	fake_counters = ops.counters;
	ops.counters = counters;
	ops.admit_memory = admits ? admit : NULL;
	policy.ops = &ops;
	given = (struct cgfs_policy_admit){ .budget_bytes = CGFS_MAX };
	times = 0;
	answer = 0;
	opts.fs = fs;
	opts.mounts = fake_mounts(f);
	opts.policy = &policy;
	CHECK_INT(cgfs_open(&opts, &c, &err), 0);
	CHECK_INT(cgfs_pod_create(c, "web", NULL, &pod, &err), 0);
}

static void end(void)
{
	cgfs_group_close(pod);
	cgfs_close(c);
}

static int set(uint64_t bits, uint64_t limit, struct cgfs_applied *applied)
{
	struct cgfs_set_opts opts = CGFS_SET_OPTS_INIT;
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	opts.applied = applied;
	res.set = bits;
	res.memory_max_bytes = limit;
	res.memory_admit_bytes = CGFS_ADMIT_AUTO;
	return cgfs_group_set(pod, &res, &opts, &err);
}

static uint64_t figure(enum cgfs_stat stat)
{
	struct cgfs_stats s = CGFS_STATS_INIT;

	CHECK_INT(cgfs_group_stats(pod, CGFS_READ_MEMORY | CGFS_READ_POLICY, &s, &err), 0);
	CHECK(s.figure[stat].available);
	return s.figure[stat].value;
}

static void follows_on(enum cgfs_layout layout)
{
	static const struct {
		uint64_t limit, budget;
	} table[] = {
		{ 64 * MIB, 60 * MIB }, { 1600 * MIB, 1500 * MIB }, { 16 * MIB, 15 * MIB },
		{ 8 * MIB, 7 * MIB },	{ 2 * MIB, MIB },	    { MIB, MIB / 2 },
		{ MIB / 2, MIB / 4 },	{ CGFS_MAX, CGFS_MAX },
	};
	struct cgfs_applied now = CGFS_APPLIED_INIT;

	begin(layout, true);
	CHECK_INT(set(CGFS_SET_MEMORY_ADMIT, 0, NULL), -EINVAL);
	CHECK_MSG(strstr(err.text, "has no limit"), "%s", err.text);
	CHECK_INT(times, 0);
	CHECK_INT(set(CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_ADMIT, 32 * MIB, &now), 0);
	CHECK_INT(now.memory_admit_bytes, 30 * MIB);
	CHECK_INT(times, 1);
	CHECK(given.follows);
	CHECK_INT(given.budget_bytes, 30 * MIB);
	CHECK_INT(given.lift_bytes, 30 * MIB - 30 * MIB / 16);
	/* The policy follows by itself; figures do not wait for it. */
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		CHECK_INT(set(CGFS_SET_MEMORY_MAX, table[i].limit, NULL), 0);
		CHECK_INT(figure(CGFS_STAT_ADMIT_BUDGET), table[i].budget);
	}
	CHECK_INT(times, 1);
	end();
}

FAKE_TEST(auto_budget_follows_the_limit_on_v2)
{
	follows_on(CGFS_LAYOUT_V2);
}

FAKE_TEST(auto_budget_follows_the_limit_on_hybrid)
{
	follows_on(CGFS_LAYOUT_HYBRID);
}

/* Refused as a whole: the limit is what it was. */
FAKE_TEST(auto_budget_and_limit_are_one_change)
{
	begin(CGFS_LAYOUT_V2, true);
	CHECK_INT(set(CGFS_SET_MEMORY_MAX, 32 * MIB, NULL), 0);
	answer = -EPERM;
	CHECK_INT(set(CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_ADMIT, 64 * MIB, NULL), -EPERM);
	CHECK_INT(figure(CGFS_STAT_MEMORY_MAX), 32 * MIB);
	answer = 0;
	CHECK_INT(set(CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_ADMIT, CGFS_MAX, NULL), -EINVAL);
	CHECK_INT(figure(CGFS_STAT_MEMORY_MAX), 32 * MIB);
	CHECK_INT(times, 0);
	end();
}

FAKE_TEST(auto_budget_needs_a_policy)
{
	begin(CGFS_LAYOUT_V2, false);
	CHECK_INT(set(CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_ADMIT, 64 * MIB, NULL), -ENODEV);
	CHECK_INT(figure(CGFS_STAT_MEMORY_MAX), CGFS_MAX);
	end();
}
