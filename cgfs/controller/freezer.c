/* SPDX-License-Identifier: MIT */
/*
 * freezer.c - v1's freezer, as a figure; process.c writes it.  cgroup2's is in pressure.c, with the
 * other files of the tree itself.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst
 */
#include "table.h"

static int stats(const struct cgfs_dir *d, unsigned int what, struct cgfs_stats *s,
		 struct cgfs_err *reterr)
{
	const char *file = "freezer.state";
	char text[32];
	ssize_t n = dir_read_kept(d, KEPT_FREEZER_STATE, file, text, sizeof(text));

	(void)what;
	if (n < 0)
		return n == -ENOENT ? 0 : dir_error(d, (int)n, "read", file, NULL, reterr);
	ctl_stat_set(s, CGFS_STAT_FROZEN, strncmp(text, "FROZEN", 6) == 0);
	return 0;
}

const struct ctl_ops ctl_freezer_v1 = {
	.reads = CGFS_READ_CGROUP,
	.prepare_root = ctl_no_prepare_root,
	.apply = ctl_no_apply,
	.stats = stats,
};
