/* SPDX-License-Identifier: MIT */
/*
 * container.c - a container from Create to running: its place, what the runtime gets, and the
 * owner of its cgroup.  How it ends is in container_end.c.
 */
#include "agent/model/container.h"

#include <cgfs/cgfs.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/home.h"
#include "agent/model/job.h"
#include "agent/model/pod.h"
#include "agent/model/process.h"
#include "agent/model/state.h"
#include "agent/runtime/runtime.h"
#include "agent/runtime/spec.h"
#include "agent/runtime/spec_apply.h"
#include "agent/stream/stream.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

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
	struct hash_node *node = hash_find(&a->containers, id);
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
	if (!c->owner && rq->conn && !conn_state(rq->conn)->observer)
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

/* --- create --------------------------------------------------------------------------------- */

static void created(void *ctx, int code, const char *why)
{
	struct job *j = ctx;
	struct container *c = j->c;
	struct request *rq = j->rq;
	struct cgfs_err err = { 0 };
	char text[128];
	int r;

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
	r = limits_complete(c, &err);
	if (r < 0 && c->end == END_NONE) {
		/* It has run nothing yet, and never will: its limits are not in force. */
		process_watch(c->init);
		container_end(c, rq, protocol_hresult_from_errno(r), err.text);
		return;
	}

	if (!namespaces_created(c)) {
		process_watch(c->init);
		container_end(c, rq, HR_INVALID_STATE, "the sandbox of its pod has ended");
		return;
	}

	c->state = CONTAINER_CREATED;
	state_update(c);
	log_write(&c->a->log, LOG_INFO, "container created", "container", c->id, "pod",
		  c->pod ? c->pod->id : NULL, "pid", LOG_NUM(c->init->pid), "cgroup",
		  cgfs_group_path(c->group), NULL);
	if (c->end == END_NONE)
		c->a->words->created(rq);
	else
		request_fail(rq, HR_INVALID_STATE, "container %s was deleted meanwhile", c->id);
	/* A deletion that began before there was an init has had nothing to kill. */
	if (c->end != END_NONE)
		ignore(process_kill(c->init, SIGKILL));
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
	if (asprintf(&c->dir, "%s/containers/%s", a->state_dir, id) < 0)
		c->dir = NULL;
	if (!c->id || !c->bundle || !c->dir || (activity && !c->activity) ||
	    hash_add(&a->containers, &c->node, c->id) < 0) {
		c->node.key = NULL;
		container_free(c);
		return NULL;
	}
	return c;
}

