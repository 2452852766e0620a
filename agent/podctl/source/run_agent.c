/* SPDX-License-Identifier: MIT */
/*
 * run_agent.c - a command by way of an agent: two connections, one that waits for the process, and
 * one that passes signals on and receives events meanwhile.
 */
#include "agent/podctl/source/agent.h"
#include "agent/podctl/source/log.h"
#include "agent/podctl/source/spec.h"
#include "cgfs/base/json.h"

#include <poll.h>

/* How long an event may lag behind the counter that announces it. */
#define EVENT_LAG_MS 500
#define WAIT_ID	     0x7fffffff

/* The runtime could not execute the command: the status that a shell would show.  Where podctl's
 * standard error is the command's, its sentence is there, and @err keeps what comes before it. */
static int runtime_status(const struct args *a, struct cgfs_err *err)
{
	static const char *const about[] = { "executable file", "open executable",
					     "exec container process", "exec: \"" };
	const char *text = NULL;
	char *detail;
	int status = EXIT_NOT_EXECUTABLE;

	for (size_t i = 0; !text && i < ARRAY_SIZE(about); i++)
		text = strstr(err->text, about[i]);
	if (!text)
		return EXIT_RUN_FAILED;
	if (strstr(text, "not found") || strstr(text, "o such file"))
		status = EXIT_NOT_FOUND;
	detail = strstr(err->text, ": exit status ");
	if (!a->detach && !a->tty && detail && detail < text)
		*detail = '\0';
	return status;
}

/* Connects the command's streams.  @input: to podctl's standard input also without -i. */
static int streams_begin(const struct args *a, struct terminal_socket *console, bool input,
			 struct remote_streams *ret, struct cgfs_err *reterr)
{
	bool in = input || a->interactive;
	int r = 0;

	*ret = (struct remote_streams){ 0 };
	if (a->tty) {
		r = terminal_listen(console, reterr);
		ret->console = console->path;
	} else if (!a->detach) {
		ret->first = in ? 0 : 1;
		ret->n = in ? 3 : 2;
	}
	return r;
}

static int streams_connect(const struct args *a, struct terminal_socket *console, bool input,
			   struct command *cmd, struct cgfs_err *reterr)
{
	int master, r;

	if (!a->tty)
		return 0;
	r = terminal_receive(console, remote_timeout(a), &master, reterr);
	if (r < 0)
		return r;
	cmd->terminal.left = a->detach;
	return terminal_begin(&cmd->terminal, master, !a->detach && (input || a->interactive),
			      reterr);
}

/* Records the terminal's container, for a later `attach` to it. */
static int name_terminal(struct agent_source *s, struct command *cmd, struct cgfs_err *reterr)
{
	struct group_info info;
	int r = remote_describe(s->c, cmd->target.pod, cmd->target.ctr, false, &info, reterr);

	if (r < 0)
		return r;
	cmd->terminal.cgroup_id = info.cgroup_id;
	cmd->terminal.pid = cmd->pid;
	info_free(&info);
	return 0;
}

static int make(struct agent_source *s, struct command *cmd, struct cgfs_err *reterr)
{
	struct terminal_socket console = { .fd = -EBADF };
	const struct args *a = s->source.a;
	struct limits of_pod = a->limits;
	struct remote_streams streams;
	int r = remote_open(a, &s->waiter, reterr);

	if (r < 0)
		return r;
	/* One that exists stays as it is. */
	of_pod.res.set &= CGFS_SET_DEVICES;
	r = remote_create_pod(s->waiter, cmd->target.pod, &of_pod, NULL, a->hostname, reterr);
	cmd->made_pod = r == 0;
	if (r == -EEXIST && a->hostname)
		return cgfs_err_set(reterr, r, "--hostname", NULL, a->hostname,
				    "pod \"%s\" is there, and its containers share its host name: "
				    "give the name to podctl create",
				    cmd->target.pod);
	if (r < 0 && r != -EEXIST)
		return r;
	r = streams_begin(a, &console, true, &streams, reterr);
	if (r == 0)
		r = remote_create_container(s->waiter, a, cmd->target.ctr, cmd->argv, &streams,
					    &cmd->pid, reterr);
	s->made_ctr = r == 0;
	if (r == 0)
		r = streams_connect(a, &console, true, cmd, reterr);
	if (r == 0 && a->tty)
		r = name_terminal(s, cmd, reterr);
	terminal_unlisten(&console);
	return r < 0 ? cgfs_err_context(reterr, r, "run in %s/%s", cmd->target.pod, cmd->target.ctr)
		     : 0;
}

