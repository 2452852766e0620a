/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c - the table of messages, and those that are about the agent itself.
 */
#include <cgfs/cgfs.h>
#include <stdio.h>

#include "agent/base/hash.h"
#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/base/shape.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/model/process.h"
#include "agent/runtime/spec_shape.h"
#include "agent/service/message.h"
#include "agent/service/reading.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

/* --- negotiate ------------------------------------------------------------------------------ */

static int by_exit(const void *a, const void *b)
{
	const struct container *x = *(struct container *const *)a;
	const struct container *y = *(struct container *const *)b;

	return x->exit_serial < y->exit_serial ? -1 : x->exit_serial > y->exit_serial;
}

/* Exits that were not reported because no host was connected, in their order. */
static void notify_all(struct agent *a)
{
	struct container **due = calloc(a->containers.n + 1, sizeof(struct container *));
	struct hash_node *node;
	size_t n = 0;

	for (node = hash_next(&a->containers, NULL); node; node = hash_next(&a->containers, node)) {
		struct container *c = container_of(node, struct container, node);

		if (c->state != CONTAINER_TERMINATED || c->notified)
			continue;
		if (due)
			due[n++] = c;
		else
			container_notify(c);
	}
	if (due)
		qsort(due, n, sizeof(struct container *), by_exit);
	for (size_t i = 0; i < n; i++)
		container_notify(due[i]);
	free(due);
}

static void negotiate(struct agent *a, struct request *rq)
{
	static const char *const supported[] = { "NamespaceAddRequestSupported",
						 "SignalProcessSupported", "DumpStacksSupported",
						 "DeleteContainerStateSupported" };
	char why[JSON_WHY_MAX];
	struct conn *conn = rq->conn;
	uint32_t min, max;
	struct json_out o;

	if (!json_get_u32(rq->body, "MinimumVersion", &min, why) ||
	    !json_get_u32(rq->body, "MaximumVersion", &max, why)) {
		message_bad_json(rq, why);
		return;
	}
	if (max < PROTOCOL_VERSION || min > PROTOCOL_VERSION) {
		request_fail(rq, HR_UNSUPPORTED_VERSION,
			     "HRESULT %#x: versions %u to %u: this agent speaks version %u",
			     HR_UNSUPPORTED_VERSION, min, max, PROTOCOL_VERSION);
		return;
	}
	if (rq->conn)
		conn_state(rq->conn)->version = PROTOCOL_VERSION;
	if (rq->conn && json_is_true(json_member(rq->body, "Observer")))
		conn_state(rq->conn)->observer = true;
	log_write(&a->log, LOG_INFO, "negotiated", "conn",
		  LOG_NUM(rq->conn ? conn_id(rq->conn) : 0), "version", LOG_NUM(PROTOCOL_VERSION),
		  NULL);
	if (!request_answer_begin(rq, &o))
		return;
	json_out_number(&o, "Version", PROTOCOL_VERSION);
	json_out_object(&o, "Capabilities");
	json_out_array(&o, "SupportedSchemaVersions");
	json_out_object(&o, NULL);
	json_out_number(&o, "Major", 2);
	json_out_number(&o, "Minor", 1);
	json_out_end(&o);
	json_out_end(&o);
	json_out_string(&o, "RuntimeOsType", "Linux");
	json_out_object(&o, "GuestDefinedCapabilities");
	for (size_t i = 0; i < ARRAY_SIZE(supported); i++)
		json_out_bool(&o, supported[i], true);
	json_out_end(&o);
	json_out_end(&o);
	request_answer_end(rq, &o);
	if (conn)
		conn_resume(conn);
	notify_all(a);
}

/* --- DumpStacks ----------------------------------------------------------------------------- */

static void add_line(void *ctx, const char *line)
{
	FILE *f = ctx;

	/* What does not fit into an answer is left out. */
	if (ftell(f) < 48 * 1024)
		fprintf(f, "%s\n", line);
}

static void dump_stacks(struct agent *a, struct request *rq)
{
	auto_free char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct json_out o;
	char line[512];

	if (!f) {
		request_fail(rq, HR_FAIL, "out of memory");
		return;
	}
	snprintf(line, sizeof(line), "one thread, in its loop; containers %zu, pods %zu",
		 a->containers.n, a->pods.n);
	add_line(f, line);
	bridge_describe(a->bridge, add_line, f);
	for (struct hash_node *n = hash_next(&a->containers, NULL); n;
	     n = hash_next(&a->containers, n)) {
		struct container *c = container_of(n, struct container, node);

		snprintf(line, sizeof(line), "container %s: %s, runs of the runtime %u", c->id,
			 container_state_name(c), c->jobs);
		add_line(f, line);
	}
	fclose(f);
	if (!request_answer_begin(rq, &o))
		return;
	json_out_string(&o, "GuestStacks", text);
	request_answer_end(rq, &o);
}

/* --- dispatch ------------------------------------------------------------------------------- */

/* What all requests have in common, and what each has beside that; the extensions read their
 * members one by one. */
#define COMMON_SHAPE "ContainerId:s,ActivityId:s,otsc:<s>,ocsc:{}"

