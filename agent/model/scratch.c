/* SPDX-License-Identifier: MIT */
/*
 * scratch.c - removal of the directory that holds what a container wrote (ScratchDirPath).
 *
 * The host expects the guest to remove it with the container.  Its content is the container's, so
 * it may be of any size and shape: a child process does the work, no symbolic link is followed and
 * no mount is entered.  What is in the way may go, a mount of another program for instance, so it
 * is tried again.  After SCRATCH_MAX_MS the deletion is answered, and the child goes on.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/base/tree.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "cgfs/base/util.h"

#define SCRATCH_MAX_MS 5000
/* Over three seconds. */
#define TRIES	       6
#define AGAIN_MS       50u

struct scratch {
	struct agent *a;
	struct container *c;
	struct loop_child child;
	struct loop_timer timer, again;
	unsigned int tries;
	char path[];
};

static void __attribute__((noreturn)) child_main(const char *path)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* It may outlive this agent, and shall not hold the locks that the next one takes. */
	for (int i = 0; i < 3; i++)
		close(i);
	(void)syscall(SYS_close_range, 3u, ~0u, 0u);
	/* A file, or a link itself. */
	if (unlink(path) == 0)
		_exit(0);
	if (!tree_empty(path))
		_exit(1);
	_exit(rmdir(path) < 0 && errno != ENOENT);
}

static void over(struct scratch *s, bool removed)
{
	struct container *c = s->c;

	if (!removed)
		log_write(&s->a->log, LOG_WARNING, "scratch directory not removed", "path", s->path,
			  NULL);
	loop_timer_clear(s->a->loop, &s->timer);
	free(s);
	c->scratch_removal = NULL;
	container_end_step(c);
}

static void ended(struct scratch *s, bool removed)
{
	if (removed || ++s->tries == TRIES ||
	    loop_timer_set(s->a->loop, &s->again, AGAIN_MS << s->tries) < 0)
		over(s, removed);
}

static void on_child(void *ctx, int status)
{
	ended(ctx, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void start(void *ctx)
{
	struct scratch *s = ctx;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		child_main(s->path);
	if (pid < 0)
		ended(s, false);
	else if (loop_child_watch(s->a->loop, &s->child, pid, &status))
		on_child(s, status);
}

static void on_time(void *ctx)
{
	struct scratch *s = ctx;
	struct container *c = s->c;

	log_write(&s->a->log, LOG_INFO, "scratch directory is still being removed", "path", s->path,
		  NULL);
	scratch_forget(c);
	container_end_step(c);
}

bool scratch_remove(struct container *c)
{
	struct scratch *s;
	size_t len;

	if (!c->scratch)
		return false;
	len = strlen(c->scratch) + 1;
	s = calloc(1, sizeof(*s) + len);
	if (!s)
		return false;
	memcpy(s->path, c->scratch, len);
	s->a = c->a;
	s->c = c;
	s->child = (struct loop_child){ .fn = on_child, .ctx = s };
	s->timer = (struct loop_timer){ .fn = on_time, .ctx = s };
	s->again = (struct loop_timer){ .fn = start, .ctx = s };
	/* The first one, too, comes from the loop: its end goes on with the container. */
	if (loop_timer_set(c->a->loop, &s->timer, SCRATCH_MAX_MS) < 0 ||
	    loop_timer_set(c->a->loop, &s->again, 0) < 0) {
		log_write(&c->a->log, LOG_WARNING, "scratch directory not removed", "path", s->path,
			  "error", "out of memory", NULL);
		loop_timer_clear(c->a->loop, &s->timer);
		free(s);
		return false;
	}
	c->scratch_removal = s;
	return true;
}

/* The child goes on, and is reaped as an orphan. */
void scratch_forget(struct container *c)
{
	struct scratch *s = c->scratch_removal;

	if (!s)
		return;
	loop_child_unwatch(s->a->loop, &s->child);
	loop_timer_clear(s->a->loop, &s->timer);
	loop_timer_clear(s->a->loop, &s->again);
	c->scratch_removal = NULL;
	free(s);
}
