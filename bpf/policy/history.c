/* SPDX-License-Identifier: MIT */
/*
 * history.c - what was refused to a pod, and killed in it, from the map that the programs fill.
 */
#include "bpf/policy/policy.h"

#include <bpf/bpf.h>

static int later_first(const void *a, const void *b)
{
	const struct cgfs_bpf_record *x = a, *y = b;

	return (x->value.last_ns < y->value.last_ns) - (x->value.last_ns > y->value.last_ns);
}

int cgfs_bpf_history(struct cgfs_bpf *bpf, uint64_t pod_cgroup_id, struct cgfs_bpf_record **ret,
		     size_t *ret_n, uint64_t *ret_lost, struct cgfs_err *reterr)
{
	const size_t most = (size_t)CGFS_REFUSED * CGFS_HISTORY_SLOTS;
	auto_free struct cgfs_bpf_record *records = calloc(most, sizeof(*records));
	struct cgfs_state state;
	struct cgfs_group there;
	uint32_t zero = 0;
	size_t n = 0;
	int r = records ? 0 : -ENOMEM;

	for (size_t i = 0; i < most && r >= 0; i++) {
		records[n].key = (struct cgfs_history_key){
			.pod_cgroup_id = pod_cgroup_id,
			.kind = (enum cgfs_history_kind)(CGFS_DENIED + i / CGFS_HISTORY_SLOTS),
			.slot = (uint32_t)(i % CGFS_HISTORY_SLOTS),
		};
		r = cgfs_bpf_history_read(bpf->groups, &records[n].key, &records[n].value);
		records[n].sz = sizeof(*records);
		n += r > 0;
	}
	if (r >= 0 && bpf_map_lookup_elem(bpf->groups->o.fd[GROUPS_STATE], &zero, &state) < 0)
		r = -errno;
	if (r >= 0)
		r = cgfs_bpf_group_read(bpf->groups, pod_cgroup_id, &there);
	if (r < 0)
		return err_why(reterr, r, "read history in", bpf->pins.dir,
			       r == -ENOENT ? "the device policy there does not know the pod"
					    : NULL);
	qsort(records, n, sizeof(*records), later_first);
	*ret = take_ptr(records);
	*ret_n = n;
	*ret_lost = state.history_lost;
	return 0;
}
