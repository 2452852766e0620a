/* SPDX-License-Identifier: MIT */
/*
 * bundle.c - the specification of an OCI bundle, with what options say instead.
 */
#include <stdio.h>

#include "agent/podctl/source/spec.h"
#include "cgfs/base/json.h"

static int load(const char *bundle, json_t **ret, struct cgfs_err *reterr)
{
	auto_free char *path = NULL, *text = NULL;
	json_error_t why;
	size_t len;
	int r;

	if (asprintf(&path, "%s/config.json", bundle) < 0) {
		path = NULL;
		return no_memory(reterr);
	}
	r = input_read(path, &text, &len, reterr);
	if (r < 0)
		return r;
	*ret = cgfs_json_load(text, len, 0, &why);
	if (json_is_object(json_object_get(*ret, "process")))
		return 0;
	r = cgfs_err_set(reterr, -EINVAL, "read", path, NULL, "%s",
			 *ret ? "has no process, and is not an OCI configuration" : why.text);
	json_decref(*ret);
	return r;
}

/* A path in a bundle is relative to it. */
static int absolute(json_t *object, const char *key, const char *bundle, struct cgfs_err *reterr)
{
	const char *path = json_string_value(json_object_get(object, key));
	auto_free char *joined = NULL, *full = NULL;

	if (!path)
		return 0;
	if (asprintf(&joined, "%s/%s", *path == '/' ? "" : bundle, path) < 0) {
		joined = NULL;
		return no_memory(reterr);
	}
	full = realpath(joined, NULL);
	if (!full)
		return cgfs_err_set(reterr, -errno, key, joined, NULL, NULL);
	return json_object_set_new(object, key, json_string(full)) < 0 ? no_memory(reterr) : 0;
}

static bool is_bind(const json_t *mount)
{
	json_t *option;
	size_t i;

	json_array_foreach(json_object_get(mount, "options"), i, option)
	{
		const char *s = json_string_value(option);

		if (s && (streq(s, "bind") || streq(s, "rbind")))
			return true;
	}
	return streq(doc_string(mount, "type"), "bind");
}

/* Options and words replace what the bundle says of its process. */
static int replace_process(const struct args *a, json_t *p, char *const *argv)
{
	json_t *own = oci_process(a, argv), *env = json_object_get(p, "env");
	int r = own ? 0 : -ENOMEM;

	if (r == 0 && argv && argv[0])
		r = json_object_set(p, "args", json_object_get(own, "args"));
	if (r == 0 && a->process.workdir)
		r = json_object_set(p, "cwd", json_object_get(own, "cwd"));
	if (r == 0 && a->process.user)
		r = json_object_set(p, "user", json_object_get(own, "user"));
	if (r == 0 && a->process.n_env && !env) {
		env = json_array();
		r = json_object_set_new(p, "env", env);
	}
	for (size_t i = 0; r == 0 && i < a->process.n_env; i++)
		r = json_array_append_new(env, json_string(a->process.env[i]));
	if (r == 0)
		r = json_object_set_new(p, "terminal", json_boolean(a->tty));
	json_decref(own);
	return r;
}

/* Limits that are given count, the others stay. */
static int replace_limits(const struct args *a, json_t *o, json_t *resources)
{
	json_t *lin = json_object_get(o, "linux"), *old, *v;
	const char *key;
	int r = 0;

	if (!json_is_object(lin)) {
		lin = json_object();
		r = json_object_set_new(o, "linux", lin);
	}
	if (r == 0)
		json_object_del(lin, "cgroupsPath");
	old = json_object_get(lin, "resources");
	if (r == 0 && !json_is_object(old)) {
		old = json_object();
		r = json_object_set_new(lin, "resources", old);
	}
	json_object_foreach(resources, key, v)
	{
		if (streq(key, "devices") && !limits_has_devices(&a->limits))
			continue;
		if (r == 0 && json_is_object(v) && json_is_object(json_object_get(old, key)))
			r = json_object_update(json_object_get(old, key), v);
		else if (r == 0)
			r = json_object_set(old, key, v);
	}
	return r;
}

static int replace_rest(const struct args *a, json_t *o, const char *pod, const char *ctr,
			json_t *resources)
{
	json_t *annotations = json_object_get(o, "annotations"), *list;
	int r = replace_limits(a, o, resources);

	if (!json_is_object(annotations)) {
		annotations = json_object();
		r = r < 0 ? r : json_object_set_new(o, "annotations", annotations);
	}
	if (r == 0)
		r = json_object_update_new(
			annotations,
			json_pack("{s:s, s:s, s:s}", "io.kubernetes.cri.container-type",
				  ctr ? "container" : "sandbox", "io.kubernetes.cri.sandbox-id",
				  pod, "io.microsoft.cri.skip-pod-networking", "true"));
	/* That of the pod, which its sandbox has. */
	json_object_del(o, "hostname");
	list = json_object_get(o, "mounts");
	if (r == 0 && !json_is_array(list)) {
		list = json_array();
		r = json_object_set_new(o, "mounts", list);
	}
	return r < 0 ? r : oci_add_mounts(list, &a->mounts);
}

int oci_bundle(const struct args *a, const char *pod, const char *ctr, char *const *argv,
	       json_t *resources, json_t **ret, struct cgfs_err *reterr)
{
	json_t *o, *m;
	size_t i;
	int r = load(a->oci_bundle, &o, reterr);

	if (r < 0)
		return r;
	r = absolute(json_object_get(o, "root"), "path", a->oci_bundle, reterr);
	json_array_foreach(json_object_get(o, "mounts"), i, m)
	{
		if (r == 0 && is_bind(m))
			r = absolute(m, "source", a->oci_bundle, reterr);
	}
	if (r == 0 && (replace_process(a, json_object_get(o, "process"), argv) < 0 ||
		       replace_rest(a, o, pod, ctr, resources) < 0))
		r = no_memory(reterr);
	if (r < 0)
		json_decref(o);
	else
		*ret = o;
	return r;
}
