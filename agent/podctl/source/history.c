/* SPDX-License-Identifier: MIT */
/*
 * history.c - what was refused to a pod, and killed in it, from the pinned map of this machine.
 */
#include "agent/podctl/source/history.h"

#if CGFS_WITH_BPF
int history_read(const struct args *a, uint64_t pod_cgroup_id, struct cgfs_bpf_record **ret,
		 size_t *ret_n, uint64_t *ret_lost, struct cgfs_err *reterr)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *bpf;
	int r;

	opts.pin_dir = a->pin_dir;
	opts.read_only = true;
	r = cgfs_bpf_open(&opts, &bpf, reterr);
	if (r == 0) {
		r = cgfs_bpf_history(bpf, pod_cgroup_id, ret, ret_n, ret_lost, reterr);
		cgfs_bpf_close(bpf);
	}
	if (r == -ENOENT && args_agent(a) && !a->pin_dir)
		return cgfs_err_set(reterr, r, NULL, NULL, NULL,
				    "the agent has pins of its own, or none: give --root and "
				    "--pin-dir in place of the agent");
	return r;
}
#else
int history_read(const struct args *a, uint64_t pod_cgroup_id, struct cgfs_bpf_record **ret,
		 size_t *ret_n, uint64_t *ret_lost, struct cgfs_err *reterr)
{
	return cgfs_err_set(reterr, -EOPNOTSUPP, "history", NULL, NULL,
			    "this podctl was built without eBPF");
}
#endif
