/* SPDX-License-Identifier: MIT */
/*
 * message_process.c - the messages about processes: what their members mean, and which process or
 * container they are about.
 */
#include <signal.h>

#include "../cgfs/internal.h"
#include "agent.h"
#include "json.h"
#include "oci.h"

/* Members that ask for what is not there.  false: @rq has been answered. */
static bool check_streams(struct request *rq, const json_t *params)
{
	static const char *const names[] = { "EmulateConsole", "CreateStdInPipe",
					     "CreateStdOutPipe", "CreateStdErrPipe" };
	char why[JSON_WHY_MAX];
	bool on;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!json_get_bool(params, names[i], &on, why)) {
			message_bad_json(rq, why);
			return false;
		}
		if (on) {
			request_fail(rq, HR_FAIL,
				     "%s: streams over vsock and consoles are not supported; see "
				     "StdioFds",
				     names[i]);
			return false;
		}
	}
	return true;
}

static void execute_in(struct agent *a, struct request *rq, const char *id, json_t *params,
		       int fds[3])
{
	char why[OCI_WHY_MAX];
	json_t *process;
	struct container *c;
	bool in_uvm;
	uint32_t hr;

	if (!json_get_bool(params, "CreateInUtilityVM", &in_uvm, why) ||
	    !json_get_object(params, "OciProcess", &process, why)) {
		message_bad_json(rq, why);
		return;
	}
	if (in_uvm || streq(id, PROTOCOL_UVM_ID)) {
		if (check_streams(rq, params))
			process_start_external(a, rq, params, fds);
		return;
	}
	c = container_lookup(a, rq, id);
	if (!c || !check_streams(rq, params))
		return;
	if (!process) {
		container_start(c, rq);
		return;
	}
	hr = oci_check_process(process, why);
	if (hr != HR_OK)
		request_fail(rq, hr, "Oci%s", why);
	else
		container_exec(c, rq, process, fds);
}

void message_execute(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	json_t *settings, *params;
	const char *id;
	int fds[3];

	if (!message_fds(rq, fds))
		return;
	if (!message_id(rq, &id)) {
		/* answered */
	} else if (!json_get_object(rq->body, "Settings", &settings, why)) {
		message_bad_json(rq, why);
	} else {
		params = message_embedded(rq, settings, "ProcessParameters");
		if (params)
			execute_in(a, rq, id, params, fds);
		json_decref(params);
	}
	close_fds(fds);
}

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
		p = process_find_external(a, pid);
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
		request_answer(rq, NULL);
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
	struct container *c;
	struct process *p = get_process(a, rq, &c);

	if (p)
		request_fail(rq, HR_FAIL, "pid: %d, is not a tty and cannot be resized",
			     (int)p->pid);
}

static void shut_down(struct agent *a, struct request *rq, int sig)
{
	struct container *c;
	const char *id;
	uint32_t hr;

	if (!message_id(rq, &id))
		return;
	if (streq(id, PROTOCOL_UVM_ID)) {
		request_fail(rq, HR_NOT_IMPL,
			     "HRESULT %#x: this agent does not power off the machine", HR_NOT_IMPL);
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
