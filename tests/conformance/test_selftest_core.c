// SPDX-License-Identifier: MIT
/*
 * test_selftest_core.c - cgroup2's rules: no processes in inner cgroups, controllers enabled
 * from the top, emptiness that is reported upwards, threads in cgroups of their own.
 */
#include "extra.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void need_unified(struct world *w)
{
	if (world_version(w, UNIFIED) == CGFS_NONE)
		world_skip(w, "no cgroup2 tree in this layout");
}

WORLD_TEST(selftest_core_pod_takes_no_process)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);
	char origin[512];

	CHECK_HAS(REFUSED(cgfs_group_add_pid(pod, pid, &err), -EINVAL), "web");
	world_check_member(w, pid, ctr);
	/* The kernel refuses it as well, where there are controllers to distribute. */
	if (world_version(w, UNIFIED) == CGFS_NONE)
		return;
	snprintf(origin, sizeof(origin), "%s",
		 world_cat(w, UNIFIED, pod, "cgroup.subtree_control"));
	if (*origin)
		CHECK_INT(w->ops->move(w, UNIFIED, cgfs_group_path(pod), pid), -EBUSY);
	world_check_member(w, pid, ctr);
}

/* Each word of @small is one of @large. */
static bool subset(const char *small, const char *large)
{
	char copy[512], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", small);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t n = strlen(word);
		const char *p = large;

		while ((p = strstr(p, word)) &&
		       ((p != large && p[-1] != ' ') || (p[n] && p[n] != ' ')))
			p += n;
		if (!p)
			return false;
	}
	return true;
}

WORLD_TEST(selftest_core_controllers_down_to_containers)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *ctr;
	char root[512], path[512];
	size_t n = 0;

	need_unified(w);
	ctr = world_container(w, pod, c, "c1", NULL);
	snprintf(path, sizeof(path), "%s", w->root);
	CHECK_INT(w->ops->cat(w, UNIFIED, path, "cgroup.subtree_control", root, sizeof(root)), 0);
	root[strcspn(root, "\n")] = '\0';
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		const char *name = cgfs_controller_name(ctl);

		if (!world_v2(w, ctl) || ctl == CGFS_PERF_EVENT)
			continue;
		n++;
		CHECK_MSG(subset(name, root), "%s is not enabled in the pods root: \"%s\"", name,
			  root);
		CHECK_MSG(subset(name, world_cat(w, UNIFIED, pod, "cgroup.subtree_control")),
			  "%s is not enabled in the pod", name);
		CHECK_MSG(subset(name, world_cat(w, UNIFIED, ctr, "cgroup.controllers")),
			  "the container has no %s", name);
	}
	/* The container's own children are its own business. */
	CHECK_STR(world_cat(w, UNIFIED, ctr, "cgroup.subtree_control"), "");
	CHECK(subset(world_cat(w, UNIFIED, ctr, "cgroup.controllers"),
		     world_cat(w, UNIFIED, pod, "cgroup.controllers")));
	if (n == 0)
		world_note(w, "%s: the cgroup2 tree has no controllers", w->kind->name);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
}

static uint64_t populated(struct world *w, const struct cgfs_group *g)
{
	return extra_keyed(w, UNIFIED, g, "cgroup.events", "populated");
}

WORLD_TEST(selftest_core_emptiness_is_reported_upwards)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *a = world_container(w, pod, c, "a", NULL);
	struct cgfs_group *b = world_container(w, pod, c, "b", NULL);
	pid_t pa, pb;

	need_unified(w);
	CHECK(!populated(w, pod) && !populated(w, a) && !populated(w, b));
	extra_nest(w, a, "inner");
	pa = world_spawn_in(w, a);
	extra_enter(w, a, "inner", pa);
	CHECK(populated(w, pod) && populated(w, a) && !populated(w, b));
	pb = world_spawn_in(w, b);
	CHECK(populated(w, b));
	OK(cgfs_group_kill(a, &err));
	world_gone(w, pa);
	UNTIL(!populated(w, a));
	CHECK(populated(w, pod));
	OK(cgfs_group_kill(b, &err));
	world_gone(w, pb);
	UNTIL(!populated(w, pod));
	CHECK(!populated(w, b));
}

/* -- threads ---------------------------------------------------------------------------------- */

struct threaded {
	char dir[512]; /* the inner cgroup */
	int ready;     /* a pipe's end */
};

static bool put(const char *dir, const char *file, const char *text)
{
	char path[600];
	int fd;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return ok;
}

static void *move_and_wait(void *arg)
{
	const struct threaded *t = arg;
	char ok = put(t->dir, "cgroup.threads", "0") ? 'y' : 'n';

	if (write(t->ready, &ok, 1) != 1)
		return NULL;
	for (;;)
		pause();
}

static int thread_in_a_cgroup_of_its_own(void *arg)
{
	struct threaded *t = arg;
	pthread_t thread;

	alarm(1100);
	if (mkdir(t->dir, 0755) < 0 || !put(t->dir, "cgroup.type", "threaded"))
		return 3;
	if (pthread_create(&thread, NULL, move_and_wait, t) != 0)
		return 4;
	for (;;)
		pause();
}

/* runc#3821: a threaded cgroup's cgroup.procs cannot be read. */
WORLD_TEST(selftest_core_threaded_cgroup)
{
	struct cgfs *c;
	struct cgfs_group *pod, *ctr;
	struct threaded t;
	int fds[2];
	char ok = '-';
	pid_t pid, *pids = NULL;
	size_t n;

	need_unified(w);
	c = extra_context(w, WORLD_POLICY);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	snprintf(t.dir, sizeof(t.dir), "%s%s/threads", w->ops->mount(w, UNIFIED),
		 cgfs_group_path(ctr));
	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	t.ready = fds[1];
	pid = extra_spawn(ctr, thread_in_a_cgroup_of_its_own, &t);
	close(fds[1]);
	CHECK(read(fds[0], &ok, 1) == 1);
	close(fds[0]);
	CHECK(ok == 'y');
	CHECK_STR(world_cat(w, UNIFIED, ctr, "cgroup.type"), "domain threaded");
	OK(cgfs_group_pids(ctr, &pids, &n, &err));
	CHECK_INT(n, 1);
	CHECK_INT(pids[0], pid);
	free(pids);
	CHECK_INT(world_stat(ctr, CGFS_STAT_PIDS_CURRENT), 2);
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	OK(cgfs_group_thaw(ctr, &err));
	OK(cgfs_group_kill(ctr, &err));
	CHECK(WIFSIGNALED(extra_wait(pid)));
	CHECK_INT(extra_pids(ctr), 0);
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_check_groups(w, 0);
}

/* The same, destroyed while the thread runs. */
WORLD_TEST(selftest_core_threaded_cgroup_is_destroyed)
{
	struct cgfs *c;
	struct cgfs_group *ctr;
	struct threaded t;
	int fds[2];
	char ok = '-';
	pid_t pid;

	need_unified(w);
	c = extra_context(w, WORLD_POLICY);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	snprintf(t.dir, sizeof(t.dir), "%s%s/threads", w->ops->mount(w, UNIFIED),
		 cgfs_group_path(ctr));
	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	t.ready = fds[1];
	pid = extra_spawn(ctr, thread_in_a_cgroup_of_its_own, &t);
	close(fds[1]);
	CHECK(read(fds[0], &ok, 1) == 1 && ok == 'y');
	close(fds[0]);
	world_destroy(w, ctr);
	CHECK(WIFSIGNALED(extra_wait(pid)));
	world_check_groups(w, 1);
}
