/* SPDX-License-Identifier: MIT */
/*
 * test_wire.c - the connection that the agent makes to its host, and what outlives it.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/daemon/options.h"
#include "agent/wire/address.h"
#include "cgfs/base/util.h"
#include "host.h"

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

static pid_t external(struct world *w, const char *script)
{
	auto_free char *params = NULL;
	json_t *p = json_pack("{s:[s, s, s], s:{s:s}}", "CommandArgs", "/bin/sh", "-c", script,
			      "Environment", "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");

	params = json_dumps(p, 0);
	json_decref(p);
	return world_execute(w, PROTOCOL_UVM_ID, params);
}

static void send_wait(struct world *w, const char *id, pid_t pid, uint64_t request)
{
	struct cgfs_err err = { 0 };
	char body[200];
	int len = snprintf(body, sizeof(body),
			   "{\"ContainerId\":\"%s\",\"ProcessId\":%d,\"TimeoutInMs\":4294967295}",
			   id, (int)pid);

	CHECK_INT(
		client_send(w->c, MSG_WAIT_FOR_PROCESS, request, body, (size_t)len, NULL, 0, &err),
		0);
}

static void expect(struct world *w, uint32_t type, uint64_t id, const char *text)
{
	struct client_message m;
	struct cgfs_err err = { 0 };

	CHECK_INT(client_receive(w->c, WORLD_MS, &m, &err), 0);
	CHECK_INT(m.header.type, type);
	CHECK_INT(m.header.id, id);
	CHECK_MSG(strstr(m.body, text), "%s is not in %s", text, m.body);
	free(m.body);
}

HOST_TEST(agent_calls_again_and_negotiates_anew)
{

	for (int i = 0; i < 3; i++) {
		world_do(w, MSG_EXT_LIST_PODS, NULL);
		host_again(w);
	}
	/* Without a host, too, and with one that comes back. */
	host_leave(w);
	nap();
	host_come(w);
	host_accept(w);
	world_do(w, MSG_EXT_LIST_PODS, NULL);
}

/* Members that this message does not have are not passed over: the client would wait. */
HOST_TEST(execute_refuses_streams_of_other_messages)
{
	static const char *const params[] = { "{\"CommandArgs\":[\"/bin/true\"]}", "{}" };

	world_refuse(w, MSG_EXECUTE_PROCESS,
		     json_pack("{s:s, s:{s:s}, s:s}", "ContainerId", PROTOCOL_UVM_ID, "Settings",
			       "ProcessParameters", params[0], "ConsoleSocket", "/run/none"),
		     HR_INVALID_ARG);
	world_refuse(w, MSG_EXECUTE_PROCESS,
		     json_pack("{s:s, s:{s:s}, s:b}", "ContainerId", PROTOCOL_UVM_ID, "Settings",
			       "ProcessParameters", params[0], "Log", 1),
		     HR_INVALID_ARG);
	world_refuse(w, MSG_EXECUTE_PROCESS,
		     json_pack("{s:s, s:{s:s}, s:s}", "ContainerId", "none", "Settings",
			       "ProcessParameters", params[1], "ConsoleSocket", "/run/none"),
		     HR_INVALID_ARG);
}

HOST_TEST(several_transports_serve_at_once)
{
	struct client *host_conn = w->c;

	w->c = world_connect(w, true);
	world_do(w, MSG_EXT_LIST_PODS, NULL);
	client_close(w->c);
	w->c = host_conn;
	world_do(w, MSG_EXT_LIST_PODS, NULL);
}

HOST_TEST(wait_is_answered_on_the_next_connection)
{
	pid_t one = external(w, "exec sleep 1000"), two = external(w, "exec sleep 1000");

	send_wait(w, PROTOCOL_UVM_ID, one, 70);
	send_wait(w, PROTOCOL_UVM_ID, two, 71);
	world_do(w, MSG_EXT_LIST_PODS, NULL);
	/* One ends while no host is there, the other when one is again. */
	host_leave(w);
	CHECK_INT(kill(one, SIGKILL), 0);
	while (kill(one, 0) == 0)
		nap();
	host_come(w);
	host_accept(w);
	expect(w, PROTOCOL_RESPONSE(MSG_WAIT_FOR_PROCESS), 70, "\"ExitCode\":137");
	host_again(w);
	CHECK_INT(kill(two, SIGTERM), 0);
	expect(w, PROTOCOL_RESPONSE(MSG_WAIT_FOR_PROCESS), 71, "\"ExitCode\":143");
	world_do(w, MSG_EXT_LIST_PODS, NULL);
}

