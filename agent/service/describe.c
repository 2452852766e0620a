/* SPDX-License-Identifier: MIT */
/*
 * describe.c - what answers have about one pod or container: its names, its figures, its processes.
 * Knows no message.
 */
#include "agent/service/describe.h"

#include <cgfs/cgfs.h>

#include "agent/bridge/bridge.h"
#include "agent/model/container.h"
#include "agent/model/process.h"
#include "agent/runtime/namespaces.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/json.h"
#include "cgfs/base/util.h"

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int describe_pids(struct cgfs_group *g, size_t max_cgroups, struct pids *ret,
		  struct cgfs_err *reterr)
{
	int r = cgfs_group_pids_bounded(g, max_cgroups, &ret->pid, &ret->n, reterr);

	if (r == 0 && ret->n)
		qsort(ret->pid, ret->n, sizeof(*ret->pid), compare_pids);
	return r;
}

void describe_processes(struct json_out *o, const struct pids *pids, uint64_t after, size_t room)
{
	const size_t each = 12; /* ten digits, a comma, and one to spare */
	uint64_t last = after;
	size_t i;

	json_out_array(o, "Processes");
	for (i = 0; i < pids->n; i++) {
		if ((uint64_t)pids->pid[i] <= after)
			continue;
		if (room < each)
			break;
		room -= each;
		last = (uint64_t)pids->pid[i];
		json_out_number(o, NULL, last);
	}
	json_out_end(o);
	if (i < pids->n)
		json_out_number(o, "NextProcess", last);
}

void describe_labels(struct json_out *o, const json_t *labels)
{
	auto_free char *text = labels ? cgfs_json_dump(labels, JSON_COMPACT) : NULL;

	if (text)
		json_out_raw(o, "Labels", text);
}

void describe_state(struct json_out *o, const struct container *c)
{
	const struct process *init = c->init;

	json_out_string(o, "State", container_state_name(c));
	if (init)
		json_out_number(o, "Pid", (uint64_t)init->pid);
	if (init && init->exited)
		json_out_number(o, "ExitCode", init->code);
	json_out_array(o, "SharedNamespaces");
	for (int i = 0; i < NAMESPACE_TYPES; i++) {
		if (namespaces_shared(c, i))
			json_out_string(o, NULL, namespace_types[i]);
	}
	json_out_end(o);
}

void describe_failed(struct request *rq, int r, const struct cgfs_err *err)
{
	if ((r == -ENOENT || r == -ENODEV) && err->code)
		request_fail(rq, HR_SYSTEM_NOT_FOUND, "%s", err->text);
	else
		request_fail_err(rq, r, err);
}
