/* SPDX-License-Identifier: MIT */
/*
 * process.c - the messages about processes: what their members mean, and which process or
 * container they are about.
 */
#include <signal.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/process.h"
#include "agent/runtime/spec.h"
#include "agent/runtime/spec_shape.h"
#include "agent/service/message.h"
#include "agent/stream/stream.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

/* The ports of the host.  @ret_console: an external process gets a terminal.  false: @rq has been
 * answered. */
static bool read_streams(struct request *rq, const json_t *settings, const json_t *params,
			 struct container_streams *ret, bool *ret_console)
{
	static const char *const pipes[] = { "CreateStdInPipe", "CreateStdOutPipe",
					     "CreateStdErrPipe" };
	static const char *const ports[] = { "StdIn", "StdOut", "StdErr" };
	char why[JSON_WHY_MAX];
	json_t *relay;

	if (!json_get_bool(params, "EmulateConsole", ret_console, why) ||
	    !json_get_object(settings, "VsockStdioRelaySettings", &relay, why)) {
		message_bad_json(rq, why);
		return false;
	}
	for (int i = 0; i < 3; i++) {
		if (!json_get_bool(params, pipes[i], &ret->ports.want[i], why) ||
		    !json_get_u32(relay, ports[i], &ret->ports.port[i], why)) {
			message_bad_json(rq, why);
			return false;
		}
		if (ret->ports.want[i] && ret->ports.port[i] == 0) {
			request_fail(rq, HR_INVALID_ARG,
				     "%s: VsockStdioRelaySettings.%s names no port", pipes[i],
				     ports[i]);
			return false;
		}
	}
	return true;
}

static bool any_port(const struct container_streams *s)
{
	return s->ports.want[0] || s->ports.want[1] || s->ports.want[2];
}

static bool any_fd(const struct container_streams *s)
{
	return s->fds[0] >= 0 || s->fds[1] >= 0 || s->fds[2] >= 0;
}

/* --- external processes --------------------------------------------------------------------- */

