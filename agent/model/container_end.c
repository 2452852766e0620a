/* SPDX-License-Identifier: MIT */
/*
 * container_end.c - how a container ends: init's exit, the notification, the deletion in steps
 * that depend on each other, none of which blocks.
 */
#include <cgfs/cgfs.h>
#include <signal.h>
#include <stdio.h>

#include "agent/base/files.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/bridge/reply.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/home.h"
#include "agent/model/pod.h"
#include "agent/model/process.h"
#include "agent/model/state.h"
#include "agent/runtime/runtime.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

/* By then init has ended with its group, if it is in there. */
#define KILL_INIT_MS 500

/* The receiver of the exit notification; NULL: it is not connected now. */
static struct conn *owner(const struct container *c)
{
	struct conn *conn = c->by_host && !c->owner ? bridge_next_conn(c->a->bridge, NULL) : NULL;

	while (conn && (conn_state(conn)->observer || conn_state(conn)->version == 0))
		conn = bridge_next_conn(c->a->bridge, conn);
	return c->owner ? c->owner : conn;
}

void container_notify(struct container *c)
{
	struct conn *to = owner(c);

	if (c->notified || c->state != CONTAINER_TERMINATED || c->starting || !to ||
	    !c->init->reported)
		return;
	/* A connection that cannot take it is about to end; the next one gets it. */
	if (c->a->words->notify(c, to) == 0)
		c->notified = true;
	/* Afterwards: an agent killed in between notifies twice rather than never. */
	if (c->notified)
		state_update(c);
}

void container_init_exited(struct container *c)
{
	/* A client that learns of the end finds all that the container has printed. */
	output_drain(c);
	c->state = CONTAINER_TERMINATED;
	c->exit_serial = ++c->a->exits;
	if (c->sandbox && c->pod)
		c->pod->sandbox_exited = true;
	log_write(&c->a->log, LOG_INFO, "container exited", "container", c->id, "pid",
		  LOG_NUM(c->init->pid), "code", LOG_NUM(c->init->code), NULL);
	/* With a pid namespace of its own the kernel has killed the rest. */
	if (!c->own_pidns && c->group)
		ignore(cgfs_group_kill_begin(c->group, NULL));
	/* A `start` that has not seen it waits for ever; one that has is about to end. */
	if (c->starting)
		runtime_hurry(c->a->runtime, c->id);
	container_notify(c);
	container_end_step(c);
}

/* What keeps a deletion from its end, for the request that cannot wait for it any longer. */
static const char *end_waits_for(const struct container *c)
{
	if (c->init && !c->init->exited)
		return "the kernel has not ended its first process yet";
	if (c->jobs > 0)
		return "the runtime has not ended yet";
	if (c->end == END_SCRATCH)
		return "its scratch directory is being removed";
	return c->end == END_RUNTIME ? "the runtime deletes it" : "its cgroups are being removed";
}

static void on_end_time(void *ctx)
{
	struct container *c = ctx;

	log_write(&c->a->log, LOG_WARNING, "deletion takes long and continues", "container", c->id,
		  "why", end_waits_for(c), NULL);
	reply_all(&c->replies, -ETIMEDOUT, end_waits_for(c));
}

/* No request waits for the output of a deleted container's processes. */
static void drop_streams(struct container *c)
{
	for (struct process *p = c->execs, *next; p; p = next) {
		next = p->next;
		process_drop_streams(p);
	}
	if (c->init)
		process_drop_streams(c->init);
}

static void kill_init(void *ctx)
{
	struct container *c = ctx;

	if (c->init && !c->init->exited)
		(void)process_kill(c->init, SIGKILL);
}

/* Init with the others, since in a pid namespace of its own it takes them all with it at once; by
 * itself when that fails, or when it has left the group. */
static void kill_all(struct container *c)
{
	struct cgfs_err err = { 0 };
	int r = c->group && c->created ? cgfs_group_kill_begin(c->group, &err) : -ENOENT;

	if (c->init && !c->init->exited)
		c->exit_type = EXIT_FORCED;
	c->kill_timer = (struct loop_timer){ .fn = kill_init, .ctx = c };
	if (r < 0 || loop_timer_set(c->a->loop, &c->kill_timer, KILL_INIT_MS) < 0)
		kill_init(c);
	if (!c->group || !c->created)
		return;
	/* What v1's freezer has stopped does not die before it is let go. */
	if (r == 0)
		r = cgfs_group_thaw(c->group, &err);
	if (r < 0)
		log_write(&c->a->log, LOG_DEBUG, "while a container is deleted", "container", c->id,
			  "error", err.text, NULL);
}

