/* SPDX-License-Identifier: MIT */
/*
 * log.h - the file in which an agent keeps what a container prints, read as it grows.
 */
#ifndef PODCTL_LOG_H
#define PODCTL_LOG_H

#include "agent/podctl/args/args.h"

/* One record: a line, or with @partial the beginning of one. */
struct log_record {
	const char *time; /* as it stands in the file */
	size_t time_len;
	int64_t ns;
	bool error; /* of standard error */
	bool partial;
	const char *text;
	size_t len;
};

struct log_file;

int log_open(const char *path, struct log_file **ret, struct cgfs_err *reterr);
void log_close(struct log_file *l);
/* Reads on.  The records since the last call, in order, as text that is valid until the next one;
 * the number of bytes, 0: there are none, or a negative errno. */
ssize_t log_more(struct log_file *l, const char **ret_text, struct cgfs_err *reterr);
/* Takes the first record off; false: there is none. */
bool log_next(const char **text, size_t *len, struct log_record *ret);
/* Readable when there may be more. */
int log_fd(const struct log_file *l);
void log_seen(const struct log_file *l);

#endif
