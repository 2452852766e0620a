/* SPDX-License-Identifier: MIT */
/*
 * json.h - the parts of a group's JSON, each written by a file of its own.
 */
#ifndef CGFS_JSON_H
#define CGFS_JSON_H

#include "cgfs/base/json_out.h"

#include <cgfs/cgfs.h>

/* Each figure that is available, in the object that is open (json.c). */
void figure_put_stats(struct json_out *o, const struct cgfs_stats *stats);

/* The members "limits" and "cpuset" (limits_json.c). */
int figure_put_limits(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr);
int figure_put_cpuset(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr);

/* The entries of the array that is open (lists_json.c). */
int figure_put_io(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr);
int figure_put_io_limits(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr);
int figure_put_hugetlb(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr);
int figure_put_rdma(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr);
int figure_put_misc(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr);

#endif
