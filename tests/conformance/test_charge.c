// SPDX-License-Identifier: MIT
/*
 * test_charge.c - memory as it is counted in the kernel at the moment of the charge, beside what
 * the control files say; and thresholds that are crossed there.
 */
#include "extra.h"

#include "cgfs/base/util.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#if CGFS_WITH_BPF
#include <bpf/bpf.h>
#endif

/* The kernel charges in batches, MEMCG_CHARGE_BATCH pages on each processor. */
static uint64_t batch(void)
{
	return 64 * (uint64_t)sysconf(_SC_NPROCESSORS_CONF) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* One charge may be of a huge page. */
#define STEP (2 * MIB)

struct scene {
	struct cgfs *c;
	struct cgfs_group *pod, *ctr;
};

static bool counted(struct cgfs_group *g)
{
	struct cgfs_stats stats = CGFS_STATS_INIT;

	OK(cgfs_group_stats(g, CGFS_READ_POLICY, &stats, &err));
	return stats.figure[CGFS_STAT_CHARGE_COUNT].available;
}

/* In the guests that run all tests nothing keeps the kernel from counting. */
static void refused(struct world *w, const char *why)
{
	if (CGFS_WITH_BPF && getenv("CGFS_TEST_GUEST") && world_thorough())
		FAIL("no memory accounting: %s", why);
	world_skip(w, "no memory accounting: %s", why);
}

/* Why is memory not counted?  Something has to say so. */
static void explain(struct world *w, struct cgfs *c)
{
	const struct cgfs_capability *cap;

	if (w->policy_missing[0])
		refused(w, w->policy_missing);
	cap = extra_capability(c, "bpf.memory");
	CHECK_MSG(cap != NULL, "no capability bpf.memory");
	CHECK_MSG(!cap->ok, "memory accounting is on, and does not count");
	CHECK(cap->detail[0] && cap->remedy[0]);
	refused(w, cap->detail);
}

static struct scene begin_with(struct world *w, const struct cgfs_resources *pod,
			       const struct cgfs_resources *ctr)
{
	struct scene s = { .c = extra_context(w, WORLD_MEMORY) };

	world_need(w, CGFS_MEMORY);
	s.pod = world_pod(w, s.c, "web", pod);
	s.ctr = world_container(w, s.pod, s.c, "c1", ctr);
	if (!counted(s.pod))
		explain(w, s.c);
	CHECK(counted(s.ctr));
	return s;
}

static struct scene begin(struct world *w)
{
	return begin_with(w, NULL, NULL);
}

static void near(const char *what, uint64_t have, uint64_t want)
{
	CHECK_MSG(have <= want + batch() && want <= have + batch(),
		  "%s is %llu, the file says %llu; %llu apart are allowed", what,
		  (unsigned long long)have, (unsigned long long)want, (unsigned long long)batch());
}

static void agrees(struct cgfs_group *g)
{
	struct cgfs_stats s = CGFS_STATS_INIT;

	OK(cgfs_group_stats(g, CGFS_READ_POLICY | CGFS_READ_MEMORY, &s, &err));
	near("usage", s.figure[CGFS_STAT_CHARGE_USAGE].value,
	     s.figure[CGFS_STAT_MEMORY_CURRENT].value);
	near("peak", s.figure[CGFS_STAT_CHARGE_PEAK].value, s.figure[CGFS_STAT_MEMORY_PEAK].value);
	CHECK(s.figure[CGFS_STAT_CHARGE_PEAK].value >= s.figure[CGFS_STAT_CHARGE_USAGE].value);
	CHECK_INT(s.figure[CGFS_STAT_CHARGE_USAGE].source, CGFS_SOURCE_POLICY);
	CHECK_INT(s.figure[CGFS_STAT_MEMORY_CURRENT].source, CGFS_SOURCE_FILE);
}

WORLD_TEST(charge_agrees_with_files)
{
	struct scene s = begin(w);
	struct cgfs_group *second = world_container(w, s.pod, s.c, "c2", NULL);
	pid_t one = world_spawn_in(w, s.ctr), two = world_spawn_in(w, second);
	uint64_t charges = 0, now;

	for (int i = 0; i < 12; i++) {
		CHECK_INT(w->ops->alloc(w, one, MIB), 0);
		CHECK_INT(w->ops->alloc(w, two, (uint64_t)(1 + i % 3) * MIB), 0);
		agrees(s.ctr);
		agrees(second);
		agrees(s.pod);
		now = world_stat(s.ctr, CGFS_STAT_CHARGE_COUNT);
		CHECK(now > charges);
		charges = now;
	}
	CHECK(world_stat(s.pod, CGFS_STAT_CHARGE_COUNT) >=
	      world_stat(s.ctr, CGFS_STAT_CHARGE_COUNT) +
		      world_stat(second, CGFS_STAT_CHARGE_COUNT));
	CHECK(world_stat(s.pod, CGFS_STAT_CHARGE_PEAK) >= 24 * MIB);
	CHECK_INT(world_stat(s.pod, CGFS_STAT_CHARGE_FAILED), 0);
	CHECK_INT(world_stat(s.pod, CGFS_STAT_CHARGE_RECLAIMS), 0);
	/* What falls is seen with the next charge; the peak stays. */
	for (int i = 0; i < 10; i++)
		w->ops->release(w, one, MIB);
	CHECK_INT(w->ops->alloc(w, one, MIB), 0);
	agrees(s.ctr);
	agrees(s.pod);
}

/* Takes memory in small pieces until it has 8 MiB, and then waits. */
static int grow(void *arg)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 8 * MIB;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	for (size_t at = 0; at < size; at += page)
		p[at] = 1;
	return 0;
}

