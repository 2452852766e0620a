/* SPDX-License-Identifier: MIT */
/*
 * properties.c - GetProperties: libcgfs's figures in the host's words (LCOWMetrics).
 *
 * The host reads these as cgroup v1 figures: `swap` is memory and swap together, times are
 * nanoseconds.  Written as text here, because a limit of 2^64 - 1 is no number for the JSON
 * library.  Knows no control file.
 */
#include <inttypes.h>
#include <stdio.h>

#include "../cgfs/internal.h"
#include "agent.h"
#include "json.h"

struct out {
	char text[8192];
	size_t len;
	bool comma;
};

static void put(struct out *o, const char *s)
{
	size_t n = strlen(s);

	/* All names and numbers together are less than half of it. */
	if (o->len + n < sizeof(o->text)) {
		memcpy(o->text + o->len, s, n + 1);
		o->len += n;
	}
}

static void begin(struct out *o, const char *name)
{
	if (o->comma)
		put(o, ",");
	put(o, "\"");
	put(o, name);
	put(o, "\":{");
	o->comma = false;
}

static void end(struct out *o)
{
	put(o, "}");
	o->comma = true;
}

/* Zero is left out, as every member of this message is. */
static void number(struct out *o, const char *name, uint64_t value)
{
	char text[96];

	if (value == 0)
		return;
	snprintf(text, sizeof(text), "%s\"%s\":%" PRIu64, o->comma ? "," : "", name, value);
	put(o, text);
	o->comma = true;
}

static uint64_t value(const struct cgfs_stats *s, enum cgfs_stat stat)
{
	return s->available[stat] ? s->value[stat] : 0;
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

static void put_cpu(struct out *o, const struct cgfs_stats *s)
{
	begin(o, "cpu");
	begin(o, "usage");
	number(o, "total", nanoseconds(s, CGFS_STAT_CPU_USAGE));
	number(o, "kernel", nanoseconds(s, CGFS_STAT_CPU_SYSTEM));
	number(o, "user", nanoseconds(s, CGFS_STAT_CPU_USER));
	end(o);
	begin(o, "throttling");
	number(o, "periods", value(s, CGFS_STAT_CPU_PERIODS));
	number(o, "throttled_periods", value(s, CGFS_STAT_CPU_THROTTLED_PERIODS));
	number(o, "throttled_time", nanoseconds(s, CGFS_STAT_CPU_THROTTLED));
	end(o);
	end(o);
}

/* The lines of memory.stat in the host's order; with and without "total_" they are the same,
 * because our figures include descendants and containers have none. */
static void put_memory_stat(struct out *o, const struct cgfs_stats *s, const char *prefix)
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

static void put_memory(struct out *o, const struct cgfs_stats *s)
{
	uint64_t usage = value(s, CGFS_STAT_MEMORY_CURRENT);
	uint64_t limit = value(s, CGFS_STAT_MEMORY_MAX);
	uint64_t swap_limit = 0;

	if (s->available[CGFS_STAT_MEMORY_SWAP_MAX])
		swap_limit = sum(limit, s->value[CGFS_STAT_MEMORY_SWAP_MAX]);
	begin(o, "memory");
	put_memory_stat(o, s, "");
	number(o, "hierarchical_memory_limit", limit);
	number(o, "hierarchical_swap_limit", swap_limit);
	put_memory_stat(o, s, "total_");
	begin(o, "usage");
	number(o, "limit", limit);
	number(o, "usage", usage);
	number(o, "max", value(s, CGFS_STAT_MEMORY_PEAK));
	number(o, "failcnt", value(s, CGFS_STAT_MEMORY_EVENTS_MAX));
	end(o);
	begin(o, "swap");
	number(o, "limit", swap_limit);
	if (s->available[CGFS_STAT_MEMORY_SWAP_CURRENT])
		number(o, "usage", sum(usage, s->value[CGFS_STAT_MEMORY_SWAP_CURRENT]));
	end(o);
	begin(o, "kernel");
	number(o, "usage", value(s, CGFS_STAT_MEMORY_KERNEL));
	end(o);
	begin(o, "kernel_tcp");
	end(o);
	end(o);
}

static void put_huge(struct out *o, const struct cgfs_hugetlb_stat *huge, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct cgfs_hugetlb_stat *h = &huge[i];

		put(o, i ? ",{" : "\"hugetlb\":[{");
		o->comma = false;
		number(o, "usage", h->current_bytes);
		number(o, "max", h->max_bytes);
		number(o, "failcnt", h->failed);
		if (o->comma)
			put(o, ",");
		put(o, "\"pagesize\":\"");
		put(o, h->page_size);
		put(o, "\"}");
	}
	if (n > 0)
		put(o, "]");
	o->comma = n > 0;
}

