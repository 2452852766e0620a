/* SPDX-License-Identifier: MIT */
/*
 * kmsg.c - follows /dev/kmsg.  The kernel's buffer is the only one: what is not read in time is
 * overwritten there, which is counted and logged.
 */
#include "agent/daemon/kmsg.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/base/log.h"
#include "cgfs/base/util.h"

/* The longest record of any kernel. */
#define RECORD_MAX 8192
/* However fast the kernel writes, requests and the agent's own lines have their turn. */
#define ROUND_MAX  32
#define PAUSE_MS   20
#define FULL_MS	   500 /* when the log's reader does not read */

static enum log_level level_of(unsigned int priority)
{
	if (priority <= 3)
		return LOG_ERROR;
	return priority <= 5 ? LOG_WARNING : priority == 6 ? LOG_INFO : LOG_DEBUG;
}

/* "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,...];TEXT", then lines with more of the device. */
static void forward(struct kmsg *k, char *record)
{
	static const char *const names[] = { "Emerg",	"Alert",  "Crit", "Err",
					     "Warning", "Notice", "Info", "Debug" };
	unsigned long long head, seq, usec;
	char *text = strchr(record, ';'), *at = record, *flags;

	if (text)
		*text++ = '\0';
	head = strtoull(at, &at, 10);
	seq = *at == ',' ? strtoull(at + 1, &at, 10) : 0;
	usec = *at == ',' ? strtoull(at + 1, &at, 10) : 0;
	if (!text || *at != ',') {
		log_write(k->log, LOG_ERROR, "failed to parse kmsg entry", "line", record, NULL);
		return;
	}
	if (k->next && seq > k->next)
		log_write(k->log, LOG_WARNING, "kmsg entry overwritten; skipping entry", "count",
			  LOG_NUM(seq - k->next), NULL);
	k->next = seq + 1;
	if ((head & 7) > k->level)
		return;
	flags = at + 1;
	flags[strcspn(flags, ",")] = '\0';
	text[strcspn(text, "\n")] = '\0';
	log_write(k->log, level_of(head & 7), "kmsg read", "priority", names[head & 7], "facility",
		  LOG_NUM(head >> 3), "seq", LOG_NUM(seq), "timesincebootmicro", LOG_NUM(usec),
		  "flags", flags, "message", text, NULL);
}

static void on_record(void *ctx, uint32_t events)
{
	char record[RECORD_MAX + 1];
	uint64_t pause = PAUSE_MS;
	struct kmsg *k = ctx;
	ssize_t n;

	for (int i = 0; i < ROUND_MAX; i++) {
		/* It can wait in the kernel, where there is more room than in a pipe. */
		if (!log_has_room(k->log)) {
			pause = FULL_MS;
			break;
		}
		n = read(k->in.fd, record, RECORD_MAX);
		/* -EPIPE: the next ones are overwritten, of which the number tells. */
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			log_write(k->log, LOG_ERROR, "kmsg read failure", "error",
				  n < 0 ? strerror(errno) : "it has ended", NULL);
			kmsg_end(k);
			return;
		}
		record[n] = '\0';
		forward(k, record);
	}
	if (loop_timer_set(k->loop, &k->pause, pause) == 0)
		ignore(loop_set(k->loop, &k->in, 0));
}

static void go_on(void *ctx)
{
	struct kmsg *k = ctx;

	if (loop_set(k->loop, &k->in, EPOLLIN) < 0)
		kmsg_end(k);
}

void kmsg_follow(struct kmsg *k, struct loop *loop, struct log *log, uint64_t level, int fd)
{
	*k = (struct kmsg){ .loop = loop, .log = log, .level = level };
	k->in = (struct loop_fd){ .fn = on_record, .ctx = k, .fd = fd };
	k->pause = (struct loop_timer){ .fn = go_on, .ctx = k };
	go_on(k);
}

void kmsg_begin(struct kmsg *k, struct loop *loop, struct log *log, uint64_t level)
{
	const char *path = "/dev/kmsg", *why = NULL;
	struct stat st;
	int fd;

	/* Each line would be the next message. */
	if (fstat(log->fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 11))
		why = "the log goes to the kernel";
	fd = why ? -EBADF : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		log_write(log, LOG_WARNING, "kernel messages are not forwarded", "file", path,
			  "error", why ? why : strerror(errno), NULL);
	else
		kmsg_follow(k, loop, log, level, fd);
}

void kmsg_end(struct kmsg *k)
{
	if (!k->loop)
		return;
	loop_timer_clear(k->loop, &k->pause);
	ignore(loop_set(k->loop, &k->in, 0));
	close(k->in.fd);
	*k = (struct kmsg){ 0 };
}