WORLD_TEST(charge_agrees_under_load)
{
	struct scene s = begin(w);
	pid_t pid[6];

	for (size_t i = 0; i < ARRAY_SIZE(pid); i++)
		pid[i] = extra_spawn(s.ctr, grow, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(pid); i++)
		CHECK_INT(extra_wait(pid[i]), 0);
	near("peak", world_stat(s.ctr, CGFS_STAT_CHARGE_PEAK),
	     world_stat(s.ctr, CGFS_STAT_MEMORY_PEAK));
	near("the pod's peak", world_stat(s.pod, CGFS_STAT_CHARGE_PEAK),
	     world_stat(s.pod, CGFS_STAT_MEMORY_PEAK));
	CHECK(world_stat(s.ctr, CGFS_STAT_CHARGE_PEAK) >= 8 * MIB);
}

/* The kernel prints a page of text for each. */
static int refusals(void)
{
	return world_thorough() ? 4 : 2;
}

/* Writes more than the limit to memory, in a process that the OOM killer must
 * leave: so the kernel has nothing but to refuse, again and again.  0: it did. */
static int overdraw(void *arg)
{
	static char block[64 * KIB] = { 1 };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), refused = 0;
	uint64_t n;

	if (fd < 0 || write(fd, "-1000", 5) != 5)
		return 2;
	close(fd);
	fd = memfd_create("overdraw", MFD_CLOEXEC);
	/* With no room and no process to kill, the kernel would try a fault in its own pages for
	 * ever.
	 */
	if (mlockall(MCL_CURRENT) < 0)
		return 3;
	for (n = 0; n < 128 * MIB && refused < refusals(); n += sizeof(block)) {
		if (write(fd, block, sizeof(block)) >= 0)
			continue;
		if (errno != ENOMEM)
			break;
		refused++;
	}
	close(fd);
	return refused == refusals() ? 0 : 1;
}

