/* SPDX-License-Identifier: MIT */
/*
 * agent.h - the agent's nouns and what its files ask of each other.
 *
 * A request comes in through message.c, is carried out by container.c, pod.c or process.c,
 * perhaps with the help of runtime.c, and is answered when it is done.  Nobody waits.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "bridge.h"
#include "log.h"
#include "loop.h"
#include "options.h"
#include "runtime.h"
#include "table.h"

#include <errno.h>
#include <unistd.h>

#include <cgfs/bpf.h>
#include <cgfs/cgfs.h>

struct agent {
	const struct options *opt;
	struct log log;
	struct loop *loop;
	struct bridge *bridge;
	struct cgfs *cgfs;
	struct cgfs_bpf *bpf;
	struct runtime *runtime;
	struct table containers; /* by id; all of them, in pods or not */
	struct table pods;	 /* by id */
	struct table foreign;	 /* see foreign.c, by id */
	struct table dirs;	 /* directories that we made for bundles, by path */
	struct process *externals;
	size_t n_externals;
	struct loop_fd events; /* of libcgfs */
	struct loop_timer refresh;
	uint64_t root_limit_bytes; /* the last that was applied; 0: none */
	int state_lock;		   /* see state.c; -EBADF: not taken */
	bool ready;		   /* libcgfs and the runtime are open */
	bool hung_up;		   /* stdin has ended */
	bool stopping;
	struct request *held, *held_last; /* came before we were ready */
};

/* An answer that is due when something is gone. */
struct reply {
	struct reply *next;
	struct request *rq;
	uint32_t hr; /* HR_OK: success, unless the removal failed */
	char *text;
};

/* --- process.c: what can be waited for ------------------------------------------------------ */

struct waiter;

struct process {
	struct process *next;
	struct agent *a;
	struct container *c; /* NULL: external, in the utility VM itself */
	struct waiter *waiters;
	struct loop_child child;
	struct loop_fd pidfd; /* of an adopted one, which is not our child; else not in the loop */
	pid_t pid;
	uint64_t started; /* as the kernel counts: a pid that comes again differs */
	bool exited;
	uint32_t code; /* status, or 128 + signal */
};

/* Of a process that ended while nobody could ask the kernel how. */
#define PROCESS_CODE_UNKNOWN 0xffffffffu

/* A process that has just been found out about; it may have ended already. */
struct process *process_new(struct agent *a, struct container *c, pid_t pid);
/* Begins to watch; process_exited() may be called from within. */
void process_watch(struct process *p);
/* The same for one of an earlier agent: pid and started are set.  false: it has ended. */
bool process_adopt(struct process *p);
/* 0, or a negative errno; never hits another process that got the same pid. */
int process_kill(const struct process *p, int sig);
void process_free(struct process *p); /* its waiters are answered 0xc037010e */
/* Answers @rq now or later.  @p is gone afterwards when it was not an init and has been reaped. */
void process_wait(struct process *p, struct request *rq, uint32_t timeout_ms);
/* After a connection has ended: nobody waits for these answers. */
void process_drop_waiters(struct process *p);
/* An external process: ExecuteProcess for the utility VM. */
void process_start_external(struct agent *a, struct request *rq, json_t *params, int fds[3]);
struct process *process_find_external(struct agent *a, uint32_t pid);

/* --- container.c, container_end.c ----------------------------------------------------------- */

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
};

struct container {
	struct table_node node;
	struct container *pod_next; /* the pod's list */
	struct agent *a;
	struct pod *pod; /* NULL: standalone */
	struct cgfs_group *group;
	char *id, *bundle, *dir; /* dir: our files for it, which the runtime sees as its bundle */
	char *activity;		 /* of the Create request; may be NULL */
	enum container_state state;
	bool sandbox;
	bool own_pidns;
	bool created;	     /* the runtime was asked to create it */
	unsigned int jobs;   /* runs of the runtime under way, deletion not counted */
	unsigned int serial; /* numbers its files */
	struct process *init;
	struct process *execs;
	bool starting;
	bool removing; /* cgfs_group_remove() was called */
	enum exit_type exit_type;
	bool notified;
	struct conn *owner; /* who is told of its exit; NULL: who asks for it next */
	enum end_step end;
	struct reply *replies; /* due at its end */
};

