/* SPDX-License-Identifier: MIT */
/*
 * describe.h - what answers have about one pod or container.
 */
#ifndef AGENT_DESCRIBE_H
#define AGENT_DESCRIBE_H

#include "cgfs/base/json_out.h"
#include <jansson.h>

#include <sys/types.h>

struct cgfs_err;
struct cgfs_group;
struct container;
struct request;

struct pids {
	pid_t *pid; /* release with free() */
	size_t n;
};

/* The processes of @g and of what is below it, ascending; -E2BIG: that is more than @max_cgroups.
 */
int describe_pids(struct cgfs_group *g, size_t max_cgroups, struct pids *ret,
		  struct cgfs_err *reterr);
/* The member Processes: those above @after, as far as there are @room bytes.  NextProcess is the
 * last that had some, where there are more. */
void describe_processes(struct json_out *o, const struct pids *pids, uint64_t after, size_t room);
/* The member Labels, where there are any. */
void describe_labels(struct json_out *o, const json_t *labels);
/* The members State, Pid and ExitCode. */
void describe_state(struct json_out *o, const struct container *c);

/* Answers that reading has failed with @r: a group that goes meanwhile is not found. */
void describe_failed(struct request *rq, int r, const struct cgfs_err *err);

#endif
