/* SPDX-License-Identifier: MIT */
/*
 * pod.h - pods of this agent, and pods in the kernel that it did not make.
 */
#ifndef AGENT_POD_H
#define AGENT_POD_H

#include "agent/base/aside.h"
#include "agent/base/hash.h"
#include "agent/base/loop.h"
#include "agent/model/removal.h"

#include <cgfs/cgfs.h>
#include <jansson.h>

struct agent;
struct container;
struct request;

struct pod {
	struct hash_node node;
	struct agent *a;
	struct cgfs_group *group; /* NULL: the kernel has lost it, and the rest is being removed */
	char *id;
	json_t *labels; /* an object; NULL: none */
	char *hostname; /* of the namespaces that no sandbox has; NULL: its id */
	struct container *containers;
	size_t n;
	bool by_sandbox; /* made by a sandbox container, not by CreatePod */
	bool sandbox_exited;
	bool doomed;		     /* no new members; goes with its last one */
	struct removal removal;	     /* of its cgroups */
	struct update *updates;	     /* changes of it, the first of them under way; see limits.c */
	struct loop_timer end_timer; /* a deletion is answered by then */
	struct reply *replies;	     /* due when it is gone */
	char *dir;		     /* see home.h; NULL: it has no sandbox */
	unsigned int shared;	     /* what of it may be there: SHARED_... */
	struct aside emptying;	     /* of the same */
	bool emptying_begun;	     /* and not over */
	unsigned int tries;	     /* of that which failed */
	struct loop_timer again;     /* the next one */
	bool left;		     /* it is not removed; the state stays for the next agent */
	bool removed;		     /* from the kernel */
	char *namespaces;	     /* where those are that no sandbox has; NULL: not needed yet */
	uint64_t namespace[3];	     /* those of its sandbox, or of that directory; 0: none */
	bool host_network;	     /* its sandbox is in the guest's, as its annotation says */
	int error;		     /* of the removal */
	char *message;
};

/* @labels: borrowed, checked; NULL: none.  @dir NULL: a pod without a sandbox.  @hostname: checked;
 * "": its id.  0, or a negative errno with @err filled. */
int pod_create(struct agent *a, const char *id, const struct cgfs_resources *res, json_t *labels,
	       const char *dir, const char *hostname, struct pod **ret, struct cgfs_err *err);
/* What an earlier agent knew of a pod. */
struct pod_known {
	bool by_sandbox, made;
	const char *dir; /* "" for none */
	unsigned int shared;
	bool host_network;
};
/* -ENOENT: the kernel does not have it. */
int pod_adopt(struct agent *a, const char *id, const struct pod_known *known, struct pod **ret,
	      struct cgfs_err *err);
/* The kernel does not have it any more, but there is something left of it.  false: no memory. */
bool pod_adopt_rest(struct agent *a, const char *id, const struct pod_known *known);
/* All containers that there are have been adopted: does it stay? */
void pod_settle(struct pod *p);
struct pod *pod_find(struct agent *a, const char *id);
void pod_join(struct pod *p, struct container *c);
/* @c has been removed or was never made.  When a doomed pod goes with it, the pod takes over the
 * replies that @c still owes. */
void pod_leave(struct pod *p, struct container *c);
/* DeletePod: everything goes.  Also a pod that only the kernel knows.  Answers @rq. */
void pod_delete(struct agent *a, struct request *rq, const char *id);
/* Deletes all pods and containers; a->emptied() is called when none is left. */
void pod_delete_all(struct agent *a);
/* It gets no new members and goes with its last one; changes of it end, its processes run. */
void pod_doom(struct pod *p);
void pod_removed(struct pod *p, int error, const char *message);
/* What it had outside of the kernel is removed. */
void pod_emptied(struct pod *p);
void pod_free(struct pod *p);

/* --- foreign.c: pods in the kernel that this agent did not make ----------------------------- */

void foreign_report(struct agent *a);
/* Answers @rq when it is gone. */
void foreign_delete(struct agent *a, struct request *rq, const char *id);
/* The agent stops: nothing of them is kept. */
void foreign_forget(struct agent *a);
/* CGFS_EVENT_REMOVED came, perhaps for another. */
void foreign_removed(struct agent *a, const char *id, int error, const char *message);

#endif
