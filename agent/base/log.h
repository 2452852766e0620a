/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line for each thing that happened, as key=value or as JSON.
 */
#ifndef AGENT_LOG_H
#define AGENT_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Numbered as syslog numbers them; the text form starts with "<n>". */
enum log_level {
	LOG_ERROR = 3,
	LOG_WARNING = 4,
	LOG_INFO = 6,
	LOG_DEBUG = 7,
};

struct log {
	int fd;
	enum log_level level;
	bool json;
	uint64_t dropped; /* lines that the reader of @fd had no room for */
};

/* Accepts what logrus accepts ("trace", "warn", "fatal" ...).  0, or -EINVAL. */
int log_level_parse(const char *text, enum log_level *ret);

/* @...: pairs of key and value, both const char *, ended by NULL.  A NULL value leaves the pair
 * out.  Never blocks: a line that cannot be written now is counted and dropped. */
void log_write(struct log *l, enum log_level level, const char *msg, ...) __attribute__((sentinel));

/* Now, as lines begin with it. */
#define LOG_TIME_MAX 64
void log_time(char text[LOG_TIME_MAX]);
/* Would a line be written now? */
bool log_has_room(const struct log *l);

/* A number as a value: LOG_NUM(pid). */
static inline const char *log_number(char *buf, size_t len, long long n)
{
	snprintf(buf, len, "%lld", n);
	return buf;
}
#define LOG_NUM(n) log_number((char[24]){ 0 }, 24, (long long)(n))

#endif
