/* SPDX-License-Identifier: MIT */
/*
 * limits.c - when a container's limits are written, and by which process.
 *
 * The runtime works inside the container's cgroups until it has created the container.  What would
 * only hold it up there (processor time, the number of processes) is written when it is done, and
 * before any of the container's own code runs.  Later changes of a memory limit may make the kernel
 * take memory back for as long as it likes, those of a device list without a policy may have to
 * stop the container for a moment, and freezing waits for the processes: a child process does
 * these, one after the other.  Pods are changed in the same way.
 */
#include <cgfs/cgfs.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "agent/base/aside.h"
#include "agent/bridge/bridge.h"
#include "agent/model/agent.h"
#include "agent/model/container.h"
#include "agent/model/pod.h"
#include "agent/wire/protocol.h"
#include "cgfs/base/util.h"

#define DEFERRED                                                                                   \
	(CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD | CGFS_SET_CPU_BURST | CGFS_SET_PIDS_MAX |       \
	 CGFS_SET_UNIFIED)
/* Limits whose lowering reclaims. */
#define SLOW                                                                                       \
	(CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_SWAP | CGFS_SET_MEMORY_HIGH |                       \
	 CGFS_SET_MEMORY_KERNEL | CGFS_SET_MEMORY_KERNEL_TCP | CGFS_SET_UNIFIED)

/* What the eBPF policy enforces beside device lists. */
#define BUDGET		  (CGFS_SET_MEMORY_ADMIT | CGFS_SET_ADMIT_EXEMPT)
#define FREEZE_TIMEOUT_MS 10000
#define WAITING_MAX	  16 /* changes of one pod or container */

/* A change of a pod or container that is under way, or waits for the one before. */
struct update {
	struct update *next;
	struct pod *p;	     /* NULL: of a container */
	struct container *c; /* NULL: of a pod */
	struct request *rq;
	struct cgfs_resources *res; /* NULL: stops the processes, or lets them go on */
	uint64_t budget;	    /* bits of @res that this process sets after the child */
	bool freeze;
	struct aside aside;
};

/* --- while the container is created ------------------------------------------------------------
 */

void limits_defer(struct container *c, struct cgfs_resources *res, struct cgfs_resources *ret_now)
{
	*ret_now = *res;
	ret_now->set &= ~DEFERRED;
	res->set &= DEFERRED;
	c->later = res;
}

/* Frees what was deferred. */
static void limits_forget(struct container *c)
{
	cgfs_resources_free(c->later);
	c->later = NULL;
}

int limits_complete(struct container *c, struct cgfs_err *err)
{
	int r = 0;

	/* A sandbox's limits are its pod's as well, which is to have them first. */
	if (c->later && c->later->set && c->sandbox && c->pod)
		r = cgfs_group_set(c->pod->group, c->later, NULL, err);
	if (r == 0 && c->later && c->later->set)
		r = cgfs_group_set(c->group, c->later, NULL, err);
	limits_forget(c);
	return r;
}

/* --- later --------------------------------------------------------------------------------------
 */

static void begin(struct update **list);

static struct update **list_of(const struct update *u)
{
	return u->c ? &u->c->updates : &u->p->updates;
}

static struct cgfs_group *group_of(const struct update *u)
{
	return u->c ? u->c->group : u->p->group;
}

static bool is_ending(const struct update *u)
{
	return u->c ? u->c->end != END_NONE : u->p->doomed;
}

static void answer(struct update *u, int r, const struct cgfs_err *err)
{
	if (r < 0)
		request_fail_err(u->rq, r, err);
	else
		request_answer(u->rq);
	cgfs_resources_free(u->res);
	free(u);
}

/* What the child has set of a device list, this process does not know of yet; as the kernel has it
 * already, no process is stopped for it again. */
static int know_devices(struct update *u, struct cgfs_err *err)
{
	struct cgfs_resources devices;

	if (!u->res || !(u->res->set & CGFS_SET_DEVICES))
		return 0;
	devices = *u->res;
	devices.set &= CGFS_SET_DEVICES;
	return cgfs_group_set(group_of(u), &devices, NULL, err);
}

/* The budget may depend on a limit that the child has set. */
static int set_budget(struct update *u, struct cgfs_err *err)
{
	struct cgfs_resources budget;

	if (!u->budget)
		return 0;
	budget = *u->res;
	budget.set = u->budget;
	return cgfs_group_set(group_of(u), &budget, NULL, err);
}

static int deletion_ends(const struct update *u, struct cgfs_err *err)
{
	return err_why(err, -ECANCELED, u->res ? "set limits of" : "freeze",
		       cgfs_group_path(group_of(u)), "the %s is being deleted",
		       u->c ? "container" : "pod");
}

static void over(void *ctx, int r, const struct cgfs_err *result)
{
	struct update *u = ctx, **list = list_of(u);
	struct container *c = u->c;
	struct cgfs_err err = *result;

	if (r == -ECANCELED && !err.code)
		r = deletion_ends(u, &err);
	if (r == 0)
		r = know_devices(u, &err);
	if (r == 0)
		r = set_budget(u, &err);
	*list = u->next;
	if (c)
		c->jobs--;
	answer(u, r, &err);
	if (*list)
		begin(list);
	/* Those of a container that is being deleted have all been refused. */
	if (c && !*list)
		container_end_step(c);
}

