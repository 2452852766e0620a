/* SPDX-License-Identifier: MIT */
/*
 * message.c - the table of messages, and for each what its members mean.  What is done about
 * them is elsewhere.
 */
#include <stdio.h>

#include "../cgfs/internal.h"
#include "agent.h"
#include "json.h"

void message_bad_json(struct request *rq, const char *why)
{
	request_fail(rq, HR_INVALID_JSON, "failed to unmarshal JSON in message: HRESULT %#x: %s",
		     HR_INVALID_JSON, why);
}

bool message_id(struct request *rq, const char **ret)
{
	char why[JSON_WHY_MAX];

	if (json_get_string(rq->body, "ContainerId", ret, why))
		return true;
	message_bad_json(rq, why);
	return false;
}

bool message_fds(struct request *rq, int fds[3])
{
	char why[JSON_WHY_MAX];
	int came[3], n = 0, at[3];
	json_t *list, *v;
	size_t i;

	fds[0] = fds[1] = fds[2] = -EBADF;
	if (!json_get_array(rq->body, "StdioFds", &list, why)) {
		message_bad_json(rq, why);
		return false;
	}
	json_array_foreach(list, i, v)
	{
		json_int_t to = json_is_integer(v) ? json_integer_value(v) : -1;

		if (to < 0 || to > 2 || n > 2) {
			request_fail(rq, HR_INVALID_ARG, "StdioFds[%zu] is not 0, 1 or 2", i);
			return false;
		}
		at[n++] = (int)to;
	}
	if (n > 0 && (!rq->conn || conn_take_fds(rq->conn, came, (size_t)n) < 0)) {
		request_fail(rq, HR_INVALID_ARG,
			     "StdioFds names %d descriptors, and fewer came with it", n);
		return false;
	}
	for (int k = 0; k < n; k++) {
		if (fds[at[k]] >= 0) {
			request_fail(rq, HR_INVALID_ARG, "StdioFds names %d twice", at[k]);
			for (int rest = k; rest < n; rest++)
				close(came[rest]);
			close_fds(fds);
			return false;
		}
		fds[at[k]] = came[k];
	}
	return true;
}

/* --- negotiate ------------------------------------------------------------------------------ */

static void negotiate(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	uint32_t min, max;
	json_t *answer;

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
	answer =
		json_pack("{s:i, s:{s:[{s:i, s:i}], s:s, s:{s:b, s:b, s:b, s:b}}}", "Version",
			  (int)PROTOCOL_VERSION, "Capabilities", "SupportedSchemaVersions", "Major",
			  2, "Minor", 1, "RuntimeOsType", "Linux", "GuestDefinedCapabilities",
			  "NamespaceAddRequestSupported", 1, "SignalProcessSupported", 1,
			  "DumpStacksSupported", 1, "DeleteContainerStateSupported", 1);
	if (rq->conn)
		conn_state(rq->conn)->version = PROTOCOL_VERSION;
	log_write(&a->log, LOG_INFO, "negotiated", "conn",
		  LOG_NUM(rq->conn ? conn_id(rq->conn) : 0), "version", LOG_NUM(PROTOCOL_VERSION),
		  NULL);
	request_answer(rq, answer);
}

/* --- create --------------------------------------------------------------------------------- */

json_t *message_embedded(struct request *rq, const json_t *in, const char *name)
{
	char why[JSON_WHY_MAX];
	const char *text;
	json_t *j;

	if (!json_get_string(in, name, &text, why)) {
		message_bad_json(rq, why);
		return NULL;
	}
	j = json_parse_object(text, strlen(text), why);
	if (!j)
		request_fail(rq, HR_INVALID_JSON,
			     "failed to unmarshal JSON for %s: HRESULT %#x: %s", name,
			     HR_INVALID_JSON, why);
	return j;
}

static void create_from(struct agent *a, struct request *rq, const char *id, json_t *config,
			int fds[3])
{
	char why[JSON_WHY_MAX];
	json_t *schema, *spec;
	const char *bundle;
	uint32_t major, minor;

	if (!json_get_object(config, "SchemaVersion", &schema, why) ||
	    !json_get_u32(schema, "Major", &major, why) ||
	    !json_get_u32(schema, "Minor", &minor, why) ||
	    !json_get_object(config, "OciSpecification", &spec, why) ||
	    !json_get_string(config, "OciBundlePath", &bundle, why))
		request_fail(rq, HR_INVALID_JSON,
			     "failed to unmarshal JSON for ContainerConfig: HRESULT %#x: %s",
			     HR_INVALID_JSON, why);
	else if (major < 2 || (major == 2 && minor < 1))
		request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: invalid schema version: {%u %u}",
			     HR_INVALID_JSON, major, minor);
	else if (!spec)
		request_fail(rq, HR_INVALID_ARG, "OciSpecification is missing");
	else
		container_create(a, rq, id, bundle, spec, fds);
}

