/* SPDX-License-Identifier: MIT */
/*
 * label.c - labels on the command line: NAME=VALUE to give, NAME or NAME=VALUE to look for.
 */
#include "agent/wire/label.h"
#include "agent/podctl/args/args.h"

#include <stdio.h>

/* *@ret_value: behind the "="; NULL: there is none. */
static int split(const char *what, const char *text, char **ret_name, const char **ret_value,
		 struct cgfs_err *reterr)
{
	const char *equals = strchr(text, '=');
	auto_free char *name = equals ? strndup(text, (size_t)(equals - text)) : strdup(text);
	struct cgfs_err why = { 0 };
	int r;

	if (!name)
		return no_memory(reterr);
	r = label_check(name, equals ? equals + 1 : "", &why);
	if (r < 0)
		return cgfs_err_set(reterr, r, what, NULL, NULL, "%s", why.text);
	*ret_name = take_ptr(name);
	*ret_value = equals ? equals + 1 : NULL;
	return 0;
}

static int add(const char *what, const char *text, void *to, struct cgfs_err *reterr)
{
	auto_free char *name = NULL;
	struct cgfs_err why = { 0 };
	struct labels *l = to;
	const char *value;
	int r = split(what, text, &name, &value, reterr);

	if (r < 0)
		return r;
	if (!value)
		return cgfs_err_set(reterr, -EINVAL, what, NULL, text, "is not NAME=VALUE");
	l->set = l->set ? l->set : json_object();
	if (json_object_set_new(l->set, name, json_string(value)) < 0)
		return no_memory(reterr);
	r = labels_check(l->set, &why);
	return r < 0 ? cgfs_err_set(reterr, r, what, NULL, NULL, "%s", why.text) : 0;
}

static int look_for(const char *what, const char *text, void *to, struct cgfs_err *reterr)
{
	auto_free char *name = NULL, *copy = NULL;
	struct labels *l = to;
	const char *value;
	char **grown;
	int r = split(what, text, &name, &value, reterr);

	if (r < 0)
		return r;
	copy = strdup(text);
	grown = copy ? reallocarray(l->name, l->n + 1, sizeof(*grown)) : NULL;
	if (!grown)
		return no_memory(reterr);
	l->name = grown;
	l->name[l->n++] = take_ptr(copy);
	return 0;
}

const struct opt label_options[] = {
	{ "label", 'l', "NAME=VALUE", add, offsetof(struct args, labels),
	  "set a label, by which `ls --label` selects; may be repeated" },
	{ 0 },
};

const struct opt label_filter_options[] = {
	{ "label", 'l', "NAME[=VALUE]", look_for, offsetof(struct args, labels),
	  "show only what has this label, itself or by its pod; may be\n"
	  "repeated, and all labels must match then" },
	{ 0 },
};

void labels_free(struct labels *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->name[i]);
	free(l->name);
	json_decref(l->set);
	*l = (struct labels){ 0 };
}

bool labels_match(const struct labels *l, const json_t *own, const json_t *pods)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *equals = strchr(l->name[i], '=');
		size_t len = equals ? (size_t)(equals - l->name[i]) : strlen(l->name[i]);
		char name[LABEL_NAME_MAX + 1];
		const json_t *found;

		snprintf(name, sizeof(name), "%.*s", (int)len, l->name[i]);
		found = json_object_get(own, name);
		if (!found)
			found = json_object_get(pods, name);
		if (!found || (equals && !streq(json_string_value(found), equals + 1)))
			return false;
	}
	return true;
}
