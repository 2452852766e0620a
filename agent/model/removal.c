/* SPDX-License-Identifier: MIT */
/*
 * removal.c - a container makes as many cgroups below its own as it likes, and each rmdir waits for
 * the kernel's one lock of all cgroups, which the end of the others keeps busy.  A child process
 * removes what is too much for the loop.  Knows neither pods nor containers.
 */
#include "agent/model/removal.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>

#include "cgfs/base/util.h"

/* So many cgroups below one, over all hierarchies, are removed by the loop itself. */
#define BELOW_MAX 256

static void go_on(struct removal *rm, size_t max_below)
{
	struct cgfs_remove_opts opts = CGFS_REMOVE_OPTS_INIT;
	struct cgfs_err err = { 0 };
	int r;

	opts.max_below = max_below;
	r = cgfs_group_remove(rm->group, &opts, &err);
	if (r < 0)
		rm->failed(rm->ctx, r, err.text);
}

static int child_clear(void *ctx, struct cgfs_err *err)
{
	const struct removal *rm = ctx;

	/* The next agent finds what is left; it shall not find the locks of this one held. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return cgfs_err_set(err, -errno, "clear", NULL, cgfs_group_path(rm->group), NULL);
	return cgfs_group_clear(rm->group, err);
}

/* What is left now, the loop removes; or reports why it cannot. */
static void cleared(void *ctx, int r, const struct cgfs_err *err)
{
	go_on(ctx, 0);
}

/* The kernel goes on with the end of many cgroups when their directories are gone: each rmdir waits
 * for that, the last ones and those of the pod above, too. */
static bool clear_aside(struct removal *rm)
{
	rm->many = true;
	return aside_start(&rm->aside, rm->aside.loop, child_clear, cleared, rm) == 0;
}

void removal_begin(struct removal *rm, struct loop *loop, struct cgfs_group *g,
		   void (*failed)(void *ctx, int error, const char *message), void *ctx)
{
	rm->group = g;
	rm->begun = true;
	rm->failed = failed;
	rm->ctx = ctx;
	rm->aside.loop = loop;
	if (!rm->many || !clear_aside(rm))
		go_on(rm, BELOW_MAX);
}

bool removal_over(struct removal *rm, int error)
{
	if (error != -E2BIG)
		return true;
	if (!clear_aside(rm))
		go_on(rm, 0);
	return false;
}

void removal_drop(struct removal *rm)
{
	aside_kill(&rm->aside);
	aside_drop(&rm->aside);
}
