/* SPDX-License-Identifier: MIT */
/*
 * agent.c - asks an agent, and turns its answers into podctl's own documents.  Knows messages;
 * cgroups only where there is none.
 */
#include "agent/podctl/source/agent.h"
#include "agent/podctl/source/direct.h"
#include "agent/podctl/source/spec.h"
#include "agent/wire/address.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/json.h"

#include <limits.h>
#include <stdio.h>

#define BUNDLES		"/run/cgfs/bundles"
#define KILL_TIMEOUT_MS 10000

int remote_timeout(const struct args *a)
{
	return a->answer_ms < INT_MAX ? (int)a->answer_ms : INT_MAX;
}

int remote_open(const struct args *a, struct client **ret, struct cgfs_err *reterr)
{
	const char *agent = args_agent(a);
	struct client *c = NULL;
	int r;

	r = client_open_timeout(agent, remote_timeout(a), &c, reterr);
	if (r == 0)
		r = client_observe(c, CLIENT_TIMEOUT, reterr);
	if (r < 0 && c && client_hresult(c) == HR_NOT_IMPL)
		cgfs_err_set(reterr, r, "negotiate with", agent, NULL,
			     "the agent was started without -v4");
	if (r < 0) {
		client_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

int remote_call(struct client *c, uint32_t type, const char *id, json_t *members, const int *fds,
		size_t n_fds, json_t **ret, struct cgfs_err *reterr)
{
	json_t *body = members ? members : json_object();
	struct cgfs_err why = { 0 };
	const char *text;
	int r = 0;

	if (!body || (id && json_object_set_new(body, "ContainerId", json_string(id)) < 0))
		r = no_memory(&why);
	if (r == 0)
		r = client_call(c, type, body, fds, n_fds, CLIENT_TIMEOUT, ret, &why);
	json_decref(body);
	if (r == 0 || !reterr)
		return r;

	/* The agent's own sentence is enough; the name of the message means nothing to a user. */
	text = why.text;
	if (client_hresult(c) != HR_OK && strlen(text) > strlen(why.op) + 2)
		text += strlen(why.op) + 2;
	if (strncmp(text, "HRESULT:", 8) == 0)
		text = protocol_hresult_text(client_hresult(c));
	return cgfs_err_set(reterr, r, NULL, NULL, NULL, "%s", text);
}

static int agent_check(const struct args *a, struct cgfs_err *reterr)
{
	const char *agent = args_agent(a);
	struct address at;

	if (address_parse(agent, &at) == -EINVAL)
		return cgfs_err_set(reterr, -EINVAL, a->agent ? "--agent" : "CGFS_AGENT", NULL,
				    agent, "must be unix:PATH or vsock:CID:PORT");
	if (args_elsewhere(a) && a->oci_bundle)
		return cgfs_err_set(reterr, -EINVAL, "--bundle", NULL, a->oci_bundle,
				    "is read on this machine, and an agent that is reached over "
				    "vsock has other files");
	if (args_elsewhere(a) && a->rootfs && a->rootfs[0] != '/')
		return cgfs_err_set(reterr, -EINVAL, "--rootfs", NULL, a->rootfs,
				    "must be an absolute path of the agent's machine, which is "
				    "reached over vsock");
	if (a->limits.no_defaults && a->rootfs)
		return cgfs_err_set(
			reterr, -EINVAL, NULL, NULL, NULL,
			"--no-default-devices cannot be combined with --rootfs: an agent "
			"adds the default devices, as every OCI runtime does");
	if (a->rootfs && a->oci_bundle)
		return cgfs_err_set(reterr, -EINVAL, "--rootfs", NULL, NULL,
				    "cannot be combined with --bundle, which has its own");
	if (a->command && !a->rootfs && !a->oci_bundle)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL,
				    "an agent needs a root file system: add --rootfs DIR or "
				    "--bundle DIR, or "
				    "--no-agent to run COMMAND on the file system of this machine");
	return 0;
}

static int agent_close(struct source *s, struct cgfs_err *reterr)
{
	(void)reterr;
	client_close(agent_of(s)->waiter);
	client_close(agent_of(s)->c);
	free(s);
	return 0;
}

/* The clock of the agent's machine may be another: a time is sent as how long ago it is. */
static uint32_t age_ms(const struct args *a)
{
	int64_t now = (int64_t)now_ns(CLOCK_REALTIME), age;

	if (a->since_ns == INT64_MIN || a->since_ns >= now)
		return 0;
	age = (now - (a->since_ns < 0 ? 0 : a->since_ns)) / 1000000 + 1;
	return age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
}

static int agent_open(const struct args *a, unsigned int use, struct source **ret,
		      struct cgfs_err *reterr)
{
	struct agent_source *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return no_memory(reterr);
	s->source = (struct source){ .ops = &source_agent, .a = a };
	r = remote_open(a, &s->c, reterr);
	if (r == 0 && use & SOURCE_EVENTS)
		r = remote_call(s->c, MSG_EXT_SUBSCRIBE_EVENTS, NULL,
				json_pack("{s:I}", "AgeMs", (json_int_t)age_ms(a)), NULL, 0, NULL,
				reterr);
	if (r < 0) {
		agent_close(&s->source, NULL);
		return r;
	}
	*ret = &s->source;
	return 0;
}

json_t *remote_stdio(const struct remote_streams *streams, int fds[3])
{
	json_t *list = json_array();

	for (size_t i = 0; i < streams->n; i++) {
		fds[i] = streams->first + (int)i;
		json_array_append_new(list, json_integer(fds[i]));
	}
	return json_pack("{s:o, s:s*}", "StdioFds", list, "ConsoleSocket", streams->console);
}

static int create_container(struct client *c, const struct args *a, const char *id, json_t *spec,
			    const struct remote_streams *streams, struct cgfs_err *reterr)
{
	auto_free char *bundle = NULL, *text = NULL;
	int fds[3];
	json_t *config, *members = remote_stdio(streams, fds);

	if (asprintf(&bundle, "%s/%s/%s", a->bundle ? a->bundle : BUNDLES, a->pod, id) < 0)
		bundle = NULL;
	config = json_pack("{s:{s:i, s:i}, s:s, s:O}", "SchemaVersion", "Major", 2, "Minor", 1,
			   "OciBundlePath", bundle, "OciSpecification", spec);
	text = cgfs_json_dump(config, JSON_COMPACT);
	json_decref(config);
	if (!bundle || !text || !members ||
	    json_object_set_new(members, "ContainerConfig", json_string(text)) < 0 ||
	    json_object_set_new(members, "Log", json_boolean(!streams->n && !streams->console)) <
		    0 ||
	    (a->labels.set && json_object_set(members, "Labels", a->labels.set) < 0)) {
		json_decref(members);
		return no_memory(reterr);
	}
	return remote_call(c, MSG_CREATE, id, members, fds, streams->n, NULL, reterr);
}

int remote_create_container(struct client *c, const struct args *a, const char *ctr,
			    char *const *argv, const struct remote_streams *streams, pid_t *ret_pid,
			    struct cgfs_err *reterr)
{
	static const struct remote_streams none;
	json_t *spec, *answer = NULL;
	int r;

	r = oci_spec(a, a->pod, streq(ctr, a->pod) ? NULL : ctr, argv, &spec, reterr);
	if (r < 0)
		return r;
	r = create_container(c, a, ctr, spec, streams ? streams : &none, reterr);
	json_decref(spec);
	if (r < 0)
		return r;

	/* Without a process of its own the message starts init. */
	r = remote_call(c, MSG_EXECUTE_PROCESS, ctr,
			json_pack("{s:{s:s}}", "Settings", "ProcessParameters", "{}"), NULL, 0,
			&answer, reterr);
	if (r == 0 && ret_pid)
		*ret_pid = (pid_t)doc_number(answer, "ProcessId");
	json_decref(answer);
	if (r < 0)
		ignore(remote_remove(c, a->pod, streq(ctr, a->pod) ? "" : ctr, NULL));
	return r;
}

int remote_create_pod(struct client *c, const char *pod, const struct limits *limits,
		      json_t *labels, const char *hostname, struct cgfs_err *reterr)
{
	json_t *resources;
	int r = limits_oci(limits, true, &resources, reterr);

	if (r < 0)
		return r;
	return remote_call(c, MSG_EXT_CREATE_POD, NULL,
			   json_pack("{s:s, s:o, s:b, s:O*, s:s*}", "PodId", pod, "Resources",
				     resources, "ExactDevices", limits_has_devices(limits),
				     "Labels", labels, "HostName", hostname),
			   NULL, 0, NULL, reterr);
}

static int agent_create(struct source *s, struct cgfs_err *reterr)
{
	const struct args *a = s->a;
	int r;

	if (a->rootfs)
		r = remote_create_container(agent_of(s)->c, a, a->pod, a->command, NULL, NULL,
					    reterr);
	else
		r = remote_create_pod(agent_of(s)->c, a->pod, &a->limits, a->labels.set,
				      a->hostname, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "create pod \"%s\"", a->pod) : 0;
}

/* Waits for the container's first process, which has been killed. */
static int await_end(struct client *c, const char *pod, const char *ctr, struct cgfs_err *reterr)
{
	struct group_info info;
	int r = remote_describe(c, pod, ctr, false, &info, reterr);

	if (r == 0 && info.pid)
		r = remote_call(c, MSG_WAIT_FOR_PROCESS, ctr,
				json_pack("{s:I, s:i}", "ProcessId", (json_int_t)info.pid,
					  "TimeoutInMs", KILL_TIMEOUT_MS),
				NULL, 0, NULL, reterr);
	if (r == 0)
		info_free(&info);
	return r;
}

int remote_remove(struct client *c, const char *pod, const char *ctr, struct cgfs_err *reterr)
{
	int r;

	if (!*ctr)
		return remote_call(c, MSG_EXT_DELETE_POD, NULL, json_pack("{s:s}", "PodId", pod),
				   NULL, 0, NULL, reterr);

	/* A refusal means that there is nothing to kill; what else is wrong, delete will say. */
	r = remote_call(c, MSG_SHUTDOWN_FORCED, ctr, NULL, NULL, 0, NULL, reterr);
	if (r == 0)
		r = await_end(c, pod, ctr, reterr);
	if (r < 0 && client_hresult(c) == HR_OK)
		return r;
	return remote_call(c, MSG_DELETE_STATE, ctr, NULL, NULL, 0, NULL, reterr);
}

/* The ids of @t go into @members, of a change. */
static int update(struct source *s, const struct target *t, json_t *members,
		  struct cgfs_err *reterr)
{
	if (!members || json_object_set_new(members, "PodId", json_string(t->pod)) < 0 ||
	    (*t->ctr && json_object_set_new(members, "ContainerId", json_string(t->ctr)) < 0)) {
		json_decref(members);
		return no_memory(reterr);
	}
	return remote_call(agent_of(s)->c, MSG_EXT_UPDATE_POD, NULL, members, NULL, 0, NULL,
			   reterr);
}

/* The list of rules becomes what `create` makes of the same options. */
static int agent_set(struct source *s, const struct target *t, struct cgfs_err *reterr)
{
	json_t *limits;
	int r = limits_oci(&s->a->limits, true, &limits, reterr);

	if (r < 0)
		return r;
	return update(s, t, json_pack("{s:o, s:b}", "Resources", limits, "ExactDevices", true),
		      reterr);
}

static int agent_freeze(struct source *s, const struct target *t, bool on, struct cgfs_err *reterr)
{
	return update(s, t, json_pack("{s:b}", "Frozen", on), reterr);
}

/* A process id means a process of podctl's own machine and namespace: podctl itself moves it, below
 * the root that the agent names. */
static int agent_add(struct source *s, const struct target *t, pid_t pid, struct cgfs_err *reterr)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct direct d = DIRECT_INIT;
	struct group_info info;
	int r = remote_describe(agent_of(s)->c, t->pod, t->ctr, false, &info, reterr);

	if (r < 0)
		return r;
	for (int levels = *t->ctr ? 2 : 1; levels && strrchr(info.path, '/'); levels--)
		*strrchr(info.path, '/') = '\0';
	opts.root = info.path;
	r = direct_open(s->a, SOURCE_WRITE | DIRECT_NO_POLICY | DIRECT_BESIDE, &opts, &d, reterr);
	info_free(&info);
	if (r < 0)
		return r;
	r = direct_do(&d, t, direct_do_add, &pid, reterr);
	direct_close(&d);
	return r;
}