/* The level whose limit it was is distinguished from the levels above it. */
static void refused_at(struct world *w, bool pods)
{
	struct cgfs_resources res = extra_memory(16 * MIB);
	struct scene s = begin_with(w, pods ? &res : NULL, pods ? NULL : &res);
	struct cgfs_group *at = pods ? s.pod : s.ctr, *other = pods ? s.ctr : s.pod;

	if (world_v2(w, CGFS_MEMORY) && world_has_file(w, CGFS_MEMORY, at, "memory.swap.max"))
		CHECK_INT(extra_put(w, CGFS_MEMORY, cgfs_group_path(at), "memory.swap.max", "0"),
			  0);
	CHECK_INT(extra_wait(extra_spawn(s.ctr, overdraw, NULL)), 0);
	/* Each of them, although there may be room again by the time that the kernel returns. */
	CHECK(world_stat(at, CGFS_STAT_CHARGE_FAILED) >= (uint64_t)refusals());
	CHECK_INT(world_stat(at, CGFS_STAT_CHARGE_FAILED_HERE),
		  world_stat(at, CGFS_STAT_CHARGE_FAILED));
	CHECK(world_stat(other, CGFS_STAT_CHARGE_FAILED) > 0);
	CHECK_INT(world_stat(other, CGFS_STAT_CHARGE_FAILED_HERE), 0);
	CHECK(world_stat(at, CGFS_STAT_CHARGE_RECLAIMS) > 0);
	CHECK(world_stat(s.ctr, CGFS_STAT_CHARGE_RECLAIMS) > 0);
	if (world_v2(w, CGFS_MEMORY))
		CHECK_INT(world_stat(at, CGFS_STAT_CHARGE_RECLAIMS),
			  world_stat(at, CGFS_STAT_MEMORY_EVENTS_MAX));
	CHECK(world_stat(at, CGFS_STAT_CHARGE_PEAK) <= 16 * MIB);
	CHECK(world_stat(at, CGFS_STAT_CHARGE_PEAK) + batch() >= 16 * MIB);
}

WORLD_TEST(charge_refused_by_the_container)
{
	refused_at(w, false);
}

WORLD_TEST(charge_refused_by_the_pod)
{
	refused_at(w, true);
}

/* What a cgroup below a container charges is the container's. */
WORLD_TEST(charge_below_a_container)
{
	struct scene s = begin(w);
	pid_t pid = world_spawn_in(w, s.ctr);
	char path[512];

	extra_nest(w, s.ctr, "a");
	extra_nest(w, s.ctr, "a/b");
	extra_enter(w, s.ctr, "a/b", pid);
	if (world_v2(w, CGFS_MEMORY)) {
		snprintf(path, sizeof(path), "%s/a", cgfs_group_path(s.ctr));
		CHECK_INT(extra_put(w, CGFS_MEMORY, cgfs_group_path(s.ctr),
				    "cgroup.subtree_control", "+memory"),
			  0);
		CHECK_INT(extra_put(w, CGFS_MEMORY, path, "cgroup.subtree_control", "+memory"), 0);
	}
	CHECK_INT(w->ops->alloc(w, pid, 8 * MIB), 0);
	CHECK(world_stat(s.ctr, CGFS_STAT_CHARGE_PEAK) >= 8 * MIB);
	agrees(s.ctr);
	agrees(s.pod);
	w->ops->exit(w, pid);
}

/* Counters are the kernel's: the process that made the pod may end, and so may containers. */
WORLD_TEST(charge_outlives_process_and_container)
{
	struct scene s = begin(w);
	struct cgfs_group *again;
	uint64_t peak, count;

	CHECK_INT(w->ops->alloc(w, world_spawn_in(w, s.ctr), 8 * MIB), 0);
	peak = world_stat(s.ctr, CGFS_STAT_CHARGE_PEAK);
	count = world_stat(s.ctr, CGFS_STAT_CHARGE_COUNT);
	world_restart(w);
	s.c = world_context(w, WORLD_MEMORY);
	OK(cgfs_pod_open(s.c, "web", &s.pod, &err));
	world_track(w, s.pod);
	OK(cgfs_container_open(s.c, s.pod, "c1", &again, &err));
	world_track(w, again);
	CHECK(world_stat(again, CGFS_STAT_CHARGE_PEAK) >= peak);
	CHECK(world_stat(again, CGFS_STAT_CHARGE_COUNT) >= count);
	agrees(again);
	world_destroy(w, again);
	CHECK(world_stat(s.pod, CGFS_STAT_CHARGE_PEAK) >= peak);
	CHECK(world_stat(s.pod, CGFS_STAT_CHARGE_COUNT) >= count);
}

/* -- thresholds ------------------------------------------------------------------------------ */

static const struct cgfs_memory_line lines[] = {
	{ 24 * MIB, 8 * MIB },
	{ 8 * MIB, 4 * MIB },
	{ 16 * MIB, 4 * MIB },
};

