// SPDX-License-Identifier: MIT
/*
 * test_device.c - which process may open which device, and what is reported of a refusal.
 */
#include "device.h"

#include <stdlib.h>

WORLD_TEST(device_defaults_are_ocis)
{
	static const int mems[] = { NUL, ZERO, FULL, RANDOM, URANDOM };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	pid_t pid;

	world_need_devices(w, c);
	pid = world_spawn_in(w, ctr);
	for (size_t i = 0; i < sizeof(mems) / sizeof(mems[0]); i++)
		CHECK_INT(mem(w, pid, mems[i], RW), 0);
	CHECK_INT(w->ops->device(w, pid, CGFS_DEVICE_CHAR, 5, 0, RW), 0);   /* tty */
	CHECK_INT(w->ops->device(w, pid, CGFS_DEVICE_CHAR, 5, 2, RW), 0);   /* ptmx */
	CHECK_INT(w->ops->device(w, pid, CGFS_DEVICE_CHAR, 136, 7, RW), 0); /* pts/7 */
	/* A node may be made of any device; it cannot be opened. */
	CHECK_INT(mem(w, pid, KMSG, CGFS_ACCESS_MKNOD), 0);
	CHECK_INT(w->ops->device(w, pid, CGFS_DEVICE_BLOCK, 7, 0, CGFS_ACCESS_MKNOD), 0);
	CHECK_INT(mem(w, pid, KMSG, R), -EPERM);
	CHECK_INT(mem(w, pid, 1, R), -EPERM); /* /dev/mem */
	CHECK_INT(w->ops->device(w, pid, CGFS_DEVICE_BLOCK, 7, 0, R), -EPERM);
	CHECK_INT(w->ops->device(w, pid, CGFS_DEVICE_CHAR, 10, 200, RW), -EPERM); /* tun */
	/* A block device of null's number is not null. */
	CHECK_INT(w->ops->device(w, pid, CGFS_DEVICE_BLOCK, 1, 3, R), -EPERM);
}

WORLD_TEST(device_standalone_container_has_defaults)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, NULL, c, "alone", NULL);
	pid_t pid;

	world_need_devices(w, c);
	pid = world_spawn_in(w, ctr);
	CHECK_INT(mem(w, pid, NUL, RW), 0);
	CHECK_INT(mem(w, pid, KMSG, R), -EPERM);
}

WORLD_TEST(device_denial_is_reported)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	struct cgfs_event ev = CGFS_EVENT_INIT;
	uint64_t denied;
	pid_t pid;

	if (w->policy_missing[0])
		world_skip(w, "no device policy that reports: %s", w->policy_missing);
	pid = world_spawn_in(w, ctr);
	denied = world_stat(ctr, CGFS_STAT_DEVICE_DENIED);
	CHECK_INT(denied, 0);
	CHECK_INT(mem(w, pid, NUL, RW), 0);
	CHECK_INT(mem(w, pid, KMSG, R), -EPERM);
	world_event(w, c, CGFS_EVENT_DEVICE_DENIED, NULL, &ev);
	CHECK_STR(ev.pod, "web");
	CHECK_STR(ev.container, "c1");
	CHECK_INT(ev.cgroup_id, cgfs_group_cgroup_id(ctr));
	CHECK_INT(ev.pid, pid);
	if (w->ops->comm(w, pid))
		CHECK_STR(ev.comm, w->ops->comm(w, pid));
	CHECK_INT(ev.device_type, CGFS_DEVICE_CHAR);
	CHECK_INT(ev.major, 1);
	CHECK_INT(ev.minor, KMSG);
	CHECK_INT(ev.access, R);
	CHECK(ev.time_ns != 0);
	CHECK_INT(world_stat(ctr, CGFS_STAT_DEVICE_DENIED), 1);
	CHECK(world_stat(ctr, CGFS_STAT_DEVICE_ALLOWED) >= 1);
	/* Every one of them. */
	for (int i = 0; i < 20; i++)
		CHECK_INT(mem(w, pid, KMSG, W), -EPERM);
	CHECK_INT(world_count_events(w, c, CGFS_EVENT_DEVICE_DENIED), 20);
	CHECK_INT(world_stat(ctr, CGFS_STAT_DEVICE_DENIED), 21);
}

