/* SPDX-License-Identifier: MIT */
/*
 * load.h - requests that are sent while others are under way, and how long another connection
 * waits meanwhile.
 */
#ifndef TESTS_AGENT_LOAD_H
#define TESTS_AGENT_LOAD_H

#include "world.h"

json_t *load_of(const char *id);
void load_nap(void);
/* Sends a request and does not wait for its answer. */
void load_send(struct client *c, uint32_t type, uint64_t id, json_t *body);
/* The next answer: its id, and its result. */
uint64_t load_receive(struct client *c, uint32_t *ret_hr);
double load_now(void);
/* What another connection asks is answered; the longest that it took. */
double load_ask(struct world *w, struct client *other, int n);
/* Cgroups below a container's, each in the one before, in as many hierarchies as it may be in; how
 * many there are. */
size_t load_make_deep(const struct world *w, const char *path, int n, int hierarchies);
json_t *load_create_body(struct world *w, const char *id, const char *pod, const char *script,
			 json_t *resources);

#endif
