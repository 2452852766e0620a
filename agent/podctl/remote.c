/* SPDX-License-Identifier: MIT */
/*
 * remote.c - asks an agent, and turns its answers into podctl's own documents.  Knows messages,
 * not cgroups.
 */
#include "remote.h"
#include "oci.h"

#include <stdio.h>

#define BUNDLES		"/run/cgfs/bundles"
#define KILL_TIMEOUT_MS 10000

int remote_open(const char *agent, struct client **ret, struct cgfs_err *reterr)
{
	struct client *c = NULL;
	int r;

	r = client_open(agent, &c, reterr);
	if (r == 0)
		r = client_negotiate(c, REMOTE_TIMEOUT_MS, reterr);
	if (r < 0 && c && client_hresult(c) == HR_NOT_IMPL)
		cgfs_err_set(reterr, r, "negotiate with", agent, NULL,
			     "the agent was started without -v4");
	if (r < 0) {
		client_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

int remote_call(struct client *c, uint32_t type, const char *id, json_t *members, const int *fds,
		size_t n_fds, json_t **ret, struct cgfs_err *reterr)
{
	json_t *body = members ? members : json_object();
	struct cgfs_err why = { 0 };
	const char *text;
	int r = 0;

	if (!body || (id && json_object_set_new(body, "ContainerId", json_string(id)) < 0))
		r = doc_no_memory(&why);
	if (r == 0)
		r = client_call(c, type, body, fds, n_fds, REMOTE_TIMEOUT_MS, ret, &why);
	json_decref(body);
	if (r == 0 || !reterr)
		return r;

	/* What the agent says stands for itself; the message's name means nothing to people. */
	text = why.text;
	if (client_hresult(c) != HR_OK && strlen(text) > strlen(why.op) + 2)
		text += strlen(why.op) + 2;
	if (strncmp(text, "HRESULT:", 8) == 0)
		text = protocol_hresult_text(client_hresult(c));
	return cgfs_err_set(reterr, r, NULL, NULL, NULL, "%s", text);
}

static json_t *stdio_members(size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer((json_int_t)i));
	return json_pack("{s:o}", "StdioFds", list);
}

static int create(struct client *c, const struct args *a, const char *id, json_t *spec,
		  const int *fds, size_t n_fds, struct cgfs_err *reterr)
{
	auto_free char *bundle = NULL, *text = NULL;
	json_t *config, *members = stdio_members(n_fds);

	if (asprintf(&bundle, "%s/%s/%s", a->bundle ? a->bundle : BUNDLES, a->pod, id) < 0)
		bundle = NULL;
	config = json_pack("{s:{s:i, s:i}, s:s, s:O}", "SchemaVersion", "Major", 2, "Minor", 1,
			   "OciBundlePath", bundle, "OciSpecification", spec);
	text = json_dumps(config, JSON_COMPACT);
	json_decref(config);
	if (!bundle || !text || !members ||
	    json_object_set_new(members, "ContainerConfig", json_string(text)) < 0) {
		json_decref(members);
		return doc_no_memory(reterr);
	}
	return remote_call(c, MSG_CREATE, id, members, fds, n_fds, NULL, reterr);
}

int remote_create_container(struct client *c, const struct args *a, const char *ctr,
			    char *const *argv, const int *fds, size_t n_fds, pid_t *ret_pid,
			    struct cgfs_err *reterr)
{
	json_t *spec, *answer = NULL;
	int r;

	r = oci_spec(a, a->pod, streq(ctr, a->pod) ? NULL : ctr, argv, &spec, reterr);
	if (r < 0)
		return r;
	r = create(c, a, ctr, spec, fds, n_fds, reterr);
	json_decref(spec);
	if (r < 0)
		return r;

	/* Without a process of its own the message starts init. */
	r = remote_call(c, MSG_EXECUTE_PROCESS, ctr,
			json_pack("{s:{s:s}}", "Settings", "ProcessParameters", "{}"), NULL, 0,
			&answer, reterr);
	if (r == 0 && ret_pid)
		*ret_pid = (pid_t)doc_number(answer, "ProcessId");
	json_decref(answer);
	if (r < 0)
		(void)!remote_remove(c, a->pod, streq(ctr, a->pod) ? "" : ctr, NULL);
	return r;
}

static int create_bare(struct client *c, const struct args *a, struct cgfs_err *reterr)
{
	json_t *resources;
	int r;

	r = limits_oci(&a->limits, true, &resources, reterr);
	if (r < 0)
		return r;
	return remote_call(c, MSG_EXT_CREATE_POD, NULL,
			   json_pack("{s:s, s:o, s:b}", "PodId", a->pod, "Resources", resources,
				     "ExactDevices", limits_has_devices(&a->limits)),
			   NULL, 0, NULL, reterr);
}

int remote_create_pod(struct client *c, const struct args *a, json_t **ret, struct cgfs_err *reterr)
{
	char *none[] = { NULL };
	int r;

	if (a->rootfs)
		r = remote_create_container(c, a, a->pod, a->argc > 1 ? a->argv + 1 : none, NULL, 0,
					    NULL, reterr);
	else
		r = create_bare(c, a, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "create pod \"%s\"", a->pod);
	return ret ? remote_stat(c, a->pod, "", ret, reterr) : 0;
}

static int stats(struct client *c, const char *pod, const char *ctr, bool all, json_t **ret,
		 struct cgfs_err *reterr)
{
	json_t *answer, *members = json_pack("{s:s, s:b}", "PodId", pod, "All", all);
	int r;

	r = remote_call(c, MSG_EXT_POD_STATS, *ctr ? ctr : NULL, members, NULL, 0, &answer, reterr);
	if (r < 0)
		return r;
	*ret = json_incref(json_object_get(answer, "Stats"));
	json_decref(answer);
	return *ret ? 0 : cgfs_err_set(reterr, -EPROTO, NULL, NULL, NULL, "an answer has no Stats");
}

/* One entry of ListPods as a group's document, with figures alone or @all; gone meanwhile is not an
 * error: *ret is NULL. */
static int describe(struct client *c, const char *pod, const char *ctr, const json_t *entry,
		    bool all, json_t **ret, struct cgfs_err *reterr)
{
	const char *state = doc_string(entry, "State");
	json_t *figures, *doc;
	uint64_t pids = 0;
	int r;

	*ret = NULL;
	r = stats(c, pod, ctr, all, &figures, reterr);
	if (r < 0)
		return client_hresult(c) == HR_SYSTEM_NOT_FOUND ? 0 : r;
	if (!*state)
		state = doc_figure(figures, CGFS_STAT_PIDS_CURRENT, &pids) && pids ? "running"
										   : "empty";
	doc = json_pack("{s:s, s:s, s:s, s:o}", "id", doc_string(entry, "Id"), "path",
			doc_string(entry, "CgroupPath"), "state", doc_state(figures, state),
			"stats", figures);
	if (!doc)
		return doc_no_memory(reterr);
	if (json_object_get(entry, "Pid"))
		json_object_set(doc, "pid", json_object_get(entry, "Pid"));
	if (json_object_get(entry, "ExitCode"))
		json_object_set(doc, "exit_code", json_object_get(entry, "ExitCode"));
	*ret = doc;
	return 0;
}

static int describe_pod(struct client *c, json_t *entry, json_t *pods, struct cgfs_err *reterr)
{
	const char *pod = doc_string(entry, "Id");
	json_t *doc, *one, *list = json_array(), *ctr;
	size_t i;
	int r;

	r = describe(c, pod, "", entry, false, &doc, reterr);
	json_array_foreach(json_object_get(entry, "Containers"), i, ctr)
	{
		if (r < 0 || !doc)
			break;
		r = describe(c, pod, doc_string(ctr, "Id"), ctr, false, &one, reterr);
		if (r == 0 && one)
			json_array_append_new(list, one);
	}
	if (r == 0 && doc &&
	    (json_object_set(doc, "containers", list) < 0 || json_array_append(pods, doc) < 0))
		r = doc_no_memory(reterr);
	json_decref(list);
	json_decref(doc);
	return r;
}

int remote_list(struct client *c, json_t **ret, struct cgfs_err *reterr)
{
	json_t *answer, *pods = json_array(), *pod;
	size_t i;
	int r;

	r = remote_call(c, MSG_EXT_LIST_PODS, NULL, NULL, NULL, 0, &answer, reterr);
	if (r < 0) {
		json_decref(pods);
		return r;
	}
	if (json_is_true(json_object_get(answer, "Truncated")))
		out_note("warning: the agent has more pods than one message holds; some are "
			 "missing here");
	json_array_foreach(json_object_get(answer, "Pods"), i, pod)
	{
		if (r == 0)
			r = describe_pod(c, pod, pods, reterr);
	}
	json_decref(answer);
	if (r == 0) {
		*ret = json_pack("{s:O}", "pods", pods);
		r = *ret ? 0 : doc_no_memory(reterr);
	}
	json_decref(pods);
	return r;
}

static json_t *by_id(json_t *list, const char *id)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		if (streq(doc_string(entry, "Id"), id))
			return entry;
	}
	return NULL;
}

