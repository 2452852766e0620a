/* SPDX-License-Identifier: MIT */
/*
 * oci.c - reads an OCI runtime-spec `linux.resources` object.  Owns the tables of fields and
 * what 0, -1 and absence mean in JSON; ranges are resources_check.c's.
 *
 * 0 is "not set" for memory.limit, .swap and .reservation, cpu.shares, .quota and .period and
 * pids.limit, because clients written in Go cannot say "absent" for these.  -1 is "no limit"
 * where a field is signed, and no other negative number is anything.  null is absent.  What
 * would change behaviour and cannot be applied is refused; what only says how things already
 * are is accepted.
 */
#include "oci.h"
#include "internal.h"
#include "resources_check.h"

#include <inttypes.h>
#include <stdio.h>

#define LEN_MAX	  (1u << 20)
#define DEPTH_MAX 32

static const struct cgfs_resource_names names = {
	.memory_max = "memory.limit",
	.memory_swap = "memory.swap",
	.memory_low = "memory.reservation",
	.memory_high = "memory.high",
	.memory_min = "memory.min",
	.cpu_weight = "cpu.weight",
	.cpu_shares = "cpu.shares",
	.cpu_quota = "cpu.quota",
	.cpu_period = "cpu.period",
	.cpuset_cpus = "cpu.cpus",
	.cpuset_mems = "cpu.mems",
	.pids_max = "pids.limit",
	.devices = "devices",
	.unified = "unified",
};

/* One member of an object, and what is done with its value (which is not null). */
struct field {
	const char *name;
	int (*take)(struct oci *o, const struct field *f, const json_t *value);
	size_t member; /* offset in struct cgfs_resources */
	uint64_t bit;
	const struct field *fields; /* of a section; ends with a name of NULL */
};

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
	size_t at = strlen(list);

	snprintf(list + at, sizeof(o->out->ignored) - at, "%s%s", at ? ", " : "", o->path);
	if (name)
		cgfs_oci_leave(o, length);
}

