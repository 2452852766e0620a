// SPDX-License-Identifier: MIT
/*
 * freezer.c - the v1 freezer, and cgroup.freeze of cgroup2.
 *
 * Freezing takes no time, unless a test wants it to.
 */
#include "host.h"

static bool freezing_by_itself(const struct node *n)
{
	return n->parent && n->freeze;
}

bool fake_node_freezing(const struct node *n)
{
	for (; n; n = n->parent) {
		if (freezing_by_itself(n))
			return true;
	}
	return false;
}

bool fake_node_frozen(const struct node *n)
{
	for (; n; n = n->parent) {
		if (freezing_by_itself(n) && n->host->now >= n->frozen_at)
			return true;
	}
	return false;
}

void fake_refresh_frozen(struct node *n)
{
	bool frozen = fake_node_frozen(n);

	if (frozen != n->was_frozen) {
		n->was_frozen = frozen;
		fake_notify_name(n, "cgroup.events");
	}
	for (struct node *c = n->children; c; c = c->next)
		fake_refresh_frozen(c);
}

static void freeze(struct node *n, bool on)
{
	if (on && !n->freeze)
		n->frozen_at = n->host->now + n->host->freeze_delay;
	n->freeze = on;
	fake_refresh_frozen(n);
	fake_reap(n->host); /* a process that was killed while frozen dies now */
}

/* v2 */
int fake_store_freeze(const struct open_file *file, char *text)
{
	int v, r = fake_parse_int(fake_strip(text), &v);

	if (r < 0)
		return r;
	if (v < 0 || v > 1)
		return -ERANGE;
	freeze(file->node, v);
	return 0;
}

static int show_state(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	fputs(fake_node_frozen(n)     ? "FROZEN\n"
	      : fake_node_freezing(n) ? "FREEZING\n"
				      : "THAWED\n",
	      out);
	return 0;
}

static int store_state(const struct open_file *file, char *text)
{
	text = fake_strip(text);
	if (strcmp(text, "FROZEN") != 0 && strcmp(text, "THAWED") != 0)
		return -EINVAL;
	freeze(file->node, *text == 'F');
	return 0;
}

static int show_parent_freezing(const struct open_file *file, FILE *out)
{
	fprintf(out, "%d\n", fake_node_freezing(file->node->parent));
	return 0;
}

static const struct ctl_file v1[] = {
	CTL("freezer.parent_freezing", CHILD, show_parent_freezing, NULL),
	CTL("freezer.self_freezing", CHILD, fake_show_u64, NULL, FIELD(freeze)),
	CTL("freezer.state", CHILD, show_state, store_state),
	{ .name = NULL },
};

const struct controller fake_freezer = { .v1_name = "freezer", .v1 = v1 };
