/* SPDX-License-Identifier: MIT */
/*
 * shape.c - compares a JSON value with the types that its reader expects.  Knows no message.
 */
#include "agent/base/shape.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cgfs/base/json.h"
#include "cgfs/base/util.h"

#define PATH_MAX_LEN 96

struct shape {
	char path[PATH_MAX_LEN]; /* of the value that is looked at; cut at the end */
	char *why;
};

/* Behind one shape. */
static const char *skip(const char *p)
{
	int depth = 0;

	do {
		depth += strchr("{[<", *p) != NULL;
		depth -= strchr("}]>", *p) != NULL;
		p++;
	} while (depth > 0);
	return p;
}

/* The member @name of @object, which has this spelling afterwards; NULL: absent or null. */
static json_t *member(json_t *object, const char *name, size_t len)
{
	json_t *v, *found = NULL;
	bool other = false;
	char exact[40];
	const char *key;
	void *tmp;

	snprintf(exact, sizeof(exact), "%.*s", (int)len, name);
	json_object_foreach(object, key, v)
	{
		if (strcasecmp(key, exact) != 0)
			continue;
		other = other || !streq(key, exact);
		found = json_is_null(v) ? found : v;
	}
	if (!other)
		return found;
	json_incref(found);
	json_object_foreach_safe(object, tmp, key, v)
	{
		if (strcasecmp(key, exact) == 0)
			json_object_del(object, key);
	}
	/* Without memory it is absent, which a check or the kernel then reports. */
	return found && json_object_set_new(object, exact, found) == 0 ? found : NULL;
}

static bool in_range(json_t *v, json_int_t min, json_int_t max)
{
	return json_is_integer(v) && json_integer_value(v) >= min && json_integer_value(v) <= max;
}

static bool wrong(struct shape *s, const char *what)
{
	snprintf(s->why, JSON_WHY_MAX, "%s is not %s", s->path, what);
	return false;
}

static bool scalar(struct shape *s, json_t *v, char type)
{
	uint64_t n;

	switch (type) {
	case 's':
		return (json_is_string(v) && !cgfs_json_big(v)) || wrong(s, "a string");
	case 'b':
		return json_is_boolean(v) || wrong(s, "true or false");
	case 'h':
		return in_range(v, 0, UINT16_MAX) || wrong(s, "a whole number from 0 to 65535");
	case 'w':
		return in_range(v, 0, UINT32_MAX) ||
		       wrong(s, "a whole number from 0 to 4294967295");
	case 'u':
		return cgfs_json_u64(v, &n) || wrong(s, "a whole number from 0 to 2^64 - 1");
	case 'j':
		return in_range(v, INT32_MIN, INT32_MAX) ||
		       wrong(s, "a whole number of 32 bits with a sign");
	case 'i':
		return json_is_integer(v) || wrong(s, "a whole number of 64 bits with a sign");
	default:
		return true;
	}
}

static bool fits(struct shape *s, json_t *v, const char *shape);

static bool part(struct shape *s, json_t *v, const char *shape, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static bool part(struct shape *s, json_t *v, const char *shape, const char *fmt, ...)
{
	size_t len = strlen(s->path);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->path + len, sizeof(s->path) - len, fmt, ap);
	va_end(ap);
	if (!fits(s, v, shape))
		return false;
	s->path[len] = '\0';
	return true;
}

static bool object(struct shape *s, json_t *v, const char *shape)
{
	while (*shape != '}') {
		size_t len = strcspn(shape, ":");
		json_t *m = member(v, shape, len);

		if (m &&
		    !part(s, m, shape + len + 1, "%s%.*s", *s->path ? "." : "", (int)len, shape))
			return false;
		shape = skip(shape + len + 1);
		shape += *shape == ',';
	}
	return true;
}

static bool fits(struct shape *s, json_t *v, const char *shape)
{
	const char *key;
	json_t *e;
	size_t i;

	switch (*shape) {
	case '{':
		return json_is_object(v) ? object(s, v, shape + 1) : wrong(s, "an object");
	case '[':
		if (!json_is_array(v))
			return wrong(s, "a list");
		json_array_foreach(v, i, e)
		{
			if (!part(s, e, shape + 1, "[%zu]", i))
				return false;
		}
		return true;
	case '<':
		if (!json_is_object(v))
			return wrong(s, "an object");
		json_object_foreach(v, key, e)
		{
			if (!part(s, e, shape + 1, "[\"%.64s\"]", key))
				return false;
		}
		return true;
	default:
		return scalar(s, v, *shape);
	}
}

bool shape_fits(json_t *v, const char *shape, char why[JSON_WHY_MAX])
{
	struct shape s = { .why = why };

	return fits(&s, v, shape);
}
