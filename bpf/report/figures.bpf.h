/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * figures.bpf.h - the figures of one memory cgroup, as the kernel's structures have them.
 */
#ifndef BPF_REPORT_FIGURES_BPF_H
#define BPF_REPORT_FIGURES_BPF_H

#include "bpf/base/kernel.h"

#include <cgfs/abi/report.h>
#include <linux/bpf.h>

/* After linux/bpf.h, whose types they use. */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Linux 7.2 has them; their addresses are 0 where there are none. */
struct mem_cgroup *bpf_get_mem_cgroup(struct cgroup_subsys_state *css) __ksym __weak;
void bpf_put_mem_cgroup(struct mem_cgroup *memcg) __ksym __weak;
void bpf_mem_cgroup_flush_stats(struct mem_cgroup *memcg) __ksym __weak;
unsigned long bpf_mem_cgroup_page_state(struct mem_cgroup *memcg, int item) __ksym __weak;
unsigned long bpf_mem_cgroup_vm_events(struct mem_cgroup *memcg,
				       enum vm_event_item item) __ksym __weak;

/* One read of a structure costs a third of one read of each member. */
struct raw {
	__u64 word[32];
};

#define RAW_READ(raw, size, at)                                                                    \
	bpf_probe_read_kernel(raw, (size) < sizeof(*(raw)) ? (size) : sizeof(*(raw)), at)

/* The offset is known when the program is loaded; a kernel whose structure is longer than that
 * refuses it. */
#define COUNTER(raw, member)                                                                       \
	(*(__u64 *)((char *)(raw) + bpf_core_field_offset(struct page_counter, member)))

static __always_inline __u64 limit(__u64 pages, __u64 page_bytes)
{
	/* Without a limit it is the highest number of pages that fits, signed. */
	return pages >= (~0ull >> 1) / page_bytes ? CGFS_FIGURE_NONE : pages * page_bytes;
}

static __always_inline void counters(struct cgfs_figures *f, struct mem_cgroup *memcg,
				     __u64 page_bytes)
{
	struct page_counter *c = &memcg->memory;
	__u64 soft = 0;
	struct raw raw;

	RAW_READ(&raw, bpf_core_type_size(struct page_counter), c);
	f->current_bytes = COUNTER(&raw, usage) * page_bytes;
	f->max_bytes = limit(COUNTER(&raw, max), page_bytes);
	f->high_bytes = limit(COUNTER(&raw, high), page_bytes);
	f->low_bytes = limit(COUNTER(&raw, low), page_bytes);
	f->min_bytes = limit(COUNTER(&raw, min), page_bytes);
	f->peak_bytes = COUNTER(&raw, watermark) * page_bytes;
	if (bpf_core_field_exists(struct page_counter, failcnt))
		f->failed = COUNTER(&raw, failcnt);
	c = &memcg->swap;
	RAW_READ(&raw, bpf_core_type_size(struct page_counter), c);
	f->swap_current_bytes = COUNTER(&raw, usage) * page_bytes;
	f->swap_max_bytes = limit(COUNTER(&raw, max), page_bytes);
	f->swap_peak_bytes = COUNTER(&raw, watermark) * page_bytes;
	if (bpf_core_field_exists(memcg->soft_limit)) {
		bpf_core_read(&soft, sizeof(soft), &memcg->soft_limit);
		f->soft_bytes = limit(soft, page_bytes);
	}
	if (bpf_core_field_exists(memcg->kmem))
		f->kernel_bytes = BPF_CORE_READ(memcg, kmem.usage.counter) * page_bytes;
}

#define EVENT(raw, event) ((raw)->word[bpf_core_enum_value(enum memcg_memory_event, event)])

/* The stack of a program is 512 bytes, with that of what it calls. */
static __noinline void events(struct cgfs_figure_events *e, const void *at, __u32 size)
{
	struct {
		__u64 word[16];
	} raw;

	RAW_READ(&raw, size, at);
	e->low = EVENT(&raw, MEMCG_LOW);
	e->high = EVENT(&raw, MEMCG_HIGH);
	e->max = EVENT(&raw, MEMCG_MAX);
	e->oom = EVENT(&raw, MEMCG_OOM);
	e->oom_kill = EVENT(&raw, MEMCG_OOM_KILL);
	e->oom_group_kill = EVENT(&raw, MEMCG_OOM_GROUP_KILL);
	e->swap_max = EVENT(&raw, MEMCG_SWAP_MAX);
	e->swap_fail = EVENT(&raw, MEMCG_SWAP_FAIL);
}

#define STATE(memcg, type, item)                                                                   \
	bpf_mem_cgroup_page_state(memcg, bpf_core_enum_value(enum type, item))

static __always_inline void stat(struct cgfs_figure_stat *s, struct mem_cgroup *m)
{
	s->anon = STATE(m, node_stat_item, NR_ANON_MAPPED);
	s->file = STATE(m, node_stat_item, NR_FILE_PAGES);
	s->kernel = STATE(m, memcg_stat_item, MEMCG_KMEM);
	s->kernel_stack = STATE(m, node_stat_item, NR_KERNEL_STACK_KB);
	s->pagetables = STATE(m, node_stat_item, NR_PAGETABLE);
	s->sock = STATE(m, memcg_stat_item, MEMCG_SOCK);
	s->shmem = STATE(m, node_stat_item, NR_SHMEM);
	s->zswapped = CGFS_FIGURE_NONE;
	if (bpf_core_enum_value_exists(enum memcg_stat_item, MEMCG_ZSWAPPED))
		s->zswapped = STATE(m, memcg_stat_item, MEMCG_ZSWAPPED);
	s->file_mapped = STATE(m, node_stat_item, NR_FILE_MAPPED);
	s->file_dirty = STATE(m, node_stat_item, NR_FILE_DIRTY);
	s->file_writeback = STATE(m, node_stat_item, NR_WRITEBACK);
	s->anon_thp = STATE(m, node_stat_item, NR_ANON_THPS);
	s->inactive_anon = STATE(m, node_stat_item, NR_INACTIVE_ANON);
	s->active_anon = STATE(m, node_stat_item, NR_ACTIVE_ANON);
	s->inactive_file = STATE(m, node_stat_item, NR_INACTIVE_FILE);
	s->active_file = STATE(m, node_stat_item, NR_ACTIVE_FILE);
	s->unevictable = STATE(m, node_stat_item, NR_UNEVICTABLE);
	s->slab = STATE(m, node_stat_item, NR_SLAB_RECLAIMABLE_B) +
		  STATE(m, node_stat_item, NR_SLAB_UNRECLAIMABLE_B);
	s->refault_anon = STATE(m, node_stat_item, WORKINGSET_REFAULT_ANON);
	s->refault_file = STATE(m, node_stat_item, WORKINGSET_REFAULT_FILE);
	s->pgfault = bpf_mem_cgroup_vm_events(m, bpf_core_enum_value(enum vm_event_item, PGFAULT));
	s->pgmajfault =
		bpf_mem_cgroup_vm_events(m, bpf_core_enum_value(enum vm_event_item, PGMAJFAULT));
}

#endif
