// SPDX-License-Identifier: MIT
/*
 * parse.c - text to numbers and back as the kernel does it (kstrtox.c, memparse, bitmap lists),
 * and the handlers of files that are nothing but a number.
 */
#include "host.h"

#include <ctype.h>
#include <limits.h>

char *fake_strip(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	return text;
}

/* kstrtoull(): base by prefix, one newline at the end, no blanks. */
int fake_parse_u64(const char *text, uint64_t *ret)
{
	char *end;

	if (*text == '+')
		text++;
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 0);
	if (*end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	return -errno;
}

int fake_parse_s64(const char *text, int64_t *ret)
{
	bool minus = *text == '-';
	uint64_t u;
	int r;

	if (minus && text[1] == '+')
		return -EINVAL;
	r = fake_parse_u64(minus ? text + 1 : text, &u);
	if (r < 0)
		return r;
	if (u > (uint64_t)INT64_MAX + minus)
		return -ERANGE;
	*ret = minus ? -(int64_t)(u - 1) - 1 : (int64_t)u;
	if (minus && u == 0)
		*ret = 0;
	return 0;
}

int fake_parse_int(const char *text, int *ret)
{
	int64_t v;
	int r = fake_parse_s64(text, &v);

	if (r < 0)
		return r;
	if (v < INT_MIN || v > INT_MAX)
		return -ERANGE;
	*ret = (int)v;
	return 0;
}

/* memparse(): no sign, a suffix, and what does not fit wraps (before 7.2). */
static uint64_t memparse(const struct fake *f, const char *text, const char **end)
{
	static const char suffixes[] = "kmgtpe";
	const char *suffix, *p = text;
	unsigned int base = 10, shift = 0;
	bool over = false;
	uint64_t v = 0;

	if (p[0] == '0' && tolower((unsigned char)p[1]) == 'x' && isxdigit((unsigned char)p[2])) {
		base = 16;
		p += 2;
	} else if (p[0] == '0') {
		base = 8;
	}
	for (; isxdigit((unsigned char)*p); p++) {
		unsigned int d = isdigit((unsigned char)*p)
					 ? (unsigned int)(*p - '0')
					 : (unsigned int)(tolower((unsigned char)*p) - 'a' + 10);

		if (d >= base)
			break;
		over |= __builtin_mul_overflow(v, (uint64_t)base, &v);
		over |= __builtin_add_overflow(v, (uint64_t)d, &v);
	}
	suffix = *p ? strchr(suffixes, tolower((unsigned char)*p)) : NULL;
	if (suffix) {
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
		over |= shift && v >> (64 - shift);
		v <<= shift;
		p++;
	}
	*end = p;
	return over && fake_since(f, FAKE_KERNEL_7_2) ? UINT64_MAX : v;
}

int fake_parse_bytes(const struct fake *f, const char *text, const char *max, uint64_t *ret)
{
	const uint64_t most = (uint64_t)INT64_MAX / FAKE_PAGE;
	const char *end;
	uint64_t v;

	if (strcmp(text, max) == 0) {
		*ret = FAKE_NONE;
		return 0;
	}
	v = memparse(f, text, &end);
	if (*end)
		return -EINVAL;
	*ret = v / FAKE_PAGE >= most ? FAKE_NONE : v / FAKE_PAGE * FAKE_PAGE;
	return 0;
}

/* -- lists of numbers ------------------------------------------------------------------------- */

static int parse_number(const char **p, unsigned int *ret)
{
	unsigned long v;
	char *end;

	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	errno = 0;
	v = strtoul(*p, &end, 10);
	*p = end;
	if (errno || v > UINT_MAX)
		return -EOVERFLOW;
	*ret = (unsigned int)v;
	return 0;
}

/* "all", "A", "A-B" or "A-B:USED/GROUP" */
static int parse_range(const char **p, unsigned int bits, uint64_t *mask)
{
	unsigned int from = 0, to, used = 1, group = 1;
	int r;

	if (strncmp(*p, "all", 3) == 0) {
		*p += 3;
		*mask |= bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;
		return 0;
	}
	r = parse_number(p, &from);
	to = from;
	if (r == 0 && **p == '-') {
		++*p;
		r = parse_number(p, &to);
		if (r == 0 && **p == ':') {
			++*p;
			r = parse_number(p, &used);
			if (r == 0 && *(*p)++ != '/')
				r = -EINVAL;
			if (r == 0)
				r = parse_number(p, &group);
		}
	}
	if (r < 0)
		return r;
	if (from > to || group == 0 || used > group)
		return -EINVAL;
	if (to >= bits)
		return -ERANGE;
	for (unsigned int i = from; i <= to; i++) {
		if ((i - from) % group < used)
			*mask |= i < 64 ? 1ull << i : 0;
	}
	return 0;
}

int fake_parse_list(const char *text, unsigned int bits, uint64_t *ret)
{
	uint64_t mask = 0;

	for (;;) {
		int r;

		while (isspace((unsigned char)*text) || *text == ',')
			text++;
		if (!*text)
			break;
		r = parse_range(&text, bits, &mask);
		if (r < 0)
			return r;
		if (*text && *text != ',' && !isspace((unsigned char)*text))
			return -EINVAL;
	}
	*ret = mask;
	return 0;
}

void fake_format_list(uint64_t mask, FILE *out)
{
	const char *comma = "";

	for (int i = 0; i < 64; i++) {
		int from = i;

		if (!(mask >> i & 1))
			continue;
		while (i < 63 && mask >> (i + 1) & 1)
			i++;
		fprintf(out, "%s%d", comma, from);
		if (i > from)
			fprintf(out, "-%d", i);
		comma = ",";
	}
	fputc('\n', out);
}

void fake_format_max(uint64_t value, FILE *out)
{
	if (value == FAKE_NONE)
		fputs("max\n", out);
	else
		fprintf(out, "%llu\n", (unsigned long long)value);
}

/* -- files that are a number ------------------------------------------------------------------ */

int fake_show_u64(const struct open_file *file, FILE *out)
{
	fprintf(out, "%llu\n", (unsigned long long)*fake_field(file->node, file->type));
	return 0;
}

int fake_show_max(const struct open_file *file, FILE *out)
{
	fake_format_max(*fake_field(file->node, file->type), out);
	return 0;
}

int fake_show_nothing(const struct open_file *file, FILE *out)
{
	return 0;
}

int fake_show_zero(const struct open_file *file, FILE *out)
{
	fputs("0\n", out);
	return 0;
}

int fake_store_bool(const struct open_file *file, char *text)
{
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	if (r == 0)
		*fake_field(file->node, file->type) = v != 0;
	return r;
}

int fake_store_01(const struct open_file *file, char *text)
{
	uint64_t v;
	int r = fake_parse_u64(fake_strip(text), &v);

	if (r < 0)
		return r;
	if (v > 1)
		return -EINVAL;
	*fake_field(file->node, file->type) = v;
	return 0;
}

int fake_store_any(const struct open_file *file, char *text)
{
	return 0;
}
