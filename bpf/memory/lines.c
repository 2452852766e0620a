/* SPDX-License-Identifier: MIT */
/*
 * lines.c - thresholds of a group: the list in its element, and which of them are crossed.
 */
#include "bpf/memory/memory.h"

#include <bpf/bpf.h>
#include <time.h>

static bool among(uint64_t bytes, const struct cgfs_memory_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lines[i].bytes == bytes)
			return true;
	return false;
}

void cgfs_bpf_memory_forget(const struct memory *m, uint64_t memory_id,
			    const struct cgfs_memcg *was, const struct cgfs_memory_line *but,
			    size_t n)
{
	for (uint32_t i = 0; i < was->n && i < CGFS_MEMORY_LINES; i++) {
		struct cgfs_crossed_key key = { memory_id, was->lines[i].bytes };

		if (!among(key.bytes, but, n))
			bpf_map_delete_elem(m->o.fd[MEMORY_CROSSED], &key);
	}
}

static int find(const struct memory *m, uint64_t cgroup_id, struct cgfs_memory_id *ret)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };

	return bpf_map_lookup_elem(m->o.fd[MEMORY_IDS], &key, ret) < 0 ? -errno : 0;
}

/* The next charge looks at all of them: up_bytes is 0 then. */
int cgfs_bpf_memory_watch(struct memory *m, uint64_t cgroup_id,
			  const struct cgfs_memory_line *lines, size_t n, struct cgfs_err *reterr)
{
	struct cgfs_memory_id id;
	struct cgfs_memcg memcg, was;
	int r = find(m, cgroup_id, &id);

	if (r == 0 && bpf_map_lookup_elem(m->o.fd[MEMORY_MEMCG], &id, &was) < 0)
		r = -errno;
	if (r < 0)
		return err_why(reterr, r, "watch memory by", m->o.ops->name,
			       r == -ENOENT ? "it does not count this group" : NULL);
	if (n > CGFS_MEMORY_LINES)
		return err_why(reterr, -E2BIG, "watch memory by", m->o.ops->name,
			       "a group has at most %d thresholds", CGFS_MEMORY_LINES);
	memcg = (struct cgfs_memcg){
		.cgroup_id = was.cgroup_id,
		.pod_cgroup_id = was.pod_cgroup_id,
		.page_bytes = was.page_bytes,
		.up_bytes = n ? 0 : UINT64_MAX,
		.n = (uint32_t)n,
	};
	for (size_t i = 0; i < n; i++)
		memcg.lines[i] = (struct cgfs_memcg_line){
			.bytes = lines[i].bytes,
			.fall_bytes = lines[i].bytes - lines[i].hysteresis_bytes,
		};
	if (bpf_map_update_elem(m->o.fd[MEMORY_MEMCG], &id, &memcg, BPF_EXIST) < 0)
		return err_file(reterr, -errno, "watch memory by", m->o.ops->name);
	cgfs_bpf_memory_forget(m, id.memory_id, &was, lines, n);
	return 0;
}

int cgfs_bpf_memory_crossed(struct memory *m, uint64_t cgroup_id, uint64_t bytes)
{
	struct cgfs_memory_id id;
	struct cgfs_crossed_key key;
	struct cgfs_crossed value = { 0 };
	struct timespec t;
	int r = find(m, cgroup_id, &id);

	if (r < 0)
		return r;
	key = (struct cgfs_crossed_key){ id.memory_id, bytes };
	clock_gettime(CLOCK_BOOTTIME, &t);
	value.time_ns = (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
	if (bpf_map_update_elem(m->o.fd[MEMORY_CROSSED], &key, &value, BPF_NOEXIST) == 0)
		return 1;
	return errno == EEXIST ? 0 : -errno;
}