/* A host that counts its requests from the beginning again knows nothing of the old ones. */
HOST_TEST(another_host_gets_no_old_answers)
{
	pid_t pid = external(w, "exec sleep 1000");
	struct cgfs_err err = { 0 };

	send_wait(w, PROTOCOL_UVM_ID, pid, 5);
	world_do(w, MSG_EXT_LIST_PODS, NULL);
	host_again(w);
	CHECK_INT(client_send(w->c, MSG_EXT_LIST_PODS, 5, "{}", 2, NULL, 0, &err), 0);
	expect(w, PROTOCOL_RESPONSE(MSG_EXT_LIST_PODS), 5, "\"Result\":0");
	CHECK_INT(kill(pid, SIGKILL), 0);
	while (kill(pid, 0) == 0)
		nap();
	CHECK_INT(client_send(w->c, MSG_EXT_LIST_PODS, 6, "{}", 2, NULL, 0, &err), 0);
	expect(w, PROTOCOL_RESPONSE(MSG_EXT_LIST_PODS), 6, "\"Result\":0");
}

/* Containers run on without a host; each of their ends is reported to it once, in order. */
HOSTKERNEL_TEST(exits_are_kept_for_the_host_in_order)
{
	static const char *const ids[] = { "c", "a", "d", "b" };
	pid_t pid[ARRAY_SIZE(ids)];
	struct cgfs_err err = { 0 };
	json_t *body;
	uint32_t type;

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		world_create(w, ids[i], NULL, "exec sleep 1000");
		pid[i] = world_start(w, ids[i]);
	}
	send_wait(w, ids[0], pid[0], 700);
	world_do(w, MSG_EXT_LIST_PODS, NULL);
	host_leave(w);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		CHECK_INT(kill(pid[i], 0), 0);
		CHECK_INT(kill(pid[i], SIGKILL), 0);
		while (kill(pid[i], 0) == 0)
			nap();
	}
	host_come(w);
	host_accept(w);
	expect(w, PROTOCOL_RESPONSE(MSG_WAIT_FOR_PROCESS), 700, "\"ExitCode\":137");
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		world_exit_type(w, ids[i], "UnexpectedExit");
	/* Once. */
	host_again(w);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		world_delete(w, ids[i]);
	CHECK_INT(client_notification(w->c, 0, &type, &body, &err), -ETIMEDOUT);
}

static bool is_served(int cid, uint32_t port)
{
	struct address at = { .vsock = true, .cid = (uint32_t)cid, .port = port };
	struct client *c;
	bool pending;
	int fd = address_connect(&at, &pending), r;

	CHECK(fd >= 0);
	if (pending) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };

		CHECK_INT(poll(&p, 1, WORLD_MS), 1);
		CHECK_INT(address_connected(fd), 0);
	}
	CHECK_INT(fcntl(fd, F_SETFL, 0), 0);
	CHECK_INT(client_open_fds(fd, fd, &c), 0);
	r = client_negotiate(c, WORLD_MS, NULL);
	client_close(c);
	return r == 0;
}

static int in_guest(void **state)
{
	if (!getenv("CGFS_TEST_GUEST"))
		tap_skip("vsock_loopback is in guests only");
	return world_files(state);
}

/* A container of the guest reaches the port as well, with the CID 1. */
WORLD_TEST(vsock_port_serves_one_cid_alone, in_guest)
{
	const char *const args[] = { "--listen", "vsock:7001", "--listen", "vsock:1:7002", NULL };

	world_start_agent(w, args);
	w->c = world_connect(w, true);
	CHECK(!is_served(1, 7001));
	CHECK(is_served(1, 7002));
}

/* As the host's shims start the agent. */
TAP_TEST(shims_command_line_dials_the_host)
{
	const char *const plain[] = { "gcs", "-v4", "-log-format", "json", "-loglevel", "debug" };
	const char *const inout[] = { "gcs", "-v4", "-loglevel", "trace", "-use-inouterr" };
	const char *const several[] = { "gcs",	   "--listen", "vsock:7",  "--listen",
					"unix:/a", "--dial",   "vsock:1:5" };
	char why[OPTIONS_WHY_MAX];
	struct options o;

	CHECK_INT(options_parse(&o, ARRAY_SIZE(plain), (char **)plain, why), 0);
	CHECK_STR(o.dial, "vsock:2:1073741824");
	CHECK_INT(options_parse(&o, ARRAY_SIZE(inout), (char **)inout, why), 0);
	CHECK(!o.dial);
	CHECK_INT(options_parse(&o, ARRAY_SIZE(several), (char **)several, why), 0);
	CHECK_INT(o.n_listen, 2);
	CHECK_STR(o.listen[1], "unix:/a");
	CHECK_STR(o.dial, "vsock:1:5");
}
