/* SPDX-License-Identifier: MIT */
/*
 * process.c - processes that the host knows by pid: inits, added ones, external ones.  Who waits
 * for them, with what time limit, and the answers to that.
 */
#include "agent/model/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/state.h"
#include "agent/stream/stream.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

/* Of /proc/PID/stat. */
#define STAT_STARTED   22
#define STAT_EXIT_CODE 52

/* struct pidfd_info of <linux/pidfd.h> and its ioctl, which Debian 12's headers do not have. */
struct pidfd_exit {
	uint64_t mask, cgroupid;
	uint32_t ids[11];
	int32_t exit_code;
};
#define PIDFD_EXIT_MASK (UINT64_C(1) << 3)
#define PIDFD_EXIT_GET	_IOWR(0xff, 11, struct pidfd_exit)

struct waiter {
	struct waiter *next;
	struct process *p;
	struct request *rq;
	struct loop_timer timer;
};

static struct process **list_of(struct process *p)
{
	return p->c ? &p->c->execs : &p->a->externals;
}

static bool is_init(const struct process *p)
{
	return p->c && p->c->init == p;
}

static void waiter_free(struct waiter *w)
{
	struct waiter **at = &w->p->waiters;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	loop_timer_clear(w->p->a->loop, &w->timer);
	free(w);
}

void process_free(struct process *p)
{
	struct process **at;

	while (p->waiters) {
		struct request *rq = p->waiters->rq;

		waiter_free(p->waiters);
		request_fail_code(rq, HR_SYSTEM_NOT_FOUND);
	}
	relay_free(p->relay);
	loop_child_unwatch(p->a->loop, &p->child);
	if (p->pidfd.fd >= 0) {
		loop_set(p->a->loop, &p->pidfd, 0);
		close(p->pidfd.fd);
	}
	if (!is_init(p)) {
		for (at = list_of(p); *at && *at != p; at = &(*at)->next)
			;
		if (*at) {
			*at = p->next;
			p->a->n_externals -= !p->c;
		}
	}
	free(p);
}

/* An init stays as long as its container; others go with the first answered wait. */
static void claim(struct process *p)
{
	if (!is_init(p) && p->reported && !p->waiters)
		process_free(p);
}

/* Answers every waiting request. */
static void report(struct process *p)
{
	p->reported = true;
	while (p->waiters) {
		struct request *rq = p->waiters->rq;

		waiter_free(p->waiters);
		p->a->words->exited(rq, p->code);
	}
}

static void drop_relay(struct process *p)
{
	relay_free(p->relay);
	p->relay = NULL;
}

static void report_late(struct process *p)
{
	bool claimed = p->waiters != NULL;

	report(p);
	if (is_init(p))
		container_notify(p->c);
	else if (claimed)
		claim(p);
	else
		drop_relay(p); /* its exit is kept, and its host is not called for ever */
}

static void on_drained(void *ctx)
{
	report_late(ctx);
}

void process_drop_streams(struct process *p)
{
	if (!p->exited || p->reported)
		return;
	relay_give_up(p->relay);
	report_late(p);
}

/* What it wrote comes first: its exit is reported when that is with the host. */
static bool report_waits(const struct process *p)
{
	return p->relay && (relay_is_started(p->relay) || (is_init(p) && p->c->starting)) &&
	       !(p->c && p->c->end != END_NONE);
}

static void process_ended(struct process *p, uint32_t code)
{
	bool claimed = p->waiters != NULL;

	p->exited = true;
	p->code = code;
	/* A later agent must know what was reported, and what no client has been answered yet. */
	if (is_init(p))
		p->c->state = CONTAINER_TERMINATED;
	if (is_init(p) || (p->c && (!claimed || report_waits(p)) && p->c->end == END_NONE))
		state_update(p->c);
	log_write(&p->a->log, LOG_DEBUG, "process exited", "container", p->c ? p->c->id : NULL,
		  "pid", LOG_NUM(p->pid), "code", LOG_NUM(p->code), NULL);
	if (report_waits(p))
		relay_exited(p->relay, on_drained, p);
	else
		report(p);
	if (is_init(p))
		container_init_exited(p->c);
	else if (claimed)
		claim(p);
}

static void on_exit_status(void *ctx, int status)
{
	process_ended(ctx, WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status)
					     : 128u + (uint32_t)WTERMSIG(status));
}

