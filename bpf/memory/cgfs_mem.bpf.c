/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * cgfs_mem.bpf.c - what does each pod and container charge for memory, what is refused, how long is
 * it held up, and when does its usage cross a threshold?
 *
 * Runs at the end of the kernel's charge function, and around reclaim for a memory cgroup.
 * Optional: needs the kernel's BTF, and fexit.
 */
#include "bpf/base/kernel.h"
#include "bpf/group/charged.bpf.h"
#include "bpf/group/history.bpf.h"

#include <bpf/bpf_core_read.h>
#include <cgfs/abi/memory.h>

#define NO_LINE	   (~0ull)
/* Counted charges of one processor for a group, of which each last one looks at the thresholds. */
#define LOOK_EVERY 64
#define ENOENT	   2
#define EEXIST	   17

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_group_key);
	__type(value, struct cgfs_memory_id);
} cgfs_memory_ids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_memory_id);
	__type(value, struct cgfs_memcg);
} cgfs_memcg SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_crossed_key);
	__type(value, struct cgfs_crossed);
} cgfs_crossed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} cgfs_crossings SEC(".maps");

/* Threads that reclaim now. */
struct cgfs_reclaim_key {
	__u64 pid_tgid;
};

struct cgfs_reclaim {
	__u64 since_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct cgfs_reclaim_key);
	__type(value, struct cgfs_reclaim);
} cgfs_reclaims SEC(".maps");

static __always_inline struct cgfs_memcg *memcg_find(__u64 memory_id)
{
	struct cgfs_memory_id key = { .memory_id = memory_id };

	return bpf_map_lookup_elem(&cgfs_memcg, &key);
}

static __always_inline struct cgfs_memory *memory_of(const struct cgfs_memcg *m)
{
	struct cgfs_group_key key = { .cgroup_id = m->cgroup_id };

	return bpf_map_lookup_elem(&cgfs_memory, &key);
}

/* A threshold is crossed.  Global, as lines_look() is. */
__attribute__((noinline)) int crossing_report(__u64 memory_id, __u64 bytes, __u64 usage, __u64 now)
{
	struct cgfs_memcg *m = memcg_find(memory_id);
	struct cgfs_group *g = m ? group_find(m->cgroup_id) : 0;
	struct cgfs_crossing *c;
	struct cgfs_history h = {
		.limit_bytes = bytes,
		.usage_bytes = usage,
		.last_ns = now,
		.pid = bpf_get_current_pid_tgid() >> 32,
	};

	if (!g)
		return 0;
	bpf_get_current_comm(h.comm, sizeof(h.comm));
	h.cgroup_id = m->cgroup_id;
	h.level = g->container[0] ? CGFS_OF_CONTAINER : CGFS_OF_POD;
	history_put(g, CGFS_CROSSED, &h);
	c = bpf_ringbuf_reserve(&cgfs_crossings, sizeof(*c), 0);
	if (!c) {
		event_lost(g);
		return 0;
	}
	c->abi = CGFS_MEMORY_ABI;
	c->type = CGFS_RECORD_CROSSING;
	c->time_ns = now;
	c->cgroup_id = m->cgroup_id;
	c->pod_cgroup_id = m->pod_cgroup_id;
	c->bytes = bytes;
	c->usage_bytes = usage;
	c->pid = h.pid;
	c->rsv = 0;
	__builtin_memcpy(c->comm, h.comm, sizeof(c->comm));
	bpf_ringbuf_submit(c, 0);
	return 0;
}

/*
 * Usage is where a threshold may have been crossed, up or down.  The element in cgfs_crossed is
 * what decides: of several processors that come here at once, one makes it.  up_bytes and
 * down_bytes only say when to look; two processors may leave one of them each, as of different
 * moments, so that usage meets neither.  Therefore count() looks at every 64th charge as well.
 * Global, so that the verifier looks at it once and not at each level of the walk.
 */
__attribute__((noinline)) int lines_look(__u64 memory_id, __u64 pages)
{
	struct cgfs_crossed_key key = { .memory_id = memory_id };
	struct cgfs_memcg *m = memcg_find(memory_id);
	struct cgfs_crossed value = { .time_ns = bpf_ktime_get_boot_ns() };
	__u64 up = NO_LINE, down = 0, usage;
	int crossed, err; /* int: kernels before 6.4 leave the upper half of a helper's result 0 */

	if (!m)
		return 0;
	usage = pages * m->page_bytes;
	for (int i = 0; i < CGFS_MEMORY_LINES; i++) {
		struct cgfs_memcg_line line = m->lines[i];

		if ((__u32)i >= m->n)
			break;
		key.bytes = line.bytes;
		crossed = bpf_map_lookup_elem(&cgfs_crossed, &key) != 0;
		/* A kernel that cannot get the lock of the bucket (since 6.16) fails: then the next
		 * charge tries again. */
		if (crossed && usage <= line.fall_bytes && usage < line.bytes) {
			err = bpf_map_delete_elem(&cgfs_crossed, &key);
			crossed = err != 0 && err != -ENOENT;
		}
		if (!crossed && usage >= line.bytes) {
			err = bpf_map_update_elem(&cgfs_crossed, &key, &value, BPF_NOEXIST);
			if (err == 0)
				crossing_report(memory_id, line.bytes, usage, value.time_ns);
			crossed = err == 0 || err == -EEXIST;
		}
		if (crossed && line.fall_bytes > down)
			down = line.fall_bytes;
		if (!crossed && line.bytes < up)
			up = line.bytes;
	}
	m->up_bytes = up;
	m->down_bytes = down;
	return 0;
}

/*
 * What a processor saw last.  Newer kernels call the charge function for each page, and nearly all
 * of these take from what the processor has in stock: usage stands still, and there is nothing to
 * count.
 */
