/* SPDX-License-Identifier: MIT */
/*
 * adopt.c - the start after a kill -9: every pod and container of the last agent is taken over, as
 * the files of state.c and cgroupfs say it is.  What was half made is removed, because no host got
 * an answer of it; what has ended meanwhile has ended.  Pods without such a file are foreign.c's.
 */
#include <cgfs/cgfs.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>

#include "agent/base/files.h"
#include "agent/base/hash.h"
#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/home.h"
#include "agent/model/pod.h"
#include "agent/model/process.h"
#include "agent/model/state.h"
#include "agent/runtime/spec.h"
#include "agent/runtime/spec_apply.h"
#include "agent/stream/stream.h"
#include "agent/wire/label.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

static json_t *unreadable(struct agent *a, const char *path, const char *why)
{
	log_write(&a->log, LOG_ERROR, "cannot read the state of the last agent", "file", path,
		  "error", why, NULL);
	a->left_alone = true;
	return NULL;
}

/* NULL with the reason logged. */
static json_t *load(struct agent *a, const char *path)
{
	auto_free char *text = NULL;
	char why[JSON_WHY_MAX];
	size_t len;
	int r = files_load(path, &text, &len);
	json_t *j = r < 0 ? NULL : json_parse_object(text, len, why);

	return j ? j : unreadable(a, path, r < 0 ? strerror(-r) : why);
}

static const char *text_of(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "";
}

static json_int_t number_of(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static pid_t pid_of(const json_t *j)
{
	json_int_t pid = number_of(j, "Pid");

	return pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

static bool is_true(const json_t *j, const char *name)
{
	return json_is_true(json_object_get(j, name));
}

/* Calls @fn with each name in {state-dir}/@what.  Names are collected first: @fn may remove. */
static void each(struct agent *a, const char *what, void (*fn)(struct agent *a, const char *id))
{
	auto_free char *path = NULL;
	json_t *names = json_array(), *v;
	struct dirent *e;
	size_t i;
	DIR *d;

	if (asprintf(&path, "%s/%s", a->state_dir, what) < 0)
		path = NULL;
	d = path ? opendir(path) : NULL;
	while (d && (e = readdir(d))) {
		if (cgfs_id_check(e->d_name, NULL) == 0)
			json_array_append_new(names, json_string(e->d_name));
	}
	if (d)
		closedir(d);
	json_array_foreach(names, i, v) fn(a, json_string_value(v));
	json_decref(names);
}

/* NULL: there are none. */
static json_t *labels_of(const json_t *j)
{
	json_t *labels = json_object_get(j, "Labels");

	return json_object_size(labels) && labels_check(labels, NULL) == 0 ? json_incref(labels)
									   : NULL;
}

/* --- pods ----------------------------------------------------------------------------------- */

/* Pods that the kernel has lost, with what is left of them elsewhere. */
static json_t *rests;

static void adopt_rests(struct agent *a)
{
	const char *id;
	json_t *j;

	json_object_foreach(rests, id, j)
	{
		struct pod_known known = { .dir = text_of(j, "Directory"),
					   .shared = (unsigned int)number_of(j, "Shared") };

		if (!pod_adopt_rest(a, id, &known))
			log_write(&a->log, LOG_ERROR, "cannot adopt pod", "pod", id, "error",
				  "out of memory", NULL);
	}
	json_decref(rests);
	rests = NULL;
}

static void adopt_pod(struct agent *a, const char *id)
{
	auto_free char *path = NULL;
	struct cgfs_err err = { 0 };
	struct pod_known known;
	struct pod *p;
	json_t *j;
	int r;

	if (asprintf(&path, "%s/pods/%s", a->state_dir, id) < 0) {
		path = NULL;
		return;
	}
	j = load(a, path);
	if (!j)
		return;
	known = (struct pod_known){ .by_sandbox = is_true(j, "Sandbox"),
				    .made = is_true(j, "Made"),
				    .dir = text_of(j, "Directory"),
				    .shared = (unsigned int)number_of(j, "Shared"),
				    .host_network = is_true(j, "HostNetwork") };
	if (*known.dir && !spec_path_ok(known.dir, 2)) {
		json_decref(j);
		unreadable(a, path, "it is not a valid state file");
		return;
	}
	r = pod_adopt(a, id, &known, &p, &err);
	if (r == 0)
		p->labels = labels_of(j);
	if (r == 0 && spec_hostname_ok(text_of(j, "HostName")))
		p->hostname = strdup(text_of(j, "HostName"));
	if (r == -ENOENT && known.shared)
		json_object_set(rests, id, j);
	else if (r == -ENOENT)
		(void)unlink(path);
	json_decref(j);
	if (r == -ENOENT)
		return;
	if (r < 0)
		log_write(&a->log, LOG_ERROR, "cannot adopt pod", "pod", id, "error", err.text,
			  NULL);
	else
		log_write(&a->log, LOG_INFO, "pod adopted", "pod", id, NULL);
}

/* --- containers ----------------------------------------------------------------------------- */

static void adopt_execs(struct container *c, const json_t *list)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)list, i, v)
	{
		struct process *p = process_new(c->a, c, pid_of(v));

		if (!p)
			return;
		p->started = (uint64_t)number_of(v, "Start");
		p->next = c->execs;
		c->execs = p;
		if (json_object_get(v, "ExitCode")) {
			p->exited = p->reported = true;
			p->code = (uint32_t)number_of(v, "ExitCode");
		} else if (!process_adopt(p)) {
			p->exited = p->reported = true;
			p->code = PROCESS_CODE_UNKNOWN;
		}
	}
}

