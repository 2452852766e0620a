/* SPDX-License-Identifier: MIT */
/*
 * dir.h - one directory of one group: its control files, and what they held before.
 */
#ifndef CGFS_TREE_DIR_H
#define CGFS_TREE_DIR_H

#include "cgfs/tree/context.h"

#include <errno.h>

/* What control files read before they were changed, to be written back on failure. */
struct journal;
struct report;

struct cgfs_dir {
	struct cgfs_group *g;
	int hierarchy;
	struct journal *journal; /* NULL: nothing to restore, the group is removed on failure */
	struct report
		*report; /* on whose behalf it is written, for cgfs.on_write; NULL: not said */
};

static inline struct cgfs_dir dir_in(struct cgfs_group *g, int hierarchy)
{
	return (struct cgfs_dir){ .g = g, .hierarchy = hierarchy };
}
/* Where the files of @ctl are. */
static inline struct cgfs_dir dir_of(struct cgfs_group *g, enum cgfs_controller ctl)
{
	return dir_in(g, g->c->place[ctl].hierarchy);
}

int dir_write(const struct cgfs_dir *d, const char *file, const char *value,
	      struct cgfs_err *reterr);
/* @unlimited is what the file takes for CGFS_MAX: "max" or "-1". */
int dir_write_limit(const struct cgfs_dir *d, const char *file, uint64_t value,
		    const char *unlimited, struct cgfs_err *reterr);
ssize_t dir_read(const struct cgfs_dir *d, const char *file, char *buf, size_t len,
		 struct cgfs_err *reterr);
/* The one number of a file; "max", -1 and what v1 has in their place are CGFS_MAX. */
int dir_read_number(const struct cgfs_dir *d, const char *file, uint64_t *ret,
		    struct cgfs_err *reterr);
/* Is the directory still there?  Distinguishes a file that the kernel lacks from a group that
 * is gone. */
bool dir_alive(const struct cgfs_dir *d);
/* @code was returned for @d: 0 where this hierarchy has lost the directory while another still has
 * its own, which is no error of the group's; else @code. */
int group_part_lost(const struct cgfs_dir *d, int code);
static inline bool is_gone(int code)
{
	return code == -ENOENT || code == -ENODEV;
}
/* Is there such a file, to write to?  1, 0, or a negative errno. */
int dir_has(const struct cgfs_dir *d, const char *file);
int dir_error(const struct cgfs_dir *d, int code, const char *op, const char *file,
	      const char *value, struct cgfs_err *reterr);
/* Same as dir_read through a descriptor that stays open; -ENOENT when there is no such file
 * (remembered), without filling an error. */
ssize_t dir_read_kept(const struct cgfs_dir *d, int slot, const char *file, char *buf, size_t len);

/* What a journal asks of control files. */
struct undo_ops {
	/* A file that does something and holds nothing? */
	bool (*write_only)(const char *file);
	/* The file whose content a write to @file changes as well; NULL: none. */
	const char *(*lost_with)(const char *file, enum cgfs_version_id version);
	/* What to write so that @file holds @old again after @value was written. */
	int (*text)(const char *file, const char *value, const char *old, char *buf, size_t len);
};
/* NULL: no memory. */
struct journal *journal_new(const struct undo_ops *ops);
/* Frees it; with a negative @r, which is returned, everything is written back before, newest first.
 * A NULL journal is nothing to do. */
int journal_end(struct journal *j, int r);

/* The group's directory in a hierarchy: opened on first use, kept. */
int group_dir(struct cgfs_group *g, int hierarchy, int *ret_fd, struct cgfs_err *reterr);
/* mount + path + file, for messages. */
void group_file_path(const struct cgfs_group *g, int hierarchy, const char *file, char *buf,
		     size_t len);

/* mark.c: makes a directory which says that this library made it; 1: it does. */
int dir_make_marked(struct cgfs *c, int dirfd, const char *name);
int dir_marked(struct cgfs *c, int dirfd);

#endif
