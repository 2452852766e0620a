/* SPDX-License-Identifier: MIT */
/*
 * test_device_random.c - random lists for a pod and its containers, against the evaluator that
 * reads rules one by one: what may be opened or made after each step, in the containers and in
 * cgroups that one has made in itself.  STEPS and SEED are taken from the environment.
 */
#include "device.h"
#include "extra.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static uint32_t random_below(uint32_t *seed, uint32_t n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % n;
}

#define ALLS CGFS_DEVICE_ALL, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY

/* What a group was given, by the naive reading of it. */
struct given {
	struct cgfs_device_rule list[6];
	size_t n;
	bool own;
};

static void random_given(uint32_t *seed, struct given *g)
{
	static const int minors[] = { NUL, ZERO, FULL, KMSG, CGFS_DEVICE_ANY };
	*g = (struct given){ .own = true };
	if (random_below(seed, 2))
		g->list[g->n++] = (struct cgfs_device_rule){ ALLS, RWM, true };
	for (size_t more = random_below(seed, 5); more; more--) {
		enum cgfs_device_type type =
			random_below(seed, 4) ? CGFS_DEVICE_CHAR : CGFS_DEVICE_BLOCK;
		int major = random_below(seed, 3) ? 1 : CGFS_DEVICE_ANY;
		g->list[g->n++] =
			(struct cgfs_device_rule){ type, major, minors[random_below(seed, 5)],
						   1 + random_below(seed, 7),
						   random_below(seed, 2) > 0 };
	}
}

static uint32_t says(const struct given *g, int minor, uint32_t access)
{
	return g->own ? cgfs_device_check(g->list, g->n, CGFS_DEVICE_CHAR, 1, minor, access)
		      : access;
}

struct run {
	enum world_policy policy;
	bool nest;
	pid_t pid[4]; /* in "a", in "b", and with @nest in a cgroup that "a" has made in itself */
	size_t asked, kept;
};

/* On v1 a container that has made cgroups, and these, may keep a denial that the kernel does not
 * give back as long as they are there; what is denied is never granted. */
static void check_verdicts(struct world *w, const struct given *given, struct run *run)
{
	static const int minors[] = { NUL, ZERO, FULL, URANDOM };
	static const uint32_t bits[] = { R, W, RW, CGFS_ACCESS_MKNOD };

	for (int k = 1; k <= (run->nest ? 3 : 2); k++)
		for (size_t i = 0; i < sizeof(minors) / sizeof(minors[0]); i++)
			for (size_t b = 0; b < sizeof(bits) / sizeof(bits[0]); b++) {
				const struct given *own = &given[k == 3 ? 1 : k];
				bool want = says(&given[0], minors[i], bits[b]) == bits[b] &&
					    says(own, minors[i], bits[b]) == bits[b];
				int got = mem(w, run->pid[k], minors[i], bits[b]);

				run->asked++;
				if (want && got == -EPERM && run->nest && k != 2 &&
				    world_version(w, CGFS_DEVICES) == CGFS_V1)
					run->kept++;
				else
					CHECK_MSG(got == (want ? 0 : -EPERM),
						  "process %d, c 1:%d, access %u: %d, not %d", k,
						  minors[i], bits[b], got, want ? 0 : -EPERM);
			}
}

static struct cgfs_group *again(struct world *w, struct cgfs *c, int which)
{
	struct cgfs_group *pod, *ctr;
	OK(cgfs_pod_open(c, "web", &pod, &err));
	world_track(w, pod);
	if (!which)
		return pod;
	OK(cgfs_container_open(c, pod, which == 1 ? "a" : "b", &ctr, &err));
	return world_track(w, ctr);
}

static void need_enforced(struct world *w, struct cgfs *c, enum world_policy policy)
{
	if (policy == WORLD_FILES && world_version(w, CGFS_DEVICES) != CGFS_V1)
		world_skip(w, "control files enforce no device rules here");
	world_need_devices(w, c);
}

/* One update; 0, or the error. */
static int update(struct world *w, struct cgfs *c, int which, const struct given *next)
{
	struct cgfs_resources res = rules(next->list, next->n);
	struct cgfs_err e = { 0 };
	int r = cgfs_group_set(again(w, c, which), &res, NULL, &e);

	CHECK_MSG(r == 0 || r == -EOPNOTSUPP, "%s", e.text);
	return r;
}

/* The same by a process that has never seen any of it. */
static int update_elsewhere(struct world *w, enum world_policy policy, int which,
			    const struct given *next)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		int r = update(w, world_context(w, policy), which, next);

		world_restart(w); /* a cgroup2 tree that it mounted goes with its context */
		_exit(r == 0 ? 0 : 2);
	}
	status = extra_wait(pid);
	CHECK_MSG(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2),
		  "the other process ended with 0x%x", status);
	return WEXITSTATUS(status) == 0 ? 0 : -EOPNOTSUPP;
}

/* Each step in a context that knows nothing of the one before, in a process of its own, or in the
 * same context. */
