// SPDX-License-Identifier: MIT
/*
 * test_fake_memory.c - what the fake's processes cost: memory with its limits and killer, CPU time
 * with its quota, pids, and devices with the policy.
 */
#include <poll.h>
#include <sys/eventfd.h>

#include "tests/unit/fake_host.h"

#define MIB (1024ull * 1024)
#define RW  (CGFS_ACCESS_READ | CGFS_ACCESS_WRITE)

/* /a with /a/b and /a/c below, and all controllers that are there. */
static void three(const char *top)
{
	char path[128];

	snprintf(path, sizeof(path), "%scgroup.subtree_control", top);
	CHECK_INT(put(path, "+memory +pids +cpu"), 0);
	snprintf(path, sizeof(path), "%sa", top);
	CHECK_INT(make(path), 0);
	snprintf(path, sizeof(path), "%sa/cgroup.subtree_control", top);
	CHECK_INT(put(path, "+memory +pids +cpu"), 0);
	snprintf(path, sizeof(path), "%sa/b", top);
	CHECK_INT(make(path), 0);
	snprintf(path, sizeof(path), "%sa/c", top);
	CHECK_INT(make(path), 0);
}

static pid_t process_in(const char *procs)
{
	pid_t p = fake_spawn(f);

	CHECK_INT(put_pid(procs, p), 0);
	return p;
}

static void has(const char *file, const char *line)
{
	const char *text = get(file);

	CHECK_MSG(strstr(text, line), "%s holds \"%s\", without \"%s\"", file, text, line);
}

/* -- memory ----------------------------------------------------------------------------------- */

FAKE_TEST(charges_count_upwards_and_stay_behind)
{
	pid_t p;

	three(ROOT);
	p = process_in(ROOT "a/b/cgroup.procs");
	CHECK_INT(fake_charge(f, p, 5000), 0);
	CHECK_STR(get(ROOT "a/b/memory.current"), "8192\n");
	CHECK_STR(get(ROOT "a/memory.current"), "8192\n");
	has(ROOT "a/memory.stat", "anon 8192\n");
	/* Moving does not move what was charged; leaving does not either, until it is freed. */
	CHECK_INT(put_pid(ROOT "a/c/cgroup.procs", p), 0);
	CHECK_INT(fake_charge(f, p, MIB), 0);
	CHECK_STR(get(ROOT "a/b/memory.current"), "8192\n");
	CHECK_STR(get(ROOT "a/c/memory.current"), "1048576\n");
	CHECK_INT(unmake(ROOT "a/b"), 0);
	CHECK_STR(get(ROOT "a/memory.current"), "1056768\n");
	fake_uncharge(f, p, MIB);
	CHECK_STR(get(ROOT "a/c/memory.current"), "0\n");
	CHECK_STR(get(ROOT "a/c/memory.peak"), "1048576\n");
	fake_exit(f, p);
	CHECK_STR(get(ROOT "a/memory.current"), "0\n");
}

FAKE_TEST(the_killer_takes_the_largest_below_the_limit)
{
	pid_t small, large, outside;

	three(ROOT);
	outside = process_in(ROOT "cgroup.procs");
	small = process_in(ROOT "a/b/cgroup.procs");
	large = process_in(ROOT "a/c/cgroup.procs");
	CHECK_INT(put(ROOT "a/memory.max", "10M"), 0);
	CHECK_INT(fake_charge(f, outside, 100 * MIB), 0);
	CHECK_INT(fake_charge(f, small, 3 * MIB), 0);
	CHECK_INT(fake_charge(f, large, 6 * MIB), 0);
	/* The small one asks, the large one dies, and the charge succeeds. */
	CHECK_INT(fake_charge(f, small, 2 * MIB), 0);
	CHECK(fake_alive(f, small) && fake_alive(f, outside));
	CHECK(!fake_alive(f, large));
	CHECK_STR(get(ROOT "a/memory.current"), "5242880\n");
	/* Failed at /a, killed in /a/c: `local` distinguishes them. */
	has(ROOT "a/memory.events", "max 1\noom 1\noom_kill 1\n");
	has(ROOT "a/memory.events.local", "max 1\noom 1\noom_kill 0\n");
	has(ROOT "a/c/memory.events", "max 0\noom 0\noom_kill 1\n");
	has(ROOT "a/b/memory.events", "oom_kill 0\n");
	/* Now it is the only one. */
	CHECK_INT(fake_charge(f, small, 20 * MIB), -ENOMEM);
	CHECK(!fake_alive(f, small));
	CHECK_STR(get(ROOT "a/memory.current"), "0\n");
	/* Even one that has nothing yet. */
	small = process_in(ROOT "a/b/cgroup.procs");
	CHECK_INT(fake_charge(f, small, 20 * MIB), -ENOMEM);
	CHECK(!fake_alive(f, small));
}

