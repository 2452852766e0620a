/* SPDX-License-Identifier: MIT */
/*
 * oci.c - reads and rewrites an OCI runtime specification.  Pure: touches no file and no cgroup.
 *
 * Every member that is looked at is checked first: the text comes from somebody else, and the
 * reference dies of a specification without `linux`.
 */
#include "oci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../cgfs/internal.h"
#include "common/protocol.h"
#include "json.h"

#define TYPE_ANNOTATION "io.kubernetes.cri.container-type"
#define POD_ANNOTATION	"io.kubernetes.cri.sandbox-id"
#define VPOD_ANNOTATION "io.microsoft.cri.virtual-pod-id"

static uint32_t __attribute__((format(printf, 3, 4)))
refuse(uint32_t hr, char why[OCI_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, OCI_WHY_MAX, fmt, ap);
	va_end(ap);
	return hr;
}

/* --- place ---------------------------------------------------------------------------------- */

/* Annotation keys are data: their case counts.  NULL: absent. */
static const char *annotation(const json_t *spec, const char *key)
{
	return json_string_value(json_object_get(json_member(spec, "annotations"), key));
}

uint32_t oci_place(const json_t *spec, const char *id, struct oci_place *ret, char why[OCI_WHY_MAX])
{
	const char *type = annotation(spec, TYPE_ANNOTATION);
	const char *pod = annotation(spec, POD_ANNOTATION);
	const char *vpod = annotation(spec, VPOD_ANNOTATION);

	if (vpod && !*vpod)
		vpod = NULL;
	if (vpod && streq(vpod, id)) {
		*ret = (struct oci_place){ OCI_SANDBOX, vpod };
	} else if (!type) {
		*ret = (struct oci_place){ OCI_STANDALONE, "" };
	} else if (streq(type, "container")) {
		*ret = (struct oci_place){ OCI_WORKLOAD, vpod ? vpod : pod ? pod : "" };
		if (!*ret->pod)
			return refuse(HR_FAIL, why, "unsupported '%s': ''", POD_ANNOTATION);
	} else if (streq(type, "sandbox") && !vpod) {
		*ret = (struct oci_place){ OCI_SANDBOX, id };
	} else if (streq(type, "sandbox")) {
		return refuse(HR_FAIL, why, "a sandbox whose '%s' is '%.64s', not its own id",
			      VPOD_ANNOTATION, vpod);
	} else {
		return refuse(HR_FAIL, why, "unsupported '%s': '%.128s'", TYPE_ANNOTATION, type);
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

uint32_t oci_check_process(const json_t *process, char why[OCI_WHY_MAX])
{
	json_t *args = json_member(process, "args");
	json_t *env = json_member(process, "env");
	json_t *cwd = json_member(process, "cwd");
	json_t *user = json_member(process, "user");
	json_t *username;

	if (!json_is_object(process))
		return refuse(HR_INVALID_ARG, why, "process is missing or not an object");
	if (!json_is_array(args) || json_array_size(args) == 0 || !all_strings(args))
		return refuse(HR_INVALID_ARG, why,
			      "process.args is not a list of at least one string");
	if (env && (!json_is_array(env) || !all_strings(env)))
		return refuse(HR_INVALID_ARG, why, "process.env is not a list of strings");
	if (!json_is_string(cwd) || json_string_value(cwd)[0] != '/')
		return refuse(HR_INVALID_ARG, why, "process.cwd is not an absolute path");
	if (user && !json_is_object(user))
		return refuse(HR_INVALID_ARG, why, "process.user is not an object");
	username = json_member(user, "username");
	if (json_is_string(username) && json_string_length(username) > 0)
		return refuse(HR_FAIL, why,
			      "process.user.username \"%.64s\": names are not resolved, give uid "
			      "and gid",
			      json_string_value(username));
	if (json_is_true(json_member(process, "terminal")))
		return refuse(HR_FAIL, why, "process.terminal: terminals are not supported");
	return HR_OK;
}

static uint32_t check_mounts(const json_t *mounts, char why[OCI_WHY_MAX])
{
	static const char *const schemes[] = { "sandbox://", "sandbox-tmp://", "hugepages://",
					       "blockdev://", "uvm://" };
	json_t *m;
	size_t i;

	if (mounts && !json_is_array(mounts))
		return refuse(HR_INVALID_ARG, why, "mounts is not a list");
	json_array_foreach((json_t *)mounts, i, m)
	{
		json_t *source = json_member(m, "source");
		json_t *options = json_member(m, "options");
		const char *s;

		if (!json_is_object(m) || !json_is_string(json_member(m, "destination")))
			return refuse(HR_INVALID_ARG, why, "mounts[%zu] has no destination", i);
		if ((source && !json_is_string(source)) ||
		    (options && (!json_is_array(options) || !all_strings(options))))
			return refuse(HR_INVALID_ARG, why,
				      "mounts[%zu]: source or options of a wrong type", i);
		s = source ? json_string_value(source) : "";
		for (size_t k = 0; k < ARRAY_SIZE(schemes); k++) {
			if (strncmp(s, schemes[k], strlen(schemes[k])) == 0)
				return refuse(HR_FAIL, why,
					      "mounts[%zu]: source \"%.100s\" is not supported", i,
					      s);
		}
	}
	return HR_OK;
}

static uint32_t check_linux(const json_t *lin, char why[OCI_WHY_MAX])
{
	json_t *namespaces = json_member(lin, "namespaces");
	json_t *resources = json_member(lin, "resources");
	json_t *v;
	size_t i;

	if (!json_is_object(lin))
		return refuse(HR_INVALID_ARG, why, "linux is missing or not an object");
	if (resources && !json_is_object(resources))
		return refuse(HR_INVALID_ARG, why, "linux.resources is not an object");
	if (namespaces && !json_is_array(namespaces))
		return refuse(HR_INVALID_ARG, why, "linux.namespaces is not a list");
	json_array_foreach(namespaces, i, v)
	{
		if (!json_is_object(v) || !json_is_string(json_member(v, "type")))
			return refuse(HR_INVALID_ARG, why, "linux.namespaces[%zu] has no type", i);
	}
	return HR_OK;
}

uint32_t oci_check(const json_t *spec, char why[OCI_WHY_MAX])
{
	json_t *root = json_member(spec, "root");
	json_t *path = json_member(root, "path");
	json_t *annotations = json_member(spec, "annotations");
	const char *key;
	json_t *v;
	uint32_t hr;

	if (!json_is_object(root) || !json_is_string(path) || json_string_length(path) == 0)
		return refuse(HR_INVALID_ARG, why, "root.path is missing");
	if (annotations && !json_is_object(annotations))
		return refuse(HR_INVALID_ARG, why, "annotations is not an object");
	json_object_foreach(annotations, key, v)
	{
		if (!json_is_string(v))
			return refuse(HR_INVALID_ARG, why, "annotation \"%.100s\" is not a string",
				      key);
	}
	hr = check_linux(json_member(spec, "linux"), why);
	if (hr == HR_OK)
		hr = oci_check_process(json_member(spec, "process"), why);
	if (hr == HR_OK)
		hr = check_mounts(json_member(spec, "mounts"), why);
	return hr;
}

bool oci_bundle_ok(const char *path)
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
	return parts >= 2;
}

/* --- what is ours, and what is the runtime's ------------------------------------------------ */

char *oci_resources(const json_t *spec)
{
	json_t *resources = json_member(json_member(spec, "linux"), "resources");

	return resources ? json_dumps(resources, JSON_COMPACT) : NULL;
}

bool oci_own_pidns(const json_t *spec)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_member(json_member(spec, "linux"), "namespaces"), i, v)
	{
		const char *type = json_string_value(json_member(v, "type"));
		const char *path = json_string_value(json_member(v, "path"));

		if (type && streq(type, "pid") && (!path || !*path))
			return true;
	}
	return false;
}

static void drop(json_t *object, const char *name)
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
	drop(object, name);
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

int oci_rewrite(json_t *spec, const char *bundle)
{
	json_t *lin = json_member(spec, "linux");
	json_t *m;
	size_t i;
	int r;

	drop(spec, "windows");
	drop(lin, "resources");
	drop(lin, "cgroupsPath");
	r = absolute(json_member(spec, "root"), "path", bundle);
	json_array_foreach(json_member(spec, "mounts"), i, m)
	{
		if (r == 0 && is_bind(m))
			r = absolute(m, "source", bundle);
	}
	return r;
}
