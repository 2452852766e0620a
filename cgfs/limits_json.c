/* SPDX-License-Identifier: MIT */
/*
 * limits_json.c - the limits of a group, and its cpuset, as JSON.  Their keys are the members of
 * struct cgfs_resources and struct cgfs_cpuset; must not know files.
 */
#include "core.h"
#include "json.h"
#include "members.h"

static void put_limit(FILE *f, bool *first, const struct member *m, const struct cgfs_applied *a)
{
	const char *at = (const char *)a + m->applied, *name = m->word[WORDS_OWN];
	uint64_t number = 0;
	uint32_t small = 0;
	bool on = false;

	if (m->type == MEMBER_BOOL) {
		memcpy(&on, at, sizeof(on));
		fprintf(f, "%s\"%s\":%s", *first ? "" : ",", name, on ? "true" : "false");
		*first = false;
		return;
	}
	if (m->type == MEMBER_U32) {
		memcpy(&small, at, sizeof(small));
		number = small;
	} else {
		memcpy(&number, at, sizeof(number));
	}
	cgfs_json_number(f, first, name, number);
}

static int io_limits(struct cgfs_group *g, FILE *f, bool *first, struct cgfs_err *reterr)
{
	int r;

	fprintf(f, "%s\"io_devices\":[", *first ? "" : ",");
	r = cgfs_json_io_limits(g, f, reterr);
	fputc(']', f);
	*first = false;
	return r;
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
	for (const struct member *m = members; m < members + MEMBERS; m++) {
		if (m->applied && (a.set & m->bit))
			put_limit(f, &first, m, &a);
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
