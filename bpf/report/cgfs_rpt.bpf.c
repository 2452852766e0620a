/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * cgfs_rpt.bpf.c - `cat mem`: a table of the pods and containers and their memory, printed by the
 * kernel itself, with no process of ours.  `all`: the same for programs, more of it, into a map.
 *
 * Runs for each cgroup of the hierarchy that carries memory, a pod before its containers.  Usage,
 * limit and peak are those of the control files; what is counted at the charge comes from cgfs_mem,
 * where it is loaded.  Optional: needs the kernel's BTF.
 */
#include "bpf/base/kernel.h"
#include "bpf/group/charged.bpf.h"
#include "bpf/group/maps.bpf.h"
#include "bpf/report/figures.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <cgfs/abi/report.h>

#define CPUS_MAX  8192
#define ROWS_MAX  200 /* lines of usual length fill the 32 KiB that the kernel has for a reader */
#define LINE_ROOM 512 /* for the longest names and numbers */
#define WALKS	  8   /* readers at a time, a power of 2 */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_report_key);
	__type(value, struct cgfs_report);
} cgfs_report SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_group_key);
	__type(value, struct cgfs_report_key);
} cgfs_report_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_group_key);
	__type(value, struct cgfs_figures);
} cgfs_figures SEC(".maps");

/* What a walk has found for `mem`, in its order. */
struct row {
	__u64 cgroup_id;
	__u64 usage_bytes, max_bytes, peak_bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WALKS *ROWS_MAX);
	__type(key, __u32);
	__type(value, struct row);
} cgfs_rows SEC(".maps");

/* The kernel prints without its lock of all cgroups, so another reader may walk meanwhile. */
static struct {
	__u64 session, groups;
} walks[WALKS];

struct sum {
	struct cgfs_group_key key;
	__u64 counted, failed, failed_here, reclaims, reclaim_ns;
};

static long add_processor(__u32 cpu, struct sum *s)
{
	struct cgfs_memory *n = bpf_map_lookup_percpu_elem(&cgfs_memory, &s->key, cpu);

	if (!n)
		return 1;
	s->counted = 1;
	s->failed += n->failed;
	s->failed_here += n->failed_here;
	s->reclaims += n->reclaims;
	s->reclaim_ns += n->reclaim_ns;
	return 0;
}

static __always_inline void keep(struct row *to, struct page_counter *memory,
				 const struct cgfs_report *r)
{
	/* The limit of a group without one is the highest number of pages that fits, signed. */
	__u64 max = BPF_CORE_READ(memory, max);

	to->cgroup_id = r->cgroup_id;
	to->usage_bytes = BPF_CORE_READ(memory, usage.counter) * r->page_bytes;
	to->peak_bytes = BPF_CORE_READ(memory, watermark) * r->page_bytes;
	to->max_bytes = max >= (~0ull >> 1) / r->page_bytes ? ~0ull : max * r->page_bytes;
}

/* One read of `mem`. */
struct print {
	struct seq_file *seq;
	__u64 groups, printed;
	__u32 walk;
};

static long line(__u32 i, struct print *p)
{
	struct seq_file *seq = p->seq;
	const __u32 at = p->walk * ROWS_MAX + i;
	struct row *row = bpf_map_lookup_elem(&cgfs_rows, &at);
	struct sum s = {};
	struct cgfs_group *g;

	if (!row || i >= p->groups || seq->count + LINE_ROOM > seq->size)
		return 1;
	p->printed++;
	s.key.cgroup_id = row->cgroup_id;
	g = group_find(row->cgroup_id);
	if (!g)
		return 0;
	bpf_loop(CPUS_MAX, add_processor, &s, 0);
	BPF_SEQ_PRINTF(seq, "%-20s %-20s %14llu ", g->pod[0] ? g->pod : "-",
		       g->container[0] ? g->container : "-", row->usage_bytes);
	if (row->max_bytes == ~0ull)
		BPF_SEQ_PRINTF(seq, "%14s ", "max");
	else
		BPF_SEQ_PRINTF(seq, "%14llu ", row->max_bytes);
	BPF_SEQ_PRINTF(seq, "%14llu ", row->peak_bytes);
	if (s.counted)
		BPF_SEQ_PRINTF(seq, "%8llu %8llu %8llu %12llu ", s.failed, s.failed_here,
			       s.reclaims, s.reclaim_ns / 1000);
	else
		BPF_SEQ_PRINTF(seq, "%8s %8s %8s %12s ", "-", "-", "-", "-");
	BPF_SEQ_PRINTF(seq, "%6llu\n", g->oom_kills);
	return 0;
}

