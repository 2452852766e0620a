/* SPDX-License-Identifier: MIT */
/*
 * lives_ask.c - the requests of random lives, and the far ends of streams.
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

struct lives lives;

/* --- chance ------------------------------------------------------------------------------------
 */

/* xorshift64*. */
unsigned int lives_chance(unsigned int n)
{
	lives.random ^= lives.random >> 12;
	lives.random ^= lives.random << 25;
	lives.random ^= lives.random >> 27;
	return (unsigned int)(lives.random * 0x2545f4914f6cdd1dULL >> 33) % n;
}

bool lives_one_in(unsigned int n)
{
	return lives_chance(n) == 0;
}

/* --- streams -----------------------------------------------------------------------------------
 */

static bool sink_new(int fd, uint32_t port)
{
	for (size_t i = 0; i < SINKS; i++) {
		if (lives.sink[i].fd < 0) {
			lives.sink[i] = (struct sink){ fd, port, port > 0, lives_one_in(6) };
			return true;
		}
	}
	close(fd);
	return false;
}

/* The agent calls a port again when the host has gone from it. */
void sink_again(struct sink *s)
{
	close(take_fd(&s->fd));
	if (s->port)
		s->fd = host_port(s->port);
	s->listens = true;
}

void sink_turn(struct sink *s)
{
	char buf[65536];

	if (s->listens) {
		s->fd = host_take(s->fd);
		s->listens = false;
	} else if (lives_one_in(40)) {
		sink_again(s);
	} else if (read(s->fd, buf, sizeof(buf)) <= 0) {
		close(take_fd(&s->fd));
	}
}

/* --- requests ----------------------------------------------------------------------------------
 */

static struct pending *ask(int conn, struct slot *s, uint32_t type, json_t *body, const int *fds,
			   size_t n_fds)
{
	auto_free char *text = json_dumps(body, JSON_COMPACT);
	struct cgfs_err err = { 0 };
	struct pending *p = &lives.pending[lives.n_pending];

	json_decref(body);
	CHECK(text && lives.n_pending < PENDING);
	*p = (struct pending){ .id = ++lives.next_id, .type = type, .conn = conn, .slot = s };
	if (s)
		strcpy(p->life, s->id);
	lives.n_pending++;
	CHECK_MSG(client_send(lives.conn[conn], type, p->id, text, strlen(text), fds, n_fds,
			      &err) == 0,
		  "%s: %s", protocol_name(type), err.text);
	return p;
}

/* A request that changes the slot: no other of that kind before its answer. */
static struct pending *change(int conn, struct slot *s, uint32_t type, json_t *body)
{
	s->busy = type;
	return ask(conn, s, type, body, NULL, 0);
}

void lives_create(int conn, int i)
{
	static const char *const scripts[] = {
		NULL,
		NULL,
		NULL,
		"exit 3",
		"while :; do sleep 1 & wait; done",
		"echo one; sleep 0.05; echo two >&2; exit 4",
		"/bin/busybox dd if=/dev/zero bs=4096 count=50; exec sleep 1000",
		"trap '' TERM; while :; do sleep 0.1; done",
	};
	struct slot *s = &lives.slot[conn][i], *pod = &lives.slot[conn][0];
	json_t *spec, *resources = NULL;
	const char *script = scripts[lives_chance(ARRAY_SIZE(scripts))];

	if (i > 0 && i < SLOTS - 1 && (pod->state == ABSENT || pod->busy || pod->doomed))
		return;
	*s = (struct slot){ .plain = i == 0 && lives_one_in(4) };
	snprintf(s->id, sizeof(s->id), "%c%d-%u",
		 i == SLOTS - 1 ? 's'
		 : i		? 'c'
				: 'p',
		 conn, ++lives.begun);
	strcpy(s->pod, i == 0 ? s->id : i < SLOTS - 1 ? pod->id : "");
	if (s->plain) {
		change(conn, s, MSG_EXT_CREATE_POD, json_pack("{s:s}", "PodId", s->id));
		return;
	}
	if (lives_one_in(3))
		resources = json_pack("{s:{s:i}}", "pids", "limit", 20 + (int)lives_chance(20));
	spec = world_spec(lives.w, s->id, s->pod[0] ? s->pod : NULL, script, resources);
	if (lives_one_in(12)) /* there is no such program */
		json_object_set_new(json_object_get(spec, "process"), "args",
				    json_pack("[s]", "/absent"));
	change(conn, s, MSG_CREATE, world_create_body(lives.w, s->id, spec));
}

/* ExecuteProcess with streams by chance: none, ports of the host, or a descriptor. */
static struct pending *execute(int conn, struct slot *s, json_t *params)
{
	json_t *body = json_pack("{s:s}", "ContainerId", s ? s->id : PROTOCOL_UVM_ID);
	json_t *settings = json_object(), *ports = json_object();
	auto_free char *text = NULL;
	struct pending *p;
	int ends[2] = { -1, -1 };