/* A run of `start` may have outlived the agent that waited for it. */
static bool was_started(const struct container *c)
{
	auto_free char *dir = NULL, *fifo = NULL;

	if (asprintf(&dir, "%s/runtime/%s", c->a->state_dir, c->id) < 0)
		dir = NULL;
	if (asprintf(&fifo, "%s/runtime/%s/exec.fifo", c->a->state_dir, c->id) < 0)
		fifo = NULL;
	/* crun and runc keep the pipe on which init waits until they start it. */
	return dir && fifo && access(dir, F_OK) == 0 && access(fifo, F_OK) < 0;
}

/* What init writes to stays where it was; what it reads has ended with the agent that wrote it. */
static void adopt_streams(struct container *c, const json_t *j)
{
	auto_free char *out = NULL, *error = NULL;
	struct stream_ports ports = { 0 };
	struct relay *r;

	if (asprintf(&out, "%s/host.stdout", c->dir) < 0)
		out = NULL;
	if (asprintf(&error, "%s/host.stderr", c->dir) < 0)
		error = NULL;
	if (!out || !error || access(out, F_OK) < 0)
		return;
	r = relay_new(&c->a->streams, c);
	if (!r || relay_reopen(r, out, error) < 0) {
		log_write(&c->a->log, LOG_ERROR, "streams are not relayed", "container", c->id,
			  NULL);
		relay_free(r);
		return;
	}
	c->init->relay = r;
	for (size_t i = 0; i < 3; i++) {
		c->ports[i] = (uint32_t)json_integer_value(
			json_array_get(json_object_get(j, "Ports"), i));
		ports.port[i] = c->ports[i];
		ports.want[i] = ports.port[i] != 0;
	}
	if (c->state != CONTAINER_RUNNING)
		return;
	relay_call_again(r, &ports);
	ignore(relay_start(r));
}

static void adopt_init(struct container *c, const json_t *j)
{
	const json_t *init = json_object_get(j, "Init");

	c->init = process_new(c->a, c, pid_of(init));
	if (!c->init)
		return;
	c->init->started = (uint64_t)number_of(init, "Start");
	if (c->state == CONTAINER_CREATED && was_started(c))
		c->state = CONTAINER_RUNNING;
	if (c->state == CONTAINER_TERMINATED) {
		c->init->exited = c->init->reported = true;
		c->init->code = (uint32_t)number_of(j, "ExitCode");
		if (c->sandbox && c->pod)
			c->pod->sandbox_exited = true;
	} else if (process_adopt(c->init)) {
		namespaces_adopt(c);
		adopt_streams(c, j);
	} else {
		c->init->exited = c->init->reported = true;
		c->init->code = PROCESS_CODE_UNKNOWN;
		container_init_exited(c);
		state_update(c);
	}
}

/* Is it what state.c writes?  What is not is left alone: numbers would be taken for states, and
 * directories for the agent's own. */
static bool is_sound(const json_t *j)
{
	json_int_t state = number_of(j, "State"), type = number_of(j, "ExitType");
	const char *pod = text_of(j, "Pod");

	return (!*pod || cgfs_id_check(pod, NULL) == 0) && state >= CONTAINER_CREATING &&
	       state <= CONTAINER_TERMINATED && type >= EXIT_UNEXPECTED && type <= EXIT_FORCED &&
	       spec_path_ok(text_of(j, "Bundle"), 2) &&
	       (!*text_of(j, "Scratch") || spec_path_ok(text_of(j, "Scratch"), 3));
}

/* A pod that is there and could not be adopted stays as it is, with what runs in it. */
static bool pod_is_left_alone(const struct agent *a, const char *pod)
{
	return *pod && !hash_find(&a->pods, pod) && state_knows_pod(a, pod) &&
	       !json_object_get(rests, pod);
}

