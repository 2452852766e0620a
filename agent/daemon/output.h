/* SPDX-License-Identifier: MIT */
/*
 * output.h - where the agent writes its log, and its last words.
 */
#ifndef AGENT_OUTPUT_H
#define AGENT_OUTPUT_H

#include "agent/base/log.h"

#include <cgfs/base.h>

struct options;

int output_open(struct log *log, const struct options *o, struct cgfs_err *err);
/* After a program has rotated the log file.  Without a file of its own (@path NULL) the agent has
 * nothing to open, and the signal that a lost terminal sends does not end it. */
void output_reopen(struct log *log, const char *path);
/* What there is to say before the log file can be opened goes to stderr. */
struct log output_early(const struct options *o);
/* What ends the agent, on stderr. */
void output_fatal(int argc, char **argv, const char *text);

#endif