FAKE_TEST(oom_group_takes_all)
{
	pid_t p, q, r;

	three(ROOT);
	p = process_in(ROOT "a/b/cgroup.procs");
	q = process_in(ROOT "a/b/cgroup.procs");
	r = process_in(ROOT "a/c/cgroup.procs");
	put(ROOT "a/memory.max", "4M");
	put(ROOT "a/b/memory.oom.group", "1");
	CHECK_INT(fake_charge(f, q, MIB), 0);
	CHECK_INT(fake_charge(f, p, 8 * MIB), -ENOMEM);
	CHECK(!(fake_alive(f, p) || fake_alive(f, q)));
	CHECK(fake_alive(f, r));
	has(ROOT "a/b/memory.events", "oom_kill 2\noom_group_kill 1\n");
}

/* The memory of a victim is free before it is gone. */
FAKE_TEST(a_slow_victim_frees_its_memory_at_once)
{
	pid_t p, q;

	three(ROOT);
	p = process_in(ROOT "a/b/cgroup.procs");
	q = process_in(ROOT "a/b/cgroup.procs");
	put(ROOT "a/memory.max", "4M");
	fake_set_exit_delay(f, 1);
	CHECK_INT(fake_charge(f, p, 3 * MIB), 0);
	CHECK_INT(fake_charge(f, q, 2 * MIB), 0);
	CHECK(fake_alive(f, p));
	CHECK_STR(get(ROOT "a/memory.current"), "2097152\n");
	CHECK_INT(fake_charge(f, p, MIB), -ESRCH);
	fake_tick(f);
	CHECK(!fake_alive(f, p));
	has(ROOT "a/memory.events", "oom_kill 1\n");
}

FAKE_TEST(cache_is_reclaimed_before_a_process_dies)
{
	pid_t p;

	three(ROOT);
	p = process_in(ROOT "a/b/cgroup.procs");
	put(ROOT "a/memory.max", "10M");
	CHECK_INT(fake_charge_cache(f, p, 8 * MIB), 0);
	CHECK_INT(fake_charge(f, p, 5 * MIB), 0);
	CHECK(fake_alive(f, p));
	has(ROOT "a/memory.events", "max 1\noom 0\n");
	has(ROOT "a/memory.stat", "file 5242880\n");
	CHECK_INT(put(ROOT "a/memory.reclaim", "1M"), 0);
	CHECK_STR(get(ROOT "a/memory.current"), "9437184\n");
	CHECK_INT(put(ROOT "a/memory.reclaim", "1G"), -EAGAIN);
	CHECK_STR(get(ROOT "a/memory.current"), "5242880\n");
	/* It belongs to the cgroup: there after its process. */
	CHECK_INT(fake_charge_cache(f, p, MIB), 0);
	fake_exit(f, p);
	CHECK_STR(get(ROOT "a/b/memory.current"), "1048576\n");
	CHECK_INT(unmake(ROOT "a/b"), 0);
	CHECK_STR(get(ROOT "a/memory.current"), "1048576\n");
	CHECK_INT(put(ROOT "a/memory.high", "0"), 0);
	CHECK_STR(get(ROOT "a/memory.current"), "0\n");
}

FAKE_TEST(lowering_max_kills_and_lowering_v1s_limit_is_busy)
{
	pid_t p;

	three(ROOT);
	p = process_in(ROOT "a/b/cgroup.procs");
	fake_charge(f, p, 5 * MIB);
	CHECK_INT(put(ROOT "a/memory.max", "4M"), 0);
	CHECK(!fake_alive(f, p));
	has(ROOT "a/memory.events", "oom 1\noom_kill 1\n");

	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	make(ROOT "memory/a");
	p = process_in(ROOT "memory/a/cgroup.procs");
	fake_charge(f, p, 5 * MIB);
	fake_charge_cache(f, p, 5 * MIB);
	CHECK_INT(put(ROOT "memory/a/memory.limit_in_bytes", "7M"), 0);
	CHECK_STR(get(ROOT "memory/a/memory.usage_in_bytes"), "7340032\n");
	CHECK_INT(put(ROOT "memory/a/memory.limit_in_bytes", "4M"), -EBUSY);
	CHECK_STR(get(ROOT "memory/a/memory.limit_in_bytes"), "7340032\n");
	CHECK_STR(get(ROOT "memory/a/memory.usage_in_bytes"), "5242880\n");
	CHECK(fake_alive(f, p));
}

