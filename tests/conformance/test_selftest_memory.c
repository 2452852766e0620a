// SPDX-License-Identifier: MIT
/*
 * test_selftest_memory.c - what the memory controller does, seen through handles: usage,
 * protection, throttling, kills, group kills, peaks, swap and reclaim.
 */
#include "extra.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void need_v2(struct world *w)
{
	world_need(w, CGFS_MEMORY);
	if (!world_v2(w, CGFS_MEMORY))
		world_skip(w, "memory is on v1 in this layout: no such limit there");
}

static uint64_t current(struct cgfs_group *g)
{
	return world_stat(g, CGFS_STAT_MEMORY_CURRENT);
}

/* Figures may lag by what each CPU has not yet handed in. */
#define SLACK (2 * MIB)

WORLD_TEST(selftest_memory_current_follows)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);
	uint64_t before;
	pid_t pa, pb;

	world_need(w, CGFS_MEMORY);
	pa = world_spawn_in(w, a);
	pb = world_spawn_in(w, b);
	CHECK_INT(w->ops->alloc(w, pa, 24 * MIB), 0);
	CHECK(current(a) >= 24 * MIB - SLACK);
	CHECK(current(a) < 40 * MIB);
	CHECK(current(b) < 8 * MIB);
	CHECK(current(pod) >= current(a) - SLACK);
	CHECK_INT(w->ops->alloc(w, pb, 16 * MIB), 0);
	CHECK(current(pod) >= 40 * MIB - SLACK);
	before = current(a);
	w->ops->release(w, pa, 24 * MIB);
	CHECK(current(a) + 20 * MIB < before);
	CHECK(world_stat(a, CGFS_STAT_MEMORY_PEAK) >= 24 * MIB - SLACK);
	if (world_version(w, CGFS_MEMORY) == CGFS_V1)
		CHECK(world_stat(b, CGFS_STAT_MEMORY_ANON) >= 16 * MIB - SLACK);
	/* Gone with its processes. */
	OK(cgfs_group_kill(pod, &err));
	world_gone(w, pa);
	world_gone(w, pb);
	UNTIL(current(pod) <= 8 * MIB);
}

WORLD_TEST(selftest_memory_anon_and_file)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 16 * MIB), 0);
	/* memory.stat is brought up to date every two seconds, or on a flush. */
	for (int i = 0; world_stat(ctr, CGFS_STAT_MEMORY_ANON) < 16 * MIB - SLACK; i++) {
		CHECK(i < PATIENCE_MS / 10);
		world_sleep_ms(10);
	}
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_FILE) < 8 * MIB);
}

static struct cgfs_resources guarded(uint64_t min, uint64_t low)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_MEMORY_MIN | CGFS_SET_MEMORY_LOW;
	res.memory_min_bytes = min;
	res.memory_low_bytes = low;
	return res;
}

/* Two with the same use below a pod that is full: the one that is protected keeps it. */
WORLD_TEST(selftest_memory_protection_holds)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_group *pod, *safe, *open;
	pid_t ps, po;

	need_v2(w);
	if (!w->kind->live)
		world_skip(w, "the fake host reclaims without regard for protection");
	pod = world_pod(w, c, "web", &res);
	res = guarded(16 * MIB, 24 * MIB);
	safe = world_container(w, pod, c, "safe", &res);
	open = world_container(w, pod, c, "open", NULL);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, safe, "memory.min"), 16 * MIB);
	CHECK_INT(world_cat_number(w, CGFS_MEMORY, safe, "memory.low"), 24 * MIB);
	ps = world_spawn_in(w, safe);
	po = world_spawn_in(w, open);
	CHECK_INT(w->ops->cache(w, ps, 24 * MIB), 0);
	CHECK_INT(w->ops->cache(w, po, 24 * MIB), 0);
	CHECK_INT(w->ops->alloc(w, po, 24 * MIB), 0);
	/* The newcomer lived off its own reclaimable memory. */
	CHECK_MSG(current(safe) >= 24 * MIB - SLACK, "%llu bytes left of what was protected",
		  (unsigned long long)current(safe));
	CHECK(current(pod) <= 64 * MIB);
	CHECK_INT(world_stat(safe, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	CHECK_INT(world_stat(open, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	world_runs(w, ps);
	world_runs(w, po);
}

WORLD_TEST(selftest_memory_high_throttles)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *ctr;
	pid_t pid;

	need_v2(w);
	res.set = CGFS_SET_MEMORY_HIGH;
	res.memory_high_bytes = 16 * MIB;
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->cache(w, pid, 8 * MIB), 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_HIGH), 0);
	CHECK_INT(w->ops->cache(w, pid, 40 * MIB), 0);
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_HIGH) > 0);
	CHECK(current(ctr) <= 16 * MIB + SLACK);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_MAX), 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	world_runs(w, pid);
}

