/* SPDX-License-Identifier: MIT */
/*
 * extension.c - the messages that the reference does not have; docs/protocol-extensions.md.
 */
#include <cgfs/cgfs.h>

#include "agent/base/hash.h"
#include "agent/base/json.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/runtime/spec_apply.h"
#include "agent/service/describe.h"
#include "agent/service/message.h"
#include "agent/service/reading.h"
#include "agent/wire/label.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

/* What figures leave for processes, so that a page has some. */
#define STATS_MAX (EXTENSION_MAX - LABELS_MAX - 1024)

bool extension_string(struct request *rq, const char *name, const char **ret)
{
	char why[JSON_WHY_MAX];

	if (json_get_string(rq->body, name, ret, why))
		return true;
	request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: %s", HR_INVALID_JSON, why);
	return false;
}

/* What a message is about. */
struct subject {
	struct cgfs_group *group;
	struct pod *p;	     /* NULL: a standalone container */
	struct container *c; /* NULL: a pod */
	const char *id;
	json_t *labels;
};

/* false: @rq has been answered. */
static bool find_subject(struct agent *a, struct request *rq, struct subject *ret)
{
	const char *pod, *ctr;
	struct hash_node *node;
	struct container *c;
	struct pod *p;

	if (!extension_string(rq, "PodId", &pod) || !extension_string(rq, "ContainerId", &ctr))
		return false;
	node = hash_find(&a->containers, *ctr ? ctr : pod);
	c = node ? container_of(node, struct container, node) : NULL;
	p = *pod ? pod_find(a, pod) : NULL;
	if (!*ctr && p && p->group) {
		*ret = (struct subject){
			.group = p->group, .p = p, .id = p->id, .labels = p->labels
		};
		return true;
	}
	if (c && c->group && (!*pod || streq(pod, c->pod ? c->pod->id : c->id))) {
		*ret = (struct subject){
			.group = c->group, .p = c->pod, .c = c, .id = c->id, .labels = c->labels
		};
		return true;
	}
	if (!*ctr || (*pod && !p))
		request_fail(rq, HR_SYSTEM_NOT_FOUND, "there is no pod \"%.255s\"", pod);
	else
		request_fail(rq, HR_SYSTEM_NOT_FOUND, "there is no container \"%.255s\"%s%.255s%s",
			     ctr, *pod ? " in pod \"" : "", pod, *pod ? "\"" : "");
	return false;
}

/* All, or as much of it as a message holds: the kernel's own counters go first, then the lists. */
static int stats_text(struct cgfs_group *g, bool all, char **ret, bool *ret_truncated,
		      struct cgfs_err *reterr)
{
	const unsigned int what[] = { CGFS_READ_ALL, CGFS_READ_ALL & ~CGFS_READ_NATIVE,
				      PROTOCOL_READ_BRIEF };
	int r = 0;

	for (size_t i = all ? 0 : 2; i < ARRAY_SIZE(what); i++) {
		r = cgfs_group_json(g, what[i], ret, reterr);
		if (r < 0 || strlen(*ret) <= STATS_MAX)
			return r;
		free(*ret);
		*ret = NULL;
		*ret_truncated = true;
	}
	return cgfs_err_set(reterr, -EMSGSIZE, "read figures", NULL, cgfs_group_path(g), NULL);
}

static void put_subject(struct json_out *o, const struct subject *s)
{
	json_out_string(o, "Id", s->id);
	json_out_string(o, "CgroupPath", cgfs_group_path(s->group));
	json_out_number(o, "CgroupId", cgfs_group_cgroup_id(s->group));
	describe_labels(o, s->labels);
	if (s->c)
		describe_state(o, s->c);
	if (s->c && output_path(s->c))
		json_out_string(o, "LogPath", output_path(s->c));
}

/* A page of processes alone, when the request has ProcessesAfter. */
void extension_pod_stats(struct agent *a, struct request *rq)
{
	auto_free char *text = NULL;
	char why[JSON_WHY_MAX];
	struct cgfs_err err = { 0 };
	struct subject s;
	struct json_out o;
	bool all = false, truncated = false;
	struct pids pids = { 0 };
	uint32_t after = 0;
	int r = 0;

	if (!json_get_bool(rq->body, "All", &all, why) ||
	    !json_get_u32(rq->body, "ProcessesAfter", &after, why)) {
		request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: %s", HR_INVALID_JSON, why);
		return;
	}
	if (!find_subject(a, rq, &s))
		return;
	if (!after)
		r = stats_text(s.group, all, &text, &truncated, &err);
	if (r == 0)
		r = reading_pids(a, rq, s.group, &pids, &err);
	if (r == -EINPROGRESS)
		return;
	if (r < 0) {
		describe_failed(rq, r, &err);
	} else if (request_answer_begin(rq, &o)) {
		put_subject(&o, &s);
		if (text)
			json_out_raw(&o, "Stats", text);
		if (truncated)
			json_out_bool(&o, "Truncated", true);
		describe_processes(&o, &pids, after,
				   EXTENSION_MAX - LABELS_MAX - (text ? strlen(text) : 0));
		request_answer_end(rq, &o);
	}
	free(pids.pid);
}

