/* SPDX-License-Identifier: MIT */
/*
 * explain.c - the verb `explain`: what was refused to a pod, or killed in it, why, and what to
 * change.
 */
#include "agent/podctl/source/past.h"
#include "agent/podctl/verb/verb.h"
#include "cgfs/base/clock.h"
#include "cgfs/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const struct opt options[] = {
	{ "since", 0, "TIME", opt_time, offsetof(struct args, since_ns),
	  "print what happened since then: 90s, 10m or 1h30m ago, or a time\n"
	  "in UTC such as 2026-11-30T13:21:47Z" },
	{ 0 },
};

static const struct opt *const tables[] = { options, opt_answer, NULL };

/* One record in words. */
struct past {
	const struct cgfs_bpf_record *r;
	char where[2 * CGFS_ID_MAX + 2]; /* "POD/CONTAINER" */
	char whose[2 * CGFS_ID_MAX + 2]; /* the operand for what is to be changed */
	char access[4], text[400], change[2 * CGFS_ID_MAX + 200];
};

static const char *level_name(enum cgfs_history_level level)
{
	static const char *const names[] = {
		[CGFS_UNKNOWN] = "unknown",    [CGFS_OF_CONTAINER] = "container",
		[CGFS_OF_POD] = "pod",	       [CGFS_ABOVE_POD] = "above",
		[CGFS_OF_MACHINE] = "machine", [CGFS_OF_INNER] = "inner",
	};

	return level < ARRAY_SIZE(names) ? names[level] : "unknown";
}

static const char *kind_name(enum cgfs_history_kind kind)
{
	static const char *const names[] = {
		[CGFS_DENIED] = "denied",
		[CGFS_KILLED] = "killed",
		[CGFS_CROSSED] = "threshold",
		[CGFS_REFUSED] = "refused",
	};

	return names[kind];
}

/* What the process called; NULL: a kill or a threshold comes with any use of memory. */
static const char *call_name(const struct past *p)
{
	static const char *const names[] = {
		[CGFS_CALL_MAP] = "map", [CGFS_CALL_FORK] = "fork", [CGFS_CALL_EXEC] = "exec"
	};
	const struct cgfs_history *h = &p->r->value;

	if (p->r->key.kind == CGFS_DENIED)
		return h->mknod ? "mknod" : "open";
	return p->r->key.kind == CGFS_REFUSED && h->call < ARRAY_SIZE(names) ? names[h->call]
									     : NULL;
}

static void denied(struct past *p, const char *who)
{
	const struct cgfs_history *h = &p->r->value;
	const char *type = h->device == CGFS_BLOCK ? "block" : "char";
	char why[80];

	if (h->rule)
		snprintf(why, sizeof(why), "rule %u of the %s's device list denies it", h->rule,
			 level_name(h->level));
	else
		snprintf(why, sizeof(why), "no rule of the %s's device list allows it",
			 level_name(h->level));
	snprintf(p->text, sizeof(p->text), "%s was denied %s%s%s%s%s of %s device %u:%u: %s", who,
		 h->read ? "reading" : "", h->read && h->write ? " and " : "",
		 h->write ? "writing" : "", h->mknod && p->access[1] ? " and " : "",
		 h->mknod ? "mknod" : "", type, h->major, h->minor, why);
	snprintf(p->change, sizeof(p->change),
		 "to allow it, add --device '%c %u:%u %s' to the device list of %s", type[0],
		 h->major, h->minor, p->access, p->whose);
}