static int agent_remove(struct source *s, const struct target *t, struct cgfs_err *reterr)
{
	return remote_remove(agent_of(s)->c, t->pod, t->ctr, reterr);
}

static int agent_power_off(struct source *s, bool now, struct cgfs_err *reterr)
{
	return remote_call(agent_of(s)->c, now ? MSG_SHUTDOWN_FORCED : MSG_SHUTDOWN_GRACEFUL,
			   PROTOCOL_UVM_ID, NULL, NULL, 0, NULL, reterr);
}

static int agent_next_event(struct source *s, int timeout_ms, json_t **ret, struct cgfs_err *reterr)
{
	uint32_t type;
	json_t *body;
	int r;

	for (;;) {
		r = client_notification(agent_of(s)->c, timeout_ms, &type, &body, reterr);
		if (r == -ETIMEDOUT)
			return 0;
		if (r < 0)
			return r;
		if (type == MSG_EXT_EVENT_NOTIFICATION && json_object_get(body, "Event"))
			break;
		json_decref(body); /* a container's exit, for instance */
	}
	*ret = json_incref(json_object_get(body, "Event"));
	json_decref(body);
	return 1;
}

const struct source_ops source_agent = {
	.check = agent_check,
	.open = agent_open,
	.close = agent_close,
	.list = agent_list,
	.ids = agent_ids,
	.stat = agent_stat,
	.create = agent_create,
	.set = agent_set,
	.freeze = agent_freeze,
	.add = agent_add,
	.power_off = agent_power_off,
	.remove = agent_remove,
	.next_event = agent_next_event,
	.start = agent_start,
	.exec = agent_exec,
	.attach = agent_attach,
	.resize = agent_resize,
	.follow = agent_follow,
	.await = agent_await,
	.unmake = agent_unmake,
};