/* Registers an eventfd for a file of memory/a. */
static int listen_to(const char *file, const char *argument)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), fd;
	char path[256], text[64];

	snprintf(path, sizeof(path), ROOT "memory/a/%s", file);
	fd = open_at(AT_FDCWD, path, O_RDONLY);
	snprintf(text, sizeof(text), "%d %d %s", efd, fd, argument);
	CHECK_INT(put(ROOT "memory/a/cgroup.event_control", text), 0);
	shut(fd);
	return efd;
}

static uint64_t fired(int efd)
{
	uint64_t count = 0;

	return read(efd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

FAKE_TEST(v1_eventfds_fire)
{
	int oom, threshold;
	pid_t p;

	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	make(ROOT "memory/a");
	oom = listen_to("memory.oom_control", "");
	threshold = listen_to("memory.usage_in_bytes", "2M");
	p = process_in(ROOT "memory/a/cgroup.procs");
	put(ROOT "memory/a/memory.limit_in_bytes", "4M");
	fake_charge(f, p, MIB);
	CHECK_INT(fired(threshold), 0);
	fake_charge(f, p, MIB);
	CHECK_INT(fired(threshold), 1);
	fake_charge(f, p, MIB);
	CHECK_INT(fired(threshold), 0);
	fake_uncharge(f, p, 2 * MIB);
	CHECK_INT(fired(threshold), 1);
	CHECK_INT(fired(oom), 0);
	CHECK_INT(fake_charge(f, p, 10 * MIB), -ENOMEM);
	CHECK_INT(fired(oom), 1);
	has(ROOT "memory/a/memory.oom_control", "oom_kill 1\n");
	/* Its removal is an event as well. */
	CHECK_INT(unmake(ROOT "memory/a"), 0);
	CHECK_INT(fired(oom), 1);
	CHECK_INT(fired(threshold), 1);
	close(oom);
	close(threshold);
}

FAKE_TEST(a_disabled_killer_lets_them_sleep)
{
	int oom;
	pid_t p;

	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	make(ROOT "memory/a");
	p = process_in(ROOT "memory/a/cgroup.procs");
	put(ROOT "memory/a/memory.limit_in_bytes", "4M");
	put(ROOT "memory/a/memory.oom_control", "1");
	CHECK_INT(fake_charge(f, p, 3 * MIB), 0);
	CHECK_INT(fake_charge(f, p, 3 * MIB), -EAGAIN);
	CHECK(fake_alive(f, p));
	has(ROOT "memory/a/memory.oom_control", "under_oom 1\noom_kill 0\n");
	/* A listener that comes now is notified at once. */
	oom = listen_to("memory.oom_control", "");
	CHECK_INT(fired(oom), 1);
	put(ROOT "memory/a/memory.limit_in_bytes", "8M");
	has(ROOT "memory/a/memory.oom_control", "under_oom 0\n");
	CHECK_INT(fake_charge(f, p, 6 * MIB), -EAGAIN);
	put(ROOT "memory/a/memory.oom_control", "0");
	CHECK(!fake_alive(f, p));
	has(ROOT "memory/a/memory.oom_control", "under_oom 0\noom_kill 1\n");
	close(oom);
}

/* -- CPU -------------------------------------------------------------------------------------- */

FAKE_TEST(running_is_accounted_and_throttled)
{
	pid_t p;

	three(ROOT);
	p = process_in(ROOT "a/b/cgroup.procs");
	put(ROOT "a/cpu.max", "20000 100000");
	fake_run(f, p, 30000, 20000);
	has(ROOT "a/b/cpu.stat", "usage_usec 50000\nuser_usec 30000\nsystem_usec 20000\n");
	has(ROOT "a/b/cpu.stat", "nr_periods 0\n");
	has(ROOT "a/cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_usec 160000\n");
	has(ROOT "cpu.stat", "usage_usec 50000\n");
	put(ROOT "a/cgroup.freeze", "1");
	fake_run(f, p, 30000, 0);
	has(ROOT "a/cpu.stat", "usage_usec 50000\n");

	instead(CGFS_LAYOUT_HYBRID, FAKE_KERNEL_6_12);
	make(ROOT "cpuacct/a");
	make(ROOT "cpu/a");
	make(ROOT "unified/a");
	p = process_in(ROOT "cpuacct/a/cgroup.procs");
	put_pid(ROOT "cpu/a/cgroup.procs", p);
	put_pid(ROOT "unified/a/cgroup.procs", p);
	put(ROOT "cpu/a/cpu.cfs_quota_us", "50000");
	fake_run(f, p, 100000, 0);
	CHECK_STR(get(ROOT "cpuacct/a/cpuacct.usage"), "100000000\n");
	CHECK_STR(get(ROOT "cpuacct/a/cpuacct.stat"), "user 10\nsystem 0\n");
	has(ROOT "cpu/a/cpu.stat", "nr_periods 2\nnr_throttled 1\nthrottled_time 50000000\n");
	has(ROOT "unified/a/cpu.stat", "usage_usec 100000\n");
}

/* -- pids ------------------------------------------------------------------------------------- */

FAKE_TEST(forks_are_refused_at_any_limit_upwards)
{
	pid_t p;

	three(ROOT);
	p = process_in(ROOT "a/b/cgroup.procs");
	put(ROOT "a/pids.max", "2");
	CHECK(fake_fork(f, p) > 0);
	CHECK_INT(fake_fork(f, p), -EAGAIN);
	has(ROOT "a/pids.events", "max 1\n");
	has(ROOT "a/pids.events.local", "max 1\n");
	has(ROOT "a/b/pids.events", "max 0\n");
	/* Moving in is not refused. */
	p = process_in(ROOT "a/c/cgroup.procs");
	CHECK_STR(get(ROOT "a/pids.current"), "3\n");
	CHECK_STR(get(ROOT "a/pids.peak"), "3\n");
	CHECK_INT(fake_fork(f, p), -EAGAIN);
}

/* -- devices and the policy ------------------------------------------------------------------- */

FAKE_TEST(v1_devices_decide)
{
	pid_t p;

	instead(CGFS_LAYOUT_V1, FAKE_KERNEL_6_12);
	make(ROOT "devices/a");
	p = process_in(ROOT "devices/a/cgroup.procs");
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 3, RW), 0);
	put(ROOT "devices/a/devices.deny", "c 1:3 w");
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 3, RW), -EPERM);
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_READ), 0);
	put(ROOT "devices/a/devices.deny", "a");
	put(ROOT "devices/a/devices.allow", "c 1:* r");
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 9, CGFS_ACCESS_READ), 0);
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 9, RW), -EPERM);
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_BLOCK, 1, 9, CGFS_ACCESS_READ), -EPERM);
}

