/* SPDX-License-Identifier: MIT */
/*
 * json.h - reading JSON as the hosts of this protocol write it: member names in any case, null
 * as "absent", and nothing trusted.
 */
#ifndef AGENT_JSON_H
#define AGENT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_WHY_MAX   160
#define JSON_DEPTH_MAX 64

/* A JSON object, bounded in depth; `null` is an empty one.  NULL: @why says why not. */
json_t *json_parse_object(const char *text, size_t len, char why[JSON_WHY_MAX]);
/* Borrowed.  NULL: absent or null.  Exact spelling first, then any case. */
json_t *json_member(const json_t *object, const char *name);
/* The first object of the list @array whose member @name is the string @value; borrowed. */
json_t *json_find(const json_t *array, const char *name, const char *value);
/* A string; bytes that are not UTF-8 become '?'. */
json_t *json_text(const char *s);

/* One member with its type checked.  Absent leaves *ret at zero.  false: wrong type or out of
 * range, and @why says "Name: ...". */
bool json_get_string(const json_t *object, const char *name, const char **ret,
		     char why[JSON_WHY_MAX]);
bool json_get_u32(const json_t *object, const char *name, uint32_t *ret, char why[JSON_WHY_MAX]);
bool json_get_i32(const json_t *object, const char *name, int32_t *ret, char why[JSON_WHY_MAX]);
bool json_get_bool(const json_t *object, const char *name, bool *ret, char why[JSON_WHY_MAX]);
bool json_get_object(const json_t *object, const char *name, json_t **ret, char why[JSON_WHY_MAX]);
bool json_get_array(const json_t *object, const char *name, json_t **ret, char why[JSON_WHY_MAX]);

/* Words as a shell would see them: blanks separate, quotes and back-slashes keep together; no
 * expansion.  A list of strings.  NULL: a quote is not closed, or no memory. */
json_t *json_split_words(const char *line);

#endif
