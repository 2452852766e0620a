/* SPDX-License-Identifier: MIT */
/*
 * state.c - what the next agent needs to go on where this one was killed.  One small file for each
 * pod, {state-dir}/pods/ID, and container, {state-dir}/containers/ID/state.json: written before
 * the first cgroup is made and after each change, replaced in one step.  Which cgroup belongs to
 * which pod stands in cgroupfs and the pins; the files have only what the kernel does not know.
 * Reading: adopt.c.
 */
#include "agent/model/state.h"

#include <fcntl.h>
#include <stdio.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/model/process.h"
#include "cgfs/base/json.h"
#include "cgfs/base/util.h"

/* There is one thread: one name for what is not yet complete is enough. */
static int fresh_path(const struct agent *a, char **ret)
{
	if (asprintf(ret, "%s/state.new", a->state_dir) >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

int state_lock(struct agent *a, struct cgfs_err *err)
{
	/* Of the process, not of the descriptor: no child of a killed agent keeps it. */
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/lock", a->state_dir) < 0)
		path = NULL;
	a->state_lock = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	if (a->state_lock < 0)
		return cgfs_err_set(err, path ? -errno : -ENOMEM, "open", path, NULL, NULL);
	if (fcntl(a->state_lock, F_SETLK, &lock) == 0)
		return 0;
	/* 0 for a process that this one's pid namespace does not show. */
	if (fcntl(a->state_lock, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		lock.l_pid = 0;
	close(take_fd(&a->state_lock));
	return cgfs_err_set(err, -EBUSY, "use state directory", a->state_dir, NULL,
			    "another agent (process %d) uses it", lock.l_pid);
}

void state_unlock(struct agent *a, bool remove)
{
	auto_free char *path = NULL, *fresh = NULL;

	if (a->state_lock < 0)
		return;
	if (asprintf(&path, "%s/lock", a->state_dir) < 0)
		path = NULL;
	if (remove && path)
		(void)unlink(path);
	if (remove && fresh_path(a, &fresh) == 0)
		(void)unlink(fresh); /* half written by an agent that was killed */
	close(take_fd(&a->state_lock));
}

/* Takes @j. */
static int save(const struct agent *a, const char *path, json_t *j, struct cgfs_err *err)
{
	auto_free char *text = j ? cgfs_json_dump(j, JSON_COMPACT) : NULL;
	auto_free char *fresh = NULL;
	int r = -ENOMEM;

	json_decref(j);
	if (text && fresh_path(a, &fresh) == 0)
		r = files_write(fresh, text);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	return r < 0 ? cgfs_err_set(err, r, "write", path, NULL, NULL) : 0;
}

/* --- pods ----------------------------------------------------------------------------------- */

static char *pod_path(const struct agent *a, const char *id)
{
	char *path;

	return asprintf(&path, "%s/pods/%s", a->state_dir, id) < 0 ? NULL : path;
}

int state_save_pod(const struct pod *p, bool made, struct cgfs_err *err)
{
	auto_free char *path = pod_path(p->a, p->id);

	if (!path)
		return cgfs_err_set(err, -ENOMEM, "write state of pod", p->id, NULL, NULL);
	return save(p->a, path,
		    json_pack("{s:b, s:b, s:s*, s:i, s:b, s:O*, s:s*}", "Made", made, "Sandbox",
			      p->by_sandbox, "Directory", p->dir, "Shared", (int)p->shared,
			      "HostNetwork", p->host_network, "Labels", p->labels, "HostName",
			      p->hostname),
		    err);
}

int state_share(struct pod *p, unsigned int what, struct cgfs_err *err)
{
	unsigned int before = p->shared;
	int r;

	if ((before & what) == what)
		return 0;
	p->shared |= what;
	r = state_save_pod(p, true, err);
	if (r < 0)
		p->shared = before;
	return r;
}

void state_forget_pod(const struct agent *a, const char *id)
{
	auto_free char *path = pod_path(a, id);

	if (path)
		(void)unlink(path);
}

bool state_knows_pod(const struct agent *a, const char *id)
{
	auto_free char *path = pod_path(a, id);

	return path && access(path, F_OK) == 0;
}

/* --- containers ----------------------------------------------------------------------------- */

static json_t *process_json(const struct process *p)
{
	return json_pack("{s:I, s:I}", "Pid", (json_int_t)p->pid, "Start", (json_int_t)p->started);
}

static json_t *container_state_json(const struct container *c)
{
	json_t *execs = json_array();
	json_t *j;

	for (const struct process *p = c->execs; p; p = p->next) {
		json_t *one = process_json(p);

		if (one && p->exited)
			json_object_set_new(one, "ExitCode", json_integer((json_int_t)p->code));
		json_array_append_new(execs, one);
	}
	j = json_pack("{s:i, s:b, s:b, s:b, s:b, s:i, s:b, s:o, s:o, s:o}", "State", (int)c->state,
		      "Sandbox", c->sandbox, "OwnPidNamespace", c->own_pidns, "PlainEnd",
		      c->plain_end, "Host", c->by_host, "ExitType", (int)c->exit_type, "Notified",
		      c->notified, "Bundle", json_text(c->bundle), "Pod",
		      json_text(c->pod ? c->pod->id : ""), "Execs", execs);
	if (j && c->scratch)
		json_object_set_new(j, "Scratch", json_text(c->scratch));
	if (j && c->labels)
		json_object_set(j, "Labels", c->labels);
	if (j && c->activity)
		json_object_set_new(j, "ActivityId", json_text(c->activity));
	if (j && c->init)
		json_object_set_new(j, "Init", process_json(c->init));
	if (j && (c->ports[0] || c->ports[1] || c->ports[2]))
		json_object_set_new(j, "Ports",
				    json_pack("[I, I, I]", (json_int_t)c->ports[0],
					      (json_int_t)c->ports[1], (json_int_t)c->ports[2]));
	if (j && c->init && c->init->exited)
		json_object_set_new(j, "ExitCode", json_integer((json_int_t)c->init->code));
	return j;
}

int state_save_container(const struct container *c, struct cgfs_err *err)
{
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/state.json", c->dir) < 0) {
		path = NULL;
		return cgfs_err_set(err, -ENOMEM, "write state of container", c->id, NULL, NULL);
	}
	return save(c->a, path, container_state_json(c), err);
}

void state_update(const struct container *c)
{
	struct cgfs_err err = { 0 };

	/* The next agent will know less; this one and the container go on. */
	if (state_save_container(c, &err) < 0)
		log_write(&c->a->log, LOG_ERROR, "container's state not saved", "container", c->id,
			  "error", err.text, NULL);
}
