/* SPDX-License-Identifier: MIT */
/*
 * freezer.h - stops and lets go the processes of a group: cgroup2's files and v1's controller side
 * by side; see freezer.c.
 */
#ifndef CGFS_CONTROLLER_FREEZER_H
#define CGFS_CONTROLLER_FREEZER_H

#include "cgfs/tree/dir.h"

enum frozen { NOT_FROZEN, FREEZING, FROZEN };

struct freezer {
	const char *file, *freeze, *thaw; /* what is written, and where */
	const char *shown;		  /* the file that has the state */
	enum frozen (*state)(const char *text);
	/* v1: asking again is what freezes those that were missed, and a process that is frozen
	 * does not die of a signal.  cgroup2 announces in @shown when all stand still. */
	bool again;
};

/* cgroup2's where there is such a tree, else v1's; NULL: there is none. */
const struct freezer *freezer_of(const struct cgfs *c);
/* v1's; NULL: it is not on this host. */
const struct freezer *freezer_v1(const struct cgfs *c);

int freezer_write(struct cgfs_group *g, const struct freezer *f, bool freeze,
		  struct cgfs_err *reterr);
int freezer_state(struct cgfs_group *g, const struct freezer *f, enum frozen *ret,
		  struct cgfs_err *reterr);
/* Without its directory in one hierarchy the group is not frozen there: @r, or 0. */
int freezer_lost(struct cgfs_group *g, const struct freezer *f, int r);
/* Does a process that joins the group stop?  False where that cannot be determined. */
bool freezer_stops(struct cgfs_group *g);
/* v1: takes a process that was killed out of the group in which it is frozen, so that it dies. */
void freezer_let_out(struct cgfs *c, pid_t pid);

#endif
