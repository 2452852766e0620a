/* SPDX-License-Identifier: MIT */
/*
 * limits.c - the options that limit a pod or container, as struct cgfs_resources for the
 * library and as OCI's linux.resources for an agent.  Names no control file.
 */
#include "agent/podctl/args/args.h"

#include <stdio.h>

/* A number in its range, or "max". */
static int set_number(const char *what, const char *value, uint64_t n, uint64_t min, uint64_t max,
		      const char *why, uint64_t *to, struct cgfs_err *reterr)
{
	if (n < min || n > max)
		return err_value(reterr, -EINVAL, what, value, "%s", why);
	*to = n;
	return 0;
}

static int set_memory(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	struct limits *l = to;
	uint64_t n;
	int r = value_bytes(what, value, &n, reterr);

	l->res.set |= CGFS_SET_MEMORY_MAX;
	return r < 0 ? r
		     : set_number(what, value, n, 1, CGFS_MAX,
				  "must be at least one page; max is no limit",
				  &l->res.memory_max_bytes, reterr);
}

/* One word for what admission does: a budget, none, or no budget at all that binds it. */
static int set_admit(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	struct limits *l = to;

	l->res.set |= CGFS_SET_MEMORY_ADMIT | CGFS_SET_ADMIT_EXEMPT;
	l->res.memory_admit_bytes = streq(value, "auto") ? CGFS_ADMIT_AUTO : CGFS_MAX;
	l->res.admit_exempt = streq(value, "exempt");
	return l->res.admit_exempt || streq(value, "auto")
		       ? 0
		       : value_bytes(what, value, &l->res.memory_admit_bytes, reterr);
}

static int set_cpus(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	struct limits *l = to;

	l->res.set |= CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD;
	return value_cpus(what, value, &l->res.cpu_quota_us, &l->res.cpu_period_us, reterr);
}

static int set_weight(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	struct limits *l = to;
	uint64_t n;
	int r = value_count(what, value, &n, reterr);

	l->res.set |= CGFS_SET_CPU_WEIGHT;
	return r < 0 ? r
		     : set_number(what, value, n, 1, 10000, "must be 1 to 10000",
				  &l->res.cpu_weight, reterr);
}

static int set_pids(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	struct limits *l = to;
	uint64_t n;
	int r = value_count(what, value, &n, reterr);

	l->res.set |= CGFS_SET_PIDS_MAX;
	return r < 0 ? r
		     : set_number(what, value, n, 1, CGFS_MAX,
				  "must be at least 1; max is no limit", &l->res.pids_max, reterr);
}

static int add_device(const char *what, const char *value, void *to, struct cgfs_err *reterr)
{
	struct limits *l = to;
	struct cgfs_device_rule rule, *grown;
	struct cgfs_err why = { 0 };
	int r = cgfs_device_parse(value, &rule, &why);

	if (r < 0) {
		if (reterr)
			*reterr = why;
		return cgfs_err_context(reterr, r, "%s \"%s\"", what, value);
	}
	if (l->n_given >= CGFS_DEVICE_RULES_MAX)
		return err_value(reterr, -E2BIG, what, value, "more than %d rules",
				 CGFS_DEVICE_RULES_MAX);
	grown = reallocarray(l->given, l->n_given + 1, sizeof(*grown));
	if (!grown)
		return no_memory(reterr);
	l->given = grown;
	l->given[l->n_given++] = rule;
	return 0;
}

const struct opt limits_options[] = {
	{ "memory", 'm', "SIZE", set_memory, offsetof(struct args, limits),
	  "limit memory to 64M, 64MiB, 1G, 65536 (bytes) or max (no limit)" },
	{ "memory-admit", 0, "SIZE", set_admit, offsetof(struct args, limits),
	  "refuse new memory (ENOMEM, EAGAIN) while SIZE or more is used;\n"
	  "auto: a little below the memory limit, and follows it; max: no\n"
	  "budget of its own; exempt: nor that of its pod" },
	{ "cpus", 'c', "N", set_cpus, offsetof(struct args, limits),
	  "limit CPU time: 0.5 is half of one CPU; max: no limit" },
	{ "cpu-weight", 0, "N", set_weight, offsetof(struct args, limits),
	  "set the share of CPU time relative to siblings, 1 to 10000\n"
	  "(default: 100)" },
	{ "pids", 'p', "N", set_pids, offsetof(struct args, limits),
	  "limit the number of processes and threads; max: no limit" },
	{ "device", 0, "RULE", add_device, offsetof(struct args, limits),
	  "allow a device, or deny it: 'c 1:11 r', 'deny b *:* rwm'.  May be\n"
	  "repeated; the last rule that matches decides.  The devices that\n"
	  "every container may use (null, zero, full, random, urandom, tty,\n"
	  "console, ptmx, pts, mknod of any) come first in the list" },
	{ "no-default-devices", 0, NULL, opt_flag, offsetof(struct args, limits.no_defaults),
	  "allow only what --device allows" },
	{ 0 },
};

void limits_free(struct limits *l)
{
	free(l->given);
	free(l->rules);
	*l = (struct limits){ .res = CGFS_RESOURCES_INIT };
}

bool limits_has_devices(const struct limits *l)
{
	return l->n_given > 0 || l->no_defaults;
}

