/* SPDX-License-Identifier: MIT */
/*
 * metrics.c - figures as OpenMetrics text: one family for each figure, one sample for each pod and
 * container.
 */
#include "agent/podctl/show/show.h"

#include <inttypes.h>
#include <stdio.h>

/* What only grows.  Of the other units everything is a gauge. */
static bool is_counter(enum cgfs_stat stat)
{
	const char *unit = cgfs_stat_unit(stat);

	switch (stat) {
	case CGFS_STAT_CPU_QUOTA:
	case CGFS_STAT_CPU_PERIOD:
	case CGFS_STAT_PIDS_CURRENT:
	case CGFS_STAT_PIDS_MAX:
	case CGFS_STAT_PIDS_PEAK:
	case CGFS_STAT_DESCENDANTS:
	case CGFS_STAT_DYING_DESCENDANTS:
		return false;
	case CGFS_STAT_IO_READ:
	case CGFS_STAT_IO_WRITE:
	case CGFS_STAT_IO_DISCARD:
		return true;
	default:
		return streq(unit, "us") || streq(unit, "count");
	}
}

/* The base unit; "": it has none.  Figures are whole, in units 10^*ret_digits times smaller. */
static const char *base_unit(enum cgfs_stat stat, unsigned int *ret_digits)
{
	const char *unit = cgfs_stat_unit(stat);

	*ret_digits = 0;
	if (streq(unit, "bytes"))
		return "bytes";
	if (streq(unit, "us")) {
		*ret_digits = 6;
		return "seconds";
	}
	if (streq(unit, "0.01%")) {
		*ret_digits = 4;
		return "ratio";
	}
	return "";
}

static bool cut_end(char *name, const char *end)
{
	size_t n = strlen(name), len = strlen(end);

	if (n < len || !streq(name + n - len, end))
		return false;
	name[n - len] = '\0';
	return true;
}

/* "cgfs_memory_current_bytes": its unit stands once, and what a counter's samples end in is not a
 * part of the name. */
static void family_name(char *buf, size_t len, enum cgfs_stat stat, const char *unit)
{
	char name[64];

	snprintf(name, sizeof(name), "%s", cgfs_stat_name(stat));
	for (char *c = name; *c; c++)
		*c = *c == '.' ? '_' : *c;
	if (!cut_end(name, "_total") && !cut_end(name, "_count") && streq(unit, "bytes"))
		cut_end(name, "_bytes");
	snprintf(buf, len, "cgfs_%s%s%s", name, *unit ? "_" : "", unit);
}

static void print_label(const char *name, const char *text)
{
	printf("%s=\"", name);
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			putchar('\\');
		if (*text == '\n')
			fputs("\\n", stdout);
		else
			putchar(*text);
	}
	putchar('"');
}

static void print_number(uint64_t value, unsigned int digits)
{
	uint64_t parts = 1;

	for (unsigned int i = 0; i < digits; i++)
		parts *= 10;
	if (value == CGFS_MAX)
		puts("+Inf");
	else if (digits)
		printf("%" PRIu64 ".%0*" PRIu64 "\n", value / parts, (int)digits, value % parts);
	else
		printf("%" PRIu64 "\n", value);
}

static void print_head(const char *family, enum cgfs_stat stat, const char *unit)
{
	printf("# TYPE %s %s\n", family, is_counter(stat) ? "counter" : "gauge");
	if (*unit)
		printf("# UNIT %s %s\n", family, unit);
	printf("# HELP %s %s of `podctl stat`%s%s.\n", family, cgfs_stat_name(stat),
	       *unit ? ", in " : "", *unit ? unit : "");
}

static void print_family(const struct group_list *l, enum cgfs_stat stat)
{
	unsigned int digits;
	const char *unit = base_unit(stat, &digits);
	char family[96];
	bool first = true;
	uint64_t value;

	family_name(family, sizeof(family), stat, unit);
	for (size_t i = 0; i < l->n; i++) {
		const struct group_info *g = &l->info[i];

		if (!info_figure(g, stat, &value))
			continue;
		if (first)
			print_head(family, stat, unit);
		first = false;
		printf("%s%s{", family, is_counter(stat) ? "_total" : "");
		print_label("pod", g->pod);
		putchar(',');
		print_label("container", g->ctr);
		fputs("} ", stdout);
		print_number(value, digits);
	}
}

void metrics_print(const struct group_list *l)
{
	for (enum cgfs_stat stat = 0; stat < CGFS_STAT_COUNT; stat++)
		print_family(l, stat);
	puts("# EOF");
}
