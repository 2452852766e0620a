/* SPDX-License-Identifier: MIT */
/*
 * missing.c - why a controller is in no hierarchy that is used here, and why a group cannot be
 * made, with what to change; for the probe.
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/table.h"
#include "cgfs/tree/names.h"

#include <stdio.h>

/* Its line of /proc/cgroups, which newer kernels keep for controllers that v1 can have. */
static bool known_to_kernel(const struct cgfs *c, const char *name, int *ret_hierarchy,
			    int *ret_enabled)
{
	char line[256], is[64];
	bool found = false;
	FILE *f;

	if (!name || c->fs != cgfs_fs_kernel())
		return false;
	f = fopen("/proc/cgroups", "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%63s %d %*d %d", is, ret_hierarchy, ret_enabled) == 3 &&
			streq(is, name);
	if (f)
		fclose(f);
	return found;
}

/* What cgroup2 has without a controller of the name. */
static bool part_of_unified(const struct cgfs *c, enum cgfs_controller ctl, struct ctl_missing *ret)
{
	if (c->unified < 0)
		return false;
	switch (ctl) {
	case CGFS_FREEZER:
		ret->detail = "cgroup v2 has it without a controller, as cgroup.freeze";
		return true;
	case CGFS_CPUACCT:
		ret->detail = "cgroup v2 has it without a controller, in cpu.stat";
		return true;
	case CGFS_DEVICES:
		ret->detail = c->policy ? "cgroup v2 has it by eBPF"
					: "cgroup v2 has it by eBPF, which is not in use";
		ret->missing = !c->policy;
		return true;
	case CGFS_PERF_EVENT:
		ret->detail = "cgroup v2 has it always on, without files";
		return true;
	default:
		return false;
	}
}

static bool left_out(const struct cgfs *c, enum cgfs_controller ctl, struct ctl_missing *ret)
{
	for (size_t i = 0; i < c->mounts.n_unused; i++) {
		const struct cgfs_unused_mount *m = &c->mounts.unused[i];

		if (!(m->controllers & (1u << ctl)))
			continue;
		snprintf(ret->text, sizeof(ret->text), "%.100s: %s", m->path, m->reason);
		ret->detail = ret->text;
		ret->remedy = m->remedy;
		return true;
	}
	return false;
}

void ctl_missing(const struct cgfs *c, enum cgfs_controller ctl, struct ctl_missing *ret)
{
	const char *name = ctl_name(ctl, CGFS_V1) ? ctl_name(ctl, CGFS_V1) : ctl_name(ctl, CGFS_V2);
	int hierarchy = 0, enabled = 0;

	*ret = (struct ctl_missing){ .missing = true, .remedy = "" };
	if (left_out(c, ctl, ret))
		return;
	ret->missing = false;
	if (!(c->denied & (1u << ctl)) && part_of_unified(c, ctl, ret))
		return;
	ret->missing = true;
	if (c->denied_ro & (1u << ctl)) {
		ret->detail = CTL_READ_ONLY;
		ret->remedy = ctl_create_remedy(-EROFS);
	} else if (c->denied & (1u << ctl)) {
		ret->detail = "it is not delegated to this process below the pods root";
		ret->remedy = "run as root, or give --root a cgroup that was delegated with it";
	} else if (!known_to_kernel(c, name, &hierarchy, &enabled)) {
		ret->detail = "this kernel does not have it, or no hierarchy with it is mounted";
		ret->remedy = ctl_name(ctl, CGFS_V2) && c->unified >= 0
				      ? "use a kernel with it, or enable it in "
					"cgroup.subtree_control above the mount"
				      : "use a kernel that is built with it";
	} else if (!enabled) {
		ret->detail = "it is disabled";
		ret->remedy = "boot without cgroup_disable= and cgroup_no_v1= for it";
	} else {
		snprintf(ret->text, sizeof(ret->text), "mount -t cgroup -o %s %s DIR", name, name);
		ret->detail = hierarchy ? "its v1 hierarchy is not mounted here"
					: "it is in no mounted hierarchy";
		ret->remedy = ret->text;
	}
}

const char *ctl_create_remedy(int error)
{
	switch (error) {
	case -EROFS:
		return "mount the cgroup file system so that it may be written: mount -o "
		       "remount,bind,rw DIR";
	case -EACCES:
	case -EPERM:
		return "run as root, or give --root a cgroup that was delegated to this user";
	case -EBUSY:
		return "move the processes of the cgroup above into one of its children, or give "
		       "another --root";
	case -EOPNOTSUPP:
	case -ENOENT:
		return "give a --root whose parent is not threaded and has the controller in its "
		       "cgroup.controllers";
	case -EAGAIN:
		return "raise cgroup.max.descendants and cgroup.max.depth above the pods root";
	case -ENOSPC:
		return "give cpus and memory nodes to the cpuset above the pods root";
	default:
		return "";
	}
}
