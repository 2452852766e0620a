/* SPDX-License-Identifier: MIT */
/*
 * world.h - an agent of our own: its socket, pods root, pins, state and a root file system; and
 * the requests that tests make of it.  The agent is agent_main() in a child, so that a sanitizer
 * sees it too.
 */
#ifndef TESTS_AGENT_WORLD_H
#define TESTS_AGENT_WORLD_H

#include "agent/wire/client.h"
#include "tests/kit/kit.h"
#include "tests/tap.h"

#include <stdbool.h>
#include <sys/types.h>

/* No wait of a test is longer; none is a measurement. */
#define WORLD_MS 200000

struct world {
	pid_t agent;
	struct kit kit;
	const char *dir, *root, *pins; /* the kit's */
	char socket[128];	       /* "unix:..." */
	bool alone;		       /* no agent was started */
	bool kernel;		       /* makes cgroups and containers: root only */
	struct client *c;	       /* negotiated */
};

/* Setups: an agent that needs no privilege (no eBPF, and no container may be made), and a
 * whole one, which skips where a container cannot be run.  *state becomes the world. */
int world_plain(void **state);
int world_kernel(void **state);
/* Names, and no agent. */
int world_alone(void **state);
/* What the first two do before they start the agent. */
int world_files(void **state);
int world_files_kernel(void **state);
/* SIGTERM; checks that the agent exits with 0 and that nothing is left anywhere. */
int world_stop(void **state);

/* Tests of `struct world *w`, after one of these setups. */
#define WORLD_TEST(name, how)                                                                      \
	TAP_TEST_OF(struct world *w, name, .setup = (how), .teardown = world_stop)
#define PLAIN_TEST(name)  WORLD_TEST(name, world_plain)
#define KERNEL_TEST(name) WORLD_TEST(name, world_kernel)
#define ALONE_TEST(name)  WORLD_TEST(name, world_alone)

/* Called in the agent's process before it starts. */
extern void (*world_child_hook)(void);

/* The parts of the above.  @args: more options, NULL-terminated. */
void world_start_agent(struct world *w, const char *const *args);
struct client *world_connect(struct world *w, bool negotiate);
/* What is left of the agent's groups, pins and directories, counted; prints it. */
size_t world_leftovers(const struct world *w);
/* How many mounts of its directory have @part in their path? */
size_t world_mounts(const struct world *w, const char *part);
/* Kills the agent, and starts and connects to the next one. */
void world_kill_agent(struct world *w);
/* Is there a memory controller in any hierarchy that is mounted?  Asks the kernel's files. */
bool world_has_memory(struct world *w);
void world_need_memory(struct world *w);

/* One request that must succeed; its answer, which the caller releases. */
json_t *world_call(struct world *w, uint32_t type, json_t *body);
void world_do(struct world *w, uint32_t type, json_t *body);
/* One request that must be refused with @hr. */
void world_refuse(struct world *w, uint32_t type, json_t *body, uint32_t hr);

/* Create: a container's OCI specification.  @pod NULL: standalone; equal to @id: sandbox.
 * @script: for /bin/sh -c; NULL: wait until SIGTERM. */
json_t *world_spec(const struct world *w, const char *id, const char *pod, const char *script,
		   json_t *resources);
json_t *world_create_body(const struct world *w, const char *id, json_t *spec);
void world_create(struct world *w, const char *id, const char *pod, const char *script);
pid_t world_start(struct world *w, const char *id);
uint32_t world_wait(struct world *w, const char *id, pid_t pid);
/* ExecuteProcess with these ProcessParameters, and its process. */
json_t *world_execute_body(const char *id, const char *params);
pid_t world_execute(struct world *w, const char *id, const char *params);
void world_delete(struct world *w, const char *id);
/* Creates and starts a container, waits for its end, deletes it; the exit code. */
uint32_t world_run(struct world *w, const char *id, json_t *spec);
/* One figure of a container's statistics, "memory/usage/limit"; -1: it is not there.  Numbers up
 * to 2^64 - 1 are real ones to the JSON library. */
double world_figure(struct world *w, const char *id, const char *path);
/* The exit notification of a container, which must be the next one. */
void world_exit_type(struct world *w, const char *id, const char *type);
/* A client that receives events; the next one of it must be this. */
struct client *world_subscribe(struct world *w);
void world_event(struct client *sub, const char *type, const char *pod, const char *container);

#endif
