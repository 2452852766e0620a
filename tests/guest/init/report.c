// SPDX-License-Identifier: MIT
/*
 * report.c - the records on the second serial port.
 *
 * One record per line; nothing a program prints can look like one, because its output is base64
 * and a space is not:
 *   NONCE begin KERNEL LAYOUT
 *   NONCE run NAME
 *   NONCE out|err BASE64
 *   NONCE left PATH                 a cgroup or a BPF pin that NAME did not remove
 *   NONCE ran NAME exit=N signal=N timeout=0|1 ms=N out=BYTES err=BYTES
 *   NONCE end PROGRAMS
 * Output goes out as it comes, so that what a program printed before a panic is known.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "init.h"

#define STREAM_MAX (1024 * 1024) /* bytes of one program's output that are carried */

static int report_fd = -1;
static const char *nonce = "-";

void report_open(const char *nonce_word)
{
	struct termios t;

	nonce = nonce_word;
	report_fd = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (report_fd < 0 || tcgetattr(report_fd, &t)) {
		say("open", "/dev/ttyS1");
		return;
	}
	cfmakeraw(&t);
	tcsetattr(report_fd, TCSANOW, &t);
	unlink("/dev/ttyS1"); /* no other program is to write there */
}

void report_close(void)
{
	tcdrain(report_fd);
	close(report_fd);
}

static void put(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(report_fd, text, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

void report(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\n';
	put(nonce, strlen(nonce));
	put(" ", 1);
	put(line, (size_t)n + 1);
}

/* Bytes of a stream as one record.  Up to two are held back until the stream ends. */
static void report_bytes(struct stream *s, const uint8_t *data, size_t len, bool last)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[4096 / 3 * 4 + 16], *p = text;
	size_t i = 0;

	while (s->n_held + (len - i) >= 3 || (last && s->n_held + (len - i) > 0)) {
		uint8_t b[3] = { 0 };
		size_t n = 0;
		uint32_t v;

		for (; n < 3 && (s->n_held || i < len); n++) {
			if (s->n_held) {
				b[n] = s->held[0];
				memmove(s->held, s->held + 1, --s->n_held);
			} else {
				b[n] = data[i++];
			}
		}
		v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
		*p++ = digits[v >> 18];
		*p++ = digits[v >> 12 & 63];
		*p++ = n > 1 ? digits[v >> 6 & 63] : '=';
		*p++ = n > 2 ? digits[v & 63] : '=';
	}
	while (i < len)
		s->held[s->n_held++] = data[i++];
	if (p == text)
		return;
	*p++ = '\n';
	put(nonce, strlen(nonce));
	put(" ", 1);
	put(s->tag, strlen(s->tag));
	put(" ", 1);
	put(text, (size_t)(p - text));
}

/* True if there may be more to read. */
bool stream_read(struct stream *s)
{
	uint8_t data[3072];
	ssize_t n = read(s->fd, data, sizeof(data));

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		report_bytes(s, NULL, 0, true);
		close(s->fd);
		s->fd = -1;
		return false;
	}
	if (s->bytes < STREAM_MAX)
		report_bytes(s, data, (size_t)n, false);
	s->bytes += (size_t)n;
	return true;
}

/* What is there yet, without waiting: a process that cannot die may hold the other end. */
void stream_end(struct stream *s)
{
	if (s->fd < 0)
		return;
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	while (stream_read(s))
		;
	if (s->fd < 0)
		return;
	report_bytes(s, NULL, 0, true);
	close(s->fd);
	s->fd = -1;
}
