// SPDX-License-Identifier: MIT
/*
 * test_fault_limit.c - the fault sweep of limits and device lists: all of a change, or nothing.
 */
#include "fault.h"

#include <stdlib.h>

static int run_set(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources res = scene_limits(s, 2);

	return cgfs_group_set(s->ctr, &res, NULL, err);
}

/* More is in use than the new limit: steps on the way, and memory is given back first. */
static void with_cache(struct scene *s)
{
	with_container(s);
	CHECK_INT(s->w->ops->cache(s->w, s->pid, 48 * MIB), 0);
}

static int run_shrink(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_MEMORY_MAX;
	res.memory_max_bytes = 32 * MIB;
	return cgfs_group_set(s->ctr, &res, NULL, err);
}

static int run_unified(struct scene *s, struct cgfs_err *err)
{
	static const struct cgfs_unified lines[] = {
		{ "pids.max", "77" },
		{ "cpu.weight", "300" },
		{ "cpu.max", "20000 50000" },
		{ "io.max", "8:0 rbps=1048576 wiops=50" },
	};
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_UNIFIED;
	res.unified = lines;
	res.n_unified = has(s, CGFS_IO) ? 4 : 3;
	return cgfs_group_set(s->ctr, &res, NULL, err);
}

static int run_update(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources res = scene_limits(s, 2);
	struct cgfs_applied applied = CGFS_APPLIED_INIT;

	return cgfs_group_set(s->ctr, &res, CGFS_SET_OPTS_APPLIED(&applied), err);
}

static int run_limits(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_applied applied = CGFS_APPLIED_INIT;

	return cgfs_group_limits(s->ctr, &applied, err);
}

/* -- devices ----------------------------------------------------------------------------------- */

static const struct cgfs_device_rule few[] = {
	{ CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_ALL, true },
	{ CGFS_DEVICE_CHAR, 1, 5, CGFS_ACCESS_READ, true },
	{ CGFS_DEVICE_BLOCK, 8, CGFS_DEVICE_ANY, CGFS_ACCESS_READ, true },
};
static const struct cgfs_device_rule others[] = {
	{ CGFS_DEVICE_CHAR, 1, 3, CGFS_ACCESS_READ, true },
	{ CGFS_DEVICE_CHAR, 1, 9, CGFS_ACCESS_ALL, true },
	{ CGFS_DEVICE_CHAR, 5, 0, CGFS_ACCESS_ALL, true },
};

static int set_rules(struct cgfs_group *g, const struct cgfs_device_rule *rules,
		     struct cgfs_err *err)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_DEVICES;
	res.devices = rules;
	res.n_devices = 3;
	return cgfs_group_set(g, &res, NULL, err);
}

static void with_rules(struct scene *s)
{
	struct cgfs_err err = { 0 };

	with_container(s);
	CHECK_INT(set_rules(s->pod, few, &err), 0);
	CHECK_INT(set_rules(s->ctr, few, &err), 0);
}

static int run_container_rules(struct scene *s, struct cgfs_err *err)
{
	return set_rules(s->ctr, others, err);
}

/* The containers of the pod follow. */
static int run_pod_rules(struct scene *s, struct cgfs_err *err)
{
	return set_rules(s->pod, others, err);
}

/* -- together ---------------------------------------------------------------------------------- */

static void with_two(struct scene *s)
{
	struct cgfs_resources res;

	with_container(s);
	res = scene_limits(s, 2);
	s->other = world_container(s->w, s->pod, s->c, "c2", &res);
}

static int run_resize(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_group *const ctr[] = { s->ctr, s->other };
	struct cgfs_resources pod = scene_limits(s, 3), each[2];

	each[0] = scene_limits(s, 2);
	each[1] = scene_limits(s, 1);
	return cgfs_pod_resize(s->pod, &pod, ctr, each, 2, err);
}

static int run_root_set(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_resources res = scene_limits(s, 4);

	return cgfs_root_set(s->c, &res, err);
}

static int run_cpuset(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_cpuset *set = NULL;
	int r = cgfs_group_cpuset(s->ctr, &set, err);

	CHECK((set != NULL) == (r == 0));
	if (r == 0)
		fault_out(s, "%s %s %s\n", set->cpus, set->mems, set->effective_cpus);
	free(set);
	return r;
}

