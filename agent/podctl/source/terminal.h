/* SPDX-License-Identifier: MIT */
/*
 * terminal.h - the terminal of a command: podctl holds its master, and passes on what is typed and
 * what is printed.
 */
#ifndef PODCTL_TERMINAL_H
#define PODCTL_TERMINAL_H

#include <poll.h>
#include <termios.h>

#include "agent/podctl/args/args.h"

struct terminal {
	int master;	/* -EBADF: there is none */
	bool input;	/* what is typed is passed on */
	bool raw;	/* podctl's own terminal was changed */
	bool left;	/* the detach keys were typed */
	bool keys_only; /* there is no master: only the detach keys matter */
	int loan; /* the master is borrowed until this is closed; -EBADF: it is podctl's own */
	/* Of the command, for the podctl that borrows it; cgroup_id 0: none can. */
	uint64_t cgroup_id;
	pid_t pid;
	bool in_line; /* what was typed last does not end a line */
	struct termios saved;
	unsigned char keys[16];
	size_t n_keys, n_typed; /* typed: of them, so far */
	/* Typed, and not written to the master yet. */
	char typed[4096 + 16];
	size_t have, off;
};

#define TERMINAL_INIT                                                                              \
	{                                                                                          \
		.master = -EBADF, .loan = -EBADF                                                   \
	}

/* "ctrl-p,ctrl-q", "ctrl-a,d"; "none": there are none. */
int terminal_keys(struct terminal *t, const char *text, struct cgfs_err *reterr);

/* Both ends of a new terminal, which is not yet the controlling terminal of any process. */
int terminal_pair(int *ret_master, int *ret_slave, struct cgfs_err *reterr);
/* Makes the calling process, which is no leader of a group, a session with that terminal. */
int terminal_adopt(int slave);

/* The socket to which an OCI runtime sends the master. */
struct terminal_socket {
	int fd, dir_fd;
	char dir[64], path[80];
};
int terminal_listen(struct terminal_socket *s, struct cgfs_err *reterr);
int terminal_receive(struct terminal_socket *s, int timeout_ms, int *ret_master,
		     struct cgfs_err *reterr);
void terminal_unlisten(struct terminal_socket *s);

/* Takes @master over; what is typed goes there from now on, if @input. */
int terminal_begin(struct terminal *t, int master, bool input, struct cgfs_err *reterr);
/* For a command without a terminal: the detach keys are taken from podctl's own, if it has one. */
int terminal_watch(struct terminal *t, struct cgfs_err *reterr);
/* The window of the command gets the size of podctl's own. */
void terminal_resize(const struct terminal *t);
#define TERMINAL_FDS 2
/* What to wait for.  Nothing when there is no terminal. */
void terminal_poll(const struct terminal *t, struct pollfd fds[TERMINAL_FDS]);
void terminal_handle(struct terminal *t, const struct pollfd fds[TERMINAL_FDS]);
/* What the command has printed before its end. */
void terminal_drain(struct terminal *t);
/* Podctl's own terminal becomes what it was.  With t->left the master goes back to its keeper; to a
 * new one, where it was podctl's own. */
void terminal_end(struct terminal *t);

#endif
