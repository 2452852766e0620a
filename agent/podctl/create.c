/* SPDX-License-Identifier: MIT */
/*
 * create.c - the verb `create`: a pod, with its limits and its device policy.
 */
#include "podctl.h"
#include "remote.h"

#include <stdio.h>

static const struct opt options[] = {
	{ "rootfs", 0, "DIR", opt_string, offsetof(struct args, rootfs),
	  "root file system of the sandbox container (with an agent)" },
	{ "bundle-dir", 0, "DIR", opt_string, offsetof(struct args, bundle),
	  "where the agent keeps the pod's bundles\n(default: /run/cgfs/bundles)" },
	{ 0 },
};

static const struct opt *const tables[] = { limits_options, options, opt_global, NULL };

static int direct(struct args *a, json_t **ret, struct cgfs_err *reterr)
{
	struct cgfs_group *pod = NULL;
	struct direct d;
	int r;

	r = direct_open(a, DIRECT_WRITE, &d, reterr);
	if (r < 0)
		return r;
	r = cgfs_pod_create(d.c, a->pod, &a->limits.res, &pod, reterr);
	if (r == 0)
		r = direct_describe(pod,
				    CGFS_READ_ALL & ~(CGFS_READ_MEMORY_STAT | CGFS_READ_NATIVE),
				    ret, reterr);
	/* What was asked for and could not be made leaves no root and no pins of its own. */
	if (r < 0)
		(void)!direct_tidy(a, &d, NULL);
	cgfs_group_close(pod);
	direct_close(&d);
	return r;
}

static int remote(struct args *a, const char *agent, json_t **ret, struct cgfs_err *reterr)
{
	struct client *c;
	int r;

	r = remote_open(agent, &c, reterr);
	if (r < 0)
		return r;
	r = remote_create_pod(c, a, ret, reterr);
	client_close(c);
	return r;
}

static int create(struct args *a)
{
	const char *agent = args_agent(a);
	struct cgfs_err err = { 0 };
	json_t *doc = NULL;
	int r;

	a->pod = a->argv[0];
	r = cgfs_id_check(a->pod, &err);
	if (r < 0) {
		cgfs_err_context(&err, r, "create pod");
		out_error(a, &err);
		return EXIT_USAGE;
	}
	if (a->argc > 1 && !a->rootfs)
		r = cgfs_err_set(&err, -EINVAL, NULL, NULL, a->argv[1],
				 "a command needs a root file system: --rootfs DIR");
	else if (!agent && a->rootfs)
		r = cgfs_err_set(&err, -EINVAL, "--rootfs", NULL, a->rootfs,
				 "needs an agent: without one a pod has no sandbox container");
	if (r < 0) {
		out_usage(a, &err);
		return EXIT_USAGE;
	}

	r = agent ? remote(a, agent, &doc, &err) : direct(a, &doc, &err);
	if (r < 0) {
		out_error(a, &err);
		return EXIT_FAILED;
	}
	if (a->json)
		r = out_json(doc);
	else
		printf("pod %s: %s\n", a->pod, doc_string(doc, "path"));
	json_decref(doc);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_create = {
	.name = "create",
	.operands = "POD [-- COMMAND...]",
	.summary = "Make a pod, with limits and a device policy",
	.text = "The pod is a cgroup in each hierarchy, and waits for containers.  With an agent\n"
		"and --rootfs it has a sandbox container as well, of the pod's name, which runs\n"
		"COMMAND, or else nothing but a process that waits.",
	.tables = tables,
	.min = 1,
	.max = -1,
	.run = create,
};