	if (lives_one_in(3)) {
		for (int i = 1; i < 3; i++) {
			if (!sink_new(host_port(lives.next_port), lives.next_port))
				continue;
			json_object_set_new(params,
					    i == 1 ? "CreateStdOutPipe" : "CreateStdErrPipe",
					    json_true());
			json_object_set_new(ports, i == 1 ? "StdOut" : "StdErr",
					    json_integer(lives.next_port++));
		}
	} else if (s && json_object_get(params, "OciProcess") && conn > 0 && lives_one_in(2)) {
		CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		sink_new(ends[0], 0);
		json_object_set_new(body, "StdioFds", json_pack("[i]", 1));
	}
	text = json_dumps(params, 0);
	json_decref(params);
	json_object_set_new(settings, "ProcessParameters", json_string(text));
	json_object_set_new(settings, "VsockStdioRelaySettings", ports);
	json_object_set_new(body, "Settings", settings);
	p = ask(conn, s, MSG_EXECUTE_PROCESS, body, &ends[1], ends[1] >= 0);
	if (ends[1] >= 0)
		close(ends[1]);
	return p;
}

void lives_exec(int conn, struct slot *s)
{
	static const struct {
		const char *script;
		uint32_t code;
	} rows[] = {
		{ "exit 7", 7 },
		{ "sleep 0.2; echo done", 0 },
		{ "/bin/busybox dd if=/dev/zero bs=65536 count=8 2>/dev/null; exit 9", 9 },
		{ "exec sleep 1000", 137 },
		{ "sleep 1000 & exit 5", 5 },
		{ "kill -9 $$", 137 },
	};
	size_t i = lives_chance(ARRAY_SIZE(rows));
	struct pending *p;

	p = execute(conn, s,
		    json_pack("{s:{s:[s, s, s], s:s, s:[s]}}", "OciProcess", "args", "/bin/sh",
			      "-c", rows[i].script, "cwd", "/", "env", "PATH=/bin"));
	p->code = rows[i].code;
	lives.execs++;
}

void lives_external(int conn)
{
	static const char *const scripts[] = { "exit 0", "exec sleep 5", "echo something" };

	execute(conn, NULL,
		json_pack("{s:[s, s, s], s:{s:s}}", "CommandArgs", "/bin/sh", "-c",
			  scripts[lives_chance(ARRAY_SIZE(scripts))], "Environment", "PATH",
			  "/usr/bin:/bin"));
}

void lives_start(int conn, struct slot *s)
{
	s->busy = MSG_EXECUTE_PROCESS;
	execute(conn, s, json_object())->init = true;
}

void lives_wait_for(int conn, struct slot *s, pid_t pid, uint32_t code)
{
	struct pending *p =
		ask(conn, s, MSG_WAIT_FOR_PROCESS,
		    json_pack("{s:s, s:i, s:I}", "ContainerId", s ? s->id : PROTOCOL_UVM_ID,
			      "ProcessId", (int)pid, "TimeoutInMs",
			      (json_int_t)(lives_one_in(4) ? 20 : PROTOCOL_WAIT_FOREVER)),
		    NULL, 0);
	p->pid = pid;
	p->code = code;
}

void lives_signal_to(int conn, struct slot *s, pid_t pid, int sig)
{
	ask(conn, s, MSG_SIGNAL_PROCESS,
	    json_pack("{s:s, s:i, s:{s:i}}", "ContainerId", s ? s->id : PROTOCOL_UVM_ID,
		      "ProcessId", (int)pid, "Options", "Signal", sig),
	    NULL, 0);
}

void lives_ask_properties(int conn, struct slot *s)
{
	ask(conn, s, MSG_GET_PROPERTIES,
	    json_pack("{s:s, s:s}", "ContainerId", s->id, "Query",
		      lives_one_in(2) ? "{\"PropertyTypes\":[\"Statistics\"]}"
				      : "{\"PropertyTypes\":[\"ProcessList\"]}"),
	    NULL, 0);
}

void lives_constrain(int conn, struct slot *s)
{
	ask(conn, s, MSG_MODIFY_SETTINGS,
	    json_pack("{s:s, s:{s:s, s:s, s:{s:{s:{s:i}}}}}", "ContainerId", s->id, "Request",
		      "ResourceType", "ContainerConstraints", "RequestType", "Update", "Settings",
		      "Linux", "pids", "limit", 30 + (int)lives_chance(30)),
	    NULL, 0);
}

static void doom(struct slot *pod)
{
	for (int c = 0; c < CONNS; c++) {
		for (int i = 0; i < SLOTS; i++) {
			if (lives.slot[c][i].state != ABSENT || lives.slot[c][i].busy)
				lives.slot[c][i].doomed |= streq(lives.slot[c][i].pod, pod->id);
		}
	}
}

void lives_delete_pod(int conn, struct slot *s)
{
	doom(s);
	change(conn, s, MSG_EXT_DELETE_POD, json_pack("{s:s}", "PodId", s->id));
}

/* On the way to nothing. */
void lives_end(int conn, struct slot *s)
{
	if (s->plain)
		lives_delete_pod(conn, s);
	else if (s->state == UNKNOWN)
		change(conn, s, lives_one_in(2) ? MSG_SHUTDOWN_FORCED : MSG_DELETE_STATE,
		       load_of(s->id));
	else if (s->state != RUNNING)
		change(conn, s, MSG_DELETE_STATE, load_of(s->id));
	else if (!s->stopping)
		change(conn, s, MSG_SHUTDOWN_FORCED, load_of(s->id));
}
