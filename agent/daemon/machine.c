/* SPDX-License-Identifier: MIT */
/*
 * machine.c - puts together what the agent does for the machine beside its pods.
 */
#include "agent/daemon/machine.h"

#include "agent/base/files.h"
#include "agent/daemon/options.h"
#include "agent/model/agent.h"
#include "cgfs/base/util.h"

int machine_core_pattern(const char *pattern, struct cgfs_err *err)
{
	const char *path = "/proc/sys/kernel/core_pattern";
	int r = pattern ? files_write(path, pattern) : 0;

	return r < 0 ? cgfs_err_set(err, r, "write", path, pattern, NULL) : 0;
}

void machine_begin(struct machine *m, struct agent *a, const struct options *o)
{
	if (o->kmsg_log_level != OPTIONS_UNSAID)
		kmsg_begin(&m->kmsg, a->loop, &a->log, o->kmsg_log_level);
	if (o->gcs_mem_limit_bytes)
		own_begin(&m->own, a->loop, &a->log, a->cgfs, o->gcs_mem_limit_bytes);
	if (o->dial && !o->disable_time_sync)
		clock_begin(&m->clock, a);
}

void machine_end(struct machine *m)
{
	kmsg_end(&m->kmsg);
	own_end(&m->own);
	clock_end(&m->clock);
}
