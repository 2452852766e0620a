/* SPDX-License-Identifier: MIT */
/*
 * lives_answer.c - the answers to the requests of random lives: which may come, and what they make
 * of a life.
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

/* --- answers -----------------------------------------------------------------------------------
 */

static struct slot *find(const char *id)
{
	for (int c = 0; c < CONNS; c++) {
		for (int i = 0; i < SLOTS; i++) {
			if (streq(lives.slot[c][i].id, id))
				return &lives.slot[c][i];
		}
	}
	return NULL;
}

static void notified(const json_t *body)
{
	const char *id = json_string_value(json_object_get(body, "ContainerId"));
	struct slot *s;

	CHECK(id);
	s = find(id);
	if (!s) /* deleted with its pod meanwhile */
		return;
	CHECK_MSG(!s->notified || s->late, "%s: notified twice", id);
	s->notified = true;
	if (s->state == RUNNING)
		s->state = ENDED;
}

static void went(struct slot *s)
{
	s->state = ABSENT;
	s->busy = 0;
	s->id[0] = '\0';
}

/* What an answer says about the state of its slot. */
static void settle(struct slot *s, const struct pending *p, uint32_t hr, const char *text)
{
	bool gone = hr == HR_OK || hr == HR_SYSTEM_NOT_FOUND;

	s->busy = 0;
	if ((p->type == MSG_DELETE_STATE || p->type == MSG_EXT_DELETE_POD) && gone) {
		CHECK_MSG(hr == HR_OK || s->state == UNKNOWN || s->doomed, "%s of %s: %s",
			  protocol_name(p->type), s->id, text);
		went(s);
		return;
	}
	if (s->doomed || s->state == UNKNOWN) {
		s->state = UNKNOWN;
	} else if (p->type == MSG_CREATE || p->type == MSG_EXT_CREATE_POD) {
		/* That leaves nothing. */
		if (hr != HR_OK)
			went(s);
		else
			s->state = CREATED;
	} else if (p->type == MSG_EXECUTE_PROCESS) {
		/* A host that has gone from a port meanwhile. */
		CHECK_MSG(hr == HR_OK || strstr(text, "connect std"), "start of %s: %#x %s", s->id,
			  hr, text);
		s->state = hr == HR_OK ? s->notified ? ENDED : RUNNING : UNKNOWN;
	} else if (p->type == MSG_SHUTDOWN_FORCED) {
		CHECK_MSG(hr == HR_OK || hr == HR_SYSTEM_STOPPED, "end of %s: %#x %s", s->id, hr,
			  text);
		s->stopping = true;
		/* Its notification was on its way over a connection that has ended. */
		if (hr == HR_SYSTEM_STOPPED && s->late)
			s->state = ENDED;
	} else {
		s->state = UNKNOWN; /* a deletion that takes long */
	}
}

static void waited(const struct pending *p, uint32_t hr, const json_t *body)
{
	uint32_t code = (uint32_t)json_integer_value(json_object_get(body, "ExitCode"));

	if (hr == HR_OK && p->code)
		CHECK_MSG(code == p->code || code == 137 || code == 143 ||
				  code == PROCESS_CODE_UNKNOWN,
			  "process %d of %s ended with %u, not %u", (int)p->pid, p->life, code,
			  p->code);
}

static void executed(const struct pending *p, struct slot *s, uint32_t hr, const json_t *body)
{
	pid_t pid = (pid_t)json_integer_value(json_object_get(body, "ProcessId"));

	if (hr != HR_OK)
		return;
	CHECK(pid > 0);
	if (p->life[0]) {
		if (s && p->init)
			s->pid = pid;
		else if (s)
			s->exec = pid, s->code = p->code;
		return;
	}
	for (size_t i = 0; i < EXTERNALS; i++) {
		if (lives.external[i] == 0) {
			lives.external[i] = pid;
			return;
		}
	}
	lives_signal_to(p->conn, NULL, pid, SIGKILL);
}

static void answered(uint64_t id, const json_t *body)
{
	uint32_t hr = (uint32_t)json_integer_value(json_object_get(body, "Result"));
	const char *text = json_string_value(json_object_get(body, "ErrorMessage"));
	struct pending p = { 0 };
	struct slot *s;

	for (size_t i = 0; i < lives.n_pending; i++) {
		if (lives.pending[i].id == id) {
			p = lives.pending[i];
			lives.pending[i] = lives.pending[--lives.n_pending];
			break;
		}
	}
	CHECK_MSG(p.id, "an answer to request %llu, which has one", (unsigned long long)id);
	lives.refused += hr != HR_OK;
	CHECK_MSG(hr != HR_NOT_IMPL && hr != HR_INVALID_JSON && hr != HR_UNKNOWN_MESSAGE,
		  "%s: %#x %s", protocol_name(p.type), hr, text);
	s = p.life[0] && streq(p.slot->id, p.life) ? p.slot : NULL;
	if (p.type == MSG_EXECUTE_PROCESS)
		executed(&p, s, hr, body);
	if (p.type == MSG_WAIT_FOR_PROCESS)
		waited(&p, hr, body);
	if (s && s->busy && s->busy == p.type && (p.type != MSG_EXECUTE_PROCESS || p.init))
		settle(s, &p, hr, text ? text : "");
}

static void receive(int conn)
{
	struct client_message m;
	struct cgfs_err err = { 0 };
	json_t *body;
	int r = client_receive(lives.conn[conn], WORLD_MS, &m, &err);

	CHECK_MSG(r == 0, "connection %d: %s", conn, err.text);
	body = json_loads(m.body, 0, NULL);
	CHECK(body);
	if (m.header.id == 0)
		notified(body);
	else
		answered(m.header.id, body);
	json_decref(body);
	free(m.body);
}

/* Takes what has come; waits for something for up to @ms. */
bool lives_turn(int ms)
{
	struct pollfd p[CONNS + SINKS];
	size_t n = 0;
	bool any = false;
	pid_t pid;

	for (int c = 0; c < CONNS; c++) {
		while (client_pending(lives.conn[c])) {
			receive(c);
			any = true;
		}
		p[n++] = (struct pollfd){ .fd = client_fd(lives.conn[c]), .events = POLLIN };
	}
	for (size_t i = 0; i < SINKS; i++)
		p[n++] = (struct pollfd){ .fd = lives.sink[i].deaf && !lives.sink[i].listens
							? -1
							: lives.sink[i].fd,
					  .events = POLLIN };
	CHECK(poll(p, n, any ? 0 : ms) >= 0);
	for (int c = 0; c < CONNS; c++) {
		if (p[c].revents) {
			receive(c);
			any = true;
		}
	}
	for (size_t i = 0; i < SINKS; i++) {
		if (p[CONNS + i].revents)
			sink_turn(&lives.sink[i]);
	}
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		CHECK_MSG(pid != lives.w->agent, "the agent has ended");
	return any;
}
