/* SPDX-License-Identifier: MIT */
/*
 * oci.c - reads an OCI runtime-spec `linux.resources` object.  Owns the text, its bounds, the
 * words of errors and the result's memory; what each field means is oci_fields.c's.
 */
#include "oci.h"
#include "internal.h"
#include "parse.h"
#include "resources_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define LEN_MAX	  (1u << 20)
#define DEPTH_MAX 32

size_t cgfs_oci_enter(struct oci *o, const char *name)
{
	size_t length = strlen(o->path);

	snprintf(o->path + length, sizeof(o->path) - length, "%s%.64s", length ? "." : "", name);
	return length;
}

void cgfs_oci_leave(struct oci *o, size_t length)
{
	o->path[length] = '\0';
}

int cgfs_oci_refuse(struct oci *o, int code, const json_t *value, const char *why, ...)
{
	char words[256], number[24];
	const char *text = NULL;
	va_list ap;

	if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		text = number;
	} else if (json_is_real(value)) {
		snprintf(number, sizeof(number), "%.17g", json_real_value(value));
		text = number;
	} else if (json_is_string(value)) {
		text = json_string_value(value);
	} else if (json_is_boolean(value)) {
		text = json_is_true(value) ? "true" : "false";
	}
	va_start(ap, why);
	vsnprintf(words, sizeof(words), why, ap);
	va_end(ap);
	return cgfs_err_set(o->reterr, code, o->path[0] ? o->path : "resources", NULL, text, "%s",
			    words);
}

void cgfs_oci_ignore(struct oci *o, const char *name)
{
	size_t length = name ? cgfs_oci_enter(o, name) : strlen(o->path);
	char *list = o->out->ignored;
	size_t at = strlen(list), room = sizeof(o->out->ignored) - at;

	/* Whole names only. */
	if ((size_t)snprintf(list + at, room, "%s%s", at ? ", " : "", o->path) >= room)
		list[at] = '\0';
	if (name)
		cgfs_oci_leave(o, length);
}

int cgfs_oci_integer(struct oci *o, const json_t *value, int64_t *ret)
{
	if (json_is_real(value) && o->beyond && fabs(json_real_value(value)) >= 0x1p63)
		return cgfs_oci_refuse(o, -EINVAL, value,
				       "it does not fit into a signed number of 64 bits");
	if (!json_is_integer(value))
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be an integer");
	*ret = json_integer_value(value);
	return 0;
}

int cgfs_oci_unsigned(struct oci *o, const json_t *value, uint64_t *ret)
{
	double beyond = json_is_real(value) && o->beyond ? json_real_value(value) : 0;
	int64_t v = 0;
	int r;

	if (beyond >= 0x1p63 && beyond <= 0x1p64) {
		*ret = CGFS_MAX - 1;
		return 0;
	}
	r = cgfs_oci_integer(o, value, &v);
	if (r == 0 && v < 0)
		r = cgfs_oci_refuse(o, -EINVAL, value, "it must not be negative");
	if (r == 0)
		*ret = (uint64_t)v;
	return r;
}

int cgfs_oci_string(struct oci *o, const json_t *value, const char **ret)
{
	if (!json_is_string(value))
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be a string");
	*ret = json_string_value(value);
	return 0;
}

int cgfs_oci_boolean(struct oci *o, const json_t *value, bool *ret)
{
	if (!json_is_boolean(value))
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be true or false");
	*ret = json_is_true(value);
	return 0;
}

/*
 * The parser's integers end at INT64_MAX, OCI's unsigned ones do not.  A copy of the text in which
 * each that is longer than 18 digits, and too much for it, is a real: its last two digits are "e2".
 */
static char *with_reals(const char *json, size_t len)
{
	char *copy = malloc(len + 1), most[24];
	bool in_string = false;

	if (!copy)
		return NULL;
	memcpy(copy, json, len);
	copy[len] = '\0';
	snprintf(most, sizeof(most), "%" PRId64, INT64_MAX);
	for (size_t i = 0; i < len; i++) {
		size_t n;

		if (in_string && copy[i] == '\\')
			i++;
		else if (copy[i] == '"')
			in_string = !in_string;
		/* Digits of a string are not looked at: looking at all that follow, from each of
		 * them, is quadratic. */
		n = in_string ? 0 : strspn(copy + i, "0123456789");
		if (!n)
			continue;
		if ((n > strlen(most) || (n == strlen(most) && strncmp(copy + i, most, n) > 0)) &&
		    (!i || !strchr(".eE+", copy[i - 1])) && !strchr(".eE", copy[i + n]))
			memcpy(copy + i + n - 2, "e2", 2);
		i += n - 1;
	}
	return copy;
}

static int parse(struct oci *o, const char *json, size_t len)
{
	auto_free char *copy = NULL;
	json_error_t error;

	if (len > LEN_MAX)
		return cgfs_oci_refuse(o, -E2BIG, NULL, "%zu bytes are more than %u", len, LEN_MAX);
	if (cgfs_json_deeper(json, len, DEPTH_MAX))
		return cgfs_oci_refuse(o, -E2BIG, NULL, "it is nested deeper than %d", DEPTH_MAX);
	o->out->root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
	if (!o->out->root && json_error_code(&error) == json_error_numeric_overflow) {
		o->beyond = true;
		copy = with_reals(json, len);
		if (!copy)
			return cgfs_oci_refuse(o, -ENOMEM, NULL, "out of memory");
		o->out->root = json_loadb(copy, len, JSON_REJECT_DUPLICATES, &error);
	}
	if (!o->out->root && json_error_code(&error) == json_error_out_of_memory)
		return cgfs_oci_refuse(o, -ENOMEM, NULL, "out of memory");
	if (!o->out->root)
		return cgfs_oci_refuse(o, -EINVAL, NULL,
				       "no JSON that can be read: %s (line %d, column %d)",
				       error.text, error.line, error.column);
	return 0;
}

int cgfs_resources_from_oci(const char *json, size_t len, struct cgfs_resources **ret,
			    struct cgfs_err *reterr)
{
	struct oci o = { .out = calloc(1, sizeof(*o.out)), .reterr = reterr };
	int r;

	if (!o.out)
		return cgfs_err_set(reterr, -ENOMEM, "resources", NULL, NULL, NULL);
	o.out->res = (struct cgfs_resources)CGFS_RESOURCES_INIT;

	r = parse(&o, json, len);
	if (r == 0)
		r = cgfs_oci_fields(&o, o.out->root);
	if (r == 0 && !(o.out->res.set & CGFS_SET_DEVICES))
		r = cgfs_oci_devices(&o, NULL);
	if (r == 0)
		r = cgfs_resources_check_in(&o.out->res, WORDS_OCI, reterr);
	if (r < 0) {
		cgfs_resources_free(&o.out->res);
		return r;
	}
	*ret = &o.out->res;
	return 0;
}

void cgfs_resources_free(struct cgfs_resources *res)
{
	struct oci_result *out = (struct oci_result *)res;

	if (!out)
		return;
	json_decref(out->root);
	free(out->devices);
	free(out->unified);
	free(out->io_devices);
	free(out->hugetlb);
	free(out->rdma);
	free(out->net_prio);
	free(out);
}

const char *cgfs_resources_ignored(const struct cgfs_resources *res)
{
	return ((const struct oci_result *)res)->ignored;
}