static void strings_free(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

/* NULL-terminated copies of a list of strings, or "K=V" of an object's members. */
static char **strings(const json_t *j)
{
	size_t size = json_is_object(j) ? json_object_size(j) : json_array_size(j);
	char **list = calloc(size + 1, sizeof(*list));
	const char *key;
	size_t i = 0;
	json_t *v;

	if (!list)
		return NULL;
	if (json_is_object(j)) {
		json_object_foreach((json_t *)j, key, v)
		{
			if (asprintf(&list[i], "%s=%s", key, json_string_value(v)) < 0)
				list[i] = NULL;
			i += list[i] != NULL;
		}
	} else {
		json_array_foreach((json_t *)j, i, v) list[i] = strdup(json_string_value(v));
	}
	for (i = 0; i < size; i++) {
		if (!list[i]) {
			strings_free(list);
			return NULL;
		}
	}
	return list;
}

/* NULL: @rq has been answered. */
static json_t *external_args(struct request *rq, json_t *params)
{
	const char *line = json_string_value(json_member(params, "CommandLine"));
	json_t *args = json_member(params, "CommandArgs");

	if (json_array_size(args) > 0)
		return json_incref(args);
	args = json_split_words(line ? line : "");
	if (!args || json_array_size(args) == 0) {
		request_fail(rq, HR_INVALID_ARG, "neither CommandArgs nor a valid CommandLine");
		json_decref(args);
		return NULL;
	}
	return args;
}

static void execute_external(struct agent *a, struct request *rq, json_t *params, bool console,
			     const struct container_streams *streams)
{
	const char *cwd = json_string_value(json_member(params, "WorkingDirectory"));
	struct external e = { .terminal = console };
	json_t *args;

	args = external_args(rq, params);
	if (!args)
		return;
	e.argv = strings(args);
	e.envp = strings(json_member(params, "Environment"));
	e.cwd = strdup(cwd ? cwd : "");
	if (e.argv && e.envp && e.cwd)
		external_start(a, rq, &e, &streams->ports, streams->fds);
	else
		request_fail(rq, HR_FAIL, "out of memory");
	strings_free(e.argv);
	strings_free(e.envp);
	free(e.cwd);
	json_decref(args);
}

/* --- ExecuteProcess ------------------------------------------------------------------------- */

static void execute_in(struct agent *a, struct request *rq, const char *id, const json_t *settings,
		       json_t *params, struct container_streams *streams)
{
	char why[SPEC_WHY_MAX];
	json_t *process;
	struct container *c;
	bool in_uvm, inherit, console;
	uint32_t hr;
	int r;

	if (!json_get_bool(params, "CreateInUtilityVM", &in_uvm, why) ||
	    !json_get_object(params, "OciProcess", &process, why) ||
	    !json_get_bool(rq->body, "Inherit", &inherit, why)) {
		message_bad_json(rq, why);
		return;
	}
	if (!read_streams(rq, settings, params, streams, &console))
		return;
	if (any_port(streams) && (any_fd(streams) || streams->console)) {
		request_fail(
			rq, HR_INVALID_ARG,
			"StdioFds or ConsoleSocket, and ports, for the streams of one process");
		return;
	}
	in_uvm = in_uvm || streq(id, PROTOCOL_UVM_ID);
	if (streams->log || (streams->console && (in_uvm || !process))) {
		request_fail(rq, HR_INVALID_ARG, "%s",
			     streams->log ? "Log: output is kept of a container's first process, "
					    "which Create says"
					  : "ConsoleSocket: that is for processes that are added "
					    "to a container, and for Create");
		return;
	}
	if (in_uvm) {
		execute_external(a, rq, params, console, streams);
		return;
	}
	c = container_lookup(a, rq, id);
	if (!c)
		return;
	if (!process) {
		container_start(c, rq, &streams->ports);
		return;
	}
	r = inherit ? config_inherit(c, process) : 0;
	if (r < 0) {
		request_fail(rq, HR_FAIL, "read the configuration of container %s: %s", id,
			     strerror(-r));
		return;
	}
	hr = spec_check_process(process, any_port(streams) ? SPEC_HOST : streams->far_end, why);
	if (hr == HR_OK)
		hr = config_user(c, process, why);
	if (hr != HR_OK)
		request_fail(rq, hr, "Oci%s", why);
	else
		container_exec(c, rq, process, streams);
}

void message_execute(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	json_t *settings, *params;
	struct container_streams streams;
	const char *id;
	int fds[3];

	if (!message_streams(rq, &streams, fds))
		return;
	if (!message_id(rq, &id)) {
		/* answered */
	} else if (!json_get_object(rq->body, "Settings", &settings, why)) {
		message_bad_json(rq, why);
	} else {
		params = message_embedded(
			rq, settings, "ProcessParameters",
			"{CommandLine:s,CommandArgs:[s],WorkingDirectory:s,Environment:<s>,"
			"EmulateConsole:b,CreateStdInPipe:b,CreateStdOutPipe:b,CreateStdErrPipe:b,"
			"CreateInUtilityVM:b,OciSpecification:{},OciProcess:" SPEC_PROCESS_SHAPE
			"}");
		if (params)
			execute_in(a, rq, id, settings, params, &streams);
		json_decref(params);
	}
	close_fds(fds);
}

/* --- the rest ------------------------------------------------------------------------------- */

/* The process that a message is about; NULL: @rq has been answered.  *@ret_c is NULL for an
 * external one. */
static struct process *get_process(struct agent *a, struct request *rq, struct container **ret_c)
{
	char why[JSON_WHY_MAX];
	struct process *p;
	const char *id;
	uint32_t pid;

	*ret_c = NULL;
	if (!message_id(rq, &id))
		return NULL;
	if (!json_get_u32(rq->body, "ProcessId", &pid, why)) {
		message_bad_json(rq, why);
		return NULL;
	}
	if (streq(id, PROTOCOL_UVM_ID)) {
		p = external_find(a, pid);
	} else {
		*ret_c = container_lookup(a, rq, id);
		if (!*ret_c)
			return NULL;
		p = container_process(*ret_c, pid);
	}
	if (!p)
		request_fail(rq, HR_NOT_FOUND, "HRESULT %#x: there is no process %u in \"%.255s\"",
			     HR_NOT_FOUND, pid, id);
	return p;
}

void message_wait(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	struct container *c;
	struct process *p;
	uint32_t timeout;

	if (!json_get_u32(rq->body, "TimeoutInMs", &timeout, why)) {
		message_bad_json(rq, why);
		return;
	}
	p = get_process(a, rq, &c);
	if (p)
		process_wait(p, rq, timeout);
}

static void answer_signalled(struct request *rq, uint32_t hr, int sig, const struct process *p)
{
	if (hr == HR_OK)
		request_answer(rq);
	else
		request_fail(rq, hr, "HRESULT %#x: signal %d to process %d: %s", hr, sig,
			     (int)p->pid, p->exited ? "it has ended" : "the kernel refuses");
}

void message_signal(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	struct container *c;
	struct process *p;
	json_t *options;
	int32_t sig;

	if (!json_get_object(rq->body, "Options", &options, why) ||
	    !json_get_i32(options, "Signal", &sig, why)) {
		message_bad_json(rq, why);
		return;
	}
	p = get_process(a, rq, &c);
	if (!p)
		return;
	if (sig == 0)
		sig = SIGKILL;
	if (sig < 0 || sig > SIGRTMAX)
		request_fail(rq, HR_INVALID_ARG, "there is no signal %d", sig);
	else if (c)
		answer_signalled(rq, container_signal(c, p, sig), sig, p);
	else
		answer_signalled(rq, !p->exited && kill(p->pid, sig) == 0 ? HR_OK : HR_NOT_FOUND,
				 sig, p);
}

void message_resize(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	uint32_t width, height;
	struct container *c;
	struct process *p;
	int r;

	if (!json_get_u32(rq->body, "Width", &width, why) ||
	    !json_get_u32(rq->body, "Height", &height, why)) {
		message_bad_json(rq, why);
		return;
	}
	p = get_process(a, rq, &c);
	if (!p)
		return;
	r = p->relay ? relay_resize(p->relay, (uint16_t)width, (uint16_t)height) : -ENOTTY;
	if (r == -ENOTTY)
		request_fail(rq, HR_FAIL, "pid: %d, is not a tty and cannot be resized",
			     (int)p->pid);
	else if (r < 0)
		request_fail(rq, HR_FAIL, "resize the terminal of process %d: %s", (int)p->pid,
			     strerror(-r));
	else
		request_answer(rq);
}

static void shut_down_machine(struct agent *a, struct request *rq, bool now)
{
	if (!a->power_off) {
		request_fail(rq, HR_NOT_IMPL,
			     "HRESULT %#x: this agent does not power off the machine: it is not "
			     "process 1, and was started without -power-off",
			     HR_NOT_IMPL);
		return;
	}
	request_answer(rq);
	a->power_off(a, now);
}

static void shut_down(struct agent *a, struct request *rq, int sig)
{
	struct container *c;
	const char *id;
	uint32_t hr;

	if (!message_id(rq, &id))
		return;
	if (streq(id, PROTOCOL_UVM_ID)) {
		shut_down_machine(a, rq, sig == SIGKILL);
		return;
	}
	c = container_lookup(a, rq, id);
	if (!c)
		return;
	hr = container_signal(c, c->init, sig);
	answer_signalled(rq, hr == HR_NOT_FOUND ? HR_SYSTEM_STOPPED : hr, sig, c->init);
}

void message_shutdown_graceful(struct agent *a, struct request *rq)
{
	shut_down(a, rq, SIGTERM);
}

void message_shutdown_forced(struct agent *a, struct request *rq)
{
	shut_down(a, rq, SIGKILL);
}
