/* SPDX-License-Identifier: MIT */
/*
 * process.c - processes that the host knows by pid: inits, added ones, external ones.  Who waits
 * for them, with what time limit, and what they are told.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../cgfs/internal.h"
#include "agent.h"
#include "json.h"

/* External processes that have ended and for which nobody has waited. */
#define UNCLAIMED_MAX 256

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

static void answer_code(struct request *rq, uint32_t code)
{
	request_answer(rq, json_pack("{s:I}", "ExitCode", (json_int_t)code));
}

void process_free(struct process *p)
{
	struct process **at;

	while (p->waiters) {
		struct request *rq = p->waiters->rq;

		waiter_free(p->waiters);
		request_fail_code(rq, HR_SYSTEM_NOT_FOUND);
	}
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

/* An init stays as long as its container; the others go with the first who was told. */
static void claim(struct process *p)
{
	if (!is_init(p) && p->exited && !p->waiters)
		process_free(p);
}

static void process_ended(struct process *p, uint32_t code)
{
	bool claimed = p->waiters != NULL;

	p->exited = true;
	p->code = code;
	/* What somebody is told, a later agent must know. */
	if (is_init(p)) {
		p->c->state = CONTAINER_TERMINATED;
		state_update(p->c);
	}
	log_write(&p->a->log, LOG_DEBUG, "process exited", "container", p->c ? p->c->id : NULL,
		  "pid", LOG_NUM(p->pid), "code", LOG_NUM(p->code), NULL);
	while (p->waiters) {
		struct request *rq = p->waiters->rq;

		waiter_free(p->waiters);
		answer_code(rq, p->code);
	}
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

	(void)events;
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
	/* A child that we have not reaped: its pid cannot be somebody else's. */
	long r = p->pidfd.fd >= 0 ? syscall(SYS_pidfd_send_signal, p->pidfd.fd, sig, NULL, 0)
				  : kill(p->pid, sig);

	return r < 0 ? -errno : 0;
}

/* --- who waits ------------------------------------------------------------------------------- */

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

	if (p->exited) {
		answer_code(rq, p->code);
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
		if (!w->rq->conn) {
			struct request *rq = w->rq;

			waiter_free(w);
			request_fail_code(rq, HR_TIMEOUT); /* goes nowhere, frees it */
		}
	}
}

/* --- external processes --------------------------------------------------------------------- */

struct process *process_find_external(struct agent *a, uint32_t pid)
{
	struct process *p = a->externals;

	while (p && (uint32_t)p->pid != pid)
		p = p->next;
	return p;
}

struct external {
	char **argv;
	char **envp;
	const char *cwd;
};

