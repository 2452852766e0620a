/* SPDX-License-Identifier: MIT */
/*
 * spec_process.c - an OCI process that gets what it lacks from another one.  Pure.
 */
#include <errno.h>
#include <strings.h>

#include "agent/base/json.h"
#include "agent/runtime/spec.h"
#include "cgfs/base/util.h"

/* Of a terminal, which each process has of its own or not at all. */
static bool is_own(const char *name)
{
	return strcasecmp(name, "terminal") == 0 || strcasecmp(name, "consoleSize") == 0;
}

/* The last one of several variables of a name counts. */
static int join_env(json_t *process, const json_t *from)
{
	json_t *own = json_member(process, "env"), *all;

	if (own && !json_is_array(own))
		return 0; /* the check refuses it */
	all = json_deep_copy(from);
	if (!all || (json_is_array(all) && own && json_array_extend(all, own) < 0)) {
		json_decref(all);
		return -ENOMEM;
	}
	return json_object_set_new(process, "env", all) < 0 ? -ENOMEM : 0;
}

int spec_inherit(json_t *process, const json_t *from)
{
	const char *key;
	json_t *v;
	int r = 0;

	json_object_foreach((json_t *)from, key, v)
	{
		if (is_own(key))
			continue;
		if (strcasecmp(key, "env") == 0)
			r = join_env(process, v);
		else if (!json_member(process, key))
			r = json_object_set_new(process, key, json_deep_copy(v)) < 0 ? -ENOMEM : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
