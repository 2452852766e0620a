/* SPDX-License-Identifier: MIT */
/*
 * aside.c - a call in a child process, whose verdict comes by a pipe.  Knows nothing of the call.
 */
#include "agent/base/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgfs/base/util.h"

struct aside_verdict {
	int r;
	struct cgfs_err err;
};

static void over(struct aside *s)
{
	auto_free struct aside_verdict *v = NULL;

	if (!s->ended || !s->read)
		return;
	v = take_ptr(s->verdict);
	s->pid = 0;
	s->done(s->ctx, v->r, &v->err);
}

static void on_end(void *ctx, int status)
{
	struct aside *s = ctx;

	s->ended = true;
	over(s);
}

static void stop_reading(struct aside *s)
{
	if (s->pipe.fd < 0)
		return;
	loop_set(s->loop, &s->pipe, 0);
	close(take_fd(&s->pipe.fd));
}

/* The verdict, or the end of a child that was killed. */
static void on_verdict(void *ctx, uint32_t events)
{
	struct aside *s = ctx;
	ssize_t n = read(s->pipe.fd, s->verdict, sizeof(*s->verdict));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n != (ssize_t)sizeof(*s->verdict))
		*s->verdict = (struct aside_verdict){ .r = -ECANCELED };
	stop_reading(s);
	s->read = true;
	over(s);
}

static void __attribute__((noreturn))
child_run(int (*fn)(void *ctx, struct cgfs_err *err), void *ctx, int fd)
{
	struct aside_verdict v = { 0 };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	v.r = fn(ctx, &v.err);
	_exit(write(fd, &v, sizeof(v)) != (ssize_t)sizeof(v));
}

int aside_start(struct aside *s, struct loop *loop, int (*fn)(void *ctx, struct cgfs_err *err),
		void (*done)(void *ctx, int r, const struct cgfs_err *err), void *ctx)
{
	auto_free struct aside_verdict *verdict = calloc(1, sizeof(*verdict));
	int ends[2], status;
	pid_t pid;

	if (!verdict)
		return -ENOMEM;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child_run(fn, ctx, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -EAGAIN;
	}
	*s = (struct aside){ .loop = loop, .done = done, .ctx = ctx, .pid = pid };
	s->verdict = take_ptr(verdict);
	s->child = (struct loop_child){ .fn = on_end, .ctx = s };
	s->pipe = (struct loop_fd){ .fn = on_verdict, .ctx = s, .fd = ends[0] };
	if (loop_set(loop, &s->pipe, EPOLLIN) < 0) {
		close(take_fd(&s->pipe.fd));
		s->read = true;
		s->verdict->r = -ENOMEM;
	}
	/* One that has ended already has written its verdict, which the loop will read. */
	s->ended = loop_child_watch(loop, &s->child, pid, &status);
	return 0;
}

void aside_kill(struct aside *s)
{
	if (s->pid > 0)
		kill(s->pid, SIGKILL);
}

void aside_stop(struct aside *s)
{
	aside_kill(s);
	/* Not by the loop, which has ended when an agent stops. */
	for (int i = 0; s->pid > 0 && !s->ended && i < 1000; i++) {
		if (waitpid(s->pid, NULL, WNOHANG) != 0)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	aside_drop(s);
}

void aside_drop(struct aside *s)
{
	if (s->pid == 0)
		return;
	loop_child_unwatch(s->loop, &s->child);
	stop_reading(s);
	free(take_ptr(s->verdict));
	s->pid = 0;
}
