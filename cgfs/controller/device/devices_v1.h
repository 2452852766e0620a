/* SPDX-License-Identifier: MIT */
/*
 * devices_v1.h - cgroup v1's devices controller: the list of a group, put into force with all that
 * is below it, and the note of a group's own list.
 */
#ifndef CGFS_CONTROLLER_DEVICES_V1_H
#define CGFS_CONTROLLER_DEVICES_V1_H

#include "cgfs/controller/base/ops.h"
#include "cgfs/request/device.h"

#define V1_ALLOW "devices.allow"
#define V1_DENY	 "devices.deny"
#define V1_LIST	 "devices.list"

/* A list that a group has of its own, which may be wider than what its pod leaves of it. */
struct own_list {
	struct cgfs_device_rule *rules; /* NULL: none, the group follows its pod */
	size_t n;
};

/* devices_note.c: keeps the list with the directory; @rules NULL: there is none. */
int devices_note(struct cgfs *c, int dirfd, const struct cgfs_device_rule *rules, size_t n,
		 struct cgfs_err *reterr);
/* -ENODATA without an error: there is no note. */
int devices_noted(struct cgfs *c, int dirfd, struct own_list *ret, struct cgfs_err *reterr);
/* What devices.list shows: a default and, where that is to deny, the exceptions. */
int devices_shown(struct cgfs *c, int dirfd, struct cgfs_devices_v1 *ret, struct cgfs_err *reterr);

/* The same as a list; the denials that v1 does not show stay in force until a new list is set. */
int shown_list(const struct cgfs_devices_v1 *shown, struct own_list *ret, struct cgfs_err *reterr);

/* What one change has done, to be taken back or to be forgotten. */
struct devices_change;

/*
 * Puts @rules (NULL: those of the pod) into force in @g and in all that is below it.  Everything
 * is planned before the first write; after a refusal everything is as it was.  @fresh: the group
 * was made just now, so that nothing is below it or noted of it.
 */
int devices_change(struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n, bool fresh,
		   struct devices_change **ret, struct cgfs_err *reterr);
int devices_change_undo(struct devices_change *change);
void devices_change_free(struct devices_change *change);

#endif
