// SPDX-License-Identifier: MIT
/*
 * cpu.c - the cpu and cpuacct controllers, and cpu.stat of cgroup2.
 */
#include "host.h"

#include <ctype.h>

#define QUOTA_MOST  17592186044415ull /* us: the kernel's max_cfs_runtime */
#define PERIOD_MOST 1000000ull

/* -- bandwidth -------------------------------------------------------------------------------- */

/* A share of a CPU as the kernel compares it. */
static uint64_t ratio(uint64_t quota, uint64_t period)
{
	return quota == FAKE_NONE ? FAKE_NONE : (quota << 20) / period;
}

/* v1: a child has at most its parent's share (v2 lets it have more, to no effect). */
static bool shares_fit(const struct node *n, uint64_t limit, const struct node *changed,
		       uint64_t quota, uint64_t period)
{
	uint64_t r = n == changed ? ratio(quota, period) : ratio(n->quota_us, n->period_us);

	if (!n->parent || r == FAKE_NONE)
		r = limit;
	else if (limit != FAKE_NONE && r > limit)
		return false;
	for (const struct node *c = n->children; c; c = c->next) {
		if (!shares_fit(c, r, changed, quota, period))
			return false;
	}
	return true;
}

static int set_bandwidth(struct node *n, uint64_t quota, uint64_t period, uint64_t burst)
{
	if (!n->parent)
		return -EINVAL;
	if (quota < 1000 || period < 1000 || period > PERIOD_MOST)
		return -EINVAL;
	if (quota != FAKE_NONE &&
	    (quota > QUOTA_MOST || burst > quota || burst + quota > QUOTA_MOST))
		return -EINVAL;
	if (n->h->version == CGFS_V1 && !shares_fit(n->h->root, FAKE_NONE, n, quota, period))
		return -EINVAL;
	n->quota_us = quota;
	n->period_us = period;
	n->burst_us = burst;
	return 0;
}

static int show_quota(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	if (n->quota_us == FAKE_NONE)
		fputs("-1\n", out);
	else
		fprintf(out, "%llu\n", (unsigned long long)n->quota_us);
	return 0;
}

static int store_quota(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	int64_t v;
	int r = fake_parse_s64(text, &v);

	if (r < 0)
		return r;
	return set_bandwidth(n, v < 0 ? FAKE_NONE : (uint64_t)v, n->period_us, n->burst_us);
}

static int store_period(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	return r < 0 ? r : set_bandwidth(n, n->quota_us, v, n->burst_us);
}

static int store_burst(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	return r < 0 ? r : set_bandwidth(n, n->quota_us, n->period_us, v);
}

static int show_max(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	if (n->quota_us == FAKE_NONE)
		fputs("max ", out);
	else
		fprintf(out, "%llu ", (unsigned long long)n->quota_us);
	fprintf(out, "%llu\n", (unsigned long long)n->period_us);
	return 0;
}

/* sscanf("%20s %llu"), then "%llu" or "max" of the first: the rest is not looked at. */
static int store_max(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	uint64_t quota = FAKE_NONE, period = n->period_us;
	unsigned long long v;
	char word[21];

	if (sscanf(text, "%20s", word) != 1)
		return -EINVAL;
	if (sscanf(text, "%*s %llu", &v) == 1)
		period = v;
	if (isdigit((unsigned char)*word)) {
		errno = 0;
		quota = strtoull(word, NULL, 10);
		/* Past all bounds; 7.2 takes it for "max". */
		if (quota == UINT64_MAX && !fake_since(n->host, FAKE_KERNEL_7_2))
			return -EINVAL;
	} else if (strcmp(word, "max") != 0) {
		return -EINVAL;
	}
	return set_bandwidth(n, quota, period, n->burst_us);
}

/* -- weight ----------------------------------------------------------------------------------- */

/* The scheduler's weight of each nice level, -20 to 19. */
static const unsigned int nice_weight[40] = {
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
	9548,  7620,  6100,  4904,  3906,  3121,  2501,	 1991,	1586,  1277,
	1024,  820,   655,   526,   423,   335,	  272,	 215,	172,   137,
	110,   87,    70,    56,    45,	   36,	  29,	 23,	18,    15,
};

static uint64_t nice_to_weight(int nice)
{
	return (nice_weight[nice + 20] * 100u + 512) / 1024;
}

