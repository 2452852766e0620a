/* SPDX-License-Identifier: MIT */
/*
 * probe.c - what works here, found out by doing it to a scratch pod: limits are written
 * through the public calls and read back through the same statistics.
 */
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/process/procs.h"
#include "cgfs/controller/table.h"
#include "cgfs/group/root.h"
#include "cgfs/tree/fs.h"

#include <inttypes.h>
#include <stdio.h>

/* An error begins with what was tried and ends with why: where it is too long, its middle is left
 * out. */
static void fit(char *to, size_t size, const char *text)
{
	size_t len = strlen(text), head = size / 4, tail;

	if (len < size) {
		memcpy(to, text, len + 1);
		return;
	}
	tail = len - (size - 1 - head - strlen(" ... "));
	/* Not inside a character of UTF-8. */
	while (head && ((unsigned char)text[head] & 0xc0) == 0x80)
		head--;
	while (((unsigned char)text[tail] & 0xc0) == 0x80)
		tail++;
	snprintf(to, size, "%.*s ... %s", (int)head, text, text + tail);
}

void cgfs_capability_add(struct cgfs_capabilities *caps, const char *name, bool ok,
			 const char *detail, const char *remedy)
{
	struct cgfs_capability *cap;

	/* As many as the caller's structure has room for, in any version. */
	if (caps->n >= CGFS_CAPABILITIES_MAX ||
	    offsetof(struct cgfs_capabilities, cap) + (caps->n + 1) * sizeof(*cap) > caps->sz)
		return;
	cap = &caps->cap[caps->n++];
	cap->ok = ok;
	snprintf(cap->name, sizeof(cap->name), "%s", name);
	fit(cap->detail, sizeof(cap->detail), detail);
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
			struct ctl_missing why;

			ctl_missing(c, (enum cgfs_controller)ctl, &why);
			cgfs_capability_add(caps, name, !why.missing, why.detail, why.remedy);
			continue;
		}
		/* A context that writes has left it out, unless all are. */
		if (fs_read_only(c, c->hierarchy[c->place[ctl].hierarchy].mount_fd)) {
			cgfs_capability_add(caps, name, false, CTL_READ_ONLY,
					    ctl_create_remedy(-EROFS));
			continue;
		}
		snprintf(detail, sizeof(detail), "cgroup v%d at %.150s", p.version, p.mount);
		cgfs_capability_add(caps, name, true, detail, "");
	}
	for (size_t i = 0; i < c->mounts.n_unused; i++) {
		const struct cgfs_unused_mount *m = &c->mounts.unused[i];
		char detail[420];

		snprintf(detail, sizeof(detail), "%s: %s", m->path, m->reason);
		cgfs_capability_add(caps, "mount", false, detail, m->remedy);
	}
}

/* Without a scratch group, which a context for reading does not make. */
static void not_tried(const struct cgfs *c, struct cgfs_capabilities *caps, const char *name)
{
	cgfs_capability_add(
		caps, name, false,
		c->read_only ? CGFS_NOT_TRIED : "not tried, because no scratch group was made", "");
}

/* A limit that can be tried: what to set, and the figure that must then read the same. */
struct trial {
	const char *name;
	struct cgfs_resources res;
	enum cgfs_stat stat;
	uint64_t expect;
};

static void limits(const struct cgfs *c, struct cgfs_group *pod, struct cgfs_capabilities *caps)
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
		struct cgfs_stats s = CGFS_STATS_INIT;
		struct cgfs_err err = { 0 };
		char detail[160];

		if (!pod) {
			not_tried(c, caps, trials[i].name);
			continue;
		}
		res.sz = sizeof(res);
		if (cgfs_group_set(pod, &res, NULL, &err) < 0 ||
		    cgfs_group_stats(pod, CGFS_READ_MEMORY | CGFS_READ_CPU | CGFS_READ_PIDS, &s,
				     &err) < 0) {
			cgfs_capability_add(caps, trials[i].name, false, err.text, "");
			continue;
		}
		if (s.figure[trials[i].stat].available &&
		    s.figure[trials[i].stat].value == trials[i].expect) {
			cgfs_capability_add(caps, trials[i].name, true, "written and read back",
					    "");
			continue;
		}
		snprintf(detail, sizeof(detail), "wrote %" PRIu64 ", read %" PRIu64,
			 trials[i].expect, s.figure[trials[i].stat].value);
		cgfs_capability_add(caps, trials[i].name, false, detail,
				    "boot with swapaccount=1, if it is the swap limit");
	}
}

