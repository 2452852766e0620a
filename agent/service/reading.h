/* SPDX-License-Identifier: MIT */
/*
 * reading.h - lists of processes that take so long to read that the loop cannot wait for them.
 */
#ifndef AGENT_READING_H
#define AGENT_READING_H

#include "agent/service/describe.h"

struct agent;
struct cgfs_err;
struct cgfs_group;
struct request;

/* So many cgroups below one are looked into by the loop itself. */
#define READING_CGROUPS_MAX 256u

/* The processes of @g, ascending.  -EINPROGRESS: it has too many cgroups below it; a child process
 * lists them, @rq comes again, and the caller just returns.  *ret is to be freed. */
int reading_pids(struct agent *a, struct request *rq, struct cgfs_group *g, struct pids *ret,
		 struct cgfs_err *err);
/* The agent stops: those that wait are refused. */
void reading_free(struct agent *a);

#endif
