/* SPDX-License-Identifier: MIT */
/*
 * output.c - what a container prints that no other process reads: kept in a bounded file, line by
 * line with time and stream, in the form that kubelets know ("TIME stdout F TEXT"; P: the line goes
 * on).
 *
 * The container has its ends of the two FIFOs for reading as well.  So it is not killed by SIGPIPE
 * while there is no agent: it waits when a FIFO is full, and the next agent reads on.  Nothing is
 * kept in memory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "cgfs/base/util.h"

/* A file of this size is moved to "output.log.1", in the place of the one before. */
#define FILE_BYTES (1u << 20)
#define READ_BYTES 16384

struct pipe {
	struct loop_fd in; /* -EBADF: closed by the container */
	const char *stream;
	struct output *o;
};

struct output {
	struct container *c;
	struct pipe pipe[2];
	char *path, *old;
	int file; /* -EBADF: not now */
	uint64_t size;
	bool failed; /* it was reported */
};

static void report(struct output *o, const char *what)
{
	if (!o->failed)
		log_write(&o->c->a->log, LOG_WARNING, "output of a container is lost", "container",
			  o->c->id, "path", o->path, "what", what, "error", strerror(errno), NULL);
	o->failed = true;
}

static bool file_open(struct output *o)
{
	int begin = 0;
	struct stat st;

	if (o->file >= 0 && o->size >= FILE_BYTES) {
		close(take_fd(&o->file));
		/* It stays bounded all the same. */
		if (rename(o->path, o->old) < 0) {
			report(o, "rename");
			begin = O_TRUNC;
		}
	}
	if (o->file < 0) {
		o->file =
			open(o->path,
			     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | begin, 0600);
		o->size = o->file >= 0 && fstat(o->file, &st) == 0 ? (uint64_t)st.st_size : 0;
	}
	if (o->file < 0)
		report(o, "open");
	return o->file >= 0;
}

/* Records, in the buffer of the caller. */
struct records {
	struct output *o;
	char text[READ_BYTES];
	size_t n;
};

/* What cannot be written is lost: the container is not held up for it. */
static void records_flush(struct records *r)
{
	size_t off = 0;
	ssize_t n;

	while (off < r->n && file_open(r->o)) {
		n = write(r->o->file, r->text + off, r->n - off);
		if (n < 0) {
			report(r->o, "write");
			break;
		}
		off += (size_t)n;
		r->o->size += (size_t)n;
		r->o->failed = false;
	}
	r->n = 0;
}

static void records_add(struct records *r, const char *text, size_t len)
{
	while (len > 0) {
		size_t n = sizeof(r->text) - r->n;

		n = n < len ? n : len;
		memcpy(r->text + r->n, text, n);
		r->n += n;
		text += n;
		len -= n;
		if (r->n == sizeof(r->text))
			records_flush(r);
	}
}

static int stamp(char *buf, size_t len, const char *stream)
{
	struct timespec now;
	struct tm tm;
	char seconds[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	return snprintf(buf, len, "%s.%09ldZ %s ", seconds, now.tv_nsec, stream);
}

static void keep(struct output *o, const char *stream, const char *text, size_t len)
{
	struct records r = { .o = o };
	char head[64];
	int n = stamp(head, sizeof(head), stream);

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		records_add(&r, head, (size_t)n);
		records_add(&r, end ? "F " : "P ", 2);
		records_add(&r, text, line);
		records_add(&r, "\n", 1);
		line += end != NULL;
		text += line;
		len -= line;
	}
	records_flush(&r);
}

static void pipe_close(struct pipe *p)
{
	struct output *o = p->o;

	if (p->in.fd < 0)
		return;
	(void)loop_set(o->c->a->loop, &p->in, 0);
	close(take_fd(&p->in.fd));
	/* A reader that follows the file sees that nothing more comes. */
	if (o->pipe[0].in.fd < 0 && o->pipe[1].in.fd < 0 && o->file >= 0)
		close(take_fd(&o->file));
}

