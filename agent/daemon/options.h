/* SPDX-License-Identifier: MIT */
/*
 * options.h - the command line.
 */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include "agent/base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_LISTEN_MAX 8
#define OPTIONS_UNSAID	   UINT64_MAX

struct options {
	/* the reference's */
	bool v4;
	bool use_inouterr;
	const char *log_level;
	const char *log_format;
	const char *log_file;
	uint64_t kmsg_log_level; /* OPTIONS_UNSAID: forward none */
	uint64_t root_mem_reserve_bytes;
	uint64_t gcs_mem_limit_bytes; /* 0: no cgroup of its own */
	const char *core_dump_location;
	bool disable_time_sync;
	bool scrub_logs;
	const char *initial_policy_stance;
	/* ours */
	const char *listen[OPTIONS_LISTEN_MAX];
	size_t n_listen;
	const char *dial; /* NULL: no host is called */
	const char *local_socket;
	bool no_local_socket;
	const char *root;
	const char *state_dir;
	const char *runtime;
	const char *pin_dir;
	bool no_bpf;
	bool memory_accounting;
	const char *cgroups; /* NULL: not said */
	bool delete_on_exit;
	bool power_off;
	bool help;
	bool version;
	/* what was given and does nothing here: bits by place in the table */
	uint32_t ignored;
};

#define OPTIONS_WHY_MAX 160

/* Go's style: one or two dashes, -x=v or -x v, a bool takes no separate value.
 * 0; or -EINVAL with one line in @why. */
int options_parse(struct options *o, int argc, char **argv, char why[OPTIONS_WHY_MAX]);
void options_help(FILE *out);
/* Calls @fn with the name of each option that was given and has no effect. */
void options_ignored(const struct options *o, void (*fn)(void *ctx, const char *name), void *ctx);

#endif
