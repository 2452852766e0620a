/* SPDX-License-Identifier: MIT */
/*
 * value.c - turns the text of an option into a number.  Exact: no floating point, no silent
 * overflow, no unit that could mean two things.  Knows nothing of cgroups but CGFS_MAX.
 */
#include "agent/podctl/args/args.h"

#include <signal.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

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

/* Days from 1970-01-01 to a day of the Gregorian calendar, whose years are counted from March on.
 */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 719469;
}

/* libc's strptime() and timegm() would be a tenth of what a static podctl adds to it. */
size_t value_stamp(const char *text, int64_t *ret_ns)
{
	int64_t ns = 0, unit = 100000000, all;
	int year, month, day, hour, minute, second, used = 0;
	const char *at;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
		   &used) != 6 ||
	    used != 19 || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 ||
	    hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return 0;
	at = text + used;
	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
			ns += (*at - '0') * unit;
	}
	if (*at != 'Z')
		return 0;
	all = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
	/* 64 bits of nanoseconds end in 2262. */
	if (__builtin_mul_overflow(all, INT64_C(1000000000), ret_ns) ||
	    __builtin_add_overflow(*ret_ns, ns, ret_ns))
		return 0;
	return (size_t)(at + 1 - text);
}

int value_time(const char *what, const char *text, int64_t *ret_ns, struct cgfs_err *reterr)
{
	static const char why[] = "neither a time like 2026-11-30T13:21:47Z nor a duration like "
				  "90s, 10m or 1h30m";
	uint64_t all = 0, n, each;
	struct timespec now;
	size_t len = value_stamp(text, ret_ns);

	if (len)
		return text[len] ? refuse(reterr, what, text, why) : 0;
	for (const char *at = text; *at || at == text;) {
		int used = digits(at, &n);

		if (used <= 0)
			return refuse(reterr, what, text, why);
		at += used;
		each = *at == 's'   ? 1
		       : *at == 'm' ? 60
		       : *at == 'h' ? 3600
		       : *at == 'd' ? 86400
				    : 0;
		if (!each || n > 1000000000 / each)
			return refuse(reterr, what, text, why);
		all += n * each;
		if (all > 1000000000)
			return refuse(reterr, what, text, why);
		at++;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	*ret_ns = ((int64_t)now.tv_sec - (int64_t)all) * 1000000000 + now.tv_nsec;
	return 0;
}

int value_signal(const char *what, const char *text, int *ret, struct cgfs_err *reterr)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {
		{ "HUP", SIGHUP },     { "INT", SIGINT },   { "QUIT", SIGQUIT },
		{ "ILL", SIGILL },     { "TRAP", SIGTRAP }, { "ABRT", SIGABRT },
		{ "BUS", SIGBUS },     { "FPE", SIGFPE },   { "KILL", SIGKILL },
		{ "USR1", SIGUSR1 },   { "SEGV", SIGSEGV }, { "USR2", SIGUSR2 },
		{ "PIPE", SIGPIPE },   { "ALRM", SIGALRM }, { "TERM", SIGTERM },
		{ "CHLD", SIGCHLD },   { "CONT", SIGCONT }, { "STOP", SIGSTOP },
		{ "TSTP", SIGTSTP },   { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU },
		{ "URG", SIGURG },     { "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ },
		{ "WINCH", SIGWINCH }, { "IO", SIGIO },	    { "PWR", SIGPWR },
		{ "SYS", SIGSYS },
	};
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	uint64_t n;
	int used = digits(text, &n);

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (strcasecmp(signals[i].name, name) == 0) {
			*ret = signals[i].number;
			return 0;
		}
	}
	if (used <= 0 || text[used] || n < 1 || n > (uint64_t)SIGRTMAX)
		return refuse(reterr, what, text, "not a signal; for instance TERM, SIGHUP or 9");
	*ret = (int)n;
	return 0;
}
