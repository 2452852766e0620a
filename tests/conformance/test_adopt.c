// SPDX-License-Identifier: MIT
/*
 * test_adopt.c - the process that made the pods dies; the next one finds them.
 */
#include "world.h"

#include <stdlib.h>

static struct cgfs_group *adopt_pod(struct world *w, struct cgfs *c, const char *id)
{
	struct cgfs_group *g = NULL;

	OK(cgfs_pod_open(c, id, &g, &err));
	return world_track(w, g);
}

static struct cgfs_group *adopt_container(struct world *w, struct cgfs *c, struct cgfs_group *pod,
					  const char *id)
{
	struct cgfs_group *g = NULL;

	OK(cgfs_container_open(c, pod, id, &g, &err));
	return world_track(w, g);
}

static int count(void *arg, const char *id)
{
	++*(int *)arg;
	return 0;
}

WORLD_TEST(adopt_limits_and_processes_are_found)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod, *ctr;
	pid_t pid, *pids = NULL;
	uint64_t id;
	size_t n = 0;
	int pods = 0, ctrs = 0;

	world_need(w, CGFS_PIDS);
	res.set = CGFS_SET_PIDS_MAX | CGFS_SET_CPU_WEIGHT;
	res.pids_max = 17;
	res.cpu_weight = 77;
	pod = world_pod(w, c, "web", &res);
	ctr = world_container(w, pod, c, "c1", &res);
	id = cgfs_group_cgroup_id(ctr);
	pid = world_spawn_in(w, ctr);
	world_restart(w);

	CHECK(world_alive(w, pid));
	c = world_context(w, WORLD_POLICY);
	OK(cgfs_pod_list(c, count, &pods, &err));
	CHECK_INT(pods, 1);
	pod = adopt_pod(w, c, "web");
	OK(cgfs_container_list(pod, count, &ctrs, &err));
	CHECK_INT(ctrs, 1);
	ctr = adopt_container(w, c, pod, "c1");
	world_check_groups(w, 2);
	CHECK_INT(cgfs_group_cgroup_id(ctr), id);
	CHECK_INT(world_stat(pod, CGFS_STAT_PIDS_MAX), 17);
	CHECK_INT(world_stat(ctr, CGFS_STAT_CPU_WEIGHT), 77);
	OK(cgfs_group_pids(pod, &pids, &n, &err));
	CHECK_INT(n, 1);
	CHECK_INT(pids[0], pid);
	free(pids);

	/* And all that one does with a pod still works. */
	res.pids_max = 18;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK_STR(world_cat(w, CGFS_PIDS, ctr, "pids.max"), "18");
	world_check_member(w, world_spawn_in(w, ctr), ctr);
	world_spawn_in(w, world_container(w, pod, c, "c2", &res));
	world_destroy(w, w->groups[w->n_groups - 1]);
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_gone(w, pid);
	world_check_groups(w, 0);
}

static int kmsg(struct world *w, pid_t pid)
{
	return w->ops->device(w, pid, CGFS_DEVICE_CHAR, 1, 11, CGFS_ACCESS_READ);
}

static int zero(struct world *w, pid_t pid)
{
	return w->ops->device(w, pid, CGFS_DEVICE_CHAR, 1, 5, CGFS_ACCESS_READ);
}

WORLD_TEST(adopt_device_policy_never_lapses)
{
	struct cgfs_device_rule list[] = { { CGFS_DEVICE_CHAR, 1, 5, CGFS_ACCESS_ALL, true } };
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *ctr;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t pid;

	world_need_devices(w, c);
	res.set = CGFS_SET_DEVICES;
	res.devices = list;
	res.n_devices = 1;
	pod = world_pod(w, c, "web", &res);
	ctr = world_container(w, pod, c, "c1", NULL);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(zero(w, pid), 0);
	CHECK_INT(kmsg(w, pid), -EPERM);
	world_restart(w);

	/* No agent is running. */
	CHECK_INT(zero(w, pid), 0);
	CHECK_INT(kmsg(w, pid), -EPERM);
	c = world_context(w, WORLD_POLICY);
	CHECK_INT(zero(w, pid), 0);
	CHECK_INT(kmsg(w, pid), -EPERM);
	pod = adopt_pod(w, c, "web");
	ctr = adopt_container(w, c, pod, "c1");
	CHECK_INT(zero(w, pid), 0);
	CHECK_INT(kmsg(w, pid), -EPERM);
	if (!w->policy_missing[0]) {
		world_event(w, c, CGFS_EVENT_DEVICE_DENIED, "c1", &ev);
		CHECK_STR(ev.pod, "web");
		CHECK_INT(ev.pid, pid);
	}
	list[0].minor = 11;
	OK(cgfs_group_set(pod, &res, NULL, &err));
	CHECK_INT(zero(w, pid), -EPERM);
	CHECK_INT(kmsg(w, pid), 0);
}

