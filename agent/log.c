/* SPDX-License-Identifier: MIT */
/*
 * log.c - formats and writes log lines.  Knows nothing of what they are about.
 */
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../cgfs/internal.h"

#define LINE_MAX_BYTES 4096

struct line {
	char buf[LINE_MAX_BYTES];
	size_t len;
};

static const struct {
	const char *name;
	enum log_level level;
} names[] = {
	{ "panic", LOG_ERROR },	    { "fatal", LOG_ERROR },  { "error", LOG_ERROR },
	{ "warning", LOG_WARNING }, { "warn", LOG_WARNING }, { "info", LOG_INFO },
	{ "debug", LOG_DEBUG },	    { "trace", LOG_DEBUG },
};

int log_level_parse(const char *text, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(names[i].name, text) == 0) {
			*ret = names[i].level;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_ERROR:
		return "error";
	case LOG_WARNING:
		return "warning";
	case LOG_INFO:
		return "info";
	default:
		return "debug";
	}
}

/* Room is kept for the end of the line, so that a long value is cut but the line stays whole. */
static void put(struct line *l, const char *s, size_t n)
{
	size_t room = sizeof(l->buf) - 8 - l->len;

	if (n > room)
		n = room;
	memcpy(l->buf + l->len, s, n);
	l->len += n;
}

static void put_text(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* What a log line must not contain raw: quotes, back-slashes, control characters. */
static void put_quoted(struct line *l, const char *s)
{
	put(l, "\"", 1);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char esc[8];

		if (sizeof(l->buf) - 16 < l->len)
			break; /* an escape is never cut in half */
		if (c == '"' || c == '\\') {
			esc[0] = '\\';
			esc[1] = (char)c;
			put(l, esc, 2);
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(esc, sizeof(esc), "\\u%04x", c);
			put(l, esc, 6);
		} else {
			put(l, s, 1);
		}
	}
	put(l, "\"", 1);
}

static bool plain(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s == 0x7f)
			return false;
	}
	return true;
}

static void put_pair(struct line *l, bool json, const char *key, const char *value)
{
	if (json) {
		put_text(l, ",\"");
		put_text(l, key);
		put_text(l, "\":");
		put_quoted(l, value);
		return;
	}
	put_text(l, " ");
	put_text(l, key);
	put_text(l, "=");
	if (plain(value))
		put_text(l, value);
	else
		put_quoted(l, value);
}

static void put_head(struct line *l, bool json, enum log_level level)
{
	struct timespec ts;
	struct tm tm;
	char stamp[64];
	char head[128];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(stamp + n, sizeof(stamp) - n, ".%06ldZ", ts.tv_nsec / 1000);
	if (json)
		snprintf(head, sizeof(head), "{\"time\":\"%s\",\"level\":\"%s\"", stamp,
			 level_name(level));
	else
		snprintf(head, sizeof(head), "<%d>time=%s level=%s", level, stamp,
			 level_name(level));
	put_text(l, head);
}

static void emit(struct log *log, struct line *l)
{
	struct pollfd p = { .fd = log->fd, .events = POLLOUT };

	l->buf[l->len++] = '\n';
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT) ||
	    write(log->fd, l->buf, l->len) != (ssize_t)l->len)
		log->dropped++;
}

void log_write(struct log *log, enum log_level level, const char *msg, ...)
{
	struct line l = { .len = 0 };
	const char *key;
	va_list ap;

	if (level > log->level || log->fd < 0)
		return;

	put_head(&l, log->json, level);
	put_pair(&l, log->json, "msg", msg);
	va_start(ap, msg);
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);

		if (value)
			put_pair(&l, log->json, key, value);
	}
	va_end(ap);
	if (log->json)
		l.buf[l.len++] = '}';
	emit(log, &l);
}