int remote_stat(struct client *c, const char *pod, const char *ctr, json_t **ret,
		struct cgfs_err *reterr)
{
	json_t *answer, *entry;
	int r;

	r = remote_call(c, MSG_EXT_LIST_PODS, NULL, NULL, NULL, 0, &answer, reterr);
	if (r < 0)
		return r;
	entry = by_id(json_object_get(answer, "Pods"), pod);
	if (!entry)
		r = cgfs_err_set(reterr, -ENOENT, NULL, NULL, NULL, "there is no pod \"%s\"", pod);
	else if (*ctr && !(entry = by_id(json_object_get(entry, "Containers"), ctr)))
		r = cgfs_err_set(reterr, -ENOENT, NULL, NULL, NULL,
				 "there is no container \"%s\" in pod \"%s\"", ctr, pod);
	if (r == 0)
		r = describe(c, pod, ctr, entry, true, ret, reterr);
	if (r == 0 && !*ret)
		r = cgfs_err_set(reterr, -ENOENT, NULL, NULL, NULL, "it has just been removed");
	json_decref(answer);
	return r;
}

/* Waits for the container's first process, which has been killed. */
static int await_end(struct client *c, const char *pod, const char *ctr, struct cgfs_err *reterr)
{
	json_t *answer, *entry;
	uint64_t pid;
	int r;

	r = remote_call(c, MSG_EXT_LIST_PODS, NULL, NULL, NULL, 0, &answer, reterr);
	if (r < 0)
		return r;
	entry = by_id(json_object_get(answer, "Pods"), pod);
	entry = by_id(json_object_get(entry, "Containers"), ctr);
	pid = doc_number(entry, "Pid");
	json_decref(answer);
	if (!pid)
		return 0;
	return remote_call(c, MSG_WAIT_FOR_PROCESS, ctr,
			   json_pack("{s:I, s:i}", "ProcessId", (json_int_t)pid, "TimeoutInMs",
				     KILL_TIMEOUT_MS),
			   NULL, 0, NULL, reterr);
}

