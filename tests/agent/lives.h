/* SPDX-License-Identifier: MIT */
/*
 * lives.h - random lives of pods and containers: what the driver knows of each, the requests that
 * it makes, the answers; and what is there of an agent when it has nothing to do.
 */
#ifndef TESTS_AGENT_LIVES_H
#define TESTS_AGENT_LIVES_H

#include "host.h"

enum {
	CONNS = 4,
	SLOTS = 5, /* of a connection: a sandbox or pod, three workloads, one without a pod */
	PENDING = 1024,
	SINKS = 64,
	EXTERNALS = 8,
	FIRST_PORT = 0x40000100,
	ROUND = 60, /* steps from one time of rest to the next */
};

enum state { ABSENT, CREATED, RUNNING, ENDED, UNKNOWN };

struct slot {
	char id[40], pod[40];
	enum state state;
	uint32_t busy;	     /* the request that changes it, and has no answer yet */
	bool plain;	     /* a pod without a sandbox */
	bool doomed;	     /* its pod is being deleted */
	bool stopping;	     /* it has been told to end */
	bool notified, late; /* @late: a notification of it may have been lost */
	pid_t pid, exec;
	uint32_t code; /* what @exec ends with */
};

struct pending {
	uint64_t id;
	uint32_t type;
	int conn;
	struct slot *slot;
	char life[40]; /* the slot's id then */
	bool init;     /* ExecuteProcess of init */
	pid_t pid;
	uint32_t code;
};

/* The far end of a stream: reads what comes, or not before the lives end. */
struct sink {
	int fd;
	uint32_t port; /* 0: a descriptor that came with the request */
	bool listens, deaf;
};

struct lives {
	struct world *w;
	struct client *conn[CONNS]; /* the first is the one that the agent has made */
	struct slot slot[CONNS][SLOTS];
	struct pending pending[PENDING];
	struct sink sink[SINKS];
	pid_t external[EXTERNALS];
	size_t n_pending;
	uint64_t next_id, random;
	uint32_t next_port;
	unsigned int begun, kills, drops, execs, refused;
};

extern struct lives lives;

/* --- lives_ask.c --- */

/* 0 to @n - 1, by the seed. */
unsigned int lives_chance(unsigned int n);
bool lives_one_in(unsigned int n);
/* Each sends one request. */
void lives_create(int conn, int i);
void lives_start(int conn, struct slot *s);
void lives_exec(int conn, struct slot *s);
void lives_external(int conn);
void lives_wait_for(int conn, struct slot *s, pid_t pid, uint32_t code);
void lives_signal_to(int conn, struct slot *s, pid_t pid, int sig);
void lives_ask_properties(int conn, struct slot *s);
void lives_constrain(int conn, struct slot *s);
void lives_delete_pod(int conn, struct slot *s);
/* One more step on the way to nothing. */
void lives_end(int conn, struct slot *s);
/* The agent calls a port again when the host has gone from it. */
void sink_again(struct sink *s);
/* Takes what has come. */
void sink_turn(struct sink *s);

/* --- lives_answer.c --- */

/* Takes what has come over all connections and streams; waits for something for up to @ms.  false:
 * nothing has come. */
bool lives_turn(int ms);

/* --- lives_idle.c --- */

struct idle {
	size_t descriptors, children, cgroups, pins, files, mounts;
	size_t kib; /* of its own memory */
};

struct idle idle_of(const struct world *w);
/* Waits until nothing but memory is more than in @before; prints and fails when that does not
 * come. */
void idle_await(const struct world *w, const struct idle *before);
/* Each directory below the root, in each hierarchy, is that of a pod or a container which the agent
 * lists, and each of those has one. */
void lives_check_tree(struct world *w, struct client *c);

#endif