static void oom(struct world *w, enum world_policy policy)
{
	struct cgfs *c = world_context(w, policy);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod, *ctr;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t before, after;

	world_need(w, CGFS_MEMORY);
	res.set = CGFS_SET_MEMORY_MAX;
	res.memory_max_bytes = 16 * MIB;
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", &res);
	before = world_spawn_in(w, ctr);
	after = world_spawn_in(w, ctr);
	CHECK_INT(w->ops->alloc(w, before, 64 * MIB), -ENOMEM);
	world_event(w, c, CGFS_EVENT_OOM_KILL, "c1", &ev);
	world_restart(w);

	c = world_context(w, policy);
	pod = adopt_pod(w, c, "web");
	adopt_container(w, c, pod, "c1");
	/* What was reported before is not reported again. */
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
	CHECK_INT(w->ops->alloc(w, after, 64 * MIB), -ENOMEM);
	world_event(w, c, CGFS_EVENT_OOM_KILL, NULL, &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_STR(ev.container, "c1");
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_OOM_KILL), 0);
}

WORLD_TEST(adopt_oom_kills_are_reported)
{
	oom(w, WORLD_POLICY);
}

WORLD_TEST(adopt_oom_kills_are_reported_files)
{
	oom(w, WORLD_FILES);
}

/* The maker died half-way: the directory is in one hierarchy only. */
WORLD_TEST(adopt_half_made_pod_can_be_removed)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod;
	char path[256];
	int ctl = 0, pods = 0;

	world_pod(w, c, "other", NULL); /* so that the root is there */
	while (world_version(w, ctl) == CGFS_NONE)
		ctl++;
	snprintf(path, sizeof(path), "%s/web", w->root);
	CHECK_INT(w->ops->mkdir(w, ctl, path), 0);
	OK(cgfs_pod_list(c, count, &pods, &err));
	CHECK_INT(pods, 2);
	pod = adopt_pod(w, c, "web");
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_check_groups(w, 1);
}

/* Opening changes nothing for groups that the policy has; one that it does not have waits for a
 * list. */
WORLD_TEST(adopt_made_without_policy_keeps_its_devices)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod, *ctr, *empty;
	bool unbound;
	pid_t pid;
	int before;

	for (size_t i = 0; i < cgfs_mounts(c)->n; i++)
		if (cgfs_mounts(c)->mount[i].ours)
			world_skip(w, "the policy's cgroup2 tree would come after the pod");
	world_restart(w);
	c = world_context(w, WORLD_FILES);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	world_container(w, world_pod(w, c, "half", NULL), c, "c2", NULL);
	pid = world_spawn_in(w, ctr);
	before = kmsg(w, pid);
	world_restart(w);

	c = world_context(w, WORLD_POLICY);
	world_need_devices(w, c);
	pod = adopt_pod(w, c, "web");
	ctr = adopt_container(w, c, pod, "c1");
	CHECK_INT(zero(w, pid), 0);
	CHECK_INT(kmsg(w, pid), before);
	world_spawn_in(w, ctr);
	world_container(w, pod, c, "c3", NULL);
	CHECK_INT(zero(w, pid), 0);
	CHECK_INT(kmsg(w, pid), before);

	empty = adopt_container(w, c, adopt_pod(w, c, "half"), "c2");
	unbound = c && w->policy_missing[0] == '\0';
	if (unbound)
		REFUSED(cgfs_group_add_pid(empty, pid, &err), -EPERM);
	/* A list is asked for, so there is one from now on. */
	res.set = CGFS_SET_DEVICES;
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK_INT(zero(w, pid), -EPERM);
}