WORLD_TEST(device_both_lists_must_allow)
{
	const struct cgfs_device_rule of_pod[] = { allow(NUL, RWM), allow(ZERO, RWM) };
	const struct cgfs_device_rule of_ctr[] = { allow(NUL, RWM), allow(URANDOM, RWM) };
	struct cgfs_resources pod_res = rules(of_pod, 2), ctr_res = rules(of_ctr, 2);
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *a, *b;
	pid_t pa, pb;
	world_need_devices(w, c);
	pod = world_pod(w, c, "web", &pod_res);
	a = world_container(w, pod, c, "a", &ctr_res);
	b = world_container(w, pod, c, "b", NULL);
	pa = world_spawn_in(w, a);
	pb = world_spawn_in(w, b);
	CHECK_INT(mem(w, pa, NUL, RW), 0);
	CHECK_INT(mem(w, pa, ZERO, R), -EPERM);	   /* the container's list */
	CHECK_INT(mem(w, pa, URANDOM, R), -EPERM); /* the pod's */
	CHECK_INT(mem(w, pb, NUL, RW), 0);
	CHECK_INT(mem(w, pb, ZERO, RW), 0);
	CHECK_INT(mem(w, pb, URANDOM, R), -EPERM);
}

WORLD_TEST(device_access_bits_count_each)
{
	const struct cgfs_device_rule list[] = { allow(NUL, R), allow(ZERO, W), allow(FULL, R),
						 allow(FULL, W) };
	struct cgfs_resources res = rules(list, 4);
	struct cgfs *c = world_context(w, WORLD_POLICY);
	pid_t pid;
	world_need_devices(w, c);
	pid = world_spawn_in(w, world_container(w, world_pod(w, c, "web", &res), c, "c1", NULL));
	CHECK_INT(mem(w, pid, NUL, R), 0);
	CHECK_INT(mem(w, pid, NUL, W), -EPERM);
	CHECK_INT(mem(w, pid, NUL, RW), -EPERM);
	CHECK_INT(mem(w, pid, NUL, CGFS_ACCESS_MKNOD), -EPERM);
	CHECK_INT(mem(w, pid, ZERO, R), -EPERM);
	CHECK_INT(mem(w, pid, ZERO, W), 0);
	CHECK_INT(mem(w, pid, FULL, RW), 0);
}

WORLD_TEST(device_empty_list_denies_everything)
{
	struct cgfs_resources res = rules(NULL, 0);
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod;
	pid_t pid;
	world_need_devices(w, c);
	pid = world_spawn_in(w, world_container(w, world_pod(w, c, "web", &res), c, "c1", NULL));
	CHECK_INT(mem(w, pid, NUL, R), -EPERM);
	CHECK_INT(mem(w, pid, NUL, CGFS_ACCESS_MKNOD), -EPERM);
	/* A container's own empty list is not "no list". */
	pod = world_pod(w, c, "db", NULL);
	pid = world_spawn_in(w, world_container(w, pod, c, "c1", &res));
	CHECK_INT(mem(w, pid, NUL, R), -EPERM);
	pid = world_spawn_in(w, world_container(w, pod, c, "c2", NULL));
	CHECK_INT(mem(w, pid, NUL, R), 0);
}

/* Every list that the library takes, it enforces; one that v1 cannot express is refused. */
WORLD_TEST(device_later_rule_wins)
{
	const struct cgfs_device_rule hole[] = {
		{ CGFS_DEVICE_CHAR, 1, CGFS_DEVICE_ANY, RWM, true },
		{ CGFS_DEVICE_CHAR, 1, ZERO, RWM, false },
	};
	const struct cgfs_device_rule again[] = {
		{ CGFS_DEVICE_ALL, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY, RWM, true },
		{ CGFS_DEVICE_ALL, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY, RWM, false },
		allow(URANDOM, RW),
	};
	struct cgfs_resources res = rules(hole, 2);
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_err err = { 0 };
	struct cgfs_group *pod;
	pid_t pid;
	int r;
	world_need_devices(w, c);
	pod = world_pod(w, c, "web", NULL);
	pid = world_spawn_in(w, world_container(w, pod, c, "c1", NULL));
	r = cgfs_group_set(pod, &res, NULL, &err);
	if (r == 0) {
		CHECK_INT(mem(w, pid, NUL, RW), 0);
		CHECK_INT(mem(w, pid, ZERO, R), -EPERM);
		CHECK_INT(mem(w, pid, KMSG, R), 0);
	} else {
		CHECK_MSG(r == -EOPNOTSUPP && world_version(w, CGFS_DEVICES) == CGFS_V1, "%d: %s",
			  r, err.text);
		/* As before. */
		CHECK_INT(mem(w, pid, ZERO, RW), 0);
		CHECK_INT(mem(w, pid, KMSG, R), -EPERM);
	}
	set(pod, again, 3);
	CHECK_INT(mem(w, pid, URANDOM, RW), 0);
	CHECK_INT(mem(w, pid, NUL, R), -EPERM);
}

