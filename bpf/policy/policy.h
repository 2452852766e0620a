/* SPDX-License-Identifier: MIT */
/*
 * policy.h - the handle: the pins and one struct object for each row of the table of objects.
 */
#ifndef BPF_POLICY_POLICY_H
#define BPF_POLICY_POLICY_H

#include "bpf/group/group.h"

#include <cgfs/bpf.h>

#define OBJECTS_MAX 8

/* Runs the statement behind it for each object @o of @b that is loaded and has @function. */
#define FOR_ALL(b, o, function)                                                                    \
	for (struct object *const *o##_ = (b)->object, *o; (o = *o##_); o##_++)                    \
		if (!o->on || !o->ops->function) {                                                 \
		} else

struct ring_buffer;

struct events {
	int epoll_fd, timer_fd;
	struct ring_buffer *ring;
	struct cgfs_event *slot; /* where the ring's callback puts what it read */
	bool timer_set;
	uint64_t lost_seen; /* of the sum of lost events */
	struct lost {
		uint64_t cgroup_id;
		uint64_t count;
	} * lost;
	size_t n_lost;
	bool foreign_pids; /* our process ids are not those of the initial namespace */
	struct pin_watch {
		int fd;	   /* inotify; -EBADF: the pins are not watched */
		int links; /* its number of the directory of links */
	} watch;
};

struct cgfs_bpf {
	struct cgfs_policy policy;
	struct pins pins;
	struct object *object[OBJECTS_MAX + 1]; /* as objects[] of open.c, then NULL */
	size_t n;
	struct groups *groups; /* object[0] */
	struct events events;
	bool detached; /* the pins were lost, and links are not yet there again */
};

/* Are all required objects pinned?  Without one, the others' pins are what a crash left. */
bool cgfs_bpf_all_pinned(const struct cgfs_bpf *b);

/* Takes over the object that another process has pinned since, for the first budget. */
void cgfs_bpf_find_late(struct cgfs_bpf *b);
/* The pins of what enforces budgets may have been removed while no process used them, and the
 * programs were left attached: they go.  The caller holds the lock. */
int cgfs_bpf_clear_budget(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
			  struct cgfs_err *reterr);

/* life.c: functions of struct cgfs_policy_ops. */
int cgfs_bpf_add(void *ctx, const struct cgfs_policy_group *group,
		 const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr);
int cgfs_bpf_set_rules(void *ctx, const struct cgfs_policy_group *group,
		       const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr);
int cgfs_bpf_remove(void *ctx, const struct cgfs_policy_group *group, struct cgfs_err *reterr);
int cgfs_bpf_sweep(void *ctx, int cgroup2_fd, struct cgfs_err *reterr);
int cgfs_bpf_counters(void *ctx, uint64_t cgroup_id, struct cgfs_policy_counters *ret);
/* -EBUSY, which says how many and names one, when there are groups whose cgroups live; the caller
 * holds the lock. */
int cgfs_bpf_no_groups(struct cgfs_bpf *b, struct cgfs_err *reterr);
/* What all objects do when a group is added. */
int cgfs_bpf_add_to_all(struct cgfs_bpf *b, struct object_group *g, struct cgfs_err *reterr);

/* recover.c: the directory of any cgroup2 tree, which leads to all others by their numbers. */
int cgfs_bpf_open_tree(void);
/* recover() of struct pins. */
int cgfs_bpf_recover(struct pins *p, struct cgfs_err *reterr);
/* Attaches what lost its link again; @tree_fd: any directory of the cgroup2 tree. */
int cgfs_bpf_attach_all(struct cgfs_bpf *b, int tree_fd, struct cgfs_err *reterr);
/* Everything that is missing of the pins is there again afterwards; *@ret_groups are attached. */
int cgfs_bpf_restore(struct cgfs_bpf *b, uint64_t *ret_groups, struct cgfs_err *reterr);

/* watch.c: pins that another process removes come back. */
void cgfs_bpf_watch_open(struct cgfs_bpf *b);
void cgfs_bpf_watch_close(struct cgfs_bpf *b);
/* 1 with an event: pins were missing. */
int cgfs_bpf_watch_read(struct cgfs_bpf *b, struct cgfs_event *ret, struct cgfs_err *reterr);

/* events.c: the rings, and what was lost, as struct cgfs_event. */
int cgfs_bpf_events_open(struct cgfs_bpf *b, struct cgfs_err *reterr);
/* The object was loaded after the events were opened. */
int cgfs_bpf_events_add(struct cgfs_bpf *b, const struct object *o, struct cgfs_err *reterr);
void cgfs_bpf_events_close(struct cgfs_bpf *b);
int cgfs_bpf_event_fd(void *ctx);
/* A group was removed: within a second the descriptor is ready, and the next read gives back what
 * is kept for events of removed groups, also when none of them has come. */
void cgfs_bpf_events_removed(struct cgfs_bpf *b);
/* A group was added or changed. */
void cgfs_bpf_events_changed(struct cgfs_bpf *b);
int cgfs_bpf_event_read(void *ctx, struct cgfs_event *ret_event, struct cgfs_err *reterr);

/* probe.c: what this kernel can do, tried. */
int cgfs_bpf_probe(void *ctx, struct cgfs_capabilities *caps, struct cgfs_err *reterr);

#endif