static int show_shares(const struct open_file *file, FILE *out)
{
	fprintf(out, "%llu\n", file->node->idle ? 3ull : (unsigned long long)file->node->shares);
	return 0;
}

static int store_shares(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	if (r < 0)
		return r;
	if (!n->parent || n->idle)
		return -EINVAL;
	n->shares = v < 2 ? 2 : v > 262144 ? 262144 : v;
	return 0;
}

static int show_weight(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;
	uint64_t idle = fake_since(n->host, FAKE_KERNEL_6_12) ? 1 : 0;

	fprintf(out, "%llu\n", (unsigned long long)(n->idle ? idle : n->weight));
	return 0;
}

static int store_weight(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	if (r < 0)
		return r;
	if (v < 1 || v > 10000)
		return -ERANGE;
	if (n->idle)
		return -EINVAL;
	n->weight = v;
	return 0;
}

static int show_nice(const struct open_file *file, FILE *out)
{
	uint64_t best = UINT64_MAX;
	int nice = 0;

	for (int i = -20; i < 20; i++) {
		uint64_t w = nice_weight[i + 20], have = (file->node->weight * 1024 + 50) / 100;
		uint64_t away = w > have ? w - have : have - w;

		if (away >= best)
			break;
		best = away;
		nice = i;
	}
	fprintf(out, "%d\n", nice);
	return 0;
}

static int store_nice(const struct open_file *file, char *text)
{
	int64_t v;
	int r = fake_parse_s64(text, &v);

	if (r < 0)
		return r;
	if (v < -20 || v > 19)
		return -ERANGE;
	if (file->node->idle)
		return -EINVAL;
	file->node->weight = nice_to_weight((int)v);
	return 0;
}

static int store_idle(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	int64_t v;
	int r = fake_parse_s64(text, &v);

	if (r < 0)
		return r;
	if (!n->parent || v < 0 || v > 1)
		return -EINVAL;
	if (n->idle == (uint64_t)v)
		return 0; /* the weight stays as well */
	n->idle = (uint64_t)v;
	n->weight = 100;
	n->shares = 1024;
	return 0;
}

/* -- usage ------------------------------------------------------------------------------------ */

/* One thread ran for @us without a pause, from the start of a period. */
static void throttle(struct node *n, uint64_t us)
{
	uint64_t periods;

	if (!n->parent || !(n->enabled & (1u << CGFS_CPU)) || n->quota_us == FAKE_NONE || !us)
		return;
	if (n->quota_us >= n->period_us) {
		n->periods += (us + n->period_us - 1) / n->period_us;
		return;
	}
	periods = (us + n->quota_us - 1) / n->quota_us;
	n->periods += periods;
	n->throttled_periods += periods - 1;
	n->throttled_us += (periods - 1) * (n->period_us - n->quota_us);
}

static void account(struct node *n, uint64_t user_us, uint64_t system_us)
{
	for (; n; n = n->parent) {
		n->user_us += user_us;
		n->system_us += system_us;
		throttle(n, user_us + system_us);
	}
}

void fake_run(struct fake *f, pid_t pid, uint64_t user_us, uint64_t system_us)
{
	struct process *p = fake_process(f, pid);
	struct node *cpu, *acct, *unified;

	if (!p || p->dying || fake_frozen(f, pid))
		return;
	cpu = fake_node_of(p, fake_hierarchy(f, CGFS_CPU));
	acct = fake_node_of(p, fake_hierarchy(f, CGFS_CPUACCT));
	unified = fake_node_of(p, fake_hierarchy(f, FAKE_CORE));
	account(cpu, user_us, system_us);
	account(acct, user_us, system_us);
	if (unified && (!cpu || unified->h != cpu->h))
		account(unified, user_us, system_us);
}

int fake_show_cpu_stat(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;
	unsigned long long user = n->user_us, system = n->system_us;

	fprintf(out, "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\n", user + system, user,
		system);
	if (fake_since(n->host, FAKE_KERNEL_6_12))
		fputs("nice_usec 0\n", out);
	if (n->enabled & (1u << CGFS_CPU))
		fprintf(out,
			"nr_periods %llu\nnr_throttled %llu\nthrottled_usec %llu\n"
			"nr_bursts 0\nburst_usec 0\n",
			(unsigned long long)n->periods, (unsigned long long)n->throttled_periods,
			(unsigned long long)n->throttled_us);
	return 0;
}

