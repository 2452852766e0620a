/* SPDX-License-Identifier: MIT */
/*
 * machine.h - what the agent does for the machine beside its pods.
 */
#ifndef AGENT_MACHINE_H
#define AGENT_MACHINE_H

#include <cgfs/base.h>

#include "agent/daemon/clock.h"
#include "agent/daemon/kmsg.h"
#include "agent/daemon/own.h"

struct agent;
struct options;

/* Embedded; zeroed. */
struct machine {
	struct kmsg kmsg;
	struct own own;
	struct clock clock;
};

/* NULL: it stays. */
int machine_core_pattern(const char *pattern, struct cgfs_err *err);
/* The rest, without which pods are served all the same: what fails is logged. */
void machine_begin(struct machine *m, struct agent *a, const struct options *o);
void machine_end(struct machine *m);

#endif
