/* SPDX-License-Identifier: MIT */
/*
 * join.c - a process or a thread moves into a container, in each hierarchy; when one refuses, back
 * to where it was in those before.
 */
#include "controller/table.h"
#include "core.h"
#include "proc.h"

#include <stdio.h>

static const char *list_file(const struct cgfs *c, int hierarchy, bool thread)
{
	return !thread ? "cgroup.procs" : hierarchy == c->unified ? "cgroup.threads" : "tasks";
}

/* A hierarchy refused: back to where it was in those that had taken it already. */
static void move_back(struct cgfs *c, int failed, const char *pid, bool thread, const char *origins)
{
	char dir[4096], file[4096 + 32];

	for (int i = 0; i < failed; i++) {
		uint32_t controllers = i == c->unified ? 0 : c->hierarchy[i].controllers;

		if (cgfs_proc_cgroup(origins, controllers, dir, sizeof(dir)) < 0)
			continue;
		snprintf(file, sizeof(file), ".%s/%s", dir, list_file(c, i, thread));
		(void)!fs_write_at(c, c->hierarchy[i].mount_fd, file, pid);
	}
}

static int vet(const struct cgfs_group *g, pid_t pid, struct cgfs_err *reterr)
{
	if (g->is_pod)
		return cgfs_err_set(reterr, -EINVAL, NULL, g->path, NULL,
				    "processes live in containers, not in pods");
	if (pid < 0)
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, NULL, "a pid cannot be negative");
	if (g->state != GROUP_LIVE)
		return cgfs_err_set(reterr, -ENOENT, NULL, g->path, NULL, "it is being removed");
	return 0;
}

/* cgroup2 keeps a thread with its process, unless both are in one threaded tree. */
static bool stays_behind(const struct cgfs *c, int i, bool thread, int r)
{
	return thread && i == c->unified && c->n > 1 && r == -EOPNOTSUPP;
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
		struct cgfs_dir d = { g, i, NULL };

		r = group_dir(g, i, &fd, reterr);
		if (r == 0)
			r = dir_write(&d, list_file(c, i, thread), text, reterr);
		if (r < 0 && !stays_behind(c, i, thread, r)) {
			move_back(c, i, text, thread, origins);
			return r;
		}
	}
	return 0;
}

int cgfs_group_add_pid(struct cgfs_group *g, pid_t pid, struct cgfs_err *reterr)
{
	int r = join(g, pid, false, reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "add process %d to \"%.80s\"", pid, g->rel);
	watch_joined(g);
	return 0;
}

/* The kernel's word for it is "Operation not supported", which says little. */
static int explain(const struct cgfs_group *g, int code, struct cgfs_err *reterr)
{
	if (code != -EOPNOTSUPP || !reterr)
		return code;
	return cgfs_err_set(reterr, code, NULL, g->path, NULL,
			    "cgroup2 moves whole processes; a thread by itself only within a "
			    "threaded tree");
}

int cgfs_group_add_thread(struct cgfs_group *g, pid_t tid, struct cgfs_err *reterr)
{
	int r = join(g, tid, true, reterr);

	return r < 0 ? cgfs_err_context(reterr, explain(g, r, reterr), "add thread %d to \"%.80s\"",
					tid, g->rel)
		     : 0;
}
