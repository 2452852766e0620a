/* SPDX-License-Identifier: MIT */
/*
 * runtime.h - runs of the OCI runtime, one child each.
 */
#ifndef AGENT_RUNTIME_H
#define AGENT_RUNTIME_H

#include "agent/base/log.h"
#include "agent/base/loop.h"

#include <cgfs/cgfs.h>

struct runtime;

enum runtime_verb {
	RUNTIME_CREATE,
	RUNTIME_START,
	RUNTIME_EXEC,
	RUNTIME_DELETE,
};

#define RUNTIME_WHY_MAX	  640
#define RUNTIME_BINDS_MAX 128

/* A directory that containers share: @path below @base, made when it is absent.  The runtime finds
 * it at "BUNDLE/stage/I", its number in the list; BUNDLE/stage is an empty directory. */
struct runtime_bind {
	char *base, *path;
};

struct runtime_job {
	enum runtime_verb verb;
	const char *id; /* of the container */
	const char
		*pod; /* whose share of the runs this one takes; a container without a pod is one */
	const char *bundle;	 /* CREATE */
	const char *process;	 /* EXEC: the file with the OCI process */
	const char *pid_file;	 /* CREATE, EXEC */
	const char *log;	 /* where errors go; removed afterwards */
	const char *console;	 /* CREATE, EXEC of a process with a terminal: the socket that gets
				  * its master; NULL: none */
	struct cgfs_group *join; /* CREATE, EXEC: the cgroups to begin in */
	const struct runtime_bind *binds; /* CREATE; borrowed until `done` */
	size_t n_binds;
	const char *namespaces; /* CREATE: where namespaces_make() keeps those of the pod; NULL */
	unsigned int namespace_types;
	const char *hostname; /* of them */
	int fds[3];	      /* CREATE, EXEC: streams; -EBADF: /dev/null.  Closed by the job */
	/* @code 0: success; above: the exit status, 128 + signal; below: a negative errno, it could
	 * not be run.  @why is one line. */
	void (*done)(void *ctx, int code, const char *why);
	void *ctx;
};

/* @path NULL: crun from PATH, else runc.  @oom_score: with which runs begin; it stays the caller's.
 * -ENOENT: there is none. */
int runtime_new(struct loop *loop, struct log *log, struct cgfs *cgfs, const char *path,
		const char *state_dir, const char *oom_score, struct runtime **ret,
		struct cgfs_err *reterr);
void runtime_free(struct runtime *rt);
const char *runtime_path(const struct runtime *rt);
/* Copies what @job points to, takes its descriptors over.  `done` is called exactly once, never
 * from within.  -ENOMEM: nothing was taken, `done` will not be called. */
int runtime_run(struct runtime *rt, const struct runtime_job *job);
/* Removes what the runtime keeps of a container that has ended: files in one directory, as crun and
 * runc have them.  false: they are not there, or there is more, or it is another runtime; it has to
 * delete the container itself. */
bool runtime_forget(const struct runtime *rt, const char *id);
/* Ends all runs for a container but a deletion: those that wait never begin, those that run are
 * killed with what they have started.  `done` is called for each, never from within. */
void runtime_cancel(struct runtime *rt, const char *id);
/* Init has ended: a `start` that still waits for it gets a second more. */
void runtime_hurry(struct runtime *rt, const char *id);

#endif
