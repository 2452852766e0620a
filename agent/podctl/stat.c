/* SPDX-License-Identifier: MIT */
/*
 * stat.c - the verb `stat`: every figure and limit of a pod or container, with its unit.
 */
#include "podctl.h"
#include "remote.h"

#include <stdio.h>

static const struct opt *const tables[] = { opt_global, NULL };

static int direct(struct args *a, const char *pod, const char *ctr, json_t **ret,
		  struct cgfs_err *reterr)
{
	struct cgfs_group *p, *c;
	struct direct d;
	int r;

	r = direct_open(a, DIRECT_READ, &d, reterr);
	if (r < 0)
		return r;
	r = direct_group(&d, pod, ctr, &p, &c, reterr);
	if (r == 0) {
		r = direct_describe(c ? c : p, CGFS_READ_ALL, ret, reterr);
		cgfs_group_close(c);
		cgfs_group_close(p);
	}
	direct_close(&d);
	return r;
}

static int remote(const char *agent, const char *pod, const char *ctr, json_t **ret,
		  struct cgfs_err *reterr)
{
	struct client *c;
	int r;

	r = remote_open(agent, &c, reterr);
	if (r < 0)
		return r;
	r = remote_stat(c, pod, ctr, ret, reterr);
	client_close(c);
	return r;
}

/* Which limit a figure is measured against. */
static enum cgfs_stat limit_of(enum cgfs_stat stat)
{
	switch (stat) {
	case CGFS_STAT_MEMORY_CURRENT:
	case CGFS_STAT_MEMORY_PEAK:
		return CGFS_STAT_MEMORY_MAX;
	case CGFS_STAT_MEMORY_SWAP_CURRENT:
		return CGFS_STAT_MEMORY_SWAP_MAX;
	case CGFS_STAT_PIDS_CURRENT:
	case CGFS_STAT_PIDS_PEAK:
		return CGFS_STAT_PIDS_MAX;
	default:
		return CGFS_STAT_COUNT;
	}
}

static void remark(char *buf, size_t len, const json_t *stats, enum cgfs_stat stat, uint64_t value)
{
	enum cgfs_stat limit = limit_of(stat);
	char percent[OUT_LEN], text[OUT_LEN];
	uint64_t max, period;

	buf[0] = '\0';
	if (limit != CGFS_STAT_COUNT && doc_figure(stats, limit, &max) && max != CGFS_MAX)
		snprintf(buf, len, "%s of %s", out_percent(percent, value, max),
			 out_value(text, cgfs_stat_unit(limit), max));
	if (stat == CGFS_STAT_CPU_QUOTA && value != CGFS_MAX &&
	    doc_figure(stats, CGFS_STAT_CPU_PERIOD, &period) && period)
		snprintf(buf, len, "%s of one CPU", out_percent(percent, value, period));
}

/* "not available here: a, b, c", wrapped like a paragraph. */
static void print_missing(const json_t *stats)
{
	size_t column = 0;
	uint64_t value;

	for (enum cgfs_stat s = 0; s < CGFS_STAT_COUNT; s++) {
		const char *name = cgfs_stat_name(s);

		if (doc_figure(stats, s, &value))
			continue;
		if (!column)
			column = (size_t)printf("\nnot available here:");
		else
			column += (size_t)printf(",");
		if (column + strlen(name) > 78)
			column = (size_t)printf("\n ") - 1;
		column += (size_t)printf(" %s", name);
	}
	if (column)
		putchar('\n');
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), len = strlen(end);

	return n >= len && streq(name + n - len, end);
}

/* A name says its unit; of huge pages all but the failures are bytes. */
static const char *unit_of(const char *section, const char *name)
{
	if (streq(section, "hugetlb"))
		return ends_with(name, "failed") ? "count" : "bytes";
	return ends_with(name, "_bytes") ? "bytes" : ends_with(name, "_us") ? "us" : "count";
}

static const char *value_text(char *buf, const char *unit, const json_t *value)
{
	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	if (json_is_string(value))
		return *json_string_value(value) ? json_string_value(value) : "-";
	return out_value(buf, unit, (uint64_t)json_integer_value(value));
}