static const struct {
	uint32_t type;
	void (*fn)(struct agent *a, struct request *rq);
	const char *shape;
} handlers[] = {
	{ MSG_CREATE, message_create,
	  "{" COMMON_SHAPE ",ContainerConfig:s,SupportedVersions:{MinimumVersion:s,"
	  "MaximumVersion:s,MinimumProtocolVersion:w,MaximumProtocolVersion:w}}" },
	{ MSG_START, message_start, NULL },
	{ MSG_SHUTDOWN_GRACEFUL, message_shutdown_graceful, NULL },
	{ MSG_SHUTDOWN_FORCED, message_shutdown_forced, NULL },
	{ MSG_EXECUTE_PROCESS, message_execute,
	  "{" COMMON_SHAPE ",Settings:{ProcessParameters:s,VsockStdioRelaySettings:{StdIn:w,"
	  "StdOut:w,StdErr:w}}}" },
	{ MSG_WAIT_FOR_PROCESS, message_wait, "{" COMMON_SHAPE ",ProcessId:w,TimeoutInMs:w}" },
	{ MSG_SIGNAL_PROCESS, message_signal, "{" COMMON_SHAPE ",ProcessId:w,Options:{Signal:j}}" },
	{ MSG_RESIZE_CONSOLE, message_resize, "{" COMMON_SHAPE ",ProcessId:w,Height:h,Width:h}" },
	{ MSG_GET_PROPERTIES, properties_get, "{" COMMON_SHAPE ",Query:s}" },
	{ MSG_MODIFY_SETTINGS, message_modify_settings,
	  "{" COMMON_SHAPE ",Request:{ResourceType:s,RequestType:s,Settings:?}}" },
	{ MSG_NEGOTIATE, negotiate,
	  "{" COMMON_SHAPE ",MinimumVersion:w,MaximumVersion:w,Observer:b}" },
	{ MSG_DUMP_STACKS, dump_stacks, NULL },
	{ MSG_DELETE_STATE, message_delete_state, NULL },
	{ MSG_EXT_LIST_PODS, extension_list_pods, NULL },
	{ MSG_EXT_POD_STATS, extension_pod_stats, NULL },
	{ MSG_EXT_SUBSCRIBE_EVENTS, extension_subscribe, NULL },
	{ MSG_EXT_DELETE_POD, extension_delete_pod, NULL },
	{ MSG_EXT_CREATE_POD, extension_create_pod,
	  "{" COMMON_SHAPE ",Resources:" SPEC_RESOURCES_SHAPE "}" },
	{ MSG_EXT_UPDATE_POD, extension_update_pod,
	  "{" COMMON_SHAPE ",Resources:" SPEC_RESOURCES_SHAPE "}" },
};

static void unknown(struct request *rq)
{
	const char *name = protocol_name(rq->type);
	char number[16];

	snprintf(number, sizeof(number), "%u", rq->type);
	request_fail(rq, HR_NOT_IMPL,
		     "HRESULT %#x: bridge: function not supported, header type: %s", HR_NOT_IMPL,
		     name ? name : number);
}

/* A container whose exit could not be reported may have an owner now. */
static void notify_owner(struct agent *a, const char *id)
{
	struct hash_node *node = hash_find(&a->containers, id);

	if (node)
		container_notify(container_of(node, struct container, node));
}

/* In order: descriptors that came along are taken in order, too. */
static void hold(struct agent *a, struct request *rq)
{
	if (!request_keep(rq))
		return;
	if (a->held)
		a->held_last->later = rq;
	else
		a->held = rq;
	a->held_last = rq;
}

void message_ready(struct agent *a)
{
	notify_all(a);
	while (a->held) {
		struct request *rq = a->held;

		a->held = rq->later;
		request_resume(rq);
	}
}

void message_dispatch(void *ctx, struct request *rq, const char *why)
{
	struct agent *a = ctx;
	bool negotiated = conn_state(rq->conn)->version > 0;
	char id[CGFS_ID_MAX + 1] = "", wrong[JSON_WHY_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		if (handlers[i].type != rq->type)
			continue;
		if (negotiated == (rq->type == MSG_NEGOTIATE) || !a->v4)
			break;
		if (rq->body &&
		    !shape_fits(rq->body,
				handlers[i].shape ? handlers[i].shape : "{" COMMON_SHAPE "}",
				wrong))
			why = wrong;
		if (why || !rq->body) {
			message_bad_json(rq, why);
			return;
		}
		snprintf(id, sizeof(id), "%s",
			 json_is_string(json_object_get(rq->body, "ContainerId"))
				 ? json_string_value(json_object_get(rq->body, "ContainerId"))
				 : "");
		if (!a->ready && negotiated) {
			hold(a, rq);
			return;
		}
		handlers[i].fn(a, rq);
		notify_owner(a, id);
		return;
	}
	unknown(rq);
}

/* The host gets the exit code of what it waits for on its next connection. */
bool message_outlives(uint32_t type)
{
	return type == MSG_WAIT_FOR_PROCESS || type == PROTOCOL_RESPONSE(MSG_WAIT_FOR_PROCESS) ||
	       type == MSG_NOTIFICATION;
}

static void drop_waiters(struct process *list)
{
	for (; list; list = list->next)
		process_drop_waiters(list);
}

void message_closed(void *ctx, struct conn *conn)
{
	struct agent *a = ctx;

	for (struct hash_node *n = hash_next(&a->containers, NULL); n;
	     n = hash_next(&a->containers, n)) {
		struct container *c = container_of(n, struct container, node);

		if (conn && c->owner == conn)
			c->owner = NULL;
		if (c->init)
			process_drop_waiters(c->init);
		drop_waiters(c->execs);
	}
	drop_waiters(a->externals);
}

void message_end(struct agent *a)
{
	struct hash_node *n;

	while ((n = hash_next(&a->containers, NULL)))
		container_free(container_of(n, struct container, node));
	while ((n = hash_next(&a->pods, NULL)))
		pod_free(container_of(n, struct pod, node));
	foreign_forget(a);
	reading_free(a);
	memory_end(a);
	event_forget(a);
	while (a->externals)
		process_free(a->externals);
	bridge_free(a->bridge);
	message_ready(a); /* answers that go nowhere now */
	hash_free(&a->containers);
	hash_free(&a->pods);
	hash_free(&a->foreign);
}
