/* SPDX-License-Identifier: MIT */
/*
 * test_mounts.c - which of the cgroup mounts of a written mountinfo are used.
 */
#include "tests/tap.h"

#include "cgfs/tree/mounts.h"

#include <stdio.h>
#include <string.h>

#define V1(at, root, options)                                                                      \
	"30 23 0:26 " root " " at " rw,nosuid shared:4 - cgroup cgroup rw," options "\n"
#define V1_RO(at, root, options)                                                                   \
	"30 23 0:26 " root " " at " ro,nosuid - cgroup cgroup rw," options "\n"
#define V2(at, root) "31 23 0:27 " root " " at " rw - cgroup2 cgroup2 rw,nsdelegate\n"

/* The paths of those that are chosen, in order: "/a /b". */
static const char *chosen(const char *const *lines, const char *own)
{
	static struct candidate list[16];
	static char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for (; *lines; lines++)
		n += mounts_parse(*lines, own, &list[n]);
	mounts_choose(list, n);
	for (size_t i = 0; i < n; i++) {
		CHECK(!(list[i].chosen && list[i].unusable));
		if (list[i].chosen)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 *text ? " " : "", list[i].path);
	}
	return text;
}

#define CHOSEN(own, want, ...)                                                                     \
	CHECK_STR(chosen((const char *const[]){ __VA_ARGS__, NULL }, own), want)

static const char host[] = "3:pids:/\n2:memory:/s\n1:cpu,cpuacct:/\n0::/\n";

TAP_TEST(the_whole_goes_before_a_part_of_it)
{
	CHOSEN(host, "/c/memory /c/pids /c/cpu", V1("/part", "/s", "memory"),
	       V1("/c/memory", "/", "memory"), V1("/c/pids", "/", "pids"),
	       V1("/c/cpu", "/", "cpu,cpuacct"));
	CHOSEN(host, "/u", V2("/part", "/s"), V2("/u", "/"));
	CHOSEN(host, "/c/pids /u", V1("/part", "/x", "pids"), V2("/part2", "/s"),
	       V1("/c/pids", "/", "pids"), V2("/u", "/"));
	/* The same part of several does not outvote the whole. */
	CHOSEN(host, "/c/memory /c/pids", V1("/p/memory", "/s", "memory"),
	       V1("/p/pids", "/s", "pids"), V1("/c/memory", "/", "memory"),
	       V1("/c/pids", "/", "pids"));
}

TAP_TEST(a_part_alone_goes_with_no_whole)
{
	CHOSEN(host, "/c/pids /c/cpu", V1("/part", "/x", "memory"), V1("/c/pids", "/", "pids"),
	       V1("/c/cpu", "/", "cpu"));
	CHOSEN(host, "/c/pids", V2("/part", "/x"), V1("/c/pids", "/", "pids"));
}

TAP_TEST(a_container_sees_its_own_part_of_each)
{
	static const char in[] = "3:pids:/docker/a\n2:memory:/docker/a\n0::/system.slice/d\n";

	CHOSEN(in, "/c/memory /c/pids", V1("/c/memory", "/docker/a", "memory"),
	       V1("/c/pids", "/docker/a", "pids"));
	CHOSEN(in, "/c/memory /c/pids /u", V1("/c/memory", "/docker/a", "memory"),
	       V1("/c/pids", "/docker/a", "pids"), V2("/u", "/system.slice/d"));
}

TAP_TEST(of_equal_mounts_the_first_that_may_be_written)
{
	CHOSEN(host, "/b /c/pids", V1_RO("/a", "/", "memory"), V1("/b", "/", "memory"),
	       V1("/c/pids", "/", "pids"));
	CHOSEN(host, "/a", V1("/a", "/", "memory"), V1("/b", "/", "memory"));
	CHOSEN(host, "/a", V1_RO("/a", "/", "memory"));
}

TAP_TEST(what_has_other_file_names_is_left_out)
{
	struct candidate m;

	CHOSEN(host, "/c/pids", V1("/dev/cpuset", "/", "cpuset,noprefix,release_agent=/x"),
	       V1("/c/pids", "/", "pids"));
	CHECK(mounts_parse(V1("/dev/cpuset", "/", "cpuset,noprefix"), host, &m));
	CHECK(m.unusable);
	CHECK_INT(m.controllers, 1u << CGFS_CPUSET);
	CHECK(mounts_parse(V1("/x", "/", "cpu,cpuacct"), host, &m));
	CHECK_INT(m.controllers, 1u << CGFS_CPU | 1u << CGFS_CPUACCT);
	CHECK(!m.unusable);
}

TAP_TEST(other_file_systems_are_none)
{
	struct candidate m;

	CHECK(!mounts_parse("30 23 0:26 / /a rw - tmpfs none rw,memory\n", host, &m));
	CHECK(!mounts_parse(V1("/c/systemd", "/", "xattr,name=systemd"), host, &m));
	CHECK(!mounts_parse(V1("/c/named", "/", "name=memory"), host, &m));
	CHECK(!mounts_parse("30 23 0:26 / /a rw - cgroup\n", host, &m));
	CHECK(!mounts_parse("\n", host, &m));
}
