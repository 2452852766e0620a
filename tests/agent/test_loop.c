/* SPDX-License-Identifier: MIT */
/*
 * test_loop.c - the loop: timers, the ends of children, and whose turn it is.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/loop.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"
#include "tests/check.h"
#include "tests/tap.h"

struct ticks;

struct tick {
	struct ticks *all;
	struct loop_timer timer;
};

struct ticks {
	struct loop *l;
	struct tick t[40];
	uint64_t last_ms;
	size_t n;
};

static void tick(void *ctx)
{
	struct tick *t = ctx;

	CHECK(t->timer.at_ms >= t->all->last_ms);
	t->all->last_ms = t->timer.at_ms;
	t->all->n++;
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

TAP_TEST(timers_fire_once_and_in_order)
{
	struct ticks k = { 0 };
	struct loop_timer end = { 0 };

	CHECK_INT(loop_new(&k.l), 0);
	for (size_t i = 0; i < ARRAY_SIZE(k.t); i++) {
		struct tick *t = &k.t[i];

		t->all = &k;
		t->timer = (struct loop_timer){ .fn = tick, .ctx = t };
		CHECK_INT(loop_timer_set(k.l, &t->timer, i * 7 % 40), 0);
	}
	/* Half of them taken back, twice. */
	for (size_t i = 0; i < ARRAY_SIZE(k.t); i += 2) {
		loop_timer_clear(k.l, &k.t[i].timer);
		loop_timer_clear(k.l, &k.t[i].timer);
	}
	end = (struct loop_timer){ .fn = stop, .ctx = k.l };
	CHECK_INT(loop_timer_set(k.l, &end, 60), 0);
	CHECK_INT(loop_run(k.l), 0);
	CHECK_INT(k.n, ARRAY_SIZE(k.t) / 2);
	for (size_t i = 0; i < ARRAY_SIZE(k.t); i++)
		CHECK_INT(k.t[i].timer.index, 0);
	loop_free(k.l);
}

struct ended {
	struct loop *l;
	int status;
};

static void on_end(void *ctx, int status)
{
	struct ended *e = ctx;

	e->status = status;
	loop_stop(e->l);
}

TAP_TEST(orphan_that_ended_before_it_was_known_is_found)
{
	struct ended e = { 0 };
	struct loop_child child = { .fn = on_end, .ctx = &e }, late = { .fn = on_end, .ctx = &e };
	int pipefd[2], status = -1;
	pid_t pid, orphan = 0;

	CHECK_INT(loop_new(&e.l), 0);
	CHECK_INT(pipe(pipefd), 0);
	loop_orphans_keep(e.l, 1);
	/* A child leaves a grandchild behind, as an OCI runtime does. */
	pid = fork();
	if (pid == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0)
			_exit(9);
		(void)!write(pipefd[1], &grandchild, sizeof(grandchild));
		/* Until it has ended, without reaping it. */
		siginfo_t si;
		waitid(P_PID, (id_t)grandchild, &si, WEXITED | WNOWAIT);
		_exit(3);
	}
	CHECK_INT(read(pipefd[0], &orphan, sizeof(orphan)), sizeof(orphan));
	CHECK(!loop_child_watch(e.l, &child, pid, &status));
	CHECK_INT(loop_run(e.l), 0);
	CHECK_INT(WEXITSTATUS(e.status), 3);
	if (loop_child_watch(e.l, &late, orphan, &status)) {
		CHECK_INT(WEXITSTATUS(status), 9);
	} else {
		CHECK_INT(loop_run(e.l), 0);
		CHECK_INT(WEXITSTATUS(e.status), 9);
	}
	loop_orphans_keep(e.l, -1);
	loop_free(e.l);
	close(pipefd[0]);
	close(pipefd[1]);
}

struct ends {
	struct loop *l;
	struct loop_child child[32];
	int ended, before_other, pipe[2];
};

/* The end of a container takes milliseconds. */
static void on_slow_end(void *ctx, int status)
{
	struct ends *e = ctx;
	uint64_t until = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 5000000;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < until)
		;
	if (++e->ended == (int)ARRAY_SIZE(e->child))
		loop_stop(e->l);
}

static void on_other(void *ctx, uint32_t events)
{
	struct ends *e = ctx;
	char byte;

	CHECK_INT(read(e->pipe[0], &byte, 1), 1);
	e->before_other = e->ended;
}

/* A pod of 150 containers ends at once: other connections were served after 64 of them. */
TAP_TEST(others_have_their_turn_between_the_ends_of_children)
{
	struct ends e = { .before_other = -1 };
	struct loop_fd other = { .fn = on_other, .ctx = &e };
	siginfo_t si;

	CHECK_INT(loop_new(&e.l), 0);
	for (size_t i = 0; i < ARRAY_SIZE(e.child); i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(0);
		CHECK(pid > 0);
		e.child[i] = (struct loop_child){ .fn = on_slow_end, .ctx = &e };
		CHECK(!loop_child_watch(e.l, &e.child[i], pid, &status));
		CHECK_INT(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	}
	/* Ready after the signal, so that its turn comes after the first one of the children. */
	CHECK_INT(pipe(e.pipe), 0);
	other.fd = e.pipe[0];
	CHECK_INT(loop_set(e.l, &other, EPOLLIN), 0);
	CHECK_INT(write(e.pipe[1], "", 1), 1);
	CHECK_INT(loop_run(e.l), 0);
	CHECK_INT(e.ended, ARRAY_SIZE(e.child));
	CHECK_MSG(e.before_other >= 0 && e.before_other <= 2, "the other one came after %d ends",
		  e.before_other);
	loop_free(e.l);
	close(e.pipe[0]);
	close(e.pipe[1]);
}
