/* SPDX-License-Identifier: MIT */
/*
 * oom.h - the object cgfs_oom: whose process the OOM killer ended.
 */
#ifndef BPF_OOM_OOM_H
#define BPF_OOM_OOM_H

#include "bpf/base/base.h"

extern const struct object_ops cgfs_bpf_oom_object;

#endif
