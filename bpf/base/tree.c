/* SPDX-License-Identifier: MIT */
/*
 * tree.c - what a process remembers by the number of a cgroup: tsearch(3) trees of structures that
 * begin with it.
 */
#include "bpf/base/base.h"

#include <search.h>

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void *cgfs_bpf_find(void *const *tree, uint64_t cgroup_id)
{
	void **found = tfind(&cgroup_id, tree, compare);

	return found ? *found : NULL;
}

void *cgfs_bpf_get(void **tree, uint64_t cgroup_id, size_t size)
{
	uint64_t *new = cgfs_bpf_find(tree, cgroup_id);

	if (new)
		return new;
	new = calloc(1, size);
	if (!new)
		return NULL;
	*new = cgroup_id;
	if (!tsearch(new, tree, compare)) {
		free(new);
		return NULL;
	}
	return new;
}

void *cgfs_bpf_take(void **tree, uint64_t cgroup_id)
{
	void *found = cgfs_bpf_find(tree, cgroup_id);

	if (found)
		tdelete(found, tree, compare);
	return found;
}