/* The library names members; the caller wrote options. */
static int check(const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	static const char *const words[][2] = {
		{ "memory_max_bytes: ", "--memory" }, { "memory_admit_bytes: ", "--memory-admit" },
		{ "cpu_quota_us: ", "--cpus" },	      { "cpu_period_us: ", "--cpus" },
		{ "cpu_weight: ", "--cpu-weight" },   { "pids_max: ", "--pids" },
	};
	struct cgfs_err err = { 0 };
	int r = cgfs_resources_check(res, &err);

	for (size_t i = 0; r < 0 && i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i][0]);

		if (strncmp(err.text, words[i][0], len) == 0)
			return cgfs_err_set(reterr, r, words[i][1], NULL, NULL, "%s",
					    err.text + len);
	}
	if (r < 0 && reterr)
		*reterr = err;
	return r;
}

int limits_finish(struct limits *l, struct cgfs_err *reterr)
{
	const struct cgfs_device_rule *defaults;
	size_t n;

	if (!l->res.set && !limits_has_devices(l))
		return 0;
	if (limits_has_devices(l)) {
		defaults = cgfs_device_defaults(&n);
		if (l->no_defaults)
			n = 0;
		l->rules = calloc(n + l->n_given + 1, sizeof(*l->rules));
		if (!l->rules)
			return no_memory(reterr);
		if (n)
			memcpy(l->rules, defaults, n * sizeof(*l->rules));
		if (l->n_given)
			memcpy(l->rules + n, l->given, l->n_given * sizeof(*l->rules));
		l->res.devices = l->rules;
		l->res.n_devices = n + l->n_given;
		l->res.set |= CGFS_SET_DEVICES;
	}
	return check(&l->res, reterr);
}

static json_t *amount(uint64_t value)
{
	return json_integer(value == CGFS_MAX ? -1 : (json_int_t)value);
}

static json_t *oci_device(const struct cgfs_device_rule *rule)
{
	char access[4] = "", type[2] = { (char)rule->type, '\0' };
	json_t *o;

	snprintf(access, sizeof(access), "%s%s%s", rule->access & CGFS_ACCESS_READ ? "r" : "",
		 rule->access & CGFS_ACCESS_WRITE ? "w" : "",
		 rule->access & CGFS_ACCESS_MKNOD ? "m" : "");
	o = json_pack("{s:b, s:s, s:s}", "allow", rule->allow, "type", type, "access", access);
	if (rule->major != CGFS_DEVICE_ANY)
		json_object_set_new(o, "major", json_integer(rule->major));
	if (rule->minor != CGFS_DEVICE_ANY)
		json_object_set_new(o, "minor", json_integer(rule->minor));
	return o;
}

int limits_oci(const struct limits *l, bool exact, json_t **ret, struct cgfs_err *reterr)
{
	const struct cgfs_resources *res = &l->res;
	json_t *o = json_object(), *cpu = json_object(), *devices = json_array();
	json_t *memory = json_object();
	int bad = 0;

	if (res->set & CGFS_SET_MEMORY_MAX)
		bad |= json_object_set_new(memory, "limit", amount(res->memory_max_bytes));
	/* OCI has none of these two; an agent of ours has. */
	if (res->set & CGFS_SET_MEMORY_ADMIT)
		bad |= json_object_set_new(memory, "admit",
					   res->memory_admit_bytes == CGFS_ADMIT_AUTO
						   ? json_string("auto")
						   : amount(res->memory_admit_bytes));
	if (res->set & CGFS_SET_ADMIT_EXEMPT)
		bad |= json_object_set_new(memory, "admitExempt", json_boolean(res->admit_exempt));
	if (json_object_size(memory))
		bad |= json_object_set(o, "memory", memory);
	if (res->set & CGFS_SET_PIDS_MAX)
		bad |= json_object_set_new(o, "pids",
					   json_pack("{s:o}", "limit", amount(res->pids_max)));
	if (res->set & CGFS_SET_CPU_QUOTA)
		bad |= json_object_set_new(cpu, "quota", amount(res->cpu_quota_us));
	if (res->set & CGFS_SET_CPU_PERIOD)
		bad |= json_object_set_new(cpu, "period", amount(res->cpu_period_us));
	/* OCI has no weight; the shares that stand for it come back as the same weight. */
	if (res->set & CGFS_SET_CPU_WEIGHT)
		bad |= json_object_set_new(cpu, "shares",
					   amount(cgfs_shares_from_weight(res->cpu_weight)));
	if (json_object_size(cpu))
		bad |= json_object_set(o, "cpu", cpu);

	/* Unless the list is exact the agent adds the default devices itself, and puts them last,
	 * as every OCI runtime does. */
	if (limits_has_devices(l)) {
		const struct cgfs_device_rule *rule = exact ? res->devices : l->given;
		size_t n = exact ? res->n_devices : l->n_given;

		bad |= json_array_append_new(devices,
					     json_pack("{s:b, s:s}", "allow", 0, "access", "rwm"));
		for (size_t i = 0; i < n; i++)
			bad |= json_array_append_new(devices, oci_device(&rule[i]));
		bad |= json_object_set(o, "devices", devices);
	}
	json_decref(memory);
	json_decref(cpu);
	json_decref(devices);
	if (bad || !o) {
		json_decref(o);
		return no_memory(reterr);
	}
	*ret = o;
	return 0;
}
