/* SPDX-License-Identifier: MIT */
/*
 * reply.c - answers that are due when something is gone.
 */
#include "agent/bridge/reply.h"

#include <stdlib.h>

#include "agent/bridge/bridge.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

static void reply_send(struct request *rq, uint32_t hr, const char *text)
{
	if (hr == HR_OK)
		request_answer(rq);
	else
		request_fail(rq, hr, "%s", text);
}

void reply_add(struct reply **list, struct request *rq, uint32_t hr, const char *text)
{
	struct reply *r;

	if (!rq)
		return;
	r = calloc(1, sizeof(*r));
	if (r && text)
		r->text = strdup(text);
	if (!r || (text && !r->text)) {
		free(r);
		reply_send(rq, hr != HR_OK ? hr : HR_FAIL, text ? text : "out of memory");
		return;
	}
	r->rq = rq;
	r->hr = hr;
	while (*list)
		list = &(*list)->next;
	*list = r;
}

void reply_all(struct reply **list, int error, const char *message)
{
	while (*list) {
		struct reply *r = *list;

		*list = r->next;
		if (r->hr == HR_OK && error)
			request_fail(r->rq, HR_FAIL, "%s: %s", strerror(-error), message);
		else
			reply_send(r->rq, r->hr, r->text ? r->text : "");
		free(r->text);
		free(r);
	}
}