void extension_subscribe(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	uint32_t age_ms = 0;

	if (!json_get_u32(rq->body, "AgeMs", &age_ms, why)) {
		request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: %s", HR_INVALID_JSON, why);
		return;
	}
	if (rq->conn) {
		conn_state(rq->conn)->events = true;
		if (age_ms)
			event_replay(a, rq->conn, age_ms);
	}
	request_answer(rq);
}

void extension_delete_pod(struct agent *a, struct request *rq)
{
	const char *pod;

	if (extension_string(rq, "PodId", &pod))
		pod_delete(a, rq, pod);
}

void extension_create_pod(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	struct cgfs_oci_opts opts = CGFS_OCI_OPTS_INIT;
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };
	bool exact = false;
	struct json_out o;
	json_t *resources, *labels;
	struct pod *pod;
	const char *id, *host;
	int r;

	if (!extension_string(rq, "PodId", &id) || !extension_string(rq, "HostName", &host))
		return;
	if (*host && !spec_hostname_ok(host)) {
		request_fail(rq, HR_INVALID_ARG, "host name \"%.100s\" is not valid", host);
		return;
	}
	if (!json_get_object(rq->body, "Resources", &resources, why) ||
	    !json_get_bool(rq->body, "ExactDevices", &exact, why)) {
		request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: %s", HR_INVALID_JSON, why);
		return;
	}
	if (!message_labels(rq, &labels))
		return;
	if (pod_find(a, id) || hash_find(&a->containers, id)) {
		request_fail(rq, HR_SYSTEM_EXISTS, "pod %s already exists", id);
		return;
	}
	opts.exact_devices = exact;
	opts.parsed = resources;
	r = cgfs_id_check(id, &err);
	/* Absent is empty: a pod has a device list in any case. */
	if (r == 0)
		r = cgfs_resources_from_oci(resources ? NULL : "{}", 2, &opts, &res, &err);
	if (r == 0)
		r = pod_create(a, id, res, labels, NULL, host, &pod, &err);
	cgfs_resources_free(res);
	if (r < 0) {
		request_fail_err(rq, r, &err);
	} else if (request_answer_begin(rq, &o)) {
		json_out_string(&o, "CgroupPath", cgfs_group_path(pod->group));
		request_answer_end(rq, &o);
	}
}

/* The runtime works in its cgroups, in a sandbox's pod as well, and must not be stopped there. */
static bool being_created(const struct subject *s)
{
	const struct container *c = s->c ? s->c : s->p->containers;

	while (!s->c && c && !c->sandbox)
		c = c->pod_next;
	return c && c->state == CONTAINER_CREATING;
}

/* Its limits, or whether its processes run. */
void extension_update_pod(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	struct cgfs_oci_opts opts = CGFS_OCI_OPTS_INIT;
	struct cgfs_resources *res;
	struct cgfs_err err = { 0 };
	bool frozen, exact;
	json_t *resources;
	struct subject s;
	int r;

	if (!json_get_object(rq->body, "Resources", &resources, why) ||
	    !json_get_bool(rq->body, "Frozen", &frozen, why) ||
	    !json_get_bool(rq->body, "ExactDevices", &exact, why)) {
		request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: %s", HR_INVALID_JSON, why);
		return;
	}
	if (!resources == !json_member(rq->body, "Frozen")) {
		request_fail(rq, HR_INVALID_ARG, "one of Resources and Frozen is needed");
		return;
	}
	if (!find_subject(a, rq, &s))
		return;
	if (s.c ? s.c->end != END_NONE : s.p->doomed) {
		request_fail(rq, HR_INVALID_STATE, "it is being deleted");
		return;
	}
	if (being_created(&s)) {
		request_fail(rq, HR_INVALID_STATE, "it is still being created");
		return;
	}
	if (!resources) {
		limits_freeze(s.p, s.c, rq, frozen);
		return;
	}
	opts.update = true;
	opts.exact_devices = exact;
	opts.parsed = resources;
	r = cgfs_resources_from_oci(NULL, 0, &opts, &res, &err);
	if (r < 0)
		request_fail_err(rq, r, &err);
	else if (s.c)
		limits_update(s.c, rq, res);
	else
		limits_update_pod(s.p, rq, res);
}
