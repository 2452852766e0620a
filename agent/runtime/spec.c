/* SPDX-License-Identifier: MIT */
/*
 * spec.c - reads and rewrites an OCI runtime specification.  Pure: touches no file and no cgroup.
 *
 * Every member that is looked at is checked first: the text comes from a peer, and the
 * reference dies of a specification without `linux`.
 */
#include "agent/runtime/spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/json.h"
#include "agent/runtime/spec_apply.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/json.h"
#include "cgfs/base/util.h"

#define TYPE_ANNOTATION "io.kubernetes.cri.container-type"
#define POD_ANNOTATION	"io.kubernetes.cri.sandbox-id"
#define VPOD_ANNOTATION "io.microsoft.cri.virtual-pod-id"

uint32_t spec_refuse(uint32_t hr, char why[SPEC_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SPEC_WHY_MAX, fmt, ap);
	va_end(ap);
	return hr;
}

struct spec spec_read(json_t *json)
{
	struct spec s = {
		.json = json,
		.root = json_member(json, "root"),
		.hostname = json_member(json, "hostname"),
		.process = json_member(json, "process"),
		.mounts = json_member(json, "mounts"),
		.annotations = json_member(json, "annotations"),
		.windows = json_member(json, "windows"),
		.lin = json_member(json, "linux"),
	};

	s.namespaces = json_member(s.lin, "namespaces");
	s.devices = json_member(s.lin, "devices");
	s.resources = json_member(s.lin, "resources");
	s.rules = json_member(s.resources, "devices");
	return s;
}

/* --- place ---------------------------------------------------------------------------------- */

/* Keys of annotations are data: their case counts. */
const char *spec_annotation(const struct spec *s, const char *key)
{
	return json_string_value(json_object_get(s->annotations, key));
}

uint32_t spec_place(const struct spec *s, const char *id, struct spec_place *ret,
		    char why[SPEC_WHY_MAX])
{
	const char *type = spec_annotation(s, TYPE_ANNOTATION);
	const char *pod = spec_annotation(s, POD_ANNOTATION);
	const char *vpod = spec_annotation(s, VPOD_ANNOTATION);
	bool has_rules = json_array_size(s->rules) > 0;

	if (vpod && !*vpod)
		vpod = NULL;
	if (vpod && streq(vpod, id)) {
		*ret = (struct spec_place){ SPEC_SANDBOX, vpod, true, has_rules };
	} else if (!type) {
		*ret = (struct spec_place){ SPEC_STANDALONE, "", false, has_rules };
	} else if (streq(type, "container")) {
		*ret = (struct spec_place){ SPEC_WORKLOAD,
					    vpod  ? vpod
					    : pod ? pod
						  : "",
					    vpod != NULL, has_rules };
		if (!*ret->pod)
			return spec_refuse(HR_FAIL, why, "unsupported '%s': ''", POD_ANNOTATION);
	} else if (streq(type, "sandbox") && !vpod) {
		*ret = (struct spec_place){ SPEC_SANDBOX, id, false, has_rules };
	} else if (streq(type, "sandbox")) {
		return spec_refuse(HR_FAIL, why, "a sandbox whose '%s' is '%.64s', not its own id",
				   VPOD_ANNOTATION, vpod);
	} else {
		return spec_refuse(HR_FAIL, why, "unsupported '%s': '%.128s'", TYPE_ANNOTATION,
				   type);
	}
	return HR_OK;
}

/* --- checks --------------------------------------------------------------------------------- */

static bool all_strings(const json_t *array)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)array, i, v)
	{
		if (!json_is_string(v))
			return false;
	}
	return true;
}