int agent_start(struct source *s, struct command *cmd, struct cgfs_err *reterr)
{
	int r = make(agent_of(s), cmd, reterr);

	if (r < 0)
		cmd->status = runtime_status(s->a, reterr);
	return r;
}

int agent_follow(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	struct agent_source *s = agent_of(source);

	s->made_ctr = true;
	return remote_open(source->a, &s->waiter, reterr);
}

static json_t *added_process(const struct args *a, const struct command *cmd)
{
	const struct process_args *p = &a->process;
	json_t *args = json_array(), *env = json_array(), *user = NULL;

	for (size_t i = 0; cmd->argv[i]; i++)
		json_array_append_new(args, json_string(cmd->argv[i]));
	for (size_t i = 0; i < p->n_env; i++)
		json_array_append_new(env, json_string(p->env[i]));
	if (a->tty)
		json_array_insert_new(env, 0, json_string("TERM=xterm"));
	if (p->named)
		user = json_pack("{s:s}", "username", p->user);
	else if (p->user)
		user = json_pack("{s:I, s:I}", "uid", (json_int_t)p->uid, "gid",
				 (json_int_t)p->gid);
	return json_pack("{s:o, s:o, s:b, s:s*, s:o*}", "args", args, "env", env, "terminal",
			 a->tty, "cwd", p->workdir, "user", user);
}

static int execute(struct agent_source *s, struct command *cmd,
		   const struct remote_streams *streams, struct cgfs_err *reterr)
{
	json_t *process = added_process(s->source.a, cmd), *members, *answer = NULL;
	auto_free char *text = NULL;
	int fds[3], r;

	process = process ? json_pack("{s:o}", "OciProcess", process) : NULL;
	text = process ? cgfs_json_dump(process, JSON_COMPACT) : NULL;
	json_decref(process);
	members = remote_stdio(streams, fds);
	if (!text || !members ||
	    json_object_set_new(members, "Settings",
				json_pack("{s:s}", "ProcessParameters", text)) < 0 ||
	    json_object_set_new(members, "Inherit", json_true()) < 0) {
		json_decref(members);
		return no_memory(reterr);
	}
	r = remote_call(s->waiter, MSG_EXECUTE_PROCESS, cmd->target.ctr, members, fds, streams->n,
			&answer, reterr);
	if (r == 0)
		cmd->pid = (pid_t)doc_number(answer, "ProcessId");
	json_decref(answer);
	return r;
}

int agent_exec(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	struct terminal_socket console = { .fd = -EBADF };
	struct agent_source *s = agent_of(source);
	struct remote_streams streams;
	int r = oci_words(cmd->argv, reterr);

	if (r == 0)
		r = remote_open(source->a, &s->waiter, reterr);
	if (r == 0)
		r = streams_begin(source->a, &console, false, &streams, reterr);
	if (r == 0) {
		r = execute(s, cmd, &streams, reterr);
		if (r < 0)
			cmd->status = runtime_status(source->a, reterr);
	}
	if (r == 0)
		r = streams_connect(source->a, &console, false, cmd, reterr);
	terminal_unlisten(&console);
	return r;
}

static void pass_signals(struct agent_source *s, struct command *cmd)
{
	bool typed;
	int sig;

	while ((sig = command_signal(cmd, &typed)))
		ignore(remote_call(s->c, MSG_SIGNAL_PROCESS, cmd->target.ctr,
				   json_pack("{s:i, s:{s:i}}", "ProcessId", (int)cmd->pid,
					     "Options", "Signal", sig),
				   NULL, 0, NULL, NULL));
}

/* Events that are there; with @wait_ms also those that come until then. */
static int take_events(struct agent_source *s, struct command *cmd, int wait_ms,
		       struct cgfs_err *reterr)
{
	json_t *event;
	int r;

	while ((r = source_agent.next_event(&s->source, wait_ms, &event, reterr)) == 1) {
		report_event(&cmd->report, event);
		json_decref(event);
		if (wait_ms)
			return 1;
	}
	return r;
}

static int send_wait(struct agent_source *s, const struct command *cmd, struct cgfs_err *reterr)
{
	auto_free char *text = NULL;
	json_t *body = json_pack("{s:s, s:i, s:I}", "ContainerId", cmd->target.ctr, "ProcessId",
				 (int)cmd->pid, "TimeoutInMs", (json_int_t)PROTOCOL_WAIT_FOREVER);

	text = body ? cgfs_json_dump(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!text)
		return no_memory(reterr);
	return client_send(s->waiter, MSG_WAIT_FOR_PROCESS, WAIT_ID, text, strlen(text), NULL, 0,
			   reterr);
}

