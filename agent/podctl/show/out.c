/* SPDX-License-Identifier: MIT */
/*
 * out.c - what podctl prints: aligned tables, figures with units, JSON, errors.  Stdout
 * carries what was asked for and nothing else; all remarks go to stderr.
 */
#include "agent/podctl/show/show.h"
#include "cgfs/base/json.h"
#include "cgfs/base/text.h"

#include <inttypes.h>
#include <stdio.h>

void out_error(const struct cgfs_err *err)
{
	fprintf(stderr, "podctl: %s\n", err->text[0] ? err->text : strerror(-err->code));
}

void out_usage(const struct args *a, const struct cgfs_err *err)
{
	fprintf(stderr, "podctl: %s (podctl %s%s--help)\n", err->text, a->verb ? a->verb : "",
		a->verb ? " " : "");
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

/* Text from elsewhere must not steer the terminal.  Most of it is plain. */
static char *clean(const char *text)
{
	const char *from = text ? text : "-", *p = from;
	size_t len = strlen(from) + 1;
	char *copy = malloc(len);

	while (*p >= ' ' && *p <= '~')
		p++;
	if (copy && *p)
		cgfs_text_show(copy, len, from);
	else if (copy)
		memcpy(copy, from, len);
	return copy;
}

void table_cells(struct table *t, const char *const *cell)
{
	if (t->rows == t->room) {
		size_t room = t->room ? t->room * 2 : 16;
		char **grown = reallocarray(t->cell, room * t->cols, sizeof(*grown));

		if (!grown) {
			t->failed = true;
			return;
		}
		t->cell = grown;
		t->room = room;
	}
	for (size_t i = 0; i < t->cols; i++) {
		t->cell[t->rows * t->cols + i] = clean(cell[i]);
		t->failed |= !t->cell[t->rows * t->cols + i];
	}
	t->rows++;
}

void table_row(struct table *t, ...)
{
	const char *cell[8 * sizeof(t->right)];
	va_list ap;

	va_start(ap, t);
	for (size_t i = 0; i < t->cols; i++)
		cell[i] = va_arg(ap, const char *);
	va_end(ap);
	table_cells(t, cell);
}

/* Once for the whole table: there may be very many rows.  NULL: no memory. */
static size_t *widths(const struct table *t)
{
	size_t *w = calloc(t->cols + 1, sizeof(*w));

	for (size_t i = 0; w && i < t->rows * t->cols; i++) {
		size_t len = strlen(t->cell[i]);

		if (len > w[i % t->cols])
			w[i % t->cols] = len;
	}
	return w;
}

int table_print(struct table *t)
{
	auto_free size_t *width = t->failed ? NULL : widths(t);

	t->failed |= !width;
	for (size_t row = 0; !t->failed && row < t->rows; row++) {
		size_t pending = 0; /* blanks that are printed only when something follows */

		for (size_t col = 0; col < t->cols; col++) {
			const char *text = t->cell[row * t->cols + col];
			size_t pad = width[col] - strlen(text);
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
	t->rows = t->room = 0;
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
	else if (streq(unit, "0.01%"))
		snprintf(buf, OUT_LEN, "%" PRIu64 ".%02" PRIu64 " %%", value / 100, value % 100);
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
	uint64_t tenths = whole ? part / whole : 0, rest = whole ? part % whole : 0;

	/* Three decimal places by addition: a product could have more than 64 bits. */
	for (int place = 0; place < 3; place++) {
		uint64_t sum = 0;

		tenths *= 10;
		for (int i = 0; rest && i < 10; i++) {
			bool over = sum >= whole - rest;

			sum = over ? sum - (whole - rest) : sum + rest;
			tenths += over;
		}
		rest = sum;
	}
	snprintf(buf, OUT_LEN, "%" PRIu64 ".%" PRIu64 " %%", tenths / 10, tenths % 10);
	return buf;
}

/* A failed write is seen where stdout is flushed. */
static int put_json(FILE *f, const json_t *doc, size_t flags)
{
	auto_free char *text = cgfs_json_dump(doc, flags | JSON_ENSURE_ASCII);

	if (text)
		fprintf(f, "%s\n", text);
	return text ? 0 : -ENOMEM;
}

int out_json(json_t *doc, struct cgfs_err *reterr)
{
	int r = doc ? put_json(stdout, doc, JSON_INDENT(2)) : -ENOMEM;

	json_decref(doc);
	return r < 0 ? no_memory(reterr) : 0;
}

int out_json_line(FILE *f, const json_t *doc)
{
	int r = put_json(f, doc, JSON_COMPACT);

	return fflush(f) ? -EIO : r;
}

int out_finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "podctl: write to standard output: %m\n");
	return status == EXIT_OK ? EXIT_FAILED : status;
}
