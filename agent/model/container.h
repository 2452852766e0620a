/* SPDX-License-Identifier: MIT */
/*
 * container.h - a container from Create to its end; its limits and its scratch directory.
 */
#ifndef AGENT_CONTAINER_H
#define AGENT_CONTAINER_H

#include "agent/base/hash.h"
#include "agent/base/loop.h"
#include "agent/model/removal.h"

#include <jansson.h>

#include "agent/runtime/spec.h"
#include "agent/stream/stream.h"

#include <cgfs/cgfs.h>

struct agent;
struct conn;
struct pod;
struct process;
struct request;
struct runtime_bind;
struct spec;

enum container_state {
	CONTAINER_CREATING,
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_TERMINATED,
};

enum exit_type {
	EXIT_UNEXPECTED,
	EXIT_GRACEFUL,
	EXIT_FORCED,
};

/* Where a deletion has got to. */
enum end_step {
	END_NONE,
	END_PROCESSES, /* waits for init and for runs of the runtime */
	END_RUNTIME,   /* the runtime deletes its state */
	END_GROUP,     /* libcgfs removes the cgroup */
	END_SCRATCH,   /* a child empties the scratch directory */
};

struct container {
	struct hash_node node;
	struct container *pod_next; /* the pod's list */
	struct agent *a;
	struct pod *pod; /* NULL: standalone */
	struct cgfs_group *group;
	char *id, *bundle, *dir; /* dir: our files for it, which the runtime sees as its bundle */
	char *scratch;		 /* removed with the container; see scratch.c; NULL: none */
	char *activity;		 /* of the Create request; may be NULL */
	json_t *labels;		 /* an object; NULL: none */
	enum container_state state;
	bool sandbox;
	bool own_pidns;
	bool plain_end;	     /* the runtime has nothing to do at its end but to forget it */
	bool created;	     /* the runtime was asked to create it */
	bool dir_ours;	     /* what is in dir, this agent or one before it wrote */
	unsigned int jobs;   /* runs of the runtime under way, deletion not counted */
	unsigned int serial; /* numbers its files */
	struct process *init;
	struct process *execs;
	json_t *rlimits;	    /* of init, which added processes get, too; NULL: none */
	json_t *user;		    /* of init, when it was given by name; NULL: it was not */
	char *rootfs;		    /* where names are looked up */
	struct runtime_bind *binds; /* see home.c */
	size_t n_binds;
	unsigned int namespace_types; /* of the pod's, that its create makes; see namespaces.c */
	unsigned int joins;	      /* of the sandbox's */
	uint64_t namespaces[3];	      /* those that init is in; 0: not known */
	bool config_known; /* these three: from the Create request, or from config.json */
	struct scratch *scratch_removal; /* see scratch.c */
	struct output *output;		 /* what it prints, see output.c; NULL: that is not kept */
	bool starting;
	bool streams_given;	      /* came with Create, or the start cannot ask for them */
	uint32_t ports[3];	      /* of the host, for init's streams; 0: none */
	struct removal removal;	      /* of its cgroups */
	struct cgfs_resources *later; /* limits that would hold the runtime up; see limits.c */
	struct update *updates;	      /* changes of limits, the first of them under way */
	struct loop_timer end_timer;  /* a deletion is answered by then */
	struct loop_timer kill_timer;
	enum exit_type exit_type;
	bool notified;
	uint64_t exit_serial; /* orders the ends of containers */
	bool by_host;	      /* made over a connection that may be the host's */
	struct conn *owner;   /* gets the exit notification; NULL: the host, once it connects */
	enum end_step end;
	struct reply *replies; /* due at its end */
};

const char *container_state_name(const struct container *c);
/* The lookup that every request begins with.  NULL: @rq has been answered. */
struct container *container_lookup(struct agent *a, struct request *rq, const char *id);
/* What Create says beside the specification: directories, @scratch "" for none, and labels, NULL
 * for none. */
struct container_paths {
	const char *bundle, *scratch;
	json_t *labels;
};
/* What a first or an added process is connected to. */
struct container_streams {
	int *fds;	     /* three; -EBADF: /dev/null */
	const char *console; /* a listening socket that gets the terminal's master; NULL: none */
	bool log;	     /* what has no descriptor is kept; see output.c */
	struct stream_ports ports; /* of the host; for an init, at its start */
	enum spec_far_end far_end; /* of a terminal */
};
void container_create(struct agent *a, struct request *rq, const char *id,
		      const struct container_paths *paths, json_t *spec,
		      const struct container_streams *streams);
