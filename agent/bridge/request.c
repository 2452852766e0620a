/* SPDX-License-Identifier: MIT */
/*
 * request.c - from a frame to a request with a JSON body, and from an answer to a frame.
 * Knows the members that all messages share; nothing of what a message means.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/bridge/bridge.h"
#include "agent/bridge/conn.h"
#include "agent/wire/frame.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/json.h"
#include "cgfs/base/json_out.h"
#include "cgfs/base/util.h"

#define MESSAGE_MAX 4096 /* an ErrorMessage, in bytes */

static void request_free(struct request *rq)
{
	conn_forget(rq);
	if (rq->parked)
		conn_unpark(rq);
	json_decref(rq->body);
	rq->body = NULL;
	free(rq->activity);
	rq->activity = NULL;
	free(rq->kept);
	rq->kept = NULL;
	free(rq->found);
	rq->found = NULL;
	if (rq->in_handler)
		rq->freed = true;
	else
		free(rq);
}

/* --- answering ------------------------------------------------------------------------------ */

static bool begin_answer(struct request *rq, uint32_t hr, bool activity, struct json_out *o)
{
	if (json_out_open(o) < 0)
		return false;
	json_out_object(o, NULL);
	json_out_signed(o, "Result", (int32_t)hr);
	if (activity && rq->activity)
		json_out_string(o, "ActivityId", rq->activity);
	return true;
}

/* Does not free the request. */
static int send_answer(struct request *rq, struct json_out *o)
{
	auto_free char *text = NULL;
	int r;

	json_out_end(o);
	r = json_out_close(o, &text);
	if (r == 0 && rq->parked)
		conn_keep(rq->parked, PROTOCOL_RESPONSE(rq->type), rq->id, text, strlen(text));
	if (r < 0 || !rq->conn)
		return r;
	return conn_send(rq->conn, PROTOCOL_RESPONSE(rq->type), rq->id, text, strlen(text), false);
}

static int send_failure(struct request *rq, uint32_t hr, bool activity, const char *text)
{
	struct json_out o;

	if ((!rq->conn && !rq->parked) || !begin_answer(rq, hr, activity, &o))
		return -ENOMEM;
	json_out_string(&o, "ErrorMessage", text);
	json_out_array(&o, "ErrorRecords");
	json_out_object(&o, NULL);
	json_out_signed(&o, "Result", (int32_t)hr);
	json_out_string(&o, "Message", text);
	json_out_string(&o, "ModuleName", "gcs");
	json_out_string(&o, "FileName", "");
	json_out_number(&o, "Line", UINT32_MAX);
	json_out_end(&o);
	json_out_end(&o);
	return send_answer(rq, &o);
}

static void fail_text(struct request *rq, uint32_t hr, const char *text)
{
	/* Too long: the ActivityId is, for the text is bounded. */
	if (send_failure(rq, hr, true, text) == -EMSGSIZE)
		(void)send_failure(rq, hr, false, text);
	request_free(rq);
}

bool request_answer_begin(struct request *rq, struct json_out *o)
{
	if (begin_answer(rq, HR_OK, true, o))
		return true;
	request_free(rq);
	return false;
}

void request_answer_end(struct request *rq, struct json_out *o)
{
	if (send_answer(rq, o) == -EMSGSIZE)
		fail_text(rq, HR_FAIL, "the answer is longer than a message may be");
	else
		request_free(rq);
}

void request_answer(struct request *rq)
{
	struct json_out o;

	if (request_answer_begin(rq, &o))
		request_answer_end(rq, &o);
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

/* Adds to what the peer makes us hold. */
static void charge(struct request *rq, size_t bytes)
{
	rq->cost += bytes;
	rq->conn->held += bytes;
	rq->conn->b->held += bytes;
}

static bool held_too_much(const struct request *rq)
{
	return rq->conn && (rq->conn->held > CONN_HELD_MAX || rq->conn->b->held > BRIDGE_HELD_MAX);
}

/* Calls the handler.  What the body was parsed into is given back as soon as it returns: a request
 * that waits for something may wait for ever. */
static void handle(struct bridge *b, struct request *rq, const char *why)
{
	rq->in_handler = true;
	b->ops->request(b->ctx, rq, why);
	rq->in_handler = false;
	json_decref(rq->body);
	rq->body = NULL;
	if (rq->freed)
		free(rq);
}

bool request_keep(struct request *rq)
{
	rq->kept = cgfs_json_dump(rq->body, JSON_COMPACT);
	if (rq->kept && rq->conn)
		charge(rq, strlen(rq->kept));
	if (rq->kept && !held_too_much(rq))
		return true;
	request_fail(rq, HR_FAIL, "too much waits for its turn already");
	return false;
}

void request_resume(struct request *rq)
{
	char why[JSON_WHY_MAX];

	rq->body = json_parse_object(rq->kept, strlen(rq->kept), why);
	free(rq->kept);
	rq->kept = NULL;
	if (!rq->conn)
		request_fail(rq, HR_FAIL, "its connection has ended");
	else if (rq->body)
		handle(rq->conn->b, rq, NULL);
	else
		request_fail(rq, HR_FAIL, "out of memory");
}

static void keep_activity(struct request *rq)
{
	const char *activity = json_string_value(json_member(rq->body, "ActivityId"));

	if (!activity || !*activity)
		return;
	rq->activity = strdup(activity);
	charge(rq, strlen(activity));
}

/* An id that an earlier connection's request has: this host is another one, and knows nothing of
 * those. */
static void forget_resumed(struct conn *c, uint64_t id)
{
	struct request *rq = c->requests;

	while (rq && (!rq->resumed || rq->id != id))
		rq = rq->next;
	if (!rq)
		return;
	log_write(c->b->log, LOG_INFO, "another host: what the one before waited for is dropped",
		  "conn", LOG_NUM(c->id), NULL);
	for (struct request *next = c->requests; (rq = next);) {
		next = rq->next;
		if (rq->resumed)
			conn_forget(rq);
	}
	c->resumed = 0;
	c->b->ops->closed(c->b->ctx, NULL);
}

void request_begin(struct conn *c, const struct frame_header *h, const char *body)
{
	struct request *rq = calloc(1, sizeof(*rq));
	char why[JSON_WHY_MAX] = "";

	if (!rq) {
		c->dead = true;
		conn_arm(c);
		return;
	}
	if (c->resumed > 0)
		forget_resumed(c, h->id);
	rq->type = h->type;
	rq->id = h->id;
	rq->cost = sizeof(*rq);
	conn_attach(c, rq);

	rq->body = json_parse_object(body, h->size - FRAME_HEADER_SIZE, why);
	keep_activity(rq);
	if (c->n_requests > CONN_REQUESTS_MAX)
		request_fail(rq, HR_FAIL, "more than %d requests are waiting for their answers",
			     CONN_REQUESTS_MAX);
	else if (held_too_much(rq))
		request_fail(rq, HR_FAIL,
			     "the requests that wait for their answers hold too much "
			     "memory");
	else
		handle(c->b, rq, rq->body ? NULL : why);
}
