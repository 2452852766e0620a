/* SPDX-License-Identifier: MIT */
/*
 * top_columns.c - the columns of `top`: what they show, how wide they are, and on which screens
 * there is room for them; and the lines that they make.
 */
#include "agent/podctl/show/top_columns.h"

#define NAME_MIN       12
#define NAME_MAX_WIDTH 40
#define BAR	       10

static bool get(const struct top_row *r, enum cgfs_stat stat, uint64_t *ret)
{
	return info_figure(r->g, stat, ret);
}

static int compare_figure(const struct top_row *a, const struct top_row *b, enum cgfs_stat stat)
{
	uint64_t x = 0, y = 0;
	bool has_x = get(a, stat, &x), has_y = get(b, stat, &y);

	return has_x != has_y ? has_x - has_y : (x > y) - (x < y);
}

/* "12.3M": four digits at most, and a letter. */
static void bytes(uint64_t n, char *buf, size_t len)
{
	static const char units[] = "BKMGTPE";
	uint64_t unit = 1;
	size_t i = 0;

	if (n == CGFS_MAX) {
		snprintf(buf, len, "max");
		return;
	}
	while (n / unit >= 1000 && i + 1 < sizeof(units) - 1) {
		unit *= 1024;
		i++;
	}
	if (i && n / unit < 100)
		snprintf(buf, len, "%llu.%llu%c", (unsigned long long)(n / unit),
			 (unsigned long long)(n % unit * 10 / unit), units[i]);
	else
		snprintf(buf, len, "%llu%c", (unsigned long long)(n / unit), units[i]);
}

/* "1234", "12.3k" */
static void number(uint64_t n, char *buf, size_t len)
{
	static const char units[] = " kMGTPE";
	uint64_t unit = 1;
	size_t i = 0;

	while (n / unit >= 10000) {
		unit *= 1000;
		i++;
	}
	if (i)
		snprintf(buf, len, "%llu%c", (unsigned long long)(n / unit), units[i]);
	else
		snprintf(buf, len, "%llu", (unsigned long long)n);
}

#define BY_FIGURE(name, stat)                                                                      \
	static int by_##name(const struct top_row *a, const struct top_row *b)                     \
	{                                                                                          \
		return compare_figure(a, b, stat);                                                 \
	}

#define BY_MEMBER(name)                                                                            \
	static int by_##name(const struct top_row *a, const struct top_row *b)                     \
	{                                                                                          \
		return (a->name > b->name) - (a->name < b->name);                                  \
	}

/* A count that is bad news when it is not 0. */
#define COUNT(name, stat, bad)                                                                     \
	BY_FIGURE(name, stat)                                                                      \
	static void print_##name(const struct top_row *r, char *buf, size_t len,                   \
				 enum style *style)                                                \
	{                                                                                          \
		uint64_t n;                                                                        \
                                                                                                   \
		if (!get(r, stat, &n))                                                             \
			return;                                                                    \
		number(n, buf, len);                                                               \
		if (n)                                                                             \
			*style = bad;                                                              \
	}

#define BYTES(name, stat)                                                                          \
	BY_FIGURE(name, stat)                                                                      \
	static void print_##name(const struct top_row *r, char *buf, size_t len,                   \
				 enum style *style)                                                \
	{                                                                                          \
		uint64_t n;                                                                        \
                                                                                                   \
		(void)style;                                                                       \
		if (get(r, stat, &n))                                                              \
			bytes(n, buf, len);                                                        \
	}

/* In hundredths of a percent. */
#define PRESSURE(name, stat)                                                                       \
	BY_FIGURE(name, stat)                                                                      \
	static void print_##name(const struct top_row *r, char *buf, size_t len,                   \
				 enum style *style)                                                \
	{                                                                                          \
		uint64_t n;                                                                        \
                                                                                                   \
		if (!get(r, stat, &n))                                                             \
			return;                                                                    \
		snprintf(buf, len, "%llu.%llu", (unsigned long long)(n / 100),                     \
			 (unsigned long long)(n % 100 / 10));                                      \
		*style = n >= 5000 ? STYLE_BAD : n >= 1000 ? STYLE_WARN : STYLE_PLAIN;             \
	}

#define RATE(name)                                                                                 \
	BY_MEMBER(name)                                                                            \
	static void print_##name(const struct top_row *r, char *buf, size_t len,                   \
				 enum style *style)                                                \
	{                                                                                          \
		uint64_t n;                                                                        \
                                                                                                   \
		(void)style;                                                                       \
		if (r->rates && get(r, CGFS_STAT_IO_READ, &n))                                     \
			bytes(r->name, buf, len);                                                  \
	}

