/* SPDX-License-Identifier: MIT */
/*
 * doctor.c - the verb `doctor`: what this host can do, why not, and what to change.  Always
 * examines the host in this process, by reading, or with --probe by trying; leaves nothing behind.
 */
#include "agent/podctl/source/direct.h"
#include "agent/podctl/verb/verb.h"

#include <stdio.h>

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

static const char *policy_remedy(int error)
{
	switch (error) {
	case -EOPNOTSUPP:
		return CGFS_WITH_BPF ? "use a kernel with CONFIG_CGROUP_BPF and CONFIG_BPF_SYSCALL"
				     : "build it with clang, bpftool and libbpf installed";
	case -EPERM:
	case -EACCES:
		return "run as root with all capabilities";
	case -EROFS:
		return "mount a bpf file system that may be written, or give another --pin-dir";
	case -ENOENT:
	case -ENOTDIR:
		return "mount -t bpf bpf /sys/fs/bpf, or give another --pin-dir";
	default:
		return "use a kernel with CONFIG_CGROUP_BPF and CONFIG_BPF_SYSCALL";
	}
}

/* The library knows only that no policy is in use, not why. */
static void explain(const struct args *a, struct cgfs_capabilities *caps,
		    const struct cgfs_err *why)
{
	for (size_t i = 0; i < caps->n; i++) {
		struct cgfs_capability *cap = &caps->cap[i];

		if (!streq(cap->name, "bpf"))
			continue;
		snprintf(cap->detail, sizeof(cap->detail), "%.159s", why->text);
		/* Nothing is pinned, and reading loads nothing. */
		if (why->code == -ENOENT && !a->probe)
			snprintf(cap->detail, sizeof(cap->detail), "%s", CGFS_NOT_TRIED);
		else
			snprintf(cap->remedy, sizeof(cap->remedy), "%s", policy_remedy(why->code));
		return;
	}
}

static void add_error(struct cgfs_capabilities *caps, const char *name, const struct cgfs_err *why,
		      const char *remedy)
{
	if (why->code)
		cgfs_capability_add(caps, name, false, why->text, remedy);
}

/* Without a context: what discovery left out is all there is to show. */
static json_t *no_cgroups(const struct args *a, struct cgfs_capabilities *caps,
			  const struct cgfs_err *why)
{
	struct cgfs_mounts m = CGFS_MOUNTS_INIT;
	json_t *list = json_array();

	/* The context has found the same. */
	ignore(cgfs_discover(&m, NULL));
	add_error(caps, "cgroups", why,
		  why->code == -ENOENT && !m.n_unused ? "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
						      : "");
	for (size_t i = 0; i < m.n_unused; i++) {
		char detail[sizeof(m.unused[i].path) + sizeof(m.unused[i].reason) + 2];

		snprintf(detail, sizeof(detail), "%s: %s", m.unused[i].path, m.unused[i].reason);
		cgfs_capability_add(caps, "mount", false, detail, m.unused[i].remedy);
	}
	for (int i = 0; i < CGFS_CONTROLLER_COUNT; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:s}", "name", cgfs_controller_name(i),
						"version", 0, "mount", ""));
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "version", cgfs_version(), "layout",
			 cgfs_layout_name(CGFS_LAYOUT_NONE), "root", a->root ? a->root : "/pods",
			 "controllers", list, "capabilities", capabilities(caps));
}

static json_t *describe(struct cgfs *c, struct cgfs_capabilities *caps)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "version", cgfs_version(), "layout",
			 cgfs_layout_name(cgfs_layout(c)), "root", cgfs_root(c), "controllers",
			 controllers(c), "capabilities", capabilities(caps));
}

static int examine(struct args *a, json_t **ret, struct cgfs_err *reterr)
{
	auto_free struct cgfs_capabilities *caps = calloc(1, sizeof(*caps));
	struct cgfs_err err = { 0 };
	struct direct d;
	int r;

	if (!caps)
		return no_memory(reterr);
	caps->sz = sizeof(*caps);
	r = direct_open(a, SOURCE_POLICY | (a->probe ? SOURCE_WRITE | DIRECT_PROBE : 0), NULL, &d,
			&err);
	if (r == -EINVAL || r == -ENOMEM) { /* of what was asked, not of the host */
		if (reterr)
			*reterr = err;
		return r;
	}
	if (r < 0) {
		*ret = no_cgroups(a, caps, &err);
		return *ret ? 0 : no_memory(reterr);
	}
	if (cgfs_probe(d.c, caps, &err) < 0)
		add_error(caps, "remove", &err, "");
	if (!d.bpf && d.policy_error.code)
		explain(a, caps, &d.policy_error);
	add_error(caps, "lock", &d.lock_error, "make /run writable, or set XDG_RUNTIME_DIR");
	err = (struct cgfs_err){ 0 };
	if (a->probe && direct_tidy(&d, &err) < 0)
		add_error(caps, "tidy", &err, "");
	*ret = describe(d.c, caps);
	direct_close(&d);
	return *ret ? 0 : no_memory(reterr);
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

static bool not_tried(const json_t *doc)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(doc, "capabilities"), i, item)
	{
		if (streq(doc_string(item, "detail"), CGFS_NOT_TRIED))
			return true;
	}
	return false;
}

static int check(struct args *a, struct cgfs_err *reterr)
{
	return a->agent ? err_value(reterr, -EINVAL, "--agent", a->agent,
				    "doctor examines this machine and uses no agent")
			: 0;
}

static int doctor(struct args *a)
{
	struct cgfs_err err = { 0 };
	json_t *doc = NULL;
	int r = examine(a, &doc, &err);

	if (r == 0 && a->json)
		return out_json(doc, &err) < 0 ? EXIT_FAILED : EXIT_OK;
	if (r == 0) {
		r = print(doc);
		if (not_tried(doc))
			printf("\npodctl doctor --probe tries the rest with a scratch cgroup.\n");
	} else {
		out_error(&err);
	}
	json_decref(doc);
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

static const struct opt options[] = {
	{ "probe", 0, NULL, opt_flag, offsetof(struct args, probe),
	  "also try what writes: make and remove a scratch cgroup, write\n"
	  "and read back limits, load eBPF programs" },
	{ 0 },
};

static const struct opt *const tables[] = { options, NULL };

const struct verb verb_doctor = {
	.name = "doctor",
	.operands = "",
	.summary = "Show what this host can do, and what to change",
	.text = "Reads what this host provides and changes nothing; --probe also tries what needs\n"
		"writing.  STATE is ok; or missing, with the remedy on the next line; or -- if "
		"the\n"
		"capability was not tried, or no change on this kernel would help.",
	.tables = tables,
	.max = 0,
	.check = check,
	.run = doctor,
};
