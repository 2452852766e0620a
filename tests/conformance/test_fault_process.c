// SPDX-License-Identifier: MIT
/*
 * test_fault_process.c - the fault sweep of what is done to processes: join, list, freeze, kill.
 */
#include "fault.h"

#include <stdlib.h>

static void with_two_containers(struct scene *s)
{
	with_container(s);
	s->other = world_container(s->w, s->pod, s->c, "from", NULL);
	s->pid = world_spawn_in(s->w, s->other);
}

static int run_add_pid(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_add_pid(s->ctr, s->pid, err);
}

static int run_add_thread(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_add_thread(s->ctr, s->pid, err);
}

/* The fake has no kernel to make a child: the call is refused before anything else. */
static int run_spawn(struct scene *s, struct cgfs_err *err)
{
	int pidfd = -1, r;
	pid_t pid = -1;

	r = cgfs_group_spawn(s->ctr, &pid, &pidfd, err);
	CHECK_INT(r, -EOPNOTSUPP);
	CHECK(pid == -1 && pidfd == -1);
	return 0;
}

static void with_many(struct scene *s)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	with_container(s);
	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = 1000;
	OK(cgfs_group_set(s->pod, &res, NULL, &err));
	OK(cgfs_group_set(s->ctr, &res, NULL, &err));
	for (unsigned int i = 0; i < 20; i++)
		world_spawn_in(s->w, s->ctr);
}

static int list_pids(struct scene *s, bool bounded, struct cgfs_err *err)
{
	pid_t *pids = NULL;
	size_t n = 0;
	int r = bounded ? cgfs_group_pids_bounded(s->pod, 100, &pids, &n, err)
			: cgfs_group_pids(s->pod, &pids, &n, err);

	CHECK(r == 0 || (!pids && !n));
	for (size_t i = 0; i < n; i++)
		fault_out(s, "%d\n", pids[i]);
	free(pids);
	return r;
}

static int run_pids(struct scene *s, struct cgfs_err *err)
{
	return list_pids(s, false, err);
}

static int run_pids_bounded(struct scene *s, struct cgfs_err *err)
{
	return list_pids(s, true, err);
}

static int run_threads(struct scene *s, struct cgfs_err *err)
{
	pid_t *tids = NULL;
	size_t n = 0;
	int r = cgfs_group_threads(s->ctr, &tids, &n, err);

	CHECK(r == 0 || (!tids && !n));
	for (size_t i = 0; i < n; i++)
		fault_out(s, "%d\n", tids[i]);
	free(tids);
	return r;
}

static int run_freeze(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_freeze(s->ctr, PATIENCE_MS, err);
}

static void with_frozen_container(struct scene *s)
{
	with_container(s);
	OK(cgfs_group_freeze(s->ctr, PATIENCE_MS, &err));
}

static int run_thaw(struct scene *s, struct cgfs_err *err)
{
	return cgfs_group_thaw(s->ctr, err);
}

/* Not half-frozen, and not immune. */
static int run_kill(struct scene *s, struct cgfs_err *err)
{
	bool ran = s->w->ops->runs(s->w, s->pid);
	int r = cgfs_group_kill(s->ctr, err);

	if (r == 0)
		CHECK(!world_alive(s->w, s->pid));
	else if (ran)
		CHECK(!world_alive(s->w, s->pid) || s->w->ops->runs(s->w, s->pid));
	return r;
}

/* What fails later is not reported, but what began well ends well. */
static int run_kill_begin(struct scene *s, struct cgfs_err *err)
{
	bool ran = s->w->ops->runs(s->w, s->pid);
	int r = cgfs_group_kill_begin(s->ctr, err);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	uint64_t deadline = world_now_ms() + PATIENCE_MS;

	while (r == 0 && world_alive(s->w, s->pid)) {
		CHECK(world_now_ms() < deadline);
		s->w->ops->tick(s->w);
		(void)!cgfs_event_read(s->c, &ev, NULL);
	}
	if (r < 0 && ran)
		CHECK(!world_alive(s->w, s->pid) || s->w->ops->runs(s->w, s->pid));
	return r;
}

#define GONE (FAKE_OPEN | FAKE_PREAD | FAKE_LIST)

FAULT_OP(add_pid, "cgfs_group_add_pid", "add a process", with_two_containers, run_add_pid, 0, 0)
FAULT_OP(add_thread, "cgfs_group_add_thread", "add a thread", with_two_containers, run_add_thread,
	 V1_ONLY | FINDS, FAKE_OPEN | FAKE_WRITE)
FAULT_OP(threads, "cgfs_group_threads", "list threads", with_many, run_threads, FINDS, GONE)
FAULT_OP(spawn, "cgfs_group_spawn", "spawn", with_container, run_spawn, CANNOT_FAIL, 0)
FAULT_OP(pids, "cgfs_group_pids", "list processes", with_many, run_pids, FINDS, GONE)
FAULT_OP(pids_bounded, "cgfs_group_pids_bounded", "list processes", with_many, run_pids_bounded,
	 FINDS, GONE)
FAULT_OP(freeze, "cgfs_group_freeze", "freeze", with_container, run_freeze, NEEDS_FREEZER, 0)
FAULT_OP(thaw, "cgfs_group_thaw", "thaw", with_frozen_container, run_thaw, NEEDS_FREEZER, 0)
FAULT_OP(kill, "cgfs_group_kill", "kill", with_container, run_kill,
	 GOES_ON | TRUSTS_ABSENCE | FINDS, GONE | FAKE_WRITE)
FAULT_OP(kill_begin, "cgfs_group_kill_begin", "begin to kill", with_container, run_kill_begin,
	 GOES_ON | TRUSTS_ABSENCE | FINDS, GONE | FAKE_WRITE)
FAULT_OP(kill_frozen, "", "kill what is frozen", with_frozen_container, run_kill,
	 GOES_ON | NEEDS_FREEZER | TRUSTS_ABSENCE | FINDS, GONE | FAKE_WRITE)