/* On cgroup2 it is refused, and before anything is done. */
static int run_cpuset_flags(struct scene *s, struct cgfs_err *err)
{
	int r = cgfs_group_set_cpuset_flags(s->ctr, CGFS_CPUSET_MEMORY_MIGRATE,
					    CGFS_CPUSET_MEMORY_MIGRATE, err);

	return r == -EOPNOTSUPP && cgfs_place(s->c, CGFS_CPUSET).version == CGFS_V2 ? 0 : r;
}

static int run_io_limits(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_io_device *dev = NULL;
	size_t n = 0;
	int r = cgfs_group_io_limits(s->ctr, &dev, &n, err);

	CHECK(r == 0 || (!dev && !n));
	for (size_t i = 0; i < n; i++)
		fault_out(s, "%u:%u\n", dev[i].major, dev[i].minor);
	free(dev);
	return r;
}

static int run_devices(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_device_rule *rules = NULL;
	size_t n = 0;
	int r = cgfs_group_devices(s->pod, &rules, &n, err);

	CHECK(r == 0 || (!rules && !n));
	fault_out(s, "%zu\n", n);
	free(rules);
	return r;
}

static int run_net_prio(struct scene *s, struct cgfs_err *err)
{
	struct cgfs_net_prio *prio = NULL;
	size_t n = 0;
	int r = cgfs_group_net_prio(s->ctr, &prio, &n, err);

	CHECK(r == 0 || (!prio && !n));
	for (size_t i = 0; i < n; i++)
		fault_out(s, "%s %u\n", prio[i].interface, prio[i].priority);
	free(prio);
	return r == -ENODEV && cgfs_place(s->c, CGFS_NET_PRIO).version == CGFS_NONE ? 0 : r;
}

FAULT_OP(set, "cgfs_group_set", "set limits", with_container, run_set, 0, FAKE_OPEN | FAKE_WRITE)
FAULT_OP(update, "", "update limits", with_container, run_update, 0, FAKE_OPEN | FAKE_WRITE)
FAULT_OP(limits, "cgfs_group_limits", "read limits", with_container, run_limits, FINDS,
	 FAKE_OPEN | FAKE_PREAD)
FAULT_OP(shrink, "", "shrink memory below use", with_cache, run_shrink, NEEDS_MEMORY,
	 FAKE_OPEN | FAKE_WRITE)
FAULT_OP(unified, "", "set unified", with_container, run_unified, 0, FAKE_OPEN | FAKE_WRITE)
FAULT_OP(container_rules, "", "a container's device list", with_rules, run_container_rules,
	 NEEDS_DEVICES, 0)
FAULT_OP(pod_rules, "", "a pod's device list", with_rules, run_pod_rules, NEEDS_DEVICES, 0)
FAULT_OP(resize, "cgfs_pod_resize", "resize", with_two, run_resize, 0, FAKE_OPEN | FAKE_WRITE)
FAULT_OP(root_set, "cgfs_root_set", "limit the root", with_pod, run_root_set, 0,
	 FAKE_OPEN | FAKE_WRITE)
FAULT_OP(root_new, "", "limit a new root", NULL, run_root_set, 0, FAKE_OPEN | FAKE_WRITE)

FAULT_OP(cpuset, "cgfs_group_cpuset", "read a cpuset", with_container, run_cpuset,
	 NEEDS_CPUSET | FINDS, FAKE_OPEN | FAKE_PREAD)
FAULT_OP(cpuset_flags, "cgfs_group_set_cpuset_flags", "set cpuset flags", with_container,
	 run_cpuset_flags, NEEDS_CPUSET, FAKE_OPEN | FAKE_WRITE)

FAULT_OP(io_limits, "cgfs_group_io_limits", "read io limits", with_container, run_io_limits,
	 NEEDS_IO | FINDS, FAKE_OPEN | FAKE_PREAD)
FAULT_OP(devices, "cgfs_group_devices", "read device rules", with_container, run_devices,
	 NEEDS_DEVICES, 0)
FAULT_OP(net_prio, "cgfs_group_net_prio", "read network priorities", with_container, run_net_prio,
	 FINDS, FAKE_OPEN | FAKE_PREAD)
