// SPDX-License-Identifier: MIT
/*
 * test_watch.c - emptiness and pressure, several watchers of one file, and one inotify instance
 * for any number of pods.
 */
#include "extra.h"

#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

static void need_unified(struct world *w)
{
	if (world_version(w, UNIFIED) == CGFS_NONE)
		world_skip(w, "no cgroup2 tree in this layout");
}

/* -- emptiness ----------------------------------------------------------------------------------
 */

WORLD_TEST(watch_empty_last_process)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t a, b;

	if (world_version(w, UNIFIED) == CGFS_NONE) {
		REFUSED(cgfs_group_watch_empty(ctr, true, &err), -EOPNOTSUPP);
		return;
	}
	OK(cgfs_group_watch_empty(ctr, true, &err));
	OK(cgfs_group_watch_empty(ctr, true, &err)); /* twice is once */
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	for (int i = 0; i < 2; i++) {
		a = world_spawn_in(w, ctr);
		b = world_spawn_in(w, ctr);
		w->ops->exit(w, a);
		world_gone(w, a);
		CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
		w->ops->exit(w, b);
		world_gone(w, b);
		world_event(w, c, CGFS_EVENT_EMPTY, "c1", &ev);
		CHECK_STR(ev.pod, "web");
		CHECK_INT(ev.cgroup_id, cgfs_group_cgroup_id(ctr));
		CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	}
	OK(cgfs_group_watch_empty(ctr, false, &err));
	OK(cgfs_group_watch_empty(ctr, false, &err));
	a = world_spawn_in(w, ctr);
	w->ops->exit(w, a);
	world_gone(w, a);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
}

/* A look that failed is repeated, but not for a watch that has ended. */
WORLD_TEST(watch_empty_nothing_is_reported_afterwards)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct fake *f = world_fake(w);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid;

	need_unified(w);
	if (!f)
		world_skip(w, "no kernel refuses a look at cgroup.events");
	OK(cgfs_group_watch_empty(ctr, true, &err));
	pid = world_spawn_in(w, ctr);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	w->ops->exit(w, pid);
	world_gone(w, pid);
	fake_fail(f, FAKE_OPEN, 1, -EIO);
	OK(cgfs_event_read(c, &ev, &err));
	CHECK(fake_struck(f));
	fake_fail(f, 0, 0, 0);
	OK(cgfs_group_watch_empty(ctr, false, &err));
	world_sleep_ms(30);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
}

/* Gone before the library looked.  @others: a runtime put the process there, without the library.
 */
static void short_lives(struct world *w, bool others)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;

	need_unified(w);
	OK(cgfs_group_watch_empty(ctr, true, &err));
	for (int i = 0; i < 5; i++) {
		pid_t pid = others ? world_spawn(w) : world_spawn_in(w, ctr);

		if (others) {
			CHECK_INT(w->ops->move(w, UNIFIED, cgfs_group_path(ctr), pid), 0);
			w->ops->burn(w, pid, 100);
		}
		w->ops->exit(w, pid);
		world_gone(w, pid);
		world_event(w, c, CGFS_EVENT_EMPTY, "c1", &ev);
		CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	}
}

WORLD_TEST(watch_empty_short_lives)
{
	short_lives(w, false);
}

WORLD_TEST(watch_empty_short_lives_by_others)
{
	short_lives(w, true);
}

WORLD_TEST(watch_empty_pod)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	pid_t a = world_spawn_in(w, world_container(w, pod, c, "a", NULL));
	pid_t b = world_spawn_in(w, world_container(w, pod, c, "b", NULL));
	struct cgfs_event ev = CGFS_EVENT_INIT;

	need_unified(w);
	OK(cgfs_group_watch_empty(pod, true, &err));
	w->ops->exit(w, a);
	world_gone(w, a);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	w->ops->exit(w, b);
	world_gone(w, b);
	world_event(w, c, CGFS_EVENT_EMPTY, "", &ev);
	CHECK_STR(ev.pod, "web");
}

/* Freezing changes the same file, and is no news of this kind. */
WORLD_TEST(watch_empty_freeze_is_none)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid;

	need_unified(w);
	OK(cgfs_group_watch_empty(ctr, true, &err));
	OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	OK(cgfs_group_thaw(ctr, &err));
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	pid = world_spawn_in(w, ctr);
	for (int i = 0; i < 3; i++) {
		OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
		OK(cgfs_group_thaw(ctr, &err));
	}
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	OK(cgfs_group_kill(ctr, &err));
	world_gone(w, pid);
	world_event(w, c, CGFS_EVENT_EMPTY, "c1", &ev);
}

