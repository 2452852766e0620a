/* SPDX-License-Identifier: MIT */
/*
 * rm.c - the verb `rm`: kill, wait, remove.  What can be removed is, also when one cannot.
 */
#include "podctl.h"
#include "remote.h"

#include <stdio.h>

#define DEFAULT_TIMEOUT_MS 10000

static const struct opt options[] = {
	{ "all", 'a', NULL, opt_flag, offsetof(struct args, all), "every pod there is" },
	{ "timeout", 't', "SECONDS", opt_seconds, offsetof(struct args, timeout_ms),
	  "how long to wait for processes to die (default: 10)" },
	{ 0 },
};

static const struct opt *const tables[] = { options, opt_global, NULL };

static int remove_one(struct args *a, struct direct *d, const char *pod, const char *ctr,
		      struct cgfs_err *reterr)
{
	unsigned int ms = a->timeout_ms < DEFAULT_TIMEOUT_MS * 1000 ? (unsigned int)a->timeout_ms
								    : DEFAULT_TIMEOUT_MS;
	struct cgfs_group *p, *c;
	int r;

	r = direct_group(d, pod, ctr, &p, &c, reterr);
	if (r < 0)
		return r;
	r = cgfs_group_destroy(c ? c : p, ms, reterr);
	cgfs_group_close(c);
	cgfs_group_close(p);
	return r;
}

/* One target, whoever removes it; the outcome goes into @removed or @failed. */
static void target(struct args *a, struct direct *d, struct client *agent, const char *text,
		   json_t *removed, json_t *failed)
{
	char pod[CGFS_ID_MAX + 1], ctr[CGFS_ID_MAX + 1];
	struct cgfs_err err = { 0 };
	int r;

	r = target_parse("remove", text, pod, ctr, &err);
	if (r == 0) {
		r = agent ? remote_remove(agent, pod, ctr, &err) : remove_one(a, d, pod, ctr, &err);
		if (r < 0)
			cgfs_err_context(&err, r, "remove \"%s\"", text);
	}
	if (r == 0) {
		json_array_append_new(removed, json_string(text));
		if (!a->json)
			printf("removed %s\n", text);
		return;
	}
	out_error(a, &err);
	json_array_append_new(failed, json_pack("{s:s, s:s}", "target", text, "error", err.text));
}

static int each(struct args *a, struct direct *d, struct client *agent, json_t *removed,
		json_t *failed, struct cgfs_err *reterr)
{
	struct ids ids = { 0 };
	json_t *doc, *pod;
	size_t i;
	int r;

	for (i = 0; i < (size_t)a->argc; i++)
		target(a, d, agent, a->argv[i], removed, failed);
	if (!a->all)
		return 0;

	if (!agent) {
		r = direct_list(d, NULL, &ids, reterr);
		for (i = 0; r == 0 && i < ids.n; i++)
			target(a, d, NULL, ids.id[i], removed, failed);
		ids_free(&ids);
		return r;
	}
	r = remote_list(agent, &doc, reterr);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(doc, "pods"), i, pod)
		target(a, d, agent, doc_string(pod, "id"), removed, failed);
	json_decref(doc);
	return 0;
}

static int rm(struct args *a)
{
	const char *agent = args_agent(a);
	struct direct d = { .lock = -EBADF };
	struct client *c = NULL;
	json_t *removed = json_array(), *failed = json_array(), *doc;
	struct cgfs_err err = { 0 };
	int r = 0;

	if (a->all == (a->argc > 0)) {
		cgfs_err_set(&err, -EINVAL, NULL, NULL, NULL,
			     a->all ? "--all and a pod do not go together"
				    : "POD is missing; --all is every one");
		out_usage(a, &err);
		r = -EINVAL;
	}
	if (r < 0) {
		json_decref(removed);
		json_decref(failed);
		return EXIT_USAGE;
	}

	r = agent ? remote_open(agent, &c, &err) : direct_open(a, DIRECT_WRITE, &d, &err);
	if (r == 0)
		r = each(a, &d, c, removed, failed, &err);
	if (r == 0 && !agent)
		r = direct_tidy(a, &d, &err);
	if (r < 0)
		out_error(a, &err);
	if (d.c)
		direct_close(&d);
	client_close(c);

	doc = json_pack("{s:o, s:o}", "removed", removed, "failed", failed);
	if (r == 0 && json_array_size(json_object_get(doc, "failed")))
		r = -EIO;
	if (a->json && doc && out_json(doc) < 0)
		r = -EIO;
	json_decref(doc);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_rm = {
	.name = "rm",
	.operands = "POD[/CONTAINER]...",
	.summary = "Kill and remove pods or containers",
	.text = "Every process of the pod is killed, its cgroups are removed from each hierarchy,\n"
		"and its device policy with them.  What can be removed is, also when another\n"
		"cannot; the exit status is then 1.",
	.tables = tables,
	.max = -1,
	.run = rm,
};
