/* SPDX-License-Identifier: MIT */
/*
 * mark.h - what podctl without an agent keeps with a pod or container: attributes of its directory.
 */
#ifndef PODCTL_MARK_H
#define PODCTL_MARK_H

#include "agent/podctl/args/args.h"

/* A pod that a run made is removed by the last run in it. */
#define MARK_RUN "run"

int mark_set(struct cgfs *c, struct cgfs_group *g, const char *name, const char *value);
/* The number of bytes, of which @buf has those that fit; -ENODATA: there is none. */
ssize_t mark_get(struct cgfs *c, struct cgfs_group *g, const char *name, char *buf, size_t len);
/* @labels NULL: does nothing. */
int mark_labels(struct cgfs *c, struct cgfs_group *g, const json_t *labels,
		struct cgfs_err *reterr);
/* NULL: there are none. */
json_t *mark_read_labels(struct cgfs *c, struct cgfs_group *g);

#endif
