/* SPDX-License-Identifier: MIT */
/*
 * job.h - one run of the runtime for a container, and the request that waits for it.
 */
#ifndef AGENT_JOB_H
#define AGENT_JOB_H

#include <stddef.h>

#include "agent/runtime/runtime.h"

struct container;
struct container_streams;
struct process;
struct relay;
struct request;

struct job {
	struct container *c;
	struct request *rq;
	unsigned int serial;
	char *pid_file, *log, *process;
	char *console;	     /* where the runtime sends the terminal; NULL: there is none */
	bool console_ours;   /* and is the relay's */
	struct relay *relay; /* of the process that is made; NULL: none */
	int fds[3];	     /* its streams; -EBADF: /dev/null */
	bool starts;	     /* init, which was there before */
	void (*done)(void *ctx, int code, const char *why);
};

/* NULL: no memory. */
struct job *job_new(struct container *c, struct request *rq);
void job_free(struct job *j);
/* The process gets a terminal: the far end is a ConsoleSocket, sockets that were passed (which the
 * job takes over on success), or to be connected. */
int job_terminal(struct job *j, const struct container_streams *streams);
/* The process's streams. */
void job_take_fds(struct job *j, int fds[3]);
int job_run(struct job *j, enum runtime_verb verb,
	    void (*then)(void *ctx, int code, const char *why));
/* The process that a run has left behind, with its relay; NULL with @why. */
struct process *job_process(struct job *j, char *why, size_t len);

#endif
