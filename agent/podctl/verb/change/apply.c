/* SPDX-License-Identifier: MIT */
/*
 * apply.c - the verb `apply`: one cgroup with OCI's linux.resources, straight on libcgfs, and what
 * became of each of its fields.  Names no control file: the library reports what it prints.
 */
#include "agent/podctl/source/direct.h"
#include "agent/podctl/source/written.h"
#include "agent/podctl/verb/verb.h"
#include "cgfs/base/json.h"

#include <fcntl.h>
#include <stdio.h>

#define DEFAULT_TIMEOUT_MS 10000

static const struct opt options[] = {
	{ "no-bpf", 0, NULL, opt_flag, offsetof(struct args, no_bpf),
	  "load no eBPF device policy: v1's devices controller enforces the\n"
	  "rules; on cgroup2 no rule is enforced" },
	{ "remove", 0, NULL, opt_flag, offsetof(struct args, remove),
	  "remove CGROUP instead: kill its processes, then delete it, its\n"
	  "device policy, and the parent directories that are then empty" },
	{ "timeout", 't', "SECONDS", opt_seconds, offsetof(struct args, timeout_ms),
	  "let --remove wait this long for processes to exit (default: 10)" },
	{ 0 },
};

static const struct opt *const tables[] = { options, NULL };

/* -- input ----------------------------------------------------------------------------------------
 */

/* "/a/b/c", "a/b/c" and "/a//b/c/" -> "/a/b" and "c"; "/c" -> "" and "c".  The library checks
 * both; they share @ret_root's memory. */
static int split_path(const char *path, char **ret_root, const char **ret_id,
		      struct cgfs_err *reterr)
{
	auto_free char *whole = malloc(strlen(path) + 2);
	char *end = whole, *slash;
	int r;

	if (!whole)
		return no_memory(reterr);
	*end++ = '/';
	for (; *path; path++) {
		if (*path != '/' || end[-1] != '/')
			*end++ = *path;
	}
	end -= end[-1] == '/';
	*end = '\0';
	if (end == whole)
		return cgfs_err_set(
			reterr, -EINVAL, "cgroup", NULL, "/",
			"the root of a hierarchy holds the whole machine; name a cgroup below it");
	slash = strrchr(whole, '/');
	*slash = '\0';
	r = cgfs_id_check(slash + 1, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "cgroup \"%.200s/%.100s\"", whole, slash + 1);
	*ret_root = take_ptr(whole);
	*ret_id = slash + 1;
	return 0;
}

/* -- output ---------------------------------------------------------------------------------------
 */