/* Removal waits for the same file; it is reported as a removal. */
WORLD_TEST(watch_empty_removal_is_none)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	size_t removed = 0;

	need_unified(w);
	world_spawn_in(w, ctr);
	world_spawn_in(w, ctr);
	OK(cgfs_group_watch_empty(ctr, true, &err));
	if (world_version(w, CGFS_MEMORY) != CGFS_NONE)
		OK(cgfs_group_watch_memory(ctr, 0, 0, &err));
	OK(cgfs_group_remove(ctr, NULL, &err));
	for (int i = 0; removed == 0; i++) {
		struct pollfd p = { .fd = cgfs_event_fd(c), .events = POLLIN };
		int r = cgfs_event_read(c, &ev, NULL);

		CHECK(r >= 0);
		CHECK(i < PATIENCE_MS / 10);
		if (r == 0) {
			w->ops->tick(w);
			CHECK(poll(&p, 1, 10) >= 0);
			continue;
		}
		CHECK_STR(cgfs_event_name(ev.type), "removed");
		CHECK_INT(ev.error, 0);
		removed++;
	}
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_REMOVED), 0);
	world_check_groups(w, 1);
	/* A pod takes its containers' watches with it. */
	ctr = world_container(w, pod, c, "c2", NULL);
	world_spawn_in(w, ctr);
	OK(cgfs_group_watch_empty(ctr, true, &err));
	OK(cgfs_group_watch_empty(pod, true, &err));
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_REMOVED), 0);
	world_check_groups(w, 0);
}

/* Two handles of one container: each gets the event, and one's end is not the other's. */
WORLD_TEST(watch_each_handle)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_resources res = extra_memory(64 * MIB);
	bool memory = world_version(w, CGFS_MEMORY) != CGFS_NONE;
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *other;
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", memory ? &res : NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid;

	need_unified(w);
	OK(cgfs_container_open(c, pod, "c1", &other, &err));
	OK(cgfs_group_watch_empty(ctr, true, &err));
	OK(cgfs_group_watch_empty(other, true, &err));
	for (int handles = 2; handles > 0; handles--) {
		pid = world_spawn_in(w, ctr);
		CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0); /* both have seen it */
		w->ops->exit(w, pid);
		world_gone(w, pid);
		for (int i = 0; i < handles; i++)
			world_event(w, c, CGFS_EVENT_EMPTY, "c1", &ev);
		CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
		if (handles == 2)
			cgfs_group_close(other);
	}
	if (!memory)
		return;
	pid = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, pid, 128 * MIB), -ENOMEM);
	world_event(w, c, CGFS_EVENT_OOM_KILL, "c1", &ev);
}

/* -- pressure -----------------------------------------------------------------------------------
 */

static void need_pressure(struct world *w)
{
	need_unified(w);
	if (w->kind->live && access("/proc/pressure/cpu", R_OK) < 0)
		world_skip(w, "this kernel has no PSI, or has it switched off");
}

/* Polls the descriptor, and a set that it is in, until there is something, and a few times more. */
static void poll_from_outside(struct cgfs *c)
{
	struct epoll_event want = { .events = EPOLLIN }, have;
	struct pollfd p = { .fd = cgfs_event_fd(c), .events = POLLIN };
	int outer = epoll_create1(EPOLL_CLOEXEC);

	CHECK(outer >= 0);
	CHECK(epoll_ctl(outer, EPOLL_CTL_ADD, p.fd, &want) == 0);
	CHECK_INT(epoll_wait(outer, &have, 1, PATIENCE_MS), 1);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(poll(&p, 1, PATIENCE_MS), 1);
		CHECK_INT(epoll_wait(outer, &have, 1, 0), 1);
	}
	close(outer);
}

/* Less than 2 s is for those with CAP_SYS_RESOURCE. */
static uint64_t pressure_window(void)
{
	return getenv("CGFS_TEST_GUEST") ? 500000 : 2000000;
}

