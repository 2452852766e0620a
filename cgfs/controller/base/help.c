/* SPDX-License-Identifier: MIT */
/*
 * help.c - what several controllers share: figures from a file of one number or of "key value"
 * lines, and v1's eventfds.
 */
#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/event/events.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>

int ctl_why(const struct ctl_ops *ops, const struct cgfs_dir *d, int code, struct cgfs_err *reterr)
{
	const char *slash = reterr ? strrchr(reterr->path, '/') : NULL;
	char why[512] = "";

	if (!ops->why || !slash)
		return code;
	ops->why(&(struct ctl_refused){ d, slash + 1, reterr->value, code }, why, sizeof(why));
	return *why ? cgfs_err_reason(reterr, code, "%s", why) : code;
}

static int read_number(const struct stat_file *f, const char *text, size_t len,
		       struct cgfs_stats *s)
{
	uint64_t value;
	int r = cgfs_parse_u64(text, len, &value);

	if (r == 0)
		ctl_stat_set(s, f->stat, value);
	return r;
}

static int read_keyed(const struct stat_file *f, const char *text, size_t len, struct cgfs_stats *s)
{
	struct cgfs_keys known;
	struct cgfs_line line;
	int r;

	cgfs_keys_init(&known, f->keys, f->n_keys);
	/* A line of another form is a kernel's news, not an error. */
	while ((r = cgfs_parse_line(&text, &len, &line)) != 0) {
		int stat = r < 0 ? r : cgfs_keys_find(&known, line.key, line.key_len);

		if (stat >= 0)
			ctl_stat_set(s, (enum cgfs_stat)stat, line.value);
	}
	return 0;
}

int ctl_stat_file(const struct cgfs_dir *d, const struct stat_file *f, struct cgfs_stats *s,
		  struct cgfs_err *reterr)
{
	char text[8192];
	ssize_t n = dir_read_kept(d, f->slot, f->name, text, f->keys ? sizeof(text) : 64);
	int r;

	/* EOPNOTSUPP: the file is there, the kernel was booted without the account (swap). */
	if (n == -ENOENT || n == -EOPNOTSUPP)
		return 0;
	if (n < 0)
		return dir_error(d, (int)n, "read", f->name, NULL, reterr);
	r = f->keys ? read_keyed(f, text, (size_t)n, s) : read_number(f, text, (size_t)n, s);
	return r < 0 ? dir_error(d, r, "parse", f->name, text, reterr) : 0;
}

static enum cgfs_stat first_of(const struct stat_file *f)
{
	return f->keys ? (enum cgfs_stat)f->keys[0].index : f->stat;
}

static void forget(const struct stat_file *f, struct cgfs_stats *s)
{
	for (size_t i = 0; i < f->n_keys; i++)
		s->figure[f->keys[i].index] = (struct cgfs_figure){ 0 };
	if (!f->keys)
		s->figure[f->stat] = (struct cgfs_figure){ 0 };
}

/* The report has the figures of the file.  It also has those of files that this kernel does not
 * have, so each is looked at once in the life of a context, and a peak that was reset counts in its
 * descriptor. */
static bool reported(const struct cgfs_dir *d, const struct stat_file *f, struct cgfs_stats *s,
		     int *r, struct cgfs_err *reterr)
{
	enum cgfs_stat first = first_of(f);
	uint64_t slot = 1ull << f->slot;
	struct cgfs *c = d->g->c;

	if (s->figure[first].source != CGFS_SOURCE_REPORT)
		return false;
	if (!(d->g->pinned & slot)) {
		if (c->report_there & slot)
			return true;
		if (c->report_looked & slot) {
			forget(f, s);
			return true;
		}
	}
	forget(f, s);
	*r = ctl_stat_file(d, f, s, reterr);
	if (*r == 0) {
		c->report_looked |= slot;
		c->report_there |= s->figure[first].available ? slot : 0;
	}
	return true;
}

int ctl_stats(const struct cgfs_dir *d, const struct ctl_ops *ops, unsigned int what,
	      struct cgfs_stats *s, struct cgfs_err *reterr)
{
	int r = 0;

	for (const struct stat_file *f = ops->figures; f && f->name && r == 0; f++) {
		if (f->keys && !f->n_keys)
			continue;
		if (!(f->what & what)) {
			/* The kernel's report had more than was asked for. */
			if (s->figure[first_of(f)].source == CGFS_SOURCE_REPORT)
				forget(f, s);
			continue;
		}
		if (!reported(d, f, s, &r, reterr))
			r = ctl_stat_file(d, f, s, reterr);
	}
	return r == 0 && ops->stats ? ops->stats(d, what, s, reterr) : r;
}

int ctl_add_counter(const struct cgfs_dir *d, const char *file, const char *more,
		    void (*fn)(struct cgfs_group *g), int *ret_counter, struct cgfs_err *reterr)
{
	auto_door_fd struct door_fd of = { d->g->c, -EBADF };
	char text[64];
	int dir, r = group_dir(d->g, d->hierarchy, &dir, reterr);

	if (r < 0)
		return r;
	/* Needed for the registration only. */
	of.fd = fs_open(d->g->c, dir, file, O_RDONLY);
	if (of.fd < 0)
		return dir_error(d, of.fd, "open", file, NULL, reterr);
	r = events_add_counter(d->g, fn, ret_counter);
	if (r < 0)
		return dir_error(d, r, "watch", file, NULL, reterr);
	snprintf(text, sizeof(text), "%d %d%s", *ret_counter, of.fd, more);
	r = dir_write(d, "cgroup.event_control", text, reterr);
	if (r < 0)
		events_drop_counter(d->g->c, ret_counter);
	return r;
}
