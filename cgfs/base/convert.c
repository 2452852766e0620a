/* SPDX-License-Identifier: MIT */
/*
 * convert.c - the arithmetic between cgroup v1's and v2's units.  Pure functions; must not know
 * control files.
 *
 * cpu.shares and cpu.weight.  The curve is
 *
 *	weight = ceil(10^((l^2 + 125 l) / 612 - 7/34)),  l = log2(shares)
 *
 * through minimum, default and maximum of both scales: (2, 1), (1024, 100), (262144, 10000).
 * Source: crun and runc, which replaced the linear map (1024 -> 39) by it in 2025.
 *
 * It is evaluated in integers, because a ceiling is only as good as what is below it: with
 * doubles the three points above hang on the last bit of pow().  Here v > w is asked as
 *
 *	(l^2 + 125 l - 126) log2(10) > 612 log2(w)
 *
 * with 40 binary places.  That leaves errors below 2^-30, while for no number of shares but the
 * three the two sides are closer than 2^-22; GUARD lies between.
 */
#include "cgfs/base/convert.h"

#include <cgfs/resources.h>
#include <inttypes.h>
#include <stdio.h>

#define SHARES_MIN     2
#define SHARES_MAX     262144
#define SHARES_DEFAULT 1024
#define WEIGHT_MIN     1
#define WEIGHT_MAX     10000
#define WEIGHT_DEFAULT 100

#define PLACES	40
#define LOG2_10 INT64_C(3652498566964) /* log2(10) * 2^PLACES */
#define GUARD	(INT64_C(1) << (PLACES - 26))

/* The high half of a product of 128 bits, and the low one: 32-bit targets have no __int128. */
static uint64_t product(uint64_t a, uint64_t b, uint64_t *ret_low)
{
	uint64_t a0 = a & UINT32_MAX, a1 = a >> 32, b0 = b & UINT32_MAX, b1 = b >> 32;
	uint64_t cross = a1 * b0 + (a0 * b0 >> 32); /* cannot carry: (2^32 - 1)^2 + 2^32 - 1 */
	uint64_t middle = a0 * b1 + (cross & UINT32_MAX);

	*ret_low = a * b;
	return a1 * b1 + (cross >> 32) + (middle >> 32);
}

/* a * b * 2^-PLACES of two that are not negative; the result is below 2^63. */
static int64_t times(int64_t a, int64_t b)
{
	uint64_t low, high = product((uint64_t)a, (uint64_t)b, &low);

	return (int64_t)(high << (64 - PLACES) | low >> PLACES);
}

/* The whole part of log2(v), and the mantissa, of which 1 is 2^63. */
static int64_t log2_whole(uint64_t v, uint64_t *ret_mantissa)
{
	unsigned int whole = 63 - (unsigned int)__builtin_clzll(v);

	*ret_mantissa = v << (63 - whole);
	return whole;
}

/* The next binary place, by squaring: 1 when the mantissa passes 2. */
static unsigned int log2_place(uint64_t *mantissa)
{
	uint64_t low, high = product(*mantissa, *mantissa, &low);
	unsigned int bit = (unsigned int)(high >> 63);

	*mantissa = bit ? high : high << 1 | low >> 63;
	return bit;
}

/* 612 log2 of the curve before the ceiling, * 2^PLACES. */
static int64_t curve(uint64_t shares)
{
	uint64_t mantissa;
	int64_t l = log2_whole(shares, &mantissa), e;

	for (int i = 0; i < PLACES; i++)
		l = l << 1 | log2_place(&mantissa);
	e = times(l, l) + 125 * l - (INT64_C(126) << PLACES);
	return times(e, LOG2_10);
}

/* Is it above 612 log2(weight)?  Asks for as many places as it takes to know: six on average. */
static bool is_above(int64_t curve_of_shares, uint64_t weight)
{
	uint64_t mantissa;
	int64_t log = log2_whole(weight, &mantissa);

	for (int rest = PLACES; rest > 0; rest--) {
		if (curve_of_shares <= 612 * (log << rest) + GUARD)
			return false;
		if (curve_of_shares > 612 * ((log + 1) << rest) + GUARD)
			return true;
		log = log << 1 | log2_place(&mantissa);
	}
	return curve_of_shares > 612 * log + GUARD;
}

