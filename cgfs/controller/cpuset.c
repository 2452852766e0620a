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

#include <stdio.h>

static int failed(int code, const char *op, const char *dir, size_t len, const char *file,
		  const char *value, struct cgfs_err *reterr)
{
	char path[512];

	snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, file);
	return cgfs_err_set(reterr, code, op, path, value, NULL);
}

static int inherit(struct cgfs *c, int parent_fd, int dir_fd, const char *dir, const char *file,
		   struct cgfs_err *reterr)
{
	const char *slash = strrchr(dir, '/');
	size_t len = strlen(dir), above = slash ? (size_t)(slash - dir) : 0;
	char text[4096];
	ssize_t n;
	int r;

	n = fs_read_at(c, dir_fd, file, text, sizeof(text));
	if (n < 0)
		return failed((int)n, "read", dir, len, file, NULL, reterr);
	if (n > 1)
		return 0; /* it has some, ours or an earlier process's */
	n = fs_read_at(c, parent_fd, file, text, sizeof(text));
	if (n < 0)
		return failed((int)n, "read", dir, above, file, NULL, reterr);
	text[strcspn(text, "\n")] = '\0';
	r = fs_write_at(c, dir_fd, file, text);
	return r < 0 ? failed(r, "write", dir, len, file, text, reterr) : 0;
}

/* Somebody's directory keeps its flag; new cpusets in it are then filled one by one. */
static int prepare_root(struct cgfs *c, int parent_fd, int dir_fd, bool ours, const char *dir,
			struct cgfs_err *reterr)
{
	const char *file = "cgroup.clone_children";
	char flag[8];
	ssize_t n;
	int r;

	r = inherit(c, parent_fd, dir_fd, dir, "cpuset.cpus", reterr);
	if (r == 0)
		r = inherit(c, parent_fd, dir_fd, dir, "cpuset.mems", reterr);
	if (r < 0)
		return r;
	if (!ours) {
		n = fs_read_at(c, dir_fd, file, flag, sizeof(flag));
		return n < 0 ? failed((int)n, "read", dir, strlen(dir), file, NULL, reterr)
			     : flag[0] != '1';
	}
	r = fs_write_at(c, dir_fd, file, "1");
	return r < 0 ? failed(r, "write", dir, strlen(dir), file, "1", reterr) : 0;
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

static int v1_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = apply(d, res, reterr);

	if (r < 0 || !(res->set & CGFS_SET_CPUSET_PARTITION))
		return r;
	if (streq(res->cpuset_partition, "isolated"))
		return cgfs_err_set(reterr, -EOPNOTSUPP, "set", "cpuset.partition",
				    res->cpuset_partition,
				    "cgroup v1 has exclusive cpus, but no isolated ones");
	return dir_write(d, "cpuset.cpu_exclusive",
			 streq(res->cpuset_partition, "root") ? "1" : "0", reterr);
}

#define PARTITION "cpuset.cpus.partition"

int ctl_confirm(const struct cgfs_dir *d, const char *file, const char *value,
		struct cgfs_err *reterr)
{
	char now[256];
	ssize_t n;

	if (!streq(file, PARTITION))
		return 0;
	n = dir_read(d, file, now, sizeof(now), reterr);
	if (n < 0)
		return (int)n;
	now[strcspn(now, "\n")] = '\0';
	if (strstr(now, "invalid"))
		return cgfs_err_set(reterr, -EINVAL, "set", PARTITION, value, "%s", now);
	return 0;
}

static int v2_partition(const struct cgfs_dir *d, const char *value, struct cgfs_err *reterr)
{
	int r = dir_write(d, PARTITION, value, reterr);

	return r < 0 ? r : ctl_confirm(d, PARTITION, value, reterr);
}

static int v2_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	int r = apply(d, res, reterr);

	if (r == 0 && (res->set & CGFS_SET_CPUSET_PARTITION))
		r = v2_partition(d, res->cpuset_partition, reterr);
	return r;
}

#define CPUSET_BITS (CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS | CGFS_SET_CPUSET_PARTITION)

const struct ctl_ops ctl_cpuset_v1 = {
	.handles = CPUSET_BITS,
	.prepare_root = prepare_root,
	.apply = v1_apply,
	.stats = ctl_no_stats,
};

const struct ctl_ops ctl_cpuset_v2 = {
	.handles = CPUSET_BITS,
	.prepare_root = ctl_no_prepare_root,
	.apply = v2_apply,
	.stats = ctl_no_stats,
};
