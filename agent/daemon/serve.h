/* SPDX-License-Identifier: MIT */
/*
 * serve.h - the transports of the command line.
 */
#ifndef AGENT_SERVE_H
#define AGENT_SERVE_H

struct agent;
struct bridge_ops;
struct cgfs_err;
struct options;

/* Makes the agent's bridge, and has it listen, call the host, and use stdin and stdout, as the
 * options say. */
int serve_open(struct agent *a, const struct options *o, const struct bridge_ops *ops,
	       struct cgfs_err *err);

#endif
