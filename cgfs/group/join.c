/* SPDX-License-Identifier: MIT */
/*
 * join.c - a process or a thread moves into a container, in each hierarchy; when one refuses, back
 * to where it was in those before.
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/cpu/cpuset.h"
#include "cgfs/controller/device/devices.h"
#include "cgfs/controller/process/procs.h"
#include "cgfs/controller/process/room.h"
#include "cgfs/group/group.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"
#include "cgfs/tree/proc.h"

#include <stdio.h>

/* A hierarchy refused: back to where it was in those that had taken it already. */
static void move_back(struct cgfs *c, int failed, const char *pid, bool thread, const char *origins)
{
	char dir[4096], file[4096 + 32];

	for (int i = 0; i < failed; i++) {
		if (cgfs_proc_cgroup(origins, procs_key(c, i), dir, sizeof(dir)) < 0)
			continue;
		snprintf(file, sizeof(file), ".%s/%s", dir, procs_file(c, i, thread));
		ignore(fs_write_at(c, c->hierarchy[i].mount_fd, file, pid));
	}
}

static int vet(const struct cgfs_group *g, pid_t pid, struct cgfs_err *reterr)
{
	if (g->is_pod)
		return err_why(reterr, -EINVAL, NULL, g->path,
			       "processes live in containers, not in pods");
	if (pid < 0)
		return err_why(reterr, -EINVAL, NULL, NULL, "a pid cannot be negative");
	if (g->state != GROUP_LIVE)
		return err_why(reterr, -ENOENT, NULL, g->path, "it is being removed");
	return 0;
}

static int join(struct cgfs_group *g, pid_t pid, bool thread, struct cgfs_err *reterr)
{
	char text[16], proc[32], origins[8192];
	struct cgfs *c = g->c;
	int r, fd;

	r = vet(g, pid, reterr);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%d", pid);
	snprintf(proc, sizeof(proc), "/proc/%s/cgroup",
		 pid	  ? text
		 : thread ? "thread-self"
			  : "self");
	if (c->n < 2 || fs_read_at(c, AT_FDCWD, proc, origins, sizeof(origins)) < 0)
		origins[0] = '\0';
	for (int i = 0; i < c->n; i++) {
		struct cgfs_dir d = dir_in(g, i);

		r = group_dir(g, i, &fd, reterr);
		if (r == 0)
			r = dir_write(&d, procs_file(c, i, thread), text, reterr);
		if (r == -ENOSPC && ctl_cpuset_fill(g, NULL) == 0)
			r = dir_write(&d, procs_file(c, i, thread), text, reterr);
		/* Unless both are in one threaded tree. */
		if (thread && r == -EOPNOTSUPP && procs_keep_threads(c, i))
			r = 0;
		if (r < 0) {
			move_back(c, i, text, thread, origins);
			return r;
		}
	}
	return 0;
}

/* Where a maker was killed before it had bound the group, or the pod, what joins would be bound by
 * nothing.  The processes that run there already made it so. */
int join_guard(struct cgfs_group *g, struct cgfs_err *reterr)
{
	for (; g; g = g->pod) {
		g->unbound = g->unbound && !devices_bound(g);
		if (g->unbound && procs_populated(g) == 0)
			return err_why(reterr, -EPERM, NULL, g->path,
				       "no device policy is bound to it; set a list of "
				       "devices first");
	}
	return 0;
}

int cgfs_group_add_pid(struct cgfs_group *g, pid_t pid, struct cgfs_err *reterr)
{
	int r = check_writable(g->c, "add process", reterr);

	if (r == 0)
		r = join_guard(g, reterr);
	if (r == 0)
		r = join(g, pid, false, reterr);

	if (r < 0)
		return cgfs_err_context(reterr, room_process(g, r, reterr),
					"add process %d to \"%.80s\"", pid, g->rel);
	watch_joined(g);
	return 0;
}

/* The kernel answers "Operation not supported" without naming the cause. */
static int explain(const struct cgfs_group *g, int code, struct cgfs_err *reterr)
{
	if (code != -EOPNOTSUPP || !reterr)
		return code;
	return err_why(reterr, code, NULL, g->path,
		       "cgroup2 moves whole processes; a thread by itself only within a "
		       "threaded tree");
}

int cgfs_group_add_thread(struct cgfs_group *g, pid_t tid, struct cgfs_err *reterr)
{
	int r = check_writable(g->c, "add thread", reterr);

	if (r == 0)
		r = join_guard(g, reterr);
	if (r == 0)
		r = join(g, tid, true, reterr);

	return r < 0 ? cgfs_err_context(reterr, explain(g, r, reterr), "add thread %d to \"%.80s\"",
					tid, g->rel)
		     : 0;
}
