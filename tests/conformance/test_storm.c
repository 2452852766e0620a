// SPDX-License-Identifier: MIT
/*
 * test_storm.c - many short-lived containers, each killed for want of memory and destroyed at
 * once: one event each, with the right pod and container.
 *
 * CGFS_TEST_STORM says how many; 200 when it does not.
 */
#include "extra.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORM_MAX 10000
#define BATCH	  20
#define PODS	  4

static size_t storm_size(void)
{
	const char *text = getenv("CGFS_TEST_STORM");
	size_t n = text ? strtoul(text, NULL, 10) : 200;

	CHECK(n >= BATCH && n <= STORM_MAX);
	return n / BATCH * BATCH;
}

/* Waits for the word, so that all of a batch die at about the same moment. */
static int eat(void *arg)
{
	const int *go = arg;
	char *p = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char byte;

	alarm(110);
	close(go[1]);
	if (p == MAP_FAILED || read(go[0], &byte, 1) != 0)
		return 3;
	for (size_t round = 0; round < 2; round++) {
		for (size_t at = 0; at < 16 * MIB; at += 4096)
			p[at] = 1;
	}
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
	struct cgfs_resources res = extra_memory(4 * MIB);

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

/* Destroyed the moment that it is dead; nobody has read an event meanwhile. */
static void finish(struct storm *s)
{
	for (size_t i = 0; i < BATCH; i++) {
		if (s->w->kind->live) {
			int status = extra_wait(s->pid[i]);

			CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
				  "the process of %s ended with %d", cgfs_group_path(s->ctr[i]),
				  status);
		} else {
			CHECK_INT(s->w->ops->alloc(s->w, s->pid[i], 16 * MIB), -ENOMEM);
		}
		OK(cgfs_group_destroy(s->ctr[i], PATIENCE_MS, &err));
		cgfs_group_close(s->ctr[i]);
	}
}

static void hear(struct storm *s, size_t first)
{
	for (size_t i = 0; i < BATCH; i++) {
		struct cgfs_event ev;
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
	size_t n = storm_size();

	s.w = w;
	s.c = w->kind->live ? extra_context(w, policy) : world_context(w, policy);
	world_need(w, CGFS_MEMORY);
	for (size_t i = 0; i < PODS; i++) {
		char id[16];

		snprintf(id, sizeof(id), "pod%zu", i);
		s.pod[i] = world_pod(w, s.c, id, NULL);
	}
	for (size_t first = 0; first < n; first += BATCH) {
		int go[2];

		CHECK(pipe2(go, O_CLOEXEC) == 0);
		start(&s, first, go);
		close(go[1]);
		close(go[0]);
		finish(&s);
		hear(&s, first);
	}
	CHECK_INT(world_count_events(w, s.c, CGFS_EVENT_OOM_KILL), 0);
	world_check_groups(w, PODS);
}

static void by_policy(struct world *w)
{
	storm(w, WORLD_POLICY);
}

static void by_control_files(struct world *w)
{
	storm(w, WORLD_FILES);
}

const struct world_test storm_tests[] = {
	{ "storm_by_policy", by_policy },
	{ "storm_by_control_files", by_control_files },
	{ NULL, NULL },
};