static void hold(struct world *w, pid_t pid, unsigned int *held, unsigned int mib)
{
	for (; *held < mib; ++*held)
		CHECK_INT(w->ops->alloc(w, pid, MIB), 0);
	for (; *held > mib; --*held)
		w->ops->release(w, pid, MIB);
}

/* The next event is of this threshold; the record is there before the charge returns.  @pid 0: it
 * was above when the watch began. */
static void crossed(struct world *w, struct scene *s, const struct cgfs_group *g, uint64_t bytes,
		    pid_t pid)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;

	OK(cgfs_event_read(s->c, &ev, &err) == 1 ? 0 : -ENODATA);
	CHECK_STR(cgfs_event_name(ev.type), "memory_threshold");
	CHECK_STR(ev.pod, "web");
	CHECK_STR(ev.container, cgfs_group_is_pod(g) ? "" : cgfs_group_id(g));
	CHECK_INT(ev.cgroup_id, cgfs_group_cgroup_id(g));
	CHECK_INT(ev.threshold, bytes);
	CHECK_MSG(ev.value >= bytes && (!pid || ev.value <= bytes + STEP + batch()), "at %llu",
		  (unsigned long long)ev.value);
	CHECK(ev.time_ns != 0);
	if (pid) {
		CHECK_INT(ev.pid, pid);
		CHECK_STR(ev.comm, w->ops->comm(w, pid));
	}
}

static void quiet(struct scene *s)
{
	struct cgfs_event ev = CGFS_EVENT_INIT;

	CHECK_MSG(cgfs_event_read(s->c, &ev, NULL) == 0, "%s of %llu at %llu",
		  cgfs_event_name(ev.type), (unsigned long long)ev.threshold,
		  (unsigned long long)ev.value);
}

WORLD_TEST(charge_thresholds)
{
	struct scene s = begin(w);
	pid_t pid = world_spawn_in(w, s.ctr);
	unsigned int held = 0;

	OK(cgfs_group_watch_memory_lines(s.ctr, lines, ARRAY_SIZE(lines), &err));
	hold(w, pid, &held, 5);
	quiet(&s);
	hold(w, pid, &held, 11);
	crossed(w, &s, s.ctr, 8 * MIB, pid);
	quiet(&s);
	hold(w, pid, &held, 30);
	crossed(w, &s, s.ctr, 16 * MIB, pid);
	crossed(w, &s, s.ctr, 24 * MIB, pid);
	hold(w, pid, &held, 34);
	quiet(&s);
	/* Down by less than the hysteresis of the highest, but not of the one in the middle. */
	hold(w, pid, &held, 18);
	hold(w, pid, &held, 30);
	quiet(&s);
	hold(w, pid, &held, 9);
	hold(w, pid, &held, 30);
	crossed(w, &s, s.ctr, 16 * MIB, pid);
	crossed(w, &s, s.ctr, 24 * MIB, pid);
	quiet(&s);
	if (world_v2(w, CGFS_MEMORY))
		CHECK_STR(world_cat(w, CGFS_MEMORY, s.ctr, "memory.high"), "max");
	OK(cgfs_group_watch_memory(s.ctr, 0, 0, &err));
	hold(w, pid, &held, 1);
	hold(w, pid, &held, 30);
	quiet(&s);
}

WORLD_TEST(charge_thresholds_of_pod_and_container)
{
	struct scene s = begin(w);
	pid_t pid = world_spawn_in(w, s.ctr);
	unsigned int held = 0;

	OK(cgfs_group_watch_memory(s.pod, 12 * MIB, MIB, &err));
	OK(cgfs_group_watch_memory(s.ctr, 18 * MIB, MIB, &err));
	hold(w, pid, &held, 15);
	crossed(w, &s, s.pod, 12 * MIB, pid);
	quiet(&s);
	hold(w, pid, &held, 22);
	crossed(w, &s, s.ctr, 18 * MIB, pid);
	quiet(&s);
}

