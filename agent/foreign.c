/* SPDX-License-Identifier: MIT */
/*
 * foreign.c - pods that are in the kernel but not in our tables: left by an earlier agent, or
 * made straight on libcgfs.  They are reported, never swept; DeletePod deletes them.
 */
#include <stdio.h>

#include "../cgfs/internal.h"
#include "agent.h"

struct foreign {
	struct table_node node;
	struct agent *a;
	struct cgfs_group *group;
	struct request *rq;
	char *id;
	unsigned int jobs;
};

static int report(void *arg, const char *id)
{
	struct agent *a = arg;

	if (!table_find(&a->pods, id) && !table_find(&a->containers, id))
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

static void end(struct foreign *f, int error, const char *message)
{
	log_write(&f->a->log, error ? LOG_ERROR : LOG_INFO, "pod deleted", "pod", f->id, "error",
		  error ? message : NULL, NULL);
	state_forget_pod(f->a, f->id); /* one that could not be adopted */
	table_remove(&f->a->foreign, &f->node);
	if (error)
		request_fail(f->rq, HR_FAIL, "%s: %s", strerror(-error), message);
	else
		request_answer(f->rq, NULL);
	cgfs_group_close(f->group);
	free(f->id);
	free(f);
}

bool foreign_removed(struct agent *a, const char *id, int error, const char *message)
{
	struct table_node *node = table_find(&a->foreign, id);

	if (!node)
		return false;
	end(container_of(node, struct foreign, node), error, message);
	return true;
}

static void remove_group(struct foreign *f)
{
	struct cgfs_err err = { 0 };
	int r;

	if (f->jobs > 0)
		return;
	r = cgfs_group_remove(f->group, &err);
	if (r < 0)
		end(f, r, err.text);
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
	const char *base = f->a->opt->state_dir;

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
	files_remove_flat(dir);
	return 0;
}

void foreign_delete(struct agent *a, struct request *rq, const char *id)
{
	struct foreign *f;
	struct cgfs_err err = { 0 };
	int r;

	if (table_find(&a->foreign, id)) {
		request_fail(rq, HR_INVALID_STATE, "pod %s is being deleted", id);
		return;
	}
	f = calloc(1, sizeof(*f));
	r = f && (f->id = strdup(id)) ? cgfs_pod_open(a->cgfs, id, &f->group, &err) : -ENOMEM;
	if (r == 0)
		r = table_add(&a->foreign, &f->node, f->id);
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
	f->rq = rq;
	(void)!cgfs_container_list(f->group, delete_state, f, NULL);
	delete_state(f, id);
	remove_group(f);
}