/* Everything but the kernel's part. */
static struct container *make_container(struct agent *a, const char *id, const json_t *j)
{
	const char *activity = text_of(j, "ActivityId");
	struct container *c =
		container_new(a, id, text_of(j, "Bundle"), *activity ? activity : NULL);
	struct pod *pod = pod_find(a, text_of(j, "Pod"));

	if (!c)
		return NULL;
	c->state = (enum container_state)number_of(j, "State");
	c->sandbox = is_true(j, "Sandbox");
	c->own_pidns = is_true(j, "OwnPidNamespace");
	c->plain_end = is_true(j, "PlainEnd");
	c->exit_type = (enum exit_type)number_of(j, "ExitType");
	c->notified = is_true(j, "Notified");
	c->by_host = is_true(j, "Host");
	c->labels = labels_of(j);
	/* Without memory for it the directory stays, and the container is adopted all the same. */
	c->scratch = *text_of(j, "Scratch") ? strdup(text_of(j, "Scratch")) : NULL;
	if (pod)
		pod_join(pod, c);
	else if (!*text_of(j, "Pod"))
		home_keep(a, c->bundle);
	dirs_keep(&a->dirs, c->bundle);
	dirs_keep(&a->dirs, c->dir);
	c->dir_ours = true;
	return c;
}

/* Was it being made?  Then without a configuration no process of it can be there yet, and a group
 * with processes belongs to another program. */
static bool is_ours(const struct container *c)
{
	auto_free char *config = NULL;
	pid_t *pids = NULL;
	size_t n = 0;

	if (c->state != CONTAINER_CREATING)
		return true;
	if (asprintf(&config, "%s/config.json", c->dir) < 0) {
		config = NULL;
		return false;
	}
	if (access(config, F_OK) == 0)
		return true;
	if (cgfs_group_pids(c->group, &pids, &n, NULL) < 0)
		n = 1;
	free(pids);
	return n == 0;
}

static void adopt_container(struct agent *a, const char *id)
{
	auto_free char *path = NULL;
	struct cgfs_err err = { 0 };
	struct container *c;
	json_t *j;
	int r = -ENOENT;

	if (asprintf(&path, "%s/containers/%s/state.json", a->state_dir, id) < 0) {
		path = NULL;
		return;
	}
	if (access(path, F_OK) < 0) {
		*strrchr(path, '/') = '\0';
		if (dirs_ours(&a->dirs, path))
			ignore(files_remove_flat(path)); /* its maker came no further */
		return;
	}
	j = load(a, path);
	if (j && !is_sound(j)) {
		json_decref(j);
		j = unreadable(a, path, "it is not a valid state file");
	}
	if (j && pod_is_left_alone(a, text_of(j, "Pod"))) {
		log_write(&a->log, LOG_ERROR, "container not adopted, because its pod is not",
			  "container", id, "pod", text_of(j, "Pod"), NULL);
		a->left_alone = true;
		json_decref(j);
		return;
	}
	c = j ? make_container(a, id, j) : NULL;
	/* A pod that is gone took its containers' groups along. */
	if (c && (c->pod || !*text_of(j, "Pod")))
		r = cgfs_container_open(a->cgfs, c->pod ? c->pod->group : NULL, id, &c->group,
					&err);
	if (c && r == 0 && !is_ours(c)) {
		cgfs_group_close(c->group);
		c->group = NULL;
	}
	if (c) {
		c->created = true; /* the runtime may know it */
		if (c->state == CONTAINER_CREATING || r < 0) {
			container_end(c, NULL, HR_FAIL,
				      r < 0 && r != -ENOENT ? err.text
							    : "the agent that made it has ended");
		} else {
			log_write(&a->log, LOG_INFO, "container adopted", "container", id, "pod",
				  c->pod ? c->pod->id : NULL, "state", container_state_name(c),
				  NULL);
			output_adopt(c);
			adopt_execs(c, json_object_get(j, "Execs"));
			adopt_init(c, j);
		}
	}
	json_decref(j);
}

void adopt_all(struct agent *a)
{
	struct hash_node *n, *next;

	rests = json_object();
	each(a, "pods", adopt_pod);
	each(a, "containers", adopt_container);
	/* Without its sandbox a pod only waits for its last container. */
	for (n = hash_next(&a->pods, NULL); n; n = next) {
		size_t before = a->pods.n;

		next = hash_next(&a->pods, n);
		pod_settle(container_of(n, struct pod, node));
		if (a->pods.n != before)
			next = hash_next(&a->pods, NULL);
	}
	adopt_rests(a);
	/* An empty bundle may be that of a container that could not be adopted. */
	if (!a->left_alone)
		dirs_sweep(&a->dirs);
}
