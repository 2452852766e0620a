/* SPDX-License-Identifier: MIT */
/*
 * foreign.c - pods that are in the kernel but not in our tables: left by an earlier agent, or
 * made straight on libcgfs.  They are reported, never swept; DeletePod deletes them.
 */
#include <cgfs/cgfs.h>
#include <stdio.h>

#include "agent/base/files.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/loop.h"
#include "agent/bridge/bridge.h"
#include "agent/bridge/reply.h"
#include "agent/model/agent.h"
#include "agent/model/pod.h"
#include "agent/model/state.h"
#include "agent/runtime/runtime.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

struct foreign {
	struct hash_node node;
	struct agent *a;
	struct cgfs_group *group;
	struct reply *replies; /* due when it is gone */
	struct loop_timer end_timer;
	struct removal removal;
	char *id;
	unsigned int jobs;
};

static int report(void *arg, const char *id)
{
	struct agent *a = arg;

	if (!hash_find(&a->pods, id) && !hash_find(&a->containers, id))
		log_write(&a->log, LOG_WARNING, "found a pod that this agent did not make", "pod",
			  id, "hint", "it keeps running; DeletePod deletes it", NULL);
	return 0;
}

void foreign_report(struct agent *a)
{
	struct cgfs_err err = { 0 };
	int r = cgfs_pod_list(a->cgfs, report, a, &err);

	if (r < 0 && r != -ENOENT)
		log_write(&a->log, LOG_WARNING, "cannot list pods", "error", err.text, NULL);
}

static void forget(struct foreign *f, int error, const char *message)
{
	hash_remove(&f->a->foreign, &f->node);
	loop_timer_clear(f->a->loop, &f->end_timer);
	removal_drop(&f->removal);
	reply_all(&f->replies, error, message);
	cgfs_group_close(f->group);
	free(f->id);
	free(f);
}

static void end(struct foreign *f, int error, const char *message)
{
	log_write(&f->a->log, error ? LOG_ERROR : LOG_INFO, "pod deleted", "pod", f->id, "error",
		  error ? message : NULL, NULL);
	state_forget_pod(f->a, f->id); /* one that could not be adopted */
	forget(f, error, message);
}

void foreign_forget(struct agent *a)
{
	struct hash_node *node;

	while ((node = hash_next(&a->foreign, NULL)))
		forget(container_of(node, struct foreign, node), -ECANCELED,
		       "the agent is stopping");
}

void foreign_removed(struct agent *a, const char *id, int error, const char *message)
{
	struct hash_node *node = hash_find(&a->foreign, id);
	struct foreign *f = node ? container_of(node, struct foreign, node) : NULL;

	if (f && f->removal.begun && removal_over(&f->removal, error))
		end(f, error, message);
}

static void not_removed(void *ctx, int error, const char *message)
{
	end(ctx, error, message);
}

static void on_end_time(void *ctx)
{
	struct foreign *f = ctx;

	log_write(&f->a->log, LOG_WARNING, "deletion takes long and continues", "pod", f->id, NULL);
	reply_all(&f->replies, -ETIMEDOUT,
		  f->jobs > 0 ? "the runtime has not ended yet" : "its cgroups are being removed");
}

static void remove_group(struct foreign *f)
{
	if (f->jobs == 0 && !f->removal.begun)
		removal_begin(&f->removal, f->a->loop, f->group, not_removed, f);
}

static void runtime_deleted(void *ctx, int code, const char *why)
{
	struct foreign *f = ctx;

	if (code != 0)
		log_write(&f->a->log, LOG_WARNING, "runtime could not delete", "pod", f->id,
			  "error", why, NULL);
	f->jobs--;
	remove_group(f);
}

/* What the runtime remembers of a container of that name, if anything. */
static int delete_state(void *arg, const char *id)
{
	struct foreign *f = arg;
	auto_free char *state = NULL, *log = NULL, *dir = NULL;
	const char *base = f->a->state_dir;

	if (asprintf(&state, "%s/runtime/%s", base, id) < 0)
		state = NULL;
	if (asprintf(&log, "%s/containers/%s.log", base, id) < 0)
		log = NULL;
	if (asprintf(&dir, "%s/containers/%s", base, id) < 0)
		dir = NULL;
	if (!state || !log || !dir)
		return 0;
	if (access(state, F_OK) == 0) {
		struct runtime_job job = { .verb = RUNTIME_DELETE,
					   .id = id,
					   .log = log,
					   .fds = { -EBADF, -EBADF, -EBADF },
					   .done = runtime_deleted,
					   .ctx = f };

		f->jobs += runtime_run(f->a->runtime, &job) == 0;
	}
	if (dirs_ours(&f->a->dirs, dir))
		ignore(files_remove_flat(dir));
	(void)dirs_remove(&f->a->dirs, dir);
	return 0;
}

void foreign_delete(struct agent *a, struct request *rq, const char *id)
{
	struct foreign *f;
	struct cgfs_err err = { 0 };
	int r;

	if (hash_find(&a->foreign, id)) {
		request_fail(rq, HR_INVALID_STATE, "pod %s is being deleted", id);
		return;
	}
	f = calloc(1, sizeof(*f));
	r = f && (f->id = strdup(id)) ? cgfs_pod_open(a->cgfs, id, &f->group, &err) : -ENOMEM;
	if (r == 0)
		r = hash_add(&a->foreign, &f->node, f->id);
	if (r < 0) {
		if (r == -ENOENT || r == -EINVAL)
			request_fail(rq, HR_SYSTEM_NOT_FOUND, "there is no pod \"%.255s\"", id);
		else
			request_fail_err(rq, r, &err);
		if (f)
			cgfs_group_close(f->group);
		if (f)
			free(f->id);
		free(f);
		return;
	}
	f->a = a;
	reply_add(&f->replies, rq, HR_OK, NULL);
	f->end_timer = (struct loop_timer){ .fn = on_end_time, .ctx = f };
	ignore(loop_timer_set(a->loop, &f->end_timer, END_ANSWER_MS));
	/* What is frozen does not end, and the runtime may wait for it. */
	if (cgfs_group_thaw(f->group, &err) < 0)
		log_write(&a->log, LOG_DEBUG, "while a pod is deleted", "pod", id, "error",
			  err.text, NULL);
	ignore(cgfs_container_list(f->group, delete_state, f, NULL));
	delete_state(f, id);
	remove_group(f);
}