int cgfs_oci_integer(struct oci *o, const json_t *value, int64_t *ret)
{
	if (!json_is_integer(value))
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be an integer");
	*ret = json_integer_value(value);
	return 0;
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

static void *member(struct oci *o, const struct field *f)
{
	o->out->res.set |= f->bit;
	return (char *)&o->out->res + f->member;
}

/* A signed limit: 0 is unset, -1 is none. */
static int take_limit(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v;
	int r;

	r = cgfs_oci_integer(o, value, &v);
	if (r < 0 || v == 0)
		return r;
	if (v < -1)
		return cgfs_oci_refuse(o, -EINVAL, value,
				       "of negative numbers only -1 (no limit) "
				       "means something");
	*(uint64_t *)member(o, f) = v == -1 ? CGFS_MAX : (uint64_t)v;
	return 0;
}

/* An unsigned number: 0 is unset. */
static int take_unsigned(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v;
	int r;

	r = cgfs_oci_integer(o, value, &v);
	if (r < 0 || v == 0)
		return r;
	if (v < 0)
		return cgfs_oci_refuse(o, -EINVAL, value, "it must not be negative");
	*(uint64_t *)member(o, f) = (uint64_t)v;
	return 0;
}

static int take_text(struct oci *o, const struct field *f, const json_t *value)
{
	const char *v;
	int r;

	r = cgfs_oci_string(o, value, &v);
	if (r == 0 && *v)
		*(const char **)member(o, f) = v;
	return r;
}

static int unsupported(struct oci *o, const json_t *value)
{
	return cgfs_oci_refuse(o, -EOPNOTSUPP, value, "this version of cgfs cannot apply it");
}

static int take_only_zero(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v;
	int r;

	(void)f;
	r = cgfs_oci_integer(o, value, &v);
	return r < 0 || v == 0 ? r : unsupported(o, value);
}

static int take_only_unlimited(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v;
	int r;

	(void)f;
	r = cgfs_oci_integer(o, value, &v);
	return r < 0 || v == 0 || v == -1 ? r : unsupported(o, value);
}

static int take_swappiness(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v;
	int r;

	(void)f;
	r = cgfs_oci_integer(o, value, &v);
	if (r < 0)
		return r;
	if (v < 0 || v > 100)
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be 0 to 100");
	return unsupported(o, value);
}

static int take_idle(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v;
	int r;

	(void)f;
	r = cgfs_oci_integer(o, value, &v);
	if (r < 0 || v == 0)
		return r;
	if (v != 1)
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be 0 or 1");
	return unsupported(o, value);
}

static int take_only_true(struct oci *o, const struct field *f, const json_t *value)
{
	bool v;
	int r;

	(void)f;
	r = cgfs_oci_boolean(o, value, &v);
	return r < 0 || v ? r : unsupported(o, value);
}

static int take_only_false(struct oci *o, const struct field *f, const json_t *value)
{
	bool v;
	int r;

	(void)f;
	r = cgfs_oci_boolean(o, value, &v);
	return r < 0 || !v ? r : unsupported(o, value);
}

static int take_only_empty_list(struct oci *o, const struct field *f, const json_t *value)
{
	(void)f;
	if (!json_is_array(value))
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be an array");
	return json_array_size(value) ? unsupported(o, NULL) : 0;
}

static int take_only_empty_object(struct oci *o, const struct field *f, const json_t *value)
{
	(void)f;
	if (!json_is_object(value))
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be an object");
	return json_object_size(value) ? unsupported(o, NULL) : 0;
}

static int take_section(struct oci *o, const struct field *section, const json_t *object)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return cgfs_oci_refuse(o, -EINVAL, object, "it must be an object");
	json_object_foreach((json_t *)object, name, value)
	{
		const struct field *f = section->fields;
		size_t length;
		int r = 0;

		while (f->name && !streq(f->name, name))
			f++;
		length = cgfs_oci_enter(o, name);
		if (!f->name)
			cgfs_oci_ignore(o, NULL);
		else if (!json_is_null(value))
			r = f->take(o, f, value);
		cgfs_oci_leave(o, length);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_devices(struct oci *o, const struct field *f, const json_t *value)
{
	(void)f;
	return cgfs_oci_devices(o, value);
}

static int take_unified(struct oci *o, const struct field *f, const json_t *object)
{
	struct cgfs_unified *entry;
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return cgfs_oci_refuse(o, -EINVAL, object, "it must be an object");
	if (json_object_size(object) > CGFS_UNIFIED_MAX)
		return cgfs_oci_refuse(o, -E2BIG, NULL, "%zu entries are more than %d",
				       json_object_size(object), CGFS_UNIFIED_MAX);
	if (!json_object_size(object))
		return 0;
	entry = calloc(json_object_size(object), sizeof(*entry));
	if (!entry)
		return cgfs_oci_refuse(o, -ENOMEM, NULL, "out of memory");

	o->out->unified = entry;
	*(const struct cgfs_unified **)member(o, f) = entry;
	json_object_foreach((json_t *)object, name, value)
	{
		size_t length = cgfs_oci_enter(o, name);
		int r = cgfs_oci_string(o, value, &entry->value);

		cgfs_oci_leave(o, length);
		if (r < 0)
			return r;
		entry->file = name;
		entry++;
	}
	o->out->res.n_unified = json_object_size(object);
	return 0;
}

#define MEMBER(name) offsetof(struct cgfs_resources, name)

static const struct field memory_fields[] = {
	{ "limit", take_limit, MEMBER(memory_max_bytes), CGFS_SET_MEMORY_MAX, NULL },
	{ "reservation", take_limit, MEMBER(memory_low_bytes), CGFS_SET_MEMORY_LOW, NULL },
	{ "swap", take_limit, MEMBER(memory_swap_bytes), CGFS_SET_MEMORY_SWAP, NULL },
	{ "kernel", .take = take_only_unlimited },
	{ "kernelTCP", .take = take_only_unlimited },
	{ "swappiness", .take = take_swappiness },
	{ "disableOOMKiller", .take = take_only_false },
	{ "useHierarchy", .take = take_only_true },
	{ "checkBeforeUpdate", .take = take_only_false },
	{ .name = NULL },
};

static const struct field cpu_fields[] = {
	{ "shares", take_unsigned, MEMBER(cpu_shares), CGFS_SET_CPU_SHARES, NULL },
	{ "quota", take_limit, MEMBER(cpu_quota_us), CGFS_SET_CPU_QUOTA, NULL },
	{ "period", take_unsigned, MEMBER(cpu_period_us), CGFS_SET_CPU_PERIOD, NULL },
	{ "cpus", take_text, MEMBER(cpuset_cpus), CGFS_SET_CPUSET_CPUS, NULL },
	{ "mems", take_text, MEMBER(cpuset_mems), CGFS_SET_CPUSET_MEMS, NULL },
	{ "burst", .take = take_only_zero },
	{ "realtimeRuntime", .take = take_only_zero },
	{ "realtimePeriod", .take = take_only_zero },
	{ "idle", .take = take_idle },
	{ .name = NULL },
};

static const struct field pids_fields[] = {
	{ "limit", take_limit, MEMBER(pids_max), CGFS_SET_PIDS_MAX, NULL },
	{ .name = NULL },
};

static const struct field block_io_fields[] = {
	{ "weight", .take = take_only_zero },
	{ "leafWeight", .take = take_only_zero },
	{ "weightDevice", .take = take_only_empty_list },
	{ "throttleReadBpsDevice", .take = take_only_empty_list },
	{ "throttleWriteBpsDevice", .take = take_only_empty_list },
	{ "throttleReadIOPSDevice", .take = take_only_empty_list },
	{ "throttleWriteIOPSDevice", .take = take_only_empty_list },
	{ .name = NULL },
};

static const struct field network_fields[] = {
	{ "classID", .take = take_only_zero },
	{ "priorities", .take = take_only_empty_list },
	{ .name = NULL },
};

static const struct field root_fields[] = {
	{ "memory", .take = take_section, .fields = memory_fields },
	{ "cpu", .take = take_section, .fields = cpu_fields },
	{ "pids", .take = take_section, .fields = pids_fields },
	{ "devices", .take = take_devices },
	{ "unified", take_unified, MEMBER(unified), CGFS_SET_UNIFIED, NULL },
	{ "blockIO", .take = take_section, .fields = block_io_fields },
	{ "network", .take = take_section, .fields = network_fields },
	{ "hugepageLimits", .take = take_only_empty_list },
	{ "rdma", .take = take_only_empty_object },
	{ .name = NULL },
};

/* Bounds the nesting before the parser recurses into it; strings hold no brackets. */
static bool is_too_deep(const char *json, size_t len)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = json[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return false;
}

static int parse(struct oci *o, const char *json, size_t len)
{
	json_error_t error;

	if (len > LEN_MAX)
		return cgfs_oci_refuse(o, -E2BIG, NULL, "%zu bytes are more than %u", len, LEN_MAX);
	if (is_too_deep(json, len))
		return cgfs_oci_refuse(o, -E2BIG, NULL, "it is nested deeper than %d", DEPTH_MAX);
	o->out->root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
	if (!o->out->root && json_error_code(&error) == json_error_out_of_memory)
		return cgfs_oci_refuse(o, -ENOMEM, NULL, "out of memory");
	if (!o->out->root)
		return cgfs_oci_refuse(o, -EINVAL, NULL, "no JSON that can be read: %s (line %d, column %d)",
				       error.text, error.line, error.column);
	return 0;
}

int cgfs_resources_from_oci(const char *json, size_t len, struct cgfs_resources **ret,
			    struct cgfs_err *reterr)
{
	static const struct field root = { .fields = root_fields };
	struct oci o = { .out = calloc(1, sizeof(*o.out)), .reterr = reterr };
	int r;

	if (!o.out)
		return cgfs_err_set(reterr, -ENOMEM, "resources", NULL, NULL, NULL);
	o.out->res = (struct cgfs_resources)CGFS_RESOURCES_INIT;

	r = parse(&o, json, len);
	if (r == 0)
		r = take_section(&o, &root, o.out->root);
	if (r == 0 && !(o.out->res.set & CGFS_SET_DEVICES))
		r = cgfs_oci_devices(&o, NULL);
	if (r == 0)
		r = cgfs_resources_check_named(&o.out->res, &names, reterr);
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
	free(out);
}

const char *cgfs_resources_ignored(const struct cgfs_resources *res)
{
	return ((const struct oci_result *)res)->ignored;
}
