/* SPDX-License-Identifier: MIT */
/*
 * test_convert.c - cpu.shares to cpu.weight and back, over their whole ranges.
 */
#include "cgfs/base/convert.h"
#include "cgfs/base/util.h"
#include "tests/tap.h"
#include <cgfs/resources.h>

TAP_TEST(weight_from_shares_known_values_match)
{
	/* What runc 1.3.6 and crun 1.28 wrote into cpu.weight. */
	static const struct {
		uint64_t shares, weight;
	} cases[] = {
		{ 2, 1 },	 { 3, 2 },	    { 10, 4 },	       { 102, 17 },
		{ 256, 35 },	 { 512, 59 },	    { 1023, 100 },     { 1024, 100 },
		{ 1025, 101 },	 { 2048, 174 },	    { 4096, 303 },     { 10240, 639 },
		{ 65536, 3023 }, { 262143, 10000 }, { 262144, 10000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_INT(cgfs_weight_from_shares(cases[i].shares), cases[i].weight);
}

TAP_TEST(weight_from_shares_out_of_range_is_clamped)
{
	CHECK_INT(cgfs_weight_from_shares(0), 1);
	CHECK_INT(cgfs_weight_from_shares(1), 1);
	CHECK_INT(cgfs_weight_from_shares(300000), 10000);
	CHECK_INT(cgfs_weight_from_shares(UINT64_MAX), 10000);
	CHECK_INT(cgfs_shares_from_weight(0), 2);
	CHECK_INT(cgfs_shares_from_weight(10001), 262144);
	CHECK_INT(cgfs_shares_from_weight(UINT64_MAX), 262144);
}

/*
 * All values at once: FNV-1a over the weights of 2, 3 ... 262144, each as two bytes with the low
 * one first.  The constant was computed from the formula with 40 decimal digits.
 */
TAP_TEST(weight_from_shares_all_values_match_the_formula)
{
	uint64_t hash = UINT64_C(14695981039346656037), last = 0;

	for (uint64_t shares = 2; shares <= 262144; shares++) {
		uint64_t weight = cgfs_weight_from_shares(shares);

		/* Monotone, in range, and never leaving a weight out. */
		CHECK(weight == last || weight == last + 1);
		last = weight;
		hash = (hash ^ (weight & 255)) * UINT64_C(1099511628211);
		hash = (hash ^ (weight >> 8)) * UINT64_C(1099511628211);
	}
	CHECK_INT(last, 10000);
	CHECK_INT(hash, UINT64_C(0x65a31facb03a9c0e));
}

TAP_TEST(shares_from_weight_every_weight_comes_back)
{
	for (uint64_t weight = 1; weight <= 10000; weight++) {
		uint64_t shares = cgfs_shares_from_weight(weight);

		CHECK(shares >= 2 && shares <= 262144);
		CHECK_INT(cgfs_weight_from_shares(shares), weight);
		/* The largest one. */
		if (shares < 262144)
			CHECK_INT(cgfs_weight_from_shares(shares + 1), weight + 1);
	}
	CHECK_INT(cgfs_shares_from_weight(1), 2);
	CHECK_INT(cgfs_shares_from_weight(100), 1024);
	CHECK_INT(cgfs_shares_from_weight(10000), 262144);
}

TAP_TEST(io_weight_fixed_points_and_order_hold)
{
	CHECK_INT(cgfs_io_weight(10), 1);
	CHECK_INT(cgfs_io_weight(100), 100);
	CHECK_INT(cgfs_io_weight(1000), 10000);
	CHECK_INT(cgfs_io_weight(0), 1);
	CHECK_INT(cgfs_io_weight(UINT64_MAX), 10000);
	for (uint64_t weight = 11; weight <= 1000; weight++) {
		uint64_t step = cgfs_io_weight(weight) - cgfs_io_weight(weight - 1);

		/* Two straight lines: 99 steps over 90 weights, 9900 over 900. */
		if (weight <= 100)
			CHECK(step == 1 || step == 2);
		else
			CHECK_INT(step, 11);
	}
}

TAP_TEST(io_weight_comes_back)
{
	uint64_t last = 10;

	for (uint64_t weight = 10; weight <= 1000; weight++)
		CHECK_INT(cgfs_weight_of_io(cgfs_io_weight(weight)), weight);
	/* Monotone and in range for what others wrote, and never above it. */
	for (uint64_t io = 1; io <= 10000; io++) {
		uint64_t weight = cgfs_weight_of_io(io);

		CHECK(weight >= last && weight <= 1000);
		CHECK(cgfs_io_weight(weight) <= io);
		CHECK(weight == 1000 || cgfs_io_weight(weight + 1) > io);
		last = weight;
	}
	CHECK_INT(cgfs_weight_of_io(0), 10);
	CHECK_INT(cgfs_weight_of_io(UINT64_MAX), 1000);
}

TAP_TEST(scheduler_shares_known_values_match)
{
	CHECK_INT(cgfs_shares_of_scheduler(1), 10);
	CHECK_INT(cgfs_shares_of_scheduler(100), 1024);
	CHECK_INT(cgfs_shares_of_scheduler(10000), 102400);
	/* In range of cpu.shares, and rounded to the nearest. */
	for (uint64_t weight = 1; weight <= 10000; weight++) {
		uint64_t shares = cgfs_shares_of_scheduler(weight);
		int64_t off = (int64_t)(100 * shares) - (int64_t)(1024 * weight);

		CHECK(shares >= 2 && shares <= 262144);
		CHECK(off >= -50 && off <= 50);
	}
}

TAP_TEST(nice_shares_known_values_match)
{
	CHECK_INT(cgfs_shares_of_nice(0), 1024);
	CHECK_INT(cgfs_shares_of_nice(-20), 88761);
	CHECK_INT(cgfs_shares_of_nice(19), 15);
	CHECK_INT(cgfs_shares_of_nice(5), 335);
	/* A level is a factor of 1.25, within what rounding to small numbers leaves of it. */
	for (int nice = -20; nice < 19; nice++) {
		uint64_t more = cgfs_shares_of_nice(nice), less = cgfs_shares_of_nice(nice + 1);

		CHECK(more * 100 >= less * 115 && more * 100 <= less * 135);
	}
}

TAP_TEST(swap_goes_and_comes_back)
{
	static const uint64_t sizes[] = { 0,	 1,	     4095,	    4096,	  1u << 20,
					  65536, 1ull << 40, INT64_MAX / 2, INT64_MAX - 1 };
	uint64_t total = 7;

	for (size_t m = 0; m < ARRAY_SIZE(sizes); m++) {
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			bool fits = sizes[m] + sizes[s] <= INT64_MAX;

			total = 7;
			CHECK_INT(cgfs_swap_and_memory(sizes[s], sizes[m], &total), fits);
			if (!fits) {
				CHECK_INT(total, 7);
				continue;
			}
			CHECK_INT(total, sizes[m] + sizes[s]);
			CHECK_INT(cgfs_swap_alone(total, sizes[m]), sizes[s]);
		}
		CHECK(cgfs_swap_and_memory(CGFS_MAX, sizes[m], &total));
		CHECK(total == CGFS_MAX);
		CHECK(cgfs_swap_alone(CGFS_MAX, sizes[m]) == CGFS_MAX);
	}
	CHECK(!cgfs_swap_and_memory(4096, CGFS_MAX, &total));
	CHECK(cgfs_swap_and_memory(CGFS_MAX, CGFS_MAX, &total));
	CHECK_INT(cgfs_swap_alone(4096, 8192), 0);
}

TAP_TEST(cpu_max_has_quota_and_period)
{
	static const struct {
		uint64_t quota, period;
		const char *text;
	} cases[] = {
		{ 50000, 0, "50000" },
		{ 50000, 100000, "50000 100000" },
		{ CGFS_MAX, 0, "max" },
		{ CGFS_MAX, 20000, "max 20000" },
	};
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_INT(cgfs_cpu_max(text, sizeof(text), cases[i].quota, cases[i].period),
			  strlen(cases[i].text));
		CHECK_STR(text, cases[i].text);
	}
}