/* 1 with a status, 0 when the message was another one. */
static int receive_status(struct agent_source *s, int *ret_status, struct cgfs_err *reterr)
{
	struct client_message m;
	json_t *body;
	uint32_t result;
	int r = client_receive(s->waiter, remote_timeout(s->source.a), &m, reterr);

	if (r < 0)
		return r;
	body = cgfs_json_load(m.body, m.len, 0, NULL);
	free(m.body);
	if (m.header.type != PROTOCOL_RESPONSE(MSG_WAIT_FOR_PROCESS) || m.header.id != WAIT_ID) {
		json_decref(body);
		return 0;
	}
	result = (uint32_t)doc_number(body, "Result");
	*ret_status = (int)(doc_number(body, "ExitCode") & 0xff);
	r = 1;
	if (!body || result != HR_OK)
		r = cgfs_err_set(reterr, -EIO, "wait for process", NULL, NULL, "%s",
				 *doc_string(body, "ErrorMessage")
					 ? doc_string(body, "ErrorMessage")
					 : protocol_hresult_text(result));
	json_decref(body);
	return r;
}

static uint64_t seen(const struct report *r, enum cgfs_event_type type)
{
	uint64_t n = 0;
	json_t *event;
	size_t i;

	json_array_foreach(r->events, i, event) n +=
		streq(doc_string(event, "type"), cgfs_event_name(type));
	return n;
}

/* The counters say what happened; the events, which say it in full, may be on their way. */
static void take_report(struct agent_source *s, struct command *cmd)
{
	struct target pod = cmd->target;
	struct group_info of_ctr = { 0 }, of_pod = { 0 };

	pod.ctr[0] = '\0';
	ignore(source_agent.stat(&s->source, &cmd->target, 0, &of_ctr, NULL));
	ignore(source_agent.stat(&s->source, &pod, 0, &of_pod, NULL));
	report_stats(&cmd->report, &of_ctr, &of_pod);
	info_free(&of_ctr);
	info_free(&of_pod);

	ignore(take_events(s, cmd, 0, NULL));
	while ((seen(&cmd->report, CGFS_EVENT_OOM_KILL) < cmd->report.oom_kills ||
		(cmd->report.denials && !seen(&cmd->report, CGFS_EVENT_DEVICE_DENIED))) &&
	       take_events(s, cmd, EVENT_LAG_MS, NULL) == 1)
		;
}

int agent_await(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	struct agent_source *s = agent_of(source);
	int r = send_wait(s, cmd, reterr);

	while (r == 0) {
		struct pollfd fds[4 + TERMINAL_FDS] = {
			{ .fd = cmd->sigfd, .events = POLLIN },
			{ .fd = client_fd(s->waiter), .events = POLLIN },
			{ .fd = client_fd(s->c), .events = POLLIN },
			{ .fd = cmd->log ? log_fd(cmd->log) : -1, .events = POLLIN },
		};

		terminal_poll(&cmd->terminal, fds + 4);
		if (poll(fds, ARRAY_SIZE(fds), client_pending(s->waiter) ? 0 : -1) < 0 &&
		    errno != EINTR)
			return cgfs_err_set(reterr, -errno, "poll", NULL, NULL, NULL);
		terminal_handle(&cmd->terminal, fds + 4);
		if (cmd->terminal.left) {
			cmd->status = EXIT_OK;
			return 0;
		}
		if (fds[0].revents)
			pass_signals(s, cmd);
		if (fds[2].revents)
			r = take_events(s, cmd, 0, reterr);
		if (r == 0 && fds[3].revents)
			r = attach_print(cmd, reterr);
		if (r == 0 && (fds[1].revents || client_pending(s->waiter)))
			r = receive_status(s, &cmd->status, reterr);
	}
	if (r > 0 && cmd->log) {
		struct group_info info = { 0 };

		/* An answer that comes later: the agent has taken the last of it by then. */
		ignore(source->ops->stat(source, &cmd->target, 0, &info, NULL));
		info_free(&info);
		r = attach_print(cmd, reterr) < 0 ? -EIO : 1;
	}
	if (r > 0) {
		terminal_drain(&cmd->terminal);
		if (!cmd->added)
			take_report(s, cmd);
	}
	return r < 0 ? r : 0;
}

int agent_unmake(struct source *source, struct command *cmd, struct cgfs_err *reterr)
{
	struct agent_source *s = agent_of(source);
	int r = 0, r2;

	if (s->made_ctr)
		r = remote_remove(s->waiter, cmd->target.pod, cmd->target.ctr, reterr);
	if (cmd->made_pod) {
		r2 = remote_remove(s->waiter, cmd->target.pod, "", r < 0 ? NULL : reterr);
		r = r < 0 ? r : r2;
	}
	return r;
}