static void on_output(void *ctx, uint32_t events)
{
	char text[READ_BYTES];
	struct pipe *p = ctx;
	ssize_t n = read(p->in.fd, text, sizeof(text));

	if (n > 0)
		keep(p->o, p->stream, text, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		pipe_close(p);
}

static char *file_of(const struct container *c, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", c->dir, name) < 0 ? NULL : path;
}

static char *fifo_of(const struct container *c, int i)
{
	return file_of(c, i ? "stderr" : "stdout");
}

static struct output *output_new(struct container *c)
{
	static const char *const streams[] = { "stdout", "stderr" };
	struct output *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->c = c;
	o->file = -EBADF;
	o->path = file_of(c, "output.log");
	o->old = file_of(c, "output.log.1");
	for (int i = 0; i < 2; i++)
		o->pipe[i] = (struct pipe){ .in = { .fd = -EBADF }, .stream = streams[i], .o = o };
	c->output = o;
	if (!o->path || !o->old) {
		output_free(c);
		return NULL;
	}
	return o;
}

static int pipe_open(struct pipe *p, const char *path)
{
	p->in = (struct loop_fd){ .fn = on_output, .ctx = p, .fd = -EBADF };
	p->in.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	return p->in.fd < 0 ? -errno : loop_set(p->o->c->a->loop, &p->in, EPOLLIN);
}

static int begin_stream(struct output *o, int i, int fds[3])
{
	auto_free char *path = fifo_of(o->c, i);
	int r;

	if (!path)
		return -ENOMEM;
	/* Only its descriptors lead to it: the directory is the agent's.  A command that is another
	 * user opens /dev/stdout with this mode. */
	if (mkfifo(path, 0600) < 0 || chmod(path, 0666) < 0)
		return -errno;
	fds[1 + i] = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fds[1 + i] < 0)
		return -errno;
	r = pipe_open(&o->pipe[i], path);
	return r;
}

int output_begin(struct container *c, int fds[3], struct cgfs_err *err)
{
	struct output *o = output_new(c);
	int r = o ? 0 : -ENOMEM;

	for (int i = 0; r == 0 && i < 2; i++) {
		if (fds[1 + i] < 0)
			r = begin_stream(o, i, fds);
	}
	return r < 0 ? cgfs_err_set(err, r, "keep output", c->dir, NULL, NULL) : 0;
}

void output_drain(struct container *c)
{
	struct output *o = c->output;
	int left;

	for (int i = 0; o && i < 2; i++) {
		struct pipe *p = &o->pipe[i];

		/* Bounded by what a FIFO may have in it: other processes may print on. */
		if (p->in.fd < 0 || ioctl(p->in.fd, FIONREAD, &left) < 0)
			continue;
		for (left += 1; left > 0 && p->in.fd >= 0; left -= READ_BYTES)
			on_output(p, EPOLLIN);
	}
}

void output_adopt(struct container *c)
{
	struct output *o = NULL;

	for (int i = 0; i < 2; i++) {
		auto_free char *path = fifo_of(c, i);

		if (!path || access(path, F_OK) < 0)
			continue;
		o = o ? o : output_new(c);
		if (!o || pipe_open(&o->pipe[i], path) < 0) {
			log_write(&c->a->log, LOG_WARNING, "output of a container is lost",
				  "container", c->id, "path", path, NULL);
			continue;
		}
	}
	/* The other ends may be closed already, which epoll would not report. */
	output_drain(c);
}

const char *output_path(const struct container *c)
{
	return c->output ? c->output->path : NULL;
}

void output_free(struct container *c)
{
	struct output *o = c->output;

	if (!o)
		return;
	for (int i = 0; i < 2; i++)
		pipe_close(&o->pipe[i]);
	if (o->file >= 0)
		close(o->file);
	free(o->path);
	free(o->old);
	free(o);
	c->output = NULL;
}
