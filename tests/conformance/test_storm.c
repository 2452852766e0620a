// SPDX-License-Identifier: MIT
/*
 * test_storm.c - many short-lived containers, each killed for want of memory and destroyed at
 * once: one event each, with the right pod and container.
 *
 * CGFS_TEST_STORM sets how many: "by policy,by control files"; 200 of each without it, 60 in
 * a guest.
 */
#include "extra.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STORM_MAX 10000
#define BATCH	  20
#define PODS	  4

/* Small, for the sake of emulated processors. */
#define LIMIT (MIB / 2)
#define MEAL  MIB

static size_t storm_size(enum world_policy policy)
{
	const char *text = getenv("CGFS_TEST_STORM");
	size_t n;

	if (text && policy == WORLD_FILES)
		text = strchr(text, ',') ? strchr(text, ',') + 1 : text;
	n = text ? strtoul(text, NULL, 10) : getenv("CGFS_TEST_GUEST") ? 60 : 200;

	CHECK(n >= BATCH && n <= STORM_MAX);
	return n / BATCH * BATCH;
}

/* Waits for the word, so that all of a batch die at about the same moment. */
static int eat(void *arg)
{
	const int *go = arg;
	char *p = mmap(NULL, MEAL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char byte;

	alarm(1100);
	close(go[1]);
	if (p == MAP_FAILED || read(go[0], &byte, 1) != 0)
		return 3;
	/* All of it at once, and locked: swap would only put it off. */
	mlock(p, MEAL);
	return 4; /* it should not have got here */
}

struct storm {
	struct world *w;
	struct cgfs *c;
	struct cgfs_group *pod[PODS], *ctr[BATCH];
	pid_t pid[BATCH];
	unsigned char seen[STORM_MAX];
};

static void start(struct storm *s, size_t first, const int *go)
{
	struct cgfs_resources res = extra_memory(LIMIT);

	for (size_t i = 0; i < BATCH; i++) {
		char id[16];

		snprintf(id, sizeof(id), "c%zu", first + i);
		OK(cgfs_container_create(s->c, s->pod[(first + i) % PODS], id, &res, &s->ctr[i],
					 &err));
		if (s->w->kind->live) {
			s->pid[i] = extra_spawn(s->ctr[i], eat, (void *)go);
		} else {
			s->pid[i] = s->w->ops->spawn(s->w);
			OK(cgfs_group_add_pid(s->ctr[i], s->pid[i], &err));
		}
	}
}

/* Destroyed the moment that it is dead; no event was read meanwhile. */
static void finish(struct storm *s)
{
	for (size_t i = 0; i < BATCH; i++) {
		if (s->w->kind->live) {
			int status = extra_wait(s->pid[i]);

			CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
				  "the process of %s ended with %d", cgfs_group_path(s->ctr[i]),
				  status);
		} else {
			CHECK_INT(s->w->ops->alloc(s->w, s->pid[i], MEAL), -ENOMEM);
		}
		OK(cgfs_group_remove(s->ctr[i], CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
		cgfs_group_close(s->ctr[i]);
	}
}

static void read_events(struct storm *s, size_t first)
{
	for (size_t i = 0; i < BATCH; i++) {
		struct cgfs_event ev = CGFS_EVENT_INIT;
		size_t k;

		world_event(s->w, s->c, CGFS_EVENT_OOM_KILL, NULL, &ev);
		k = strtoul(ev.container + 1, NULL, 10);
		CHECK_MSG(k >= first && k < first + BATCH && ev.container[0] == 'c',
			  "an event of \"%s\" after container %zu", ev.container, first);
		CHECK_MSG(!s->seen[k], "two events of %s", ev.container);
		CHECK_MSG(strcmp(ev.pod, cgfs_group_id(s->pod[k % PODS])) == 0,
			  "%s is in pod %s, not %s", ev.container, cgfs_group_id(s->pod[k % PODS]),
			  ev.pod);
		CHECK(ev.count <= 1 || ev.pid == 0);
		s->seen[k] = 1;
	}
}

static void storm(struct world *w, enum world_policy policy)
{
	static struct storm s;
	size_t n = storm_size(policy), directories;

	s.w = w;
	/* Memory alone: the other controllers' directories are most of the time that it takes. */
	s.c = w->kind->live ? extra_context_with(w, policy, 1u << CGFS_MEMORY)
			    : world_context(w, policy);
	world_need(w, CGFS_MEMORY);
	for (size_t i = 0; i < PODS; i++) {
		char id[16];

		snprintf(id, sizeof(id), "pod%zu", i);
		s.pod[i] = world_pod(w, s.c, id, NULL);
	}
	directories = w->ops->directories(w);
	for (size_t first = 0; first < n; first += BATCH) {
		int go[2];

		CHECK(pipe2(go, O_CLOEXEC) == 0);
		start(&s, first, go);
		close(go[1]);
		close(go[0]);
		finish(&s);
		read_events(&s, first);
	}
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_OOM_KILL), 0);
	CHECK_INT(w->ops->directories(w), directories);
}

static uint64_t since(uint64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec - ns;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The victim is dead and not reaped yet, and its event is there: no waiting.  When the event came
 * only gets events. */
WORLD_TEST(storm_event_before_the_victim_is_reaped)
{
	struct cgfs *c = extra_context(w, WORLD_POLICY);
	struct cgfs_resources res = extra_memory(LIMIT);
	struct cgfs_group *ctr;
	uint64_t event_us[BATCH], dead_us[BATCH];

	world_need(w, CGFS_MEMORY);
	if (w->policy_missing[0])
		world_skip(w, "no policy: %s", w->policy_missing);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", &res);
	for (size_t i = 0; i < BATCH; i++) {
		struct pollfd p = { .fd = cgfs_event_fd(c), .events = POLLIN };
		struct cgfs_event ev = CGFS_EVENT_INIT;
		siginfo_t info;
		uint64_t heard, dead;
		int go[2];
		pid_t pid;

		CHECK(pipe2(go, O_CLOEXEC) == 0);
		pid = extra_spawn(ctr, eat, go);
		close(go[0]);
		close(go[1]);
		CHECK_INT(poll(&p, 1, PATIENCE_MS), 1);
		heard = since(0);
		CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
		dead = since(0);
		CHECK_INT(cgfs_event_read(c, &ev, NULL), 1);
		CHECK_INT(ev.type, CGFS_EVENT_OOM_KILL);
		if (!ev.pid)
			world_skip(w, "this kernel does not allow kill attribution");
		CHECK_INT(ev.pid, pid);
		event_us[i] = heard > ev.time_ns ? (heard - ev.time_ns) / 1000 : 0;
		dead_us[i] = (dead - ev.time_ns) / 1000;
		extra_wait(pid);
	}
	qsort(event_us, BATCH, sizeof(event_us[0]), by_size);
	qsort(dead_us, BATCH, sizeof(dead_us[0]), by_size);
	world_note(w, "OOM event %llu us after the kill, victim dead after %llu us (medians of %d)",
		   (unsigned long long)event_us[BATCH / 2], (unsigned long long)dead_us[BATCH / 2],
		   BATCH);
}

WORLD_TEST(storm_by_policy)
{
	storm(w, WORLD_POLICY);
}

WORLD_TEST(storm_by_control_files)
{
	storm(w, WORLD_FILES);
}
