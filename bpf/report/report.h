/* SPDX-License-Identifier: MIT */
/*
 * report.h - the object cgfs_rpt: a table of all groups and their memory, in a file.
 */
#ifndef BPF_REPORT_REPORT_H
#define BPF_REPORT_REPORT_H

#include "bpf/base/base.h"

extern const struct object_ops cgfs_bpf_report_object;

#endif
