/* SPDX-License-Identifier: MIT */
/*
 * test_host.c - which connection is notified that a container has ended: the host's, also after the
 * agent was killed, and not that of a program that only looks.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/daemon/daemon.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"
#include "tests/agent/world.h"

static void kill_agent(struct world *w)
{
	client_close(w->c);
	w->c = NULL;
	kill(w->agent, SIGKILL);
	CHECK_INT(waitpid(w->agent, NULL, 0), w->agent);
}

static void end_by(struct client *c)
{
	json_t *of = json_pack("{s:s}", "ContainerId", "c");
	struct cgfs_err err = { 0 };

	CHECK_INT(client_call(c, MSG_SHUTDOWN_FORCED, of, NULL, 0, WORLD_MS, NULL, &err), 0);
	json_decref(of);
}

/* It reads everything there is, and gets no notification. */
static void look(struct client *c)
{
	json_t *of = json_pack("{s:s}", "ContainerId", "c"), *answer = NULL, *body = NULL;
	struct cgfs_err err = { 0 };
	const char *state = NULL;
	uint32_t type;

	/* Until it has seen that it has ended. */
	for (int i = 0; i < WORLD_MS / 5; i++) {
		CHECK_INT(client_call(c, MSG_EXT_POD_STATS, of, NULL, 0, WORLD_MS, &answer, &err),
			  0);
		state = json_string_value(json_object_get(answer, "State"));
		if (streq(state, "terminated"))
			break;
		json_decref(answer);
		answer = NULL;
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	CHECK(answer);
	json_decref(answer);
	CHECK_INT(client_call(c, MSG_GET_PROPERTIES, of, NULL, 0, WORLD_MS, NULL, &err), 0);
	json_decref(of);
	CHECK_INT(client_notification(c, 0, &type, &body, &err), -ETIMEDOUT);
}

KERNEL_TEST(exit_waits_for_the_host)
{
	struct cgfs_err err = { 0 };
	struct client *observer = NULL;

	world_create(w, "c", NULL, NULL);
	(void)world_start(w, "c");
	kill_agent(w);
	world_start_agent(w, NULL);
	observer = world_connect(w, false);
	CHECK_INT(client_observe(observer, WORLD_MS, &err), 0);
	end_by(observer);
	look(observer);
	/* The host need not ask. */
	w->c = world_connect(w, true);
	world_exit_type(w, "c", "ForcedExit");
	client_close(observer);
}

/* --- a host at the agent's stdin, and podctl at its local socket ----------------------------- */

static struct client *start_at_stdin(struct world *w)
{
	char state[96], local[96];
	const char *argv[] = { "cgfs-agent", "-v4",	      "-use-inouterr", "--root",
			       w->root,	     "--state-dir",   state,	       "--pin-dir",
			       w->pins,	     "-local-socket", local,	       "--delete-on-exit" };
	struct client *c = NULL;
	struct cgfs_err err = { 0 };
	int fd[2];

	snprintf(state, sizeof(state), "%s/state", w->dir);
	snprintf(local, sizeof(local), "%s", w->socket + strlen("unix:"));
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	fflush(stdout);
	w->agent = fork();
	CHECK(w->agent >= 0);
	if (w->agent == 0) {
		dup2(fd[1], 0);
		dup2(fd[1], 1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(agent_main(ARRAY_SIZE(argv), (char **)argv));
	}
	close(fd[1]);
	CHECK_INT(client_open_fds(fd[0], fd[0], &c), 0);
	CHECK_INT(client_negotiate(c, WORLD_MS, &err), 0);
	return c;
}

KERNEL_TEST(exit_is_for_stdin_and_not_for_the_local_socket)
{
	struct client *local;

	kill_agent(w);
	w->c = start_at_stdin(w);
	world_create(w, "c", NULL, NULL);
	(void)world_start(w, "c");
	kill_agent(w);

	/* A peer that connects here is not the host, also if it claims to be. */
	w->c = start_at_stdin(w);
	local = world_connect(w, true);
	end_by(local);
	look(local);
	world_exit_type(w, "c", "ForcedExit");
	client_close(local);
}

/* What podctl made and left is its own: a host that does not know it may end at such a message. */
KERNEL_TEST(exit_of_what_an_observer_made_is_not_the_hosts)
{
	struct cgfs_err err = { 0 };
	struct client *observer = world_connect(w, false);
	struct client *host = w->c;
	json_t *body = NULL;
	uint32_t type;

	CHECK_INT(client_observe(observer, WORLD_MS, &err), 0);
	w->c = observer;
	world_create(w, "c", NULL, NULL);
	(void)world_start(w, "c");
	client_close(observer);
	w->c = host;
	world_do(w, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", "c"));
	CHECK_INT(client_notification(host, 0, &type, &body, &err), -ETIMEDOUT);
}
