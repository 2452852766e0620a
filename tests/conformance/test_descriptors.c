/* SPDX-License-Identifier: MIT */
/*
 * test_descriptors.c - more groups than descriptors: what is kept open is given up and comes back,
 * and leads to the same directory or nowhere.
 */
#include "extra.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define PODS   24
#define LITTLE 96 /* a pod with all figures keeps 20 to 40 */

/* Each test is a process of its own: nothing has to be put back. */
static void limit_descriptors(rlim_t n)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = n;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static struct cgfs_resources pids(unsigned int i)
{
	return extra_pids_max(100 + i);
}

static void make_pods(struct world *w, struct cgfs *c, struct cgfs_group *pod[PODS])
{
	world_need(w, CGFS_PIDS);
	for (unsigned int i = 0; i < PODS; i++) {
		struct cgfs_resources res = pids(i);
		char id[16];

		snprintf(id, sizeof(id), "p%u", i);
		pod[i] = world_pod(w, c, id, &res);
	}
}

/* How many are open of what the library opens through its door. */
static size_t kept(struct world *w)
{
	return world_fake(w) ? fake_open_files(world_fake(w)) : world_fds();
}

WORLD_TEST(descriptors_fewer_than_groups_need)
{
	struct cgfs_group *pod[PODS];
	struct cgfs *c;

	limit_descriptors(LITTLE);
	c = world_context(w, WORLD_FILES);
	make_pods(w, c, pod);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < PODS; i++) {
			struct cgfs_stats s = CGFS_STATS_INIT;

			OK(cgfs_group_stats(pod[i], CGFS_READ_ALL, &s, &err));
			CHECK_INT(s.figure[CGFS_STAT_PIDS_MAX].value, 100 + i + round);
			CHECK(kept(w) <= LITTLE);
		}
		for (unsigned int i = 0; i < PODS; i++) {
			struct cgfs_resources res = pids(i + round + 1);

			OK(cgfs_group_set(pod[i], &res, NULL, &err));
			CHECK_INT(world_cat_number(w, CGFS_PIDS, pod[i], "pids.max"),
				  101 + i + round);
		}
	}
	world_check_groups(w, PODS);
}

/* The directory that a handle stood for is gone, and another one has its name. */
WORLD_TEST(descriptors_given_up_lead_to_the_same_directory_only)
{
	struct cgfs_resources res = pids(0);
	struct cgfs_group *pod[PODS];
	struct cgfs_stats s = CGFS_STATS_INIT;
	struct cgfs *c;
	char before[32], path[128];

	limit_descriptors(LITTLE);
	c = world_context(w, WORLD_FILES);
	make_pods(w, c, pod);
	for (unsigned int i = 0; i < PODS; i++)
		OK(cgfs_group_stats(pod[i], CGFS_READ_ALL, &s, &err));
	snprintf(path, sizeof(path), "%s", cgfs_group_path(pod[0]));
	CHECK_INT(w->ops->rmdir(w, CGFS_PIDS, path), 0);
	CHECK_INT(w->ops->mkdir(w, CGFS_PIDS, path), 0);
	snprintf(before, sizeof(before), "%s", world_cat(w, CGFS_PIDS, pod[0], "pids.max"));
	REFUSED(cgfs_group_stats(pod[0], CGFS_READ_PIDS, &s, &err), -ENODEV);
	REFUSED(cgfs_group_set(pod[0], &res, NULL, &err), -ENOENT);
	CHECK_STR(world_cat(w, CGFS_PIDS, pod[0], "pids.max"), before);
}

/* A child begins its life where it belongs, also when its group has given descriptors up: here for
 * its pod, of which spawning wants the limit of processes. */
WORLD_TEST(descriptors_given_up_for_the_pod_while_spawning)
{
	struct cgfs_group *pod, *ctr;
	struct rlimit limit;
	struct cgfs_stats s = CGFS_STATS_INIT;
	struct cgfs *c;
	pid_t pid;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit_descriptors(40);
	c = extra_context(w, WORLD_FILES);
	limit_descriptors(limit.rlim_cur);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	OK(cgfs_group_stats(ctr, CGFS_READ_ALL, &s, &err));
	pid = extra_spawn(ctr, extra_pause, NULL);
	world_check_member(w, pid, ctr);
	OK(cgfs_group_kill(ctr, &err));
	extra_wait(pid);
}

