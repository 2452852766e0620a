/* SPDX-License-Identifier: MIT */
/*
 * cpuset.c - the cpuset controller.
 *
 * A new v1 cpuset has no cpus and no memory nodes, and refuses every process (ENOSPC) until it
 * has both.  cgroup.clone_children on the pods root makes each child start with its parent's,
 * in the kernel, at mkdir: no system call per pod.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/cpusets.rst 1.3 and 1.8; cgroup-v2.rst "Cpuset"
 */
#include "table.h"

static int inherit(struct cgfs *c, int parent_fd, int dir_fd, const char *file,
		   struct cgfs_err *reterr)
{
	char text[4096];
	ssize_t n;
	int r;

	n = fs_read_at(c, dir_fd, file, text, sizeof(text));
	if (n < 0)
		return cgfs_err_set(reterr, (int)n, "read", file, NULL, NULL);
	if (n > 1)
		return 0; /* it has some, ours or an earlier process's */
	n = fs_read_at(c, parent_fd, file, text, sizeof(text));
	if (n < 0)
		return cgfs_err_set(reterr, (int)n, "read the parent's", file, NULL, NULL);
	text[strcspn(text, "\n")] = '\0';
	r = fs_write_at(c, dir_fd, file, text);
	return r < 0 ? cgfs_err_set(reterr, r, "write", file, text, NULL) : 0;
}

static int prepare_root(struct cgfs *c, int parent_fd, int dir_fd, struct cgfs_err *reterr)
{
	int r;

	r = inherit(c, parent_fd, dir_fd, "cpuset.cpus", reterr);
	if (r == 0)
		r = inherit(c, parent_fd, dir_fd, "cpuset.mems", reterr);
	if (r == 0) {
		r = fs_write_at(c, dir_fd, "cgroup.clone_children", "1");
		if (r < 0)
			cgfs_err_set(reterr, r, "write", "cgroup.clone_children", "1", NULL);
	}
	return r;
}

static int apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr)
{
	int r = 0;

	if (res->set & CGFS_SET_CPUSET_CPUS)
		r = dir_write(d, "cpuset.cpus", res->cpuset_cpus, reterr);
	if (r == 0 && (res->set & CGFS_SET_CPUSET_MEMS))
		r = dir_write(d, "cpuset.mems", res->cpuset_mems, reterr);
	return r;
}

const struct ctl_ops ctl_cpuset_v1 = {
	.handles = CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS,
	.prepare_root = prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};

const struct ctl_ops ctl_cpuset_v2 = {
	.handles = CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};
