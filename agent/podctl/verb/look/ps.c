/* SPDX-License-Identifier: MIT */
/*
 * ps.c - the verb `ps`: the processes of pods and containers.
 */
#include "agent/podctl/source/process.h"
#include "agent/podctl/verb/verb.h"
#include "cgfs/base/text.h"

#include <stdio.h>

static const struct opt headings[] = {
	{ "no-headers", 0, NULL, opt_flag, offsetof(struct args, no_headers),
	  "omit the line of headings" },
	{ 0 },
};

static const struct opt *const tables[] = { headings, opt_answer, NULL };

static json_t *process_doc(const struct group_info *g, const struct process_info *p)
{
	char state[2] = { p->state, '\0' }, command[sizeof(p->command)];

	cgfs_text_show(command, sizeof(command), p->command);
	return json_pack("{s:s, s:s, s:i, s:i, s:s, s:I, s:I, s:s}", "pod", g->pod, "container",
			 g->ctr, "pid", (int)p->pid, "ppid", (int)p->ppid, "state", state, "cpu_us",
			 (json_int_t)p->cpu_us, "memory_bytes", (json_int_t)p->memory_bytes,
			 "command", command);
}

static void process_row(struct table *t, const struct group_info *g, const struct process_info *p)
{
	char pid[16], ppid[16], state[2] = { p->state, '\0' }, cpu[OUT_LEN], memory[OUT_LEN];

	snprintf(pid, sizeof(pid), "%d", (int)p->pid);
	snprintf(ppid, sizeof(ppid), "%d", (int)p->ppid);
	table_row(t, g->pod, g->ctr, pid, ppid, state, out_value(cpu, "us", p->cpu_us),
		  out_value(memory, "bytes", p->memory_bytes), p->command);
}

/* A pod's processes are those of its containers, too: they are shown with the container. */
static bool of_a_container(const struct group_list *l, const struct group_info *g, json_t *pid)
{
	json_t *one;
	size_t i;

	for (const struct group_info *c = g + 1; c < l->info + l->n && *c->ctr; c++) {
		json_array_foreach(c->processes, i, one)
		{
			if (json_equal(one, pid))
				return true;
		}
	}
	return false;
}

static int ps(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct table t = { .cols = 8, .right = 0x6c };
	struct group_list list = { 0 };
	struct process_info p;
	json_t *doc = json_array(), *pid;
	int r = operands_list(s, 0, &list, reterr);
	size_t k;

	if (!a->no_headers)
		table_row(&t, "POD", "CONTAINER", "PID", "PPID", "STATE", "CPU", "MEMORY",
			  "COMMAND");
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct group_info *g = &list.info[i];

		json_array_foreach(g->processes, k, pid)
		{
			if ((!*g->ctr && of_a_container(&list, g, pid)) ||
			    process_read((pid_t)json_integer_value(pid), &p) < 0)
				continue;
			if (a->json)
				json_array_append_new(doc, process_doc(g, &p));
			else
				process_row(&t, g, &p);
		}
	}
	if (r == 0 && a->json)
		r = out_json(json_pack("{s:O}", "processes", doc), reterr);
	else if (r == 0)
		r = table_print(&t) < 0 ? no_memory(reterr) : 0;
	json_decref(doc);
	list_free(&list);
	return r;
}

const struct verb verb_ps = {
	.name = "ps",
	.operands = "[POD[/CONTAINER]...]",
	.summary = "List the processes of pods and containers",
	.text = "Without an operand, the processes of all pods are listed.  CPU is the CPU time\n"
		"used, MEMORY the resident memory, STATE the state as in ps(1).",
	.tables = tables,
	.max = -1,
	.check = operands_check,
	.with = ps,
	.here = true,
};
