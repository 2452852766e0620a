/* SPDX-License-Identifier: MIT */
/*
 * process.h - what can be waited for: inits, added processes, external ones.
 */
#ifndef AGENT_PROCESS_H
#define AGENT_PROCESS_H

#include "agent/base/loop.h"

struct agent;
struct container;
struct relay;
struct request;
struct stream_ports;

struct waiter;

struct process {
	struct process *next;
	struct agent *a;
	struct container *c; /* NULL: external, in the utility VM itself */
	struct waiter *waiters;
	struct loop_child child;
	struct loop_fd pidfd; /* of an adopted one, which is not our child; else not in the loop */
	pid_t pid;
	uint64_t started; /* as the kernel counts: a pid that comes again differs */
	bool exited;
	bool reported;	     /* it has exited, and its streams have been read: waits are answered */
	uint32_t code;	     /* status, or 128 + signal */
	struct relay *relay; /* of its streams; NULL: it got descriptors, or none */
};

/* Of a process that ended while no agent could reap it. */
#define PROCESS_CODE_UNKNOWN 0xffffffffu

/* A process that has just been found out about; it may have ended already. */
struct process *process_new(struct agent *a, struct container *c, pid_t pid);
/* Begins to watch; process_exited() may be called from within. */
void process_watch(struct process *p);
/* The same for one of an earlier agent: pid and started are set.  false: it has ended. */
bool process_adopt(struct process *p);
/* 0, or a negative errno; never hits another process that got the same pid. */
int process_kill(const struct process *p, int sig);
/* Reports the exit, if there was one, without waiting for output that is in the streams.  @p may be
 * gone afterwards. */
void process_drop_streams(struct process *p);
void process_free(struct process *p); /* its waiters are answered 0xc037010e */
/* Answers @rq now or later.  @p is gone afterwards when it was not an init and has been reaped. */
void process_wait(struct process *p, struct request *rq, uint32_t timeout_ms);
/* After a connection has ended: its answers have no receiver. */
void process_drop_waiters(struct process *p);

/* --- external.c: a process in the utility VM itself ------------------------------------------ */

struct external {
	char **argv, **envp; /* ended by NULL; both and cwd are on the heap */
	char *cwd;	     /* "": the agent's own */
	bool terminal;
};
/* Starts it and answers @rq, once @ports of the host are connected.  Takes over what is in @e; @fds
 * that are open are its streams, or, for a terminal, the other side of it. */
void external_start(struct agent *a, struct request *rq, struct external *e,
		    const struct stream_ports *ports, int fds[3]);
struct process *external_find(struct agent *a, uint32_t pid);

#endif
