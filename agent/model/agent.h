/* SPDX-License-Identifier: MIT */
/*
 * agent.h - the agent as its parts see it.
 *
 * A request comes in through service/, is carried out by container.c, pod.c or process.c, perhaps
 * with the help of the runtime, and is answered when it is done.  Nothing waits.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/base/aside.h"
#include "agent/base/dirs.h"
#include "agent/base/files.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/stream/stream.h"

#include <cgfs/base.h>

struct bridge;
struct cgfs;
struct conn;
struct container;
struct process;
struct reading;
struct reply;
struct request;
struct runtime;

/* A deletion is answered by then, also when a container has not ended; the deletion continues. */
#define END_ANSWER_MS 9000

/* What the model reports to the host, in the form of service/. */
struct words {
	void (*created)(struct request *rq);
	void (*started)(struct request *rq, pid_t pid);
	void (*exited)(struct request *rq, uint32_t code);
	/* Reports to @to that @c has exited.  0, or a negative errno. */
	int (*notify)(const struct container *c, struct conn *to);
};

struct agent {
	const struct words *words;
	const char *state_dir;
	uint64_t reserve_bytes;	       /* of the machine's memory, not for pods */
	char oom_score[OOM_SCORE_MAX]; /* with which the agent was started: containers begin so */
	bool v4;		       /* false: every request is refused */
	struct log log;
	struct loop *loop;
	struct bridge *bridge;
	struct cgfs *cgfs;
	struct runtime *runtime;
	struct streams streams;
	struct hash containers; /* by id; all of them, in pods or not */
	struct hash pods;	/* by id */
	struct hash foreign;	/* see foreign.c, by id */
	struct dirs dirs;	/* what we made outside of cgroupfs */
	struct process *externals;
	size_t n_externals;
	uint64_t exits;	       /* of containers, counted */
	struct loop_fd events; /* of libcgfs */
	struct past *past;     /* of the service: the last events; NULL: none yet */
	struct loop_timer refresh;
	bool device_policy;	   /* eBPF decides on devices */
	uint64_t root_limit_bytes; /* the last that was applied; 0: none */
	uint64_t root_limit_next;  /* that a child applies; see memory.c */
	struct aside root_limit_child;
	pid_t root_limit_parent;
	struct reply *root_limit_replies; /* due when it has */
	struct reading *reading;	  /* of the service: lists of processes under way */
	int state_lock;			  /* see state.c; -EBADF: not taken */
	bool left_alone;		  /* something of an earlier agent was not adopted */
	bool ready;			  /* libcgfs and the runtime are open */
	bool stopping;			  /* all pods are being deleted, and no more are made */
	struct request *held, *held_last; /* came before we were ready */
	/* A pod or a container is gone. */
	void (*emptied)(struct agent *a);
	/* Ends the machine, @now or when its processes have ended; NULL: that is not ours to do. */
	void (*power_off)(struct agent *a, bool now);
};

/* --- memory.c: the limit of the pods root --------------------------------------------------- */

/* The machine's memory less the reserve. */
int memory_limit(const struct agent *a, uint64_t *ret, struct cgfs_err *err);
/* Applies it, and goes on doing so. */
void memory_begin(struct agent *a);
/* The same when the host asks for it, which is answered. */
void memory_refresh(struct agent *a, struct request *rq);
void memory_end(struct agent *a);
/* A pod is about to be made: when it is the only one, the root may be a new one. */
void memory_first_pod(struct agent *a);

#endif
