/* SPDX-License-Identifier: MIT */
/*
 * apply.c - the verb `apply`: one cgroup with OCI's linux.resources, straight on libcgfs, and what
 * became of each of its fields.  Names no control file: what it prints it was told.
 */
#include "asked.h"
#include "podctl.h"

#include <fcntl.h>
#include <stdio.h>

#define INPUT_MAX	   ((1u << 20) + 1) /* one byte more than the library takes */
#define DEFAULT_TIMEOUT_MS 10000

static const struct opt options[] = {
	{ "no-bpf", 0, NULL, opt_flag, offsetof(struct args, no_bpf),
	  "no eBPF device policy: v1's devices controller alone, or, on\n"
	  "cgroup2, no device rules at all" },
	{ "remove", 0, NULL, opt_flag, offsetof(struct args, remove),
	  "remove CGROUP instead: kill what runs in it, then delete it, its\n"
	  "device policy, and the directories above it that are empty then" },
	{ "timeout", 't', "SECONDS", opt_seconds, offsetof(struct args, timeout_ms),
	  "how long --remove waits for processes to die (default: 10)" },
	{ 0 },
};

static const struct opt *const tables[] = { options, opt_global, NULL };

/* -- input ----------------------------------------------------------------------------------------
 */

static int read_input(const char *file, char **ret, size_t *ret_len, struct cgfs_err *reterr)
{
	auto_fd int opened = streq(file, "-") ? -EBADF : open(file, O_RDONLY | O_CLOEXEC);
	int fd = streq(file, "-") ? STDIN_FILENO : opened;
	auto_free char *text = NULL;
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return cgfs_err_set(reterr, -errno, "read", file, NULL, NULL);
	text = malloc(INPUT_MAX);
	if (!text)
		return doc_no_memory(reterr);
	while (n > 0 && len < INPUT_MAX) {
		n = read(fd, text + len, INPUT_MAX - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		return cgfs_err_set(reterr, -errno, "read", file, NULL, NULL);
	*ret = take_ptr(text);
	*ret_len = len;
	return 0;
}

/* "/a/b/c", "a/b/c" and "/a//b/c/" -> "/a/b" and "c"; "/c" -> "" and "c".  The library checks
 * both; they share @ret_root's memory. */
static int split_path(const char *path, char **ret_root, const char **ret_id,
		      struct cgfs_err *reterr)
{
	auto_free char *whole = malloc(strlen(path) + 2);
	char *end = whole, *slash;
	int r;

	if (!whole)
		return doc_no_memory(reterr);
	*end++ = '/';
	for (; *path; path++) {
		if (*path != '/' || end[-1] != '/')
			*end++ = *path;
	}
	end -= end[-1] == '/';
	*end = '\0';
	if (end == whole)
		return cgfs_err_set(reterr, -EINVAL, "cgroup", NULL, "/",
				    "the top of each hierarchy is the whole machine");
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
		    struct asked *asked, json_t **ret, struct cgfs_err *reterr)
{
	bool policy = d->bpf && cgfs_group_cgroup_id(g);
	json_t *applied, *device_files, *rules, *doc;

	if (asked_documents(asked, &applied, &device_files) < 0)
		return doc_no_memory(reterr);
	/* Those that nothing keeps are not shown. */
	rules = policy || json_array_size(device_files) ? device_rules(res) : json_array();
	doc = json_pack("{s:s, s:I, s:s, s:o, s:o, s:{s:o, s:o, s:b}, s:o}", "cgroup",
			cgfs_group_path(g), "cgroup_id", (json_int_t)cgfs_group_cgroup_id(g),
			"layout", cgfs_layout_name(cgfs_layout(d->c)), "hierarchies",
			hierarchies(d->c, cgfs_group_path(g)), "applied", applied, "devices",
			"rules", rules, "files", device_files, "ebpf", (int)policy, "ignored",
			ignored(res));
	if (!doc)
		return doc_no_memory(reterr);
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
	struct asked *asked = asked_new(json);
	struct cgfs_group *g = NULL;
	struct direct d;
	int r;

	if (!asked)
		return doc_no_memory(reterr);
	opts.root = *root ? root : NULL;
	opts.top = !*root;
	opts.written = asked_written;
	opts.written_user = asked;
	r = direct_open_opts(a, a->no_bpf ? DIRECT_FILES : DIRECT_APPLY, &opts, &d, reterr);
	if (r == 0) {
		if (!d.bpf)
			without_policy(json, res);
		r = cgfs_container_create(d.c, NULL, id, res, &g, reterr);
		if (r < 0 && asked_refused(asked))
			cgfs_err_context(reterr, r, "%s", asked_refused(asked));
		if (r == 0)
			r = describe(&d, g, res, asked, ret, reterr);
		if (r < 0 && g)
			(void)!cgfs_group_destroy(g, DEFAULT_TIMEOUT_MS, NULL);
		cgfs_group_close(g);
		/* What could not be made leaves no pins of its own, either. */
		if (r < 0)
			(void)!direct_tidy_pins(a, &d, NULL);
		direct_close(&d);
	}
	asked_free(asked);
	return r;
}

static int apply(struct args *a, const char *root, const char *id, json_t **ret,
		 struct cgfs_err *reterr)
{
	struct cgfs_resources *res = NULL;
	auto_free char *text = NULL;
	json_t *json;
	size_t len = 0;
	int r;

	r = read_input(a->argv[0], &text, &len, reterr);
	if (r < 0)
		return r;
	r = cgfs_resources_from_oci(text, len, &res, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "apply %.200s", a->argv[0]);
	/* The library takes integers that jansson has no type for. */
	json = json_loadb(text, len, 0, NULL);
	if (!json)
		json = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, NULL);
	r = json ? make(a, root, id, json, res, ret, reterr) : doc_no_memory(reterr);
	json_decref(json);
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
	r = direct_open_opts(a, a->no_bpf ? DIRECT_FILES : DIRECT_REMOVE, &opts, &d, reterr);
	if (r < 0)
		return r;
	r = cgfs_container_open(d.c, NULL, id, &g, reterr);
	if (r == 0)
		r = cgfs_group_destroy(g, ms, reterr);
	cgfs_group_close(g);
	if (r == 0)
		r = direct_tidy(a, &d, reterr);
	else if (r == -ENOENT)
		/* Somebody's rmdir was first; its pins may be the last. */
		(void)!direct_forget_gone(a, &d, NULL);
	direct_close(&d);
	if (r == 0) {
		*ret = json_pack("{s:[s]}", "removed", a->argv[0]);
		r = *ret ? 0 : doc_no_memory(reterr);
	}
	return r;
}

static int apply_verb(struct args *a)
{
	const char *path = a->argv[a->argc - 1], *id = "";
	auto_free char *root = NULL;
	struct cgfs_err err = { 0 };
	json_t *doc = NULL;
	int r = 0;

	if (a->agent || a->root)
		r = cgfs_err_set(
			&err, -EINVAL, a->agent ? "--agent" : "--root", NULL,
			a->agent ? a->agent : a->root,
			"does not go with apply: CGROUP is a whole path, and needs no agent");
	else if (a->argc != (a->remove ? 1 : 2))
		r = cgfs_err_set(&err, -EINVAL, NULL, NULL, NULL,
				 a->remove ? "--remove takes one CGROUP and no RESOURCES.json"
					   : "CGROUP is missing");
	if (r == 0)
		r = split_path(path, &root, &id, &err);
	if (r < 0) {
		out_usage(a, &err);
		return EXIT_USAGE;
	}

	r = a->remove ? take_away(a, root, id, &doc, &err) : apply(a, root, id, &doc, &err);
	if (r < 0) {
		out_error(a, &err);
		return EXIT_FAILED;
	}
	r = out_json(doc);
	json_decref(doc);
	/* What nobody could be told of is not kept; main() says why. */
	if (!a->remove && (r < 0 || fflush(stdout) || ferror(stdout))) {
		doc = NULL;
		(void)!take_away(a, root, id, &doc, NULL);
		json_decref(doc);
	}
	return r < 0 ? EXIT_FAILED : EXIT_OK;
}

const struct verb verb_apply = {
	.name = "apply",
	.operands = "RESOURCES.json CGROUP",
	.summary = "Make one cgroup with OCI's linux.resources",
	.text = "Reads one `linux.resources` object (- is standard input), makes CGROUP, a path "
		"such\n"
		"as /pods/web, in every hierarchy, applies it, and prints as JSON what was asked,\n"
		"what was written where, and what the file reads then.  It is a leaf, for "
		"processes\n"
		"to be moved into.  All of it is applied, or nothing is left.  The device policy\n"
		"stays in force when podctl has ended; --remove takes both away.",
	.tables = tables,
	.min = 1,
	.max = 2,
	.run = apply_verb,
};
