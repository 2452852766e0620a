/* SPDX-License-Identifier: MIT */
/*
 * out.c - what podctl prints: aligned tables, figures with units, JSON, errors.  Stdout
 * carries what was asked for and nothing else; all remarks go to stderr.
 */
#include "podctl.h"

#include <inttypes.h>
#include <stdio.h>

void out_error(const struct args *a, const struct cgfs_err *err)
{
	(void)a;
	fprintf(stderr, "podctl: %s\n", err->text[0] ? err->text : strerror(-err->code));
}

void out_usage(const struct args *a, const struct cgfs_err *err)
{
	if (a->verb)
		fprintf(stderr, "podctl %s: %s (podctl %s --help)\n", a->verb, err->text, a->verb);
	else
		fprintf(stderr, "podctl: %s (podctl --help)\n", err->text);
}

void out_note(const char *fmt, ...)
{
	va_list ap;

	fputs("podctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* Text from elsewhere must not steer the terminal. */
static char *clean(const char *text)
{
	char *copy = strdup(text ? text : "-");

	for (unsigned char *p = (unsigned char *)copy; p && *p; p++) {
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	return copy;
}

void table_row(struct table *t, ...)
{
	char **grown = reallocarray(t->cell, (t->rows + 1) * t->cols, sizeof(*grown));
	va_list ap;

	if (!grown) {
		t->failed = true;
		return;
	}
	t->cell = grown;
	va_start(ap, t);
	for (size_t i = 0; i < t->cols; i++) {
		t->cell[t->rows * t->cols + i] = clean(va_arg(ap, const char *));
		t->failed |= !t->cell[t->rows * t->cols + i];
	}
	va_end(ap);
	t->rows++;
}

static size_t width(const struct table *t, size_t col)
{
	size_t w = 0;

	for (size_t row = 0; row < t->rows; row++) {
		size_t len = strlen(t->cell[row * t->cols + col]);

		if (len > w)
			w = len;
	}
	return w;
}

int table_print(struct table *t)
{
	for (size_t row = 0; !t->failed && row < t->rows; row++) {
		size_t pending = 0; /* blanks that are printed only when something follows */

		for (size_t col = 0; col < t->cols; col++) {
			const char *text = t->cell[row * t->cols + col];
			size_t pad = width(t, col) - strlen(text);
			bool right = t->right >> col & 1;

			pending += right ? pad : 0;
			if (*text)
				printf("%*s%s", (int)pending, "", text);
			pending = (*text ? 0 : pending) + (right ? 0 : pad) + 2;
		}
		putchar('\n');
	}
	for (size_t i = 0; i < t->rows * t->cols; i++)
		free(t->cell[i]);
	free(t->cell);
	t->cell = NULL;
	t->rows = 0;
	return t->failed ? -ENOMEM : 0;
}

static void out_bytes(char *buf, uint64_t value)
{
	static const char prefixes[] = "KMGTPE";
	uint64_t unit = 1024, tenths;
	size_t i = 0;

	if (value < 1024) {
		snprintf(buf, OUT_LEN, "%" PRIu64 " B", value);
		return;
	}
	while (i + 1 < sizeof(prefixes) - 1 && value / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	tenths = (value % unit) / (unit / 10 ? unit / 10 : 1);
	snprintf(buf, OUT_LEN, "%" PRIu64 ".%" PRIu64 " %ciB", value / unit,
		 tenths > 9 ? 9 : tenths, prefixes[i]);
}

char *out_value(char *buf, const char *unit, uint64_t value)
{
	if (value == CGFS_MAX)
		snprintf(buf, OUT_LEN, "max");
	else if (streq(unit, "bytes"))
		out_bytes(buf, value);
	else if (!streq(unit, "us"))
		snprintf(buf, OUT_LEN, "%" PRIu64, value);
	else if (value < 1000)
		snprintf(buf, OUT_LEN, "%" PRIu64 " us", value);
	else if (value < 1000000)
		snprintf(buf, OUT_LEN, "%" PRIu64 ".%" PRIu64 " ms", value / 1000,
			 value % 1000 / 100);
	else
		snprintf(buf, OUT_LEN, "%" PRIu64 ".%02" PRIu64 " s", value / 1000000,
			 value % 1000000 / 10000);
	return buf;
}

char *out_percent(char *buf, uint64_t part, uint64_t whole)
{
	uint64_t tenths = whole ? (uint64_t)((unsigned __int128)part * 1000 / whole) : 0;

	snprintf(buf, OUT_LEN, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
	return buf;
}

int out_json(json_t *doc)
{
	int r = json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	putchar('\n');
	return r < 0 ? -EIO : 0;
}

int out_json_line(json_t *doc)
{
	int r = json_dumpf(doc, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);

	putchar('\n');
	return r < 0 || fflush(stdout) ? -EIO : 0;
}

int out_finish(const struct args *a, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	(void)a;
	fprintf(stderr, "podctl: write to standard output: %m\n");
	return status == EXIT_OK ? EXIT_FAILED : status;
}
