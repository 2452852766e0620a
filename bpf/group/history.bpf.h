/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * history.bpf.h - the map of what was refused and killed, for the programs that fill it.  cgfs_grp
 * makes and pins it.
 */
#ifndef BPF_GROUP_HISTORY_BPF_H
#define BPF_GROUP_HISTORY_BPF_H

#include "bpf/group/maps.bpf.h"

#include <cgfs/abi/history.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cgfs_history_key);
	__type(value, struct cgfs_history);
} cgfs_history SEC(".maps");

/* Lines of this file stand in no object: three of them have it. */
#define NO_LINES __attribute__((nodebug))

static __always_inline NO_LINES int history_same(const struct cgfs_history *a,
						 const struct cgfs_history *b)
{
	const __u64 *x = (const __u64 *)&a->cgroup_id, *y = (const __u64 *)&b->cgroup_id;
	const int words = (sizeof(*a) - __builtin_offsetof(struct cgfs_history, cgroup_id) -
			   5 * sizeof(__u64)) /
			  sizeof(__u64);
	__u64 differ = 0;

#pragma unroll
	for (int i = 0; i < words; i++)
		differ |= x[i] ^ y[i];
	return !differ;
}

/* A record was made.  forget() looks again once the pod is not found any more, and what it cannot
 * have seen goes here. */
static __always_inline NO_LINES void history_check(const struct cgfs_history_key *key)
{
	if (!group_find(key->pod_cgroup_id))
		bpf_map_delete_elem(&cgfs_history, key);
}

/* When the record of a slot was last counted, and which slot that is, as one number: of two, the
 * lesser is the older one, and the kernel's verifier need not follow each slot apart. */
#define HISTORY_AGE(last_ns, slot) (((last_ns) & ~(CGFS_HISTORY_SLOTS - 1ull)) | (slot))
#define HISTORY_SLOT(age)	   ((age) & (CGFS_HISTORY_SLOTS - 1))
#define HISTORY_FREE		   (1ull << 63)
#define HISTORY_NONE		   (~0ull)
_Static_assert((CGFS_HISTORY_SLOTS & (CGFS_HISTORY_SLOTS - 1)) == 0, "a power of two");

/*
 * Counts @h where a record is the same: 0.  Else, with @free, the first slot without a record and
 * HISTORY_FREE; else the age of the oldest record, of those before that: no slot is left out, as
 * forget() looks at the first one alone.  HISTORY_NONE: there is none.
 *
 * A global function, with one pointer that the kernel knows the size of, because the kernel
 * verifies it once and by itself.
 */
__noinline __u64 cgfs_place(const struct cgfs_history *h, __u64 pod_cgroup_id, __u32 kind,
			    __u32 free)
{
	struct cgfs_history_key key = { .pod_cgroup_id = pod_cgroup_id, .kind = kind };
	__u64 oldest = HISTORY_NONE;

	if (!h)
		return HISTORY_NONE;
#pragma clang loop unroll(disable)
	for (__u32 slot = 0; slot < CGFS_HISTORY_SLOTS; slot++) {
		struct cgfs_history *there;
		__u64 age;

		key.slot = slot;
		there = bpf_map_lookup_elem(&cgfs_history, &key);
		if (!there)
			return free ? HISTORY_FREE | slot : oldest;
		if (kind != CGFS_KILLED && history_same(there, h)) {
			there->last_ns = h->last_ns;
			there->usage_bytes = h->usage_bytes;
			there->pid = h->pid;
			__sync_fetch_and_add(&there->count, 1);
			return 0;
		}
		age = HISTORY_AGE(there->last_ns, slot);
		if (age < oldest)
			oldest = age;
	}
	return oldest;
}

/* Another processor may be quicker with a free slot. */
#define HISTORY_TRIES 3

/*
 * Counts @h, or keeps it: in a free slot, else over the oldest record of the kind.  The kernel
 * makes an element at one instant, so two processors with the same record do not make it twice;
 * what is written to a record that is there is one word at a time.  When the whole map is full, a
 * pod without records gets none, and that is counted.
 */
static __always_inline NO_LINES void history_put(struct cgfs_group *g, enum cgfs_history_kind kind,
						 struct cgfs_history *h)
{
	struct cgfs_history_key key = { .pod_cgroup_id = g->pod_cgroup_id, .kind = kind };
	struct cgfs_state *s;

	__builtin_memcpy(h->pod, g->pod, sizeof(h->pod));
	__builtin_memcpy(h->container, g->container, sizeof(h->container));
	h->count = 1;
	h->first_ns = h->last_ns;
#pragma clang loop unroll(disable)
	for (int i = 0; i <= HISTORY_TRIES; i++) {
		__u64 at = cgfs_place(h, key.pod_cgroup_id, kind, i < HISTORY_TRIES);

		if (!at)
			return;
		if (at == HISTORY_NONE)
			break;
		key.slot = HISTORY_SLOT(at);
		if (!bpf_map_update_elem(&cgfs_history, &key, h,
					 at & HISTORY_FREE ? BPF_NOEXIST : BPF_ANY)) {
			history_check(&key);
			return;
		}
	}
	s = state();
	if (s)
		__sync_fetch_and_add(&s->history_lost, 1);
}

#endif