/* Two that want one CPU: one of them always waits. */
WORLD_TEST(watch_pressure_cpu)
{
	struct cgfs *c = extra_context(w, WORLD_FILES);
	struct cgfs_group *pod, *ctr, *calm;
	uint64_t window = pressure_window();
	struct cgfs_event ev = CGFS_EVENT_INIT;

	need_pressure(w);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	calm = world_container(w, pod, c, "calm", NULL);
	OK(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_CPU, false, 100000, window, &err));
	OK(cgfs_group_watch_pressure(calm, CGFS_PRESSURE_CPU, false, 100000, window, &err));
	OK(cgfs_group_watch_pressure(pod, CGFS_PRESSURE_CPU, false, 150000, window, &err));
	OK(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_IO, true, window, window, &err));
	extra_spawn(ctr, extra_spin, NULL);
	extra_spawn(ctr, extra_spin, NULL);
	/* The kernel hands out a trigger's event once: it must not go to a caller that only polls.
	 */
	poll_from_outside(c);
	world_event(w, c, CGFS_EVENT_PRESSURE, "c1", &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_INT(ev.pressure, CGFS_PRESSURE_CPU);
	CHECK_INT(ev.threshold, 100000);
	CHECK_INT(ev.value, window);
	world_event(w, c, CGFS_EVENT_PRESSURE, "", &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_INT(ev.threshold, 150000);
	OK(cgfs_group_watch_pressure(pod, CGFS_PRESSURE_CPU, false, 0, 0, &err));
	/* Another line in its place, then none. */
	OK(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_CPU, false, 200000, window, &err));
	do /* one of the old line may have come before it was replaced */
		world_event(w, c, CGFS_EVENT_PRESSURE, "c1", &ev);
	while (ev.threshold == 100000);
	CHECK_INT(ev.threshold, 200000);
	OK(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_CPU, false, 0, 0, &err));
	world_count_events(w, c, CGFS_EVENT_PRESSURE);
	world_sleep_ms((unsigned int)(window / 1000) + 200);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_PRESSURE), 0);
	/* Removed while it is watched and under pressure. */
	OK(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_CPU, false, 100000, window, &err));
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_REMOVED), 0);
}

WORLD_TEST(watch_pressure_refused)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	size_t fds;

	/* On a simulation no process stalls. */
	REFUSED(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_IO, false, 1000, 1000000, &err),
		-EOPNOTSUPP);
	if (!w->kind->live)
		return;
	need_pressure(w);
	c = extra_context(w, WORLD_FILES);
	ctr = world_container(w, world_pod(w, c, "db", NULL), c, "c1", NULL);
	OK(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_IO, false, 0, 0, &err));
	REFUSED(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_IO, false, 1000, 10, &err), -EINVAL);
	fds = world_fds(); /* what is opened once and kept is open now */
	/* Windows are 500 ms to 10 s, and the stall is within. */
	CHECK_HAS(REFUSED(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_IO, false, 1000, 10, &err),
			  -EINVAL),
		  "io.pressure");
	REFUSED(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_CPU, false, 3000000, 2000000, &err),
		-EINVAL);
	REFUSED(cgfs_group_watch_pressure(ctr, (enum cgfs_pressure)3, false, 1000, 2000000, &err),
		-EINVAL);
	CHECK_INT(world_fds(), fds);
}

/* A cgroup that another process removes: its trigger is ready for ever, and is dropped. */
WORLD_TEST(watch_pressure_cgroup_is_gone)
{
	struct cgfs *c = extra_context(w, WORLD_FILES);
	struct cgfs_group *ctr;
	struct pollfd p;
	struct cgfs_event ev = CGFS_EVENT_INIT;

	need_pressure(w);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	OK(cgfs_group_watch_pressure(ctr, CGFS_PRESSURE_CPU, false, 100000, pressure_window(),
				     &err));
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE &&
		    w->ops->exists(w, ctl, cgfs_group_path(ctr)))
			CHECK_INT(w->ops->rmdir(w, ctl, cgfs_group_path(ctr)), 0);
	}
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_PRESSURE), 0);
	/* A timer may still have to run out; but then there is rest. */
	p = (struct pollfd){ .fd = cgfs_event_fd(c), .events = POLLIN };
	for (int i = 0; poll(&p, 1, 100) != 0; i++) {
		CHECK_MSG(i < 100, "readable for ever");
		CHECK_INT(cgfs_event_read(c, &ev, NULL), 0);
	}
}

/* -- one instance -------------------------------------------------------------------------------
 */

#define PODS	 500
#define FEW_PODS 150 /* in a guest that is not for it */

static size_t inotify_instances(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	size_t n = 0;

	CHECK(d != NULL);
	while ((e = readdir(d))) {
		char path[300], target[64];
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		len = readlink(path, target, sizeof(target) - 1);
		if (len <= 0)
			continue;
		target[len] = '\0';
		n += strcmp(target, "anon_inode:inotify") == 0;
	}
	closedir(d);
	return n;
}

/* Everything that can be watched of a pod and its container. */
static void watch_all(struct world *w, struct cgfs_group *pod, struct cgfs_group *ctr)
{
	OK(cgfs_group_watch_empty(pod, true, &err));
	OK(cgfs_group_watch_empty(ctr, true, &err));
	if (world_version(w, CGFS_MEMORY) == CGFS_NONE)
		return;
	OK(cgfs_group_watch_memory(pod, 1024 * MIB, MIB, &err));
	OK(cgfs_group_watch_memory(ctr, 1024 * MIB, MIB, &err));
}