uint64_t cgfs_weight_from_shares(uint64_t shares)
{
	uint64_t low = WEIGHT_MIN, high = WEIGHT_MAX;
	int64_t c;

	if (shares <= SHARES_MIN)
		return WEIGHT_MIN;
	if (shares >= SHARES_MAX)
		return WEIGHT_MAX;
	if (shares == SHARES_DEFAULT) /* those of most groups */
		return WEIGHT_DEFAULT;

	/* The smallest weight that the curve is not above. */
	c = curve(shares);
	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (is_above(c, middle))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t cgfs_shares_from_weight(uint64_t weight)
{
	uint64_t low = SHARES_MIN, high = SHARES_MAX;

	if (weight <= WEIGHT_MIN)
		return SHARES_MIN;
	if (weight >= WEIGHT_MAX)
		return SHARES_MAX;

	/* The largest shares whose curve is not above the weight: where the curve goes through a
	 * pair, this goes back through it, default to default.  Shares are the finer scale at
	 * every point, so that there are shares for every weight. */
	while (low < high) {
		uint64_t middle = (low + high + 1) / 2;

		if (is_above(curve(middle), weight))
			high = middle - 1;
		else
			low = middle;
	}
	return low;
}

/* Kernel: sched_weight_from_cgroup() of kernel/sched/sched.h, DIV_ROUND_CLOSEST(weight * 1024,
 * 100): what the scheduler makes of cpu.weight, in the unit of cpu.shares. */
uint64_t cgfs_shares_of_scheduler(uint64_t weight)
{
	return (weight * 1024 + 50) / 100;
}

/* Kernel: sched_prio_to_weight[] of kernel/sched/core.c, in the same unit: what
 * cpu_weight_nice_write_s64() hands to the function that v1's cpu.shares is handed to. */
uint64_t cgfs_shares_of_nice(int nice)
{
	static const uint32_t weight[] = {
		88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
		9548,  7620,  6100,  4904,  3906,  3121,  2501,	 1991,	1586,  1277,
		1024,  820,   655,   526,   423,   335,	  272,	 215,	172,   137,
		110,   87,    70,    56,    45,	   36,	  29,	 23,	18,    15,
	};

	return weight[nice < -20 ? 0 : nice > 19 ? 39 : nice + 20];
}

/* Kernel: cgroup-v1/memory.rst 2.4, memsw is memory+swap; cgroup-v2.rst memory.swap.max is swap
 * alone. */
uint64_t cgfs_swap_alone(uint64_t total, uint64_t memory)
{
	if (total == CGFS_MAX)
		return CGFS_MAX;
	return total > memory ? total - memory : 0;
}

bool cgfs_swap_and_memory(uint64_t swap, uint64_t memory, uint64_t *ret_total)
{
	uint64_t total = CGFS_MAX;

	if (swap != CGFS_MAX && (memory == CGFS_MAX ||
				 __builtin_add_overflow(swap, memory, &total) || total > INT64_MAX))
		return false;
	*ret_total = total;
	return true;
}

/* cgroup-v2.rst cpu.max: "$MAX $PERIOD"; with one number alone the period stays as it is. */
int cgfs_cpu_max(char *buf, size_t len, uint64_t quota_us, uint64_t period_us)
{
	char quota[24] = "max", period[24] = "";

	if (quota_us != CGFS_MAX)
		snprintf(quota, sizeof(quota), "%" PRIu64, quota_us);
	if (period_us)
		snprintf(period, sizeof(period), " %" PRIu64, period_us);
	return snprintf(buf, len, "%s%s", quota, period);
}

/* blkio.bfq.weight and io.bfq.weight are 1..1000, 100 by default (bfq-cgroup.c, BFQ_MIN_WEIGHT,
 * BFQ_WEIGHT_LEGACY_DFL), OCI's scale is that from 10 on; io.weight is 1..10000, 100 by default
 * (CGROUP_WEIGHT_*).  Through minimum, default and maximum of both, linear between. */
uint64_t cgfs_io_weight(uint64_t weight)
{
	if (weight <= 10)
		return 1;
	if (weight <= 100)
		return 1 + (weight - 10) * 99 / 90;
	return weight < 1000 ? 100 + (weight - 100) * 11 : 10000;
}

uint64_t cgfs_weight_of_io(uint64_t io)
{
	uint64_t low = 10, high = 1000;

	while (low < high) {
		uint64_t middle = (low + high + 1) / 2;

		if (cgfs_io_weight(middle) > io)
			high = middle - 1;
		else
			low = middle;
	}
	return low;
}
