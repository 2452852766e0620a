/* SPDX-License-Identifier: MIT */
/*
 * run.c - the verb `run`: one command in a container.  Here is what both ways share, the
 * checks before and the report afterwards; run_direct.c and run_agent.c do the work.
 */
#include "podctl.h"

#include <stdio.h>
#include <sys/wait.h>

static const struct opt options[] = {
	{ "pod", 0, "POD", opt_string, offsetof(struct args, pod),
	  "the pod; made when there is none, and removed with the last run" },
	{ "name", 'n', "CONTAINER", opt_string, offsetof(struct args, name),
	  "the container's name (default: run-PID)" },
	{ "rootfs", 0, "DIR", opt_string, offsetof(struct args, rootfs),
	  "root file system (with an agent, and only then)" },
	{ "bundle-dir", 0, "DIR", opt_string, offsetof(struct args, bundle),
	  "where the agent keeps the pod's bundles\n(default: /run/cgfs/bundles)" },
	{ "detach", 0, NULL, opt_flag, offsetof(struct args, detach),
	  "print the process id and do not wait" },
	{ "keep", 0, NULL, opt_flag, offsetof(struct args, keep),
	  "leave container and pod when the command has ended" },
	{ 0 },
};

static const struct opt *const tables[] = { options, limits_options, opt_global, NULL };

int run_status(int wstatus)
{
	return WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
}

int run_detached(const struct args *a, pid_t pid)
{
	json_t *doc;
	int r = 0;

	if (a->json) {
		doc = json_pack("{s:s, s:s, s:i}", "pod", a->pod, "container", a->name, "pid",
				(int)pid);
		r = out_json(doc);
		json_decref(doc);
	} else {
		printf("%d\n", (int)pid);
	}
	return r < 0 ? EXIT_RUN_FAILED : EXIT_OK;
}

void report_event(struct report *r, json_t *event)
{
	const char *type = doc_string(event, "type"), *ctr = doc_string(event, "container");

	if (!streq(doc_string(event, "pod"), r->pod) || (*ctr && !streq(ctr, r->ctr)))
		return;
	if (!streq(type, cgfs_event_name(CGFS_EVENT_OOM_KILL)) &&
	    !streq(type, cgfs_event_name(CGFS_EVENT_DEVICE_DENIED)))
		return;
	if (!r->events)
		r->events = json_array();
	json_array_append(r->events, event);
}

void report_stats(struct report *r, const json_t *ctr, const json_t *pod)
{
	uint64_t max;

	(void)!doc_oom_kills(ctr, &r->oom_kills);
	(void)!doc_figure(ctr, CGFS_STAT_DEVICE_DENIED, &r->denials);
	r->memory_max = CGFS_MAX;
	if (doc_figure(ctr, CGFS_STAT_MEMORY_MAX, &max))
		r->memory_max = max;
	if (doc_figure(pod, CGFS_STAT_MEMORY_MAX, &max) && max < r->memory_max) {
		r->memory_max = max;
		r->limit_is_pods = true;
	}
}

/* All events of one type: the first @show in full, the rest as a number. */
static uint64_t print_events(const struct report *r, enum cgfs_event_type type, const char *what,
			     const char *tail, uint64_t show)
{
	uint64_t seen = 0;
	json_t *event;
	char text[256];
	size_t i;

	json_array_foreach(r->events, i, event)
	{
		if (!streq(doc_string(event, "type"), cgfs_event_name(type)))
			continue;
		if (seen++ >= show)
			continue;
		doc_event_text(event, text, sizeof(text));
		out_note("%s/%s: %s: %s%s", r->pod, r->ctr, what, text, tail);
	}
	return seen;
}

void report_print(const struct args *a, const struct report *r, int status)
{
	const uint64_t show = 3;
	char max[OUT_LEN], tail[OUT_LEN + 64] = "";
	uint64_t seen;

	if (a->json) {
		json_t *doc =
			json_pack("{s:s, s:s, s:i, s:I, s:I, s:o}", "pod", r->pod, "container",
				  r->ctr, "status", status, "oom_kills", (json_int_t)r->oom_kills,
				  "device_denied", (json_int_t)r->denials, "events",
				  r->events ? json_incref(r->events) : json_array());

		json_dumpf(doc, stderr, JSON_COMPACT | JSON_ENSURE_ASCII);
		fputc('\n', stderr);
		json_decref(doc);
		return;
	}

	if (r->memory_max != CGFS_MAX)
		snprintf(tail, sizeof(tail), ", at the %s's memory limit of %s",
			 r->limit_is_pods ? "pod" : "container",
			 out_value(max, "bytes", r->memory_max));
	seen = print_events(r, CGFS_EVENT_OOM_KILL, "killed for lack of memory", tail, show);
	if (!seen && r->oom_kills)
		out_note("%s/%s: killed for lack of memory%s", r->pod, r->ctr, tail);

	seen = print_events(r, CGFS_EVENT_DEVICE_DENIED, "device denied", "", show);
	if (seen < r->denials)
		seen = r->denials;
	if (seen > show)
		out_note("%s/%s: device denied: %llu times in all", r->pod, r->ctr,
			 (unsigned long long)seen);
}

static int run(struct args *a)
{
	char name[32];
	struct cgfs_err err = { 0 };
	int r = 0;

	if (!a->pod)
		r = cgfs_err_set(&err, -EINVAL, NULL, NULL, NULL, "--pod is missing");
	else if (args_agent(a) && !a->rootfs)
		r = cgfs_err_set(&err, -EINVAL, NULL, NULL, NULL,
				 "an agent needs a root file system: give --rootfs DIR, or "
				 "--no-agent to run the command as it is");
	else if (!args_agent(a) && a->rootfs)
		r = cgfs_err_set(&err, -EINVAL, "--rootfs", NULL, a->rootfs,
				 "needs an agent; without one the command runs as it is");
	if (r < 0) {
		out_usage(a, &err);
		return EXIT_USAGE;
	}

	if (!a->name) {
		snprintf(name, sizeof(name), "run-%d", (int)getpid());
		a->name = name;
	}
	r = cgfs_id_check(a->pod, &err);
	if (r < 0)
		cgfs_err_context(&err, r, "run --pod");
	else
		r = cgfs_id_check(a->name, &err);
	if (r < 0) {
		out_error(a, &err);
		return EXIT_USAGE;
	}
	return args_agent(a) ? run_agent(a) : run_direct(a);
}

const struct verb verb_run = {
	.name = "run",
	.operands = "-- COMMAND...",
	.summary = "Run a command in a container",
	.text = "Makes the container, with the limits given, runs COMMAND in it, waits, and "
		"removes\n"
		"the container.  Without an agent COMMAND is an ordinary process of this machine\n"
		"that is bound by its pod's and its container's limits and device policy; with an\n"
		"agent it runs on a root file system of its own, through an OCI runtime.  The\n"
		"limits are the container's.  A pod that is made on the way has no limits of its\n"
		"own, and the same device policy.  When memory ran out, or a device was denied,\n"
		"stderr says so; with --json as one line of JSON.",
	.tables = tables,
	.min = 1,
	.max = -1,
	.command = true,
	.run = run,
};
