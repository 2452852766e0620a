/* SPDX-License-Identifier: MIT */
/*
 * settings.c - ModifySettings: the limits of a container, and the limit of all pods together.
 */
#include <cgfs/cgfs.h>

#include "agent/base/json.h"
#include "agent/base/shape.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/runtime/spec_shape.h"
#include "agent/service/message.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

/* Without limits for Linux there is nothing to do, as in the reference. */
static void set_constraints(struct container *c, struct request *rq, json_t *settings)
{
	char why[JSON_WHY_MAX];
	struct cgfs_oci_opts opts = CGFS_OCI_OPTS_INIT;
	struct cgfs_resources *res;
	struct cgfs_err err = { 0 };
	json_t *lin;
	int r;

	if (!shape_fits(settings, "{Linux:" SPEC_RESOURCES_SHAPE ",Windows:{}}", why)) {
		message_bad_json(rq, why);
		return;
	}
	lin = json_member(settings, "Linux");
	if (!lin) {
		request_answer(rq);
		return;
	}
	opts.update = true;
	opts.parsed = lin;
	r = cgfs_resources_from_oci(NULL, 0, &opts, &res, &err);
	if (r < 0) {
		request_fail(rq, r == -EINVAL ? HR_INVALID_JSON : protocol_hresult_from_errno(r),
			     "%s", err.text);
		return;
	}
	limits_update(c, rq, res);
}

/* What concerns the utility VM itself. */
static void modify_uvm(struct agent *a, struct request *rq, const char *resource, const char *type)
{
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
	memory_refresh(a, rq);
}

void message_modify_settings(struct agent *a, struct request *rq)
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
	if (!request) {
		message_bad_json(rq, "Request is missing");
		return;
	}
	if (streq(resource, "ContainerConstraints") && !settings) {
		message_bad_json(rq, "Request.Settings is missing");
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
