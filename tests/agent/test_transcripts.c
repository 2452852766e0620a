/* SPDX-License-Identifier: MIT */
/*
 * test_transcripts.c - conversations that were recorded with the reference, held with our agent.
 *
 * Compared are types, ids, results, exit codes, notifications and the names of all members;
 * not the wording of errors, not the figures, not where in the order a notification comes.
 * docs/gcs-compat.md lists where we mean to differ; so does differs() below.
 *
 * Then the same with an agent that is killed before each of the requests, and before one of them:
 * the next agent holds the rest of the conversation.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "agent/model/process.h"
#include "cgfs/base/util.h"
#include "world.h"

#define FOLDER "tests/agent/transcripts/"
#define PIDS   32

enum { KILL_NEVER = 0, KILL_ALWAYS = -1 }; /* else: before the request of that step */

struct replay {
	struct world *w;
	struct client *c;
	const char *step;
	bool killed;
	json_t *notifications; /* came, not yet asked for */
	json_t *notified;      /* containers of which one came */
	struct {
		json_int_t theirs, ours;
	} pid[PIDS];
	size_t n_pids;
};

/* The reference's slips, by transcript, step and member; and what a kill of the agent has lost. */
static bool differs(const struct replay *r, const char *member, const json_t *theirs,
		    const json_t *ours)
{
	if (!streq(member, "ExitCode"))
		return false;
	/* Who was not its parent may not learn it. */
	if (r->killed && json_integer_value(ours) == PROCESS_CODE_UNKNOWN)
		return true;
	/* A process killed by a signal: 128 + signal, not -1. */
	return streq(r->step, "wait killed") && json_integer_value(theirs) == 4294967295 &&
	       json_integer_value(ours) == 137;
}

/* Paths of the machine where it was recorded become ours. */
static char *relocate(const struct world *w, const char *body)
{
	static const char *const from[] = { "/run/gcs", "/rootfs" };
	size_t len = strlen(body);
	char *out = calloc(1, len + 1 + 32 * sizeof(w->kit.dir));
	size_t n = 0;

	CHECK(out);
	while (*body) {
		for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
			if (strncmp(body, from[i], strlen(from[i])) == 0)
				n += (size_t)sprintf(out + n, "%s", w->dir);
		}
		out[n++] = *body++;
	}
	return out;
}

static json_int_t our_pid(const struct replay *r, json_int_t theirs)
{
	for (size_t i = 0; i < r->n_pids; i++) {
		if (r->pid[i].theirs == theirs)
			return r->pid[i].ours;
	}
	return theirs;
}

static void send_step(struct replay *r, const json_t *send)
{
	auto_free char *text = relocate(r->w, json_string_value(json_object_get(send, "body")));
	const char *type = json_string_value(json_object_get(send, "type"));
	uint64_t id = (uint64_t)json_integer_value(json_object_get(send, "id"));
	json_t *body = json_loads(text, 0, NULL);
	json_t *pid = json_object_get(body, "ProcessId");
	struct cgfs_err err = { 0 };

	/* What is not JSON goes as it is. */
	if (pid) {
		json_integer_set(pid, our_pid(r, json_integer_value(pid)));
		free(text);
		text = json_dumps(body, JSON_COMPACT);
	}
	json_decref(body);
	CHECK_INT(client_send(r->c, (uint32_t)strtoul(type, NULL, 16), id, text, strlen(text), NULL,
			      0, &err),
		  0);
}

static void send_raw(struct replay *r, const char *hex)
{
	struct cgfs_err err = { 0 };

	for (; hex[0] && hex[1]; hex += 2) {
		char two[3] = { hex[0], hex[1], 0 };
		unsigned char byte = (unsigned char)strtoul(two, NULL, 16);

		CHECK_INT(client_send_raw(r->c, &byte, 1, &err), 0);
	}
}

static void same_members(struct replay *r, const json_t *theirs, const json_t *ours)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)theirs, key, v)
	{
		CHECK_MSG(json_object_get(ours, key), "%s: no %s in the answer", r->step, key);
	}
	json_object_foreach((json_t *)ours, key, v)
	{
		CHECK_MSG(json_object_get(theirs, key), "%s: %s in the answer, not in theirs",
			  r->step, key);
	}
}

static void same_value(struct replay *r, const char *name, const json_t *theirs, const json_t *ours)
{
	static const char *const exact[] = {
		"Result",      "ActivityId",   "ExitCode",
		"Version",     "Type",	       "Operation",
		"ContainerId", "Capabilities", "SelectedProtocolVersion"
	};

	for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
		auto_free char *a = NULL, *b = NULL;

		if (!streq(name, exact[i]) || json_equal((json_t *)theirs, (json_t *)ours) ||
		    differs(r, name, theirs, ours))
			continue;
		a = json_dumps(theirs, JSON_ENCODE_ANY);
		b = json_dumps(ours, JSON_ENCODE_ANY);
		FAIL("%s: %s is %s, theirs %s", r->step, name, b, a);
	}
}

