/* SPDX-License-Identifier: MIT */
/*
 * oci_fields.c - the tables of an OCI `linux.resources` object's fields.  Owns what 0, -1 and
 * absence mean in JSON; ranges are resources_check.c's.
 *
 * 0 is "not set" for what clients written in Go cannot leave out or what would otherwise be a
 * limit that nothing can live with: memory.limit, .swap, .reservation, .kernel and .kernelTCP,
 * cpu.shares, .quota, .period and .realtime*, pids.limit, blockIO weights and network.classID.
 * A rate of 0 is no limit.  -1 is "no limit" where a field is signed, and no other negative
 * number is anything.  null is absent.  What would change behaviour and cannot be applied is
 * refused; what only says how things already are is accepted.
 */
#include "cgfs/base/json.h"
#include "cgfs/base/util.h"
#include "cgfs/request/check.h"
#include "cgfs/request/oci.h"

/* One member of an object, and what is done with its value (which is not null). */
struct field {
	const char *name;
	int (*take)(struct oci *o, const struct field *f, const json_t *value);
	size_t member; /* offset in struct cgfs_resources; of lists of devices: CGFS_IO_* */
	uint64_t bit;
	const struct field *fields; /* of a section; ends with a name of NULL */
};

static void *member(struct oci *o, const struct field *f)
{
	o->out->res.set |= f->bit;
	return (char *)&o->out->res + f->member;
}

/* A signed limit: 0 is unset, -1 is none. */
static int take_limit(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v = 0;
	int r = cgfs_oci_integer(o, value, &v);

	if (r < 0 || v == 0)
		return r;
	if (v < -1)
		return cgfs_oci_refuse(o, -EINVAL, value,
				       "of negative numbers only -1 (no limit) means something");
	*(uint64_t *)member(o, f) = v == -1 ? CGFS_MAX : (uint64_t)v;
	return 0;
}

/* A budget: a limit, or a word of our own. */
static int take_budget(struct oci *o, const struct field *f, const json_t *value)
{
	if (!json_is_string(value) || cgfs_json_big(value) ||
	    !streq(json_string_value(value), "auto"))
		return take_limit(o, f, value);
	*(uint64_t *)member(o, f) = CGFS_ADMIT_AUTO;
	return 0;
}

/* An unsigned number: 0 is unset. */
static int take_unsigned(struct oci *o, const struct field *f, const json_t *value)
{
	uint64_t v = 0;
	int r = cgfs_oci_unsigned(o, value, &v);

	if (r == 0 && v)
		*(uint64_t *)member(o, f) = v;
	return r;
}

static int take_text(struct oci *o, const struct field *f, const json_t *value)
{
	const char *v = "";
	int r = cgfs_oci_string(o, value, &v);

	if (r == 0 && *v)
		*(const char **)member(o, f) = v;
	return r;
}

/* A number that a client can leave out, so that 0 is 0. */
static int take_number(struct oci *o, const struct field *f, const json_t *value)
{
	uint64_t v = 0;
	int r = cgfs_oci_unsigned(o, value, &v);

	if (r == 0)
		*(uint64_t *)member(o, f) = v;
	return r;
}

static int take_idle(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v = 0;
	int r = cgfs_oci_integer(o, value, &v);

	if (r < 0)
		return r;
	if (v != 0 && v != 1)
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be 0 or 1");
	*(bool *)member(o, f) = v == 1;
	return 0;
}

static int take_class(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v = 0;
	int r = cgfs_oci_integer(o, value, &v);

	if (r < 0 || v == 0)
		return r;
	if (v < 0 || v > UINT32_MAX)
		return cgfs_oci_refuse(o, -EINVAL, value, "it must be 0 to %u", UINT32_MAX);
	*(uint32_t *)member(o, f) = (uint32_t)v;
	return 0;
}

/* false is how things are, on every version. */
static int take_if_true(struct oci *o, const struct field *f, const json_t *value)
{
	bool v = false;
	int r = cgfs_oci_boolean(o, value, &v);

	if (r == 0 && v)
		*(bool *)member(o, f) = true;
	return r;
}

static int take_flag(struct oci *o, const struct field *f, const json_t *value)
{
	bool v = false;
	int r = cgfs_oci_boolean(o, value, &v);

	if (r == 0)
		*(bool *)member(o, f) = v;
	return r;
}

static int unsupported(struct oci *o, const json_t *value, const char *why)
{
	return cgfs_oci_refuse(o, -EOPNOTSUPP, value, "it cannot be applied: %s", why);
}

/* The hierarchy is always used (the only way since 5.11). */
static int take_use_hierarchy(struct oci *o, const struct field *f, const json_t *value)
{
	bool v = false;
	int r = cgfs_oci_boolean(o, value, &v);

	return r < 0 || v ? r : unsupported(o, value, "cgroups are hierarchical since Linux 5.11");
}

/* A limit below what is in use is always refused, so both answers are as things are. */
static int take_check_before_update(struct oci *o, const struct field *f, const json_t *value)
{
	bool v = false;

	return cgfs_oci_boolean(o, value, &v);
}

