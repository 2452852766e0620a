/* SPDX-License-Identifier: MIT */
/*
 * external.c - external processes: programs that the host runs in the utility VM itself, in no
 * container.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/process.h"
#include "agent/stream/stream.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

/* External processes that have ended and for which no request has waited. */
#define UNCLAIMED_MAX 256

struct process *external_find(struct agent *a, uint32_t pid)
{
	struct process *p = a->externals;

	while (p && (uint32_t)p->pid != pid)
		p = p->next;
	return p;
}

static void __attribute__((noreturn))
child_external(const struct agent *a, const struct external *e, const int fds[3], int report)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;
	int code, n[3];

	for (int i = 0; i < 3; i++)
		n[i] = fcntl(fds[i] >= 0 ? fds[i] : null, F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 3; i++)
		ignore(dup2(n[i], i));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (e->terminal)
		ignore(ioctl(0, TIOCSCTTY, 0));
	files_set_oom_score(a->oom_score);
	files_restore_limit();
	/* Also what the agent was started with and knows nothing of. */
	close_on_exec_from(3);
	if (*e->cwd && chdir(e->cwd) < 0) {
		code = errno;
	} else {
		execvpe(e->argv[0], e->argv, e->envp);
		code = errno;
	}
	ignore(write(report, &code, sizeof(code)));
	_exit(127);
}

/* 0 with the child running the program, or a negative errno.  The child says so at once: the
 * pipe closes at exec. */
static int spawn(const struct agent *a, const struct external *e, const int fds[3], pid_t *ret_pid)
{
	int report[2], code = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child_external(a, e, fds, report[1]);
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

/* Those without a waiting request are bounded: the oldest is forgotten. */
static void forget_unclaimed(struct agent *a)
{
	struct process *oldest = NULL;
	size_t n = 0;

	for (struct process *p = a->externals; p; p = p->next) {
		if (p->reported) {
			oldest = p;
			n++;
		}
	}
	if (n > UNCLAIMED_MAX)
		process_free(oldest);
}

/* One that waits for its streams to be connected. */
struct start {
	struct agent *a;
	struct request *rq;
	struct external e;
	struct relay *relay; /* NULL: it gets the descriptors */
	int fds[3];	     /* its streams */
};

static void start_free(struct start *s)
{
	for (char **arg = s->e.argv; arg && *arg; arg++)
		free(*arg);
	for (char **var = s->e.envp; var && *var; var++)
		free(*var);
	free(s->e.argv);
	free(s->e.envp);
	free(s->e.cwd);
	relay_free(s->relay);
	close_fds(s->fds);
	free(s);
}

static void run(struct start *s)
{
	struct agent *a = s->a;
	struct process *p = NULL;
	pid_t pid = -1;
	int r = spawn(a, &s->e, s->fds, &pid);

	if (r == 0 && !(p = process_new(a, NULL, pid))) {
		kill(pid, SIGKILL);
		r = -ENOMEM;
	}
	close_fds(s->fds);
	if (r < 0) {
		request_fail(s->rq, HR_FAIL, "exec \"%s\": %s", s->e.argv[0], strerror(-r));
		start_free(s);
		return;
	}
	p->relay = s->relay;
	s->relay = NULL;
	p->next = a->externals;
	a->externals = p;
	a->n_externals++;
	a->words->started(s->rq, pid);
	start_free(s);
	r = p->relay ? relay_start(p->relay) : 0;
	if (r < 0)
		log_write(&a->log, LOG_ERROR, "streams are not relayed", "pid", LOG_NUM(pid),
			  "error", strerror(-r), NULL);
	process_watch(p);
	forget_unclaimed(a);
}

static void on_connected(void *ctx, int error, const char *why)
{
	struct start *s = ctx;

	if (error == 0) {
		run(s);
		return;
	}
	request_fail(s->rq, HR_FAIL, "exec \"%s\": %s", s->e.argv[0], why);
	start_free(s);
}

/* @fds become the process's streams, or the other side of its terminal. */
static int make_streams(struct start *s, const struct stream_ports *ports, int fds[3])
{
	bool any = ports->want[0] || ports->want[1] || ports->want[2];
	int r;

	if (!any && !s->e.terminal) {
		for (int i = 0; i < 3; i++)
			s->fds[i] = take_fd(&fds[i]);
		return 0;
	}
	s->relay = relay_new(&s->a->streams, NULL);
	if (!s->relay)
		return -ENOMEM;
	if (!s->e.terminal)
		return relay_pipes(s->relay, ports->want, s->fds);
	r = relay_open_terminal(s->relay, &s->fds[0]);
	if (r == 0)
		r = relay_attach(s->relay, fds);
	for (int i = 1; i < 3 && r == 0; i++) {
		s->fds[i] = fcntl(s->fds[0], F_DUPFD_CLOEXEC, 3);
		r = s->fds[i] < 0 ? -errno : 0;
	}
	return r;
}

void external_start(struct agent *a, struct request *rq, struct external *e,
		    const struct stream_ports *ports, int fds[3])
{
	struct start *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		request_fail(rq, HR_FAIL, "out of memory");
		return;
	}
	*s = (struct start){ .a = a, .rq = rq, .e = *e, .fds = { -EBADF, -EBADF, -EBADF } };
	*e = (struct external){ 0 };
	r = make_streams(s, ports, fds);
	if (r < 0) {
		request_fail(rq, HR_FAIL, "exec \"%s\": streams: %s", s->e.argv[0], strerror(-r));
		start_free(s);
	} else if (ports->want[0] || ports->want[1] || ports->want[2]) {
		relay_connect(s->relay, ports, on_connected, s);
	} else {
		run(s);
	}
}