uint32_t spec_check_process(const json_t *process, enum spec_far_end far_end,
			    char why[SPEC_WHY_MAX])
{
	json_t *args = json_member(process, "args");
	json_t *env = json_member(process, "env");
	json_t *cwd = json_member(process, "cwd");
	json_t *user = json_member(process, "user");
	json_t *username, *terminal;

	if (!json_is_object(process))
		return spec_refuse(HR_INVALID_ARG, why, "process is missing or not an object");
	if (!json_is_array(args) || json_array_size(args) == 0 || !all_strings(args))
		return spec_refuse(HR_INVALID_ARG, why,
				   "process.args is not a list of at least one string");
	if (env && (!json_is_array(env) || !all_strings(env)))
		return spec_refuse(HR_INVALID_ARG, why, "process.env is not a list of strings");
	if (!json_is_string(cwd) || json_string_value(cwd)[0] != '/')
		return spec_refuse(HR_INVALID_ARG, why, "process.cwd is not an absolute path");
	if (user && !json_is_object(user))
		return spec_refuse(HR_INVALID_ARG, why, "process.user is not an object");
	username = json_member(user, "username");
	if (username && !json_is_string(username))
		return spec_refuse(HR_INVALID_ARG, why, "process.user.username is not a string");
	if (json_is_true(json_member(process, "terminal")) && far_end == SPEC_NO_FAR_END)
		return spec_refuse(HR_FAIL, why,
				   "process.terminal: needs a ConsoleSocket, or sockets in "
				   "StdioFds");
	if (far_end == SPEC_CONSOLE && !json_is_true(json_member(process, "terminal")))
		return spec_refuse(HR_INVALID_ARG, why,
				   "process.terminal is not true, and there is a ConsoleSocket");
	terminal = json_member(process, "terminal");
	if (terminal && !json_is_boolean(terminal))
		return spec_refuse(HR_INVALID_ARG, why, "process.terminal is not a boolean");
	return HR_OK;
}

bool spec_has_terminal(const json_t *process)
{
	return json_is_true(json_member(process, "terminal"));
}

static uint32_t check_mounts(const json_t *mounts, char why[SPEC_WHY_MAX])
{
	json_t *m;
	size_t i;

	if (mounts && !json_is_array(mounts))
		return spec_refuse(HR_INVALID_ARG, why, "mounts is not a list");
	json_array_foreach((json_t *)mounts, i, m)
	{
		json_t *source = json_member(m, "source");
		json_t *options = json_member(m, "options");

		if (!json_is_object(m) || !json_is_string(json_member(m, "destination")))
			return spec_refuse(HR_INVALID_ARG, why, "mounts[%zu] has no destination",
					   i);
		if ((source && !json_is_string(source)) ||
		    (options && (!json_is_array(options) || !all_strings(options))))
			return spec_refuse(HR_INVALID_ARG, why,
					   "mounts[%zu]: source or options of a wrong type", i);
	}
	return HR_OK;
}

/* What is none of these, a runtime may pass over. */
static uint32_t check_propagation(const struct spec *s, char why[SPEC_WHY_MAX])
{
	static const char *const kinds[] = { "",	"private",    "rprivate",
					     "slave",	"rslave",     "shared",
					     "rshared", "unbindable", "runbindable" };
	const char *name = json_string_value(json_member(s->lin, "rootfsPropagation"));

	for (size_t i = 0; name && i < ARRAY_SIZE(kinds); i++)
		name = streq(name, kinds[i]) ? NULL : name;
	return name ? spec_refuse(HR_FAIL, why,
				  "linux.rootfsPropagation=\"%.40s\" is not supported", name)
		    : HR_OK;
}

static uint32_t check_linux(const struct spec *s, char why[SPEC_WHY_MAX])
{
	json_t *v;
	size_t i;

	if (!json_is_object(s->lin))
		return spec_refuse(HR_INVALID_ARG, why, "linux is missing or not an object");
	if (s->resources && !json_is_object(s->resources))
		return spec_refuse(HR_INVALID_ARG, why, "linux.resources is not an object");
	if (s->namespaces && !json_is_array(s->namespaces))
		return spec_refuse(HR_INVALID_ARG, why, "linux.namespaces is not a list");
	json_array_foreach(s->namespaces, i, v)
	{
		if (!json_is_object(v) || !json_is_string(json_member(v, "type")))
			return spec_refuse(HR_INVALID_ARG, why, "linux.namespaces[%zu] has no type",
					   i);
		if (spec_namespace(s, json_string_value(json_member(v, "type"))) != v)
			return spec_refuse(HR_FAIL, why,
					   "linux.namespaces[%zu]: there are two of its type", i);
	}
	return check_propagation(s, why);
}

