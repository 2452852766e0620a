/* SPDX-License-Identifier: MIT */
/*
 * container_run.c - what runs in a container: init's start, and processes that are added.  Streams
 * that the host asked for are connected first.
 */
#include <cgfs/cgfs.h>
#include <stdio.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/job.h"
#include "agent/model/process.h"
#include "agent/model/state.h"
#include "agent/runtime/runtime.h"
#include "agent/runtime/spec.h"
#include "agent/stream/stream.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

static bool any(const struct stream_ports *ports)
{
	return ports->want[0] || ports->want[1] || ports->want[2];
}

/* --- start ---------------------------------------------------------------------------------- */

static void move_bytes(struct process *p)
{
	int r = p->relay ? relay_start(p->relay) : 0;

	if (r < 0)
		log_write(&p->a->log, LOG_ERROR, "streams are not relayed", "container", p->c->id,
			  "pid", LOG_NUM(p->pid), "error", strerror(-r), NULL);
}

static void not_started(struct job *j, const char *why)
{
	struct container *c = j->c;

	c->starting = false;
	if (c->init->relay)
		relay_disconnect(c->init->relay);
	memset(c->ports, 0, sizeof(c->ports));
	request_fail(j->rq, HR_FAIL, "%s", why);
	job_free(j);
	process_drop_streams(c->init);
	container_end_step(c);
}

static void started(void *ctx, int code, const char *why)
{
	struct job *j = ctx;
	struct container *c = j->c;

	c->jobs--;
	if (code != 0) {
		not_started(j, why);
		return;
	}
	c->starting = false;
	/* It may have ended already: then it stays terminated. */
	if (c->state == CONTAINER_CREATED) {
		c->state = CONTAINER_RUNNING;
		state_update(c);
	}
	log_write(&c->a->log, LOG_INFO, "container started", "container", c->id, "pid",
		  LOG_NUM(c->init->pid), NULL);
	c->a->words->started(j->rq, c->init->pid);
	job_free(j);
	if (c->end == END_NONE)
		move_bytes(c->init);
	container_notify(c);
	container_end_step(c);
}

static void start_connected(void *ctx, int error, const char *why)
{
	struct job *j = ctx;

	j->c->jobs--;
	if (error == 0 && job_run(j, RUNTIME_START, started) < 0) {
		error = -ENOMEM;
		why = "out of memory";
	}
	if (error < 0)
		not_started(j, why);
}

void container_start(struct container *c, struct request *rq, const struct stream_ports *ports)
{
	struct job *j;

	if (c->state != CONTAINER_CREATED || c->starting) {
		request_fail(rq, HR_FAIL, "cannot start container %s: it is %s", c->id,
			     c->starting ? "being started" : container_state_name(c));
		return;
	}
	if (any(ports) && (c->streams_given || !c->init->relay)) {
		request_fail(rq, HR_FAIL,
			     "cannot start container %s: its streams came with Create, and ports "
			     "are given now",
			     c->id);
		return;
	}
	j = job_new(c, rq);
	if (j && any(ports)) {
		for (int i = 0; i < 3; i++)
			c->ports[i] = ports->want[i] ? ports->port[i] : 0;
		relay_connect(c->init->relay, ports, start_connected, j);
		c->jobs++;
	} else if (!j || job_run(j, RUNTIME_START, started) < 0) {
		job_free(j);
		request_fail(rq, HR_FAIL, "out of memory");
		return;
	}
	c->starting = true;
}

/* --- an added process ----------------------------------------------------------------------- */

static void exec_failed(struct job *j, const char *why)
{
	struct container *c = j->c;

	request_fail(j->rq, HR_FAIL, "%s", why);
	job_free(j);
	container_end_step(c);
}

static void execed(void *ctx, int code, const char *why)
{
	struct job *j = ctx;
	struct container *c = j->c;
	struct process *p = NULL;
	char text[128];

	c->jobs--;
	if (code == 0) {
		p = job_process(j, text, sizeof(text));
		why = text;
	}
	if (!p) {
		exec_failed(j, why);
		return;
	}
	p->next = c->execs;
	c->execs = p;
	state_update(c);
	c->a->words->started(j->rq, p->pid);
	job_free(j);
	move_bytes(p);
	process_watch(p);
	container_end_step(c);
}

static void exec_connected(void *ctx, int error, const char *why)
{
	struct job *j = ctx;

	j->c->jobs--;
	if (error == 0 && job_run(j, RUNTIME_EXEC, execed) < 0) {
		error = -ENOMEM;
		why = "out of memory";
	}
	if (error < 0)
		exec_failed(j, why);
}

/* What the process gets: a terminal, pipes for what the host asks for, or descriptors. */
static int exec_streams(struct job *j, bool terminal, const struct container_streams *streams)
{
	if (terminal)
		return job_terminal(j, streams);
	if (!any(&streams->ports)) {
		job_take_fds(j, streams->fds);
		return 0;
	}
	j->relay = relay_new(&j->c->a->streams, j->c);
	return j->relay ? relay_pipes(j->relay, streams->ports.want, j->fds) : -ENOMEM;
}

void container_exec(struct container *c, struct request *rq, json_t *process,
		    const struct container_streams *streams)
{
	auto_free char *text = spec_process_text(process, config_rlimits(c));
	struct job *j;
	int r = -ENOMEM;

	if (c->state == CONTAINER_TERMINATED) {
		request_fail(rq, HR_FAIL, "cannot exec in container %s: it has stopped", c->id);
		return;
	}
	j = text ? job_new(c, rq) : NULL;
	if (j)
		j->process = container_file(c, j->serial, "json");
	if (j && j->process)
		r = files_write(j->process, text);
	if (r == 0)
		r = exec_streams(j, spec_has_terminal(process), streams);
	if (r == 0 && any(&streams->ports)) {
		relay_connect(j->relay, &streams->ports, exec_connected, j);
		c->jobs++;
		return;
	}
	if (r == 0)
		r = job_run(j, RUNTIME_EXEC, execed);
	if (r < 0) {
		job_free(j);
		request_fail(rq, HR_FAIL, "exec in container %s: %s", c->id, strerror(-r));
	}
}
