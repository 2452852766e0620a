/* SPDX-License-Identifier: MIT */
/*
 * host.h - a whole agent on the fake, for fuzzers: it forks nothing, signals no process, and
 * outside its state directory it makes and removes directories in a book alone.
 */
#ifndef FUZZ_HOST_H
#define FUZZ_HOST_H

#include "agent/model/agent.h"
#include "tests/fake/fake.h"

struct host {
	struct fake *f;
	struct agent a;
};

/* An agent that is ready, before it looks at the state of another. */
void host_open(struct host *h, enum cgfs_layout layout);
/* The client's end of a connection. */
int host_connect(struct host *h);
/* Runs the loop, the runtime and the ends of processes until nothing is to be done. */
void host_settle(struct host *h);
/* Deletes everything and ends.  Aborts when that is not all. */
void host_close(struct host *h);

/* A file in the state directory, with its directories. */
void host_file(const char *name, const void *data, size_t len);
/* Was it gone?  It is now, with its directory if that is empty. */
bool host_gone(const char *name);

/* How many directories outside there are that the agent made. */
size_t host_outside(void);
/* The @i-th directory outside that it wanted to remove and had not made; NULL: there is none. */
const char *host_strayed(size_t i);

#endif
