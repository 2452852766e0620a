// SPDX-License-Identifier: MIT
/*
 * test_bulk.c - cgfs_stats_all() takes the figures of memory from a report of all groups where
 * there is one, and from files elsewhere: the same figures, one by one.
 */
#include "extra.h"

#include "cgfs/base/util.h"

#include <stdlib.h>

#define WHAT (CGFS_READ_MEMORY_BULK | CGFS_READ_MEMORY_STAT)

struct all {
	struct cgfs_group *look_for;
	struct cgfs_stats found;
	size_t n, reported;
};

static int one(void *arg, struct cgfs_group *g, const struct cgfs_stats *s)
{
	struct all *a = arg;

	a->n++;
	a->reported += s->figure[CGFS_STAT_MEMORY_CURRENT].source == CGFS_SOURCE_REPORT;
	if (g == a->look_for)
		memcpy(&a->found, s, sizeof(*s));
	return 0;
}

static struct all read_all(struct cgfs *c, unsigned int what, struct cgfs_group *look_for)
{
	struct all a = { .look_for = look_for };

	OK(cgfs_stats_all(c, what, one, &a, &err));
	return a;
}

static bool same(const struct cgfs_figure *a, const struct cgfs_figure *b)
{
	return a->available == b->available && a->value == b->value;
}

/* The kernel may take a page back at any time, so what stood still around the report counts. */
static struct all compare(struct world *w, struct cgfs *c, struct cgfs_group *g)
{
	struct cgfs_stats a = CGFS_STATS_INIT, b = CGFS_STATS_INIT;
	struct all all;

	for (int i = 0;; i++) {
		CHECK_MSG(i < 1000, "the figures do not stand still");
		OK(cgfs_group_stats(g, WHAT, &a, &err));
		all = read_all(c, WHAT, g);
		OK(cgfs_group_stats(g, WHAT, &b, &err));
		if (memcmp(a.figure, b.figure, sizeof(a.figure)) == 0)
			break;
		world_sleep_ms(1);
	}
	for (size_t i = 0; i < CGFS_STAT_COUNT; i++)
		CHECK_MSG(same(&a.figure[i], &all.found.figure[i]),
			  "%s of %s is %llu (%d) by file, %llu (%d) by report",
			  cgfs_stat_name((enum cgfs_stat)i), cgfs_group_id(g),
			  (unsigned long long)a.figure[i].value, a.figure[i].available,
			  (unsigned long long)all.found.figure[i].value,
			  all.found.figure[i].available);
	return all;
}

WORLD_TEST(bulk_is_what_files_say)
{
	struct cgfs_resources small = extra_memory(16 * MIB), large = extra_memory(64 * MIB);
	struct cgfs *c = world_context(w, WORLD_MEMORY);
	struct cgfs_group *pod, *one_ctr, *two, *alone;
	bool report;
	struct all a;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	report = !extra_no_report(w, c);
	pod = world_pod(w, c, "web", &large);
	one_ctr = world_container(w, pod, c, "c1", NULL);
	two = world_container(w, pod, c, "c2", &small);
	alone = world_container(w, NULL, c, "alone", NULL);
	CHECK_INT(w->ops->alloc(w, world_spawn_in(w, one_ctr), 8 * MIB), 0);
	CHECK_INT(w->ops->alloc(w, world_spawn_in(w, alone), 2 * MIB), 0);
	pid = world_spawn_in(w, two);
	CHECK_INT(w->ops->alloc(w, pid, 4 * MIB), 0);
	for (int round = 0; round < 2; round++) {
		compare(w, c, pod);
		compare(w, c, one_ctr);
		compare(w, c, two);
		a = compare(w, c, alone);
		CHECK_INT(a.n, 4);
		/* What the kernel has of files is seen in the first group, so in two calls. */
		if (round)
			CHECK_INT(a.reported, report ? 4 : 0);
		if (round == 0) {
			CHECK_INT(w->ops->alloc(w, pid, 64 * MIB), -ENOMEM);
			world_gone(w, pid);
		}
	}
	world_note(w, "memory.stat by the %s",
		   a.found.figure[CGFS_STAT_MEMORY_ANON].source == CGFS_SOURCE_REPORT ? "report"
										      : "file");
	if (w->kind->live && report && w->kind->kernel.major >= 7)
		CHECK_INT(a.found.figure[CGFS_STAT_MEMORY_ANON].source, CGFS_SOURCE_REPORT);
}

#define MANY 1000