static __always_inline void table(struct seq_file *seq, __u64 session)
{
	struct print p = { .seq = seq, .walk = session % WALKS };

	p.groups = walks[p.walk].groups;
	BPF_SEQ_PRINTF(seq, "%-20s %-20s %14s %14s %14s %8s %8s %8s %12s %6s\n", "pod", "container",
		       "usage", "limit", "peak", "failed", "here", "reclaims", "reclaim_us",
		       "kills");
	bpf_loop(ROWS_MAX, line, &p, 0);
	if (walks[session % WALKS].session != session)
		BPF_SEQ_PRINTF(seq, "too many readers: read again\n");
	else if (p.groups > p.printed)
		BPF_SEQ_PRINTF(seq, "%llu more: podctl ls lists all\n", p.groups - p.printed);
}

/* struct bpf_iter__cgroup: what it is about, and the cgroup, NULL at the end.  Everything is
 * printed at the end: where a reader's buffer is full the kernel stops the walk, and it cannot go
 * on with one over cgroups, -EOPNOTSUPP.  What one call has printed is handed out in any pieces. */
SEC("iter/cgroup")
int cgfs_mem_table(__u64 *ctx)
{
	__u64 index = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct bpf_iter_meta *meta = (struct bpf_iter_meta *)ctx[0];
	struct cgroup *cgrp = (struct cgroup *)ctx[1];
	struct cgroup_subsys_state *css = 0;
	struct cgfs_report_key key = {};
	const __u32 walk = meta->session_id % WALKS;
	struct mem_cgroup *memcg;
	struct cgfs_report *r;
	struct row *row;
	__u32 at;

	if (meta->seq_num == 0) {
		walks[walk].session = meta->session_id;
		walks[walk].groups = 0;
	}
	if (!cgrp) {
		table(meta->seq, meta->session_id);
		return 0;
	}
	key.memory_id = cgrp->kn->id;
	r = bpf_map_lookup_elem(&cgfs_report, &key);
	if (!r || !group_find(r->cgroup_id))
		return 0;
	bpf_core_read(&css, sizeof(css), &cgrp->subsys[index]);
	if (!css)
		return 0;
	memcg = (void *)css - bpf_core_field_offset(struct mem_cgroup, css);
	at = walks[walk].groups++;
	if (at >= ROWS_MAX)
		return 0;
	at += walk * ROWS_MAX;
	row = bpf_map_lookup_elem(&cgfs_rows, &at);
	if (row)
		keep(row, &memcg->memory, r);
	return 0;
}

/* What is written here does not fit into what a read of an iterator over cgroups may return, 32 KiB
 * in all; so it goes into the map. */
SEC("iter.s/cgroup")
int cgfs_mem_all(__u64 *ctx)
{
	__u64 index = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct bpf_iter_meta *meta = (struct bpf_iter_meta *)ctx[0];
	struct cgroup *cgrp = (struct cgroup *)ctx[1];
	struct cgfs_report_head head = { sizeof(head), CGFS_REPORT_ABI, sizeof(struct cgfs_figures),
					 0, meta->session_id };
	struct cgroup_subsys_state *css = 0;
	struct cgfs_report_key key = {};
	struct cgfs_group_key group = {};
	struct mem_cgroup *memcg;
	struct cgfs_figures *f;
	struct cgfs_report *r;

	if (!cgrp) {
		bpf_seq_write(meta->seq, &head, sizeof(head));
		return 0;
	}
	key.memory_id = cgrp->kn->id;
	r = bpf_map_lookup_elem(&cgfs_report, &key);
	if (!r)
		return 0;
	group.cgroup_id = r->cgroup_id;
	f = bpf_map_lookup_elem(&cgfs_figures, &group);
	if (!f)
		return 0;
	bpf_core_read(&css, sizeof(css), &cgrp->subsys[index]);
	if (!css)
		return 0;
	memcg = (void *)css - bpf_core_field_offset(struct mem_cgroup, css);
	counters(f, memcg, r->page_bytes);
	events(&f->all, &memcg->memory_events, bpf_core_field_size(memcg->memory_events));
	events(&f->here, &memcg->memory_events_local,
	       bpf_core_field_size(memcg->memory_events_local));
	f->stat.anon = CGFS_FIGURE_NONE;
	if (bpf_get_mem_cgroup) {
		memcg = bpf_get_mem_cgroup(&cgrp->self);
		if (memcg) {
			bpf_mem_cgroup_flush_stats(memcg);
			stat(&f->stat, memcg);
			bpf_put_mem_cgroup(memcg);
		}
	}
	f->size = sizeof(*f);
	f->abi = CGFS_FIGURES_ABI;
	/* Two readers may walk in another order than that in which they opened it. */
	if (f->session < head.session)
		f->session = head.session;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