static void strings_free(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

/* NULL-terminated copies of a list of strings, or "K=V" of an object's members. */
static char **strings(const json_t *j)
{
	size_t size = json_is_object(j) ? json_object_size(j) : json_array_size(j);
	char **list = calloc(size + 1, sizeof(*list));
	const char *key;
	size_t i = 0;
	json_t *v;

	if (!list)
		return NULL;
	if (json_is_object(j)) {
		json_object_foreach((json_t *)j, key, v)
		{
			if (asprintf(&list[i], "%s=%s", key, json_string_value(v)) < 0)
				list[i] = NULL;
			i += list[i] != NULL;
		}
	} else {
		json_array_foreach((json_t *)j, i, v) list[i] = strdup(json_string_value(v));
	}
	for (i = 0; i < size; i++) {
		if (!list[i]) {
			strings_free(list);
			return NULL;
		}
	}
	return list;
}

static void __attribute__((noreturn))
child_external(const struct external *e, const int fds[3], int report)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;
	int code, n[3];

	for (int i = 0; i < 3; i++)
		n[i] = fcntl(fds[i] >= 0 ? fds[i] : null, F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		(void)!dup2(n[i], i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	/* Also what the agent was started with and knows nothing of. */
	(void)!close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	if (*e->cwd && chdir(e->cwd) < 0) {
		code = errno;
	} else {
		execvpe(e->argv[0], e->argv, e->envp);
		code = errno;
	}
	(void)!write(report, &code, sizeof(code));
	_exit(127);
}

/* 0 with the child running the program, or a negative errno.  The child says so at once: the
 * pipe closes at exec. */
static int start_external(const struct external *e, const int fds[3], pid_t *ret_pid)
{
	int report[2], code = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child_external(e, fds, report[1]);
	close(report[1]);
	n = pid < 0 ? 0 : read(report[0], &code, sizeof(code));
	close(report[0]);
	if (pid < 0)
		return -errno;
	if (n == (ssize_t)sizeof(code)) {
		waitpid(pid, NULL, 0);
		return -code;
	}
	*ret_pid = pid;
	return 0;
}

/* Many that nobody waits for must not become many for ever: the oldest goes. */
static void forget_unclaimed(struct agent *a)
{
	struct process *oldest = NULL;
	size_t n = 0;

	for (struct process *p = a->externals; p; p = p->next) {
		if (p->exited) {
			oldest = p;
			n++;
		}
	}
	if (n > UNCLAIMED_MAX)
		process_free(oldest);
}

static void run_external(struct agent *a, struct request *rq, struct external *e, int fds[3])
{
	struct process *p;
	pid_t pid = -1;
	int r;

	r = start_external(e, fds, &pid);
	if (r < 0) {
		request_fail(rq, HR_FAIL, "exec \"%s\": %s", e->argv[0], strerror(-r));
		return;
	}
	p = process_new(a, NULL, pid);
	if (!p) {
		kill(pid, SIGKILL);
		request_fail(rq, HR_FAIL, "out of memory");
		return;
	}
	p->next = a->externals;
	a->externals = p;
	a->n_externals++;
	request_answer(rq, json_pack("{s:I}", "ProcessId", (json_int_t)pid));
	process_watch(p);
	forget_unclaimed(a);
}

/* NULL: @rq has been answered. */
static json_t *external_args(struct request *rq, json_t *params)
{
	char why[JSON_WHY_MAX];
	const char *line;
	json_t *args, *v;
	size_t i;

	if (!json_get_array(params, "CommandArgs", &args, why) ||
	    !json_get_string(params, "CommandLine", &line, why)) {
		request_fail(rq, HR_INVALID_JSON, "ProcessParameters: HRESULT %#x: %s",
			     HR_INVALID_JSON, why);
		return NULL;
	}
	json_array_foreach(args, i, v)
	{
		if (!json_is_string(v)) {
			request_fail(rq, HR_INVALID_JSON, "CommandArgs[%zu] is not a string", i);
			return NULL;
		}
	}
	if (json_array_size(args) > 0)
		return json_incref(args);
	args = json_split_words(line);
	if (!args || json_array_size(args) == 0) {
		request_fail(rq, HR_INVALID_ARG, "neither CommandArgs nor a valid CommandLine");
		json_decref(args);
		return NULL;
	}
	return args;
}

void process_start_external(struct agent *a, struct request *rq, json_t *params, int fds[3])
{
	char why[JSON_WHY_MAX];
	struct external e = { 0 };
	json_t *args, *env, *v;
	const char *key;

	if (!json_get_object(params, "Environment", &env, why) ||
	    !json_get_string(params, "WorkingDirectory", &e.cwd, why)) {
		request_fail(rq, HR_INVALID_JSON, "ProcessParameters: HRESULT %#x: %s",
			     HR_INVALID_JSON, why);
		return;
	}
	json_object_foreach(env, key, v)
	{
		if (!json_is_string(v)) {
			request_fail(rq, HR_INVALID_JSON, "Environment.%.80s is not a string", key);
			return;
		}
	}
	args = external_args(rq, params);
	if (!args)
		return;
	e.argv = strings(args);
	e.envp = strings(env);
	if (e.argv && e.envp)
		run_external(a, rq, &e, fds);
	else
		request_fail(rq, HR_FAIL, "out of memory");
	strings_free(e.argv);
	strings_free(e.envp);
	json_decref(args);
}
