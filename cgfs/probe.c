/* SPDX-License-Identifier: MIT */
/*
 * probe.c - what works here, found out by doing it to a scratch pod: limits are written
 * through the same calls as everybody's and read back through the same statistics.
 */
#include "core.h"

#include <inttypes.h>
#include <stdio.h>

void cgfs_capability_add(struct cgfs_capabilities *caps, const char *name, bool ok,
			 const char *detail, const char *remedy)
{
	struct cgfs_capability *cap;

	if (caps->n == CGFS_CAPABILITIES_MAX)
		return;
	cap = &caps->cap[caps->n++];
	cap->ok = ok;
	snprintf(cap->name, sizeof(cap->name), "%s", name);
	snprintf(cap->detail, sizeof(cap->detail), "%s", detail);
	snprintf(cap->remedy, sizeof(cap->remedy), "%s", remedy);
}

static void controllers(struct cgfs *c, struct cgfs_capabilities *caps)
{
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		struct cgfs_place p = cgfs_place(c, (enum cgfs_controller)ctl);
		char name[32], detail[300];

		snprintf(name, sizeof(name), "controller.%s",
			 cgfs_controller_name((enum cgfs_controller)ctl));
		if (p.version == CGFS_NONE) {
			cgfs_capability_add(caps, name, false, "in no mounted hierarchy",
					    "mount it, if /proc/cgroups or the kernel's "
					    "configuration has it");
			continue;
		}
		snprintf(detail, sizeof(detail), "cgroup v%d at %.150s", p.version, p.mount);
		cgfs_capability_add(caps, name, true, detail, "");
	}
}

/* A limit that can be tried: what to set, and the figure that must then read the same. */
struct trial {
	const char *name;
	struct cgfs_resources res;
	enum cgfs_stat stat;
	uint64_t expect;
};

