/* SPDX-License-Identifier: MIT */
/*
 * label.c - see label.h.
 */
#include "agent/wire/label.h"

#include <ctype.h>

#include "cgfs/base/json.h"
#include "cgfs/base/text.h"
#include "cgfs/base/util.h"

static bool is_name(const char *name)
{
	size_t n = 0;

	while (isalnum((unsigned char)name[n]) || (name[n] && strchr("._-/", name[n])))
		n++;
	return n && !name[n] && n <= LABEL_NAME_MAX && isalnum((unsigned char)name[0]);
}

static bool is_value(const char *value)
{
	bool shown = true;
	uint32_t c;

	if (strlen(value) > LABEL_VALUE_MAX)
		return false;
	while (*value && shown)
		value += cgfs_text_next(value, &c, &shown);
	return shown;
}

int label_check(const char *name, const char *value, struct cgfs_err *reterr)
{
	if (!is_name(name))
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL,
				    "label \"%.80s\": a name has 1 to %d letters, digits and ._-/, "
				    "and begins with a letter or a digit",
				    name, LABEL_NAME_MAX);
	if (!is_value(value))
		return cgfs_err_set(
			reterr, -EINVAL, NULL, NULL, NULL,
			"label %s: \"%.80s\": a value has at most %d bytes of UTF-8, and "
			"no control character",
			name, value, LABEL_VALUE_MAX);
	return 0;
}

int labels_check(const json_t *labels, struct cgfs_err *reterr)
{
	auto_free char *text = NULL;
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach((json_t *)labels, name, value)
	{
		if (!json_is_string(value))
			return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL,
					    "label \"%.80s\" is not text", name);
		r = label_check(name, json_string_value(value), reterr);
		if (r < 0)
			return r;
	}
	text = cgfs_json_dump(labels, JSON_COMPACT);
	if (!text)
		return cgfs_err_set(reterr, -ENOMEM, "labels", NULL, NULL, NULL);
	if (strlen(text) > LABELS_MAX)
		return cgfs_err_set(reterr, -E2BIG, NULL, NULL, NULL,
				    "the labels are longer than %d bytes of JSON", LABELS_MAX);
	return 0;
}
