/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - the terminal of a command that runs without a podctl: a process holds its master, and
 * lends it to one podctl at a time.
 */
#ifndef PODCTL_KEEPER_H
#define PODCTL_KEEPER_H

#include "agent/podctl/args/args.h"

/* A socket for the container of this cgroup id, to which another podctl connects; a negative errno:
 * none will be able to. */
int keeper_listen(uint64_t cgroup_id);
/* The calling process, which has been forked for it, keeps @master of the command @pid until the
 * command has closed its terminal.  @listener: from keeper_listen(), or negative. */
__attribute__((noreturn)) void keeper_run(uint64_t cgroup_id, int listener, int master, pid_t pid);

/* Borrows the master, until *ret_loan is closed, and says whose it is.  -ENOENT: none is kept;
 * -EBUSY: it is lent. */
int keeper_borrow(uint64_t cgroup_id, int *ret_master, int *ret_loan, pid_t *ret_pid,
		  struct cgfs_err *reterr);
/* The size of its window. */
int keeper_resize(uint64_t cgroup_id, unsigned int columns, unsigned int rows,
		  struct cgfs_err *reterr);

#endif
