/* SPDX-License-Identifier: MIT */
/*
 * io.c - control files of one group in one hierarchy: read, write, remember what was there.
 * Words the errors of the file system; knows no controller.
 */
#include "controller/table.h"
#include "controller/unified_v1.h"
#include "core.h"

#include <inttypes.h>
#include <stdio.h>

struct journal_entry {
	struct journal_entry *next;
	struct cgfs_group *g;
	int hierarchy;
	char file[64];
	char value[]; /* what makes it hold again what it held */
};

struct journal {
	struct journal_entry *newest;
};

void group_file_path(const struct cgfs_group *g, int hierarchy, const char *file, char *buf,
		     size_t len)
{
	snprintf(buf, len, "%s%s%s%s", g->c->hierarchy[hierarchy].mount->path, g->path,
		 file ? "/" : "", file ? file : "");
}

int dir_error(const struct cgfs_dir *d, int code, const char *op, const char *file,
	      const char *value, struct cgfs_err *reterr)
{
	char path[sizeof(reterr->path)];

	if (!reterr)
		return code;
	group_file_path(d->g, d->hierarchy, file, path, sizeof(path));
	return cgfs_err_set(reterr, code, op, path, value, NULL);
}

int group_dir(struct cgfs_group *g, int hierarchy, int *ret_fd, struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, hierarchy, NULL };
	int fd;

	if (g->dir[hierarchy] >= 0) {
		group_used(g);
	} else {
		if (g->state == GROUP_REMOVED)
			return dir_error(&d, -ENOENT, "open", NULL, NULL, reterr);
		fd = group_open_fd(g, g->c->hierarchy[hierarchy].root_fd, g->rel,
				   O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return dir_error(&d, fd, "open", NULL, NULL, reterr);
		if (!group_is_same(g, hierarchy, fd)) {
			group_close_fd(g, &fd);
			return dir_error(&d, -ENOENT, "find again", NULL, NULL, reterr);
		}
		g->dir[hierarchy] = fd;
	}
	*ret_fd = g->dir[hierarchy];
	return 0;
}

/*
 * Where to start from and what to call the file.  A group that was just made is written
 * through the pods root, which saves opening each of its directories: two system calls in
 * four.  From then on its own descriptor leads, so that nothing can take its place.
 */
static int start(const struct cgfs_dir *d, const char *file, char *buf, size_t len,
		 const char **ret_name)
{
	int fd = d->g->dir[d->hierarchy];
	size_t rel, n;

	if (fd < 0 && d->g->inode && d->g->inode[d->hierarchy]) {
		int r = group_dir(d->g, d->hierarchy, &fd, NULL);

		if (r < 0)
			return r;
	}
	if (fd >= 0) {
		group_used(d->g);
		*ret_name = file;
		return fd;
	}
	rel = strlen(d->g->rel);
	n = strlen(file) + 1;
	if (rel + 1 + n > len)
		return -ENAMETOOLONG;
	memcpy(buf, d->g->rel, rel);
	buf[rel] = '/';
	memcpy(buf + rel + 1, file, n);
	*ret_name = buf;
	return d->g->c->hierarchy[d->hierarchy].root_fd;
}

/* @value: what is about to be written; it says which line of the file. */
static int remember(const struct cgfs_dir *d, const char *file, const char *value)
{
	char small[4096], undo[4096], *old;
	auto_free char *big = NULL;
	struct journal_entry *e;
	ssize_t n;
	int fd, r;

	if (ctl_write_only(file))
		return 0;

	r = group_dir(d->g, d->hierarchy, &fd, NULL);
	if (r < 0)
		return r;
	n = fs_read_long(d->g->c, fd, file, small, sizeof(small), &big, &old);
	if (n < 0)
		return n == -ENOENT ? 0 : (int)n; /* the write will say it better */
	while (n > 0 && old[n - 1] == '\n')
		old[--n] = '\0';
	old[n] = '\0';
	r = ctl_undo(file, value, old, undo, sizeof(undo));
	if (r < 0)
		return r;
	e = calloc(1, sizeof(*e) + strlen(undo) + 1);
	if (!e)
		return -ENOMEM;
	e->g = d->g;
	e->hierarchy = d->hierarchy;
	snprintf(e->file, sizeof(e->file), "%s", file);
	strcpy(e->value, undo);
	e->next = d->journal->newest;
	d->journal->newest = e;
	return 0;
}

/* @file, and before it, so that it comes back after it, what else the write changes. */
static int remember_all(const struct cgfs_dir *d, const char *file, const char *value,
			struct cgfs_err *reterr)
{
	const char *other = ctl_lost_with(file, d->g->c->hierarchy[d->hierarchy].mount->version);
	int r = other ? remember(d, other, "") : 0;

	if (r < 0)
		return dir_error(d, r, "read", other, NULL, reterr);
	r = remember(d, file, value);
	return r < 0 ? dir_error(d, r, "read", file, NULL, reterr) : 0;
}