/* The program has taken every descriptor there is. */
WORLD_TEST(descriptors_none_left_for_the_program_are_given_up)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod[PODS];
	struct cgfs_resources res = pids(7);
	struct cgfs_stats s = CGFS_STATS_INIT;
	int taken[64], n = 0, fd;

	make_pods(w, c, pod);
	for (unsigned int i = 0; i < 3; i++)
		OK(cgfs_group_stats(pod[i], CGFS_READ_ALL, &s, &err));
	if (world_fake(w)) {
		fake_fail(world_fake(w), FAKE_OPEN, 1, -EMFILE);
	} else {
		limit_descriptors(world_fds() + 20);
		while (n < 64 && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
			taken[n++] = fd;
		CHECK_INT(errno, EMFILE);
	}
	OK(cgfs_group_set(pod[3], &res, NULL, &err));
	OK(cgfs_group_stats(pod[4], CGFS_READ_ALL, &s, &err));
	CHECK_INT(s.figure[CGFS_STAT_PIDS_MAX].value, 104);
	if (world_fake(w))
		fake_fail(world_fake(w), 0, 0, 0);
	while (n)
		close(taken[--n]);
	CHECK_INT(world_cat_number(w, CGFS_PIDS, pod[3], "pids.max"), 107);
}

static int count_limit(void *arg, struct cgfs_group *g, const struct cgfs_stats *stats)
{
	uint64_t *sum = arg;

	*sum += stats->figure[CGFS_STAT_PIDS_MAX].value;
	return 0;
}

static unsigned int opens_of_walk(struct world *w, struct cgfs *c)
{
	uint64_t sum = 0;

	if (world_fake(w))
		fake_fail(world_fake(w), FAKE_OPEN, 0, 0);
	OK(cgfs_stats_all(c, CGFS_READ_PIDS | CGFS_READ_CPU, count_limit, &sum, &err));
	CHECK_INT(sum, PODS * 100 + PODS * (PODS - 1) / 2);
	CHECK(kept(w) <= LITTLE);
	return world_fake(w) ? fake_calls(world_fake(w)) : 0;
}

/* Who walks over all groups again finds open what there was room for, though each walk needs more.
 */
WORLD_TEST(descriptors_of_a_walk_are_there_for_the_next)
{
	struct cgfs_group *pod[PODS];
	struct cgfs *c;
	struct cgfs_stats s = CGFS_STATS_INIT;
	unsigned int second, third, one = 0;

	world_need(w, CGFS_CPU);
	limit_descriptors(LITTLE);
	c = world_context(w, WORLD_FILES);
	make_pods(w, c, pod);
	(void)opens_of_walk(w, c);
	second = opens_of_walk(w, c);
	third = opens_of_walk(w, c);
	CHECK_INT(third, second);
	/* What one takes that has given all of its own up. */
	for (unsigned int i = 0; world_fake(w) && i < PODS; i++) {
		fake_fail(world_fake(w), FAKE_OPEN, 0, 0);
		OK(cgfs_group_stats(pod[i], CGFS_READ_PIDS | CGFS_READ_CPU, &s, &err));
		if (fake_calls(world_fake(w)) > one)
			one = fake_calls(world_fake(w));
	}
	CHECK(!world_fake(w) || third < PODS * one);
}

static unsigned int opens_of_round(struct world *w, struct cgfs_group *pod[PODS])
{
	struct cgfs_stats s = CGFS_STATS_INIT;

	fake_fail(world_fake(w), FAKE_OPEN, 0, 0);
	for (unsigned int i = 0; i < PODS; i++)
		OK(cgfs_group_stats(pod[i], CGFS_READ_PIDS | CGFS_READ_CPU, &s, &err));
	return fake_calls(world_fake(w));
}

/* Where files and directories are more than there is room for, the files alone stay: a caller that
 * reads one group after the other opens none again. */
WORLD_TEST(descriptors_of_directories_go_first)
{
	struct cgfs_group *pod[PODS];
	size_t before = 0, all = 0;

	world_need(w, CGFS_CPU);
	if (!world_fake(w))
		world_skip(w, "the kernel does not count what is opened");
	make_pods(w, world_context(w, WORLD_FILES), pod);
	for (int again = 0; again < 2; again++) {
		struct cgfs *c = world_context(w, WORLD_FILES);

		before = kept(w);
		for (unsigned int i = 0; i < PODS; i++) {
			char id[16];

			snprintf(id, sizeof(id), "p%u", i);
			OK(cgfs_pod_open(c, id, &pod[i], &err));
		}
		(void)opens_of_round(w, pod);
		if (again)
			CHECK_INT(opens_of_round(w, pod), 0);
		all = kept(w) - before;
		for (unsigned int i = 0; i < PODS; i++)
			cgfs_group_close(pod[i]);
		limit_descriptors(2 * (all - 1));
	}
}