const char *container_state_name(const struct container *c);
/* The lookup that every request begins with.  NULL: @rq has been answered. */
struct container *container_lookup(struct agent *a, struct request *rq, const char *id);
void container_create(struct agent *a, struct request *rq, const char *id, const char *bundle,
		      json_t *spec, int fds[3]);
void container_start(struct container *c, struct request *rq);
void container_exec(struct container *c, struct request *rq, json_t *process, int fds[3]);
/* Kill init by a request of the host, which decides the exit type.  0, or an HR_... */
uint32_t container_signal(struct container *c, struct process *p, int sig);
struct process *container_process(struct container *c, uint32_t pid);
/* In the table, without a cgroup.  NULL: no memory. */
struct container *container_new(struct agent *a, const char *id, const char *bundle,
				const char *activity);
/* The path of a file of its own: "<dir>/<serial>.<suffix>"; NULL: no memory. */
char *container_file(const struct container *c, unsigned int serial, const char *suffix);

void container_init_exited(struct container *c);
/* Sends the exit notification when it is due and somebody can hear it. */
void container_notify(struct container *c);
/* Begins to delete, whatever state it is in.  @rq (may be NULL) is answered at the end: with
 * @hr and @text when @hr is not HR_OK. */
void container_end(struct container *c, struct request *rq, uint32_t hr, const char *text);
/* Takes the next step of a deletion, when there is one under way that can. */
void container_end_step(struct container *c);
void container_removed(struct container *c, int error, const char *message);
void container_free(struct container *c);

/* --- pod.c ---------------------------------------------------------------------------------- */

struct pod {
	struct table_node node;
	struct agent *a;
	struct cgfs_group *group;
	char *id;
	struct container *containers;
	size_t n;
	bool by_sandbox; /* made by a sandbox container, not by CreatePod */
	bool sandbox_exited;
	bool doomed;	       /* no new members; goes with its last one */
	bool removing;	       /* cgfs_group_remove() was called */
	struct reply *replies; /* due when it is gone */
};

/* 0, or a negative errno with @err filled. */
int pod_create(struct agent *a, const char *id, const struct cgfs_resources *res, bool by_sandbox,
	       struct pod **ret, struct cgfs_err *err);
/* One of an earlier agent.  -ENOENT: the kernel does not have it. */
int pod_adopt(struct agent *a, const char *id, bool by_sandbox, bool made, struct pod **ret,
	      struct cgfs_err *err);
/* All containers that there are have been adopted: does it stay? */
void pod_settle(struct pod *p);
struct pod *pod_find(struct agent *a, const char *id);
void pod_join(struct pod *p, struct container *c);
/* @c has been removed or was never made.  When a doomed pod goes with it, the pod takes over the
 * replies that @c still owes. */
void pod_leave(struct pod *p, struct container *c);
/* DeletePod: everything goes.  Also a pod that only the kernel knows.  Answers @rq. */
void pod_delete(struct agent *a, struct request *rq, const char *id);
/* Deletes all pods and containers; agent_emptied() is called when none is left. */
void pod_delete_all(struct agent *a);
void pod_removed(struct pod *p, int error, const char *message);
void pod_free(struct pod *p);

/* --- foreign.c: pods in the kernel that this agent did not make ----------------------------- */

void foreign_report(struct agent *a);
/* Answers @rq when it is gone. */
void foreign_delete(struct agent *a, struct request *rq, const char *id);
/* false: there is no such removal. */
bool foreign_removed(struct agent *a, const char *id, int error, const char *message);

/* --- state.c, adopt.c: how an agent goes on where another was killed ------------------------- */

/* One agent for one state directory.  -EBUSY. */
int state_lock(struct agent *a, struct cgfs_err *err);
void state_unlock(struct agent *a, bool remove);
int state_save_pod(const struct pod *p, bool made, struct cgfs_err *err);
void state_forget_pod(const struct agent *a, const char *id);
bool state_knows_pod(const struct agent *a, const char *id);
int state_save_container(const struct container *c, struct cgfs_err *err);
/* The same after a change; a failure is logged. */
void state_update(const struct container *c);
void adopt_all(struct agent *a);

