// SPDX-License-Identifier: MIT
/*
 * test_join.c - processes are moved where the caller wants, in every hierarchy, and nowhere else.
 */
#include "world.h"

#include <stdlib.h>

WORLD_TEST(join_add_pid_joins_every_hierarchy)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);
	pid_t pid = world_spawn(w);

	OK(cgfs_group_add_pid(a, pid, &err));
	world_check_member(w, pid, a);
	OK(cgfs_group_add_pid(a, pid, &err)); /* again: no harm */
	OK(cgfs_group_add_pid(b, pid, &err));
	world_check_member(w, pid, b);
}

/* hcsshim's own test: an exec'd process lands in its container, never in "/". */
WORLD_TEST(join_children_stay_in_the_container)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr), child = world_fork(w, pid);

	CHECK(child > 0);
	world_check_member(w, child, ctr);
	child = world_fork(w, child);
	CHECK(child > 0);
	world_check_member(w, child, ctr);
}

WORLD_TEST(join_pod_itself_is_refused)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	pid_t pid = world_spawn(w);
	char before[CGFS_CONTROLLER_COUNT + 1][256];

	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE)
			snprintf(before[ctl], sizeof(before[ctl]), "%.255s",
				 w->ops->cgroup_of(w, pid, ctl));
	}
	CHECK_HAS(REFUSED(cgfs_group_add_pid(pod, pid, &err), -EINVAL), "web");
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE)
			CHECK_STR(w->ops->cgroup_of(w, pid, ctl), before[ctl]);
	}
}

WORLD_TEST(join_missing_process_is_esrch)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn(w);
	const char *text;
	char number[16];

	w->ops->exit(w, pid);
	world_gone(w, pid);
	text = REFUSED(cgfs_group_add_pid(ctr, pid, &err), -ESRCH);
	snprintf(number, sizeof(number), "%d", pid);
	CHECK_HAS(text, number);
	CHECK_HAS(text, "c1");
	CHECK_HAS(REFUSED(cgfs_group_add_pid(ctr, -5, &err), -EINVAL), "-5");
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_CURRENT), 0);
}

/* A hierarchy refuses (the pids limit of v2 does not, cpuset does when it is empty): here one
 * does because the directory is gone there.  The process goes back to where it was. */
WORLD_TEST(join_refused_is_taken_back)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);
	pid_t pid = world_spawn_in(w, a);
	int last = -1;

	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE)
			last = ctl;
	}
	CHECK_INT(w->ops->rmdir(w, last, cgfs_group_path(b)), 0);
	CHECK(cgfs_group_add_pid(b, pid, NULL) < 0);
	world_check_member(w, pid, a);
}

static bool has(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

WORLD_TEST(join_pids_lists_the_group_and_below)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);
	pid_t *pids = (pid_t *)1, pa, pb;
	size_t n = 99;

	OK(cgfs_group_pids(pod, &pids, &n, &err));
	CHECK(pids == NULL && n == 0);
	pa = world_spawn_in(w, a);
	pb = world_spawn_in(w, b);
	OK(cgfs_group_pids(pod, &pids, &n, &err));
	CHECK_INT(n, 2);
	CHECK(has(pids, n, pa) && has(pids, n, pb));
	free(pids);
	OK(cgfs_group_pids(a, &pids, &n, &err));
	CHECK_INT(n, 1);
	CHECK_INT(pids[0], pa);
	free(pids);
	w->ops->exit(w, pa);
	world_gone(w, pa);
	OK(cgfs_group_pids(a, &pids, &n, &err));
	CHECK(pids == NULL && n == 0);
}

WORLD_TEST(join_all_threads_move)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid = world_spawn(w);

	if (w->ops->threads(w, pid, 4) == -ENOTSUP)
		world_skip(w, "the fake host has no threads");
	world_need(w, CGFS_PIDS);
	OK(cgfs_group_add_pid(ctr, pid, &err));
	world_check_member(w, pid, ctr);
	/* The pids controller counts threads. */
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_CURRENT), 5);
}

/* -- threads ---------------------------------------------------------------------------------- */

/* Where a thread is in the v1 hierarchy of @ctl: the text of /proc/PID/task/TID/cgroup. */
static void check_thread(struct world *w, pid_t pid, pid_t tid, const struct cgfs_group *in,
			 const struct cgfs_group *unified)
{
	char path[96], line[512];
	unsigned int seen = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/cgroup", pid, tid);
	f = fopen(path, "re");
	CHECK_MSG(f != NULL, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		const struct cgfs_group *want = strncmp(line, "0::", 3) == 0 ? unified : in;
		const char *at = strrchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		/* Hierarchies that are not the library's: name=systemd. */
		if (strstr(line, "name=") || !strstr(line, w->root))
			continue;
		CHECK_STR(at + 1, cgfs_group_path(want));
		seen++;
	}
	fclose(f);
	CHECK_INT(seen, w->ops->hierarchies(w));
}

