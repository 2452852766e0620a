/* SPDX-License-Identifier: MIT */
/*
 * limits.c - when a container's limits are written, and by which process.
 *
 * The runtime works inside the container's cgroups until it has created the container.  What would
 * only hold it up there (processor time, the number of processes) is written when it is done, and
 * before any of the container's own code runs.  Later changes of a memory limit may make the kernel
 * take memory back for as long as it likes, and those of a device list without a policy may have
 * to stop the container for a moment: a child process writes these, one after the other.
 */
#include <cgfs/cgfs.h>
#include <stdlib.h>

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

struct update {
	struct update *next;
	struct container *c;
	struct request *rq;
	struct cgfs_resources *res;
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

void limits_forget(struct container *c)
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

static void begin(struct container *c);

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
	struct cgfs_resources devices = *u->res;

	devices.set &= CGFS_SET_DEVICES;
	return devices.set ? cgfs_group_set(u->c->group, &devices, NULL, err) : 0;
}

static void over(void *ctx, int r, const struct cgfs_err *result)
{
	struct update *u = ctx;
	struct container *c = u->c;
	struct cgfs_err err = *result;

	if (r == -ECANCELED && !err.code)
		err_why(&err, r, "set limits of", cgfs_group_path(c->group),
			"the container is being deleted");
	if (r == 0)
		r = know_devices(u, &err);
	c->updates = u->next;
	c->jobs--;
	answer(u, r, &err);
	if (c->updates)
		begin(c);
	else
		container_end_step(c);
}

static int child_set(void *ctx, struct cgfs_err *err)
{
	struct update *u = ctx;

	return cgfs_group_set(u->c->group, u->res, NULL, err);
}

static void begin(struct container *c)
{
	while (c->updates) {
		struct update *u = c->updates;
		struct cgfs_err err = { 0 };
		int r = c->end == END_NONE ? aside_start(&u->aside, c->a->loop, child_set, over, u)
					   : -ECANCELED;

		if (r == 0) {
			c->jobs++;
			return;
		}
		c->updates = u->next;
		answer(u, r, &err);
	}
}

/* Without a policy v1 may have to stop the container while its list changes. */
static bool is_slow(const struct container *c, const struct cgfs_resources *res)
{
	return res->set & (SLOW | (c->a->device_policy ? 0 : CGFS_SET_DEVICES));
}

/* The device policy is kept by this process: a list is set here.  0, or a negative errno. */
static int set_devices(struct container *c, struct cgfs_resources *res, struct cgfs_err *err)
{
	struct cgfs_resources devices = *res;
	int r;

	if (!c->a->device_policy)
		return 0;
	devices.set &= CGFS_SET_DEVICES;
	r = devices.set ? cgfs_group_set(c->group, &devices, NULL, err) : 0;
	res->set &= ~CGFS_SET_DEVICES;
	return r;
}

void limits_update(struct container *c, struct request *rq, struct cgfs_resources *res)
{
	struct update **at = &c->updates, *u;
	struct cgfs_err err = { 0 };
	int r = 0;

	if (!is_slow(c, res) && !c->updates) {
		r = cgfs_group_set(c->group, res, NULL, &err);
		goto out;
	}
	r = set_devices(c, res, &err);
	u = r == 0 ? calloc(1, sizeof(*u)) : NULL;
	if (r == 0 && !u)
		r = -ENOMEM;
	if (r < 0)
		goto out;
	u->c = c;
	u->rq = rq;
	u->res = res;
	while (*at)
		at = &(*at)->next;
	*at = u;
	if (c->updates == u)
		begin(c);
	return;
out:
	cgfs_resources_free(res);
	if (r < 0)
		request_fail_err(rq, r, &err);
	else
		request_answer(rq);
}

void limits_drop(struct container *c)
{
	limits_forget(c);
	while (c->updates) {
		struct update *u = c->updates;

		c->updates = u->next;
		aside_drop(&u->aside);
		request_fail(u->rq, HR_FAIL, "the agent is stopping");
		cgfs_resources_free(u->res);
		free(u);
	}
}

void limits_cancel(struct container *c)
{
	if (c->updates)
		aside_kill(&c->updates->aside);
}
