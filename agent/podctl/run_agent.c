/* SPDX-License-Identifier: MIT */
/*
 * run_agent.c - `run` by way of an agent: two connections, one that waits for the process, and
 * one that passes signals on and hears of events meanwhile.
 */
#include "remote.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

/* How long an event may lag behind the counter that announces it. */
#define EVENT_LAG_MS 500
#define WAIT_ID	     0x7fffffff

struct session {
	struct args *a;
	struct client *waiter, *side;
	bool made_pod, made_ctr;
	int sigfd;
	pid_t pid;
	struct report report;
};

static int signals_take(struct session *s, struct cgfs_err *reterr)
{
	static const int taken[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&mask, taken[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	s->sigfd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->sigfd < 0 ? cgfs_err_set(reterr, -errno, "signalfd", NULL, NULL, NULL) : 0;
}

static int make(struct session *s, const char *agent, struct cgfs_err *reterr)
{
	static const int streams[] = { 0, 1, 2 };
	struct args *a = s->a, of_pod = *a;
	json_t *doc;
	int r;

	r = remote_open(agent, &s->waiter, reterr);
	if (r == 0)
		r = remote_open(agent, &s->side, reterr);
	if (r == 0)
		r = remote_subscribe(s->side, reterr);
	if (r < 0)
		return r;

	r = remote_stat(s->waiter, a->pod, "", &doc, reterr);
	if (r == 0)
		json_decref(doc);
	if (r == -ENOENT) {
		of_pod.rootfs = NULL;
		of_pod.limits.res.set &= CGFS_SET_DEVICES;
		r = remote_create_pod(s->waiter, &of_pod, NULL, reterr);
		s->made_pod = r == 0;
	}
	if (r < 0)
		return r;
	r = remote_create_container(s->waiter, a, a->name, a->argv, streams, a->detach ? 0 : 3,
				    &s->pid, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "run in %s/%s", a->pod, a->name);
	s->made_ctr = true;
	return 0;
}

static void pass_signals(struct session *s)
{
	struct signalfd_siginfo si;

	while (read(s->sigfd, &si, sizeof(si)) == sizeof(si))
		(void)!remote_call(s->side, MSG_SIGNAL_PROCESS, s->a->name,
				   json_pack("{s:i, s:{s:i}}", "ProcessId", (int)s->pid, "Options",
					     "Signal", (int)si.ssi_signo),
				   NULL, 0, NULL, NULL);
}

/* Events that are there; with @wait_ms also those that come until then. */
static int take_events(struct session *s, int wait_ms, struct cgfs_err *reterr)
{
	json_t *event;
	int r;

	while ((r = remote_event(s->side, wait_ms, &event, reterr)) == 1) {
		report_event(&s->report, event);
		json_decref(event);
		if (wait_ms)
			return 1;
	}
	return r;
}

static int send_wait(struct session *s, struct cgfs_err *reterr)
{
	auto_free char *text = NULL;
	json_t *body = json_pack("{s:s, s:i, s:I}", "ContainerId", s->a->name, "ProcessId",
				 (int)s->pid, "TimeoutInMs", (json_int_t)PROTOCOL_WAIT_FOREVER);

	text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!text)
		return doc_no_memory(reterr);
	return client_send(s->waiter, MSG_WAIT_FOR_PROCESS, WAIT_ID, text, strlen(text), NULL, 0,
			   reterr);
}

/* 1 with a status, 0 when the message was another one. */
static int receive_status(struct session *s, int *ret_status, struct cgfs_err *reterr)
{
	struct client_message m;
	json_t *body;
	uint32_t result;
	int r;

	r = client_receive(s->waiter, REMOTE_TIMEOUT_MS, &m, reterr);
	if (r < 0)
		return r;
	body = json_loadb(m.body, m.len, 0, NULL);
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

static int wait_process(struct session *s, int *ret_status, struct cgfs_err *reterr)
{
	int r = send_wait(s, reterr);

	while (r == 0) {
		struct pollfd fds[] = {
			{ .fd = s->sigfd, .events = POLLIN },
			{ .fd = client_fd(s->waiter), .events = POLLIN },
			{ .fd = client_fd(s->side), .events = POLLIN },
		};

		if (poll(fds, ARRAY_SIZE(fds), client_pending(s->waiter) ? 0 : -1) < 0 &&
		    errno != EINTR)
			return cgfs_err_set(reterr, -errno, "poll", NULL, NULL, NULL);
		if (fds[0].revents)
			pass_signals(s);
		if (fds[2].revents)
			r = take_events(s, 0, reterr);
		if (r == 0 && (fds[1].revents || client_pending(s->waiter)))
			r = receive_status(s, ret_status, reterr);
	}
	return r < 0 ? r : 0;
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
static void take_report(struct session *s)
{
	json_t *ctr = NULL, *pod = NULL;

	(void)!remote_stat(s->side, s->a->pod, s->a->name, &ctr, NULL);
	(void)!remote_stat(s->side, s->a->pod, "", &pod, NULL);
	report_stats(&s->report, json_object_get(ctr, "stats"), json_object_get(pod, "stats"));
	json_decref(ctr);
	json_decref(pod);

	(void)!take_events(s, 0, NULL);
	while ((seen(&s->report, CGFS_EVENT_OOM_KILL) < s->report.oom_kills ||
		(s->report.denials && !seen(&s->report, CGFS_EVENT_DEVICE_DENIED))) &&
	       take_events(s, EVENT_LAG_MS, NULL) == 1)
		;
}

static int unmake(struct session *s, struct cgfs_err *reterr)
{
	int r = 0, r2;

	if (s->made_ctr)
		r = remote_remove(s->waiter, s->a->pod, s->a->name, reterr);
	if (s->made_pod) {
		r2 = remote_remove(s->waiter, s->a->pod, "", r < 0 ? NULL : reterr);
		r = r < 0 ? r : r2;
	}
	return r;
}

static int finish(struct session *s, int status)
{
	client_close(s->waiter);
	client_close(s->side);
	if (s->sigfd >= 0)
		close(s->sigfd);
	json_decref(s->report.events);
	return status;
}

int run_agent(struct args *a)
{
	struct session s = { .a = a, .sigfd = -EBADF };
	struct cgfs_err err = { 0 };
	int status = EXIT_RUN_FAILED, r;
	bool ran = false;

	s.report.pod = a->pod;
	s.report.ctr = a->name;
	r = signals_take(&s, &err);
	if (r == 0)
		r = make(&s, args_agent(a), &err);
	if (r == 0 && a->detach)
		return finish(&s, run_detached(a, s.pid));
	if (r == 0) {
		r = wait_process(&s, &status, &err);
		ran = r == 0;
	}
	if (ran)
		take_report(&s);
	if (r < 0)
		out_error(a, &err);

	if (!a->keep || !ran) {
		r = unmake(&s, &err);
		if (r < 0) {
			out_error(a, &err);
			status = EXIT_RUN_FAILED;
		}
	}
	if (ran)
		report_print(a, &s.report, status);
	return finish(&s, status);
}
