/* SPDX-License-Identifier: MIT */
/*
 * runtime_child.h - what a child process needs to become the runtime.
 */
#ifndef AGENT_RUNTIME_CHILD_H
#define AGENT_RUNTIME_CHILD_H

#include "agent/runtime/runtime.h"

#include <sys/stat.h>

/* How this host's runtime is called. */
struct runtime_how {
	struct cgfs *cgfs;
	char *path;
	char *root; /* the runtime's own state */
	bool crun;
	bool hide_cgroup2;
	int copy;	    /* see runtime_copy.c; negative: it is executed by its path */
	struct stat copied; /* the file at the path that was last looked at */
	bool no_pivot;
	int null; /* /dev/null */
	const char *oom_score;
};

/* stage.c: what child_mounts() does for job->binds, in a mount namespace that is still like the
 * agent's, and when nothing goes out of it any more.  0, or a negative errno and @why. */
int stage_open(const struct runtime_job *job, int trees[RUNTIME_BINDS_MAX],
	       char why[RUNTIME_WHY_MAX]);
int stage_place(const struct runtime_job *job, const int trees[RUNTIME_BINDS_MAX],
		char why[RUNTIME_WHY_MAX]);

/* Makes the copy, or anew when the file at the path is another one. */
void runtime_copy_refresh(struct runtime_how *how);
void runtime_copy_drop(struct runtime_how *how);
/* In a child of the agent: becomes the runtime. */
void runtime_child(const struct runtime_how *how, const struct runtime_job *job)
	__attribute__((noreturn));
/* The same inside the cgroups of job->join, from a child of the child. */
void runtime_child_join(const struct runtime_how *how, const struct runtime_job *job)
	__attribute__((noreturn));

#endif