static void figures(const struct cgfs *c, struct cgfs_group *pod, struct cgfs_capabilities *caps)
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
	struct cgfs_stats s = CGFS_STATS_INIT;
	struct cgfs_err err = { 0 };

	for (size_t i = 0; !pod && i < ARRAY_SIZE(some); i++)
		not_tried(c, caps, some[i].name);
	if (!pod)
		return;
	if (cgfs_group_stats(pod, CGFS_READ_ALL, &s, &err) < 0) {
		cgfs_capability_add(caps, "stat", false, err.text, "");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(some); i++)
		cgfs_capability_add(
			caps, some[i].name, s.figure[some[i].stat].available,
			s.figure[some[i].stat].available ? "" : "no such file on this kernel", "");
}

static void life_cycle(struct cgfs *c, struct cgfs_group *ctr, struct cgfs_capabilities *caps)
{
	struct cgfs_err err = { 0 };
	int r;

	if (ctr) {
		r = cgfs_group_freeze(ctr, 1000, &err);
		cgfs_capability_add(caps, "freeze", r == 0, r == 0 ? "" : err.text, "");
		if (r == 0)
			ignore(cgfs_group_thaw(ctr, NULL));
	} else {
		not_tried(c, caps, "freeze");
	}
	cgfs_capability_add(caps, "cgroup2.tree", c->unified >= 0,
			    c->unified >= 0
				    ? c->hierarchy[c->unified].mount->path
				    : "no cgroup2 mount: no eBPF, no event when a pod is empty",
			    c->unified >= 0 ? "" : "mount -t cgroup2 cgroup2 DIR");
	if (!ctr)
		not_tried(c, caps, "cgroup.kill");
	else if (c->unified >= 0) {
		r = procs_kill(ctr, &err);
		cgfs_capability_add(caps, "cgroup.kill", r == 0,
				    r == 0 ? "" : "killing takes rounds of signals",
				    r == 0 ? "" : "Linux 5.14");
	}
}

static void policy(struct cgfs *c, struct cgfs_capabilities *caps)
{
	struct cgfs_err err = { 0 };

	if (!c->policy)
		cgfs_capability_add(caps, "bpf", false,
				    c->unified < 0
					    ? "there is no cgroup2 tree to attach programs to"
					    : "no eBPF policy is in use",
				    c->unified < 0 ? "mount -t cgroup2 cgroup2 DIR" : "");
	else if (c->policy->ops->probe(c->policy->ctx, caps, &err) < 0)
		cgfs_capability_add(caps, "bpf", false, err.text, "");
}

int cgfs_probe(struct cgfs *c, struct cgfs_capabilities *ret_caps, struct cgfs_err *reterr)
{
	struct cgfs_group *pod = NULL, *ctr = NULL;
	bool root_was_there = root_complete(c), had_pod;
	struct cgfs_err err = { 0 };
	char id[48];
	int made = -EROFS, r = SIZED_CHECK(ret_caps, reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "probe");
	ret_caps->n = 0;
	controllers(c, ret_caps);
	snprintf(id, sizeof(id), "probe-%d", getpid());
	if (!c->read_only)
		made = cgfs_pod_create(c, id, NULL, &pod, &err);
	if (made == 0)
		made = cgfs_container_create(c, pod, "c", NULL, &ctr, &err);
	if (c->read_only)
		not_tried(c, ret_caps, "create");
	else
		cgfs_capability_add(ret_caps, "create", made == 0,
				    made == 0 ? "a scratch pod and a container" : err.text,
				    ctl_create_remedy(made));
	had_pod = pod != NULL;
	limits(c, pod, ret_caps);
	figures(c, pod, ret_caps);
	life_cycle(c, ctr, ret_caps);
	policy(c, ret_caps);
	if (pod) {
		int gone = cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(5000), NULL);

		/* No other process would: once more. */
		if (gone < 0)
			gone = cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(5000),
						 r == 0 ? reterr : NULL);
		r = r == 0 ? gone : r;
	}
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
	/* A create that failed has taken back what it made. */
	if (!root_was_there && had_pod) {
		int gone = cgfs_root_remove(c, NULL);

		if (gone < 0)
			gone = cgfs_root_remove(c, r == 0 ? reterr : NULL);
		/* Another process may have made a pod meanwhile. */
		if (r == 0 && gone != -ENOTEMPTY)
			r = gone;
	}
	return r;
}
