/* SPDX-License-Identifier: MIT */
/*
 * dir.c - control files of one group in one hierarchy: read, write, remember what was there.
 * Words the errors of the file system; knows no controller: what a
 * journal needs to know of a file it asks of its undo_ops.
 */
#include "cgfs/tree/dir.h"

#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/tree/descriptors.h"
#include "cgfs/tree/fs.h"
#include "cgfs/tree/kept.h"

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
	const struct undo_ops *ops;
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
	struct cgfs_dir d = dir_in(g, hierarchy);
	int fd;

	if (g->dir[hierarchy] >= 0) {
		group_used(g);
	} else {
		if (g->state == GROUP_REMOVED || g->c->hierarchy[hierarchy].root_fd < 0)
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
	fd = d->g->c->hierarchy[d->hierarchy].root_fd;
	return fd < 0 ? -ENOENT : fd;
}

/* @value: what is about to be written; it says which line of the file. */
static int remember(const struct cgfs_dir *d, const char *file, const char *value)
{
	char small[4096], undo[4096], *old;
	auto_free char *big = NULL;
	struct journal_entry *e;
	ssize_t n;
	int fd, r;

	if (d->journal->ops->write_only(file))
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
	r = d->journal->ops->text(file, value, old, undo, sizeof(undo));
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
	enum cgfs_version_id version = d->g->c->hierarchy[d->hierarchy].mount->version;
	const char *other = d->journal->ops->lost_with(file, version);
	int r = other ? remember(d, other, "") : 0;

	if (r < 0)
		return dir_error(d, r, "read", other, NULL, reterr);
	r = remember(d, file, value);
	return r < 0 ? dir_error(d, r, "read", file, NULL, reterr) : 0;
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
	if (d->report && d->g->c->on_write)
		d->g->c->on_write(d, file, value, r);
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

/* Is the group's directory in any hierarchy? */
static bool group_lives(struct cgfs_group *g)
{
	for (int i = 0; i < g->c->n; i++) {
		if (dir_alive(&(struct cgfs_dir){ .g = g, .hierarchy = i }))
			return true;
	}
	return false;
}

int group_part_lost(const struct cgfs_dir *d, int code)
{
	/* One call that failed is not enough: the directory is asked for again. */
	return is_gone(code) && !dir_alive(d) && group_lives(d->g) ? 0 : code;
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
	int fd = start(d, file, path, sizeof(path), &name);
	ssize_t n = fd < 0 ? fd : fs_read_at(d->g->c, fd, name, buf, len);

	return n < 0 ? dir_error(d, (int)n, "read", file, NULL, reterr) : n;
}

int dir_read_number(const struct cgfs_dir *d, const char *file, uint64_t *ret,
		    struct cgfs_err *reterr)
{
	char text[32];
	ssize_t n = dir_read(d, file, text, sizeof(text), reterr);
	int r;

	if (n < 0)
		return (int)n;
	r = cgfs_parse_v1_limit(text, (size_t)n, ret);
	return r < 0 ? dir_error(d, r, "parse", file, text, reterr) : 0;
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
	/* A walk over all groups keeps the order that was. */
	if (!g->c->walking)
		group_used(g);
	return fs_pread(g->c, g->kept[slot], buf, len);
}

struct journal *journal_new(const struct undo_ops *ops)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (j)
		j->ops = ops;
	return j;
}

int journal_end(struct journal *j, int r)
{
	struct journal_entry *e, *next;

	for (e = j ? j->newest : NULL; e; e = next) {
		struct cgfs_dir d = dir_in(e->g, e->hierarchy);

		next = e->next;
		/* Best effort by nature: the caller already has an error to report. */
		if (r < 0)
			ignore(dir_write(&d, e->file, e->value, NULL));
		free(e);
	}
	free(j);
	return r;
}