/* Properties are JSON within JSON: the same members on top. */
static void same_properties(struct replay *r, const json_t *theirs, const json_t *ours)
{
	json_t *a = json_loads(json_string_value(theirs), JSON_DECODE_INT_AS_REAL, NULL);
	json_t *b = json_loads(json_string_value(ours), JSON_DECODE_INT_AS_REAL, NULL);

	CHECK(a);
	CHECK(b);
	same_members(r, a, b);
	json_decref(a);
	json_decref(b);
}

static void compare(struct replay *r, const json_t *theirs, const json_t *ours)
{
	const char *key;
	json_t *v;

	same_members(r, theirs, ours);
	json_object_foreach((json_t *)theirs, key, v)
	{
		json_t *mine = json_object_get(ours, key);

		if (streq(key, "Properties"))
			same_properties(r, v, mine);
		else
			same_value(r, key, v, mine);
	}
	v = json_object_get(theirs, "ProcessId");
	if (v && r->n_pids < PIDS) {
		r->pid[r->n_pids].theirs = json_integer_value(v);
		r->pid[r->n_pids++].ours = json_integer_value(json_object_get(ours, "ProcessId"));
	}
}

/* One that came shortly before a kill may come again. */
static void note(struct replay *r, json_t *body)
{
	const char *id = json_string_value(json_object_get(body, "ContainerId"));
	bool again = json_object_get(r->notified, id);

	CHECK_MSG(!again || r->killed, "%s: %s is notified twice", r->step, id);
	json_object_set_new(r->notified, id, json_true());
	if (again)
		json_decref(body);
	else
		json_array_append_new(r->notifications, body);
}

/* The next message that is (or is not) a notification; the others are kept. */
static json_t *next_message(struct replay *r, bool notification, struct frame_header *ret)
{
	struct cgfs_err err = { 0 };
	struct client_message m;

	for (;;) {
		json_t *body;

		if (notification && json_array_size(r->notifications) > 0) {
			body = json_incref(json_array_get(r->notifications, 0));
			json_array_remove(r->notifications, 0);
			*ret = (struct frame_header){ .type = MSG_NOTIFICATION };
			return body;
		}
		CHECK_MSG(client_receive(r->c, WORLD_MS, &m, &err) >= 0, "%s: %s", r->step,
			  err.text);
		body = json_loadb(m.body, m.len, 0, NULL);
		free(m.body);
		CHECK(body);
		*ret = m.header;
		if (PROTOCOL_KIND(m.header.type) != 3)
			return body;
		CHECK_INT(m.header.id, 0);
		note(r, body);
	}
}

/* May a kill have made that answer another one?  External processes are not the next agent's, and
 * an exit that was reported shortly before is reported once more. */
static bool is_lost(const struct replay *r, const json_t *send, const json_t *theirs,
		    const json_t *ours)
{
	const char *body = json_string_value(json_object_get(send, "body"));
	uint32_t hr = (uint32_t)json_integer_value(json_object_get(ours, "Result"));

	if (!r->killed)
		return false;
	if (strstr(body, "\"ContainerId\":\"" PROTOCOL_UVM_ID "\""))
		return hr == HR_NOT_FOUND;
	return streq(r->step, "wait exec again") && hr == HR_OK &&
	       (uint32_t)json_integer_value(json_object_get(theirs, "Result")) == HR_NOT_FOUND;
}

static void receive_step(struct replay *r, const json_t *send, const json_t *recv)
{
	const char *text = json_string_value(json_object_get(recv, "type"));
	const json_t *theirs = json_object_get(recv, "json");
	uint32_t type = (uint32_t)strtoul(text, NULL, 16);
	struct frame_header h;
	json_t *ours = next_message(r, type == MSG_NOTIFICATION, &h);

	if (h.type != type || h.id != (uint64_t)json_integer_value(json_object_get(recv, "id")))
		FAIL("%s: type %#x, id %llu; theirs %s", r->step, h.type, (unsigned long long)h.id,
		     text);
	if (!send || !is_lost(r, send, theirs, ours))
		compare(r, theirs, ours);
	json_decref(ours);
}

static void take_step(struct replay *r, const json_t *step)
{
	const char *raw = json_string_value(json_object_get(step, "raw"));
	json_t *send = json_object_get(step, "send"), *recv;
	size_t i;

	r->step = json_string_value(json_object_get(step, "label"));
	if (send)
		send_step(r, send);
	if (raw)
		send_raw(r, raw);
	json_array_foreach(json_object_get(step, "recv"), i, recv) receive_step(r, send, recv);
}

static bool has_negotiated(const json_t *step)
{
	const char *type =
		json_string_value(json_object_get(json_object_get(step, "send"), "type"));
	json_t *answer = json_array_get(json_object_get(step, "recv"), 0);

	return type && strtoul(type, NULL, 16) == MSG_NEGOTIATE &&
	       json_integer_value(json_object_get(json_object_get(answer, "json"), "Result")) == 0;
}

