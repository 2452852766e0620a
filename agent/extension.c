/* SPDX-License-Identifier: MIT */
/*
 * extension.c - the messages that the reference does not have; docs/protocol-extensions.md.
 */
#include "../cgfs/internal.h"
#include "agent.h"
#include "json.h"

/* Room for what comes around a list. */
#define LIST_MAX (FRAME_SIZE_MAX - 2048)

/* false: @rq has been answered. */
static bool get_string(struct request *rq, const char *name, const char **ret)
{
	char why[JSON_WHY_MAX];

	if (json_get_string(rq->body, name, ret, why))
		return true;
	request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: %s", HR_INVALID_JSON, why);
	return false;
}

static json_t *container_json(const struct container *c)
{
	json_t *j =
		json_pack("{s:o, s:s}", "Id", json_text(c->id), "State", container_state_name(c));

	if (c->init)
		json_object_set_new(j, "Pid", json_integer(c->init->pid));
	if (c->init && c->init->exited)
		json_object_set_new(j, "ExitCode", json_integer((json_int_t)c->init->code));
	if (c->group)
		json_object_set_new(j, "CgroupPath", json_text(cgfs_group_path(c->group)));
	return j;
}

static json_t *pod_json(const struct pod *p)
{
	json_t *list = json_array();

	for (const struct container *c = p->containers; c; c = c->pod_next)
		json_array_insert_new(list, 0, container_json(c));
	return json_pack("{s:o, s:o, s:o}", "Id", json_text(p->id), "CgroupPath",
			 json_text(cgfs_group_path(p->group)), "Containers", list);
}

static json_t *standalone_json(const struct container *c)
{
	return json_pack("{s:o, s:o, s:b, s:[o]}", "Id", json_text(c->id), "CgroupPath",
			 json_text(c->group ? cgfs_group_path(c->group) : ""), "Standalone", 1,
			 "Containers", container_json(c));
}

/* false: it does not fit any more; @pod's reference is taken either way. */
static bool append(json_t *pods, json_t *pod, size_t *room)
{
	auto_free char *text = pod ? json_dumps(pod, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) + 1 : SIZE_MAX;

	if (len > *room) {
		json_decref(pod);
		return false;
	}
	*room -= len;
	json_array_append_new(pods, pod);
	return true;
}

void extension_list_pods(struct agent *a, struct request *rq)
{
	json_t *answer = json_object(), *pods = json_array();
	size_t room = LIST_MAX;
	bool all = true;

	for (struct table_node *n = table_next(&a->pods, NULL); n && all;
	     n = table_next(&a->pods, n))
		all = append(pods, pod_json(container_of(n, struct pod, node)), &room);
	for (struct table_node *n = table_next(&a->containers, NULL); n && all;
	     n = table_next(&a->containers, n)) {
		const struct container *c = container_of(n, struct container, node);

		if (!c->pod)
			all = append(pods, standalone_json(c), &room);
	}
	json_object_set_new(answer, "Pods", pods);
	if (!all)
		json_object_set_new(answer, "Truncated", json_true());
	request_answer(rq, answer);
}

/* NULL: @rq has been answered. */
static struct cgfs_group *find_group(struct agent *a, struct request *rq, const char *pod,
				     const char *container)
{
	struct table_node *node = table_find(&a->containers, *container ? container : pod);
	struct container *c = node ? container_of(node, struct container, node) : NULL;
	struct pod *p = *pod ? pod_find(a, pod) : NULL;

	if (!*container && p)
		return p->group;
	if (c && c->group && (!*pod || streq(pod, c->pod ? c->pod->id : c->id)))
		return c->group;
	request_fail(rq, HR_SYSTEM_NOT_FOUND, "there is no pod \"%.255s\"%s%.255s%s", pod,
		     *container ? " with a container \"" : "", container, *container ? "\"" : "");
	return NULL;
}

/* All, or as much of it as a message holds: the kernel's own counters go first, then the lists. */
static int stats_text(struct cgfs_group *g, bool all, char **ret, bool *ret_truncated,
		      struct cgfs_err *reterr)
{
	const unsigned int what[] = { CGFS_READ_ALL, CGFS_READ_ALL & ~CGFS_READ_NATIVE };
	struct cgfs_stats stats;
	int r;

	for (size_t i = 0; all && i < ARRAY_SIZE(what); i++) {
		r = cgfs_group_json(g, what[i], ret, reterr);
		if (r < 0 || strlen(*ret) <= LIST_MAX)
			return r;
		free(*ret);
		*ret = NULL;
		*ret_truncated = true;
	}
	r = cgfs_group_stats(g, CGFS_READ_ALL, &stats, reterr);
	return r < 0 ? r : cgfs_stats_json(&stats, ret);
}

void extension_pod_stats(struct agent *a, struct request *rq)
{
	bool all = false, truncated = false;
	char why[JSON_WHY_MAX];
	auto_free char *text = NULL;
	const char *pod, *container;
	struct cgfs_err err = { 0 };
	struct cgfs_group *g;
	json_t *answer;
	int r;

	if (!get_string(rq, "PodId", &pod) || !get_string(rq, "ContainerId", &container))
		return;
	if (!json_get_bool(rq->body, "All", &all, why)) {
		request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: %s", HR_INVALID_JSON, why);
		return;
	}
	g = find_group(a, rq, pod, container);
	if (!g)
		return;
	r = stats_text(g, all, &text, &truncated, &err);
	if (r < 0) {
		request_fail_err(rq, r, &err);
		return;
	}
	answer = json_pack("{s:o}", "Stats", json_loads(text, 0, NULL));
	if (truncated)
		json_object_set_new(answer, "Truncated", json_true());
	request_answer(rq, answer);
}

void extension_subscribe(struct agent *a, struct request *rq)
{
	(void)a;
	if (rq->conn)
		conn_state(rq->conn)->events = true;
	request_answer(rq, NULL);
}

void extension_delete_pod(struct agent *a, struct request *rq)
{
	const char *pod;

	if (get_string(rq, "PodId", &pod))
		pod_delete(a, rq, pod);
}

void extension_create_pod(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	auto_free char *text = NULL;
	struct cgfs_resources *res = NULL;
	struct cgfs_err err = { 0 };
	bool exact = false;
	json_t *resources;
	struct pod *pod;
	const char *id;
	size_t defaults;
	int r;

	if (!get_string(rq, "PodId", &id))
		return;
	if (!json_get_object(rq->body, "Resources", &resources, why) ||
	    !json_get_bool(rq->body, "ExactDevices", &exact, why)) {
		request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: %s", HR_INVALID_JSON, why);
		return;
	}
	if (pod_find(a, id) || table_find(&a->containers, id)) {
		request_fail(rq, HR_SYSTEM_EXISTS, "pod %s already exists", id);
		return;
	}
	/* Absent is empty: the default devices, which somebody must keep. */
	text = resources ? json_dumps(resources, JSON_COMPACT) : strdup("{}");
	r = text ? cgfs_id_check(id, &err) : -ENOMEM;
	if (r == 0)
		r = cgfs_resources_from_oci(text, strlen(text), &res, &err);
	/* The devices that OCI appends stand last: without them the list is what was asked. */
	if (r == 0 && res && exact) {
		(void)cgfs_device_defaults(&defaults);
		res->n_devices -= defaults;
	}
	if (r == 0)
		r = pod_create(a, id, res, false, &pod, &err);
	cgfs_resources_free(res);
	if (r < 0)
		request_fail_err(rq, r, &err);
	else
		request_answer(rq, json_pack("{s:o}", "CgroupPath",
					     json_text(cgfs_group_path(pod->group))));
}