static int take_leaf_weight(struct oci *o, const struct field *f, const json_t *value)
{
	int64_t v = 0;
	int r = cgfs_oci_integer(o, value, &v);

	return r < 0 || v == 0 ? r : unsupported(o, value, "kernels have no leafWeight since 5.0");
}

static int take_io_devices(struct oci *o, const struct field *f, const json_t *value)
{
	return cgfs_oci_io_devices(o, value, (unsigned int)f->member);
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
	{ "kernel", take_limit, MEMBER(memory_kernel_bytes), CGFS_SET_MEMORY_KERNEL, NULL },
	{ "kernelTCP", take_limit, MEMBER(memory_kernel_tcp_bytes), CGFS_SET_MEMORY_KERNEL_TCP,
	  NULL },
	{ "swappiness", take_number, MEMBER(memory_swappiness), CGFS_SET_MEMORY_SWAPPINESS, NULL },
	{ "disableOOMKiller", take_if_true, MEMBER(memory_oom_disable), CGFS_SET_MEMORY_OOM_DISABLE,
	  NULL },
	/* Two of our own, which OCI has no field for. */
	{ "admit", take_budget, MEMBER(memory_admit_bytes), CGFS_SET_MEMORY_ADMIT, NULL },
	{ "admitExempt", take_flag, MEMBER(admit_exempt), CGFS_SET_ADMIT_EXEMPT, NULL },
	{ "useHierarchy", .take = take_use_hierarchy },
	{ "checkBeforeUpdate", .take = take_check_before_update },
	{ .name = NULL },
};

static const struct field cpu_fields[] = {
	{ "shares", take_unsigned, MEMBER(cpu_shares), CGFS_SET_CPU_SHARES, NULL },
	{ "quota", take_limit, MEMBER(cpu_quota_us), CGFS_SET_CPU_QUOTA, NULL },
	{ "period", take_unsigned, MEMBER(cpu_period_us), CGFS_SET_CPU_PERIOD, NULL },
	{ "cpus", take_text, MEMBER(cpuset_cpus), CGFS_SET_CPUSET_CPUS, NULL },
	{ "mems", take_text, MEMBER(cpuset_mems), CGFS_SET_CPUSET_MEMS, NULL },
	{ "burst", take_number, MEMBER(cpu_burst_us), CGFS_SET_CPU_BURST, NULL },
	{ "idle", take_idle, MEMBER(cpu_idle), CGFS_SET_CPU_IDLE, NULL },
	{ "realtimeRuntime", take_limit, MEMBER(cpu_rt_runtime_us), CGFS_SET_CPU_RT_RUNTIME, NULL },
	{ "realtimePeriod", take_unsigned, MEMBER(cpu_rt_period_us), CGFS_SET_CPU_RT_PERIOD, NULL },
	{ .name = NULL },
};

static const struct field pids_fields[] = {
	{ "limit", take_limit, MEMBER(pids_max), CGFS_SET_PIDS_MAX, NULL },
	{ .name = NULL },
};

static const struct field block_io_fields[] = {
	{ "weight", take_unsigned, MEMBER(io_weight), CGFS_SET_IO_WEIGHT, NULL },
	{ "leafWeight", .take = take_leaf_weight },
	{ "weightDevice", take_io_devices, CGFS_IO_WEIGHT, 0, NULL },
	{ "throttleReadBpsDevice", take_io_devices, CGFS_IO_READ_BPS, 0, NULL },
	{ "throttleWriteBpsDevice", take_io_devices, CGFS_IO_WRITE_BPS, 0, NULL },
	{ "throttleReadIOPSDevice", take_io_devices, CGFS_IO_READ_IOPS, 0, NULL },
	{ "throttleWriteIOPSDevice", take_io_devices, CGFS_IO_WRITE_IOPS, 0, NULL },
	{ .name = NULL },
};

static const struct field network_fields[] = {
	{ "classID", take_class, MEMBER(net_classid), CGFS_SET_NET_CLASSID, NULL },
	{ "priorities", .take = cgfs_oci_priorities },
	{ .name = NULL },
};

static const struct field root_fields[] = {
	{ "memory", .take = take_section, .fields = memory_fields },
	{ "cpu", .take = take_section, .fields = cpu_fields },
	{ "pids", .take = take_section, .fields = pids_fields },
	{ "devices", .take = cgfs_oci_devices },
	{ "unified", take_unified, MEMBER(unified), CGFS_SET_UNIFIED, NULL },
	{ "blockIO", .take = take_section, .fields = block_io_fields },
	{ "network", .take = take_section, .fields = network_fields },
	{ "hugepageLimits", .take = cgfs_oci_hugepages },
	{ "rdma", .take = cgfs_oci_rdma },
	{ .name = NULL },
};

int cgfs_oci_fields(struct oci *o, const json_t *root)
{
	static const struct field whole = { .fields = root_fields };

	return take_section(o, &whole, root);
}