static void limits(struct cgfs_group *pod, struct cgfs_capabilities *caps)
{
	const struct trial trials[] = {
		{ "limit.memory",
		  { .set = CGFS_SET_MEMORY_MAX, .memory_max_bytes = 64 << 20 },
		  CGFS_STAT_MEMORY_MAX,
		  64 << 20 },
		{ "limit.swap",
		  { .set = CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_SWAP,
		    .memory_max_bytes = 64 << 20,
		    .memory_swap_bytes = 96 << 20 },
		  CGFS_STAT_MEMORY_SWAP_MAX,
		  32 << 20 },
		{ "limit.cpu.weight",
		  { .set = CGFS_SET_CPU_WEIGHT, .cpu_weight = 200 },
		  CGFS_STAT_CPU_WEIGHT,
		  200 },
		{ "limit.cpu.quota",
		  { .set = CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD,
		    .cpu_quota_us = 50000,
		    .cpu_period_us = 100000 },
		  CGFS_STAT_CPU_QUOTA,
		  50000 },
		{ "limit.pids",
		  { .set = CGFS_SET_PIDS_MAX, .pids_max = 64 },
		  CGFS_STAT_PIDS_MAX,
		  64 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		struct cgfs_resources res = trials[i].res;
		struct cgfs_stats s;
		struct cgfs_err err = { 0 };
		char detail[160];

		res.sz = sizeof(res);
		if (cgfs_group_set(pod, &res, &err) < 0 ||
		    cgfs_group_stats(pod, CGFS_READ_MEMORY | CGFS_READ_CPU | CGFS_READ_PIDS, &s,
				     &err) < 0) {
			cgfs_capability_add(caps, trials[i].name, false, err.text, "");
			continue;
		}
		if (s.available[trials[i].stat] && s.value[trials[i].stat] == trials[i].expect) {
			cgfs_capability_add(caps, trials[i].name, true, "written and read back",
					    "");
			continue;
		}
		snprintf(detail, sizeof(detail), "wrote %" PRIu64 ", read %" PRIu64,
			 trials[i].expect, s.value[trials[i].stat]);
		cgfs_capability_add(caps, trials[i].name, false, detail,
				    "boot with swapaccount=1, if it is the swap limit");
	}
}

static void figures(struct cgfs_group *pod, struct cgfs_capabilities *caps)
{
	static const struct {
		const char *name;
		enum cgfs_stat stat;
	} some[] = {
		{ "stat.memory.peak", CGFS_STAT_MEMORY_PEAK },
		{ "stat.memory.kernel", CGFS_STAT_MEMORY_KERNEL },
		{ "stat.memory.oom_kill", CGFS_STAT_MEMORY_EVENTS_OOM_KILL },
		{ "stat.cpu.usage", CGFS_STAT_CPU_USAGE },
		{ "stat.pids.peak", CGFS_STAT_PIDS_PEAK },
	};
	struct cgfs_stats s;
	struct cgfs_err err = { 0 };

	if (cgfs_group_stats(pod, CGFS_READ_ALL, &s, &err) < 0) {
		cgfs_capability_add(caps, "stat", false, err.text, "");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(some); i++)
		cgfs_capability_add(caps, some[i].name, s.available[some[i].stat],
				    s.available[some[i].stat] ? "" : "no such file on this kernel",
				    "");
}

static void life_cycle(struct cgfs *c, struct cgfs_group *ctr, struct cgfs_capabilities *caps)
{
	struct cgfs_err err = { 0 };
	int r = cgfs_group_freeze(ctr, 1000, &err);

	cgfs_capability_add(caps, "freeze", r == 0, r == 0 ? "" : err.text, "");
	if (r == 0)
		(void)!cgfs_group_thaw(ctr, NULL);
	cgfs_capability_add(caps, "cgroup2.tree", c->unified >= 0,
			    c->unified >= 0
				    ? c->hierarchy[c->unified].mount->path
				    : "no cgroup2 mount: no eBPF, no event when a pod is empty",
			    c->unified >= 0 ? "" : "mount -t cgroup2 cgroup2 DIR");
	if (c->unified >= 0) {
		struct cgfs_dir d = { ctr, c->unified, NULL };

		r = dir_write(&d, "cgroup.kill", "1", &err);
		cgfs_capability_add(caps, "cgroup.kill", r == 0,
				    r == 0 ? "" : "killing takes rounds of signals",
				    r == 0 ? "" : "Linux 5.14");
	}
}

int cgfs_probe(struct cgfs *c, struct cgfs_capabilities *ret_caps, struct cgfs_err *reterr)
{
	struct cgfs_group *pod = NULL, *ctr = NULL;
	bool root_was_there = root_complete(c);
	char id[48];
	int r;

	ret_caps->n = 0;
	controllers(c, ret_caps);
	snprintf(id, sizeof(id), "probe-%d", getpid());
	r = cgfs_pod_create(c, id, NULL, &pod, reterr);
	if (r == 0)
		r = cgfs_container_create(c, pod, "c", NULL, &ctr, reterr);
	if (r == 0) {
		limits(pod, ret_caps);
		figures(pod, ret_caps);
		life_cycle(c, ctr, ret_caps);
		if (c->policy)
			r = c->policy->ops->probe(c->policy->ctx, ret_caps, reterr);
		else
			cgfs_capability_add(ret_caps, "bpf", false, "no eBPF policy is in use", "");
	}
	if (pod) {
		int gone = cgfs_group_destroy(pod, 5000, NULL);

		/* Nobody else would: once more. */
		if (gone < 0)
			gone = cgfs_group_destroy(pod, 5000, r == 0 ? reterr : NULL);
		r = r == 0 ? gone : r;
	}
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
	if (!root_was_there) {
		int gone = cgfs_root_remove(c, NULL);

		if (gone < 0)
			gone = cgfs_root_remove(c, r == 0 ? reterr : NULL);
		/* Somebody else may have made a pod meanwhile. */
		if (r == 0 && gone != -ENOTEMPTY)
			r = gone;
	}
	return r;
}