/* One number of /proc/PID/stat, counted as in proc(5).  0: there is no such process. */
static uint64_t stat_field(pid_t pid, int field)
{
	char path[40], text[1024];
	char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (files_read(path, text, sizeof(text)) < 0 || !(at = strrchr(text, ')')))
		return 0;
	for (int i = 2; i < field && at; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

struct process *process_new(struct agent *a, struct container *c, pid_t pid)
{
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->a = a;
	p->c = c;
	p->pid = pid;
	p->started = stat_field(pid, STAT_STARTED);
	p->child = (struct loop_child){ .fn = on_exit_status, .ctx = p };
	p->pidfd.fd = -EBADF;
	return p;
}

void process_watch(struct process *p)
{
	int status;

	if (loop_child_watch(p->a->loop, &p->child, p->pid, &status))
		on_exit_status(p, status);
}

/* --- a process of an earlier agent ----------------------------------------------------------- */

/* Its parent is init now, which reaps it.  As long as it has not, /proc says how it ended; since
 * Linux 6.15 the pidfd does afterwards. */
static void ended_elsewhere(void *ctx, uint32_t events)
{
	struct process *p = ctx;
	struct pidfd_exit info = { .mask = PIDFD_EXIT_MASK };
	uint64_t started = stat_field(p->pid, STAT_STARTED);
	uint64_t status = stat_field(p->pid, STAT_EXIT_CODE);

	loop_set(p->a->loop, &p->pidfd, 0);
	if (started == p->started && stat_field(p->pid, STAT_STARTED) == started) {
		on_exit_status(p, (int)status);
	} else if (ioctl(p->pidfd.fd, PIDFD_EXIT_GET, &info) == 0 && info.mask & PIDFD_EXIT_MASK) {
		on_exit_status(p, info.exit_code);
	} else {
		log_write(&p->a->log, LOG_WARNING, "exit code not known: not a child of this agent",
			  "pid", LOG_NUM(p->pid), NULL);
		process_ended(p, PROCESS_CODE_UNKNOWN);
	}
}

bool process_adopt(struct process *p)
{
	p->pidfd = (struct loop_fd){ .fn = ended_elsewhere, .ctx = p, .fd = -EBADF };
	if (p->pid <= 0)
		return false;
	p->pidfd.fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	/* Opened first, then asked: what the pidfd holds is what was asked about. */
	if (p->pidfd.fd < 0 || stat_field(p->pid, STAT_STARTED) != p->started ||
	    loop_set(p->a->loop, &p->pidfd, EPOLLIN) < 0) {
		if (p->pidfd.fd >= 0)
			close(take_fd(&p->pidfd.fd));
		return false;
	}
	return true;
}

int process_kill(const struct process *p, int sig)
{
	/* A child that we have not reaped: its pid cannot be in use again. */
	long r = p->pidfd.fd >= 0 ? syscall(SYS_pidfd_send_signal, p->pidfd.fd, sig, NULL, 0)
				  : kill(p->pid, sig);

	return r < 0 ? -errno : 0;
}

/* --- waiting requests ------------------------------------------------------------------------ */

static void on_timeout(void *ctx)
{
	struct waiter *w = ctx;
	struct request *rq = w->rq;

	waiter_free(w);
	request_fail_code(rq, HR_TIMEOUT);
}

void process_wait(struct process *p, struct request *rq, uint32_t timeout_ms)
{
	struct waiter *w;

	if (p->reported) {
		p->a->words->exited(rq, p->code);
		claim(p);
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		request_fail(rq, HR_FAIL, "out of memory");
		return;
	}
	w->p = p;
	w->rq = rq;
	w->timer = (struct loop_timer){ .fn = on_timeout, .ctx = w };
	w->next = p->waiters;
	p->waiters = w;
	if (timeout_ms != PROTOCOL_WAIT_FOREVER &&
	    loop_timer_set(p->a->loop, &w->timer, timeout_ms) < 0) {
		waiter_free(w);
		request_fail(rq, HR_FAIL, "out of memory");
	}
}

void process_drop_waiters(struct process *p)
{
	for (struct waiter *w = p->waiters, *next; w; w = next) {
		next = w->next;
		if (!w->rq->conn && !w->rq->parked) {
			struct request *rq = w->rq;

			waiter_free(w);
			request_fail_code(rq, HR_TIMEOUT); /* goes nowhere, frees it */
		}
	}
}
