/* SPDX-License-Identifier: MIT */
/*
 * container.c - a container from Create to running: where it belongs, what the runtime gets, who
 * owns its cgroup.  How it ends is in container_end.c.
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../cgfs/internal.h"
#include "agent.h"
#include "json.h"
#include "oci.h"

/* One run of the runtime for a container, and the request that waits for it. */
struct job {
	struct container *c;
	struct request *rq;
	unsigned int serial;
	char *pid_file, *log, *process;
};

const char *container_state_name(const struct container *c)
{
	static const char *const names[] = { "creating", "created", "running", "terminated" };

	return c->end != END_NONE ? "deleting" : names[c->state];
}

char *container_file(const struct container *c, unsigned int serial, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/%u.%s", c->dir, serial, suffix) < 0 ? NULL : path;
}

struct container *container_lookup(struct agent *a, struct request *rq, const char *id)
{
	struct table_node *node = table_find(&a->containers, id);
	struct container *c;

	if (!node) {
		request_fail(rq, HR_SYSTEM_NOT_FOUND,
			     "HRESULT %#x: there is no container \"%.255s\"", HR_SYSTEM_NOT_FOUND,
			     id);
		return NULL;
	}
	c = container_of(node, struct container, node);
	if (c->state == CONTAINER_CREATING || c->end != END_NONE) {
		request_fail(rq, HR_INVALID_STATE, "container %s is %s: HRESULT %#x", id,
			     c->end != END_NONE ? "being deleted" : "still being created",
			     HR_INVALID_STATE);
		return NULL;
	}
	if (!c->owner)
		c->owner = rq->conn;
	return c;
}

struct process *container_process(struct container *c, uint32_t pid)
{
	struct process *p = c->execs;

	if (c->init && (uint32_t)c->init->pid == pid)
		return c->init;
	while (p && (uint32_t)p->pid != pid)
		p = p->next;
	return p;
}

uint32_t container_signal(struct container *c, struct process *p, int sig)
{
	enum exit_type before = c->exit_type;
	int r;

	if (p->exited)
		return HR_NOT_FOUND;
	/* First: the exit may be seen before kill(2) is back in our hands. */
	if (p == c->init && sig == SIGTERM)
		c->exit_type = EXIT_GRACEFUL;
	else if (p == c->init && sig == SIGKILL)
		c->exit_type = EXIT_FORCED;
	if (c->exit_type != before)
		state_update(c);
	r = process_kill(p, sig);
	if (r == 0)
		return HR_OK;
	c->exit_type = before;
	state_update(c);
	return r == -ESRCH ? HR_NOT_FOUND : r == -EINVAL ? HR_INVALID_ARG : HR_FAIL;
}

/* --- runs of the runtime -------------------------------------------------------------------- */

static void job_free(struct job *j)
{
	if (!j)
		return;
	if (j->pid_file)
		(void)unlink(j->pid_file);
	if (j->process)
		(void)unlink(j->process);
	free(j->pid_file);
	free(j->process);
	free(j->log);
	free(j);
}

static struct job *job_new(struct container *c, struct request *rq)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->c = c;
	j->rq = rq;
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

/* Takes @fds over on success. */
static int job_run(struct job *j, enum runtime_verb verb, int fds[3],
		   void (*done)(void *ctx, int code, const char *why))
{
	bool joins = verb != RUNTIME_START;
	struct runtime_job job = { .verb = verb,
				   .id = j->c->id,
				   .bundle = j->c->dir,
				   .process = j->process,
				   .pid_file = joins ? j->pid_file : NULL,
				   .log = j->log,
				   .join = joins ? j->c->group : NULL,
				   .fds = { -EBADF, -EBADF, -EBADF },
				   .done = done,
				   .ctx = j };
	int r;

	if (fds)
		memcpy(job.fds, fds, sizeof(job.fds));
	r = runtime_run(j->c->a->runtime, &job);
	if (r < 0)
		return r;
	if (fds)
		fds[0] = fds[1] = fds[2] = -EBADF;
	j->c->jobs++;
	return 0;
}

/* The process that a run has left behind; NULL with @why. */
static struct process *job_process(struct job *j, char *why, size_t len)
{
	struct process *p;
	char text[32];
	char *end;
	long pid;

	if (files_read(j->pid_file, text, sizeof(text)) <= 0) {
		snprintf(why, len, "the runtime wrote no pid file");
		return NULL;
	}
	pid = strtol(text, &end, 10);
	if (pid <= 0 || pid > INT_MAX || (*end && *end != '\n')) {
		snprintf(why, len, "the runtime's pid file says \"%.20s\"", text);
		return NULL;
	}
	p = process_new(j->c->a, j->c, (pid_t)pid);
	if (!p) {
		kill((pid_t)pid, SIGKILL);
		snprintf(why, len, "out of memory");
	}
	return p;
}

/* --- create --------------------------------------------------------------------------------- */