/* "SECTION.NAME VALUE" for what is a value of its own in an object. */
static void print_object(struct table *t, const json_t *stats, const char *section)
{
	char name[128], text[OUT_LEN];
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(stats, section), key, value)
	{
		if (json_is_array(value) || json_is_object(value))
			continue;
		snprintf(name, sizeof(name), "%s.%s", section, key);
		table_row(t, name, value_text(text, unit_of(section, key), value), "");
	}
}

/* "SECTION[ENTRY].NAME VALUE" for each entry of a list; @id: what an entry is called by. */
static void print_entries(struct table *t, const json_t *list, const char *section, const char *id)
{
	char name[192], text[OUT_LEN];
	json_t *entry, *value;
	const char *key;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		json_object_foreach(entry, key, value)
		{
			if (streq(key, id))
				continue;
			snprintf(name, sizeof(name), "%s[%s].%s", section, doc_string(entry, id),
				 key);
			table_row(t, name, value_text(text, unit_of(section, key), value), "");
		}
	}
}

static void print_strings(struct table *t, const json_t *list, const char *name)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) table_row(t, name, json_string_value(entry), "");
}

static void print_lists(struct table *t, const json_t *stats)
{
	const json_t *limits = json_object_get(stats, "limits");

	print_entries(t, json_object_get(stats, "io_devices"), "io", "device");
	print_entries(t, json_object_get(stats, "hugetlb"), "hugetlb", "page_size");
	print_entries(t, json_object_get(stats, "rdma"), "rdma", "device");
	print_entries(t, json_object_get(stats, "misc"), "misc", "name");
	print_object(t, stats, "cpuset");
	print_object(t, stats, "limits");
	print_entries(t, json_object_get(limits, "io_devices"), "limits.io", "device");
	print_entries(t, json_object_get(limits, "net_prio"), "limits.net_prio", "interface");
	print_strings(t, json_object_get(limits, "devices"), "limits.devices");
}

static int print(const json_t *doc, const char *target)
{
	const json_t *stats = json_object_get(doc, "stats");
	struct table t = { .cols = 3, .right = 2 };
	char text[OUT_LEN], note[2 * OUT_LEN + 8];
	uint64_t value;
	int r;

	printf("%s  %s", target, doc_string(doc, "path"));
	if (doc_number(doc, "cgroup_id"))
		printf("  cgroup id %llu", (unsigned long long)doc_number(doc, "cgroup_id"));
	printf("  %s\n\n", doc_string(doc, "state"));

	for (enum cgfs_stat s = 0; s < CGFS_STAT_COUNT; s++) {
		if (!doc_figure(stats, s, &value))
			continue;
		remark(note, sizeof(note), stats, s, value);
		table_row(&t, cgfs_stat_name(s), out_value(text, cgfs_stat_unit(s), value), note);
	}
	print_lists(&t, stats);
	r = table_print(&t);
	print_missing(stats);
	return r;
}

static int stat_verb(struct args *a)
{
	const char *agent = args_agent(a);
	char pod[CGFS_ID_MAX + 1], ctr[CGFS_ID_MAX + 1];
	struct cgfs_err err = { 0 };
	json_t *doc = NULL;
	int r;

	r = target_parse("stat", a->argv[0], pod, ctr, &err);
	if (r < 0) {
		out_error(a, &err);
		return EXIT_USAGE;
	}
	r = agent ? remote(agent, pod, ctr, &doc, &err) : direct(a, pod, ctr, &doc, &err);
	if (r < 0) {
		cgfs_err_context(&err, r, "stat \"%s\"", a->argv[0]);
		out_error(a, &err);
		return EXIT_FAILED;
	}
	r = a->json ? out_json(doc) : print(doc, a->argv[0]);
	json_decref(doc);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_stat = {
	.name = "stat",
	.operands = "POD[/CONTAINER]",
	.summary = "Show all figures and limits of a pod or container",
	.text = "Names, units and meanings are the same on cgroup v1 and v2; what this host does\n"
		"not provide is listed at the end, and is not 0.  With --json also every counter\n"
		"of the kernel under its own name.",
	.tables = tables,
	.min = 1,
	.max = 1,
	.run = stat_verb,
};
