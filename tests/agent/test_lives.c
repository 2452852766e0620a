/* SPDX-License-Identifier: MIT */
/*
 * test_lives.c - pods, containers and processes live as a random number generator has it, over
 * several connections that do not wait for each other; connections end, and the agent is killed,
 * between any two requests.  Every request is answered, every process that was waited for is
 * reported, and when all lives have ended the agent is as it was before the first.
 *
 * CGFS_LIVES_SEED chooses the lives, CGFS_LIVES_SECONDS how long there are new ones.  `make lives
 * MINUTES=10` runs them for longer than the tests do.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/model/process.h"
#include "cgfs/base/util.h"
#include "lives.h"
#include "load.h"

/* --- what happens to all -------------------------------------------------------------------------
 */

/* The answers to requests of @conn do not come any more; -1: of all. */
static void lose(int conn, bool waits_go_on)
{
	for (size_t i = 0; i < lives.n_pending;) {
		struct pending *p = &lives.pending[i];
		struct slot *s = p->life[0] && streq(p->slot->id, p->life) ? p->slot : NULL;

		if ((conn >= 0 && p->conn != conn) ||
		    (waits_go_on && p->type == MSG_WAIT_FOR_PROCESS)) {
			i++;
			continue;
		}
		if (s && s->busy == p->type && (p->type != MSG_EXECUTE_PROCESS || p->init)) {
			s->busy = 0;
			s->state = UNKNOWN;
		}
		lives.pending[i] = lives.pending[--lives.n_pending];
	}
}

static void connect_to(int conn)
{
	struct world *w = lives.w;

	if (conn == 0) {
		host_accept(w);
		lives.conn[0] = w->c;
	} else {
		lives.conn[conn] = world_connect(w, true);
	}
}

static void disconnect(int conn)
{
	client_close(lives.conn[conn]);
	lives.conn[conn] = NULL;
	if (conn == 0)
		lives.w->c = NULL;
}

/* What was sent and not read.  It comes again, or a request says what it would have said. */
static void lose_notifications(void)
{
	for (int c = 0; c < CONNS; c++) {
		for (int i = 0; i < SLOTS; i++) {
			lives.slot[c][i].late = true;
			lives.slot[c][i].stopping = false;
		}
	}
}

static void drop(int conn)
{
	lives.drops++;
	lose(conn, conn == 0);
	lose_notifications();
	disconnect(conn);
	connect_to(conn);
}

static void close_sinks(void)
{
	for (size_t i = 0; i < SINKS; i++) {
		if (lives.sink[i].fd >= 0)
			close(take_fd(&lives.sink[i].fd));
	}
}

static void kill_agent(void)
{
	struct world *w = lives.w;
	char text[HOST_TEXT_MAX];
	const char *const args[] = { "--dial", text, NULL };

	lives.kills++;
	for (int c = 0; c < CONNS; c++)
		disconnect(c);
	/* The next agent is a fork of this process, which is to inherit none of the host's ends. */
	for (size_t i = 0; i < SINKS; i++) {
		/* Nor does it matter then that Linux 7.2 keeps a vsock port in use which was
		 * closed with a connection that was not accepted. */
		if (lives.sink[i].fd < 0 || lives.sink[i].listens)
			lives.sink[i].port = 0;
		close(take_fd(&lives.sink[i].fd));
	}
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
	lose(-1, false);
	for (size_t i = 0; i < EXTERNALS; i++) {
		if (lives.external[i])
			kill(lives.external[i], SIGKILL);
		lives.external[i] = 0;
	}
	lose_notifications();
	host_name(HOST_BRIDGE, text);
	world_start_agent(w, args);
	for (size_t i = 0; i < SINKS; i++) {
		if (lives.sink[i].port)
			sink_again(&lives.sink[i]);
	}
	for (int c = 0; c < CONNS; c++)
		connect_to(c);
}

/* --- steps -------------------------------------------------------------------------------------
 */

static void live_on(int conn, struct slot *s)
{
	switch (lives_chance(12)) {
	case 0:
	case 1:
	case 2:
	case 9:
	case 10:
		lives_exec(conn, s);
		break;
	case 3:
		if (s->exec)
			lives_wait_for(conn, s, s->exec, s->code);
		break;
	case 4:
		lives_wait_for(conn, s, s->pid, 0);
		break;
	case 5:
		lives_ask_properties(conn, s);
		break;
	case 6:
		lives_constrain(conn, s);
		break;
	case 7:
		lives_signal_to(conn, s, s->exec && lives_one_in(2) ? s->exec : s->pid,
				lives_one_in(2) ? SIGKILL : SIGTERM);
		break;
	default:
		lives_end(conn, s);
	}
}

static void step(void)
{
	int conn = (int)lives_chance(CONNS), i = (int)lives_chance(SLOTS);
	struct slot *s = &lives.slot[conn][i];
	size_t e = lives_chance(EXTERNALS);

	if (lives_one_in(40))
		drop(conn);
	else if (lives_one_in(15))
		lives_external(conn);
	else if (lives_one_in(15) && lives.external[e])
		lives_signal_to(conn, NULL, lives.external[e], SIGKILL);
	else if (s->busy || s->doomed)
		lives_ask_properties(conn, s);
	else if (s->state == ABSENT)
		lives_create(conn, i);
	else if (i == 0 && lives_one_in(20))
		lives_delete_pod(conn, s);
	else if (s->plain)
		lives_ask_properties(conn, s);
	else if (s->state == CREATED && !lives_one_in(6))
		lives_start(conn, s);
	else if (s->state == RUNNING)
		live_on(conn, s);
	else
		lives_end(conn, s);
}

