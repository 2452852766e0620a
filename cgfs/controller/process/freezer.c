/* SPDX-License-Identifier: MIT */
/*
 * freezer.c - how the processes of a group are stopped.  cgroup2 needs no controller for it; on v1
 * it is one, which is here as a figure, too.  cgroup2's figure is in pressure.c, with the other
 * files of the tree itself.
 *
 * Kernel: cgroup-v2.rst "cgroup.freeze"; cgroup-v1/freezer-subsystem.rst
 */
#include "cgfs/controller/process/freezer.h"

#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>

static enum frozen v1_state(const char *text)
{
	return strncmp(text, "FROZEN", 6) == 0	   ? FROZEN
	       : strncmp(text, "FREEZING", 8) == 0 ? FREEZING
						   : NOT_FROZEN;
}

static enum frozen v2_state(const char *text)
{
	return strstr(text, "frozen 1") ? FROZEN : FREEZING;
}

static const struct freezer v1 = {
	.file = "freezer.state",
	.freeze = "FROZEN",
	.thaw = "THAWED",
	.shown = "freezer.state",
	.state = v1_state,
	.again = true,
};

static const struct freezer v2 = {
	.file = "cgroup.freeze",
	.freeze = "1",
	.thaw = "0",
	.shown = "cgroup.events",
	.state = v2_state,
};

const struct freezer *freezer_v1(const struct cgfs *c)
{
	return c->place[CGFS_FREEZER].version == CGFS_V1 ? &v1 : NULL;
}

const struct freezer *freezer_of(const struct cgfs *c)
{
	return c->unified >= 0 ? &v2 : freezer_v1(c);
}

static struct cgfs_dir freezer_dir(struct cgfs_group *g, const struct freezer *f)
{
	return f == &v1 ? dir_of(g, CGFS_FREEZER) : dir_in(g, g->c->unified);
}

int freezer_write(struct cgfs_group *g, const struct freezer *f, bool freeze,
		  struct cgfs_err *reterr)
{
	struct cgfs_dir d = freezer_dir(g, f);

	return dir_write(&d, f->file, freeze ? f->freeze : f->thaw, reterr);
}

int freezer_state(struct cgfs_group *g, const struct freezer *f, enum frozen *ret,
		  struct cgfs_err *reterr)
{
	struct cgfs_dir d = freezer_dir(g, f);
	char text[128];
	ssize_t n = dir_read(&d, f->shown, text, sizeof(text), reterr);

	if (n < 0)
		return (int)n;
	*ret = f->state(text);
	return 0;
}

int freezer_lost(struct cgfs_group *g, const struct freezer *f, int r)
{
	struct cgfs_dir d;

	if (!f)
		return r;
	d = freezer_dir(g, f);
	return group_part_lost(&d, r);
}

static bool v2_asked(struct cgfs_group *g)
{
	struct cgfs_dir d = freezer_dir(g, &v2);
	char text[8];

	return dir_read(&d, v2.file, text, sizeof(text), NULL) > 0 && text[0] == '1';
}

bool freezer_stops(struct cgfs_group *g)
{
	enum frozen state;

	if (freezer_of(g->c) == &v2 &&
	    (v2_asked(g) || (g->pod && v2_asked(g->pod)) ||
	     (freezer_state(g, &v2, &state, NULL) == 0 && state == FROZEN)))
		return true;
	/* The library does not use it beside a cgroup2 tree, but another process may. */
	return freezer_v1(g->c) && freezer_state(g, &v1, &state, NULL) == 0 && state != NOT_FROZEN;
}

void freezer_let_out(struct cgfs *c, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	if (freezer_v1(c))
		ignore(fs_write_at(c, c->hierarchy[c->place[CGFS_FREEZER].hierarchy].mount_fd,
				   "tasks", text));
}

static int stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		 struct cgfs_err *reterr)
{
	char text[32];
	ssize_t n = dir_read_kept(d, KEPT_FREEZER_STATE, v1.shown, text, sizeof(text));

	if (n < 0)
		return n == -ENOENT ? 0 : dir_error(d, (int)n, "read", v1.shown, NULL, reterr);
	ctl_stat_set(s, CGFS_STAT_FROZEN, v1_state(text) == FROZEN);
	return 0;
}

const struct ctl_ops ctl_freezer_v1 = {
	.reads = CGFS_READ_CGROUP | CGFS_READ_USAGE,
	.stats = stats,
};