static void put_metrics(struct out *o, const struct cgfs_stats *s,
			const struct cgfs_hugetlb_stat *huge, size_t n_huge)
{
	put(o, "{");
	put_huge(o, huge, n_huge);
	begin(o, "pids");
	number(o, "current", value(s, CGFS_STAT_PIDS_CURRENT));
	number(o, "limit", value(s, CGFS_STAT_PIDS_MAX));
	end(o);
	put_cpu(o, s);
	put_memory(o, s);
	/* The reference empties these before it sends them; a host expects no more. */
	begin(o, "blkio");
	end(o);
	begin(o, "rdma");
	end(o);
	begin(o, "memory_oom_control");
	number(o, "oom_kill", value(s, CGFS_STAT_OOM_KILLS));
	end(o);
	put(o, "}");
}

char *properties_metrics(const struct cgfs_stats *s, const struct cgfs_hugetlb_stat *huge,
			 size_t n_huge)
{
	struct out o = { .len = 0 };

	put_metrics(&o, s, huge, n_huge);
	return strdup(o.text);
}

/* ,"ProcessList":[{"ProcessId":1},...] without the comma.  NULL with @err. */
static char *process_list(struct container *c, struct cgfs_err *err)
{
	auto_free pid_t *pids = NULL;
	char *text = NULL;
	size_t n = 0, size;
	FILE *f;

	if (cgfs_group_pids(c->group, &pids, &n, err) < 0)
		return NULL;
	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s{\"ProcessId\":%d}", i ? "," : "\"ProcessList\":[", (int)pids[i]);
	if (n > 0)
		fputc(']', f);
	fclose(f);
	return text;
}

static void answer(struct container *c, struct request *rq, bool want_list, bool want_stats)
{
	auto_free char *list = NULL, *metrics = NULL, *text = NULL;
	auto_free struct cgfs_hugetlb_stat *huge = NULL;
	struct cgfs_err err = { 0 };
	struct cgfs_stats stats;
	size_t n_huge = 0;
	int r = 0;

	if (want_list) {
		list = process_list(c, &err);
		r = list ? 0 : err.code ? err.code : -ENOMEM;
	}
	if (r == 0 && want_stats) {
		r = cgfs_group_stats(c->group, CGFS_READ_ALL, &stats, &err);
		if (r == 0) {
			r = cgfs_group_hugetlb(c->group, &huge, &n_huge, &err);
			r = r == -ENODEV ? 0 : r; /* a host without the controller */
		}
		if (r == 0) {
			metrics = properties_metrics(&stats, huge, n_huge);
			r = metrics ? 0 : -ENOMEM;
		}
	}
	if (r == 0 &&
	    asprintf(&text, "{%s%s%s%s}", list ? list : "", list && *list && metrics ? "," : "",
		     metrics ? "\"LCOWMetrics\":" : "", metrics ? metrics : "") < 0) {
		text = NULL;
		r = -ENOMEM;
	}
	if (r < 0)
		request_fail_err(rq, r, &err);
	else
		request_answer(rq, json_pack("{s:s}", "Properties", text));
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
		answer(c, rq, want_list, want_stats);
}