static void killed(struct past *p, const char *who)
{
	static const char *const whose[] = {
		[CGFS_OF_CONTAINER] = "the container was at its",
		[CGFS_OF_POD] = "the pod was at its",
		[CGFS_ABOVE_POD] = "a cgroup above the pod was at its",
		[CGFS_OF_INNER] = "a cgroup that the container made for itself was at its",
	};
	const struct cgfs_history *h = &p->r->value;
	/* Memory itself was not at its limit: that of memory and swap is v1's. */
	bool swap = !h->limit_bytes || h->usage_bytes < h->limit_bytes - h->limit_bytes / 8;
	char limit[OUT_LEN], why[160];

	switch (h->level) {
	case CGFS_OF_MACHINE:
		snprintf(why, sizeof(why), "the machine had no memory left");
		snprintf(p->change, sizeof(p->change),
			 "give pods limits that fit into the machine together; podctl ls shows "
			 "them");
		break;
	case CGFS_OF_CONTAINER:
	case CGFS_OF_POD:
	case CGFS_ABOVE_POD:
	case CGFS_OF_INNER:
		snprintf(why, sizeof(why), "%s limit of %s%s", whose[h->level],
			 swap ? "memory and swap" : "memory, ",
			 swap ? "" : out_value(limit, "bytes", h->limit_bytes));
		if (h->level == CGFS_ABOVE_POD)
			snprintf(p->change, sizeof(p->change),
				 "run fewer pods, or raise the limit of all of them");
		else if (h->level == CGFS_OF_INNER)
			snprintf(p->change, sizeof(p->change),
				 "that limit is set by what runs in %s", p->where);
		else
			snprintf(p->change, sizeof(p->change),
				 "let it use less, or raise the limit: podctl set %s --memory SIZE",
				 p->whose);
		break;
	default:
		snprintf(why, sizeof(why), "this kernel does not say at whose limit");
		snprintf(p->change, sizeof(p->change), "podctl inspect %s shows the limits",
			 p->r->value.pod);
	}
	snprintf(p->text, sizeof(p->text), "%s was killed for lack of memory: %s", who, why);
}

static void of_memory(struct past *p, const char *who)
{
	static const char *const calls[] = { "", "more memory", "a new process", "a new program" };
	const struct cgfs_history *h = &p->r->value;
	char limit[OUT_LEN], usage[OUT_LEN];

	out_value(limit, "bytes", h->limit_bytes);
	out_value(usage, "bytes", h->usage_bytes);
	if (p->r->key.kind == CGFS_CROSSED) {
		snprintf(p->text, sizeof(p->text),
			 "%s made the %s's memory cross the threshold of %s: it was %s", who,
			 level_name(h->level), limit, usage);
		return;
	}
	snprintf(p->text, sizeof(p->text), "%s was refused %s: the %s was at its budget of %s", who,
		 calls[h->call < ARRAY_SIZE(calls) ? h->call : 0], level_name(h->level), limit);
	snprintf(p->change, sizeof(p->change), "let it use less, or raise the budget of %s",
		 p->whose);
}

static void put(struct past *p, const struct cgfs_bpf_record *r, const struct target *t)
{
	const struct cgfs_history *h = &r->value;
	char name[4 * sizeof(h->comm) + 1], who[100];

	*p = (struct past){ .r = r };
	snprintf(p->where, sizeof(p->where), "%s%s%s", t->pod, *h->container ? "/" : "",
		 *t->ctr ? t->ctr : h->container);
	snprintf(p->whose, sizeof(p->whose), "%s", h->level == CGFS_OF_POD ? t->pod : p->where);
	snprintf(p->access, sizeof(p->access), "%s%s%s", h->read ? "r" : "", h->write ? "w" : "",
		 h->mknod ? "m" : "");
	cgfs_text_show(name, sizeof(name), h->comm);
	snprintf(who, sizeof(who), "%s (pid %" PRIu64 ")", name, (uint64_t)h->pid);
	if (r->key.kind == CGFS_DENIED)
		denied(p, who);
	else if (r->key.kind == CGFS_KILLED)
		killed(p, who);
	else
		of_memory(p, who);
}

/* Records carry CLOCK_BOOTTIME; @offset makes it the time of day. */
static void wall_clock(char buf[32], int64_t ns)
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;

	localtime_r(&s, &tm);
	strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

static void print(const struct past *p, int64_t offset)
{
	const struct cgfs_history *h = &p->r->value;
	char last[32], first[32];

	wall_clock(last, offset + (int64_t)h->last_ns);
	wall_clock(first, offset + (int64_t)h->first_ns);
	printf("%s  %s: %s", last, p->where, p->text);
	if (h->count > 1)
		printf("; %" PRIu64 " times since %s", (uint64_t)h->count, first);
	printf(".\n");
	if (*p->change)
		printf("%21s%s.\n", "", p->change);
}

