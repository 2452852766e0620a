/* SPDX-License-Identifier: MIT */
/*
 * past.h - events that were there before this podctl, as far as the kernel has kept them.
 */
#ifndef PODCTL_PAST_H
#define PODCTL_PAST_H

#include "agent/podctl/args/args.h"

struct cgfs_bpf;

/* What the records of @pod say that is younger than a->since_ns, appended to the array @list. */
int past_read(const struct args *a, struct cgfs_bpf *bpf, const struct cgfs_group *pod,
	      json_t *list, struct cgfs_err *reterr);
/* The oldest first. */
int past_sort(json_t **list);

#endif