BY_MEMBER(cpu)
BYTES(memory, CGFS_STAT_MEMORY_CURRENT)
BYTES(limit, CGFS_STAT_MEMORY_MAX)
COUNT(pids, CGFS_STAT_PIDS_CURRENT, STYLE_PLAIN)
COUNT(denied, CGFS_STAT_DEVICE_DENIED, STYLE_WARN)
COUNT(refused, CGFS_STAT_PIDS_EVENTS_MAX, STYLE_WARN)
PRESSURE(pcpu, CGFS_STAT_PRESSURE_CPU_SOME_AVG10)
PRESSURE(pmem, CGFS_STAT_PRESSURE_MEMORY_SOME_AVG10)
PRESSURE(pio, CGFS_STAT_PRESSURE_IO_SOME_AVG10)
RATE(read)
RATE(write)

static int by_oom(const struct top_row *a, const struct top_row *b)
{
	uint64_t x = 0, y = 0;

	(void)info_oom_kills(a->g, &x);
	(void)info_oom_kills(b->g, &y);
	return (x > y) - (x < y);
}

static void print_oom(const struct top_row *r, char *buf, size_t len, enum style *style)
{
	uint64_t n;

	if (!info_oom_kills(r->g, &n))
		return;
	number(n, buf, len);
	if (n)
		*style = STYLE_BAD;
}

static void print_cpu(const struct top_row *r, char *buf, size_t len, enum style *style)
{
	if (r->rates)
		snprintf(buf, len, "%llu.%llu", (unsigned long long)(r->cpu / 10),
			 (unsigned long long)(r->cpu % 10));
}

/* Memory against its limit. */
static void print_bar(const struct top_row *r, char *buf, size_t len, enum style *style)
{
	uint64_t now, max, tenths;
	char bar[BAR + 1];

	if (!get(r, CGFS_STAT_MEMORY_CURRENT, &now) || !get(r, CGFS_STAT_MEMORY_MAX, &max) ||
	    max == CGFS_MAX || !max)
		return;
	tenths = now >= max || max < BAR ? BAR : now / (max / BAR);
	tenths = tenths > BAR ? BAR : tenths;
	memset(bar, ' ', BAR);
	memset(bar, '|', (size_t)tenths);
	bar[BAR] = '\0';
	snprintf(buf, len, "[%s]", bar);
	*style = tenths >= 9 ? STYLE_BAD : tenths >= 7 ? STYLE_WARN : STYLE_PLAIN;
}

static void print_throttled(const struct top_row *r, char *buf, size_t len, enum style *style)
{
	uint64_t all, some;

	if (get(r, CGFS_STAT_CPU_PERIODS, &all) && get(r, CGFS_STAT_CPU_THROTTLED_PERIODS, &some) &&
	    all)
		snprintf(buf, len, "%llu%%", (unsigned long long)(some * 100 / all));
}

static void print_state(const struct top_row *r, char *buf, size_t len, enum style *style)
{
	const char *state = info_state(r->g);

	snprintf(buf, len, "%s", state);
	*style = streq(state, "running") ? STYLE_PLAIN : STYLE_DIM;
}

#define POLICY CGFS_READ_POLICY
static const struct top_column columns[] = {
	{ "name", NULL, 0, 0, 0, NULL, NULL },
	{ "cpu", "CPU%", 6, 0, CGFS_READ_USAGE, by_cpu, print_cpu },
	{ "memory", "MEMORY", 6, 0, CGFS_READ_USAGE, by_memory, print_memory },
	{ "limit", "LIMIT", 6, 72, CGFS_READ_USAGE, by_limit, print_limit },
	{ "bar", "", BAR + 2, 58, CGFS_READ_USAGE, NULL, print_bar },
	{ "pids", "PIDS", 5, 40, CGFS_READ_USAGE, by_pids, print_pids },
	{ "cpu-psi", "PSI:CPU", 7, 110, CGFS_READ_PRESSURE, by_pcpu, print_pcpu },
	{ "memory-psi", "MEM", 5, 110, CGFS_READ_PRESSURE, by_pmem, print_pmem },
	{ "io-psi", "IO", 5, 110, CGFS_READ_PRESSURE, by_pio, print_pio },
	{ "read", "READ/s", 6, 130, CGFS_READ_IO, by_read, print_read },
	{ "write", "WRITE/s", 7, 130, CGFS_READ_IO, by_write, print_write },
	{ "throttled", "THROTTLED", 9, 145, CGFS_READ_USAGE, NULL, print_throttled },
	{ "denied", "DENIED", 6, 90, POLICY, by_denied, print_denied },
	{ "refused", "REFUSED", 7, 90, CGFS_READ_USAGE, by_refused, print_refused },
	{ "oom", "OOM", 4, 64, POLICY | CGFS_READ_USAGE, by_oom, print_oom },
	{ "state", "STATE", 7, 100, CGFS_READ_USAGE, NULL, print_state },
};

