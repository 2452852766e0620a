/* SPDX-License-Identifier: MIT */
/*
 * limits_json.c - the limits of a group, and its cpuset, as JSON.  Owns their keys, which are the
 * members of struct cgfs_resources and struct cgfs_cpuset; must not know files.
 */
#include "core.h"
#include "json.h"

enum kind { NUMBER, NUMBER32, TRUTH };

#define LIMIT(bit, name, kind)                                                                     \
	{                                                                                          \
		CGFS_SET_##bit, #name, offsetof(struct cgfs_applied, name), kind                   \
	}

static const struct {
	uint64_t bit;
	const char *name;
	size_t offset;
	enum kind kind;
} limits[] = {
	LIMIT(MEMORY_MAX, memory_max_bytes, NUMBER),
	LIMIT(MEMORY_SWAP, memory_swap_bytes, NUMBER),
	LIMIT(MEMORY_LOW, memory_low_bytes, NUMBER),
	LIMIT(MEMORY_HIGH, memory_high_bytes, NUMBER),
	LIMIT(MEMORY_MIN, memory_min_bytes, NUMBER),
	LIMIT(MEMORY_ZSWAP_MAX, memory_zswap_max_bytes, NUMBER),
	LIMIT(MEMORY_SWAPPINESS, memory_swappiness, NUMBER),
	LIMIT(MEMORY_KERNEL, memory_kernel_bytes, NUMBER),
	LIMIT(MEMORY_KERNEL_TCP, memory_kernel_tcp_bytes, NUMBER),
	LIMIT(ZSWAP_WRITEBACK, memory_zswap_writeback, TRUTH),
	LIMIT(MEMORY_OOM_GROUP, memory_oom_group, TRUTH),
	LIMIT(MEMORY_OOM_DISABLE, memory_oom_disable, TRUTH),
	LIMIT(CPU_WEIGHT, cpu_weight, NUMBER),
	LIMIT(CPU_QUOTA, cpu_quota_us, NUMBER),
	LIMIT(CPU_PERIOD, cpu_period_us, NUMBER),
	LIMIT(CPU_BURST, cpu_burst_us, NUMBER),
	LIMIT(CPU_IDLE, cpu_idle, TRUTH),
	LIMIT(CPU_RT_RUNTIME, cpu_rt_runtime_us, NUMBER),
	LIMIT(CPU_RT_PERIOD, cpu_rt_period_us, NUMBER),
	LIMIT(PIDS_MAX, pids_max, NUMBER),
	LIMIT(IO_WEIGHT, io_weight, NUMBER),
	LIMIT(NET_CLASSID, net_classid, NUMBER32),
};

static void put_limit(FILE *f, bool *first, size_t i, const struct cgfs_applied *a)
{
	const char *at = (const char *)a + limits[i].offset;
	uint64_t number = 0;
	uint32_t small = 0;
	bool on = false;

	switch (limits[i].kind) {
	case TRUTH:
		memcpy(&on, at, sizeof(on));
		fprintf(f, "%s\"%s\":%s", *first ? "" : ",", limits[i].name, on ? "true" : "false");
		*first = false;
		return;
	case NUMBER32:
		memcpy(&small, at, sizeof(small));
		number = small;
		break;
	case NUMBER:
		memcpy(&number, at, sizeof(number));
		break;
	}
	cgfs_json_number(f, first, limits[i].name, number);
}

static int io_limits(struct cgfs_group *g, FILE *f, bool *first, struct cgfs_err *reterr)
{
	struct cgfs_io_device *dev = NULL;
	bool inner = false;
	size_t n = 0;
	int r = cgfs_group_io_limits(g, &dev, &n, reterr);

	if (r < 0 || !n)
		return r;
	fprintf(f, "%s\"io_devices\":[", *first ? "" : ",");
	for (size_t i = 0; i < n; i++) {
		const struct {
			unsigned int bit;
			const char *key;
			uint64_t value;
		} all[] = {
			{ CGFS_IO_WEIGHT, "weight", dev[i].weight },
			{ CGFS_IO_READ_BPS, "read_bps", dev[i].read_bps },
			{ CGFS_IO_WRITE_BPS, "write_bps", dev[i].write_bps },
			{ CGFS_IO_READ_IOPS, "read_iops", dev[i].read_iops },
			{ CGFS_IO_WRITE_IOPS, "write_iops", dev[i].write_iops },
			{ CGFS_IO_LATENCY, "latency_us", dev[i].latency_us },
		};

		fprintf(f, "%s{\"device\":\"%u:%u\"", i ? "," : "", dev[i].major, dev[i].minor);
		for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
			if (dev[i].set & all[k].bit)
				cgfs_json_number(f, &inner, all[k].key, all[k].value);
		}
		fputc('}', f);
	}
	fputc(']', f);
	*first = false;
	free(dev);
	return 0;
}