#define SEEN 256

struct seen {
	__u64 memcg, pages;
} __attribute__((aligned(64)));

static struct seen seen[SEEN];

/*
 * Whose limit refused a charge: the lowest level that has no room for it.  The kernel prints a page
 * of text between its last attempt and its return, while what processors have in stock for a cgroup
 * goes back, and so does what others free.  So there may be room everywhere by now: then it was
 * the level with the least, but none that is far from its limit.  Levels above the pod count too:
 * a charge that one of them refused was refused by no level of ours.
 * Global, so that the verifier looks at it once; @memcg: not a pointer to the verifier, therefore.
 */
#define NEAR_PAGES 4096

__attribute__((noinline)) int refused_at(__u64 memcg, __u64 pages)
{
	struct page_counter *counter = &((struct mem_cgroup *)memcg)->memory;
	__u64 least = NEAR_PAGES;
	int at = -1;

	for (int level = 0; level < CGFS_GROUP_DEPTH && counter; level++) {
		__u64 usage = BPF_CORE_READ(counter, usage.counter);
		__u64 max = BPF_CORE_READ(counter, max);

		if (usage + pages > max)
			return level;
		if (max - usage < least) {
			least = max - usage;
			at = level;
		}
		counter = BPF_CORE_READ(counter, parent);
	}
	return at;
}

/* Of a charge that was not refused, in place of the level. */
#define NOT_REFUSED (-2)

/* What count() has found. */
#define A_POD	1 /* the memory cgroup is that of a pod */
#define TO_LOOK 2 /* at thresholds, with lines_look() */

/* Global, too: the verifier would else follow what it finds at each level through all the others.
 */
__attribute__((noinline)) int count(__u64 memory_id, __u64 pages, __u64 now, int level, int refused)
{
	struct cgfs_memcg *m = memcg_find(memory_id);
	struct cgfs_memory *n;
	__u64 usage;
	int found;

	if (!m)
		return 0;
	usage = pages * m->page_bytes;
	found = m->cgroup_id == m->pod_cgroup_id ? A_POD : 0;
	if (usage >= m->up_bytes || (m->down_bytes && usage <= m->down_bytes))
		found |= TO_LOOK;
	n = memory_of(m);
	if (!n)
		return found;
	n->time_ns = now;
	n->usage_bytes = usage;
	n->charges++;
	if (m->n && n->charges % LOOK_EVERY == 0)
		found |= TO_LOOK;
	if (usage > n->peak_bytes)
		n->peak_bytes = usage;
	if (refused != NOT_REFUSED) {
		n->failed++;
		n->failed_here += level == refused;
	}
	return found;
}

/* (struct mem_cgroup *memcg, gfp_t gfp_mask, unsigned int nr_pages), and what it returned.  What a
 * cgroup below a container charges is counted for the container, and all of it for the pod. */
SEC("fexit/try_charge_memcg")
int cgfs_mem_charge(__u64 *ctx)
{
	struct mem_cgroup *memcg = (struct mem_cgroup *)ctx[0];
	struct cgroup_subsys_state *css = &memcg->css;
	struct page_counter *counter = &memcg->memory;
	struct seen *last = &seen[bpf_get_smp_processor_id() & (SEEN - 1)];
	int refused = (int)ctx[3] < 0 ? 0 : NOT_REFUSED;
	__u64 usage = counter->usage.counter, now;

	if (refused == NOT_REFUSED && last->memcg == ctx[0] && last->pages == usage)
		return 0;
	last->memcg = ctx[0];
	last->pages = usage;
	now = bpf_ktime_get_boot_ns();
	if (refused != NOT_REFUSED)
		refused = refused_at(*(volatile __u64 *)&last->memcg, (__u32)ctx[2]);
	for (int level = 0; level < CGFS_GROUP_DEPTH && css && counter; level++) {
		__u64 memory_id = css->cgroup->kn->id;
		int found;

		usage = counter->usage.counter;
		found = count(memory_id, usage, now, level, refused);
		if (found & TO_LOOK)
			lines_look(memory_id, usage);
		if (found & A_POD)
			break;
		css = css->parent;
		counter = counter->parent;
	}
	return 0;
}

/* Reclaim for a memory cgroup begins, in the thread that has to wait for it. */
SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int cgfs_mem_begin(__u64 *ctx)
{
	struct cgfs_reclaim_key key = { .pid_tgid = bpf_get_current_pid_tgid() };
	struct cgfs_reclaim value = { .since_ns = bpf_ktime_get_boot_ns() };

	(void)ctx;
	bpf_map_update_elem(&cgfs_reclaims, &key, &value, BPF_ANY);
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int cgfs_mem_end(__u64 *ctx)
{
	__u64 index = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct cgfs_reclaim_key key = { .pid_tgid = bpf_get_current_pid_tgid() };
	struct cgfs_reclaim *r = bpf_map_lookup_elem(&cgfs_reclaims, &key);
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct css_set *cgroups = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css = 0;
	__u64 took;

	(void)ctx;
	if (!r)
		return 0;
	took = bpf_ktime_get_boot_ns() - r->since_ns;
	bpf_map_delete_elem(&cgfs_reclaims, &key);
	bpf_core_read(&css, sizeof(css), &cgroups->subsys[index]);
	for (int level = 0; level < CGFS_GROUP_DEPTH && css; level++) {
		struct cgfs_memcg *m = memcg_find(BPF_CORE_READ(css, cgroup, kn, id));
		struct cgfs_memory *n = m ? memory_of(m) : 0;

		if (n) {
			n->reclaims++;
			n->reclaim_ns += took;
		}
		if (m && m->cgroup_id == m->pod_cgroup_id)
			break;
		css = BPF_CORE_READ(css, parent);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
