/* SPDX-License-Identifier: MIT */
/*
 * misc.c - the misc controller: the same file on both versions, one line for each resource.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/misc.rst; cgroup-v2.rst "Misc"
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/base/lines.h"
#include "cgfs/controller/base/report.h"

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
		report_entry(d, i);
		r = dir_write(d, "misc.max", text, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct part {
	const char *file;
	size_t member;
	unsigned int bit; /* of `available` */
} parts[] = {
	{ "misc.current", offsetof(struct cgfs_misc_stat, current), CGFS_MISC_CURRENT },
	{ "misc.max", offsetof(struct cgfs_misc_stat, max), CGFS_MISC_MAX },
	{ "misc.peak", offsetof(struct cgfs_misc_stat, peak), CGFS_MISC_PEAK },
};

static void read_part(void *entry, char *rest, const void *arg)
{
	struct cgfs_misc_stat *s = entry;
	const struct part *p = arg;

	*(uint64_t *)((char *)s + p->member) = entries_number(rest);
	s->available |= p->bit;
}

/* misc.events has lines "sev.max 3": not a resource's name, until the end is off. */
static int read_events(const struct cgfs_dir *d, struct entries *e, struct cgfs_err *reterr)
{
	struct entries events = { .entry = sizeof(struct cgfs_misc_stat),
				  .name = offsetof(struct cgfs_misc_stat, name) };
	int r = entries_read(d, "misc.events", &events, read_part, parts, reterr);

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
	struct cgfs_dir d = dir_of(g, CGFS_MISC);
	struct entries e = { .entry = sizeof(struct cgfs_misc_stat),
			     .name = offsetof(struct cgfs_misc_stat, name) };
	int r = 0;

	if (d.hierarchy < 0)
		return err_value(reterr, -ENODEV, "read misc resources", g->rel,
				 "the misc controller is not on this host");
	for (size_t i = 0; i < ARRAY_SIZE(parts) && r == 0; i++)
		r = entries_read(&d, parts[i].file, &e, read_part, &parts[i], reterr);
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

const struct ctl_ops ctl_misc = {
	.handles = CGFS_SET_MISC,
	.apply = apply,
};