static int net_prio(struct cgfs_group *g, FILE *f, bool *first, struct cgfs_err *reterr)
{
	struct cgfs_net_prio *prio = NULL;
	bool inner = false;
	size_t n = 0;
	int r = cgfs_group_net_prio(g, &prio, &n, reterr);

	if (r < 0 || !n)
		return r;
	fprintf(f, "%s\"net_prio\":[", *first ? "" : ",");
	for (size_t i = 0; i < n; i++) {
		if (i)
			fputc(',', f);
		cgfs_json_name(f, "interface", prio[i].interface);
		cgfs_json_number(f, &inner, "priority", prio[i].priority);
		fputc('}', f);
	}
	fputc(']', f);
	*first = false;
	free(prio);
	return 0;
}

static int devices(struct cgfs_group *g, FILE *f, bool *first, struct cgfs_err *reterr)
{
	struct cgfs_device_rule *rules = NULL;
	struct cgfs_err err;
	size_t n = 0;
	int r = cgfs_group_devices(g, &rules, &n, &err);

	if (r == -ENOENT) /* the policy does not know the group: nothing is known */
		return 0;
	if (r < 0 && reterr)
		*reterr = err;
	if (r < 0 || !rules)
		return r;
	fprintf(f, "%s\"devices\":[", *first ? "" : ",");
	for (size_t i = 0; i < n; i++) {
		char text[64];

		cgfs_device_format(&rules[i], text, sizeof(text));
		fprintf(f, "%s\"%s\"", i ? "," : "", text);
	}
	fputc(']', f);
	*first = false;
	free(rules);
	return 0;
}

int cgfs_json_limits(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr)
{
	struct cgfs_applied a = CGFS_APPLIED_INIT;
	bool first = true;
	int r = cgfs_group_limits(g, &a, reterr);

	if (r < 0)
		return r;
	fputs(",\"limits\":{", f);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (a.set & limits[i].bit)
			put_limit(f, &first, i, &a);
	}
	if (g->c->place[CGFS_IO].hierarchy >= 0)
		r = io_limits(g, f, &first, reterr);
	if (r == 0 && g->c->place[CGFS_NET_PRIO].hierarchy >= 0)
		r = net_prio(g, f, &first, reterr);
	if (r == 0 && devices_enforced(g->c))
		r = devices(g, f, &first, reterr);
	fputc('}', f);
	return r;
}

int cgfs_json_cpuset(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} flags[] = {
		{ CGFS_CPUSET_CPU_EXCLUSIVE, "cpu_exclusive" },
		{ CGFS_CPUSET_MEM_EXCLUSIVE, "mem_exclusive" },
		{ CGFS_CPUSET_MEM_HARDWALL, "mem_hardwall" },
		{ CGFS_CPUSET_MEMORY_MIGRATE, "memory_migrate" },
		{ CGFS_CPUSET_MEMORY_SPREAD_PAGE, "memory_spread_page" },
		{ CGFS_CPUSET_MEMORY_SPREAD_SLAB, "memory_spread_slab" },
		{ CGFS_CPUSET_SCHED_LOAD_BALANCE, "sched_load_balance" },
	};
	struct cgfs_cpuset *set = NULL;
	bool first = true;
	int r = cgfs_group_cpuset(g, &set, reterr);

	if (r < 0)
		return r;
	fputs(",\"cpuset\":{", f);
	cgfs_json_text(f, &first, "cpus", set->cpus);
	cgfs_json_text(f, &first, "mems", set->mems);
	cgfs_json_text(f, &first, "effective_cpus", set->effective_cpus);
	cgfs_json_text(f, &first, "effective_mems", set->effective_mems);
	cgfs_json_text(f, &first, "partition", set->partition);
	if (g->c->place[CGFS_CPUSET].version == CGFS_V1) {
		fputs(",\"flags\":[", f);
		first = true;
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
			if (!(set->flags & flags[i].bit))
				continue;
			fprintf(f, "%s\"%s\"", first ? "" : ",", flags[i].name);
			first = false;
		}
		fputc(']', f);
	}
	fputc('}', f);
	free(set);
	return 0;
}