static struct cgfs_policy_group group_at(const char *path, const char *pod, const char *container,
					 uint64_t pod_id)
{
	struct cgfs_policy_group g = { .pod = pod, .container = container };

	g.cgroup_fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	CHECK_INT(fs->ops->inode(fs->ctx, g.cgroup_fd, &g.cgroup_id), 0);
	g.pod_cgroup_id = pod_id ? pod_id : g.cgroup_id;
	return g;
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

FAKE_TEST(a_policy_binds_container_and_pod)
{
	static const struct cgfs_device_rule null_zero[] = {
		{ CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_ALL, true },
		{ CGFS_DEVICE_CHAR, 1, 5, CGFS_ACCESS_ALL, true },
	};
	static const struct cgfs_device_rule no_zero[] = {
		{ CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_ALL, true },
		{ CGFS_DEVICE_CHAR, 1, 7, CGFS_ACCESS_ALL, true },
		{ CGFS_DEVICE_CHAR, 1, 5, CGFS_ACCESS_WRITE, false },
	};
	const struct cgfs_policy *policy = fake_policy(f, true);
	struct cgfs_policy_group pod, ctr, wrong;
	struct cgfs_policy_counters n = { .sz = sizeof(n) };
	struct cgfs_event ev = CGFS_EVENT_INIT;
	struct cgfs_err err = { 0 };
	pid_t p;
	int fd;

	three(ROOT);
	pod = group_at(ROOT "a", "web", "", 0);
	ctr = group_at(ROOT "a/b", "web", "c1", pod.cgroup_id);
	p = process_in(ROOT "a/b/cgroup.procs");
	fd = policy->ops->event_fd(policy->ctx);
	/* Unknown groups are not bound; known ones without a list deny. */
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 3, RW), 0);
	CHECK_INT(policy->ops->add(policy->ctx, &pod, NULL, 0, &err), 0);
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 3, RW), -EPERM);
	CHECK_INT(policy->ops->set_rules(policy->ctx, &pod, null_zero, 2, &err), 0);
	CHECK_INT(policy->ops->add(policy->ctx, &ctr, NULL, 0, &err), 0);
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 5, RW), 0);
	CHECK_INT(policy->ops->add(policy->ctx, &ctr, no_zero, 3, &err), 0);
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 3, RW), 0);
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 5, RW), -EPERM); /* own list */
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 7, RW), -EPERM); /* the pod's */

	CHECK(is_readable(fd));
	CHECK_INT(policy->ops->event_read(policy->ctx, &ev, &err), 1);
	CHECK_STR(ev.pod, "web");
	CHECK_STR(ev.container, "");
	CHECK_INT(policy->ops->event_read(policy->ctx, &ev, &err), 1);
	CHECK_INT(ev.type, CGFS_EVENT_DEVICE_DENIED);
	CHECK_STR(ev.container, "c1");
	CHECK_INT(ev.pid, p);
	CHECK_INT(ev.minor, 5);
	CHECK_INT(ev.rule, 3);
	CHECK_INT(policy->ops->event_read(policy->ctx, &ev, &err), 1);
	CHECK_INT(ev.minor, 7);
	CHECK_INT(ev.rule, 0);
	CHECK_INT(policy->ops->event_read(policy->ctx, &ev, &err), 0);
	CHECK(!is_readable(fd));

	/* Kept by a repeated add, and counted. */
	CHECK_INT(policy->ops->add(policy->ctx, &ctr, NULL, 0, &err), 0);
	CHECK_INT(fake_device(f, p, CGFS_DEVICE_CHAR, 1, 5, RW), -EPERM);
	CHECK_INT(policy->ops->counters(policy->ctx, ctr.cgroup_id, &n), 0);
	CHECK_INT(n.device_allowed, 2);
	CHECK_INT(n.device_denied, 3);
	CHECK_INT(policy->ops->counters(policy->ctx, pod.cgroup_id, &n), 0);
	CHECK_INT(n.device_denied, 4);

	wrong = ctr;
	wrong.cgroup_fd = pod.cgroup_fd;
	CHECK_INT(policy->ops->add(policy->ctx, &wrong, NULL, 0, &err), -EINVAL);
	wrong.cgroup_fd = -EBADF;
	CHECK_INT(policy->ops->add(policy->ctx, &wrong, NULL, 0, &err), -EBADF);
	CHECK_INT(policy->ops->remove(policy->ctx, &wrong, &err), 0);
	CHECK_INT(policy->ops->remove(policy->ctx, &wrong, &err), 0);
	CHECK_INT(policy->ops->counters(policy->ctx, ctr.cgroup_id, &n), -ENOENT);
	CHECK_INT(policy->ops->set_rules(policy->ctx, &ctr, NULL, 0, &err), -ENOENT);
	shut(pod.cgroup_fd);
	shut(ctr.cgroup_fd);
}

