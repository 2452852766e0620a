/* SPDX-License-Identifier: MIT */
/*
 * test_proc.c - lines of mountinfo and of /proc/PID/cgroup.
 */
#include "tests/tap.h"

#include "cgfs/tree/proc.h"

#include <cgfs/host.h>
#include <errno.h>

static void mount_line(const char *line, int want, const char *want_path, const char *want_type)
{
	char path[256] = "-", type[32] = "-";

	CHECK_INT(cgfs_proc_mount(line, path, sizeof(path), type, sizeof(type)), want);
	if (want == 0) {
		CHECK_STR(path, want_path);
		CHECK_STR(type, want_type);
	}
}

TAP_TEST(mount_reads_path_and_type)
{
	mount_line("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n", 0,
		   "/sys/fs/cgroup", "cgroup2");
	mount_line("30 23 0:26 / /a rw - tmpfs none rw", 0, "/a", "tmpfs");
	mount_line("30 23 0:26 / /a rw shared:1 master:2 propagate_from:3 - ext4 - rw\n", 0, "/a",
		   "ext4");
}

TAP_TEST(mount_undoes_what_the_kernel_escapes)
{
	mount_line("30 23 0:26 / /my\\040cg\\011\\134040 rw - cgroup2 none rw\n", 0,
		   "/my cg\t\\040", "cgroup2");
	mount_line("30 23 0:26 / /a\\04 rw - cgroup2 none rw\n", 0, "/a\\04", "cgroup2");
}

TAP_TEST(mount_refuses_what_is_none)
{
	char path[4], type[8];

	mount_line("", -EINVAL, NULL, NULL);
	mount_line("\n", -EINVAL, NULL, NULL);
	mount_line("30 23 0:26 / - rw cgroup2", -EINVAL, NULL, NULL);
	mount_line("30 23 0:26 / /a rw shared:1 -", -EINVAL, NULL, NULL);
	mount_line("30 23 0:26 / a rw - cgroup2 none rw", -EINVAL, NULL, NULL);
	CHECK_INT(cgfs_proc_mount("1 2 0:1 / /abc rw - t", path, 4, type, 8), -ERANGE);
	CHECK_INT(cgfs_proc_mount("1 2 0:1 / /ab rw - t", path, 4, type, 8), 0);
	CHECK_INT(cgfs_proc_mount("1 2 0:1 / /ab rw - 12345678", path, 4, type, 8), -ERANGE);
}

TAP_TEST(cgroup_finds_the_hierarchy)
{
	static const char text[] = "9:cpu,cpuacct:/a/b\n4:memory:/m\n1:name=systemd:/s\n0::/u u\n";
	char path[16];

	CHECK_INT(cgfs_proc_cgroup(text, 1u << CGFS_CPU, path, sizeof(path)), 0);
	CHECK_STR(path, "/a/b");
	CHECK_INT(cgfs_proc_cgroup(text, 1u << CGFS_PIDS | 1u << CGFS_MEMORY, path, 16), 0);
	CHECK_STR(path, "/m");
	CHECK_INT(cgfs_proc_cgroup(text, 0, path, sizeof(path)), 0);
	CHECK_STR(path, "/u u");
	CHECK_INT(cgfs_proc_cgroup(text, 1u << CGFS_PIDS, path, 16), -ENOENT);
	CHECK_INT(cgfs_proc_cgroup(text, 0, path, 4), -ERANGE);
}

/* A line that is none does not lend its words to the next. */
TAP_TEST(cgroup_takes_no_path_that_leads_out)
{
	char path[16] = "-";

	CHECK_INT(cgfs_proc_cgroup("0::/../x\n", 0, path, sizeof(path)), -ENOENT);
	CHECK_INT(cgfs_proc_cgroup("0::/x/..\n", 0, path, sizeof(path)), -ENOENT);
	CHECK_INT(cgfs_proc_cgroup("4\n:memory:/x\n", 1u << CGFS_MEMORY, path, 16), 0);
	CHECK_INT(cgfs_proc_cgroup("4:memory\n:/x\n", 1u << CGFS_MEMORY, path, 16), -ENOENT);
	CHECK_INT(cgfs_proc_cgroup("0::/..x/x..\n", 0, path, sizeof(path)), 0);
	CHECK_STR(path, "/..x/x..");
}
