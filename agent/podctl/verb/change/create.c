/* SPDX-License-Identifier: MIT */
/*
 * create.c - the verb `create`: a pod, with its limits and its device policy.
 */
#include "agent/podctl/verb/verb.h"

#include <stdio.h>

static const struct opt options[] = {
	{ "rootfs", 0, "DIR", opt_string, offsetof(struct args, rootfs),
	  "create a sandbox container on this root file system (needs an\nagent)" },
	{ "bundle-dir", 0, "DIR", opt_string, offsetof(struct args, bundle),
	  "let the agent keep the pod's bundles in DIR\n(default: /run/cgfs/bundles)" },
	{ 0 },
};

static const struct opt *const tables[] = { limits_options, options,	hostname_options,
					    label_options,  opt_answer, NULL };

static int check(struct args *a, struct cgfs_err *reterr)
{
	int r = cgfs_id_check(a->argv[0], reterr);

	a->pod = a->argv[0];
	a->command = a->argc > 1 ? a->argv + 1 : NULL;
	if (r < 0)
		return cgfs_err_context(reterr, r, "create pod");
	if (a->command && !a->rootfs)
		return err_value(reterr, -EINVAL, NULL, a->argv[1],
				 "COMMAND needs a root file system: --rootfs DIR");
	return 0;
}

/* cgroup2 takes processors that others have, without an error. */
static void remark(const char *pod, const json_t *stats)
{
	static const char *const what[] = { "cpus", "mems" };
	char note[160], key[32];

	for (size_t i = 0; i < ARRAY_SIZE(what); i++) {
		if (!doc_differs(stats, what[i], note, sizeof(note)))
			continue;
		snprintf(key, sizeof(key), "effective_%s", what[i]);
		out_note("warning: pod %s: the %s in effect are %s, %s", pod, what[i],
			 doc_string(json_object_get(stats, "cpuset"), key), note);
	}
}

static int create(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	bool cpuset = a->limits.res.set & (CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS);
	struct group_info pod = { 0 };
	struct target t;
	int r = target_set(&t, a->pod, "", reterr);

	if (r == 0)
		r = s->ops->create(s, reterr);
	if (r == 0)
		r = s->ops->stat(s, &t,
				 a->json  ? CGFS_READ_ALL
				 : cpuset ? CGFS_READ_CPUSET
					  : 0,
				 &pod, reterr);
	if (r == 0)
		remark(a->pod, pod.doc);
	if (r == 0 && a->json)
		r = out_json(info_doc(&pod), reterr);
	else if (r == 0)
		printf("pod %s: %s\n", a->pod, pod.path);
	info_free(&pod);
	return r;
}

const struct verb verb_create = {
	.name = "create",
	.operands = "POD [-- COMMAND...]",
	.summary = "Create a pod, with limits and a device policy",
	.text = "Creates the pod's cgroup in every hierarchy.  It has no processes until "
		"containers\n"
		"are added.  With an agent and --rootfs, a sandbox container of the pod's name is\n"
		"created as well; it runs COMMAND, or a process that only waits.",
	.tables = tables,
	.min = 1,
	.max = -1,
	.check = check,
	.use = SOURCE_WRITE | SOURCE_POLICY,
	.with = create,
};