static void create(struct agent *a, struct request *rq)
{
	json_t *config;
	const char *id;
	int fds[3];

	if (!message_fds(rq, fds))
		return;
	if (message_id(rq, &id)) {
		config = message_embedded(rq, rq->body, "ContainerConfig");
		if (config)
			create_from(a, rq, id, config, fds);
		json_decref(config);
	}
	close_fds(fds);
}

static void start(struct agent *a, struct request *rq)
{
	const char *id;

	/* ExecuteProcess starts containers; this message is an old one's shell. */
	if (message_id(rq, &id) && container_lookup(a, rq, id))
		request_answer(rq, NULL);
}

/* --- the rest ------------------------------------------------------------------------------- */

static void set_constraints(struct container *c, struct request *rq, const json_t *settings)
{
	char why[JSON_WHY_MAX];
	auto_free char *text = NULL;
	struct cgfs_resources *res;
	struct cgfs_err err = { 0 };
	json_t *lin, *windows, *devices;
	int r;

	if (!json_get_object(settings, "Linux", &lin, why) ||
	    !json_get_object(settings, "Windows", &windows, why) ||
	    !json_get_array(lin, "devices", &devices, why)) {
		message_bad_json(rq, why);
		return;
	}
	if (!lin) {
		request_fail(rq, HR_FAIL, "ContainerConstraints without Linux");
		return;
	}
	text = json_dumps(lin, JSON_COMPACT);
	r = text ? cgfs_resources_from_oci(text, strlen(text), &res, &err) : -ENOMEM;
	if (r < 0) {
		request_fail(rq, r == -EINVAL ? HR_INVALID_JSON : protocol_hresult_from_errno(r),
			     "%s", err.text);
		return;
	}
	/* An update that says nothing of devices leaves them as they are. */
	if (json_array_size(devices) == 0)
		res->set &= ~CGFS_SET_DEVICES;
	r = cgfs_group_set(c->group, res, &err);
	cgfs_resources_free(res);
	if (r < 0)
		request_fail_err(rq, r, &err);
	else
		request_answer(rq, NULL);
}

/* What concerns the utility VM itself. */
static void modify_uvm(struct agent *a, struct request *rq, const char *resource, const char *type)
{
	struct cgfs_err err = { 0 };
	int r;

	if (!streq(resource, "PodCgroupMemoryLimit")) {
		request_fail(rq, HR_FAIL, "the ResourceType \"%.80s\" is not supported here",
			     resource);
		return;
	}
	if (!streq(type, "Update")) {
		request_fail(rq, HR_FAIL, "the RequestType \"%.80s\" is not supported",
			     *type ? type : "Add");
		return;
	}
	r = memory_refresh(a, &err);
	if (r < 0)
		request_fail(rq, HR_FAIL, "%s", err.text);
	else
		request_answer(rq, NULL);
}

static void modify_settings(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	const char *id, *resource, *type;
	json_t *request, *settings;
	struct container *c;

	if (!message_id(rq, &id))
		return;
	if (!json_get_object(rq->body, "Request", &request, why) ||
	    !json_get_string(request, "ResourceType", &resource, why) ||
	    !json_get_string(request, "RequestType", &type, why) ||
	    !json_get_object(request, "Settings", &settings, why)) {
		message_bad_json(rq, why);
		return;
	}
	if (streq(id, PROTOCOL_UVM_ID)) {
		modify_uvm(a, rq, resource, type);
		return;
	}
	c = container_lookup(a, rq, id);
	if (!c)
		return;
	if (streq(resource, "ContainerConstraints"))
		set_constraints(c, rq, settings);
	else
		request_fail(rq, HR_FAIL,
			     "the ResourceType \"%.80s\" is not supported for containers",
			     resource);
}

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
	char line[512];

	if (!f) {
		request_fail(rq, HR_FAIL, "out of memory");
		return;
	}
	snprintf(line, sizeof(line), "one thread, in its loop; containers %zu, pods %zu",
		 a->containers.n, a->pods.n);
	add_line(f, line);
	bridge_describe(a->bridge, add_line, f);
	for (struct table_node *n = table_next(&a->containers, NULL); n;
	     n = table_next(&a->containers, n)) {
		struct container *c = container_of(n, struct container, node);

		snprintf(line, sizeof(line), "container %s: %s, runs of the runtime %u", c->id,
			 container_state_name(c), c->jobs);
		add_line(f, line);
	}
	fclose(f);
	request_answer(rq, json_pack("{s:o}", "GuestStacks", json_text(text)));
}

