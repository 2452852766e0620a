/* SPDX-License-Identifier: MIT */
/*
 * properties.c - GetProperties: libcgfs's figures in the host's words (LCOWMetrics).
 *
 * The host reads these as cgroup v1 figures: `swap` is memory and swap together, times are
 * nanoseconds.  Knows no control file.
 */
#include <cgfs/cgfs.h>
#include <stdio.h>

#include "agent/base/json.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/service/message.h"
#include "agent/service/reading.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/json_out.h"
#include "cgfs/base/util.h"

/* Zero is left out, as every member of this message is. */
static void number(struct json_out *o, const char *name, uint64_t value)
{
	if (value)
		json_out_number(o, name, value);
}

static uint64_t value(const struct cgfs_stats *s, enum cgfs_stat stat)
{
	return s->figure[stat].available ? s->figure[stat].value : 0;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > CGFS_MAX - b ? CGFS_MAX : a + b;
}

static uint64_t nanoseconds(const struct cgfs_stats *s, enum cgfs_stat stat)
{
	uint64_t us = value(s, stat);

	return us > CGFS_MAX / 1000 ? CGFS_MAX : us * 1000;
}

static void put_cpu(struct json_out *o, const struct cgfs_stats *s)
{
	json_out_object(o, "cpu");
	json_out_object(o, "usage");
	number(o, "total", nanoseconds(s, CGFS_STAT_CPU_USAGE));
	number(o, "kernel", nanoseconds(s, CGFS_STAT_CPU_SYSTEM));
	number(o, "user", nanoseconds(s, CGFS_STAT_CPU_USER));
	json_out_end(o);
	json_out_object(o, "throttling");
	number(o, "periods", value(s, CGFS_STAT_CPU_PERIODS));
	number(o, "throttled_periods", value(s, CGFS_STAT_CPU_THROTTLED_PERIODS));
	number(o, "throttled_time", nanoseconds(s, CGFS_STAT_CPU_THROTTLED));
	json_out_end(o);
	json_out_end(o);
}

/* The lines of memory.stat in the host's order; with and without "total_" they are the same,
 * because our figures include descendants and containers have none. */
