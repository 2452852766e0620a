/* SPDX-License-Identifier: MIT */
/*
 * log.c - formats and writes log lines.  Knows nothing of what they are about.
 */
#include "agent/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgfs/base/text.h"
#include "cgfs/base/util.h"

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
static void append(struct line *l, const char *s, size_t n)
{
	size_t room = sizeof(l->buf) - 8 - l->len;

	if (n > room)
		n = room;
	memcpy(l->buf + l->len, s, n);
	l->len += n;
}

static void put_text(struct line *l, const char *s)
{
	append(l, s, strlen(s));
}

/* What a log line must not contain raw: quotes, back-slashes, and what a terminal must not see. */
static void put_quoted(struct line *l, const char *s)
{
	append(l, "\"", 1);
	/* Neither an escape nor a character is cut in half. */
	while (*s && l->len <= sizeof(l->buf) - 24) {
		char escaped[TEXT_ESCAPED_MAX];
		size_t n = cgfs_text_plain(s), room = sizeof(l->buf) - 24 - l->len;

		append(l, s, n < room ? n : room);
		s += n;
		if (!*s || n >= room)
			break;
		s += cgfs_text_escape(s, escaped);
		put_text(l, escaped);
	}
	append(l, "\"", 1);
}

static bool plain(const char *s)
{
	if (!*s)
		return false;
	while (*s) {
		size_t n = cgfs_text_plain(s);
		uint32_t c;
		bool shown = true;

		if (memchr(s, ' ', n) || memchr(s, '=', n) || s[n] == '"' || s[n] == '\\')
			return false;
		s += n;
		if (*s)
			s += cgfs_text_next(s, &c, &shown);
		if (!shown)
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

void log_time(char text[LOG_TIME_MAX])
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(text, LOG_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, LOG_TIME_MAX - n, ".%06ldZ", ts.tv_nsec / 1000);
}

static void put_head(struct line *l, bool json, enum log_level level)
{
	char stamp[LOG_TIME_MAX];
	char head[128];

	log_time(stamp);
	if (json)
		snprintf(head, sizeof(head), "{\"time\":\"%s\",\"level\":\"%s\"", stamp,
			 level_name(level));
	else
		snprintf(head, sizeof(head), "<%d>time=%s level=%s", level, stamp,
			 level_name(level));
	put_text(l, head);
}

bool log_has_room(const struct log *log)
{
	struct pollfd p = { .fd = log->fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static void emit(struct log *log, struct line *l)
{
	l->buf[l->len++] = '\n';
	if (!log_has_room(log) || write(log->fd, l->buf, l->len) != (ssize_t)l->len)
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
