/* SPDX-License-Identifier: MIT */
/*
 * request.c - from a frame to a request with a JSON body, and from an answer to a frame.
 * Knows the members that all messages share; nothing of what a message means.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "../cgfs/internal.h"
#include "conn.h"
#include "json.h"

#define MESSAGE_MAX 4096 /* an ErrorMessage, in bytes */

struct conn_state *conn_state(struct conn *c)
{
	return &c->state;
}

uint64_t conn_id(const struct conn *c)
{
	return c->id;
}

int conn_take_fds(struct conn *c, int *fds, size_t n)
{
	if (n > c->n_fds)
		return -ENOENT;
	memcpy(fds, c->fds, n * sizeof(*fds));
	c->n_fds -= n;
	memmove(c->fds, c->fds + n, c->n_fds * sizeof(*fds));
	return 0;
}

int conn_notify(struct conn *c, uint32_t type, const json_t *body, bool droppable)
{
	auto_free char *text = json_dumps(body, JSON_COMPACT);

	if (!text)
		return -ENOMEM;
	return conn_send(c, type, 0, text, strlen(text), droppable);
}

void conn_forget(struct request *rq)
{
	if (!rq->conn)
		return;
	*rq->prev = rq->next;
	if (rq->next)
		rq->next->prev = rq->prev;
	rq->conn->n_requests--;
	rq->conn = NULL;
}

static void request_free(struct request *rq)
{
	conn_forget(rq);
	json_decref(rq->body);
	free(rq);
}

/* --- answering ------------------------------------------------------------------------------ */

/* Sends Result, ActivityId and @members.  Does not free the request. */
static int send_answer(struct request *rq, uint32_t hr, bool activity, json_t *members)
{
	auto_free char *text = NULL;
	json_t *body;

	if (!rq->conn)
		return 0;
	body = json_pack("{s:i}", "Result", (int)(int32_t)hr);
	if (!body)
		return -ENOMEM;
	if (activity && rq->activity)
		json_object_set_new(body, "ActivityId", json_text(rq->activity));
	if (members)
		json_object_update(body, members);
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (!text)
		return -ENOMEM;
	return conn_send(rq->conn, PROTOCOL_RESPONSE(rq->type), rq->id, text, strlen(text), false);
}

static json_t *error_members(uint32_t hr, const char *text)
{
	return json_pack("{s:o, s:[{s:i, s:o, s:s, s:s, s:I}]}", "ErrorMessage", json_text(text),
			 "ErrorRecords", "Result", (int)(int32_t)hr, "Message", json_text(text),
			 "ModuleName", "gcs", "FileName", "", "Line", (json_int_t)UINT32_MAX);
}

static void fail_text(struct request *rq, uint32_t hr, const char *text)
{
	json_t *members = error_members(hr, text);

	/* Too long: the ActivityId is, for the text is bounded. */
	if (send_answer(rq, hr, true, members) == -EMSGSIZE)
		(void)send_answer(rq, hr, false, members);
	json_decref(members);
	request_free(rq);
}

void request_answer(struct request *rq, json_t *members)
{
	int r = send_answer(rq, HR_OK, true, members);

	json_decref(members);
	if (r == -EMSGSIZE)
		fail_text(rq, HR_FAIL, "the answer is longer than a message may be");
	else
		request_free(rq);
}

void request_fail(struct request *rq, uint32_t hr, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_text(rq, hr, text);
}

void request_fail_code(struct request *rq, uint32_t hr)
{
	request_fail(rq, hr, "HRESULT: %#x", hr);
}

void request_fail_err(struct request *rq, int code, const struct cgfs_err *err)
{
	uint32_t hr = protocol_hresult_from_errno(code);

	if (err && err->code)
		request_fail(rq, hr, "%s", err->text);
	else
		request_fail(rq, hr, "%s", strerror(-code));
}

/* --- beginning ------------------------------------------------------------------------------ */

void request_begin(struct conn *c, const struct frame_header *h, const char *body,
		   void (*fn)(void *ctx, struct request *rq), void *ctx)
{
	struct request *rq = calloc(1, sizeof(*rq));
	char why[JSON_WHY_MAX] = "";

	if (!rq) {
		c->dead = true;
		conn_arm(c);
		return;
	}
	rq->type = h->type;
	rq->id = h->id;
	rq->conn = c;
	rq->next = c->requests;
	rq->prev = &c->requests;
	if (rq->next)
		rq->next->prev = &rq->next;
	c->requests = rq;
	c->n_requests++;

	rq->body = json_parse_object(body, h->size - FRAME_HEADER_SIZE, why);
	if (rq->body) {
		const char *activity = json_string_value(json_member(rq->body, "ActivityId"));

		rq->activity = activity && *activity ? activity : NULL;
	}
	if (c->n_requests > CONN_REQUESTS_MAX)
		request_fail(rq, HR_FAIL, "more than %d requests are waiting for their answers",
			     CONN_REQUESTS_MAX);
	else if (!rq->body && protocol_name(h->type) && c->state.version > 0)
		request_fail(rq, HR_INVALID_JSON,
			     "failed to unmarshal JSON in message: HRESULT %#x: %s",
			     HR_INVALID_JSON, why);
	else
		fn(ctx, rq);
}
