/* SPDX-License-Identifier: MIT */
/*
 * runtime.h - runs of the OCI runtime, one child each.
 */
#ifndef AGENT_RUNTIME_H
#define AGENT_RUNTIME_H

#include "log.h"
#include "loop.h"

#include <cgfs/cgfs.h>

struct runtime;

enum runtime_verb {
	RUNTIME_CREATE,
	RUNTIME_START,
	RUNTIME_EXEC,
	RUNTIME_DELETE,
};

#define RUNTIME_WHY_MAX 640

struct runtime_job {
	enum runtime_verb verb;
	const char *id;		 /* of the container */
	const char *bundle;	 /* CREATE */
	const char *process;	 /* EXEC: the file with the OCI process */
	const char *pid_file;	 /* CREATE, EXEC */
	const char *log;	 /* where errors go; removed afterwards */
	struct cgfs_group *join; /* CREATE, EXEC: the cgroups to begin in */
	int fds[3];		 /* CREATE, EXEC: streams; -EBADF: /dev/null.  Closed by the job */
	/* @code 0: success; above: the exit status, 128 + signal; below: a negative errno, it could
	 * not be run.  @why is one line. */
	void (*done)(void *ctx, int code, const char *why);
	void *ctx;
};

/* @path NULL: crun from PATH, else runc.  -ENOENT: there is none. */
int runtime_new(struct loop *loop, struct log *log, struct cgfs *cgfs, const char *path,
		const char *state_dir, struct runtime **ret, struct cgfs_err *reterr);
void runtime_free(struct runtime *rt);
const char *runtime_path(const struct runtime *rt);
/* Copies what @job points to, takes its descriptors over.  `done` is called exactly once, never
 * from within.  -ENOMEM: nothing was taken, `done` will not be called. */
int runtime_run(struct runtime *rt, const struct runtime_job *job);

#endif
