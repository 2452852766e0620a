/* SPDX-License-Identifier: MIT */
/*
 * stat.c - the verb `stat`: every figure and limit of a pod or container, with its unit.
 */
#include "agent/podctl/verb/verb.h"
#include "agent/wire/label.h"
#include "cgfs/base/json.h"

#include <stdio.h>

static const struct opt *const tables[] = { opt_answer, NULL };

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

static void remark(char *buf, size_t len, const struct group_info *g, enum cgfs_stat stat,
		   uint64_t value)
{
	enum cgfs_stat limit = limit_of(stat);
	char percent[OUT_LEN], text[OUT_LEN];
	uint64_t max, period;

	buf[0] = '\0';
	if (limit != CGFS_STAT_COUNT && info_figure(g, limit, &max) && max != CGFS_MAX)
		snprintf(buf, len, "%s of %s", out_percent(percent, value, max),
			 out_value(text, cgfs_stat_unit(limit), max));
	if (stat == CGFS_STAT_CPU_QUOTA && value != CGFS_MAX &&
	    info_figure(g, CGFS_STAT_CPU_PERIOD, &period) && period)
		snprintf(buf, len, "%s of one CPU", out_percent(percent, value, period));
}

/* "not available here: a, b, c", wrapped like a paragraph. */
static void print_missing(const enum cgfs_stat *missing, size_t n)
{
	size_t column = 0;

	for (size_t i = 0; i < n; i++) {
		const char *name = cgfs_stat_name(missing[i]);

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
	uint64_t n = 0;

	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	if (cgfs_json_u64(value, &n))
		return out_value(buf, unit, n);
	if (json_is_string(value))
		return *json_string_value(value) ? json_string_value(value) : "-";
	return "-";
}

/* "SECTION.NAME VALUE" for what is a value of its own in an object. */
static void print_object(struct table *t, const json_t *stats, const char *section)
{
	char name[128], text[OUT_LEN], note[160];
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(stats, section), key, value)
	{
		if (json_is_array(value) || json_is_object(value))
			continue;
		snprintf(name, sizeof(name), "%s.%s", section, key);
		note[0] = '\0';
		if (streq(section, "cpuset") && strncmp(key, "effective_", 10) == 0)
			(void)doc_differs(stats, key + 10, note, sizeof(note));
		table_row(t, name, value_text(text, unit_of(section, key), value), note);
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
	print_entries(t, json_object_get(stats, "foreign_programs"), "foreign_programs", "name");
	print_object(t, stats, "cpuset");
	print_object(t, stats, "limits");
	print_entries(t, json_object_get(limits, "io_devices"), "limits.io", "device");
	print_entries(t, json_object_get(limits, "net_prio"), "limits.net_prio", "interface");
	print_strings(t, json_object_get(limits, "devices"), "limits.devices");
}

/* With the other containers of its pod. */
static void print_shared(const struct group_info *g)
{
	json_t *type;
	size_t i;

	json_array_foreach(g->shared, i, type)
		printf("%s%s", i ? ", " : "  shares ", json_string_value(type));
}

static int print(const struct group_info *g)
{
	enum cgfs_stat missing[CGFS_STAT_COUNT];
	struct table t = { .cols = 3, .right = 2 };
	char text[OUT_LEN], note[2 * OUT_LEN + 8], labels[LABELS_MAX];
	size_t n = 0;
	uint64_t value;
	int r;

	printf("%s%s%s  %s", g->pod, *g->ctr ? "/" : "", g->ctr, g->path);
	if (g->cgroup_id)
		printf("  cgroup id %llu", (unsigned long long)g->cgroup_id);
	printf("  %s", info_state(g));
	if (g->exit_code >= 0)
		printf("  exit code %lld", (long long)g->exit_code);
	print_shared(g);
	if (*info_labels(g, labels, sizeof(labels)))
		printf("  %s", labels);
	fputs("\n\n", stdout);

	for (enum cgfs_stat s = 0; s < CGFS_STAT_COUNT; s++) {
		if (!info_figure(g, s, &value)) {
			missing[n++] = s;
			continue;
		}
		remark(note, sizeof(note), g, s, value);
		table_row(&t, cgfs_stat_name(s), out_value(text, cgfs_stat_unit(s), value), note);
	}
	print_lists(&t, g->doc);
	r = table_print(&t);
	print_missing(missing, n);
	return r;
}

static int check(struct args *a, struct cgfs_err *reterr)
{
	return target_parse("stat", a->argv[0], &a->target, reterr);
}

static int stat_verb(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	const unsigned int what = a->json ? CGFS_READ_ALL : CGFS_READ_ALL & ~CGFS_READ_NATIVE;
	struct group_info info = { 0 };
	int r = s->ops->stat(s, &a->target, what, &info, reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "stat \"%s\"", a->argv[0]);
	if (a->json)
		r = out_json(info_doc(&info), reterr);
	else
		r = print(&info) < 0 ? no_memory(reterr) : 0;
	info_free(&info);
	return r;
}

const struct verb verb_stat = {
	.name = "stat",
	.operands = "POD[/CONTAINER]",
	.summary = "Show all figures and limits of a pod or container",
	.text = "Names, units and meanings are the same on cgroup v1 and v2.  Figures that this\n"
		"host does not provide are listed at the end instead of being shown as 0.  --json\n"
		"adds every counter of the kernel under its own name.  foreign_programs[NAME] are "
		"the\n"
		"device programs on its cgroup that cgfs did not attach, which can only forbid "
		"more.",
	.tables = tables,
	.min = 1,
	.max = 1,
	.check = check,
	.with = stat_verb,
};