/* All lines of the kernel's table for persons, which has room for some of them only. */
static void read_table(struct world *w, size_t groups)
{
	unsigned long long more = 0;
	size_t lines = 0;
	char path[300], text[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/mem", w->pin_dir);
	f = fopen(path, "re");
	CHECK(f);
	while (fgets(text, sizeof(text), f)) {
		CHECK_MSG(!more, "after the last line: %s", text);
		if (sscanf(text, "%llu more:", &more) != 1)
			lines++;
	}
	CHECK_MSG(!ferror(f), "%s: %m after %zu lines", path, lines);
	fclose(f);
	world_note(w, "%zu lines, %llu more", lines, more);
	CHECK_INT(lines - 1 + more, groups); /* The first line has the titles. */
	CHECK(lines > 50 && more > 0);
}

WORLD_TEST(bulk_thousand_containers)
{
	struct cgfs *c = extra_context(w, WORLD_MEMORY);
	static struct cgfs_group *g[MANY];
	struct cgfs_group *pod;
	struct all a;
	char id[80];

	extra_need_report(w, c);
	OK(cgfs_pod_create(c, "web", NULL, &pod, &err));
	world_track(w, pod);
	for (int i = 0; i < MANY; i++) {
		/* As long as those of containerd. */
		snprintf(id, sizeof(id), "%064d", i);
		OK(cgfs_container_create(c, pod, id, NULL, &g[i], &err));
	}
	CHECK_INT(w->ops->alloc(w, world_spawn_in(w, g[MANY - 1]), 2 * MIB), 0);
	compare(w, c, pod);
	compare(w, c, g[MANY / 2]);
	a = compare(w, c, g[MANY - 1]);
	CHECK_INT(a.n, MANY + 1);
	CHECK_INT(a.reported, MANY + 1);
	CHECK(a.found.figure[CGFS_STAT_MEMORY_CURRENT].value >= 2 * MIB);
	world_note(w, "%zu of %zu groups were reported", a.reported, a.n);
	read_table(w, MANY + 1);
	for (int i = 0; i < MANY - 1; i++) {
		OK(cgfs_group_remove(g[i], NULL, &err));
		cgfs_group_close(g[i]);
	}
	world_track(w, g[MANY - 1]);
	a = read_all(c, WHAT, NULL);
	CHECK_INT(a.n, 2);
	CHECK_INT(a.reported, 2);
}

/* Another process removes a container: its last figures stay in the map until the policy forgets
 * it. */
WORLD_TEST(bulk_group_gone)
{
	struct cgfs *c = world_context(w, WORLD_MEMORY);
	struct cgfs_group *pod, *stays, *goes;
	struct all a;

	extra_need_report(w, c);
	pod = world_pod(w, c, "web", NULL);
	stays = world_container(w, pod, c, "stays", NULL);
	goes = world_container(w, pod, c, "goes", NULL);
	compare(w, c, goes);
	CHECK_INT(read_all(c, WHAT, NULL).reported, 3);
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++)
		if (w->ops->exists(w, (enum cgfs_controller)ctl, cgfs_group_path(goes)))
			CHECK_INT(
				w->ops->rmdir(w, (enum cgfs_controller)ctl, cgfs_group_path(goes)),
				0);
	a = read_all(c, CGFS_READ_MEMORY_BULK, stays);
	CHECK_INT(a.n, 2);
	CHECK_INT(a.reported, 2);
	a = compare(w, c, stays);
	CHECK_INT(a.n, 2);
}

/* A caller whose structure ends before what this version has, and what the policy says of groups
 * that it does not know. */
WORLD_TEST(bulk_policy_fills_what_there_is_room_for)
{
	struct cgfs_policy_memory m = CGFS_SIZED(struct cgfs_policy_memory);
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c = world_context(w, WORLD_MEMORY);
	const struct cgfs_policy_ops *ops;
	struct cgfs_group *pod;
	uint64_t session, later, id;
	void *ctx;

	extra_need_report(w, c);
	pod = world_pod(w, c, "web", NULL);
	id = cgfs_group_cgroup_id(pod);
	w->ops->options(w, WORLD_MEMORY, &opts);
	ops = opts.policy->ops;
	ctx = opts.policy->ctx;
	OK(ops->report_memory(ctx, &session));
	OK(ops->report_memory(ctx, &later));
	CHECK(session > 0 && later > session);
	CHECK_INT(ops->reported_memory(ctx, id, later + 1000000, &m), -ENOENT);
	CHECK_INT(ops->reported_memory(ctx, 1, session, &m), -ENOENT);
	OK(ops->reported_memory(ctx, id, later, &m));
	CHECK_INT(m.figures.size, sizeof(m.figures));
	CHECK_INT(m.figures.max_bytes, CGFS_FIGURE_NONE);
	memset(&m, 0x5a, sizeof(m));
	m.sz = offsetof(struct cgfs_policy_memory, figures.high_bytes);
	OK(ops->reported_memory(ctx, id, session, &m));
	CHECK_INT(m.figures.max_bytes, CGFS_FIGURE_NONE);
	CHECK_INT(m.figures.high_bytes, 0x5a5a5a5a5a5a5a5a);
}

/* Peaks that were reset count in descriptors of this process, which no report knows. */
WORLD_TEST(bulk_peak_was_reset)
{
	struct cgfs *c = world_context(w, WORLD_MEMORY);
	struct cgfs_group *pod, *ctr;
	pid_t pid;
	int r;

	extra_need_report(w, c);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c", NULL);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 8 * MIB), 0);
	w->ops->exit(w, pid);
	world_gone(w, pid);
	compare(w, c, ctr);
	r = cgfs_group_reset_peak(ctr, NULL);
	if (r == -EOPNOTSUPP)
		world_skip(w, "this kernel does not reset peaks");
	OK(r);
	compare(w, c, ctr);
	compare(w, c, pod);
}