/* --- message.c, message_process.c, extension.c ---------------------------------------------- */

void message_dispatch(void *ctx, struct request *rq);
void message_closed(void *ctx, struct conn *c);
/* Carries out what came before the agent was ready. */
void message_ready(struct agent *a);
/* Helpers of the handlers; false or NULL: @rq has been answered. */
void message_bad_json(struct request *rq, const char *why);
bool message_id(struct request *rq, const char **ret);
/* A member that is a string with JSON in it. */
json_t *message_embedded(struct request *rq, const json_t *in, const char *name);
/* StdioFds: takes what the message names from the connection; the others are -EBADF. */
bool message_fds(struct request *rq, int fds[3]);

void message_execute(struct agent *a, struct request *rq);
void message_wait(struct agent *a, struct request *rq);
void message_signal(struct agent *a, struct request *rq);
void message_resize(struct agent *a, struct request *rq);
void message_shutdown_graceful(struct agent *a, struct request *rq);
void message_shutdown_forced(struct agent *a, struct request *rq);

void extension_list_pods(struct agent *a, struct request *rq);
void extension_pod_stats(struct agent *a, struct request *rq);
void extension_subscribe(struct agent *a, struct request *rq);
void extension_delete_pod(struct agent *a, struct request *rq);
void extension_create_pod(struct agent *a, struct request *rq);

/* --- event.c: what libcgfs has to tell ------------------------------------------------------ */

/* Adds libcgfs's descriptor to the loop. */
int event_watch(struct agent *a);

/* --- memory.c: the limit of the pods root --------------------------------------------------- */

/* The machine's memory less the reserve. */
int memory_limit(const struct agent *a, uint64_t *ret, struct cgfs_err *err);
/* Applies it, and goes on doing so. */
void memory_begin(struct agent *a);
int memory_refresh(struct agent *a, struct cgfs_err *err);
/* A pod is about to be made: when it is the only one, the root may be a new one. */
void memory_first_pod(struct agent *a);

/* --- properties.c --------------------------------------------------------------------------- */

/* The value of LCOWMetrics as text; NULL: no memory. */
char *properties_metrics(const struct cgfs_stats *s, const struct cgfs_hugetlb_stat *huge,
			 size_t n_huge);
/* GetProperties. */
void properties_get(struct agent *a, struct request *rq);

/* --- reply.c -------------------------------------------------------------------------------- */

/* Without memory for the reply @rq is answered at once. */
void reply_add(struct reply **list, struct request *rq, uint32_t hr, const char *text);
/* Answers all; those with HR_OK get @error when it is not 0. */
void reply_all(struct reply **list, int error, const char *message);

/* --- files.c -------------------------------------------------------------------------------- */

int files_write(const char *path, const char *text);
/* At most @len - 1 bytes; NUL-terminated.  The number of bytes, or a negative errno. */
int files_read(const char *path, char *buf, size_t len);
/* A whole regular file, NUL-terminated; release with free().  0, or a negative errno. */
int files_load(const char *path, char **ret_text, size_t *ret_len);
/* Is @dir the same as @path, or above it? */
bool files_leads_to(const char *dir, const char *path);
/* mkdir -p, 0700; the directories that did not exist are noted in a->dirs. */
int files_make_dirs(struct agent *a, const char *path);
void files_note_dir(struct agent *a, const char *path);
/* Calls @fn with @path and each parent that we made or would have to make. */
void files_made(const struct agent *a, const char *path, void (*fn)(void *ctx, const char *path),
		void *ctx);
/* Removes @path and its parents as long as they are in a->dirs and empty. */
void files_remove_dirs(struct agent *a, const char *path);
/* Forgets what was noted; with @remove those that are empty are removed. */
void files_forget(struct agent *a, bool remove);
/* Removes the files in a directory of ours, and the directory. */
void files_remove_flat(const char *dir);

/* --- main.c --------------------------------------------------------------------------------- */

/* The program: its exit status. */
int agent_main(int argc, char **argv);
/* The last pod or container is gone; matters to --delete-on-exit. */
void agent_emptied(struct agent *a);

static inline void close_fds(int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -EBADF;
	}
}

#endif