int remote_remove(struct client *c, const char *pod, const char *ctr, struct cgfs_err *reterr)
{
	int r;

	if (!*ctr)
		return remote_call(c, MSG_EXT_DELETE_POD, NULL, json_pack("{s:s}", "PodId", pod),
				   NULL, 0, NULL, reterr);

	/* A refusal means that there is nothing to kill; what else is wrong, delete will say. */
	r = remote_call(c, MSG_SHUTDOWN_FORCED, ctr, NULL, NULL, 0, NULL, reterr);
	if (r == 0)
		r = await_end(c, pod, ctr, reterr);
	if (r < 0 && client_hresult(c) == HR_OK)
		return r;
	return remote_call(c, MSG_DELETE_STATE, ctr, NULL, NULL, 0, NULL, reterr);
}

int remote_subscribe(struct client *c, struct cgfs_err *reterr)
{
	return remote_call(c, MSG_EXT_SUBSCRIBE_EVENTS, NULL, NULL, NULL, 0, NULL, reterr);
}

int remote_event(struct client *c, int timeout_ms, json_t **ret, struct cgfs_err *reterr)
{
	uint32_t type;
	json_t *body;
	int r;

	for (;;) {
		r = client_notification(c, timeout_ms, &type, &body, reterr);
		if (r == -ETIMEDOUT)
			return 0;
		if (r < 0)
			return r;
		if (type == MSG_EXT_EVENT_NOTIFICATION && json_object_get(body, "Event"))
			break;
		json_decref(body); /* a container's exit, for instance */
	}
	*ret = json_incref(json_object_get(body, "Event"));
	json_decref(body);
	return 1;
}
