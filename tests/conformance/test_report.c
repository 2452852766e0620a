// SPDX-License-Identifier: MIT
/*
 * test_report.c - the table of pods and containers that the kernel prints, line by line beside what
 * the library reads from control files and maps.
 */
#include "extra.h"

#include "cgfs/base/util.h"

#include <inttypes.h>
#include <stdlib.h>

struct row {
	char pod[80], container[80], limit[32], failed[32], here[32], reclaims[32], reclaim_us[32];
	uint64_t usage, peak, kills;
};

/* What the file says of a group; -ENOENT when it has no line.  No process of ours has it open. */
static int read_row(struct world *w, const char *pod, const char *container, struct row *row)
{
	char path[512], text[1024];
	int r = -ENOENT;
	FILE *f;

	snprintf(path, sizeof(path), "%s/mem", w->pin_dir);
	f = fopen(path, "re");
	CHECK_MSG(f != NULL, "%s: %s", path, strerror(errno));
	CHECK(fgets(text, sizeof(text), f) != NULL);
	CHECK_HAS(text, "reclaim_us");
	while (r < 0 && fgets(text, sizeof(text), f)) {
		*row = (struct row){ 0 };
		CHECK_MSG(sscanf(text,
				 "%79s %79s %" SCNu64 " %31s %" SCNu64
				 " %31s %31s %31s %31s %" SCNu64,
				 row->pod, row->container, &row->usage, row->limit, &row->peak,
				 row->failed, row->here, row->reclaims, row->reclaim_us,
				 &row->kills) == 10,
			  "\"%s\"", text);
		if (strcmp(row->pod, pod) == 0 && strcmp(row->container, container) == 0)
			r = 0;
	}
	fclose(f);
	return r;
}

/* docs/memory.md shows it. */
static void show(struct world *w)
{
	char path[512], text[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/mem", w->pin_dir);
	f = fopen(path, "re");
	CHECK(f != NULL);
	while (fgets(text, sizeof(text), f))
		world_note(w, "%s", text);
	fclose(f);
}

static void number(const char *what, const char *text, const struct cgfs_figure *f)
{
	if (!f->available) {
		CHECK_STR(text, "-");
		return;
	}
	CHECK_MSG(strtoull(text, NULL, 10) == f->value, "%s: %s in the table, %llu in the map",
		  what, text, (unsigned long long)f->value);
}

/* The kernel may take a page back at any time: a line counts when nothing has changed around it. */
static void compare(struct world *w, struct cgfs_group *g, const char *pod, const char *container)
{
	struct cgfs_stats a = CGFS_STATS_INIT, b = CGFS_STATS_INIT;
	const unsigned int what = CGFS_READ_MEMORY | CGFS_READ_POLICY;
	struct row row;
	char limit[32];

	for (int i = 0;; i++) {
		CHECK_MSG(i < 1000, "usage does not stand still");
		OK(cgfs_group_stats(g, what, &a, &err));
		OK(read_row(w, pod, container, &row));
		OK(cgfs_group_stats(g, what, &b, &err));
		if (memcmp(a.figure, b.figure, sizeof(a.figure)) == 0)
			break;
		world_sleep_ms(1);
	}
	CHECK_INT(row.usage, a.figure[CGFS_STAT_MEMORY_CURRENT].value);
	CHECK_INT(row.peak, a.figure[CGFS_STAT_MEMORY_PEAK].value);
	if (a.figure[CGFS_STAT_MEMORY_MAX].value == CGFS_MAX)
		snprintf(limit, sizeof(limit), "max");
	else
		snprintf(limit, sizeof(limit), "%" PRIu64, a.figure[CGFS_STAT_MEMORY_MAX].value);
	CHECK_STR(row.limit, limit);
	number("failed", row.failed, &a.figure[CGFS_STAT_CHARGE_FAILED]);
	number("here", row.here, &a.figure[CGFS_STAT_CHARGE_FAILED_HERE]);
	number("reclaims", row.reclaims, &a.figure[CGFS_STAT_CHARGE_RECLAIMS]);
	if (a.figure[CGFS_STAT_OOM_KILLS].available)
		CHECK_INT(row.kills, a.figure[CGFS_STAT_OOM_KILLS].value);
}

WORLD_TEST(charge_report_is_what_files_say)
{
	struct cgfs_resources small = extra_memory(16 * MIB), large = extra_memory(64 * MIB);
	struct cgfs *c = world_context(w, WORLD_MEMORY);
	struct cgfs_group *pod, *one, *two, *alone;
	struct row row;
	pid_t pid;

	extra_need_report(w, c);
	pod = world_pod(w, c, "web", &large);
	one = world_container(w, pod, c, "c1", NULL);
	two = world_container(w, pod, c, "c2", &small);
	alone = world_container(w, NULL, c, "alone", NULL);
	CHECK_INT(w->ops->alloc(w, world_spawn_in(w, one), 8 * MIB), 0);
	CHECK_INT(w->ops->alloc(w, world_spawn_in(w, alone), 2 * MIB), 0);
	pid = world_spawn_in(w, two);
	CHECK_INT(w->ops->alloc(w, pid, 4 * MIB), 0);
	compare(w, pod, "web", "-");
	compare(w, one, "web", "c1");
	compare(w, two, "web", "c2");
	compare(w, alone, "-", "alone");
	CHECK_INT(w->ops->alloc(w, pid, 64 * MIB), -ENOMEM);
	world_gone(w, pid);
	compare(w, two, "web", "c2");
	compare(w, pod, "web", "-");
	show(w);
	world_restart(w);
	/* With none of our processes. */
	OK(read_row(w, "web", "c1", &row));
	CHECK(row.usage >= 8 * MIB && row.peak >= row.usage);
	c = world_context(w, WORLD_MEMORY);
	OK(cgfs_pod_open(c, "web", &pod, &err));
	world_track(w, pod);
	OK(cgfs_container_open(c, pod, "c1", &one, &err));
	world_track(w, one);
	OK(cgfs_container_open(c, NULL, "alone", &alone, &err));
	world_track(w, alone);
	compare(w, one, "web", "c1");
	compare(w, alone, "-", "alone");
	world_destroy(w, one);
	CHECK_INT(read_row(w, "web", "c1", &row), -ENOENT);
	compare(w, pod, "web", "-");
}