FAKE_TEST(a_policy_reports_kills_when_asked)
{
	const struct cgfs_policy *policy = fake_policy(f, true);
	struct cgfs_policy_counters n = { .sz = sizeof(n) };
	struct cgfs_policy_group pod;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	pid_t p;

	three(ROOT);
	pod = group_at(ROOT "a", "web", "", 0);
	CHECK_INT(policy->ops->add(policy->ctx, &pod, NULL, 0, NULL), 0);
	put(ROOT "a/memory.max", "1M");
	p = process_in(ROOT "a/b/cgroup.procs");
	CHECK(policy->ops->reports_oom(policy->ctx));
	CHECK_INT(fake_charge(f, p, 2 * MIB), -ENOMEM);
	CHECK_INT(policy->ops->event_read(policy->ctx, &ev, NULL), 1);
	CHECK_INT(ev.type, CGFS_EVENT_OOM_KILL);
	CHECK_INT(ev.pid, p);
	CHECK_INT(ev.cgroup_id, pod.cgroup_id);
	CHECK_STR(ev.pod, "web");
	CHECK_INT(policy->ops->counters(policy->ctx, pod.cgroup_id, &n), 0);
	CHECK_INT(n.oom_kills, 1);

	policy = fake_policy(f, false);
	CHECK(!policy->ops->reports_oom(policy->ctx));
	p = process_in(ROOT "a/b/cgroup.procs");
	CHECK_INT(fake_charge(f, p, 2 * MIB), -ENOMEM);
	CHECK_INT(policy->ops->event_read(policy->ctx, &ev, NULL), 0);
	shut(pod.cgroup_fd);
}
