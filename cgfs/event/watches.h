/* SPDX-License-Identifier: MIT */
/*
 * watches.h - what is called for a descriptor: inotify's watch descriptors, or eventfds.
 */
#ifndef CGFS_WATCHES_H
#define CGFS_WATCHES_H

#include <cgfs/cgfs.h>

typedef void watch_fn(struct cgfs_group *g);

struct watch {
	struct watch *next;
	int id;
	struct cgfs_group *g;
	watch_fn *fn;
	uint64_t round; /* the last watches_call() that was not, or is not any more, for it */
};

struct watches {
	struct watch **bucket;
	size_t n, size; /* size is a power of two, or 0 */
	uint64_t round; /* how many calls of watches_call() */
};

/* inotify has one watch descriptor per file: several functions, and several handles of one group,
 * may wait for the same number. */
int watches_add(struct watches *w, int id, struct cgfs_group *g, watch_fn *fn);
/* @g NULL: any of them. */
struct watch **watches_find(const struct watches *w, int id, const struct cgfs_group *g,
			    watch_fn *fn);
void watches_remove(struct watches *w, int id, const struct cgfs_group *g, watch_fn *fn);
/* Calls all functions that wait for @id.  A call may add and remove watches, its own included. */
void watches_call(struct watches *w, int id);
void watches_free(struct watches *w);

#endif
