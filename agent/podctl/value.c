/* SPDX-License-Identifier: MIT */
/*
 * value.c - turns the text of an option into a number.  Exact: no floating point, no silent
 * overflow, no unit that could mean two things.  Knows nothing of cgroups but CGFS_MAX.
 */
#include "podctl.h"

#include <stdio.h>

#define CPU_PERIOD_US 100000ull

static int refuse(struct cgfs_err *reterr, const char *what, const char *text, const char *why)
{
	return cgfs_err_set(reterr, -EINVAL, what, NULL, text, "%s", why);
}

/* Leading digits; 0 when there is none, -ERANGE on overflow, else how many. */
static int digits(const char *text, uint64_t *ret)
{
	uint64_t n = 0;
	int i;

	for (i = 0; text[i] >= '0' && text[i] <= '9'; i++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(text[i] - '0'), &n))
			return -ERANGE;
	}
	*ret = n;
	return i;
}

int value_bytes(const char *what, const char *text, uint64_t *ret, struct cgfs_err *reterr)
{
	static const char prefixes[] = "KMGTPE";
	const char *unit, *prefix = NULL;
	uint64_t n;
	int used;

	if (streq(text, "max")) {
		*ret = CGFS_MAX;
		return 0;
	}
	if (text[0] == '-')
		return refuse(reterr, what, text, "a size cannot be negative");

	used = digits(text, &n);
	if (used < 0)
		return refuse(reterr, what, text, "too large");
	if (used == 0)
		return refuse(reterr, what, text,
			      "not a size; for instance 64M, 64MiB, 1G, 65536 or max");

	unit = text + used;
	if (*unit == '.')
		return refuse(reterr, what, text, "a size is a whole number; take a smaller unit");
	if (*unit && *unit != 'B')
		prefix = strchr(prefixes, *unit >= 'a' ? *unit - 'a' + 'A' : *unit);
	if (prefix)
		unit++;
	if (prefix && streq(unit, "B"))
		return refuse(reterr, what, text, "unit could be of 1000 or 1024; write M or MiB");
	if (*unit && !streq(unit, prefix ? "iB" : "B") && !(prefix && streq(unit, "i")))
		return refuse(reterr, what, text, "unknown unit; K, M, G, T or KiB, MiB, GiB, TiB");

	for (; prefix && prefix >= prefixes; prefix--) {
		if (__builtin_mul_overflow(n, 1024, &n))
			return refuse(reterr, what, text, "too large");
	}
	if (n > INT64_MAX)
		return refuse(reterr, what, text, "too large; max is no limit");
	*ret = n;
	return 0;
}

int value_count(const char *what, const char *text, uint64_t *ret, struct cgfs_err *reterr)
{
	uint64_t n;
	int used;

	if (streq(text, "max")) {
		*ret = CGFS_MAX;
		return 0;
	}
	if (text[0] == '-')
		return refuse(reterr, what, text, "cannot be negative; max is no limit");

	used = digits(text, &n);
	if (used < 0 || (used > 0 && n > INT64_MAX))
		return refuse(reterr, what, text, "too large; max is no limit");
	if (used == 0 || text[used])
		return refuse(reterr, what, text, "not a whole number");
	*ret = n;
	return 0;
}

/* "12.34" as 12340000 with scale 1000000: exact, or refused. */
static int decimal(const char *what, const char *text, uint64_t scale, const char *example,
		   uint64_t *ret, struct cgfs_err *reterr)
{
	uint64_t whole, part = 0, unit = scale;
	const char *p;
	int used;

	if (text[0] == '-')
		return refuse(reterr, what, text, "cannot be negative");
	used = digits(text, &whole);
	if (used == 0)
		return refuse(reterr, what, text, example);
	if (used < 0 || __builtin_mul_overflow(whole, scale, &whole))
		return refuse(reterr, what, text, "too large");

	p = text + used;
	if (*p == '.') {
		p++;
		if (!*p)
			return refuse(reterr, what, text, example);
	}
	for (; *p >= '0' && *p <= '9'; p++) {
		unit /= 10;
		if (!unit && *p != '0')
			return refuse(reterr, what, text, "too many digits after the point");
		part += unit * (uint64_t)(*p - '0');
	}
	if (*p)
		return refuse(reterr, what, text, example);
	if (__builtin_add_overflow(whole, part, &whole) || whole > INT64_MAX)
		return refuse(reterr, what, text, "too large");
	*ret = whole;
	return 0;
}

int value_cpus(const char *what, const char *text, uint64_t *ret_quota_us, uint64_t *ret_period_us,
	       struct cgfs_err *reterr)
{
	uint64_t quota;
	int r;

	if (streq(text, "max")) {
		*ret_quota_us = CGFS_MAX;
		*ret_period_us = CPU_PERIOD_US;
		return 0;
	}
	/* A period of 100000 us: one unit of the fifth digit is one microsecond. */
	r = decimal(what, text, CPU_PERIOD_US, "not a number of CPUs; for instance 0.5, 2 or max",
		    &quota, reterr);
	if (r < 0)
		return r;
	if (quota < 1000)
		return refuse(reterr, what, text, "below 0.01, the least that the kernel takes");
	*ret_quota_us = quota;
	*ret_period_us = CPU_PERIOD_US;
	return 0;
}

int value_seconds(const char *what, const char *text, uint64_t *ret_ms, struct cgfs_err *reterr)
{
	return decimal(what, text, 1000, "not a number of seconds; for instance 10 or 0.5", ret_ms,
		       reterr);
}
