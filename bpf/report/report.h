/* SPDX-License-Identifier: MIT */
/*
 * report.h - the object cgfs_rpt: a table of all groups and their memory, in a file.
 */
#ifndef BPF_REPORT_REPORT_H
#define BPF_REPORT_REPORT_H

#include "bpf/base/base.h"

struct cgfs_figures;

extern const struct object_ops cgfs_bpf_report_object;

/* Has the kernel write the figures of all groups, for cgfs_bpf_report_get(). */
int cgfs_bpf_report_read(struct object *o, uint64_t *ret_session);
/* -ENOENT when the group is not known, or was not there at that session. */
int cgfs_bpf_report_get(struct object *o, uint64_t cgroup_id, uint64_t session,
			struct cgfs_figures *ret);

#endif