static void random_updates(struct world *w, enum world_policy policy, bool nest)
{
	struct run run = { .policy = policy, .nest = nest };
	const char *text = getenv("STEPS"), *from = getenv("SEED");
	int steps = text ? atoi(text) : 200, restarts = 0, refused = 0, elsewhere = 0, r;
	uint32_t start = from ? (uint32_t)atoi(from) : 20, seed = start;
	struct given given[3] = { 0 }, next;
	struct cgfs_device_rule all = { ALLS, RWM, true };
	struct cgfs_resources res = rules(&all, 1);
	struct cgfs *c = world_context(w, policy);
	static char where[64];
	struct cgfs_group *a;

	need_enforced(w, c, policy);
	given[0] = (struct given){ .list = { all }, .n = 1, .own = true };
	world_pod(w, c, "web", &res);
	a = world_container(w, w->groups[0], c, "a", NULL);
	run.pid[1] = world_spawn_in(w, a);
	run.pid[2] = world_spawn_in(w, world_container(w, w->groups[0], c, "b", NULL));
	if (nest) {
		run.pid[3] = world_spawn_in(w, a);
		extra_nest(w, a, "in");
		extra_nest(w, a, "in/deep");
		extra_enter(w, a, "in/deep", run.pid[3]);
	}
	for (int step = 0; step < steps; step++) {
		int which = (int)random_below(&seed, 3);
		bool other = w->kind->live && random_below(&seed, 16) == 0;

		snprintf(where, sizeof(where), "SEED=%u, step %d", start, step);
		check_where = where;
		while (w->n_groups && random_below(&seed, 2))
			world_close_group(w, w->groups[w->n_groups - 1]);
		if (other || random_below(&seed, 8) == 0 || w->n_groups > 40) {
			world_restart(w);
			c = other ? NULL : world_context(w, policy);
			restarts++;
		}
		random_given(&seed, &next);
		if (other) {
			r = update_elsewhere(w, policy, which, &next);
			c = world_context(w, policy);
			elsewhere++;
		} else {
			r = update(w, c, which, &next);
		}
		if (r == 0)
			given[which] = next;
		else
			refused++;
		check_verdicts(w, given, &run);
	}
	check_where = NULL;
	world_note(w,
		   "SEED=%u: %d steps, %d restarts, %d by other processes, %d refused, "
		   "%zu verdicts, 0 wrong, %zu denials kept by v1",
		   start, steps, restarts, elsewhere, refused, run.asked, run.kept);
	world_restart(w);
	c = world_context(w, policy);
	again(w, c, 1);
	again(w, c, 2);
}

WORLD_TEST(device_random_updates)
{
	random_updates(w, WORLD_POLICY, false);
}

WORLD_TEST(device_random_updates_by_files)
{
	random_updates(w, WORLD_FILES, false);
}

WORLD_TEST(device_random_nested)
{
	random_updates(w, WORLD_POLICY, true);
}

WORLD_TEST(device_random_nested_by_files)
{
	random_updates(w, WORLD_FILES, true);
}

/* The pod's list goes to and fro by a process that has only the pod open. */
WORLD_TEST(device_own_list_survives_by_files)
{
	const struct cgfs_device_rule list[] = { allow(NUL, RWM), allow(ZERO, RWM) };
	struct cgfs_resources res = rules(list, 1);
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod;
	pid_t pa, pb;

	need_enforced(w, c, WORLD_FILES);
	pod = world_pod(w, c, "web", &res);
	pa = world_spawn_in(w, world_container(w, pod, c, "a", &res)); /* the same as its pod's */
	res = rules(list, 2);
	pb = world_spawn_in(w, world_container(w, pod, c, "b", &res)); /* wider */
	world_restart(w);
	c = world_context(w, WORLD_FILES);
	pod = again(w, c, 0);
	set(pod, NULL, 0);
	CHECK_INT(mem(w, pa, NUL, R), -EPERM);
	set(pod, list, 2);
	CHECK_INT(mem(w, pa, NUL, R), 0);
	CHECK_INT(mem(w, pa, ZERO, R), -EPERM);
	CHECK_INT(mem(w, pb, ZERO, R), 0);
	again(w, c, 1);
	again(w, c, 2);
}

struct asking {
	volatile unsigned long asked, granted;
	volatile int stop;
};

/* Asks for what both lists deny, for as long as they change. */
static int ask(void *arg)
{
	struct asking *q = arg;

	while (!q->stop) {
		int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

		q->asked++;
		q->granted += fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

/* The default of v1 flips to and fro while a process asks.  v1 has no write that does it at one
 * instant; the process is stopped until the denials are there. */
WORLD_TEST(device_flips_grant_nothing_by_files)
{
	const struct cgfs_device_rule closed[] = { allow(NUL, RWM) };
	const struct cgfs_device_rule opened[] = {
		{ ALLS, RWM, true },
		{ CGFS_DEVICE_CHAR, 1, URANDOM, RWM, false },
	};
	struct cgfs *c = extra_context(w, WORLD_FILES);
	struct cgfs_device_rule all = { ALLS, RWM, true };
	struct cgfs_resources res = rules(&all, 1);
	struct cgfs_group *ctr;
	struct asking *q;
	int flips = world_thorough() ? 1000 : 100;
	int made = 0;
	pid_t pid;

	need_enforced(w, c, WORLD_FILES);
	q = mmap(NULL, sizeof(*q), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(q != MAP_FAILED);
	ctr = world_container(w, world_pod(w, c, "web", &res), c, "c1", NULL);
	set(ctr, closed, 1);
	pid = extra_spawn(ctr, ask, q);
	for (int i = 0; i < flips; i++) {
		struct cgfs_resources wide = rules(opened, 2);
		int r = cgfs_group_set(ctr, &wide, NULL, NULL);

		/* Not frozen in time on a slow machine, which is an answer. */
		CHECK_MSG(r == 0 || r == -EBUSY, "%d", r);
		made += r == 0;
		set(ctr, closed, 1);
	}
	q->stop = 1;
	CHECK_INT(extra_wait(pid), 0);
	world_note(w, "%d flips to and fro: %lu of %lu denied questions were granted", made,
		   q->granted, q->asked);
	CHECK_MSG(made > flips / 2, "%d of %d flips were refused", flips - made, flips);
	CHECK(q->asked > 0);
	CHECK_INT(q->granted, 0);
	munmap(q, sizeof(*q));
}