void container_end(struct container *c, struct request *rq, uint32_t hr, const char *text)
{
	reply_add(&c->replies, rq, hr, text);
	if (c->end_timer.index == 0) {
		c->end_timer = (struct loop_timer){ .fn = on_end_time, .ctx = c };
		ignore(loop_timer_set(c->a->loop, &c->end_timer, END_ANSWER_MS));
	}
	if (c->end != END_NONE) {
		container_end_step(c);
		return;
	}
	c->end = END_PROCESSES;
	if (hr != HR_OK)
		log_write(&c->a->log, LOG_WARNING, "container not created", "container", c->id,
			  "error", text, NULL);
	if (c->sandbox && c->pod && !c->pod->doomed)
		pod_doom(c->pod);
	/* First what runs outside of its cgroups, or is about to come in. */
	streams_cancel(&c->a->streams, c);
	drop_streams(c);
	runtime_cancel(c->a->runtime, c->id);
	limits_cancel(c);
	kill_all(c);
	container_end_step(c);
}

/* What the runtime keeps of a container that it could not delete would be in the way of the next
 * one of that name. */
static void forget_in_runtime(const struct container *c)
{
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/runtime/%s", c->a->state_dir, c->id) < 0)
		path = NULL;
	if (path)
		ignore(files_remove_flat(path));
}

static void runtime_deleted(void *ctx, int code, const char *why)
{
	struct container *c = ctx;

	if (code != 0) {
		log_write(&c->a->log, LOG_WARNING, "runtime could not delete", "container", c->id,
			  "error", why, NULL);
		forget_in_runtime(c);
	}
	c->end = END_GROUP;
	container_end_step(c);
}

static bool run_delete(struct container *c)
{
	auto_free char *log = container_file(c, c->serial++, "log");
	struct runtime_job job = { .verb = RUNTIME_DELETE,
				   .id = c->id,
				   .pod = c->pod ? c->pod->id : NULL,
				   .log = log,
				   .fds = { -EBADF, -EBADF, -EBADF },
				   .done = runtime_deleted,
				   .ctx = c };

	return log && runtime_run(c->a->runtime, &job) == 0;
}

/* true: it runs, and continues the deletion. */
static bool runtime_delete(struct container *c)
{
	if (c->plain_end && c->init && runtime_forget(c->a->runtime, c->id))
		return false;
	return run_delete(c);
}

static void not_removed(void *ctx, int error, const char *message)
{
	container_removed(ctx, error, message);
}

void container_end_step(struct container *c)
{
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
		if (!c->group)
			container_removed(c, 0, NULL);
		else if (!c->removal.begun)
			removal_begin(&c->removal, c->a->loop, c->group, not_removed, c);
		return;
	case END_SCRATCH:
		/* Another request for the end waits, too. */
		if (!c->scratch_removal)
			container_removed(c, 0, NULL);
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

	/* What the host gave to a container that never came to be stays the host's. */
	if (c->end != END_SCRATCH && error == 0 && c->init && scratch_remove(c)) {
		c->end = END_SCRATCH;
		return;
	}
	log_write(&a->log, error ? LOG_ERROR : LOG_INFO, "container deleted", "container", c->id,
		  "pod", pod ? pod->id : NULL, "error", error ? message : NULL, NULL);
	if (c->dir_ours)
		ignore(files_remove_flat(c->dir));
	(void)dirs_remove(&a->dirs, c->dir);
	if (!pod)
		home_remove_files(a, c->bundle);
	dirs_remove_up(&a->dirs, c->bundle);
	hash_remove(&a->containers, &c->node);
	c->node.key = NULL;
	cgfs_group_close(c->group);
	c->group = NULL;

	/* With its last container a pod that is to go goes, and answers what was left to answer. */
	if (pod)
		pod_leave(pod, c);
	reply_all(&c->replies, error, message);
	container_free(c);
	a->emptied(a);
}

void container_free(struct container *c)
{
	if (c->node.key)
		hash_remove(&c->a->containers, &c->node);
	scratch_forget(c);
	output_free(c);
	limits_drop(c);
	removal_drop(&c->removal);
	loop_timer_clear(c->a->loop, &c->end_timer);
	loop_timer_clear(c->a->loop, &c->kill_timer);
	json_decref(c->rlimits);
	json_decref(c->labels);
	json_decref(c->user);
	free(c->rootfs);
	for (size_t i = 0; i < c->n_binds; i++) {
		free(c->binds[i].base);
		free(c->binds[i].path);
	}
	free(c->binds);
	while (c->execs)
		process_free(c->execs);
	if (c->init)
		process_free(c->init);
	reply_all(&c->replies, -ECANCELED, "the agent is stopping");
	cgfs_group_close(c->group);
	free(c->activity);
	free(c->bundle);
	free(c->dir);
	free(c->scratch);
	free(c->id);
	free(c);
}