static void created(void *ctx, int code, const char *why)
{
	struct job *j = ctx;
	struct container *c = j->c;
	struct request *rq = j->rq;
	char text[128];

	c->jobs--;
	if (code == 0) {
		c->init = job_process(j, text, sizeof(text));
		why = text;
	}
	job_free(j);
	if (!c->init) {
		container_end(c, rq, HR_FAIL, why);
		return;
	}

	c->state = CONTAINER_CREATED;
	state_update(c);
	log_write(&c->a->log, LOG_INFO, "container created", "container", c->id, "pod",
		  c->pod ? c->pod->id : NULL, "pid", LOG_NUM(c->init->pid), "cgroup",
		  cgfs_group_path(c->group), NULL);
	if (c->end == END_NONE)
		request_answer(rq, json_pack("{s:i}", "SelectedProtocolVersion", 0));
	else
		request_fail(rq, HR_INVALID_STATE, "container %s was deleted meanwhile", c->id);
	process_watch(c->init); /* the last: it may be dead already, and take the container along */
}

struct container *container_new(struct agent *a, const char *id, const char *bundle,
				const char *activity)
{
	struct container *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->a = a;
	c->id = strdup(id);
	c->bundle = strdup(bundle);
	c->activity = activity ? strdup(activity) : NULL;
	if (asprintf(&c->dir, "%s/containers/%s", a->opt->state_dir, id) < 0)
		c->dir = NULL;
	if (!c->id || !c->bundle || !c->dir || (activity && !c->activity) ||
	    table_add(&a->containers, &c->node, c->id) < 0) {
		c->node.key = NULL;
		container_free(c);
		return NULL;
	}
	return c;
}

/* The pod, which a sandbox makes and a workload must find.  HR_OK, or with @err's text. */
static uint32_t join_pod(struct container *c, const struct oci_place *place,
			 const struct cgfs_resources *res, struct cgfs_err *err)
{
	struct pod *pod = pod_find(c->a, place->pod);
	uint32_t hr = HR_FAIL;
	int r = 0;

	if (place->kind == OCI_STANDALONE) {
		memory_first_pod(c->a);
		if (!pod_find(c->a, c->id))
			return HR_OK;
		cgfs_err_set(err, -EEXIST, NULL, NULL, NULL, "pod %s already exists", c->id);
		return HR_FAIL;
	}
	if (place->kind == OCI_SANDBOX && pod) {
		r = cgfs_err_set(err, -EEXIST, NULL, NULL, NULL, "pod %s already exists",
				 place->pod);
	} else if (place->kind == OCI_SANDBOX) {
		r = pod_create(c->a, place->pod, res, true, &pod, err);
		hr = protocol_hresult_from_errno(r);
	} else if (!pod) {
		r = cgfs_err_set(err, -ENOENT, NULL, NULL, NULL,
				 "pod %s does not exist for workload container %s", place->pod,
				 c->id);
	} else if (pod->doomed || pod->sandbox_exited) {
		hr = HR_INVALID_STATE;
		r = cgfs_err_set(err, -EBUSY, NULL, NULL, NULL, "the sandbox of pod %s %s",
				 place->pod, pod->doomed ? "was deleted" : "has exited");
	}
	if (r < 0)
		return hr;
	pod_join(pod, c);
	return HR_OK;
}

static uint32_t make_cgroups(struct container *c, const json_t *spec, const struct oci_place *place,
			     struct cgfs_err *err)
{
	auto_free char *text = oci_resources(spec);
	struct cgfs_resources *res = NULL;
	uint32_t hr;
	int r;

	r = cgfs_resources_from_oci(text ? text : "{}", text ? strlen(text) : 2, &res, err);
	if (r < 0)
		return r == -EINVAL ? HR_INVALID_JSON : protocol_hresult_from_errno(r);

	c->sandbox = place->kind == OCI_SANDBOX;
	hr = join_pod(c, place, res, err);
	if (hr == HR_OK && (r = state_save_container(c, err)) < 0)
		hr = protocol_hresult_from_errno(r);
	if (hr == HR_OK) {
		r = cgfs_container_create(c->a->cgfs, c->pod ? c->pod->group : NULL, c->id, res,
					  &c->group, err);
		hr = protocol_hresult_from_errno(r);
	}
	cgfs_resources_free(res);
	return hr;
}

static int write_config(struct container *c, json_t *spec, struct cgfs_err *err)
{
	auto_free char *path = NULL, *text = NULL;
	int r;

	r = files_make_dirs(c->a, c->bundle);
	if (r < 0)
		return cgfs_err_set(err, r, "make bundle", c->bundle, NULL, NULL);
	r = oci_rewrite(spec, c->bundle);
	text = r < 0 ? NULL : json_dumps(spec, JSON_COMPACT);
	if (!text || asprintf(&path, "%s/config.json", c->dir) < 0) {
		path = NULL;
		return cgfs_err_set(err, -ENOMEM, "write", "config.json", NULL, NULL);
	}
	r = files_write(path, text);
	return r < 0 ? cgfs_err_set(err, r, "write", path, NULL, NULL) : 0;
}

