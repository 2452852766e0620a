/* SPDX-License-Identifier: MIT */
/*
 * limits_json.c - the limits of a group, and its cpuset, as JSON.  Their keys are the members of
 * struct cgfs_resources and struct cgfs_cpuset; must not know files.
 */
#include "cgfs/base/json_out.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/cpu/cpuset.h"
#include "cgfs/controller/device/devices.h"
#include "cgfs/figure/json.h"
#include "cgfs/request/members.h"
#include "cgfs/tree/context.h"

static void put_limit(struct json_out *o, const struct member *m, const struct cgfs_applied *a)
{
	const char *at = (const char *)a + m->applied, *name = m->word[WORDS_OWN];
	uint64_t number = 0;
	uint32_t small = 0;
	bool on = false;

	if (m->type == MEMBER_BOOL) {
		memcpy(&on, at, sizeof(on));
		json_out_bool(o, name, on);
		return;
	}
	if (m->type == MEMBER_U32) {
		memcpy(&small, at, sizeof(small));
		number = small;
	} else {
		memcpy(&number, at, sizeof(number));
	}
	json_out_limit(o, name, number);
}

static int net_prio(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_NET_PRIO);
	struct cgfs_net_prio *prio = NULL;
	size_t n = 0;
	int r = d.hierarchy < 0 ? 0 : cgfs_group_net_prio(g, &prio, &n, reterr);

	if (r < 0 || !n)
		return group_part_lost(&d, r);
	json_out_array(o, "net_prio");
	for (size_t i = 0; i < n; i++) {
		json_out_object(o, NULL);
		json_out_string(o, "interface", prio[i].interface);
		json_out_limit(o, "priority", prio[i].priority);
		json_out_end(o);
	}
	json_out_end(o);
	free(prio);
	return 0;
}

static int devices(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr)
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
	json_out_array(o, "devices");
	for (size_t i = 0; i < n; i++) {
		char text[64];

		cgfs_device_format(&rules[i], text, sizeof(text));
		json_out_string(o, NULL, text);
	}
	json_out_end(o);
	free(rules);
	return 0;
}

int figure_put_limits(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs_applied a = CGFS_APPLIED_INIT;
	int r = cgfs_group_limits(g, &a, reterr);

	if (r < 0)
		return r;
	json_out_object(o, "limits");
	for (const struct member *m = members; m < members + MEMBERS; m++) {
		if (m->applied && (a.set & m->bit))
			put_limit(o, m, &a);
	}
	r = figure_put_io_limits(o, g, reterr);
	if (r == 0)
		r = net_prio(o, g, reterr);
	if (r == 0 && devices_enforced(g->c))
		r = devices(o, g, reterr);
	json_out_end(o);
	return r;
}

static void put_text(struct json_out *o, const char *key, const char *text)
{
	if (text)
		json_out_string(o, key, text);
}

int figure_put_cpuset(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr)
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
	struct cgfs_dir d = dir_of(g, CGFS_CPUSET);
	struct cgfs_cpuset *set = NULL;
	int r = d.hierarchy < 0 ? 0 : cgfs_group_cpuset(g, &set, reterr);

	if (r < 0 || !set)
		return group_part_lost(&d, r);
	json_out_object(o, "cpuset");
	put_text(o, "cpus", set->cpus);
	put_text(o, "mems", set->mems);
	put_text(o, "effective_cpus", set->effective_cpus);
	put_text(o, "effective_mems", set->effective_mems);
	put_text(o, "partition", set->partition);
	json_out_array(o, "differs");
	if (set->cpus_differ)
		json_out_string(o, NULL, "cpus");
	if (set->mems_differ)
		json_out_string(o, NULL, "mems");
	json_out_end(o);
	if (ctl_cpuset_flags(g->c)) {
		json_out_array(o, "flags");
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
			if (set->flags & flags[i].bit)
				json_out_string(o, NULL, flags[i].name);
		}
		json_out_end(o);
	}
	json_out_end(o);
	free(set);
	return 0;
}
