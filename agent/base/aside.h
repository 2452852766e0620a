/* SPDX-License-Identifier: MIT */
/*
 * aside.h - one call that the kernel may hold up for as long as it likes, made in a child process;
 * the loop goes on, and gets its result.  What the call changes in memory stays with the child.
 */
#ifndef AGENT_ASIDE_H
#define AGENT_ASIDE_H

#include <cgfs/base.h>

#include "agent/base/loop.h"

/* Embedded; zeroed when nothing is under way. */
struct aside {
	struct loop *loop;
	void (*done)(void *ctx, int r, const struct cgfs_err *err);
	void *ctx;
	pid_t pid;
	bool ended, read;
	struct loop_child child;
	struct loop_fd pipe;
	struct aside_verdict *verdict; /* 2 KiB, while a call is under way */
};

/* Has @fn called with @ctx.  @done comes with what it returned; -ECANCELED without an error: it was
 * killed.  0, or a negative errno: then @done does not come. */
int aside_start(struct aside *s, struct loop *loop, int (*fn)(void *ctx, struct cgfs_err *err),
		void (*done)(void *ctx, int r, const struct cgfs_err *err), void *ctx);
/* Ends it; @done still comes. */
void aside_kill(struct aside *s);
/* @done does not come any more; the call goes on. */
void aside_drop(struct aside *s);
/* @done does not come any more, and the call has ended.  Waits for that, for a second at most. */
void aside_stop(struct aside *s);

#endif
