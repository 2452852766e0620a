/* SPDX-License-Identifier: MIT */
/*
 * pressure.c - cgroup2 itself: PSI, as figures and as events, the cgroups below, whether it is
 * frozen.  Their files need no controller, so they are to be had on every layout that has a cgroup2
 * tree.
 *
 * Kernel: Documentation/accounting/psi.rst; cgroup-v2.rst "cgroup.stat"
 */
#include "cgfs/controller/process/pressure.h"

#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/event/events.h"
#include "cgfs/tree/fs.h"

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

static const struct {
	const char *file;
	enum kept slot;
	enum cgfs_stat some, full;
} files[] = {
	[CGFS_PRESSURE_CPU] = { "cpu.pressure", KEPT_CPU_PRESSURE,
				CGFS_STAT_PRESSURE_CPU_SOME_AVG10,
				CGFS_STAT_PRESSURE_CPU_FULL_AVG10 },
	[CGFS_PRESSURE_MEMORY] = { "memory.pressure", KEPT_MEMORY_PRESSURE,
				   CGFS_STAT_PRESSURE_MEMORY_SOME_AVG10,
				   CGFS_STAT_PRESSURE_MEMORY_FULL_AVG10 },
	[CGFS_PRESSURE_IO] = { "io.pressure", KEPT_IO_PRESSURE, CGFS_STAT_PRESSURE_IO_SOME_AVG10,
			       CGFS_STAT_PRESSURE_IO_FULL_AVG10 },
};

int pressure_stats(struct cgfs_group *g, struct cgfs_stats *s, struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_in(g, g->c->unified);
	int r = 0;

	for (size_t i = 0; g->c->unified >= 0 && i < ARRAY_SIZE(files) && r == 0; i++)
		r = file(&d, files[i].slot, files[i].file, files[i].some, files[i].full, s, reterr);
	return r;
}

int pressure_watch(struct cgfs_group *g, enum cgfs_pressure what, const char *trigger,
		   void (*fn)(struct cgfs_group *g), int *ret_fd, int *ret_wd,
		   struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_in(g, g->c->unified);
	const char *name = files[what].file;
	ssize_t n;
	int r, dir;

	if (g->c->unified < 0 || g->c->fs != cgfs_fs_kernel())
		return err_value(reterr, -EOPNOTSUPP, "watch pressure of", g->rel,
				 "there is no cgroup2 tree");
	r = group_dir(g, d.hierarchy, &dir, NULL);
	if (r == 0) {
		*ret_fd = r = fs_open(g->c, dir, name, O_RDWR);
		r = r == -ENOENT ? -EOPNOTSUPP : r;
	}
	if (r >= 0) {
		/* The kernel wants the terminating NUL to be counted. */
		n = g->c->fs->ops->write(g->c->fs->ctx, *ret_fd, trigger, strlen(trigger) + 1);
		r = n < 0 ? (int)n : events_watch(g, name, fn, ret_wd);
	}
	if (r < 0) {
		fs_close(g->c, ret_fd);
		dir_error(&d, r, "write", name, trigger, reterr);
		return cgfs_err_context(reterr, r, "watch pressure of \"%.80s\"", g->rel);
	}
	return 0;
}

static const struct cgfs_key descendants[] = {
	{ "nr_descendants", CGFS_STAT_DESCENDANTS },
	{ "nr_dying_descendants", CGFS_STAT_DYING_DESCENDANTS },
};

const struct stat_file tree_figures[] = {
	STAT_KEYED("cgroup.stat", CGROUP_STAT, CGROUP, descendants),
	{ .name = NULL },
};

int descendants_stats(struct cgfs_group *g, unsigned int what, struct cgfs_stats *s,
		      struct cgfs_err *reterr)
{
	static const struct cgfs_key keys[] = { { "frozen", CGFS_STAT_FROZEN } };
	static const struct stat_file events =
		STAT_KEYED("cgroup.events", CGROUP_EVENTS, CGROUP, keys);
	struct cgfs_dir d = dir_in(g, g->c->unified);
	bool v1_frozen = s->figure[CGFS_STAT_FROZEN].value;
	int r = 0;

	if (g->c->unified < 0)
		return 0;
	if (what & CGFS_READ_CGROUP)
		r = ctl_stat_file(&d, tree_figures, s, reterr);
	if (r == 0)
		r = ctl_stat_file(&d, &events, s, reterr);
	/* Either freezer stops them. */
	if (v1_frozen)
		ctl_stat_set(s, CGFS_STAT_FROZEN, 1);
	return r;
}

uint64_t unified_cpu_time(struct cgfs_group *g)
{
	struct cgfs_dir d = dir_in(g, g->c->unified);
	uint64_t used;
	char buf[1024];
	ssize_t n = dir_read(&d, "cpu.stat", buf, sizeof(buf), NULL);

	return n > 0 && cgfs_parse_key(buf, (size_t)n, "usage_usec", &used) ? used : 0;
}
