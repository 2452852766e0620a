/* SPDX-License-Identifier: MIT */
/*
 * test_id.c - which ids are taken, and the errors for the others.
 */
#include "cgfs/base/util.h"
#include "tests/tap.h"
#include <cgfs/base.h>

static void refuse(const char *id, int code, const char *why)
{
	struct cgfs_err err = { 0 };

	CHECK_INT(cgfs_id_check(id, &err), code);
	CHECK_INT(err.code, code);
	CHECK_MSG(strstr(err.text, why), "\"%s\" does not say \"%s\"", err.text, why);
	CHECK_INT(cgfs_id_check(id, NULL), code);
}

TAP_TEST(id_names_that_runtimes_make_are_taken)
{
	static const char *const ids[] = {
		"a",	      "0",	   "web",
		"web-1",      "c1.2_3+4",  "9f86d081884c7d659a2feaa0c55ad015",
		"pod..x",     "cgroups",   "cpuset1",
		"memory",     "tasks.x",   "io-x",
		"memory-x.y", "cgroup2.x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		CHECK_INT(cgfs_id_check(ids[i], NULL), 0);
}

TAP_TEST(id_longest_is_taken_and_one_more_refused)
{
	char id[CGFS_ID_MAX + 2] = { 0 };

	memset(id, 'a', CGFS_ID_MAX);
	CHECK_INT(cgfs_id_check(id, NULL), 0);
	id[CGFS_ID_MAX] = 'a';
	refuse(id, -ENAMETOOLONG, "255");
	refuse(id, -ENAMETOOLONG, "(256 bytes)");
}

TAP_TEST(id_that_is_no_name_is_refused)
{
	refuse(NULL, -EINVAL, "is required");
	refuse("", -EINVAL, "at least one");
	refuse(".", -EINVAL, "begins");
	refuse("..", -EINVAL, "begins");
	refuse(".hidden", -EINVAL, "begins");
	refuse("-rf", -EINVAL, "begins");
	refuse("_x", -EINVAL, "begins");
	refuse("+cpu", -EINVAL, "begins");
	refuse("a/b", -EINVAL, "'/'");
	refuse("../x", -EINVAL, "'/'");
	refuse("a b", -EINVAL, "0x20");
	refuse("a\nb", -EINVAL, "0x0a");
	refuse("a\177", -EINVAL, "0x7f");
	refuse("\303\251t\303\251", -EINVAL, "0xc3");
	refuse("a\"b", -EINVAL, "'\"'");
	refuse("a%sb", -EINVAL, "'%'");
}

TAP_TEST(id_that_meets_a_control_file_is_refused)
{
	static const char *const ids[] = {
		"cgroup.procs",	   "memory.max",      "cpu.weight",
		"cpuset.cpus",	   "io.max",	      "pids.max",
		"hugetlb.2MB.max", "rdma.max",	      "misc.max",
		"devices.allow",   "freezer.state",   "cpuacct.usage",
		"blkio.weight",	   "net_cls.classid", "net_prio.ifpriomap",
		"perf_event.x",	   "irq.pressure",    "dmem.max",
		"memory.",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		refuse(ids[i], -EINVAL, "control file");
	refuse("tasks", -EINVAL, "file of that name");
	refuse("notify_on_release", -EINVAL, "file of that name");
	refuse("release_agent", -EINVAL, "file of that name");
}

TAP_TEST(id_error_stays_short)
{
	char id[5001] = { 0 };
	struct cgfs_err err = { 0 };

	memset(id, 'x', 5000);
	CHECK_INT(cgfs_id_check(id, &err), -ENAMETOOLONG);
	CHECK(strlen(err.text) < 200);
	CHECK(strstr(err.value, "(5000 bytes)"));
}