/* A pod and a container keep their directory in the cgroup2 tree open, and in memory's.  cgroup2
 * notifies without a further descriptor; v1 has an eventfd for each threshold, and for OOM. */
static size_t descriptors_of_a_pod(struct world *w)
{
	/* v1's device lists are kept with their directories. */
	size_t devices = world_version(w, CGFS_DEVICES) == CGFS_V1 ? 2 : 0;

	return devices + (world_version(w, CGFS_MEMORY) == CGFS_V1 ? 2 * 2 + 2 + 1 : 2);
}

/* The default limit is 128 instances for a user (containerd#11652). */
WORLD_TEST(watch_many_pods_one_inotify)
{
	static struct cgfs_group *pod[PODS], *ctr[PODS];
	struct rlimit lim = { 16384, 16384 };
	struct cgfs_event ev = CGFS_EVENT_INIT;
	bool reported[PODS] = { false };
	int n_pods = world_thorough() ? PODS : FEW_PODS;
	size_t fds = 0;
	struct cgfs *c;

	/* Before the library looks: no directory has to be given up. */
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	c = extra_context(w, WORLD_FILES);
	need_unified(w);
	for (int i = 0; i < n_pods; i++) {
		char id[16];

		snprintf(id, sizeof(id), "p%d", i);
		OK(cgfs_pod_create(c, id, NULL, &pod[i], &err));
		OK(cgfs_container_create(c, pod[i], "c", NULL, &ctr[i], &err));
		watch_all(w, pod[i], ctr[i]);
		if (i == 0)
			fds = world_fds();
	}
	CHECK_INT(world_fds() - fds, (size_t)(n_pods - 1) * descriptors_of_a_pod(w));
	CHECK_INT(inotify_instances(), 1);
	for (int i = 0; i < n_pods; i += n_pods / 10)
		w->ops->exit(w, world_spawn_in(w, ctr[i]));
	for (int n = 0; n < 10; n++) {
		int i;

		world_event(w, c, CGFS_EVENT_EMPTY, "c", &ev);
		i = atoi(ev.pod + 1);
		CHECK(i >= 0 && i < n_pods && i % (n_pods / 10) == 0 && !reported[i]);
		reported[i] = true;
	}
	for (int i = 0; i < n_pods; i++) {
		OK(cgfs_group_remove(pod[i], CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
		cgfs_group_close(ctr[i]);
		cgfs_group_close(pod[i]);
	}
	CHECK_INT(inotify_instances(), 1);
	world_check_groups(w, 0);
}

/* More changes than the kernel keeps (fs.inotify.max_queued_events), and then those that count. */
WORLD_TEST(watch_overflow_loses_nothing)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL), *noisy[2], *ctr[2];
	struct cgfs_resources res = extra_memory(64 * MIB);
	bool memory = world_version(w, CGFS_MEMORY) != CGFS_NONE;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid[2], mover;

	need_unified(w);
	if (w->kind->live)
		world_skip(w, "a kernel announces 100 changes a second at most: it takes too long");
	for (int i = 0; i < 2; i++) {
		noisy[i] = world_container(w, pod, c, i ? "noisy1" : "noisy0", NULL);
		ctr[i] = world_container(w, pod, c, i ? "c1" : "c0", memory ? &res : NULL);
		OK(cgfs_group_watch_empty(noisy[i], true, &err));
		OK(cgfs_group_watch_empty(ctr[i], true, &err));
		pid[i] = world_spawn_in(w, ctr[i]);
	}
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_EMPTY), 0);
	mover = world_spawn(w);
	for (int i = 0; i < 20000; i++)
		CHECK_INT(w->ops->move(w, UNIFIED, cgfs_group_path(noisy[i % 2]), mover), 0);
	w->ops->exit(w, pid[0]);
	if (memory)
		CHECK_INT(w->ops->alloc(w, pid[1], 128 * MIB), -ENOMEM);
	else
		w->ops->exit(w, pid[1]);
	for (bool empty[2] = { false, false }, oom = false;
	     !empty[0] || !empty[1] || (memory && !oom);) {
		int r = cgfs_event_read(c, &ev, NULL);

		CHECK_MSG(r == 1, "c0 %d, c1 %d, OOM %d: no event (%d)", empty[0], empty[1], oom,
			  r);
		if (ev.type == CGFS_EVENT_OOM_KILL) {
			CHECK_STR(ev.container, "c1");
			CHECK(!oom);
			oom = true;
		} else if (ev.container[0] == 'c') {
			CHECK_INT(ev.type, CGFS_EVENT_EMPTY);
			CHECK(!empty[ev.container[1] - '0']);
			empty[ev.container[1] - '0'] = true;
		}
	}
}
