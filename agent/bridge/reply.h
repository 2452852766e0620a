/* SPDX-License-Identifier: MIT */
/*
 * reply.h - answers that are due when something is gone.
 */
#ifndef AGENT_REPLY_H
#define AGENT_REPLY_H

#include "agent/bridge/bridge.h"

/* An answer that is due when something is gone. */
struct reply {
	struct reply *next;
	struct request *rq;
	uint32_t hr; /* HR_OK: success, unless the removal failed */
	char *text;
};

/* Without memory for the reply @rq is answered at once. */
void reply_add(struct reply **list, struct request *rq, uint32_t hr, const char *text);
/* Answers all; those with HR_OK get @error when it is not 0. */
void reply_all(struct reply **list, int error, const char *message);

#endif