static int run_create(struct container *c, struct request *rq, int fds[3], struct cgfs_err *err)
{
	struct job *j = job_new(c, rq);

	if (!j || job_run(j, RUNTIME_CREATE, fds, created) < 0) {
		job_free(j);
		return cgfs_err_set(err, -ENOMEM, "create container", NULL, NULL, NULL);
	}
	c->created = true;
	return 0;
}

void container_create(struct agent *a, struct request *rq, const char *id, const char *bundle,
		      json_t *spec, int fds[3])
{
	struct oci_place place;
	struct cgfs_err err = { 0 };
	char why[OCI_WHY_MAX];
	struct container *c;
	uint32_t hr;
	int r;

	if (cgfs_id_check(id, &err) < 0) {
		request_fail(rq, HR_INVALID_ARG, "%s", err.text);
		return;
	}
	if (table_find(&a->containers, id)) {
		request_fail(rq, HR_SYSTEM_EXISTS,
			     "HRESULT %#x: create container \"%s\": the id is in use",
			     HR_SYSTEM_EXISTS, id);
		return;
	}
	hr = oci_place(spec, id, &place, why);
	if (hr == HR_OK)
		hr = oci_check(spec, why);
	if (hr == HR_OK && !oci_bundle_ok(bundle)) {
		hr = HR_INVALID_ARG;
		snprintf(why, sizeof(why),
			 "OciBundlePath \"%.200s\" is not an absolute, plain path", bundle);
	}
	if (hr != HR_OK) {
		request_fail(rq, hr, "%s", why);
		return;
	}
	c = container_new(a, id, bundle, rq->activity);
	if (!c) {
		request_fail(rq, HR_FAIL, "out of memory");
		return;
	}
	c->owner = rq->conn;
	c->own_pidns = oci_own_pidns(spec);

	/* From here every failure takes everything back before it is told. */
	if (mkdir(c->dir, 0700) < 0 && errno != EEXIST) {
		cgfs_err_set(&err, -errno, "make directory", c->dir, NULL, NULL);
		hr = HR_FAIL;
	} else {
		hr = make_cgroups(c, spec, &place, &err);
	}
	if (hr == HR_OK) {
		r = write_config(c, spec, &err);
		if (r == 0)
			r = run_create(c, rq, fds, &err);
		hr = r < 0 ? HR_FAIL : HR_OK;
	}
	if (hr != HR_OK)
		container_end(c, rq, hr, err.text);
}

/* --- start ---------------------------------------------------------------------------------- */

static void started(void *ctx, int code, const char *why)
{
	struct job *j = ctx;
	struct container *c = j->c;

	c->jobs--;
	c->starting = false;
	if (code == 0) {
		/* It may have ended already: then it stays terminated. */
		if (c->state == CONTAINER_CREATED) {
			c->state = CONTAINER_RUNNING;
			state_update(c);
		}
		log_write(&c->a->log, LOG_INFO, "container started", "container", c->id, "pid",
			  LOG_NUM(c->init->pid), NULL);
		request_answer(j->rq, json_pack("{s:I}", "ProcessId", (json_int_t)c->init->pid));
	} else {
		request_fail(j->rq, HR_FAIL, "%s", why);
	}
	job_free(j);
	container_notify(c);
	container_end_step(c);
}

void container_start(struct container *c, struct request *rq)
{
	struct job *j;

	if (c->state != CONTAINER_CREATED || c->starting) {
		request_fail(rq, HR_FAIL, "cannot start container %s: it is %s", c->id,
			     c->starting ? "being started" : container_state_name(c));
		return;
	}
	j = job_new(c, rq);
	if (!j || job_run(j, RUNTIME_START, NULL, started) < 0) {
		job_free(j);
		request_fail(rq, HR_FAIL, "out of memory");
		return;
	}
	c->starting = true;
}

/* --- an added process ----------------------------------------------------------------------- */

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
	if (p) {
		p->next = c->execs;
		c->execs = p;
		state_update(c);
		request_answer(j->rq, json_pack("{s:I}", "ProcessId", (json_int_t)p->pid));
		process_watch(p);
	} else {
		request_fail(j->rq, HR_FAIL, "%s", why);
	}
	job_free(j);
	container_end_step(c);
}

void container_exec(struct container *c, struct request *rq, json_t *process, int fds[3])
{
	auto_free char *text = json_dumps(process, JSON_COMPACT);
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
		r = job_run(j, RUNTIME_EXEC, fds, execed);
	if (r < 0) {
		job_free(j);
		request_fail(rq, HR_FAIL, "exec in container %s: %s", c->id, strerror(-r));
	}
}
