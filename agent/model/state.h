/* SPDX-License-Identifier: MIT */
/*
 * state.h - how an agent goes on where another was killed (state.c, adopt.c).
 */
#ifndef AGENT_STATE_H
#define AGENT_STATE_H

#include <cgfs/base.h>

struct agent;
struct container;
struct pod;

/* One agent for one state directory.  -EBUSY. */
int state_lock(struct agent *a, struct cgfs_err *err);
void state_unlock(struct agent *a, bool remove);
int state_save_pod(const struct pod *p, bool made, struct cgfs_err *err);
/* @what will be there, SHARED_...: the next agent knows before this one makes it.  What could not
 * be saved is not noted here either, so that the next attempt saves it. */
int state_share(struct pod *p, unsigned int what, struct cgfs_err *err);
void state_forget_pod(const struct agent *a, const char *id);
bool state_knows_pod(const struct agent *a, const char *id);
int state_save_container(const struct container *c, struct cgfs_err *err);
/* The same after a change; a failure is logged. */
void state_update(const struct container *c);
void adopt_all(struct agent *a);

#endif