/* At the limit: reclaim while that helps, a kill when it does not. */
WORLD_TEST(selftest_memory_max_reclaims_then_kills)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = extra_memory(24 * MIB);
	struct cgfs_group *ctr;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid;

	world_need(w, CGFS_MEMORY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->cache(w, pid, 64 * MIB), 0);
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_MAX) > 0);
	CHECK(current(ctr) <= 24 * MIB);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 0);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
	world_runs(w, pid);
	CHECK_INT(w->ops->alloc(w, pid, 64 * MIB), -ENOMEM);
	world_gone(w, pid);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 1);
	CHECK(world_stat(ctr, CGFS_STAT_MEMORY_PEAK) <= 24 * MIB);
	world_event(w, c, CGFS_EVENT_OOM_KILL, "c1", &ev);
	CHECK_INT(ev.count, 1);
}

static void group_kill(struct world *w, enum world_policy policy)
{
	struct cgfs *c = world_context(w, policy);
	struct cgfs_resources res = extra_memory(24 * MIB);
	struct cgfs_group *pod, *ctr, *other;
	pid_t pids[4], neighbour;
	size_t reported;
	uint64_t kills;

	need_v2(w);
	pod = world_pod(w, c, "web", NULL);
	res.set |= CGFS_SET_MEMORY_OOM_GROUP;
	res.memory_oom_group = true;
	ctr = world_container(w, pod, c, "c1", &res);
	other = world_container(w, pod, c, "c2", NULL);
	CHECK_STR(world_cat(w, CGFS_MEMORY, ctr, "memory.oom.group"), "1");
	neighbour = world_spawn_in(w, other);
	for (int i = 0; i < 4; i++)
		pids[i] = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pids[0], MIB), 0);
	CHECK_INT(w->ops->alloc(w, pids[3], 64 * MIB), -ENOMEM);
	for (int i = 0; i < 4; i++)
		world_gone(w, pids[i]);
	world_runs(w, neighbour);
	/* The kernel counts the process that it chose once more with its group, if it still has
	 * memory by then. */
	kills = extra_keyed(w, CGFS_MEMORY, ctr, "memory.events", "oom_kill");
	CHECK(kills == 4 || kills == 5);
	CHECK_INT(extra_keyed(w, CGFS_MEMORY, ctr, "memory.events", "oom_group_kill"), 1);
	reported = world_count_events(w, c, CGFS_EVENT_OOM_KILL);
	CHECK(reported == 4 || reported == kills);
	/* Without it the next one dies alone. */
	res.set = CGFS_SET_MEMORY_OOM_GROUP;
	res.memory_oom_group = false;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	pids[0] = world_spawn_in(w, ctr);
	pids[1] = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pids[1], 64 * MIB), -ENOMEM);
	world_gone(w, pids[1]);
	world_runs(w, pids[0]);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 1);
}

WORLD_TEST(selftest_memory_oom_group_kills_all)
{
	group_kill(w, WORLD_POLICY);
}

WORLD_TEST(selftest_memory_oom_group_kills_all_files)
{
	group_kill(w, WORLD_FILES);
}

static int touch_64_mib(void *arg)
{
	char *p = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	madvise(p, 64 * MIB, MADV_NOHUGEPAGE);
	/* Not twice the same, or it may be stored as a pattern and take no room. */
	for (size_t at = 0; at < 64 * MIB; at += sizeof(uint32_t))
		*(uint32_t *)(p + at) = (uint32_t)at * 1103515245u;
	return 0;
}

/* memory+swap equal to memory is no swap at all; more is more. */
WORLD_TEST(selftest_memory_swap_limit)
{
	struct cgfs *c = extra_context(w, WORLD_FILES);
	struct cgfs_resources res = extra_memory(24 * MIB);
	struct cgfs_group *ctr;
	struct cgfs_stats stats = CGFS_STATS_INIT;
	char line[256];
	FILE *f;
	int n = 0, status;

	world_need(w, CGFS_MEMORY);
	f = fopen("/proc/swaps", "re");
	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	if (n < 2)
		world_skip(w, "no swap is in use here");
	res.set |= CGFS_SET_MEMORY_SWAP;
	res.memory_swap_bytes = 24 * MIB;
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	status = extra_wait(extra_spawn(ctr, touch_64_mib, NULL));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 1);
	res.memory_swap_bytes = 128 * MIB;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK_INT(extra_wait(extra_spawn(ctr, touch_64_mib, NULL)), 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_MEMORY_EVENTS_OOM_KILL), 1);
	OK(cgfs_group_stats(ctr, CGFS_READ_ALL, &stats, &err));
	CHECK_INT(stats.figure[CGFS_STAT_MEMORY_SWAP_MAX].value, 104 * MIB);
}

/* cgroup2's memory.reclaim has nothing to put back: an update may use it all the same. */
WORLD_TEST(selftest_memory_reclaim_by_unified)
{
	static const struct cgfs_unified list[] = { { "memory.reclaim", "16777216" } };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *ctr;
	uint64_t before;
	pid_t pid;

	need_v2(w);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid = world_spawn_in(w, ctr);
	world_need_file(w, CGFS_MEMORY, ctr, "memory.reclaim");
	CHECK_INT(w->ops->cache(w, pid, 32 * MIB), 0);
	before = current(ctr);
	res.set = CGFS_SET_UNIFIED;
	res.unified = list;
	res.n_unified = 1;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK(current(ctr) + 16 * MIB <= before + SLACK);
	world_runs(w, pid);
}