static void delete_state(struct agent *a, struct request *rq)
{
	struct container *c;
	const char *id;

	if (!message_id(rq, &id))
		return;
	c = container_lookup(a, rq, id);
	if (!c)
		return;
	if (c->state == CONTAINER_RUNNING || c->starting)
		request_fail(rq, HR_INVALID_STATE,
			     "cannot delete container %s: HRESULT %#x: container not stopped", id,
			     HR_INVALID_STATE);
	else
		container_end(c, rq, HR_OK, NULL);
}

/* --- dispatch ------------------------------------------------------------------------------- */

static const struct {
	uint32_t type;
	void (*fn)(struct agent *a, struct request *rq);
} handlers[] = {
	{ MSG_CREATE, create },
	{ MSG_START, start },
	{ MSG_SHUTDOWN_GRACEFUL, message_shutdown_graceful },
	{ MSG_SHUTDOWN_FORCED, message_shutdown_forced },
	{ MSG_EXECUTE_PROCESS, message_execute },
	{ MSG_WAIT_FOR_PROCESS, message_wait },
	{ MSG_SIGNAL_PROCESS, message_signal },
	{ MSG_RESIZE_CONSOLE, message_resize },
	{ MSG_GET_PROPERTIES, properties_get },
	{ MSG_MODIFY_SETTINGS, modify_settings },
	{ MSG_NEGOTIATE, negotiate },
	{ MSG_DUMP_STACKS, dump_stacks },
	{ MSG_DELETE_STATE, delete_state },
	{ MSG_EXT_LIST_PODS, extension_list_pods },
	{ MSG_EXT_POD_STATS, extension_pod_stats },
	{ MSG_EXT_SUBSCRIBE_EVENTS, extension_subscribe },
	{ MSG_EXT_DELETE_POD, extension_delete_pod },
	{ MSG_EXT_CREATE_POD, extension_create_pod },
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

/* A container whose exit nobody could be told of now has an owner, perhaps. */
static void notify_owner(struct agent *a, const char *id)
{
	struct table_node *node = table_find(&a->containers, id);

	if (node)
		container_notify(container_of(node, struct container, node));
}

/* In order: descriptors that came along are taken in order, too. */
static void hold(struct agent *a, struct request *rq)
{
	if (a->held)
		a->held_last->later = rq;
	else
		a->held = rq;
	a->held_last = rq;
}

void message_ready(struct agent *a)
{
	while (a->held) {
		struct request *rq = a->held;

		a->held = rq->later;
		if (rq->conn)
			message_dispatch(a, rq);
		else
			request_fail(rq, HR_FAIL, "its connection has ended");
	}
}

void message_dispatch(void *ctx, struct request *rq)
{
	struct agent *a = ctx;
	bool negotiated = conn_state(rq->conn)->version > 0;
	const char *text = json_string_value(json_member(rq->body, "ContainerId"));
	char id[CGFS_ID_MAX + 1] = "";

	if (text)
		snprintf(id, sizeof(id), "%s", text);
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		if (handlers[i].type != rq->type)
			continue;
		if (negotiated == (rq->type == MSG_NEGOTIATE) || !a->opt->v4)
			break;
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

static void drop_waiters(struct process *list)
{
	for (; list; list = list->next)
		process_drop_waiters(list);
}

void message_closed(void *ctx, struct conn *conn)
{
	struct agent *a = ctx;

	for (struct table_node *n = table_next(&a->containers, NULL); n;
	     n = table_next(&a->containers, n)) {
		struct container *c = container_of(n, struct container, node);

		if (c->owner == conn)
			c->owner = NULL;
		if (c->init)
			process_drop_waiters(c->init);
		drop_waiters(c->execs);
	}
	drop_waiters(a->externals);
}