static json_t *document(const struct past *p)
{
	const struct cgfs_history *h = &p->r->value;
	json_t *doc =
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s}", "kind",
			  kind_name(p->r->key.kind), "container", h->container, "count",
			  (json_int_t)h->count, "first_ns", (json_int_t)h->first_ns, "last_ns",
			  (json_int_t)h->last_ns, "pid", (json_int_t)h->pid, "comm", "", "level",
			  level_name(h->level), "text", p->text, "change", p->change);
	char name[4 * sizeof(h->comm) + 1];

	if (!doc)
		return NULL;
	cgfs_text_show(name, sizeof(name), h->comm);
	json_object_set_new(doc, "comm", json_string(name));
	if (call_name(p))
		json_object_set_new(doc, "call", json_string(call_name(p)));
	if (p->r->key.kind == CGFS_DENIED) {
		json_object_set_new(doc, "device",
				    json_pack("{s:s, s:I, s:I, s:s}", "type",
					      h->device == CGFS_BLOCK ? "b" : "c", "major",
					      (json_int_t)h->major, "minor", (json_int_t)h->minor,
					      "access", p->access));
		json_object_set_new(doc, "rule", json_integer(h->rule));
	} else {
		json_object_set_new(doc, "limit_bytes", json_integer((json_int_t)h->limit_bytes));
		json_object_set_new(doc, "usage_bytes", json_integer((json_int_t)h->usage_bytes));
	}
	return doc;
}

/* The names of a record are cut. */
static bool meant(const struct args *a, const struct cgfs_history *h, int64_t offset)
{
	return (!*a->target.ctr ||
		strncmp(h->container, a->target.ctr, CGFS_GROUP_NAME - 1) == 0) &&
	       (a->since_ns == INT64_MIN || offset + (int64_t)h->last_ns >= a->since_ns);
}

static int show(const struct args *a, const struct cgfs_bpf_record *record, size_t n, uint64_t lost,
		struct cgfs_err *reterr)
{
	int64_t offset = (int64_t)(now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME));
	json_t *list = a->json ? json_array() : NULL;
	bool any = false;
	struct past p;

	for (size_t i = 0; i < n; i++) {
		const struct cgfs_bpf_record *one = CGFS_AT(record, i);

		if (!meant(a, &one->value, offset))
			continue;
		any = true;
		put(&p, one, &a->target);
		if (a->json)
			json_array_append_new(list, document(&p));
		else
			print(&p, offset);
	}
	if (a->json)
		return out_json(json_pack("{s:s, s:o, s:I}", "pod", a->target.pod, "records", list,
					  "lost", (json_int_t)lost),
				reterr);
	if (!any)
		printf("nothing is recorded of %s\n", a->argv[0]);
	if (lost)
		out_note("warning: the map was full, and %" PRIu64
			 " records of pods without any were not kept",
			 lost);
	return 0;
}

static int check(struct args *a, struct cgfs_err *reterr)
{
	return target_parse("explain", a->argv[0], &a->target, reterr);
}

/* The container may be gone; its pod has the records. */
static int explain(struct args *a, struct source *s, struct cgfs_err *reterr)
{
	struct cgfs_bpf_record *record = NULL;
	struct group_info info = { 0 };
	struct target pod = a->target;
	uint64_t lost;
	size_t n;
	int r;

	pod.ctr[0] = '\0';
	r = s->ops->stat(s, &pod, CGFS_READ_CGROUP, &info, reterr);
	if (r == 0)
		r = history_read(a, info.cgroup_id, &record, &n, &lost, reterr);
	info_free(&info);
	if (r < 0)
		return cgfs_err_context(reterr, r, "explain \"%s\"", a->argv[0]);
	r = show(a, record, n, lost, reterr);
	free(record);
	return r;
}

const struct verb verb_explain = {
	.name = "explain",
	.operands = "POD[/CONTAINER]",
	.summary = "Say what was refused to a pod, or killed in it, and why",
	.text = "Prints the last denied devices, kills for lack of memory, crossed thresholds and\n"
		"refusals by a memory budget, the latest first: which process, by which rule or\n"
		"at whose limit, how often, and what to change.  They are read from a pinned eBPF\n"
		"map of this machine, which keeps them until the pod is removed, also of\n"
		"containers that are gone.  Reading changes nothing.",
	.tables = tables,
	.min = 1,
	.max = 1,
	.check = check,
	.here = true,
	.with = explain,
};