/* @ports: of the host, which are connected first. */
void container_start(struct container *c, struct request *rq, const struct stream_ports *ports);
void container_exec(struct container *c, struct request *rq, json_t *process,
		    const struct container_streams *streams);
/* Kill init by a request of the host, which decides the exit type.  0, or an HR_... */
uint32_t container_signal(struct container *c, struct process *p, int sig);
struct process *container_process(struct container *c, uint32_t pid);
/* In the table, without a cgroup.  NULL: no memory. */
struct container *container_new(struct agent *a, const char *id, const char *bundle,
				const char *activity);
/* The path of a file of its own: "<dir>/<serial>.<suffix>"; NULL: no memory. */
char *container_file(const struct container *c, unsigned int serial, const char *suffix);

void container_init_exited(struct container *c);
/* Sends the exit notification when it is due and its receiver is connected. */
void container_notify(struct container *c);
/* Begins to delete the container, in any state.  @rq (may be NULL) is answered at the end: with
 * @hr and @text when @hr is not HR_OK. */
void container_end(struct container *c, struct request *rq, uint32_t hr, const char *text);
/* Takes the next step of a deletion, when there is one under way that can. */
void container_end_step(struct container *c);
void container_removed(struct container *c, int error, const char *message);
void container_free(struct container *c);

/* --- config.c: what the configuration that the runtime got says of init --------------------------
 */

/* The limits of init, which processes that are added later get, and its user. */
void config_keep(struct container *c, const struct spec *spec, const char *root);
const json_t *config_rlimits(struct container *c);
/* The name of @process's user becomes numbers; without one it is init's, where that has a name.
 * HR_OK, or an HR_... and @why. */
uint32_t config_user(struct container *c, json_t *process, char why[SPEC_WHY_MAX]);
/* Members that @process lacks become those of init; variables are added to init's.  -ENOENT: there
 * is no configuration. */
int config_inherit(const struct container *c, json_t *process);

/* --- output.c: what it prints, where that is kept ------------------------------------------------
 */

/* Makes the descriptors of @fds that standard output and error lack. */
int output_begin(struct container *c, int fds[3], struct cgfs_err *err);
/* After a restart of the agent. */
void output_adopt(struct container *c);
/* Takes what has been printed by now. */
void output_drain(struct container *c);
/* The file; NULL: none is kept. */
const char *output_path(const struct container *c);
void output_free(struct container *c);

/* --- namespaces.c -------------------------------------------------------------------------------
 */

/* Those of its pod become those of @s.  HR_OK, or an HR_... and @why. */
uint32_t namespaces_apply(struct container *c, struct spec *s, const struct spec_place *place,
			  char why[SPEC_WHY_MAX]);
/* Init is there: is it where it should be? */
bool namespaces_created(struct container *c);
/* The same after a restart. */
void namespaces_adopt(struct container *c);
/* Does it share the namespace of this type (namespaces.h) with its pod? */
bool namespaces_shared(const struct container *c, int type);

/* --- limits.c --------------------------------------------------------------------------------- */

/* What is to be written now, and what must wait until the runtime has created the container: that
 * is kept with @c, which takes @res over.  *@ret_now is a copy that borrows from @res. */
void limits_defer(struct container *c, struct cgfs_resources *res, struct cgfs_resources *ret_now);
/* Applies and frees what was deferred for @c, and for its pod when @c is the sandbox. */
int limits_complete(struct container *c, struct cgfs_err *err);
/* The container is freed: so is everything here, and requests that wait are refused. */
void limits_drop(struct container *c);
/* Changes the limits of a container and answers @rq; takes @res over.  Where the kernel may have
 * to take memory back first, in a child process. */
void limits_update(struct container *c, struct request *rq, struct cgfs_resources *res);
/* The container is being deleted: changes under way end, their requests are answered. */
void limits_cancel(struct container *c);
/* Stops the processes of @c, or of the pod @p where @c is NULL, or lets them go on; in a child
 * process, and answers @rq. */
void limits_freeze(struct pod *p, struct container *c, struct request *rq, bool freeze);
/* The same as above for pods. */
void limits_update_pod(struct pod *p, struct request *rq, struct cgfs_resources *res);
void limits_cancel_pod(struct pod *p);
void limits_drop_pod(struct pod *p);

/* --- scratch.c ------------------------------------------------------------------------------- */

/* Removes the container's scratch directory in a child process; container_end_step() is called
 * when it is gone, or when it takes too long.  false: nothing is to be waited for. */
bool scratch_remove(struct container *c);
/* The container goes: its removal, if there is one, goes on by itself. */
void scratch_forget(struct container *c);

#endif
