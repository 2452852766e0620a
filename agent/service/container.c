/* SPDX-License-Identifier: MIT */
/*
 * container.c - the messages about containers but those about their processes, and the answers
 * that the model gives when something is done.
 */
#include "agent/model/container.h"
#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/runtime/spec_shape.h"
#include "agent/service/message.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

static void create_from(struct agent *a, struct request *rq, const char *id, json_t *config,
			const struct container_streams *streams)
{
	char why[JSON_WHY_MAX];
	json_t *schema, *spec, *labels;
	const char *bundle, *scratch;
	uint32_t major, minor;

	if (!json_get_object(config, "SchemaVersion", &schema, why) ||
	    !json_get_u32(schema, "Major", &major, why) ||
	    !json_get_u32(schema, "Minor", &minor, why) ||
	    !json_get_object(config, "OciSpecification", &spec, why) ||
	    !json_get_string(config, "OciBundlePath", &bundle, why) ||
	    !json_get_string(config, "ScratchDirPath", &scratch, why))
		request_fail(rq, HR_INVALID_JSON,
			     "failed to unmarshal JSON for ContainerConfig: HRESULT %#x: %s",
			     HR_INVALID_JSON, why);
	else if (major < 2 || (major == 2 && minor < 1))
		request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: invalid schema version: {%u %u}",
			     HR_INVALID_JSON, major, minor);
	else if (!spec)
		request_fail(rq, HR_INVALID_ARG, "OciSpecification is missing");
	else if (message_labels(rq, &labels))
		container_create(a, rq, id, &(struct container_paths){ bundle, scratch, labels },
				 spec, streams);
}

void message_create(struct agent *a, struct request *rq)
{
	struct container_streams streams;
	json_t *config;
	const char *id;
	int fds[3];

	if (!message_streams(rq, &streams, fds))
		return;
	if (message_id(rq, &id)) {
		config = message_embedded(
			rq, rq->body, "ContainerConfig",
			"{SchemaVersion:{Major:w,Minor:w},OciBundlePath:s,ScratchDirPath:s,"
			"OciSpecification:" SPEC_SHAPE "}");
		if (config)
			create_from(a, rq, id, config, &streams);
		json_decref(config);
	}
	close_fds(fds);
}

void message_start(struct agent *a, struct request *rq)
{
	const char *id;

	/* ExecuteProcess starts containers.  The reference answers this message for every id. */
	if (message_id(rq, &id))
		request_answer(rq);
}

void message_delete_state(struct agent *a, struct request *rq)
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

/* --- what the model answers ------------------------------------------------------------------ */

static void answer_number(struct request *rq, const char *key, uint64_t value)
{
	struct json_out o;

	if (!request_answer_begin(rq, &o))
		return;
	json_out_number(&o, key, value);
	request_answer_end(rq, &o);
}

static void created(struct request *rq)
{
	answer_number(rq, "SelectedProtocolVersion", 0);
}

static void started(struct request *rq, pid_t pid)
{
	answer_number(rq, "ProcessId", (uint64_t)pid);
}

static void exited(struct request *rq, uint32_t code)
{
	answer_number(rq, "ExitCode", code);
}

static int notify_exit(const struct container *c, struct conn *to)
{
	static const char *const types[] = { "UnexpectedExit", "GracefulExit", "ForcedExit" };
	auto_free char *text = NULL;
	struct json_out o;
	int r = json_out_open(&o);

	if (r < 0)
		return r;
	json_out_object(&o, NULL);
	json_out_string(&o, "ContainerId", c->id);
	if (c->activity)
		json_out_string(&o, "ActivityId", c->activity);
	json_out_string(&o, "Type", types[c->exit_type]);
	json_out_string(&o, "Operation", "None");
	json_out_number(&o, "Result", 0);
	json_out_end(&o);
	r = json_out_close(&o, &text);
	return r < 0 ? r : conn_notify(to, MSG_NOTIFICATION, text, false);
}

const struct words message_words = { created, started, exited, notify_exit };
