/* SPDX-License-Identifier: MIT */
/*
 * owner.h - who uses a pods root: one agent, or any number of podctls without one.
 */
#ifndef COMMON_OWNER_H
#define COMMON_OWNER_H

#include <cgfs/host.h>
#include <stdbool.h>

#define OWNER_DEFAULT_SOCKET "/run/cgfs/agent.sock"
#define OWNER_PATH_MAX	     108 /* as a socket's address has room for */

struct owner {
	int fd;		  /* -EBADF: nothing is held */
	size_t socket_at; /* in the record */
	char record[OWNER_PATH_MAX];
	char socket[OWNER_PATH_MAX]; /* the local socket of an agent on this root, by default */
};

#define OWNER_INIT                                                                                 \
	{                                                                                          \
		.fd = -EBADF                                                                       \
	}

/* Takes @root (NULL: the default), @alone or shared, until owner_release() or the process's death;
 * its children do not inherit it.  -EADDRINUSE: another process has it, which the error names.
 * Where there can be no record (an ordinary user, /run for reading only) nothing is taken: fd
 * stays -EBADF, and the caller says so. */
int owner_take(struct owner *o, const struct cgfs_mounts *mounts, const char *root, bool alone,
	       struct cgfs_err *reterr);
/* Records the socket at which the owner @o answers; "": none. */
int owner_serves(struct owner *o, const char *socket, struct cgfs_err *reterr);
void owner_release(struct owner *o);
/* The agent that owns @root now, and its socket ("": it serves none).  false: none. */
bool owner_find(const struct cgfs_mounts *mounts, const char *root, pid_t *ret_pid,
		char ret_socket[OWNER_PATH_MAX]);

#endif
