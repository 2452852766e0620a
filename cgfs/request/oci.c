/* SPDX-License-Identifier: MIT */
/*
 * oci.c - reads an OCI runtime-spec `linux.resources` object.  Owns the text, its bounds, the
 * words of errors and the result's memory; what each field means is oci_fields.c's.
 */
#include "cgfs/request/oci.h"

#include "cgfs/base/json.h"
#include "cgfs/base/parse.h"
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/request/check.h"
#include "cgfs/request/members.h"

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
	char words[256], number[400]; /* the largest real has 309 digits */
	const char *text = cgfs_json_big(value);
	va_list ap;

	if (text) {
		/* as it stands */
	} else if (json_is_integer(value)) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
		text = number;
	} else if (json_is_real(value)) {
		double real = json_real_value(value);

		snprintf(number, sizeof(number), rint(real) == real ? "%.0f" : "%.17g", real);
		text = number;
	} else if (json_is_string(value)) {
		text = json_string_value(value);
	} else if (json_is_boolean(value)) {
		text = json_is_true(value) ? "true" : "false";
	}
	va_start(ap, why);
	vsnprintf(words, sizeof(words), why, ap);
	va_end(ap);
	return err_value(o->reterr, code, o->path[0] ? o->path : "resources", text, "%s", words);
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

/* A real without a fraction is an integer to JSON, "67108864.0" and "1e6". */
int cgfs_oci_integer(struct oci *o, const json_t *value, int64_t *ret)
{
	double real = json_is_real(value) ? json_real_value(value) : 0.5;

	if (json_is_integer(value)) {
		*ret = json_integer_value(value);
		return 0;
	}
	if (rint(real) != real && !cgfs_json_big(value))
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be an integer");
	if (cgfs_json_big(value) || real < -0x1p63 || real >= 0x1p63)
		return cgfs_oci_refuse(o, -EINVAL, value,
				       "it does not fit into a signed number of 64 bits");
	*ret = (int64_t)real;
	return 0;
}

int cgfs_oci_unsigned(struct oci *o, const json_t *value, uint64_t *ret)
{
	double real = json_is_real(value) ? json_real_value(value) : 0;
	const char *big = cgfs_json_big(value);
	bool fits = cgfs_json_u64(value, ret);
	int64_t v = 0;
	int r;

	if (real >= 0x1p63 && real <= 0x1p64) {
		*ret = real < 0x1p64 ? (uint64_t)real : CGFS_MAX;
		fits = true;
	}
	if (fits) {
		/* The last number is the library's for "no limit". */
		*ret -= *ret == CGFS_MAX;
		return 0;
	}
	if (real > 0x1p64 || (big && *big != '-'))
		return cgfs_oci_refuse(o, -EINVAL, value,
				       "it does not fit into a number of 64 bits");
	r = cgfs_oci_integer(o, value, &v);
	if (r == 0 && v < 0)
		r = cgfs_oci_refuse(o, -EINVAL, value, "it must not be negative");
	if (r == 0)
		*ret = (uint64_t)v;
	return r;
}

int cgfs_oci_string(struct oci *o, const json_t *value, const char **ret)
{
	if (!json_is_string(value) || cgfs_json_big(value))
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

static int parse(struct oci *o, const char *json, size_t len)
{
	json_error_t error;

	if (len > LEN_MAX)
		return cgfs_oci_refuse(o, -E2BIG, NULL, "%zu bytes are more than %u", len, LEN_MAX);
	if (cgfs_json_deeper(json, len, DEPTH_MAX))
		return cgfs_oci_refuse(o, -E2BIG, NULL, "it is nested deeper than %d", DEPTH_MAX);
	o->out->root = cgfs_json_load(json, len, JSON_REJECT_DUPLICATES, &error);
	if (!o->out->root && json_error_code(&error) == json_error_out_of_memory)
		return cgfs_oci_refuse(o, -ENOMEM, NULL, "out of memory");
	if (!o->out->root)
		return cgfs_oci_refuse(o, -EINVAL, NULL,
				       "no JSON that can be read: %s (line %d, column %d)",
				       error.text, error.line, error.column);
	return 0;
}

int cgfs_resources_from_oci(const char *json, size_t len, const struct cgfs_oci_opts *user,
			    struct cgfs_resources **ret, struct cgfs_err *reterr)
{
	struct oci o = { .reterr = reterr };
	int r = sized_in(&o.opts, sizeof(o.opts), user, "opts", reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "resources");
	if (!json == !o.opts.parsed)
		return err_why(reterr, -EINVAL, "resources", NULL,
			       "either text or parsed JSON must be given");
	o.out = calloc(1, sizeof(*o.out));
	if (!o.out)
		return err_file(reterr, -ENOMEM, "resources", NULL);
	o.out->res = (struct cgfs_resources)CGFS_RESOURCES_INIT;

	if (o.opts.parsed)
		o.out->root = json_incref(o.opts.parsed);
	else
		r = parse(&o, json, len);
	if (r == 0)
		r = cgfs_oci_fields(&o, o.out->root);
	if (r == 0 && !(o.out->res.set & CGFS_SET_DEVICES) && !o.opts.update)
		r = cgfs_oci_devices(&o, NULL, NULL);
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
