/* SPDX-License-Identifier: MIT */
/*
 * dirs.h - the journal of the directories, files and sockets that this agent, or one before it with
 * the same state directory, made: nothing else is removed.
 */
#ifndef AGENT_DIRS_H
#define AGENT_DIRS_H

#include "agent/base/hash.h"

#include <errno.h>
#include <stdbool.h>

struct dirs {
	struct hash made;
	int fd; /* of the journal; -EBADF: there is none yet, and what is noted is lost at a kill */
};

#define DIRS_INIT                                                                                  \
	{                                                                                          \
		.fd = -EBADF                                                                       \
	}

/* Begins the journal in the directory @path, which is made: reads what an earlier agent noted
 * there, and notes what has been made before.  0, or a negative errno. */
int dirs_open(struct dirs *d, const char *path);
/* mkdir -p, 0700; the directories that did not exist are ours. */
int dirs_make(struct dirs *d, const char *path);
/* Binds the socket @fd to @path. */
int dirs_bind(struct dirs *d, int fd, const char *path);
/* Makes the file @path, which all may read.  -EEXIST: there is one. */
int dirs_write(struct dirs *d, const char *path, const char *text);
/* Is what is at @path now what we made there? */
bool dirs_ours(const struct dirs *d, const char *path);
/* @path and what is above it is used on; dirs_make() says so, too. */
void dirs_keep(struct dirs *d, const char *path);
/* Removes what an earlier agent made and this one does not use; directories only if empty. */
void dirs_sweep(struct dirs *d);
/* Removes @path when it is ours and, a directory, empty. */
bool dirs_remove(struct dirs *d, const char *path);
/* Removes @path and its parents as long as they are. */
void dirs_remove_up(struct dirs *d, const char *path);
/* Forgets what was noted; with @remove what is ours and empty is removed, and the journal. */
void dirs_close(struct dirs *d, bool remove);

#endif
