/* SPDX-License-Identifier: MIT */
/*
 * members.c - what several messages have in common: an id, descriptors, JSON in a string.
 */
#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/shape.h"
#include "agent/bridge/bridge.h"
#include "agent/model/container.h"
#include "agent/runtime/spec.h"
#include "agent/service/message.h"
#include "agent/wire/label.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

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

static bool take_fds(struct request *rq, int fds[3])
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

/* The host is asked for its ports later, if at all. */
static enum spec_far_end far_end(const struct request *rq, bool console, const int fds[3])
{
	if (console)
		return SPEC_CONSOLE;
	return fds[0] >= 0 || fds[1] >= 0 || fds[2] >= 0 ||
			       (rq->conn && !conn_state(rq->conn)->observer)
		       ? SPEC_HOST
		       : SPEC_NO_FAR_END;
}

bool message_labels(struct request *rq, json_t **ret)
{
	struct cgfs_err err = { 0 };
	char why[JSON_WHY_MAX];
	int r;

	if (!json_get_object(rq->body, "Labels", ret, why)) {
		message_bad_json(rq, why);
		return false;
	}
	r = *ret ? labels_check(*ret, &err) : 0;
	if (r < 0)
		request_fail(rq, r == -ENOMEM ? HR_FAIL : HR_INVALID_ARG, "%s", err.text);
	if (!json_object_size(*ret))
		*ret = NULL;
	return r == 0;
}

bool message_streams(struct request *rq, struct container_streams *ret, int fds[3])
{
	char why[JSON_WHY_MAX];
	const char *console;
	bool log;

	if (!take_fds(rq, fds))
		return false;
	if (!json_get_string(rq->body, "ConsoleSocket", &console, why) ||
	    !json_get_bool(rq->body, "Log", &log, why)) {
		message_bad_json(rq, why);
	} else if (*console && (!rq->conn || !spec_path_ok(console, 1))) {
		request_fail(rq, HR_INVALID_ARG,
			     "ConsoleSocket \"%.200s\" is not an absolute, plain path", console);
	} else if (*console && (fds[0] >= 0 || fds[1] >= 0 || fds[2] >= 0)) {
		request_fail(rq, HR_INVALID_ARG, "ConsoleSocket and StdioFds exclude each other");
	} else if (*console && log) {
		request_fail(rq, HR_INVALID_ARG, "ConsoleSocket and Log exclude each other");
	} else {
		*ret = (struct container_streams){ .fds = fds,
						   .console = *console ? console : NULL,
						   .log = log,
						   .far_end = far_end(rq, *console, fds) };
		return true;
	}
	close_fds(fds);
	return false;
}

json_t *message_embedded(struct request *rq, const json_t *in, const char *name, const char *shape)
{
	char why[JSON_WHY_MAX];
	const char *text;
	json_t *j;

	if (!json_get_string(in, name, &text, why)) {
		message_bad_json(rq, why);
		return NULL;
	}
	j = json_parse_object(text, strlen(text), why);
	if (j && !shape_fits(j, shape, why)) {
		json_decref(j);
		j = NULL;
	}
	if (!j)
		request_fail(rq, HR_INVALID_JSON,
			     "failed to unmarshal JSON for %s: HRESULT %#x: %s", name,
			     HR_INVALID_JSON, why);
	return j;
}