static json_t *device_rules(const struct cgfs_resources *res)
{
	json_t *list = json_array();

	for (size_t i = 0; i < res->n_devices; i++) {
		char text[64];

		cgfs_device_format(&res->devices[i], text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *hierarchies(struct cgfs *c, const char *path)
{
	const struct cgfs_mounts *m = cgfs_mounts(c);
	json_t *list = json_array();

	for (size_t i = 0; i < m->n; i++) {
		const struct cgfs_mount *mount = &m->mount[i];
		json_t *names = json_array();

		for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
			if (mount->controllers & (1u << ctl))
				json_array_append_new(names,
						      json_string(cgfs_controller_name(ctl)));
		}
		if (mount->version == CGFS_V1 && !mount->controllers) {
			json_decref(names);
			continue;
		}
		json_array_append_new(list,
				      json_pack("{s:o, s:i, s:o}", "path",
						json_sprintf("%s%s", mount->path, path), "version",
						(int)mount->version, "controllers", names));
	}
	return list;
}

/* "a, b" -> ["a", "b"] */
static json_t *ignored(const struct cgfs_resources *res)
{
	const char *text = cgfs_resources_ignored(res);
	json_t *list = json_array();

	while (*text) {
		const char *end = strstr(text, ", ");
		size_t n = end ? (size_t)(end - text) : strlen(text);

		json_array_append_new(list, json_stringn(text, n));
		text += n + (end ? 2 : 0);
	}
	return list;
}

static int describe(struct direct *d, struct cgfs_group *g, const struct cgfs_resources *res,
		    struct written *asked, json_t **ret, struct cgfs_err *reterr)
{
	bool policy = d->bpf && cgfs_group_cgroup_id(g);
	json_t *applied, *device_files, *rules, *doc;

	if (written_documents(asked, &applied, &device_files) < 0)
		return no_memory(reterr);
	/* Those that nothing keeps are not shown. */
	rules = policy || json_array_size(device_files) ? device_rules(res) : json_array();
	doc = json_pack("{s:s, s:I, s:s, s:o, s:o, s:{s:o, s:o, s:b}, s:o}", "cgroup",
			cgfs_group_path(g), "cgroup_id", (json_int_t)cgfs_group_cgroup_id(g),
			"layout", cgfs_layout_name(cgfs_layout(d->c)), "hierarchies",
			hierarchies(d->c, cgfs_group_path(g)), "applied", applied, "devices",
			"rules", rules, "files", device_files, "ebpf", (int)policy, "ignored",
			ignored(res));
	if (!doc)
		return no_memory(reterr);
	*ret = doc;
	return 0;
}

/* -- the verb
 * -------------------------------------------------------------------------------------- */

/* Without a policy there may be nothing to keep device rules (no v1 controller, or no privilege for
 * it): those that the caller wrote down are then refused by the library.  The default ones are what
 * the library would take anyway, but does not insist on. */
static void without_policy(const json_t *json, struct cgfs_resources *res)
{
	if (!json_array_size(json_object_get(json, "devices")))
		res->set &= ~CGFS_SET_DEVICES;
}

static int make(struct args *a, const char *root, const char *id, const json_t *json,
		struct cgfs_resources *res, json_t **ret, struct cgfs_err *reterr)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct written *asked = written_new(json);
	struct cgfs_group *g = NULL;
	struct direct d;
	int r;

	if (!asked)
		return no_memory(reterr);
	opts.root = *root ? root : NULL;
	opts.top = !*root;
	opts.written = written_add;
	opts.written_user = asked;
	r = direct_open(
		a, SOURCE_WRITE | (a->no_bpf ? DIRECT_NO_POLICY : SOURCE_POLICY | DIRECT_NO_KILLS),
		&opts, &d, reterr);
	if (r == 0) {
		if (!d.bpf)
			without_policy(json, res);
		r = cgfs_container_create(d.c, NULL, id, res, &g, reterr);
		if (r < 0 && written_refused(asked))
			cgfs_err_context(reterr, r, "%s", written_refused(asked));
		if (r == 0)
			r = describe(&d, g, res, asked, ret, reterr);
		if (r < 0 && g)
			ignore(cgfs_group_remove(g, CGFS_REMOVE_OPTS_WAIT(DEFAULT_TIMEOUT_MS),
						 NULL));
		cgfs_group_close(g);
		/* What could not be made leaves no pins of its own, either. */
		if (r < 0)
			ignore(direct_tidy_pins(&d, NULL));
		direct_close(&d);
	}
	written_free(asked);
	return r;
}

/* The object that is meant: all of the text, or linux.resources of a whole config.json. */
static json_t *meant(json_t *whole)
{
	json_t *spec = json_object_get(whole, "linux");

	return spec || json_object_get(whole, "ociVersion") ? json_object_get(spec, "resources")
							    : whole;
}

/* What the library knows no member of it ignores, as the specification wants, and applies nothing:
 * that is another file than the one that was meant. */
static int refuse_unknown(const json_t *json, const struct cgfs_resources *res,
			  struct cgfs_err *reterr)
{
	json_t *unknown = ignored(res), *name;
	size_t i, n = 0;

	json_array_foreach(unknown, i, name) n += !strpbrk(json_string_value(name), ".[");
	json_decref(unknown);
	return n && n == json_object_size(json)
		       ? cgfs_err_set(reterr, -EINVAL, NULL, NULL, cgfs_resources_ignored(res),
				      "no member is known: a linux.resources object is required")
		       : 0;
}

/* @whole: the parsed text; NULL: it cannot be, which the library explains. */
static int read_resources(const char *text, size_t len, json_t *whole, struct cgfs_resources **ret,
			  struct cgfs_err *reterr)
{
	struct cgfs_oci_opts opts = CGFS_OCI_OPTS_INIT;
	json_t *part = meant(whole);
	int r;

	if (whole && !part) {
		r = cgfs_err_set(reterr, -EINVAL, "linux.resources", NULL, NULL,
				 "this OCI specification has none");
	} else if (part == whole) {
		r = cgfs_resources_from_oci(text, len, NULL, ret, reterr);
	} else {
		opts.parsed = part;
		r = cgfs_resources_from_oci(NULL, 0, &opts, ret, reterr);
	}
	if (r == 0) {
		r = refuse_unknown(part, *ret, reterr);
		if (r < 0) {
			cgfs_resources_free(*ret);
			*ret = NULL;
		}
	}
	return r;
}

static int apply(struct args *a, const char *root, const char *id, json_t **ret,
		 struct cgfs_err *reterr)
{
	struct cgfs_resources *res = NULL;
	auto_free char *text = NULL;
	json_t *whole;
	size_t len = 0;
	int r;

	r = input_read(a->argv[0], &text, &len, reterr);
	if (r < 0)
		return r;
	whole = cgfs_json_load(text, len, JSON_REJECT_DUPLICATES, NULL);
	r = read_resources(text, len, whole, &res, reterr);
	if (r < 0)
		cgfs_err_context(reterr, r, "apply %.200s", a->argv[0]);
	else
		r = make(a, root, id, meant(whole), res, ret, reterr);
	json_decref(whole);
	cgfs_resources_free(res);
	return r;
}

static int take_away(struct args *a, const char *root, const char *id, json_t **ret,
		     struct cgfs_err *reterr)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	unsigned int ms = a->timeout_ms < DEFAULT_TIMEOUT_MS * 1000 ? (unsigned int)a->timeout_ms
								    : DEFAULT_TIMEOUT_MS;
	struct cgfs_group *g = NULL;
	struct direct d;
	int r;

	opts.root = *root ? root : NULL;
	opts.top = !*root;
	r = direct_open(a, SOURCE_WRITE | (a->no_bpf ? DIRECT_NO_POLICY : 0), &opts, &d, reterr);
	if (r < 0)
		return r;
	r = cgfs_container_open(d.c, NULL, id, &g, reterr);
	if (r == 0)
		r = cgfs_group_remove(g, CGFS_REMOVE_OPTS_WAIT(ms), reterr);
	cgfs_group_close(g);
	if (r == 0)
		r = direct_tidy(&d, reterr);
	else if (r == -ENOENT)
		/* Another process removed it first; its pins may be the last. */
		ignore(direct_forget_gone(&d, NULL));
	direct_close(&d);
	if (r == 0) {
		*ret = json_pack("{s:[o]}", "removed", json_sprintf("%s/%s", root, id));
		r = *ret ? 0 : no_memory(reterr);
	}
	return r;
}

