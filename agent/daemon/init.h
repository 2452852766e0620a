/* SPDX-License-Identifier: MIT */
/*
 * init.h - the agent as process 1 of a machine.
 */
#ifndef AGENT_INIT_H
#define AGENT_INIT_H

#include <cgfs/base.h>
#include <stdbool.h>

struct log;

/* How the machine goes down: processes have time to end, or they have none. */
enum init_ending {
	INIT_POWER_OFF,
	INIT_RESTART,
	INIT_POWER_OFF_NOW,
};

/* Is this process 1, of the machine and not of a container?  Where nothing has mounted /proc yet,
 * process 1 does so here. */
bool init_is_first(void);
/* Is it the name of a way to mount cgroups? */
bool init_knows_layout(const char *layout);
/* Mounts what is not mounted, loads the image's modules.  @layout: v1, hybrid, mixed or v2; NULL:
 * v2, or what is mounted already.  What the agent can do without is logged; else a negative
 * errno. */
int init_begin(const char *layout, struct log *log, struct cgfs_err *reterr);
/* Ends all processes, and the machine.  Returns to no process 1; to another one a negative errno.
 */
int init_end(enum init_ending how);

#endif