/* What the agents that were killed have left is this process's, as it is init's elsewhere. */
static void reap(const struct world *w)
{
	siginfo_t one = { 0 };

	while (waitid(P_ALL, 0, &one, WEXITED | WNOHANG | WNOWAIT) == 0 && one.si_pid > 0 &&
	       one.si_pid != w->agent) {
		CHECK_INT(waitpid(one.si_pid, NULL, 0), one.si_pid);
		one.si_pid = 0;
	}
}

static void end_agent(struct world *w, int sig)
{
	int status;

	client_close(w->c);
	w->c = NULL;
	CHECK_INT(kill(w->agent, sig), 0);
	CHECK_INT(waitpid(w->agent, &status, 0), w->agent);
	CHECK_INT(status, sig == SIGKILL ? SIGKILL : 0);
	world_start_agent(w, NULL);
}

/* The host calls the next agent, and negotiates if it had with the last one. */
static void kill_before(struct replay *r, const json_t *steps, size_t n)
{
	bool negotiated = false;

	for (size_t i = 0; i < n; i++)
		negotiated = negotiated || has_negotiated(json_array_get(steps, i));
	client_close(r->c);
	end_agent(r->w, SIGKILL);
	r->killed = true;
	/* The first socket of that name may still be that of the last agent. */
	r->c = world_connect(r->w, true);
	if (!negotiated) {
		client_close(r->c);
		r->c = world_connect(r->w, false);
	}
}

static json_t *load(const char *name)
{
	json_error_t je;
	char path[128];
	json_t *doc;

	/* In a guest they are below the root. */
	snprintf(path, sizeof(path), "%s" FOLDER "%s.json", getenv("CGFS_TEST_GUEST") ? "/" : "",
		 name);
	doc = json_load_file(path, 0, &je);
	CHECK_MSG(doc, "%s: %s", path, je.text);
	return doc;
}

static void replay(struct world *w, const json_t *steps, int kill_at)
{
	struct replay r = { .w = w,
			    .c = world_connect(w, false),
			    .notifications = json_array(),
			    .notified = json_object() };
	json_t *step;
	size_t i;

	json_array_foreach(steps, i, step)
	{
		/* What was sent of a request that is in parts is lost with the agent. */
		if (i > 0 && json_object_get(step, "send") &&
		    (kill_at == KILL_ALWAYS || kill_at == (int)i))
			kill_before(&r, steps, i);
		if (kill_at != KILL_NEVER)
			reap(w);
		take_step(&r, step);
	}
	json_decref(r.notifications);
	json_decref(r.notified);
	client_close(r.c);
}

static void replay_plain(struct world *w, const char *name)
{
	json_t *doc = load(name);

	replay(w, json_object_get(doc, "steps"), KILL_NEVER);
	json_decref(doc);
}

/* Each conversation takes up to three seconds, in which it waits.  In an emulated guest, and under
 * a sanitizer, all kills are in one. */
#if defined(__SANITIZE_ADDRESS__)
#define EACH_ALONE false
#else
#define EACH_ALONE (!getenv("CGFS_TEST_GUEST"))
#endif

static void replay_killed(struct world *w, const char *name)
{
	json_t *doc = load(name), *steps = json_object_get(doc, "steps"), *step;
	int n = EACH_ALONE ? (int)json_array_size(steps) : 0;

	CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	replay(w, steps, KILL_ALWAYS);
	for (int i = 1; i < n; i++) {
		step = json_array_get(steps, (size_t)i);
		if (!json_object_get(step, "send"))
			continue;
		end_agent(w, SIGTERM); /* with all that the conversation has left */
		w->c = world_connect(w, true);
		tap_note("killed before \"%s\"", json_string_value(json_object_get(step, "label")));
		replay(w, steps, i);
	}
	json_decref(doc);
}

#define REPLAY(how, name)                                                                          \
	how(name)                                                                                  \
	{                                                                                          \
		replay_plain(w, #name);                                                            \
	}                                                                                          \
	how(name##_killed)                                                                         \
	{                                                                                          \
		replay_killed(w, #name);                                                           \
	}

REPLAY(PLAIN_TEST, create_bad_container_type)
REPLAY(PLAIN_TEST, create_errors)
REPLAY(PLAIN_TEST, exec_external)
REPLAY(PLAIN_TEST, fragmented_write)
REPLAY(PLAIN_TEST, getprops_bad_query)
REPLAY(PLAIN_TEST, malformed_exec)
REPLAY(PLAIN_TEST, negotiate_4_4)
REPLAY(PLAIN_TEST, negotiate_5_6)
REPLAY(PLAIN_TEST, negotiate_twice)
REPLAY(PLAIN_TEST, prenegotiate_create)
REPLAY(KERNEL_TEST, sandbox_lifecycle)
REPLAY(KERNEL_TEST, standalone_container)
REPLAY(PLAIN_TEST, unknown_container_exec)
REPLAY(PLAIN_TEST, unknown_types)
REPLAY(KERNEL_TEST, workload_lifecycle)