static int child_set(void *ctx, struct cgfs_err *err)
{
	struct update *u = ctx;

	/* The next agent shall not find the locks of this one held. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return cgfs_err_set(err, -errno, u->res ? "set limits of" : "freeze", NULL,
				    cgfs_group_path(group_of(u)), NULL);
	if (u->res)
		return cgfs_group_set(group_of(u), u->res, NULL, err);
	return u->freeze ? cgfs_group_freeze(group_of(u), FREEZE_TIMEOUT_MS, err)
			 : cgfs_group_thaw(group_of(u), err);
}

static void begin(struct update **list)
{
	while (*list) {
		struct update *u = *list;
		struct cgfs_err err = { 0 };
		struct loop *loop = u->c ? u->c->a->loop : u->p->a->loop;
		int r = is_ending(u) ? deletion_ends(u, &err)
				     : aside_start(&u->aside, loop, child_set, over, u);

		if (r == 0) {
			if (u->c)
				u->c->jobs++;
			return;
		}
		*list = u->next;
		answer(u, r, &err);
	}
}

/* Without a policy v1 may have to stop the container while its list changes. */
static bool is_slow(const struct agent *a, const struct cgfs_resources *res)
{
	return res->set & (SLOW | (a->device_policy ? 0 : CGFS_SET_DEVICES));
}

/* The policy is kept by this process: what it enforces is set here, device lists now, and
 * *@ret_budget when the child is done.  0, or a negative errno. */
static int set_policy(const struct agent *a, struct cgfs_group *g, struct cgfs_resources *res,
		      uint64_t *ret_budget, struct cgfs_err *err)
{
	struct cgfs_resources own = *res;
	int r;

	if (!a->device_policy)
		return 0;
	own.set &= CGFS_SET_DEVICES;
	r = own.set ? cgfs_group_set(g, &own, NULL, err) : 0;
	*ret_budget = res->set & BUDGET;
	res->set &= ~(CGFS_SET_DEVICES | BUDGET);
	return r;
}

/* Takes @res over; NULL: to freeze or thaw.  Of @p and @c one is NULL. */
static void change(struct pod *p, struct container *c, struct request *rq,
		   struct cgfs_resources *res, bool freeze)
{
	struct cgfs_group *g = c ? c->group : p->group;
	struct agent *a = c ? c->a : p->a;
	struct update **list = c ? &c->updates : &p->updates, **at = list, *u;
	struct cgfs_err err = { 0 };
	uint64_t budget = 0;
	size_t n = 0;
	int r = 0;

	if (res && !is_slow(a, res) && !*list) {
		r = cgfs_group_set(g, res, NULL, &err);
		goto out;
	}
	for (; *at; at = &(*at)->next)
		n++;
	if (n > WAITING_MAX)
		r = err_why(&err, -EAGAIN, res ? "set limits of" : "freeze", cgfs_group_path(g),
			    "%d changes of it wait already", WAITING_MAX);
	else if (res)
		r = set_policy(a, g, res, &budget, &err);
	u = r == 0 ? calloc(1, sizeof(*u)) : NULL;
	if (r == 0 && !u)
		r = -ENOMEM;
	if (r < 0)
		goto out;
	*u = (struct update){ .p = p, .c = c, .rq = rq, .res = res, .budget = budget };
	u->freeze = freeze;
	*at = u;
	if (*list == u)
		begin(list);
	return;
out:
	cgfs_resources_free(res);
	if (r < 0)
		request_fail_err(rq, r, &err);
	else
		request_answer(rq);
}

void limits_update(struct container *c, struct request *rq, struct cgfs_resources *res)
{
	change(NULL, c, rq, res, false);
}

void limits_update_pod(struct pod *p, struct request *rq, struct cgfs_resources *res)
{
	change(p, NULL, rq, res, false);
}

void limits_freeze(struct pod *p, struct container *c, struct request *rq, bool freeze)
{
	change(c ? NULL : p, c, rq, NULL, freeze);
}

static void drop(struct update **list, const char *why)
{
	while (*list) {
		struct update *u = *list;

		*list = u->next;
		aside_drop(&u->aside);
		request_fail(u->rq, HR_FAIL, "%s", why);
		cgfs_resources_free(u->res);
		free(u);
	}
}

void limits_drop(struct container *c)
{
	limits_forget(c);
	drop(&c->updates, "the agent is stopping");
}

void limits_drop_pod(struct pod *p)
{
	drop(&p->updates, p->doomed ? "the pod is being deleted" : "the agent is stopping");
}

void limits_cancel(struct container *c)
{
	if (c->updates)
		aside_kill(&c->updates->aside);
}

void limits_cancel_pod(struct pod *p)
{
	if (p->updates)
		aside_kill(&p->updates->aside);
}
