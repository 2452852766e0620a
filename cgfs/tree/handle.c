/* SPDX-License-Identifier: MIT */
/*
 * handle.c - the accessors of a handle, which only read memory.
 */
#include "cgfs/tree/context.h"

void group_policy(const struct cgfs_group *g, struct cgfs_policy_group *ret)
{
	*ret = (struct cgfs_policy_group){
		.sz = sizeof(*ret),
		.cgroup_fd = g->dir[g->c->unified],
		.cgroup_id = g->cgroup_id,
		.pod_cgroup_id = g->pod ? g->pod->cgroup_id : g->cgroup_id,
		.pod = g->is_pod ? g->id
		       : g->pod	 ? g->pod->id
				 : "",
		.container = g->is_pod ? "" : g->id,
	};
}

const char *cgfs_group_id(const struct cgfs_group *g)
{
	return g->id;
}

struct cgfs_group *cgfs_group_pod(const struct cgfs_group *g)
{
	return g->pod;
}

bool cgfs_group_is_pod(const struct cgfs_group *g)
{
	return g->is_pod;
}

uint64_t cgfs_group_cgroup_id(const struct cgfs_group *g)
{
	return g->cgroup_id;
}

const char *cgfs_group_path(const struct cgfs_group *g)
{
	return g->path;
}