/* The only thread of a process: where there is v1, it goes there. */
WORLD_TEST(join_thread_single)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);
	pid_t pid = world_spawn_in(w, a), *tids = NULL;
	bool v1 = false;
	size_t n;

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++)
		v1 |= world_version(w, ctl) == CGFS_V1;
	CHECK_HAS(REFUSED(cgfs_group_add_thread(pod, pid, &err), -EINVAL), "web");
	REFUSED(cgfs_group_add_thread(b, -2, &err), -EINVAL);
	if (!v1) {
		CHECK_HAS(REFUSED(cgfs_group_add_thread(b, pid, &err), -EOPNOTSUPP), "cgroup2");
		world_check_member(w, pid, a);
		OK(cgfs_group_threads(a, &tids, &n, &err));
		CHECK_INT(n, 1);
		CHECK_INT(tids[0], pid);
		free(tids);
		return;
	}
	OK(cgfs_group_add_thread(b, pid, &err));
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE)
			CHECK_STR(w->ops->cgroup_of(w, pid, ctl),
				  cgfs_group_path(world_v2(w, ctl) ? a : b));
	}
	OK(cgfs_group_threads(b, &tids, &n, &err));
	CHECK_INT(n, 1);
	CHECK_INT(tids[0], pid);
	free(tids);
	OK(cgfs_group_threads(a, &tids, &n, &err));
	CHECK(n == 0 && tids == NULL);
}

/* One of several: the others stay, and so do all of them in the cgroup2 tree. */
WORLD_TEST(join_thread_one_of_several)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);
	pid_t pid = world_spawn_in(w, a), other = 0, *tids = NULL;
	size_t n;
	int r;

	r = w->ops->threads(w, pid, 2);
	if (r == -ENOTSUP)
		world_skip(w, "the fake host has no threads");
	CHECK_INT(r, 0);
	OK(cgfs_group_threads(a, &tids, &n, &err));
	CHECK_INT(n, 3);
	for (size_t i = 0; i < n; i++)
		other = tids[i] != pid ? tids[i] : other;
	free(tids);
	r = cgfs_group_add_thread(b, other, NULL);
	if (r == -EOPNOTSUPP) {
		check_thread(w, pid, other, a, a);
		world_skip(w, "all controllers are on cgroup2");
	}
	CHECK_INT(r, 0);
	check_thread(w, pid, other, b, a);
	check_thread(w, pid, pid, a, a);
	OK(cgfs_group_threads(b, &tids, &n, &err));
	CHECK_INT(n, 1);
	CHECK_INT(tids[0], other);
	free(tids);
	OK(cgfs_group_threads(pod, &tids, &n, &err));
	CHECK_INT(n, 3);
	free(tids);
	/* And back. */
	OK(cgfs_group_add_thread(a, other, &err));
	check_thread(w, pid, other, a, a);
	OK(cgfs_group_add_thread(b, other, &err));
	/* The container goes, and with it the process that has a thread in it. */
	world_destroy(w, b);
	world_gone(w, pid);
}

/* A hierarchy that refuses: the thread is where it was. */
WORLD_TEST(join_thread_refused_is_taken_back)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);
	pid_t pid = world_spawn_in(w, a);
	int last = -1;

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) == CGFS_V1)
			last = ctl;
	}
	if (last < 0)
		world_skip(w, "no v1 hierarchy");
	CHECK_INT(w->ops->rmdir(w, last, cgfs_group_path(b)), 0);
	CHECK(cgfs_group_add_thread(b, pid, NULL) < 0);
	world_check_member(w, pid, a);
}

/* The kernel gives a page of it at a time. */
WORLD_TEST(join_pids_lists_more_than_a_page)
{
	enum { MANY = 1300 };
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t want[MANY], *pids = NULL;
	size_t n = 0;

	if (!world_fake(w))
		world_skip(w, "too many processes for a test on a kernel");
	for (size_t i = 0; i < MANY; i++) {
		want[i] = fake_spawn(world_fake(w));
		OK(cgfs_group_add_pid(ctr, want[i], &err));
	}
	OK(cgfs_group_pids(pod, &pids, &n, &err));
	CHECK_INT(n, MANY);
	/* In the order in which they came, each once. */
	for (size_t i = 0; i < MANY; i++)
		CHECK_INT(pids[i], want[i]);
	free(pids);
}