static void put_memory_stat(struct json_out *o, const struct cgfs_stats *s, const char *prefix)
{
	static const struct {
		const char *name;
		enum cgfs_stat stat;
	} rows[] = {
		{ "cache", CGFS_STAT_MEMORY_FILE },
		{ "rss", CGFS_STAT_MEMORY_ANON },
		{ "rss_huge", CGFS_STAT_MEMORY_ANON_THP },
		{ "mapped_file", CGFS_STAT_MEMORY_FILE_MAPPED },
		{ "dirty", CGFS_STAT_MEMORY_FILE_DIRTY },
		{ "writeback", CGFS_STAT_MEMORY_FILE_WRITEBACK },
		{ "pg_pg_in", CGFS_STAT_MEMORY_PGPGIN },
		{ "pg_pg_out", CGFS_STAT_MEMORY_PGPGOUT },
		{ "pg_fault", CGFS_STAT_MEMORY_PGFAULT },
		{ "pg_maj_fault", CGFS_STAT_MEMORY_PGMAJFAULT },
		{ "inactive_anon", CGFS_STAT_MEMORY_INACTIVE_ANON },
		{ "active_anon", CGFS_STAT_MEMORY_ACTIVE_ANON },
		{ "inactive_file", CGFS_STAT_MEMORY_INACTIVE_FILE },
		{ "active_file", CGFS_STAT_MEMORY_ACTIVE_FILE },
		{ "unevictable", CGFS_STAT_MEMORY_UNEVICTABLE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[48];

		snprintf(name, sizeof(name), "%s%s", prefix, rows[i].name);
		number(o, name, value(s, rows[i].stat));
	}
}

/* @above: the least limit of the cgroups above the container's; CGFS_MAX: none. */
static void put_memory(struct json_out *o, const struct cgfs_stats *s, uint64_t above)
{
	uint64_t usage = value(s, CGFS_STAT_MEMORY_CURRENT);
	uint64_t limit = value(s, CGFS_STAT_MEMORY_MAX);
	uint64_t swap_limit = 0;

	if (s->figure[CGFS_STAT_MEMORY_SWAP_MAX].available)
		swap_limit = sum(limit, s->figure[CGFS_STAT_MEMORY_SWAP_MAX].value);
	json_out_object(o, "memory");
	put_memory_stat(o, s, "");
	number(o, "hierarchical_memory_limit", limit < above ? limit : above);
	number(o, "hierarchical_swap_limit", swap_limit);
	put_memory_stat(o, s, "total_");
	json_out_object(o, "usage");
	number(o, "limit", limit);
	number(o, "usage", usage);
	number(o, "max", value(s, CGFS_STAT_MEMORY_PEAK));
	number(o, "failcnt", value(s, CGFS_STAT_MEMORY_EVENTS_MAX));
	json_out_end(o);
	json_out_object(o, "swap");
	number(o, "limit", swap_limit);
	if (s->figure[CGFS_STAT_MEMORY_SWAP_CURRENT].available)
		number(o, "usage", sum(usage, s->figure[CGFS_STAT_MEMORY_SWAP_CURRENT].value));
	json_out_end(o);
	json_out_object(o, "kernel");
	number(o, "usage", value(s, CGFS_STAT_MEMORY_KERNEL));
	json_out_end(o);
	json_out_object(o, "kernel_tcp");
	json_out_end(o);
	json_out_end(o);
}

static void put_huge(struct json_out *o, const struct cgfs_hugetlb_stat *huge, size_t n)
{
	if (n > 0)
		json_out_array(o, "hugetlb");
	for (size_t i = 0; i < n; i++) {
		const struct cgfs_hugetlb_stat *h = CGFS_AT(huge, i);

		json_out_object(o, NULL);
		number(o, "usage", h->current_bytes);
		number(o, "max", h->max_bytes);
		number(o, "failcnt", h->failed);
		json_out_string(o, "pagesize", h->page_size);
		json_out_end(o);
	}
	if (n > 0)
		json_out_end(o);
}

void properties_metrics(struct json_out *o, const struct cgfs_stats *s,
			const struct cgfs_hugetlb_stat *huge, size_t n_huge, uint64_t above)
{
	put_huge(o, huge, n_huge);
	json_out_object(o, "pids");
	number(o, "current", value(s, CGFS_STAT_PIDS_CURRENT));
	number(o, "limit", value(s, CGFS_STAT_PIDS_MAX));
	json_out_end(o);
	put_cpu(o, s);
	put_memory(o, s, above);
	/* The reference empties these before it sends them; a host expects no more. */
	json_out_object(o, "blkio");
	json_out_end(o);
	json_out_object(o, "rdma");
	json_out_end(o);
	json_out_object(o, "memory_oom_control");
	number(o, "oom_kill", value(s, CGFS_STAT_OOM_KILLS));
	json_out_end(o);
}

static void put_processes(struct json_out *o, const struct pids *pids)
{
	if (!pids->n)
		return;
	json_out_array(o, "ProcessList");
	for (size_t i = 0; i < pids->n; i++) {
		json_out_object(o, NULL);
		json_out_number(o, "ProcessId", (uint64_t)pids->pid[i]);
		json_out_end(o);
	}
	json_out_end(o);
}

/* The kernel's "hierarchical" limit is the least of all levels; the agent knows those that it set:
 * the pod's and that of all pods. */
static uint64_t limit_above(const struct container *c)
{
	uint64_t least = c->a->root_limit_bytes ? c->a->root_limit_bytes : CGFS_MAX;
	struct cgfs_stats s = CGFS_STATS_INIT;

	if (c->pod && cgfs_group_stats(c->pod->group, CGFS_READ_MEMORY, &s, NULL) == 0 &&
	    s.figure[CGFS_STAT_MEMORY_MAX].available &&
	    s.figure[CGFS_STAT_MEMORY_MAX].value < least)
		least = s.figure[CGFS_STAT_MEMORY_MAX].value;
	return least;
}

static int put_statistics(struct json_out *o, struct container *c, struct cgfs_err *err)
{
	auto_free struct cgfs_hugetlb_stat *huge = NULL;
	struct cgfs_stats stats = CGFS_STATS_INIT;
	size_t n_huge = 0;
	int r;

	r = cgfs_group_stats(c->group, CGFS_READ_ALL, &stats, err);
	if (r == 0) {
		r = cgfs_group_hugetlb(c->group, &huge, &n_huge, err);
		r = r == -ENODEV ? 0 : r; /* a host without the controller */
	}
	if (r < 0)
		return r;
	json_out_object(o, "LCOWMetrics");
	properties_metrics(o, &stats, huge, n_huge, limit_above(c));
	json_out_end(o);
	return 0;
}

static int properties_text(struct container *c, const struct pids *pids, bool want_stats,
			   char **ret, struct cgfs_err *err)
{
	struct json_out o;
	int r = json_out_open(&o), closed;

	if (r < 0)
		return r;
	json_out_object(&o, NULL);
	put_processes(&o, pids);
	if (want_stats)
		r = put_statistics(&o, c, err);
	json_out_end(&o);
	closed = json_out_close(&o, ret);
	return r < 0 ? r : closed;
}

static void properties_answer(struct container *c, struct request *rq, bool want_list,
			      bool want_stats)
{
	auto_free char *text = NULL;
	struct cgfs_err err = { 0 };
	struct pids pids = { 0 };
	struct json_out o;
	int r = 0;

	if (want_list)
		r = reading_pids(c->a, rq, c->group, &pids, &err);
	if (r == -EINPROGRESS)
		return;
	if (r == 0)
		r = properties_text(c, &pids, want_stats, &text, &err);
	free(pids.pid);
	if (r < 0) {
		describe_failed(rq, r, &err);
	} else if (request_answer_begin(rq, &o)) {
		json_out_string(&o, "Properties", text);
		request_answer_end(rq, &o);
	}
}

/* What is asked for.  false: @rq has been answered. */
static bool parse_query(struct request *rq, bool *ret_list, bool *ret_stats)
{
	char why[JSON_WHY_MAX];
	json_t *query = NULL, *types = NULL, *v;
	const char *text;
	bool ok;
	size_t i;

	*ret_list = *ret_stats = false;
	ok = json_get_string(rq->body, "Query", &text, why);
	if (ok && !*text)
		return true;
	if (ok) {
		query = json_parse_object(text, strlen(text), why);
		ok = query && json_get_array(query, "PropertyTypes", &types, why);
	}
	json_array_foreach(types, i, v)
	{
		const char *type = json_string_value(v);

		if (!type) {
			snprintf(why, sizeof(why), "PropertyTypes[%zu] is not a string", i);
			ok = false;
			break;
		}
		*ret_list = *ret_list || streq(type, "ProcessList");
		*ret_stats = *ret_stats || streq(type, "Statistics");
	}
	if (!ok)
		request_fail(rq, HR_INVALID_JSON,
			     "The query could not be unmarshaled: HRESULT %#x: %s", HR_INVALID_JSON,
			     why);
	json_decref(query);
	return ok;
}

void properties_get(struct agent *a, struct request *rq)
{
	char why[JSON_WHY_MAX];
	bool want_list, want_stats;
	struct container *c;
	const char *id;

	if (!parse_query(rq, &want_list, &want_stats))
		return;
	if (!json_get_string(rq->body, "ContainerId", &id, why)) {
		request_fail(rq, HR_INVALID_JSON, "HRESULT %#x: %s", HR_INVALID_JSON, why);
		return;
	}
	if (streq(id, PROTOCOL_UVM_ID)) {
		request_fail(rq, HR_FAIL, "the utility VM has no properties to query");
		return;
	}
	c = container_lookup(a, rq, id);
	if (c)
		properties_answer(c, rq, want_list, want_stats);
}
