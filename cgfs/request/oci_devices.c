/* SPDX-License-Identifier: MIT */
/*
 * oci_devices.c - the `devices` list of an OCI `linux.resources`.  Owns what an entry may leave
 * out; what a list of rules means is devices.c's.
 */
#include "cgfs/base/util.h"
#include "cgfs/request/device.h"
#include "cgfs/request/oci.h"

#include <stdio.h>

/* Absent and -1 stand for any number; every other negative one is a mistake. */
static int take_number(struct oci *o, const json_t *value, int32_t max, int32_t *ret)
{
	int64_t v = 0;
	int r = cgfs_oci_integer(o, value, &v);

	if (r < 0)
		return r;
	if (v < CGFS_DEVICE_ANY || v > max)
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be 0 to %d, or -1 for any", max);
	*ret = (int32_t)v;
	return 0;
}

static int take_type(struct oci *o, const json_t *value, enum cgfs_device_type *ret)
{
	const char *text = "";
	int r = cgfs_oci_string(o, value, &text);

	if (r < 0 || !*text)
		return r;
	if (strlen(text) != 1 || !strchr("abc", *text))
		return cgfs_oci_refuse(o, -EINVAL, value, "the type must be a, b or c");
	*ret = (enum cgfs_device_type) * text;
	return 0;
}

static int take_access(struct oci *o, const json_t *value, uint32_t *ret)
{
	const char *text = "";
	int r = cgfs_oci_string(o, value, &text);

	if (r < 0)
		return r;
	*ret = cgfs_device_access_parse(text, strlen(text));
	if (!*ret)
		return cgfs_oci_refuse(o, -EINVAL, value, "the access must be some of r, w and m");
	return 0;
}

static int take_member(struct oci *o, const char *name, const json_t *value,
		       struct cgfs_device_rule *rule)
{
	size_t length = cgfs_oci_enter(o, name);
	int r = 0;

	if (streq(name, "allow"))
		r = cgfs_oci_boolean(o, value, &rule->allow);
	else if (streq(name, "type"))
		r = take_type(o, value, &rule->type);
	else if (streq(name, "major"))
		r = take_number(o, value, CGFS_DEVICE_MAJOR_MAX, &rule->major);
	else if (streq(name, "minor"))
		r = take_number(o, value, CGFS_DEVICE_MINOR_MAX, &rule->minor);
	else if (streq(name, "access"))
		r = take_access(o, value, &rule->access);
	else
		cgfs_oci_ignore(o, NULL);
	cgfs_oci_leave(o, length);
	return r;
}

static int take_entry(struct oci *o, const json_t *entry, struct cgfs_device_rule *rule)
{
	const char *name;
	json_t *value;

	*rule = (struct cgfs_device_rule){ .type = CGFS_DEVICE_ALL,
					   .major = CGFS_DEVICE_ANY,
					   .minor = CGFS_DEVICE_ANY };
	if (!json_is_object(entry))
		return cgfs_oci_refuse(o, -EINVAL, entry, "it must be an object");
	json_object_foreach((json_t *)entry, name, value)
	{
		int r = json_is_null(value) ? 0 : take_member(o, name, value, rule);

		if (r < 0)
			return r;
	}
	if (!rule->access)
		return cgfs_oci_refuse(o, -EINVAL, NULL, "the access is missing");
	/* v1's kernel ignores numbers after "a" and grants everything. */
	if (rule->type == CGFS_DEVICE_ALL &&
	    (rule->major != CGFS_DEVICE_ANY || rule->minor != CGFS_DEVICE_ANY))
		return cgfs_oci_refuse(o, -EINVAL, NULL,
				       "numbers need a type of b or c; type a stands for all "
				       "devices");
	return 0;
}

int cgfs_oci_devices(struct oci *o, const struct field *f, const json_t *list)
{
	const struct cgfs_device_rule *defaults;
	size_t n_defaults, n = list ? json_array_size(list) : 0;
	struct cgfs_device_rule *rules;

	if (list && !json_is_array(list))
		return cgfs_oci_refuse(o, -EINVAL, list, "it must be an array");
	if (n == 0 && o->opts.update)
		return 0;
	defaults = cgfs_device_defaults(&n_defaults);
	if (n > CGFS_DEVICE_RULES_MAX - n_defaults)
		return cgfs_oci_refuse(o, -E2BIG, NULL, "%zu entries are more than %zu", n,
				       CGFS_DEVICE_RULES_MAX - n_defaults);
	rules = calloc(n + n_defaults, sizeof(*rules));
	if (!rules)
		return cgfs_oci_refuse(o, -ENOMEM, NULL, "out of memory");

	o->out->devices = rules;
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(o->path);
		int r;

		snprintf(o->path + length, sizeof(o->path) - length, "[%zu]", i);
		r = take_entry(o, json_array_get(list, i), &rules[i]);
		cgfs_oci_leave(o, length);
		if (r < 0)
			return r;
	}
	if (o->opts.exact_devices)
		n_defaults = 0;
	memcpy(rules + n, defaults, n_defaults * sizeof(*rules));
	o->out->res.devices = rules;
	o->out->res.n_devices = n + n_defaults;
	o->out->res.set |= CGFS_SET_DEVICES;
	return 0;
}
