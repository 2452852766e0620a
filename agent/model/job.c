/* SPDX-License-Identifier: MIT */
/*
 * job.c - one run of the runtime for a container: its files, the streams of the process that it
 * makes, that process.
 */
#include "agent/model/job.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/model/process.h"
#include "agent/runtime/spec_apply.h"
#include "agent/stream/stream.h"
#include "cgfs/base/util.h"

void job_free(struct job *j)
{
	if (!j)
		return;
	relay_free(j->relay);
	close_fds(j->fds);
	if (j->pid_file)
		(void)unlink(j->pid_file);
	if (j->process)
		(void)unlink(j->process);
	free(j->console);
	free(j->pid_file);
	free(j->process);
	free(j->log);
	free(j);
}

struct job *job_new(struct container *c, struct request *rq)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->c = c;
	j->rq = rq;
	j->fds[0] = j->fds[1] = j->fds[2] = -EBADF;
	j->serial = c->serial++;
	j->pid_file = container_file(c, j->serial, "pid");
	j->log = container_file(c, j->serial, "log");
	if (!j->pid_file || !j->log) {
		job_free(j);
		return NULL;
	}
	(void)unlink(j->pid_file);
	return j;
}

void job_take_fds(struct job *j, int fds[3])
{
	for (int i = 0; i < 3; i++)
		j->fds[i] = take_fd(&fds[i]);
}

int job_terminal(struct job *j, const struct container_streams *streams)
{
	int r;

	if (streams->console) {
		j->console = strdup(streams->console);
		return j->console ? 0 : -ENOMEM;
	}
	j->console_ours = true;
	j->console = container_file(j->c, j->serial, "tty");
	j->relay = relay_new(&j->c->a->streams, j->c);
	if (!j->console || !j->relay)
		return -ENOMEM;
	r = relay_console(j->relay, j->console);
	return r < 0 ? r : relay_attach(j->relay, streams->fds);
}

/*
 * A budget must not refuse the runtime, nor what it starts while that begins: the hold is as long
 * as a run may take, and ends a little after its end.  What a start lets go was there before.
 */
#define HOLD_MS	   90000
#define HOLD_ON_MS 10000

static void hold(const struct container *c, uint64_t ms, bool start)
{
	struct cgfs_err err = { 0 };

	if (c->group && cgfs_group_hold_admission(c->group, ms, start, &err) < 0)
		log_write(&c->a->log, LOG_WARNING, "admission is not held", "container", c->id,
			  "error", err.text, NULL);
}

/* There is one hold of a container: other runs that are under way still need it. */
static void let_go(const struct job *j, unsigned int own)
{
	if (j->c->jobs <= own)
		hold(j->c, HOLD_ON_MS, j->starts);
}

static void done(void *ctx, int code, const char *why)
{
	struct job *j = ctx;

	let_go(j, 1);
	j->done(j, code, why);
}

/* Of the namespaces that no sandbox has; "": the agent's. */
static const char *hostname(const struct pod *p)
{
	return p->hostname ? p->hostname : spec_hostname_ok(p->id) ? p->id : "";
}

int job_run(struct job *j, enum runtime_verb verb,
	    void (*then)(void *ctx, int code, const char *why))
{
	bool joins = verb != RUNTIME_START;
	const struct container *c = j->c;
	bool namespaces = verb == RUNTIME_CREATE && c->namespace_types;
	struct runtime_job job = { .verb = verb,
				   .id = j->c->id,
				   .pod = j->c->pod ? j->c->pod->id : NULL,
				   .bundle = j->c->dir,
				   .process = j->process,
				   .pid_file = joins ? j->pid_file : NULL,
				   .console = joins ? j->console : NULL,
				   .log = j->log,
				   .join = joins ? j->c->group : NULL,
				   .binds = j->c->binds,
				   .n_binds = verb == RUNTIME_CREATE ? j->c->n_binds : 0,
				   .namespaces = namespaces ? c->pod->namespaces : NULL,
				   .namespace_types = c->namespace_types,
				   .hostname = namespaces ? hostname(c->pod) : NULL,
				   .fds = { j->fds[0], j->fds[1], j->fds[2] },
				   .done = done,
				   .ctx = j };
	int r;

	j->done = then;
	j->starts = verb == RUNTIME_START;
	hold(j->c, HOLD_MS, j->starts);
	r = runtime_run(j->c->a->runtime, &job);
	if (r < 0) {
		let_go(j, 0);
		return r;
	}
	j->fds[0] = j->fds[1] = j->fds[2] = -EBADF;
	j->c->jobs++;
	return 0;
}

struct process *job_process(struct job *j, char *why, size_t len)
{
	struct process *p = NULL;
	char text[32];
	char *end;
	long pid;
	int r;

	if (files_read(j->pid_file, text, sizeof(text)) <= 0) {
		snprintf(why, len, "the runtime wrote no pid file");
		return NULL;
	}
	pid = strtol(text, &end, 10);
	if (pid <= 0 || pid > INT_MAX || (*end && *end != '\n')) {
		snprintf(why, len, "the runtime's pid file says \"%.20s\"", text);
		return NULL;
	}
	r = j->console_ours ? relay_console_take(j->relay) : 0;
	if (r < 0)
		snprintf(why, len, "the runtime gave no terminal: %s", strerror(-r));
	else if (!(p = process_new(j->c->a, j->c, (pid_t)pid)))
		snprintf(why, len, "out of memory");
	if (!p) {
		kill((pid_t)pid, SIGKILL);
		return NULL;
	}
	p->relay = j->relay;
	j->relay = NULL;
	return p;
}
