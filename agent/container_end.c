/* SPDX-License-Identifier: MIT */
/*
 * container_end.c - how a container ends: init's exit, the notification, the deletion in steps
 * that wait for each other without anybody waiting.
 */
#include <signal.h>
#include <stdio.h>

#include "../cgfs/internal.h"
#include "agent.h"
#include "json.h"

void container_notify(struct container *c)
{
	static const char *const types[] = { "UnexpectedExit", "GracefulExit", "ForcedExit" };
	json_t *body;

	if (c->notified || c->state != CONTAINER_TERMINATED || c->starting || !c->owner)
		return;
	body = json_pack("{s:o, s:o, s:s, s:s, s:i}", "ContainerId", json_text(c->id), "ActivityId",
			 json_text(c->activity ? c->activity : ""), "Type", types[c->exit_type],
			 "Operation", "None", "Result", 0);
	if (body && !c->activity)
		json_object_del(body, "ActivityId");
	/* A connection that cannot take it is about to end; the next one gets it. */
	if (body && conn_notify(c->owner, MSG_NOTIFICATION, body, false) == 0)
		c->notified = true;
	/* Afterwards: killed in between, the agent tells twice rather than never. */
	if (c->notified)
		state_update(c);
	json_decref(body);
}

void container_init_exited(struct container *c)
{
	c->state = CONTAINER_TERMINATED;
	if (c->sandbox && c->pod)
		c->pod->sandbox_exited = true;
	log_write(&c->a->log, LOG_INFO, "container exited", "container", c->id, "pid",
		  LOG_NUM(c->init->pid), "code", LOG_NUM(c->init->code), NULL);
	/* With a pid namespace of its own the kernel has killed the rest. */
	if (!c->own_pidns && c->group)
		(void)!cgfs_group_kill(c->group, NULL);
	container_notify(c);
	container_end_step(c);
}

void container_end(struct container *c, struct request *rq, uint32_t hr, const char *text)
{
	reply_add(&c->replies, rq, hr, text);
	if (c->end != END_NONE) {
		container_end_step(c);
		return;
	}
	c->end = END_PROCESSES;
	if (hr != HR_OK)
		log_write(&c->a->log, LOG_WARNING, "container not created", "container", c->id,
			  "error", text, NULL);
	if (c->sandbox && c->pod)
		c->pod->doomed = true;
	if (c->init && !c->init->exited) {
		c->exit_type = EXIT_FORCED;
		(void)process_kill(c->init, SIGKILL);
	}
	if (c->group && c->created)
		(void)!cgfs_group_kill(c->group, NULL);
	container_end_step(c);
}

static void runtime_deleted(void *ctx, int code, const char *why)
{
	struct container *c = ctx;

	if (code != 0)
		log_write(&c->a->log, LOG_WARNING, "runtime could not delete", "container", c->id,
			  "error", why, NULL);
	c->end = END_GROUP;
	container_end_step(c);
}

/* true: it runs, and continues the deletion. */
static bool runtime_delete(struct container *c)
{
	auto_free char *log = container_file(c, c->serial++, "log");
	struct runtime_job job = { .verb = RUNTIME_DELETE,
				   .id = c->id,
				   .log = log,
				   .fds = { -EBADF, -EBADF, -EBADF },
				   .done = runtime_deleted,
				   .ctx = c };

	return log && runtime_run(c->a->runtime, &job) == 0;
}

void container_end_step(struct container *c)
{
	struct cgfs_err err = { 0 };
	int r;

	switch (c->end) {
	case END_PROCESSES:
		if (c->jobs > 0 || (c->init && !c->init->exited))
			return;
		c->end = END_RUNTIME;
		if (c->created && runtime_delete(c))
			return;
		c->end = END_GROUP;
		/* fall through */
	case END_GROUP:
		if (c->removing)
			return;
		c->removing = true;
		r = c->group ? cgfs_group_remove(c->group, &err) : 0;
		if (r < 0 || !c->group)
			container_removed(c, r, err.text);
		return;
	case END_NONE:
	case END_RUNTIME:
		return;
	}
}

void container_removed(struct container *c, int error, const char *message)
{
	struct agent *a = c->a;
	struct pod *pod = c->pod;

	log_write(&a->log, error ? LOG_ERROR : LOG_INFO, "container deleted", "container", c->id,
		  "pod", pod ? pod->id : NULL, "error", error ? message : NULL, NULL);
	files_remove_flat(c->dir);
	files_remove_dirs(a, c->bundle);
	table_remove(&a->containers, &c->node);
	c->node.key = NULL;
	cgfs_group_close(c->group);
	c->group = NULL;

	/* With its last container a pod that is to go goes, and answers what was left to answer. */
	if (pod)
		pod_leave(pod, c);
	reply_all(&c->replies, error, message);
	container_free(c);
	agent_emptied(a);
}

void container_free(struct container *c)
{
	if (c->node.key)
		table_remove(&c->a->containers, &c->node);
	while (c->execs)
		process_free(c->execs);
	if (c->init)
		process_free(c->init);
	reply_all(&c->replies, -ECANCELED, "the agent is stopping");
	cgfs_group_close(c->group);
	free(c->activity);
	free(c->bundle);
	free(c->dir);
	free(c->id);
	free(c);
}