/* The pod, which a sandbox makes and a workload must find.  HR_OK, or with @err's text. */
static uint32_t join_pod(struct container *c, const struct spec_place *place,
			 const struct cgfs_resources *res, struct cgfs_err *err)
{
	struct pod *pod = pod_find(c->a, place->pod);
	uint32_t hr = HR_FAIL;
	int r = 0;

	if (place->kind == SPEC_STANDALONE) {
		memory_first_pod(c->a);
		if (!pod_find(c->a, c->id))
			return HR_OK;
		cgfs_err_set(err, -EEXIST, NULL, NULL, NULL, "pod %s already exists", c->id);
		return HR_FAIL;
	}
	if (place->kind == SPEC_SANDBOX && pod) {
		r = cgfs_err_set(err, -EEXIST, NULL, NULL, NULL, "pod %s already exists",
				 place->pod);
	} else if (place->kind == SPEC_SANDBOX) {
		auto_free char *dir = home_path(c->bundle, place);

		r = dir ? pod_create(c->a, place->pod, res, c->labels, dir, "", &pod, err)
			: cgfs_err_set(err, -ENOMEM, "create pod", place->pod, NULL, NULL);
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

/*
 * A sandbox whose specification has no device rules does not restrict its pod: each container has
 * a list of its own, which denies by default, and a workload may be given devices that its sandbox
 * has no use for.
 */
static const struct cgfs_device_rule any_device[] = {
	{ CGFS_DEVICE_ALL, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY,
	  CGFS_ACCESS_MKNOD | CGFS_ACCESS_READ | CGFS_ACCESS_WRITE, true },
};

/* A budget in an annotation: of a sandbox, its pod's. */
static int admission(const struct spec *spec, struct cgfs_resources *res, struct cgfs_err *err)
{
	const char *text = spec_annotation(spec, ADMIT_ANNOTATION);
	uint64_t bytes = CGFS_MAX;

	if (!text)
		return 0;
	if (streq(text, "auto"))
		bytes = CGFS_ADMIT_AUTO;
	else if (!streq(text, "max") && !streq(text, "exempt") &&
		 (spec_number(text, &bytes) < 0 || bytes > INT64_MAX))
		return err_value(err, -EINVAL, "annotation " ADMIT_ANNOTATION, text,
				 "it must be a number of bytes, auto, max or exempt");
	res->set |= CGFS_SET_MEMORY_ADMIT | CGFS_SET_ADMIT_EXEMPT;
	res->memory_admit_bytes = bytes;
	res->admit_exempt = streq(text, "exempt");
	return 0;
}

static uint32_t make_cgroups(struct container *c, const struct spec *spec,
			     const struct spec_place *place, struct cgfs_err *err)
{
	struct cgfs_oci_opts opts = CGFS_OCI_OPTS_INIT;
	struct cgfs_resources *res = NULL;
	struct cgfs_resources now, of_pod;
	uint32_t hr;
	int r;

	opts.parsed = spec->resources;
	r = cgfs_resources_from_oci(opts.parsed ? NULL : "{}", 2, &opts, &res, err);
	if (r < 0)
		return r == -EINVAL ? HR_INVALID_JSON : protocol_hresult_from_errno(r);

	r = admission(spec, res, err);
	if (r < 0) {
		cgfs_resources_free(res);
		return HR_INVALID_ARG;
	}
	c->sandbox = place->kind == SPEC_SANDBOX;
	limits_defer(c, res, &now);
	of_pod = now;
	if (c->sandbox)
		now.set &= ~(CGFS_SET_MEMORY_ADMIT | CGFS_SET_ADMIT_EXEMPT);
	if (!place->has_rules) {
		of_pod.set |= CGFS_SET_DEVICES;
		of_pod.devices = any_device;
		of_pod.n_devices = ARRAY_SIZE(any_device);
	}
	hr = join_pod(c, place, &of_pod, err);
	if (hr == HR_OK && (r = state_save_container(c, err)) < 0)
		hr = protocol_hresult_from_errno(r);
	if (hr == HR_OK) {
		r = cgfs_container_create(c->a->cgfs, c->pod ? c->pod->group : NULL, c->id, &now,
					  &c->group, err);
		hr = protocol_hresult_from_errno(r);
	}
	return hr;
}

static int write_config(struct container *c, struct spec *spec, struct cgfs_err *err)
{
	auto_free char *path = NULL, *text = NULL;
	int r;

	r = dirs_make(&c->a->dirs, c->bundle);
	if (r < 0)
		return cgfs_err_set(err, r, "make bundle", c->bundle, NULL, NULL);
	text = spec_text(spec, c->bundle);
	if (!text || asprintf(&path, "%s/config.json", c->dir) < 0) {
		path = NULL;
		return cgfs_err_set(err, -ENOMEM, "write", "config.json", NULL, NULL);
	}
	r = files_write(path, text);
	return r < 0 ? cgfs_err_set(err, r, "write", path, NULL, NULL) : 0;
}

/* What init has as its streams when the host may ask for them at its start. */
static int make_streams(struct job *j)
{
	auto_free char *out = NULL, *error = NULL;

	j->relay = relay_new(&j->c->a->streams, j->c);
	if (!j->relay || asprintf(&out, "%s/host.stdout", j->c->dir) < 0)
		out = NULL;
	if (!out || asprintf(&error, "%s/host.stderr", j->c->dir) < 0)
		error = NULL;
	return error ? relay_fifos(j->relay, out, error, j->fds) : -ENOMEM;
}

/* Descriptors that came with the request are init's streams, or the other side of its terminal. */
static int run_create(struct container *c, struct request *rq, bool terminal,
		      const struct container_streams *streams, struct cgfs_err *err)
{
	int *fds = streams->fds;
	bool passed = fds[0] >= 0 || fds[1] >= 0 || fds[2] >= 0;
	struct job *j = job_new(c, rq);
	int r = j ? 0 : -ENOMEM;

	c->streams_given = passed || streams->console || !c->by_host;
	if (r == 0 && terminal)
		r = job_terminal(j, streams);
	else if (r == 0 && passed)
		job_take_fds(j, fds);
	else if (r == 0 && c->by_host)
		r = make_streams(j);
	if (r == 0)
		r = job_run(j, RUNTIME_CREATE, created);
	if (r < 0) {
		job_free(j);
		return cgfs_err_set(err, r, "create container", c->id, terminal ? "terminal" : NULL,
				    NULL);
	}
	c->created = true;
	return 0;
}

/* Relative to the bundle, or absolute. */
static char *root_path(const struct spec *spec, const char *bundle)
{
	const char *path = spec_root_path(spec);
	char *root;

	if (path[0] == '/')
		return strdup(path);
	return asprintf(&root, "%s/%s", bundle, path) < 0 ? NULL : root;
}

void container_create(struct agent *a, struct request *rq, const char *id,
		      const struct container_paths *paths, json_t *json,
		      const struct container_streams *streams)
{
	struct spec spec = spec_read(json);
	struct spec_place place;
	struct cgfs_err err = { 0 };
	auto_free char *root = NULL;
	char why[SPEC_WHY_MAX];
	struct container *c;
	bool terminal;
	uint32_t hr;
	int r;

	if (cgfs_id_check(id, &err) < 0) {
		request_fail(rq, HR_INVALID_ARG, "%s", err.text);
		return;
	}
	if (a->stopping) {
		request_fail(rq, HR_FAIL,
			     "create container \"%s\": the agent is stopping, and deletes all pods",
			     id);
		return;
	}
	if (hash_find(&a->containers, id)) {
		request_fail(rq, HR_SYSTEM_EXISTS,
			     "HRESULT %#x: create container \"%s\": the id is in use",
			     HR_SYSTEM_EXISTS, id);
		return;
	}
	hr = spec_place(&spec, id, &place, why);
	if (hr == HR_OK)
		hr = spec_check(&spec, streams->far_end, why);
	if (hr == HR_OK)
		hr = spec_apply(&spec, &place, why);
	if (hr == HR_OK && !(root = root_path(&spec, paths->bundle)))
		hr = spec_refuse(HR_FAIL, why, "out of memory");
	if (hr == HR_OK)
		hr = spec_resolve_user(spec.process, root, why);
	if (hr == HR_OK && !spec_path_ok(paths->bundle, 2))
		hr = spec_refuse(HR_INVALID_ARG, why,
				 "OciBundlePath \"%.200s\" is not an absolute, plain path",
				 paths->bundle);
	if (hr == HR_OK && home_taken(a, paths->bundle, &place))
		hr = spec_refuse(HR_FAIL, why, "OciBundlePath \"%.200s\" is another container's",
				 paths->bundle);
	if (hr == HR_OK && *paths->scratch && !spec_path_ok(paths->scratch, 3))
		hr = spec_refuse(HR_INVALID_ARG, why,
				 "ScratchDirPath \"%.200s\" is not an absolute, plain path of at "
				 "least three parts",
				 paths->scratch);
	if (hr != HR_OK) {
		request_fail(rq, hr, "%s", why);
		return;
	}
	c = container_new(a, id, paths->bundle, rq->activity);
	if (c && *paths->scratch && !(c->scratch = strdup(paths->scratch))) {
		container_free(c);
		c = NULL;
	}
	if (!c) {
		request_fail(rq, HR_FAIL, "out of memory");
		return;
	}
	c->labels = json_incref(paths->labels);
	config_keep(c, &spec, root);
	terminal = spec_has_terminal(spec.process);
	c->owner = rq->conn;
	c->by_host = rq->conn && !conn_state(rq->conn)->observer;
	c->own_pidns = spec_own_pidns(&spec);
	c->plain_end = !spec_has_end(&spec);

	/* From here every failure takes everything back before it is answered. */
	r = dirs_make(&a->dirs, c->dir);
	c->dir_ours = r == 0 && dirs_ours(&a->dirs, c->dir);
	if (r == 0 && !c->dir_ours)
		r = -EEXIST; /* what is in it would be removed with the container */
	if (r < 0) {
		cgfs_err_set(&err, r, "make directory", c->dir, NULL, NULL);
		hr = HR_FAIL;
	} else {
		hr = make_cgroups(c, &spec, &place, &err);
	}
	if (hr == HR_OK) {
		hr = namespaces_apply(c, &spec, &place, why);
		if (hr == HR_OK)
			hr = home_apply(c, &spec, &place, why);
		if (hr != HR_OK)
			cgfs_err_set(&err, -EIO, NULL, NULL, NULL, "%s", why);
	}
	if (hr == HR_OK) {
		r = write_config(c, &spec, &err);
		if (r == 0 && streams->log)
			r = output_begin(c, streams->fds, &err);
		if (r == 0)
			r = run_create(c, rq, terminal, streams, &err);
		hr = r < 0 ? HR_FAIL : HR_OK;
	}
	if (hr != HR_OK)
		container_end(c, rq, hr, err.text);
}