WORLD_TEST(device_replacement_leaves_the_others)
{
	const struct cgfs_device_rule null_only[] = { allow(NUL, RWM) };
	const struct cgfs_device_rule zero_only[] = { allow(ZERO, RWM) };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *web, *db;
	pid_t pw, pd;
	world_need_devices(w, c);
	web = world_pod(w, c, "web", NULL);
	db = world_pod(w, c, "db", NULL);
	pw = world_spawn_in(w, world_container(w, web, c, "c1", NULL));
	pd = world_spawn_in(w, world_container(w, db, c, "c1", NULL));
	set(web, null_only, 1);
	CHECK_INT(mem(w, pw, NUL, RW), 0);
	CHECK_INT(mem(w, pw, ZERO, R), -EPERM);
	CHECK_INT(mem(w, pd, ZERO, RW), 0);
	set(web, zero_only, 1);
	CHECK_INT(mem(w, pw, NUL, R), -EPERM);
	CHECK_INT(mem(w, pw, ZERO, RW), 0);
	CHECK_INT(mem(w, pd, NUL, RW), 0);
	CHECK_INT(mem(w, pd, KMSG, R), -EPERM);
}

/* A container without a list follows its pod's, in both directions. */
WORLD_TEST(device_pods_update_reaches_containers)
{
	const struct cgfs_device_rule list[] = { allow(NUL, RWM), allow(ZERO, RWM),
						 allow(KMSG, R) };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *a, *b;
	pid_t pa, pb;
	world_need_devices(w, c);
	pod = world_pod(w, c, "web", NULL);
	a = world_container(w, pod, c, "a", NULL);
	b = world_container(w, pod, c, "b", NULL);
	pa = world_spawn_in(w, a);
	pb = world_spawn_in(w, b);
	set(b, list, 2);   /* null and zero */
	set(pod, list, 1); /* null */
	CHECK_INT(mem(w, pa, NUL, RW), 0);
	CHECK_INT(mem(w, pa, ZERO, R), -EPERM);
	CHECK_INT(mem(w, pb, ZERO, R), -EPERM);
	set(pod, list, 3); /* null, zero and kmsg */
	CHECK_INT(mem(w, pa, ZERO, RW), 0);
	CHECK_INT(mem(w, pa, KMSG, R), 0);
	CHECK_INT(mem(w, pb, ZERO, RW), 0);
	CHECK_INT(mem(w, pb, KMSG, R), -EPERM);
}

/* An update of something else took devices away from containers (kubernetes#95296). */
WORLD_TEST(device_other_updates_leave_it_alone)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod, *ctr;
	pid_t pid;
	world_need_devices(w, c);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	pid = world_spawn_in(w, ctr);
	res.set = CGFS_SET_CPU_WEIGHT | CGFS_SET_PIDS_MAX;
	if (world_version(w, CGFS_MEMORY) != CGFS_NONE)
		res.set |= CGFS_SET_MEMORY_MAX;
	for (int i = 1; i <= 10; i++) {
		res.cpu_weight = 100 + (uint64_t)i;
		res.pids_max = 100 + (uint64_t)i;
		res.memory_max_bytes = (64 + (uint64_t)i) * MIB;
		OK(cgfs_group_set(i % 2 ? pod : ctr, &res, NULL, &err));
		CHECK_INT(mem(w, pid, NUL, RW), 0);
		CHECK_INT(mem(w, pid, KMSG, R), -EPERM);
	}
}

/* Decides as @list does, for every kind of request that it could distinguish. */
static void check_read_back(struct cgfs_group *g, const struct cgfs_device_rule *list, size_t n)
{
	static const int32_t majors[] = { 0, 1, 5, 8, 10, 136 }, minors[] = { 0, 1, 3, 5, 7, 11 };
	struct cgfs_device_rule *now = NULL;
	size_t count = 0;
	OK(cgfs_group_devices(g, &now, &count, &err));
	CHECK(now != NULL);
	CHECK(count <= n); /* what can be set can be set again */
	for (size_t i = 0; i < sizeof(majors) / sizeof(majors[0]); i++) {
		for (size_t k = 0; k < 2 * sizeof(minors) / sizeof(minors[0]); k++) {
			enum cgfs_device_type type = k % 2 ? CGFS_DEVICE_BLOCK : CGFS_DEVICE_CHAR;
			uint32_t want =
				cgfs_device_check(list, n, type, majors[i], minors[k / 2], RWM);
			CHECK_MSG(cgfs_device_check(now, count, type, majors[i], minors[k / 2],
						    RWM) == want,
				  "%c %d:%d is not %u", type, majors[i], minors[k / 2], want);
		}
	}
	free(now);
}

