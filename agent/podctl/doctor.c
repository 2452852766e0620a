/* SPDX-License-Identifier: MIT */
/*
 * doctor.c - the verb `doctor`: what this host can do, why not, and what to change.  Always
 * looks for itself, in this process; leaves nothing behind.
 */
#include "podctl.h"

#include <stdio.h>

static const struct opt *const tables[] = { opt_global, NULL };

static json_t *controllers(struct cgfs *c)
{
	json_t *list = json_array();

	for (enum cgfs_controller i = 0; i < CGFS_CONTROLLER_COUNT; i++) {
		struct cgfs_place p = cgfs_place(c, i);

		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:s}", "name", cgfs_controller_name(i),
						"version", (int)p.version, "mount", p.mount));
	}
	return list;
}

static json_t *capabilities(const struct cgfs_capabilities *caps)
{
	json_t *list = json_array();

	for (size_t i = 0; i < caps->n; i++)
		json_array_append_new(list, json_pack("{s:s, s:b, s:s, s:s}", "name",
						      caps->cap[i].name, "ok", caps->cap[i].ok,
						      "detail", caps->cap[i].detail, "remedy",
						      caps->cap[i].remedy));
	return list;
}

/* The library knows only that no policy is in use, not why. */
static void explain(struct cgfs_capabilities *caps, const struct cgfs_err *why)
{
	for (size_t i = 0; i < caps->n; i++) {
		struct cgfs_capability *cap = &caps->cap[i];

		if (!streq(cap->name, "bpf"))
			continue;
		snprintf(cap->detail, sizeof(cap->detail), "%.159s", why->text);
		snprintf(cap->remedy, sizeof(cap->remedy),
			 "run as root on a kernel with CONFIG_CGROUP_BPF");
	}
}

static int examine(struct args *a, json_t **ret, struct cgfs_err *reterr)
{
	auto_free struct cgfs_capabilities *caps = calloc(1, sizeof(*caps));
	struct direct d;
	int r;

	if (!caps)
		return doc_no_memory(reterr);
	r = direct_open(a, DIRECT_PROBE, &d, reterr);
	if (r < 0)
		return r;
	r = cgfs_probe(d.c, caps, reterr);
	if (d.policy_error.code)
		explain(caps, &d.policy_error);
	if (r == 0) {
		*ret = json_pack("{s:s, s:s, s:s, s:o, s:o}", "version", cgfs_version(), "layout",
				 cgfs_layout_name(cgfs_layout(d.c)), "root", cgfs_root(d.c),
				 "controllers", controllers(d.c), "capabilities",
				 capabilities(caps));
		r = *ret ? 0 : doc_no_memory(reterr);
	}
	if (r == 0)
		r = direct_tidy(a, &d, reterr);
	direct_close(&d);
	return r;
}

static int print(const json_t *doc)
{
	struct table ctls = { .cols = 3 }, caps = { .cols = 3 };
	json_t *item;
	size_t i;
	int r;

	printf("layout     %s\npods root  %s\n\n", doc_string(doc, "layout"),
	       doc_string(doc, "root"));

	table_row(&ctls, "CONTROLLER", "VERSION", "MOUNT");
	json_array_foreach(json_object_get(doc, "controllers"), i, item)
	{
		int version = (int)doc_number(item, "version");

		table_row(&ctls, doc_string(item, "name"),
			  version == CGFS_V1   ? "v1"
			  : version == CGFS_V2 ? "v2"
					       : "--",
			  version == CGFS_NONE ? "not on this host" : doc_string(item, "mount"));
	}
	r = table_print(&ctls);
	putchar('\n');

	table_row(&caps, "CAPABILITY", "STATE", "DETAIL");
	json_array_foreach(json_object_get(doc, "capabilities"), i, item)
	{
		bool ok = json_is_true(json_object_get(item, "ok"));
		const char *remedy = doc_string(item, "remedy");

		table_row(&caps, doc_string(item, "name"),
			  ok	    ? "ok"
			  : *remedy ? "missing"
				    : "--",
			  doc_string(item, "detail"));
		if (!ok && *remedy)
			table_row(&caps, "", "", remedy);
	}
	return table_print(&caps) < 0 ? -ENOMEM : r;
}

static int doctor(struct args *a)
{
	struct cgfs_err err = { 0 };
	json_t *doc = NULL;
	int r;

	if (a->agent) {
		cgfs_err_set(&err, -EINVAL, "--agent", NULL, a->agent,
			     "doctor looks for itself and asks no agent");
		out_usage(a, &err);
		return EXIT_USAGE;
	}
	r = examine(a, &doc, &err);
	if (r < 0) {
		out_error(a, &err);
		return EXIT_FAILED;
	}
	r = a->json ? out_json(doc) : print(doc);
	json_decref(doc);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_doctor = {
	.name = "doctor",
	.operands = "",
	.summary = "Show what this host can do, and what to change",
	.text = "Found out by doing: a scratch cgroup is made and removed, limits are written and\n"
		"read back, eBPF programs are tried.  STATE is ok; missing, with what to change "
		"on\n"
		"the next line; or -- where nothing on this kernel would help.",
	.tables = tables,
	.max = 0,
	.run = doctor,
};
