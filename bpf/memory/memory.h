/* SPDX-License-Identifier: MIT */
/*
 * memory.h - the object cgfs_mem: what each group charges for memory, and its thresholds.
 */
#ifndef BPF_MEMORY_MEMORY_H
#define BPF_MEMORY_MEMORY_H

#include "bpf/base/base.h"

#include <cgfs/abi/memory.h>

enum {
	MEMORY_IDS,
	MEMORY_MEMCG,
	MEMORY_COUNTS,
	MEMORY_CROSSED,
	MEMORY_CROSSINGS,
	MEMORY_CHARGE,
	MEMORY_BEGIN,
	MEMORY_END,
	MEMORY_LINK_BEGIN,
	MEMORY_LINK_END,
	MEMORY_LINK_CHARGE,
};

struct memory {
	struct object o;
	int n_cpus;
	void *counts; /* room for the values of all processors */
};

extern const struct object_ops cgfs_bpf_memory_object;

/* lines.c: see watch_memory() and crossed_memory() of struct cgfs_policy_ops. */
int cgfs_bpf_memory_watch(struct memory *m, uint64_t cgroup_id,
			  const struct cgfs_memory_line *lines, size_t n, struct cgfs_err *reterr);
int cgfs_bpf_memory_crossed(struct memory *m, uint64_t cgroup_id, uint64_t bytes);
/* No threshold of the memory cgroup is crossed any more, but for @but (n of them). */
void cgfs_bpf_memory_forget(const struct memory *m, uint64_t memory_id,
			    const struct cgfs_memcg *was, const struct cgfs_memory_line *but,
			    size_t n);

#endif