/* Where a member's entry is one of `unified`, it is that. */
static void asked_unified(const struct asked *a, struct cgfs_written *w)
{
	const struct unified_plan *u = a->unified;
	unsigned int from = 0;

	if (!u || !w->members)
		return;
	if (w->members == CGFS_SET_IO_DEVICES && w->entry >= u->n_given)
		from = u->io_from[w->entry - u->n_given];
	else if (w->members != CGFS_SET_IO_DEVICES)
		from = u->from[__builtin_ctzll(w->members)];
	if (from) {
		w->members = CGFS_SET_UNIFIED;
		w->entry = from - 1;
	}
}

static void tell(const struct cgfs_dir *d, const char *file, const char *value, int error)
{
	struct cgfs *c = d->g->c;
	const struct asked *a = &c->asked;
	struct cgfs_written w = {
		.controller = a->ctl,
		.version = c->hierarchy[d->hierarchy].mount->version,
		.file = file,
		.value = value,
		.entry = a->entry,
		.error = error,
	};
	char path[2048]; /* a mount, a pods root, a pod, a container and the file */

	group_file_path(d->g, d->hierarchy, file, path, sizeof(path));
	w.path = path;
	if (a->set == CGFS_SET_UNIFIED)
		w.members = CGFS_SET_UNIFIED;
	else
		w.members = ctl_members(a->ctl, w.version, file, value, a->set);
	if (a->set != CGFS_SET_UNIFIED)
		asked_unified(a, &w);
	c->written(c->written_user, &w);
}

int dir_write(const struct cgfs_dir *d, const char *file, const char *value,
	      struct cgfs_err *reterr)
{
	char buf[FILE_PATH_MAX];
	const char *name;
	int r, fd;

	if (d->journal) {
		r = remember_all(d, file, value, reterr);
		if (r < 0)
			return r;
	}
	fd = start(d, file, buf, sizeof(buf), &name);
	r = fd < 0 ? fd : fs_write_at(d->g->c, fd, name, value);
	if (d->g->c->asked.on)
		tell(d, file, value, r);
	return r < 0 ? dir_error(d, r, "write", file, value, reterr) : 0;
}

int dir_write_limit(const struct cgfs_dir *d, const char *file, uint64_t value,
		    const char *unlimited, struct cgfs_err *reterr)
{
	char text[24];

	if (value == CGFS_MAX)
		return dir_write(d, file, unlimited, reterr);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return dir_write(d, file, text, reterr);
}

static int try_open(const struct cgfs_dir *d, const char *file, int flags)
{
	char path[FILE_PATH_MAX];
	const char *name;
	int fd = start(d, file, path, sizeof(path), &name);
	struct door_fd probe = { d->g->c, fd < 0 ? fd : fs_open(d->g->c, fd, name, flags) };
	int r = probe.fd < 0 ? probe.fd : 0;

	fs_close(d->g->c, &probe.fd);
	return r;
}

bool dir_alive(const struct cgfs_dir *d)
{
	int r = try_open(d, "cgroup.procs", O_RDONLY);

	return r != -ENOENT && r != -ENODEV;
}

int dir_has(const struct cgfs_dir *d, const char *file)
{
	int r = try_open(d, file, O_WRONLY);

	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

ssize_t dir_read(const struct cgfs_dir *d, const char *file, char *buf, size_t len,
		 struct cgfs_err *reterr)
{
	char path[FILE_PATH_MAX];
	const char *name;
	ssize_t n;
	int fd;

	fd = start(d, file, path, sizeof(path), &name);
	n = fd < 0 ? fd : fs_read_at(d->g->c, fd, name, buf, len);
	return n < 0 ? dir_error(d, (int)n, "read", file, NULL, reterr) : n;
}

ssize_t dir_read_kept(const struct cgfs_dir *d, int slot, const char *file, char *buf, size_t len)
{
	struct cgfs_group *g = d->g;
	int fd, r;

	if (!g->kept) {
		g->kept = malloc(KEPT_COUNT * sizeof(*g->kept));
		if (!g->kept)
			return -ENOMEM;
		for (int i = 0; i < KEPT_COUNT; i++)
			g->kept[i] = -EBADF;
	}
	if (g->kept[slot] == -EBADF) {
		r = group_dir(g, d->hierarchy, &fd, NULL);
		if (r < 0)
			return r == -ENOENT ? -ENODEV : r; /* the group, not the file */
		r = group_open_fd(g, fd, file, O_RDONLY);
		if (r == -ENOENT && !dir_alive(d))
			return -ENODEV;
		if (r < 0 && r != -ENOENT)
			return r;
		g->kept[slot] = r;
	}
	if (g->kept[slot] < 0)
		return g->kept[slot];
	group_used(g);
	return fs_pread(g->c, g->kept[slot], buf, len);
}

struct journal *journal_new(void)
{
	return calloc(1, sizeof(struct journal));
}

void journal_free(struct journal *j)
{
	struct journal_entry *e, *next;

	if (!j)
		return;
	for (e = j->newest; e; e = next) {
		next = e->next;
		free(e);
	}
	free(j);
}

void journal_undo(struct journal *j)
{
	if (!j)
		return;
	/* Best effort by nature: the caller already has an error to report. */
	for (struct journal_entry *e = j->newest; e; e = e->next) {
		struct cgfs_dir d = { e->g, e->hierarchy, NULL };

		(void)!dir_write(&d, e->file, e->value, NULL);
	}
	journal_free(j);
}