const struct top_column *top_find_column(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if ((columns[i].compare || i == 0) && streq(columns[i].name, name))
			return &columns[i];
	}
	return NULL;
}

void top_column_names(char *buf, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(columns) && n < len; i++) {
		if (columns[i].compare || i == 0)
			n += (size_t)snprintf(buf + n, len - n, "%s%s", i ? ", " : "",
					      columns[i].name);
	}
}

void top_next_column(struct top *t, int step)
{
	size_t i = (size_t)(t->sort - columns);

	do {
		i = (i + ARRAY_SIZE(columns) + (size_t)step) % ARRAY_SIZE(columns);
	} while (!columns[i].compare && i);
	t->sort = &columns[i];
}

unsigned int top_figures(const struct top *t, int width)
{
	unsigned int what = CGFS_READ_USAGE | t->sort->read;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		what |= columns[i].from <= width ? columns[i].read : 0;
	return what;
}

/* --- lines -------------------------------------------------------------------------------------
 */

static bool is_shown(const struct top_column *c, int width)
{
	return c->heading && c->from <= width;
}

static int name_width(const struct top *t, int width)
{
	int left = width, longest = NAME_MIN;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		left -= is_shown(&columns[i], width) ? columns[i].width + 2 : 0;
	for (size_t i = 0; i < t->n_rows; i++) {
		const struct group_info *g = t->row[i].g;
		int len = *g->ctr ? 3 + (int)strlen(g->ctr) : 6 + (int)strlen(g->pod);

		longest = len > longest ? len : longest;
	}
	longest = longest > NAME_MAX_WIDTH ? NAME_MAX_WIDTH : longest;
	return longest < left ? longest : left < NAME_MIN ? NAME_MIN : left;
}

static void draw_headings(const struct top *t, struct screen *s, int name)
{
	screen_style(s, STYLE_BOLD);
	fprintf(s->f, "%-*s", name, "NAME");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (!is_shown(&columns[i], s->columns))
			continue;
		/* The one that is sorted by has a mark in the gap before it. */
		fprintf(s->f, " %c%*s", &columns[i] == t->sort ? '>' : ' ', columns[i].width,
			columns[i].heading);
	}
	screen_style(s, STYLE_PLAIN);
	screen_newline(s);
}

static void draw_name(const struct top_row *r, struct screen *s, int width)
{
	char text[2 * CGFS_ID_MAX + 32];
	int len;

	if (*r->g->ctr)
		len = snprintf(text, sizeof(text), "%s %s", r->last ? "`-" : "|-", r->g->ctr);
	else if (r->folded)
		len = snprintf(text, sizeof(text), "%s +%u", r->g->pod, r->folded);
	else
		len = snprintf(text, sizeof(text), "%s", r->g->pod);
	if (len > width)
		text[width - 1] = '~';
	fprintf(s->f, "%-*.*s", width, width, text);
}

static void draw_row(const struct top_row *r, struct screen *s, int name, bool selected)
{
	bool plain = selected || !s->colour;

	if (selected)
		screen_style(s, STYLE_SELECTED);
	else if (!*r->g->ctr && s->colour)
		screen_style(s, STYLE_BOLD);
	draw_name(r, s, name);
	if (!plain)
		screen_style(s, STYLE_PLAIN);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		enum style style = STYLE_PLAIN;
		char text[64];

		if (!is_shown(&columns[i], s->columns))
			continue;
		snprintf(text, sizeof(text), "%s", columns[i].heading[0] ? "-" : "");
		columns[i].print(r, text, sizeof(text), &style);
		if (!plain && style)
			screen_style(s, style);
		fprintf(s->f, "  %*s", columns[i].width, text);
		if (!plain && style)
			screen_style(s, STYLE_PLAIN);
	}
	if (selected)
		screen_style(s, STYLE_PLAIN);
	screen_newline(s);
}

void top_draw(struct top *t, struct screen *s, int lines)
{
	size_t room = lines > 1 ? (size_t)lines - 1 : lines ? 1 : t->n_rows;
	int name = name_width(t, s->columns);

	/* The selected one is on the screen. */
	if (t->at < t->offset)
		t->offset = t->at;
	if (room && t->at >= t->offset + room)
		t->offset = t->at + 1 - room;
	if (t->n_rows <= room)
		t->offset = 0;
	draw_headings(t, s, name);
	for (size_t i = t->offset; i < t->n_rows && i < t->offset + room; i++)
		draw_row(&t->row[i], s, name, s->live && i == t->at);
}
