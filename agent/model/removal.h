/* SPDX-License-Identifier: MIT */
/*
 * removal.h - the cgroups of a pod or a container go, however many the container made below them.
 */
#ifndef AGENT_REMOVAL_H
#define AGENT_REMOVAL_H

#include <cgfs/cgfs.h>

#include "agent/base/aside.h"

/* Embedded; zeroed before. */
struct removal {
	struct aside aside;
	struct cgfs_group *group;
	bool begun;
	bool many; /* cgroups were there, below it or below what was in it */
	/* It failed, or could not begin. */
	void (*failed)(void *ctx, int error, const char *message);
	void *ctx;
};

/* Begins to remove @g.  Either @failed is called, perhaps at once, or CGFS_EVENT_REMOVED comes, and
 * removal_over() is to be asked. */
void removal_begin(struct removal *rm, struct loop *loop, struct cgfs_group *g,
		   void (*failed)(void *ctx, int error, const char *message), void *ctx);
/* Is it over with @error?  Else it goes on, since there are too many for the loop. */
bool removal_over(struct removal *rm, int error);
/* The owner goes, or the agent stops. */
void removal_drop(struct removal *rm);

#endif
