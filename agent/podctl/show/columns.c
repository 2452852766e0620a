/* SPDX-License-Identifier: MIT */
/*
 * columns.c - a list of pods and containers as a table whose columns the caller chooses.
 */
#include "agent/podctl/show/show.h"

#include <ctype.h>
#include <stdio.h>

#define TEXT_LEN (2 * CGFS_ID_MAX + 2) /* labels may be longer, and are cut */

enum { NAME, POD, CONTAINER, STATE, LABELS, PATH, PID, OOM, FIGURE };

/* Short names; every figure has its own name as well. */
static const struct {
	const char *name;
	int kind;
	enum cgfs_stat stat;
} named[] = {
	{ "name", NAME, 0 },
	{ "pod", POD, 0 },
	{ "container", CONTAINER, 0 },
	{ "state", STATE, 0 },
	{ "labels", LABELS, 0 },
	{ "path", PATH, 0 },
	{ "pid", PID, 0 },
	{ "oom", OOM, CGFS_STAT_OOM_KILLS },
	{ "pids", FIGURE, CGFS_STAT_PIDS_CURRENT },
	{ "memory", FIGURE, CGFS_STAT_MEMORY_CURRENT },
	{ "limit", FIGURE, CGFS_STAT_MEMORY_MAX },
	{ "cpu", FIGURE, CGFS_STAT_CPU_USAGE },
	{ "denied", FIGURE, CGFS_STAT_DEVICE_DENIED },
};

static int find(struct columns *c, const char *option, const char *name, size_t len,
		struct column *ret, struct cgfs_err *reterr)
{
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)len, name);
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		if (streq(named[i].name, ret->name)) {
			ret->kind = named[i].kind;
			ret->stat = named[i].stat;
			return 0;
		}
	}
	for (enum cgfs_stat s = 0; s < CGFS_STAT_COUNT; s++) {
		if (streq(cgfs_stat_name(s), ret->name)) {
			ret->kind = FIGURE;
			ret->stat = s;
			c->all_figures = true;
			return 0;
		}
	}
	return err_value(
		reterr, -EINVAL, option, ret->name,
		"is neither name, pod, container, state, labels, path, pid, pids, memory, limit, "
		"cpu, denied, oom nor a figure of `podctl stat`");
}

int columns_parse(struct columns *ret, const char *list, const char *sort, struct cgfs_err *reterr)
{
	struct columns c = { 0 };
	int r = 0;

	while (r == 0 && *list) {
		size_t len = strcspn(list, ",");

		if (c.n == ARRAY_SIZE(c.column))
			return cgfs_err_set(reterr, -E2BIG, "--columns", NULL, NULL,
					    "more than %zu columns", c.n);
		r = find(&c, "--columns", list, len, &c.column[c.n], reterr);
		c.n++;
		list += len + (list[len] == ',');
	}
	if (r == 0 && sort) {
		c.down = *sort == '-';
		c.sorted = true;
		r = find(&c, "--sort", sort + c.down, strlen(sort + c.down), &c.sort, reterr);
	}
	if (r == 0 && c.sorted && c.sort.kind == LABELS)
		r = err_value(reterr, -EINVAL, "--sort", c.sort.name, "has no order");
	if (r == 0)
		*ret = c;
	return r;
}

static bool number(const struct column *c, const struct group_info *g, uint64_t *ret)
{
	if (c->kind == PID)
		*ret = (uint64_t)g->pid;
	return c->kind == PID	? g->pid
	       : c->kind == OOM ? info_oom_kills(g, ret)
				: info_figure(g, c->stat, ret);
}

/* "-": this host does not have it. */
static const char *text(const struct column *c, const struct group_info *g, char *buf)
{
	uint64_t value;

	switch (c->kind) {
	case NAME:
		snprintf(buf, TEXT_LEN, "%s%s%s", g->pod, *g->ctr ? "/" : "", g->ctr);
		return buf;
	case POD:
		return g->pod;
	case CONTAINER:
		return g->ctr;
	case STATE:
		return info_state(g);
	case LABELS:
		return *info_labels(g, buf, TEXT_LEN) ? buf : "-";
	case PATH:
		return g->path;
	default:
		return !number(c, g, &value) ? "-"
		       : c->kind == PID	     ? out_value(buf, "count", value)
					     : out_value(buf, cgfs_stat_unit(c->stat), value);
	}
}

struct key {
	const struct group_info *g;
	const char *text;
	uint64_t number;
	bool known;
};

static int compare(const void *x, const void *y)
{
	const struct key *a = x, *b = y;
	int order =
		a->text ? strcmp(a->text, b->text) : (a->known > b->known) - (a->known < b->known);

	if (!order && !a->text)
		order = (a->number > b->number) - (a->number < b->number);
	/* What is equal stays in the order of the list. */
	return order ? order : (a->g > b->g) - (a->g < b->g);
}

static struct key *keys_new(const struct columns *c, const struct group_list *l)
{
	struct key *keys = calloc(l->n + 1, sizeof(*keys));

	for (size_t i = 0; keys && i < l->n; i++) {
		keys[i].g = &l->info[i];
		if (c->sorted && c->sort.kind <= PATH)
			keys[i].text = c->sort.kind == NAME ? l->info[i].path
							    : text(&c->sort, &l->info[i], NULL);
		else if (c->sorted)
			keys[i].known = number(&c->sort, &l->info[i], &keys[i].number);
	}
	if (keys && c->sorted)
		qsort(keys, l->n, sizeof(*keys), compare);
	return keys;
}

int columns_print(const struct columns *c, const struct group_list *l, bool headings)
{
	struct table t = { .cols = c->n };
	const char *cell[COLUMNS_MAX];
	char buf[COLUMNS_MAX][TEXT_LEN], name[COLUMNS_MAX][sizeof(c->column[0].name)];
	auto_free struct key *keys = keys_new(c, l);

	if (!keys)
		return -ENOMEM;
	for (size_t k = 0; k < c->n; k++) {
		t.right |= (c->column[k].kind > PATH) << k;
		for (size_t i = 0; i < sizeof(name[k]); i++)
			name[k][i] = (char)toupper((unsigned char)c->column[k].name[i]);
		cell[k] = name[k];
	}
	if (headings)
		table_cells(&t, cell);
	for (size_t i = 0; i < l->n; i++) {
		for (size_t k = 0; k < c->n; k++)
			cell[k] = text(&c->column[k], keys[c->down ? l->n - 1 - i : i].g, buf[k]);
		table_cells(&t, cell);
	}
	return table_print(&t);
}