static bool waits_alone(void)
{
	for (size_t i = 0; i < lives.n_pending; i++) {
		if (lives.pending[i].type != MSG_WAIT_FOR_PROCESS)
			return false;
	}
	return true;
}

static void show(void)
{
	for (size_t i = 0; i < lives.n_pending; i++)
		printf("no answer: %s of \"%s\", process %d, over connection %d\n",
		       protocol_name(lives.pending[i].type), lives.pending[i].life,
		       (int)lives.pending[i].pid, lives.pending[i].conn);
	for (int c = 0; c < CONNS; c++) {
		for (int i = 0; i < SLOTS; i++) {
			const struct slot *s = &lives.slot[c][i];

			if (s->state != ABSENT)
				printf("left: \"%s\" of pod \"%s\", state %d, asked to end: %d\n",
				       s->id, s->pod, s->state, s->stopping);
		}
	}
}

/* Every request but those that wait has its answer. */
static void rest(void)
{
	double until = load_now() + WORLD_MS;
	struct client *observer;

	while (!waits_alone()) {
		lives_turn(100);
		if (load_now() > until) {
			show();
			FAIL("requests are not answered");
		}
	}
	observer = world_connect(lives.w, true);
	lives_check_tree(lives.w, observer);
	client_close(observer);
}

/* Ends what there is; true when that was nothing. */
static bool end_some(void)
{
	bool none = lives.n_pending == 0;

	for (int c = 0; c < CONNS; c++) {
		for (int i = 0; i < SLOTS; i++) {
			struct slot *s = &lives.slot[c][i];

			if (s->state != ABSENT || s->busy)
				none = false;
			if (s->state != ABSENT && !s->busy)
				lives_end(c, s);
		}
	}
	return none;
}

static void end_all(void)
{
	double until = load_now() + WORLD_MS;

	for (size_t i = 0; i < EXTERNALS; i++) {
		if (lives.external[i])
			lives_signal_to(0, NULL, lives.external[i], SIGKILL);
		lives.external[i] = 0;
	}
	for (size_t i = 0; i < SINKS; i++)
		lives.sink[i].deaf = false;
	while (!end_some()) {
		lives_turn(100);
		if (load_now() > until) {
			show();
			FAIL("the lives do not end");
		}
	}
	close_sinks();
}

static unsigned int number(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);

	return text && *text ? (unsigned int)strtoul(text, NULL, 10) : otherwise;
}

/* A sanitizer keeps what was freed. */
#ifdef __SANITIZE_ADDRESS__
#define MORE_KIB 524288
#else
#define MORE_KIB 1024
#endif

/* Ends all lives; what is left then is what was left the first time. */
static void check_idle(struct idle *first, unsigned int round)
{
	/* What may be open for good is known when all is at rest for the first time. */
	static const struct idle at_rest = { SIZE_MAX, 0, 0, SIZE_MAX, SIZE_MAX, SIZE_MAX, 0 };
	struct idle now;

	end_all();
	idle_await(lives.w, first->descriptors ? first : &at_rest);
	now = idle_of(lives.w);
	if (first->descriptors == 0)
		*first = now;
	tap_note("round %u: %u lives, %u processes, %u refusals, %u kills, %u connections ended; "
		 "%zu KiB, %zu descriptors",
		 round, lives.begun, lives.execs, lives.refused, lives.kills, lives.drops, now.kib,
		 now.descriptors);
	CHECK_MSG(now.kib <= first->kib + MORE_KIB, "it has %zu KiB of memory, and had %zu",
		  now.kib, first->kib);
}

HOSTKERNEL_TEST(random_lives_leave_nothing)
{
	unsigned int seed = number("CGFS_LIVES_SEED", 1), seconds = number("CGFS_LIVES_SECONDS", 0);
	unsigned int rounds = getenv("CGFS_TEST_GUEST") ? 4 : 6, round = 0;
	double until = load_now() + seconds * 1e3;
	struct idle first = { 0 };

	lives = (struct lives){ .w = w,
				.random = 0x9e3779b97f4a7c15ULL ^ seed,
				.next_port = FIRST_PORT };
	for (size_t i = 0; i < SINKS; i++)
		lives.sink[i].fd = -1;
	tap_note("seed %u", seed);
	lives.conn[0] = w->c;
	for (int c = 1; c < CONNS; c++)
		connect_to(c);
	for (; round < rounds || load_now() < until; round++) {
		for (int i = 0; i < ROUND; i++) {
			step();
			while (lives_turn(lives_one_in(2) ? 0 : 20))
				;
		}
		if (lives_one_in(2))
			rest();
		if (round % 3 == 2)
			kill_agent();
		if (lives_one_in(2))
			check_idle(&first, round);
	}
	check_idle(&first, round);
	for (int c = 1; c < CONNS; c++)
		client_close(lives.conn[c]);
}