static int check(struct args *a, struct cgfs_err *reterr)
{
	auto_free char *root = NULL;
	const char *id;

	if (a->agent || a->root)
		return cgfs_err_set(reterr, -EINVAL, a->agent ? "--agent" : "--root", NULL,
				    a->agent ? a->agent : a->root,
				    "cannot be combined with apply: CGROUP is a whole path, and no "
				    "agent is used");
	if (a->argc != (a->remove ? 1 : 2))
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL,
				    a->remove ? "--remove takes one CGROUP and no RESOURCES.json"
					      : "CGROUP is missing");
	return split_path(a->argv[a->argc - 1], &root, &id, reterr);
}

static int apply_verb(struct args *a)
{
	auto_free char *root = NULL;
	struct cgfs_err err = { 0 };
	json_t *doc = NULL;
	const char *id;
	int r;

	r = split_path(a->argv[a->argc - 1], &root, &id, &err);
	if (r == 0)
		r = a->remove ? take_away(a, root, id, &doc, &err) : apply(a, root, id, &doc, &err);
	if (r < 0) {
		out_error(&err);
		return EXIT_FAILED;
	}
	r = out_json(doc, &err);
	/* What could not be printed is not kept; main() says why. */
	if (!a->remove && (r < 0 || fflush(stdout) || ferror(stdout))) {
		doc = NULL;
		ignore(take_away(a, root, id, &doc, NULL));
		json_decref(doc);
	}
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_apply = {
	.name = "apply",
	.operands = "RESOURCES.json CGROUP",
	.summary = "Create one cgroup from OCI's linux.resources",
	.text = "Reads one `linux.resources` object, or a config.json that has one (- is standard\n"
		"input), creates CGROUP, a path such as /pods/web, in every hierarchy, applies\n"
		"the object, and prints as JSON each requested value, the file it was written to,\n"
		"and what that file reads afterwards.  CGROUP is a leaf, so processes can be "
		"moved\n"
		"into it.  If any part cannot be applied, CGROUP is removed again.  The device\n"
		"policy stays in force after podctl has exited; --remove removes both.",
	.tables = tables,
	.min = 1,
	.max = 2,
	.check = check,
	.run = apply_verb,
};