WORLD_TEST(device_rules_are_read_back)
{
	/* Wildcards that cross, bits that are taken away and given again. */
	const struct cgfs_device_rule hard[] = {
		{ CGFS_DEVICE_ALL, CGFS_DEVICE_ANY, CGFS_DEVICE_ANY, CGFS_ACCESS_MKNOD, true },
		{ CGFS_DEVICE_CHAR, 1, CGFS_DEVICE_ANY, RWM, true },
		{ CGFS_DEVICE_CHAR, CGFS_DEVICE_ANY, 3, W, false },
		{ CGFS_DEVICE_CHAR, 5, CGFS_DEVICE_ANY, R, true },
		{ CGFS_DEVICE_CHAR, 1, 11, RW, false },
		{ CGFS_DEVICE_CHAR, 1, 11, R, true },
		{ CGFS_DEVICE_BLOCK, 8, 0, RW, true },
		{ CGFS_DEVICE_BLOCK, CGFS_DEVICE_ANY, 0, CGFS_ACCESS_MKNOD, false },
	};
	const struct cgfs_device_rule easy[] = { allow(NUL, RWM), allow(ZERO, R) };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_device_rule *none = NULL;
	const struct cgfs_device_rule *defaults;
	struct cgfs_group *pod, *ctr;
	struct cgfs_resources res;
	size_t n = 7, n_defaults;
	struct cgfs_err e = { 0 };
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	if (w->policy_missing[0] && world_version(w, CGFS_DEVICES) != CGFS_V1) {
		REFUSED(cgfs_group_devices(pod, &none, &n, &err), -ENODEV);
		return;
	}
	defaults = cgfs_device_defaults(&n_defaults);
	check_read_back(pod, defaults, n_defaults);
	/* It has none of its own. */
	OK(cgfs_group_devices(ctr, &none, &n, &err));
	CHECK(none == NULL && n == 0);
	set(ctr, easy, 2);
	check_read_back(ctr, easy, 2);
	set(ctr, easy, 1);
	check_read_back(ctr, easy, 1);
	set(ctr, NULL, 0);
	check_read_back(ctr, NULL, 0);
	/* v1 may be unable to hold it. */
	res = rules(hard, sizeof(hard) / sizeof(hard[0]));
	if (cgfs_group_set(pod, &res, NULL, &e) == 0)
		check_read_back(pod, hard, res.n_devices);
	else
		CHECK_INT(e.code, -EOPNOTSUPP);
	set(pod, easy, 2);
	/* By another context's handle. */
	world_restart(w);
	c = world_context(w, WORLD_POLICY);
	OK(cgfs_pod_open(c, "web", &pod, &err));
	world_track(w, pod);
	check_read_back(pod, easy, 2);
}

/* test_device_random.c has the same. */
static uint32_t random_below(uint32_t *seed, uint32_t n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % n;
}

/* Lists of all kinds, among few numbers so that they overlap. */
WORLD_TEST(device_any_rules_are_read_back)
{
	static const int32_t numbers[] = { CGFS_DEVICE_ANY, 1, 3, 5, 8 };
	static const enum cgfs_device_type types[] = { CGFS_DEVICE_CHAR,  CGFS_DEVICE_CHAR,
						       CGFS_DEVICE_CHAR,  CGFS_DEVICE_BLOCK,
						       CGFS_DEVICE_BLOCK, CGFS_DEVICE_ALL };
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_device_rule list[12];
	struct cgfs_group *pod;
	uint32_t seed = 4711;
	size_t taken = 0;
	pod = world_pod(w, c, "web", NULL);
	world_need_devices(w, c);
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + random_below(&seed, 12);
		struct cgfs_resources res = rules(list, n);
		struct cgfs_err e = { 0 };
		for (size_t i = 0; i < n; i++) {
			enum cgfs_device_type type = types[random_below(&seed, 6)];
			bool all = type == CGFS_DEVICE_ALL; /* and no numbers then */
			list[i] = (struct cgfs_device_rule){
				type,
				numbers[all ? 0 : random_below(&seed, 5)],
				numbers[all ? 0 : random_below(&seed, 5)],
				1 + random_below(&seed, 7),
				random_below(&seed, 3) > 0,
			};
		}
		/* v1 may be unable to hold it. */
		if (cgfs_group_set(pod, &res, NULL, &e) < 0) {
			CHECK_INT(e.code, -EOPNOTSUPP);
			continue;
		}
		check_read_back(pod, list, n);
		taken++;
	}
	CHECK(taken >= 20);
	if (world_version(w, CGFS_DEVICES) != CGFS_V1)
		CHECK_INT(taken, 300);
}

WORLD_TEST(device_rules_without_enforcement)
{
	const struct cgfs_device_rule null_only[] = { allow(NUL, RWM) };
	struct cgfs_resources res = rules(null_only, 1);
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *g = NULL;
	if (world_version(w, CGFS_DEVICES) == CGFS_V1)
		world_skip(w, "v1's devices controller enforces them here");
	CHECK_HAS(REFUSED(cgfs_pod_create(c, "web", &res, &g, &err), -ENODEV), "devices");
	CHECK(g == NULL);
	CHECK_INT(w->ops->directories(w), 0);
}
