/* SPDX-License-Identifier: MIT */
/*
 * fuzz_value.c - podctl's sizes, counts, CPUs and seconds against arithmetic of 128 bits: what is
 * taken is exactly what is written, what is refused leaves the result alone and quotes the text.
 */
#include "agent/podctl/args/args.h"
#include "cgfs/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef unsigned __int128 wide;

#define TOO_LARGE ((wide)1 << 100)

/* Digits at the front; what does not fit is TOO_LARGE, which no unit makes smaller. */
static size_t number(const char *text, wide *ret)
{
	size_t n = strspn(text, "0123456789");

	*ret = 0;
	for (size_t i = 0; i < n; i++)
		*ret = *ret < TOO_LARGE ? *ret * 10 + (wide)(text[i] - '0') : TOO_LARGE;
	return n;
}

static void judge(const char *text, int r, uint64_t got, bool valid, wide want,
		  const struct cgfs_err *err)
{
	char shown[sizeof(err->value)];

	/* The error holds what may be shown of it. */
	cgfs_text_show(shown, sizeof(shown), text);
	if (valid && want <= INT64_MAX ? r != 0 || got != (uint64_t)want : r != -EINVAL)
		abort();
	if (r < 0 && (got != 4711 || err->code != r || strcmp(err->value, shown) != 0 ||
		      !strstr(err->text, "--it")))
		abort();
}

static void bytes(const char *text)
{
	static const struct {
		const char *unit;
		int shift;
	} units[] = { { "", 0 },   { "B", 0 },	{ "K", 10 }, { "M", 20 },
		      { "G", 30 }, { "T", 40 }, { "P", 50 }, { "E", 60 } };
	struct cgfs_err err = { 0 };
	bool valid = false;
	uint64_t got = 4711;
	wide n;
	size_t used = number(text, &n);
	int r = value_bytes("--it", text, &got, &err);

	for (size_t i = 0; used && i < ARRAY_SIZE(units); i++) {
		const char *rest = text + used + strlen(units[i].unit);

		if (strncasecmp(text + used, units[i].unit, strlen(units[i].unit)) != 0 ||
		    (i < 2 ? *rest || text[used] == 'b'
			   : *rest && !streq(rest, "i") && !streq(rest, "iB")))
			continue;
		valid = true;
		n = n <= UINT64_MAX ? n << units[i].shift : TOO_LARGE;
	}
	judge(text, r, got, valid, n, &err);
}

static void count(const char *text)
{
	struct cgfs_err err = { 0 };
	uint64_t got = 4711;
	wide n;
	size_t used = number(text, &n);

	judge(text, value_count("--it", text, &got, &err), got, used && !text[used], n, &err);
}

/* "12.34" in parts of 1/@scale; false: it is no such number, or not a whole one. */
static bool decimal(const char *text, uint64_t scale, wide *ret)
{
	size_t used = number(text, ret);
	const char *p = text + used;

	if (!used)
		return false;
	*ret = *ret < TOO_LARGE ? *ret * scale : TOO_LARGE;
	if (*p == '.' && !*++p)
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (scale < 10 && *p != '0')
			return false;
		scale /= 10;
		*ret += (wide)(*p - '0') * scale;
	}
	return !*p;
}

static void cpus_and_seconds(const char *text)
{
	struct cgfs_err err = { 0 };
	uint64_t got = 4711, period = 4711;
	wide n;
	bool valid = decimal(text, 100000, &n);
	int r = value_cpus("--it", text, &got, &period, &err);

	judge(text, r, got, valid && n >= 1000, n, &err);
	if (period != (r == 0 ? 100000 : 4711))
		abort();
	got = 4711;
	valid = decimal(text, 1000, &n);
	r = value_seconds("--it", text, &got, &err);
	judge(text, r, got, valid, n, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[48] = "";

	memcpy(text, data, size < sizeof(text) ? size : sizeof(text) - 1);
	/* Errors quote them so. */
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (streq(text, "max"))
		return 0;
	bytes(text);
	count(text);
	cpus_and_seconds(text);
	return 0;
}
