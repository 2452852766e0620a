/* SPDX-License-Identifier: MIT */
/*
 * add.c - the verb `add`: processes of this machine into a container.
 */
#include "agent/podctl/verb/verb.h"

#include <stdio.h>

static const struct opt *const tables[] = { opt_answer, NULL };

static int pid_parse(const char *text, pid_t *ret, struct cgfs_err *reterr)
{
	uint64_t n;
	int r = value_count("process", text, &n, reterr);

	if (r == 0 && (n < 1 || n > INT32_MAX))
		r = cgfs_err_set(reterr, -EINVAL, "process", NULL, text, "is not a process id");
	/* No signal ends it, so that its container could not be removed. */
	if (r == 0 && n == 1)
		r = cgfs_err_set(reterr, -EINVAL, "process", NULL, text,
				 "is the machine's first, which cannot be killed: the container "
				 "could not be removed");
	*ret = r < 0 ? 0 : (pid_t)n;
	return r;
}

static int check(struct args *a, struct cgfs_err *reterr)
{
	int r = target_parse("add to", a->argv[0], &a->target, reterr);
	pid_t pid;

	for (int i = 1; r == 0 && i < a->argc; i++)
		r = pid_parse(a->argv[i], &pid, reterr);
	return r;
}

static int add(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	json_t *ok = json_array(), *failed = json_array();
	int r = source_container(s, &a->target, false, reterr);
	bool bad = false;

	for (int i = 1; r == 0 && i < a->argc; i++) {
		struct cgfs_err err = { 0 };
		pid_t pid;
		int r2 = pid_parse(a->argv[i], &pid, &err);

		if (r2 == 0)
			r2 = s->ops->add(s, &a->target, pid, &err);
		if (r2 == 0) {
			json_array_append_new(ok, json_integer(pid));
			if (!a->json)
				printf("added %d\n", (int)pid);
			continue;
		}
		bad = true;
		cgfs_err_context(&err, r2, "add %s to \"%s\"", a->argv[i], a->argv[0]);
		out_error(&err);
		json_array_append_new(failed,
				      json_pack("{s:i, s:s}", "pid", (int)pid, "error", err.text));
	}
	if (r < 0)
		cgfs_err_context(reterr, r, "add to \"%s\"", a->argv[0]);
	else if (a->json)
		r = out_json(json_pack("{s:O, s:O}", "added", ok, "failed", failed), reterr);
	json_decref(ok);
	json_decref(failed);
	return r < 0 ? r : bad ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_add = {
	.name = "add",
	.operands = "POD[/CONTAINER] PID...",
	.summary = "Move running processes into a container",
	.text = "Each process is moved with all its threads, into all cgroups of the container;\n"
		"its namespaces and its root file system stay what they are.  Memory that it has\n"
		"already stays with the cgroup where it was before.  If the pod has one\n"
		"container, POD alone names it.  Process 1 is refused: no signal could end it.",
	.tables = tables,
	.min = 2,
	.max = -1,
	.here = true,
	.check = check,
	.use = SOURCE_WRITE,
	.with = add,
};
