/* SPDX-License-Identifier: MIT */
/*
 * misc.c - the misc controller: the same file on both versions, one line for each resource.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/misc.rst; cgroup-v2.rst "Misc"
 */
#include "lines.h"

#include <inttypes.h>
#include <stdio.h>

static int apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr)
{
	for (size_t i = 0; i < res->n_misc; i++) {
		char text[96];
		int r;

		if (res->misc[i].max == CGFS_MAX)
			snprintf(text, sizeof(text), "%.64s max", res->misc[i].name);
		else
			snprintf(text, sizeof(text), "%.64s %" PRIu64, res->misc[i].name,
				 res->misc[i].max);
		ctl_entry(d, i);
		r = dir_write(d, "misc.max", text, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static void current_line(void *entry, char *rest)
{
	struct cgfs_misc_stat *s = entry;

	s->current = entries_number(rest);
	s->available |= CGFS_MISC_CURRENT;
}

static void max_line(void *entry, char *rest)
{
	struct cgfs_misc_stat *s = entry;

	s->max = entries_number(rest);
	s->available |= CGFS_MISC_MAX;
}

static void peak_line(void *entry, char *rest)
{
	struct cgfs_misc_stat *s = entry;

	s->peak = entries_number(rest);
	s->available |= CGFS_MISC_PEAK;
}

/* misc.events has lines "sev.max 3": not a resource's name, until the end is off. */
static int read_events(const struct cgfs_dir *d, struct entries *e, struct cgfs_err *reterr)
{
	struct entries events = { .entry = sizeof(struct cgfs_misc_stat) };
	int r = entries_read(d, "misc.events", &events, current_line, reterr);

	for (size_t i = 0; r == 0 && i < events.n; i++) {
		struct cgfs_misc_stat *ev = (struct cgfs_misc_stat *)events.at + i, *s;
		char *dot = strrchr(ev->name, '.');

		if (!dot || !streq(dot, ".max"))
			continue;
		*dot = '\0';
		s = entries_find(e, ev->name);
		if (!s) {
			r = dir_error(d, -ENOMEM, "read", "misc.events", NULL, reterr);
			break;
		}
		s->failed = ev->current;
		s->available |= CGFS_MISC_FAILED;
	}
	free(events.at);
	return r;
}

int cgfs_group_misc(struct cgfs_group *g, struct cgfs_misc_stat **ret_misc, size_t *ret_n,
		    struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->c->place[CGFS_MISC].hierarchy, NULL };
	struct entries e = { .entry = sizeof(struct cgfs_misc_stat) };
	int r;

	if (d.hierarchy < 0)
		return cgfs_err_set(reterr, -ENODEV, "read misc resources", NULL, g->rel,
				    "the misc controller is not on this host");
	r = entries_read(&d, "misc.current", &e, current_line, reterr);
	if (r == 0)
		r = entries_read(&d, "misc.max", &e, max_line, reterr);
	if (r == 0)
		r = entries_read(&d, "misc.peak", &e, peak_line, reterr);
	if (r == 0)
		r = read_events(&d, &e, reterr);
	if (r < 0) {
		free(e.at);
		return cgfs_err_context(reterr, r, "read misc resources of \"%.80s\"", g->rel);
	}
	*ret_misc = e.at;
	*ret_n = e.n;
	return 0;
}

const struct ctl_ops ctl_misc_v1 = {
	.handles = CGFS_SET_MISC,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};

const struct ctl_ops ctl_misc_v2 = {
	.handles = CGFS_SET_MISC,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};
