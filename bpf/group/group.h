/* SPDX-License-Identifier: MIT */
/*
 * group.h - which groups there are: the maps that all objects share, and what this process
 * remembers of groups beside them.
 */
#ifndef BPF_GROUP_GROUP_H
#define BPF_GROUP_GROUP_H

#include "bpf/base/base.h"

#include <cgfs/abi/history.h>

/* Full ids; those in the map are cut. */
struct known {
	uint64_t cgroup_id;
	char *pod; /* NULL: as in the map */
	char *container;
	struct known *next_gone; /* removed, kept for events that are on their way */
	uint64_t lost;
};

enum { GROUPS_STATE, GROUPS_MAP, GROUPS_HISTORY, GROUPS_CONTROL };

struct groups {
	struct object o;
	void *known;	    /* tree of struct known */
	struct known *gone; /* newest first */
	size_t n_gone;
};

extern const struct object_ops cgfs_bpf_group_object;

static inline struct groups *groups_of(const struct object *o)
{
	return (struct groups *)o->shared;
}

static inline const char *label(const struct cgfs_policy_group *group)
{
	return group->container[0] ? group->container : group->pod;
}

/* map.c: the elements of cgfs_groups, and the program that changes them. */
int cgfs_bpf_group_read(const struct groups *groups, uint64_t cgroup_id, struct cgfs_group *ret);
/* The first group, or the one behind *@cgroup_id: 1 and its number, 0 when there is none. */
int cgfs_bpf_group_first(const struct groups *groups, uint64_t *ret);
int cgfs_bpf_group_next(const struct groups *groups, uint64_t *cgroup_id);
/* Runs the program cgfs_control; the caller holds the lock of the pins for NEXT. */
int cgfs_bpf_control(const struct groups *groups, struct cgfs_control_args *args);
/* One record: 1, or 0 when there is none. */
int cgfs_bpf_history_read(const struct groups *groups, const struct cgfs_history_key *key,
			  struct cgfs_history *ret);
/* The sum of all events that found no room, or @otherwise. */
uint64_t cgfs_bpf_lost_sum(const struct groups *groups, uint64_t otherwise);
/* Name of a group's link, "links/POD:CGROUP_ID" or "links/POD,CONTAINER:CGROUP_ID". */
#define CGFS_BPF_LINK 220
void cgfs_bpf_link_name(const struct cgfs_group *g, uint64_t cgroup_id, char buf[CGFS_BPF_LINK]);
/* Opens the group's directory; @tree_fd is any directory of its tree.  -ESTALE: it is gone. */
int cgfs_bpf_group_open(int tree_fd, uint64_t cgroup_id, int flags);

/* known.c */
int cgfs_bpf_known_put(struct groups *groups, uint64_t cgroup_id, const char *pod,
		       const char *container);
/* The group is gone, @lost of its events without a record: its names are kept for events that are
 * on their way, until cgfs_bpf_known_free_gone(). */
void cgfs_bpf_known_drop(struct groups *groups, uint64_t cgroup_id, uint64_t lost);
void cgfs_bpf_known_free_gone(struct groups *groups);
void cgfs_bpf_known_free_all(struct groups *groups);
/* Fills the ids of an event from memory, else from the map. */
void cgfs_bpf_names(const struct groups *groups, uint64_t cgroup_id, struct cgfs_event *event);

#endif
