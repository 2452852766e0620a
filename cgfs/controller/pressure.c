/* SPDX-License-Identifier: MIT */
/*
 * pressure.c - figures of cgroup2 itself: PSI, the cgroups below, whether it is frozen.  Their
 * files need no controller, so they are to be had on every layout that has a cgroup2 tree.
 *
 * Kernel: Documentation/accounting/psi.rst; cgroup-v2.rst "cgroup.stat"
 */
#include "table.h"

/* One line: `some avg10=1.23 avg60=0.00 avg300=0.00 total=4711`, into four figures in a row. */
static void line(const char *text, const char *end, enum cgfs_stat first, struct cgfs_stats *s)
{
	for (int i = 0; i < 4; i++) {
		uint64_t value = 0;

		text = memchr(text, '=', (size_t)(end - text));
		if (!text)
			return;
		/* "1.23" is 123; total has no point. */
		for (text++; text < end && ((*text >= '0' && *text <= '9') || *text == '.'); text++)
			value = *text == '.' ? value : value * 10 + (uint64_t)(*text - '0');
		ctl_stat_set(s, first + (enum cgfs_stat)i, value);
	}
}

static int file(const struct cgfs_dir *d, enum kept slot, const char *name, enum cgfs_stat some,
		enum cgfs_stat full, struct cgfs_stats *s, struct cgfs_err *reterr)
{
	char buf[256];
	ssize_t n = dir_read_kept(d, slot, name, buf, sizeof(buf));

	/* Not built, or switched off (psi=0): not available. */
	if (n == -ENOENT || n == -EOPNOTSUPP)
		return 0;
	if (n < 0)
		return dir_error(d, (int)n, "read", name, NULL, reterr);
	for (const char *at = buf, *next; at < buf + n; at = next) {
		const char *end = at + strcspn(at, "\n");

		next = end + 1;
		if (strncmp(at, "some ", 5) == 0)
			line(at, end, some, s);
		else if (strncmp(at, "full ", 5) == 0)
			line(at, end, full, s);
	}
	return 0;
}

int pressure_stats(struct cgfs_group *g, struct cgfs_stats *s, struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->c->unified, NULL };
	int r;

	if (g->c->unified < 0)
		return 0;
	r = file(&d, KEPT_CPU_PRESSURE, "cpu.pressure", CGFS_STAT_PRESSURE_CPU_SOME_AVG10,
		 CGFS_STAT_PRESSURE_CPU_FULL_AVG10, s, reterr);
	if (r == 0)
		r = file(&d, KEPT_MEMORY_PRESSURE, "memory.pressure",
			 CGFS_STAT_PRESSURE_MEMORY_SOME_AVG10, CGFS_STAT_PRESSURE_MEMORY_FULL_AVG10,
			 s, reterr);
	if (r == 0)
		r = file(&d, KEPT_IO_PRESSURE, "io.pressure", CGFS_STAT_PRESSURE_IO_SOME_AVG10,
			 CGFS_STAT_PRESSURE_IO_FULL_AVG10, s, reterr);
	return r;
}

int descendants_stats(struct cgfs_group *g, struct cgfs_stats *s, struct cgfs_err *reterr)
{
	static const struct cgfs_key keys[] = {
		{ "nr_descendants", CGFS_STAT_DESCENDANTS },
		{ "nr_dying_descendants", CGFS_STAT_DYING_DESCENDANTS },
	};
	static const struct cgfs_key events[] = { { "frozen", CGFS_STAT_FROZEN } };
	struct cgfs_dir d = { g, g->c->unified, NULL };
	bool v1_frozen = s->value[CGFS_STAT_FROZEN];
	int r;

	if (g->c->unified < 0)
		return 0;
	r = ctl_stat_keyed(&d, KEPT_CGROUP_STAT, "cgroup.stat", keys, ARRAY_SIZE(keys), s, reterr);
	if (r == 0)
		r = ctl_stat_keyed(&d, KEPT_CGROUP_EVENTS, "cgroup.events", events,
				   ARRAY_SIZE(events), s, reterr);
	/* Either freezer stops them. */
	if (v1_frozen)
		ctl_stat_set(s, CGFS_STAT_FROZEN, 1);
	return r;
}

const struct keyed_file tree_keyed[] = {
	{ "cgroup.stat", KEPT_CGROUP_STAT, CGFS_READ_CGROUP },
	{ NULL, 0, 0 },
};

uint64_t unified_cpu_time(struct cgfs_group *g)
{
	struct cgfs_dir d = { g, g->c->unified, NULL };
	struct cgfs_line l;
	char buf[1024];
	const char *text = buf;
	ssize_t n = dir_read(&d, "cpu.stat", buf, sizeof(buf), NULL);
	size_t len = n > 0 ? (size_t)n : 0;

	while (cgfs_parse_line(&text, &len, &l) > 0) {
		if (l.key_len == 10 && strncmp(l.key, "usage_usec", 10) == 0)
			return l.value;
	}
	return 0;
}
