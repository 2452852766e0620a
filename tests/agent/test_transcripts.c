/* SPDX-License-Identifier: MIT */
/*
 * test_transcripts.c - conversations that were recorded with the reference, held with our agent.
 *
 * Compared are types, ids, results, exit codes, notifications and the names of all members;
 * not the wording of errors, not the figures, not where in the order a notification comes.
 * docs/gcs-compat.md lists where we mean to differ; so does differs() below.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cgfs/base/util.h"
#include "world.h"

#define FOLDER "tests/agent/transcripts/"
#define PIDS   32

struct replay {
	struct world *w;
	struct client *c;
	const char *step;
	json_t *notifications; /* came, not yet asked for */
	struct {
		json_int_t theirs, ours;
	} pid[PIDS];
	size_t n_pids;
};

/* The reference's slips, by transcript, step and member. */
static bool differs(const char *step, const char *member, const json_t *theirs, const json_t *ours)
{
	/* A process killed by a signal: 128 + signal, not -1. */
	return streq(step, "wait killed") && streq(member, "ExitCode") &&
	       json_integer_value(theirs) == 4294967295 && json_integer_value(ours) == 137;
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
		    differs(r->step, name, theirs, ours))
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
		json_array_append_new(r->notifications, body);
	}
}

static void receive_step(struct replay *r, const json_t *recv)
{
	const char *text = json_string_value(json_object_get(recv, "type"));
	uint32_t type = (uint32_t)strtoul(text, NULL, 16);
	struct frame_header h;
	json_t *ours = next_message(r, type == MSG_NOTIFICATION, &h);

	if (h.type != type || h.id != (uint64_t)json_integer_value(json_object_get(recv, "id")))
		FAIL("%s: type %#x, id %llu; theirs %s", r->step, h.type, (unsigned long long)h.id,
		     text);
	compare(r, json_object_get(recv, "json"), ours);
	json_decref(ours);
}

static void replay(struct world *w, const char *name)
{
	struct replay r = { .w = w, .c = world_connect(w, false), .notifications = json_array() };
	json_t *doc, *step, *recv;
	json_error_t je;
	char path[128];
	size_t i, k;

	/* In a guest they are below the root. */
	snprintf(path, sizeof(path), "%s" FOLDER "%s.json", getenv("CGFS_TEST_GUEST") ? "/" : "",
		 name);
	doc = json_load_file(path, 0, &je);
	CHECK_MSG(doc, "%s: %s", path, je.text);
	json_array_foreach(json_object_get(doc, "steps"), i, step)
	{
		const char *raw = json_string_value(json_object_get(step, "raw"));

		r.step = json_string_value(json_object_get(step, "label"));
		if (json_object_get(step, "send"))
			send_step(&r, json_object_get(step, "send"));
		if (raw)
			send_raw(&r, raw);
		json_array_foreach(json_object_get(step, "recv"), k, recv) receive_step(&r, recv);
	}
	json_decref(doc);
	json_decref(r.notifications);
	client_close(r.c);
}

#define REPLAY(how, name)                                                                          \
	how(name)                                                                                  \
	{                                                                                          \
		replay(w, #name);                                                                  \
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
