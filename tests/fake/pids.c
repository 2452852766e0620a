// SPDX-License-Identifier: MIT
/*
 * pids.c - the pids controller.  Moving in is never refused, forking is.
 */
#include "host.h"

#define PIDS_MOST 4194304 /* PID_MAX_LIMIT */

static bool has_pids(const struct node *n)
{
	return n->parent && (n->enabled & (1u << CGFS_PIDS));
}

/* An inner cgroup for which the controller is not enabled is counted as its ancestor. */
static struct node *counted_in(struct node *n)
{
	while (n && !has_pids(n))
		n = n->parent;
	return n;
}

void fake_pids_joined(struct node *n)
{
	for (n = counted_in(n); n; n = counted_in(n->parent)) {
		if (n->procs_below > n->pids_peak)
			n->pids_peak = n->procs_below;
	}
}

/*
 * v1, and cgroup2 before 6.12: counted where the process is that forked.  Since then: `local`
 * at the limit that refused, `events` there and above.
 */
static void refused(struct node *forking, struct node *limit)
{
	if (forking->h->version == CGFS_V1 || !fake_since(forking->host, FAKE_KERNEL_6_12)) {
		forking->pids_events++;
		fake_notify_name(forking, "pids.events");
		return;
	}
	limit->pids_events_local++;
	fake_notify_name(limit, "pids.events.local");
	for (; limit && limit->parent; limit = limit->parent) {
		limit->pids_events++;
		fake_notify_name(limit, "pids.events");
	}
}

int fake_pids_may_fork(struct node *forking)
{
	forking = counted_in(forking);
	for (struct node *n = forking; n; n = counted_in(n->parent)) {
		if (n->pids_max != FAKE_NONE && n->procs_below + 1 > n->pids_max) {
			refused(forking, n);
			return -EAGAIN;
		}
	}
	return 0;
}

static int store_max(const struct open_file *file, char *text)
{
	int64_t v;
	int r;

	text = fake_strip(text);
	if (strcmp(text, "max") == 0) {
		file->node->pids_max = FAKE_NONE;
		return 0;
	}
	r = fake_parse_s64(text, &v);
	if (r < 0)
		return r;
	if (v < 0 || v > PIDS_MOST)
		return -EINVAL;
	file->node->pids_max = (uint64_t)v;
	return 0;
}

static int show_current(const struct open_file *file, FILE *out)
{
	fprintf(out, "%zu\n", file->node->procs_below);
	return 0;
}

static int show_events(const struct open_file *file, FILE *out)
{
	fprintf(out, "max %llu\n", (unsigned long long)*fake_field(file->node, file->type));
	return 0;
}

static void online(struct node *n)
{
	n->pids_peak = n->procs_below;
}

static const struct ctl_file v1[] = {
	CTL("pids.current", CHILD, show_current, NULL),
	CTL("pids.events", CHILD, show_events, NULL, FIELD(pids_events)),
	CTL("pids.max", CHILD, fake_show_max, store_max, FIELD(pids_max), .init = FAKE_NONE),
	CTL("pids.peak", CHILD, fake_show_u64, NULL, FIELD(pids_peak)),
	{ .name = NULL },
};

static const struct ctl_file v2[] = {
	CTL("pids.current", CHILD, show_current, NULL),
	CTL("pids.events", CHILD, show_events, NULL, FIELD(pids_events)),
	CTL("pids.events.local", CHILD, show_events, NULL, FIELD(pids_events_local), SINCE(6, 12)),
	CTL("pids.max", CHILD, fake_show_max, store_max, FIELD(pids_max), .init = FAKE_NONE),
	CTL("pids.peak", CHILD, fake_show_u64, NULL, FIELD(pids_peak)),
	{ .name = NULL },
};

const struct controller fake_pids = {
	.v1_name = "pids",
	.v2_name = "pids",
	.v1 = v1,
	.v2 = v2,
	.threaded = true,
	.online = online,
};