int fake_show_cpu_stat_local(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	if (n->enabled & (1u << CGFS_CPU))
		fprintf(out, "throttled_usec %llu\n", (unsigned long long)n->throttled_us);
	return 0;
}

static int show_stat_v1(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	fprintf(out,
		"nr_periods %llu\nnr_throttled %llu\nthrottled_time %llu\nnr_bursts 0\n"
		"burst_time 0\n",
		(unsigned long long)n->periods, (unsigned long long)n->throttled_periods,
		(unsigned long long)n->throttled_us * 1000);
	return 0;
}

static int show_stat_local_v1(const struct open_file *file, FILE *out)
{
	fprintf(out, "throttled_time %llu\n", (unsigned long long)file->node->throttled_us * 1000);
	return 0;
}

static void online(struct node *n)
{
	n->period_us = 100000;
	n->periods = n->throttled_periods = n->throttled_us = 0;
}

static const struct ctl_file cpu_v1[] = {
	CTL("cpu.cfs_burst_us", BOTH, fake_show_u64, store_burst, FIELD(burst_us)),
	CTL("cpu.cfs_period_us", BOTH, fake_show_u64, store_period, FIELD(period_us)),
	CTL("cpu.cfs_quota_us", BOTH, show_quota, store_quota, FIELD(quota_us), .init = FAKE_NONE),
	CTL("cpu.idle", BOTH, fake_show_u64, store_idle, FIELD(idle)),
	CTL("cpu.shares", BOTH, show_shares, store_shares, FIELD(shares), .init = 1024),
	CTL("cpu.stat", BOTH, show_stat_v1, NULL),
	CTL("cpu.stat.local", BOTH, show_stat_local_v1, NULL, SINCE(6, 12)),
	{ .name = NULL },
};

static const struct ctl_file cpu_v2[] = {
	CTL("cpu.idle", CHILD, fake_show_u64, store_idle, FIELD(idle)),
	CTL("cpu.max", CHILD, show_max, store_max, FIELD(quota_us), .init = FAKE_NONE),
	CTL("cpu.max.burst", CHILD, fake_show_u64, store_burst, FIELD(burst_us)),
	CTL("cpu.weight", CHILD, show_weight, store_weight, FIELD(weight), .init = 100),
	CTL("cpu.weight.nice", CHILD, show_nice, store_nice),
	{ .name = NULL },
};

const struct controller fake_cpu = {
	.v1_name = "cpu",
	.v2_name = "cpu",
	.v1 = cpu_v1,
	.v2 = cpu_v2,
	.threaded = true,
	.online = online,
};

/* -- cpuacct: v1 only; nanoseconds, and clock ticks of 10 ms in cpuacct.stat ------------------ */

static int show_usage(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;
	uint64_t us = n->user_us + n->system_us;

	if (strcmp(file->type->name, "cpuacct.usage_user") == 0)
		us = n->user_us;
	else if (strcmp(file->type->name, "cpuacct.usage_sys") == 0)
		us = n->system_us;
	fprintf(out, "%llu\n", (unsigned long long)us * 1000);
	return 0;
}

static int store_usage(const struct open_file *file, char *text)
{
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	if (r < 0)
		return r;
	if (v != 0)
		return -EINVAL;
	file->node->user_us = file->node->system_us = 0;
	return 0;
}

static int show_acct_stat(const struct open_file *file, FILE *out)
{
	fprintf(out, "user %llu\nsystem %llu\n", (unsigned long long)file->node->user_us / 10000,
		(unsigned long long)file->node->system_us / 10000);
	return 0;
}

static const struct ctl_file cpuacct_v1[] = {
	CTL("cpuacct.stat", BOTH, show_acct_stat, NULL),
	CTL("cpuacct.usage", BOTH, show_usage, store_usage),
	CTL("cpuacct.usage_sys", BOTH, show_usage, NULL),
	CTL("cpuacct.usage_user", BOTH, show_usage, NULL),
	{ .name = NULL },
};

const struct controller fake_cpuacct = { .v1_name = "cpuacct", .v1 = cpuacct_v1 };