WORLD_TEST(charge_thresholds_above_already)
{
	struct scene s = begin(w);
	pid_t pid = world_spawn_in(w, s.ctr);
	unsigned int held = 0;

	hold(w, pid, &held, 20);
	OK(cgfs_group_watch_memory_lines(s.ctr, lines, ARRAY_SIZE(lines), &err));
	/* In the order of the list, from the library. */
	for (size_t i = 1; i < ARRAY_SIZE(lines); i++) {
		struct cgfs_event ev = CGFS_EVENT_INIT;

		CHECK_INT(cgfs_event_read(s.c, &ev, NULL), 1);
		CHECK_INT(ev.threshold, lines[i].bytes);
		CHECK(ev.value >= 20 * MIB);
	}
	quiet(&s);
	/* What stays in the list was reported already. */
	OK(cgfs_group_watch_memory_lines(s.ctr, lines, ARRAY_SIZE(lines), &err));
	hold(w, pid, &held, 21);
	quiet(&s);
	hold(w, pid, &held, 28);
	crossed(w, &s, s.ctr, 24 * MIB, pid);
	/* A new list that has it no more, and then again: it is news. */
	OK(cgfs_group_watch_memory_lines(s.ctr, &lines[1], 2, &err));
	OK(cgfs_group_watch_memory_lines(s.ctr, lines, ARRAY_SIZE(lines), &err));
	crossed(w, &s, s.ctr, 24 * MIB, 0);
	quiet(&s);
}

WORLD_TEST(charge_thresholds_refused)
{
	struct scene s = begin(w);
	struct cgfs_memory_line many[17], twice[] = { { MIB, 0 }, { MIB, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct cgfs_memory_line){ (i + 1) * 64 * MIB, 0 };
	OK(cgfs_group_watch_memory_lines(s.ctr, many, 16, &err));
	CHECK_HAS(REFUSED(cgfs_group_watch_memory_lines(s.ctr, many, 17, &err), -E2BIG), "16");
	CHECK_HAS(REFUSED(cgfs_group_watch_memory_lines(s.ctr, twice, 2, &err), -EINVAL), "twice");
	many[0].bytes = 0;
	CHECK_HAS(REFUSED(cgfs_group_watch_memory_lines(s.ctr, many, 1, &err), -EINVAL), "0 bytes");
	many[0] = (struct cgfs_memory_line){ MIB, MIB };
	CHECK_HAS(REFUSED(cgfs_group_watch_memory_lines(s.ctr, many, 1, &err), -EINVAL), "below");
	quiet(&s);
}

/* -- the end --------------------------------------------------------------------------------- */

static size_t elements(struct world *w, const char *pin)
{
	size_t n = 0;
#if CGFS_WITH_BPF
	unsigned char key[64], next[64];
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->pin_dir, pin);
	fd = bpf_obj_get(path);
	CHECK_MSG(fd >= 0, "%s: %s", path, strerror(errno));
	while (bpf_map_get_next_key(fd, n ? key : NULL, next) == 0) {
		memcpy(key, next, sizeof(key));
		n++;
	}
	close(fd);
#else
#endif
	return n;
}

static int grow_for_ever(void *arg)
{
	for (;;)
		if (grow(arg))
			return 1;
}

/* Groups that go while their processes charge leave nothing, and no other group's figures change.
 */
WORLD_TEST(charge_removed_while_it_charges)
{
	static const char *const maps[] = { "memory_ids", "memcg", "memory", "crossed" };
	int rounds = world_thorough() ? 20 : 5;
	struct scene s = begin(w);
	pid_t pid[2];

	world_destroy(w, s.ctr);
	for (int i = 0; i < rounds; i++) {
		struct cgfs_group *ctr = world_container(w, s.pod, s.c, "c1", NULL);

		OK(cgfs_group_watch_memory(ctr, 2 * MIB, MIB, &err));
		for (size_t j = 0; j < ARRAY_SIZE(pid); j++)
			pid[j] = extra_spawn(ctr, grow_for_ever, NULL);
		while (world_stat(ctr, CGFS_STAT_CHARGE_PEAK) < 3 * MIB)
			world_sleep_ms(1);
		world_destroy(w, ctr);
		for (size_t j = 0; j < ARRAY_SIZE(pid); j++)
			extra_wait(pid[j]);
	}
	for (size_t i = 0; i < 3; i++)
		CHECK_INT(elements(w, maps[i]), 1);
	CHECK(world_stat(s.pod, CGFS_STAT_CHARGE_PEAK) >= 3 * MIB);
	world_destroy(w, s.pod);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		CHECK_INT(elements(w, maps[i]), 0);
}