uint32_t spec_check(const struct spec *s, enum spec_far_end far_end, char why[SPEC_WHY_MAX])
{
	json_t *path = json_member(s->root, "path");
	const char *key;
	json_t *v;
	uint32_t hr;

	if (!json_is_object(s->root) || !json_is_string(path) || json_string_length(path) == 0)
		return spec_refuse(HR_INVALID_ARG, why, "root.path is missing");
	if (s->annotations && !json_is_object(s->annotations))
		return spec_refuse(HR_INVALID_ARG, why, "annotations is not an object");
	json_object_foreach(s->annotations, key, v)
	{
		if (!json_is_string(v))
			return spec_refuse(HR_INVALID_ARG, why,
					   "annotation \"%.100s\" is not a string", key);
	}
	hr = check_linux(s, why);
	if (hr == HR_OK)
		hr = spec_check_process(s->process, far_end, why);
	if (hr == HR_OK)
		hr = check_mounts(s->mounts, why);
	return hr;
}

bool spec_path_ok(const char *path, size_t least)
{
	size_t parts = 0;

	if (path[0] != '/' || strlen(path) > 3000)
		return false;
	while (*path == '/') {
		size_t len = strcspn(++path, "/");

		if (len == 0 || len > 255 || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += len;
		parts++;
	}
	return parts >= least;
}

/* --- what is ours, and what is the runtime's ------------------------------------------------ */

json_t *spec_namespace(const struct spec *s, const char *type)
{
	return json_find(s->namespaces, "type", type);
}

bool spec_own_pidns(const struct spec *s)
{
	const json_t *ns = spec_namespace(s, "pid");
	const char *path = json_string_value(json_member(ns, "path"));

	return ns && (!path || !*path);
}

bool spec_has_end(const struct spec *s)
{
	return json_member(json_member(s->json, "hooks"), "poststop") ||
	       json_member(s->lin, "intelRdt");
}

void spec_drop(json_t *object, const char *name)
{
	const char *key;
	json_t *v;
	void *tmp;

	json_object_foreach_safe(object, tmp, key, v)
	{
		if (strcasecmp(key, name) == 0)
			json_object_del(object, key);
	}
}

static int absolute(json_t *object, const char *name, const char *bundle)
{
	const char *path = json_string_value(json_member(object, name));
	auto_free char *full = NULL;

	if (!path || path[0] == '/')
		return 0;
	if (asprintf(&full, "%s/%s", bundle, path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	spec_drop(object, name);
	return json_object_set_new(object, name, json_string(full)) < 0 ? -ENOMEM : 0;
}

static bool is_bind(const json_t *mount)
{
	const char *type = json_string_value(json_member(mount, "type"));
	json_t *v;
	size_t i;

	if (type && streq(type, "bind"))
		return true;
	json_array_foreach(json_member(mount, "options"), i, v)
	{
		const char *s = json_string_value(v);

		if (s && (streq(s, "bind") || streq(s, "rbind")))
			return true;
	}
	return false;
}

char *spec_text(struct spec *s, const char *bundle)
{
	json_t *m;
	size_t i;
	int r = 0;

	spec_drop(s->json, "windows");
	spec_drop(s->lin, "resources");
	spec_drop(s->lin, "cgroupsPath");
	/* The reference's runtime does not ask for it; crun does. */
	if (!json_member(s->json, "ociVersion"))
		r = json_object_set_new(s->json, "ociVersion", json_string("1.0.2"));
	s->windows = s->resources = s->rules = NULL;
	if (r == 0)
		r = absolute(s->root, "path", bundle);
	json_array_foreach(s->mounts, i, m)
	{
		if (r == 0 && is_bind(m))
			r = absolute(m, "source", bundle);
	}
	return r < 0 ? NULL : cgfs_json_dump(s->json, JSON_COMPACT);
}

json_t *spec_rlimits(const struct spec *s)
{
	return json_deep_copy(json_member(s->process, "rlimits"));
}

char *spec_process_text(json_t *process, const json_t *rlimits)
{
	spec_drop(process, "rlimits");
	if (rlimits && json_object_set_new(process, "rlimits", json_deep_copy(rlimits)) < 0)
		return NULL;
	return cgfs_json_dump(process, JSON_COMPACT);
}
