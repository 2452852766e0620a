/* SPDX-License-Identifier: MIT */
/*
 * json.c - checked access to JSON that another program wrote.  Knows no message.
 */
#include "agent/base/json.h"

#include <stdio.h>
#include <strings.h>

#include "cgfs/base/json.h"
#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"

json_t *json_parse_object(const char *text, size_t len, char why[JSON_WHY_MAX])
{
	json_error_t err = { 0 };
	json_t *j;

	if (cgfs_json_deeper(text, len, JSON_DEPTH_MAX)) {
		snprintf(why, JSON_WHY_MAX, "nested more than %d deep", JSON_DEPTH_MAX);
		return NULL;
	}
	j = cgfs_json_load(text, len, JSON_DECODE_ANY, &err);
	if (!j) {
		snprintf(why, JSON_WHY_MAX, "%.130s at byte %d", err.text, err.position);
		return NULL;
	}
	if (json_is_null(j)) {
		json_decref(j);
		j = json_object();
	}
	if (!json_is_object(j)) {
		json_decref(j);
		snprintf(why, JSON_WHY_MAX, "not an object");
		return NULL;
	}
	return j;
}

json_t *json_member(const json_t *object, const char *name)
{
	json_t *o = (json_t *)object;
	json_t *value = json_object_get(o, name);
	const char *key;
	json_t *v;

	if (!value) {
		json_object_foreach(o, key, v)
		{
			if (strcasecmp(key, name) == 0)
				value = v;
		}
	}
	return json_is_null(value) ? NULL : value;
}

json_t *json_find(const json_t *array, const char *name, const char *value)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)array, i, v)
	{
		const char *s = json_string_value(json_member(v, name));

		if (s && streq(s, value))
			return v;
	}
	return NULL;
}

json_t *json_text(const char *s)
{
	json_t *j = json_string(s);
	auto_free char *copy = NULL;

	if (j)
		return j;
	copy = strdup(s);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++) {
		if (*p & 0x80)
			*p = '?';
	}
	return json_string(copy);
}

static bool wrong(const char *name, const char *what, char why[JSON_WHY_MAX])
{
	snprintf(why, JSON_WHY_MAX, "%s is not %s", name, what);
	return false;
}

bool json_get_string(const json_t *object, const char *name, const char **ret,
		     char why[JSON_WHY_MAX])
{
	json_t *v = json_member(object, name);

	*ret = "";
	if (v && (!json_is_string(v) || cgfs_json_big(v)))
		return wrong(name, "a string", why);
	if (v)
		*ret = json_string_value(v);
	return true;
}

static bool get_integer(const json_t *object, const char *name, json_int_t min, json_int_t max,
			json_int_t *ret, char why[JSON_WHY_MAX])
{
	json_t *v = json_member(object, name);

	*ret = 0;
	if (v && !json_is_integer(v))
		return wrong(name, "an integer", why);
	if (v)
		*ret = json_integer_value(v);
	if (*ret < min || *ret > max)
		return wrong(name, "in range", why);
	return true;
}

bool json_get_u32(const json_t *object, const char *name, uint32_t *ret, char why[JSON_WHY_MAX])
{
	json_int_t n;

	if (!get_integer(object, name, 0, UINT32_MAX, &n, why))
		return false;
	*ret = (uint32_t)n;
	return true;
}

bool json_get_i32(const json_t *object, const char *name, int32_t *ret, char why[JSON_WHY_MAX])
{
	json_int_t n;

	if (!get_integer(object, name, INT32_MIN, INT32_MAX, &n, why))
		return false;
	*ret = (int32_t)n;
	return true;
}

bool json_get_bool(const json_t *object, const char *name, bool *ret, char why[JSON_WHY_MAX])
{
	json_t *v = json_member(object, name);

	*ret = false;
	if (v && !json_is_boolean(v))
		return wrong(name, "true or false", why);
	*ret = json_is_true(v);
	return true;
}

bool json_get_object(const json_t *object, const char *name, json_t **ret, char why[JSON_WHY_MAX])
{
	*ret = json_member(object, name);
	return !*ret || json_is_object(*ret) || wrong(name, "an object", why);
}

bool json_get_array(const json_t *object, const char *name, json_t **ret, char why[JSON_WHY_MAX])
{
	*ret = json_member(object, name);
	return !*ret || json_is_array(*ret) || wrong(name, "an array", why);
}

json_t *json_split_words(const char *line)
{
	json_t *words = json_array();
	auto_free char *word = malloc(strlen(line) + 1);
	bool in_word = false;
	char quote = 0;
	size_t n = 0;

	for (const char *p = line; words && word; p++) {
		if (!*p || (!quote && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))) {
			word[n] = '\0';
			if (in_word && json_array_append_new(words, json_string(word)) < 0)
				break;
			in_word = false;
			n = 0;
			if (!*p && !quote)
				return words;
			if (!*p)
				break;
			continue;
		}
		in_word = true;
		if (*p == quote)
			quote = 0;
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (*p == '\\' && quote != '\'' && p[1])
			word[n++] = *++p;
		else
			word[n++] = *p;
	}
	json_decref(words);
	return NULL;
}
