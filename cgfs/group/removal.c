/* SPDX-License-Identifier: MIT */
/*
 * removal.c - deleting a group: kill, wait until it is empty, remove bottom-up in every
 * hierarchy.  A small state machine that the event descriptor drives, so that no caller has to
 * block, however wide the tree is; to wait for the end is a loop over it.
 */
#include "cgfs/base/clock.h"
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/memory/memory.h"
#include "cgfs/controller/process/procs.h"
#include "cgfs/event/events.h"
#include "cgfs/event/queue.h"
#include "cgfs/group/group.h"
#include "cgfs/tree/descriptors.h"
#include "cgfs/tree/fs.h"
#include "cgfs/tree/walk.h"

#include <stdio.h>
#include <time.h>

/* Between two tries that no event announces: 1 ms, doubling up to 100 ms. */
#define RETRY_FIRST_US 1000
#define RETRY_LAST_US  100000

/* What cannot be removed for so long is reported; a later call may begin anew. */
#define GIVE_UP_NS 60000000000ull

/* The directories of all hierarchies, and of what is below them, in steps. */
struct emptying {
	int at; /* the how manieth hierarchy */
	bool walking;
	size_t max; /* how many more directories may be below the group */
	struct tree_walk walk;
	int below;  /* why something below is left in this hierarchy */
	int result; /* and in any of them */
};

struct removal {
	int wd; /* of procs_watch() */
	uint64_t delay_us, retry_at, give_up_at;
	char left[256]; /* what refused last */
	bool done;
	enum { LOOK, KILL, EMPTY } phase;
	bool unsure; /* whether there are processes is known once they were looked for, to be killed
		      */
	int refused; /* why it is not gone yet */
	struct emptying emptying;
	size_t max_below;
	bool cleared; /* by cgfs_group_clear(), whose caller must not wait for the kernel */
	bool quiet;   /* a caller waits: the result is returned, no event says it */
	bool reclaim; /* to be done once no process is left */
	bool holds;   /* a reference of the group: the caller may close his at any time */
	int error;
	char note[128];	      /* what went wrong on the way to a success */
	struct queued *event; /* the memory of the event that says so */
};

static void look(struct cgfs_group *g);

void removal_free(struct cgfs_group *g)
{
	if (!g->removal)
		return;
	events_unwatch(g, look, &g->removal->wd);
	if (g->removal->emptying.walking)
		tree_end(&g->removal->emptying.walk);
	free(g->removal->event);
	free(g->removal);
	g->removal = NULL;
}

/* -- directories ------------------------------------------------------------------------------- */

struct below {
	struct cgfs_group *g;
	struct emptying *e;
	int hierarchy;
	char *left;
	size_t len;
};

static int policy_forget(struct cgfs *c, uint64_t id, uint64_t pod_id)
{
	struct cgfs_policy_group p = { .sz = sizeof(p),
				       .cgroup_fd = -EBADF,
				       .cgroup_id = id,
				       .pod_cgroup_id = pod_id,
				       .pod = "",
				       .container = "" };

	return c->policy->ops->remove(c->policy->ctx, &p, NULL);
}

/* One that cannot be removed saves no other beside it. */
static int remove_child(void *arg, int parent, const char *name, int dirfd)
{
	struct below *b = arg;
	struct cgfs *c = b->g->c;
	uint64_t id;
	int r = 0;

	/* The policy learns of each that goes. */
	if (c->policy && b->hierarchy == c->unified) {
		r = c->fs->ops->inode(c->fs->ctx, dirfd, &id);
		if (r == 0)
			r = policy_forget(c, id, b->g->cgroup_id);
	}
	if (r == 0)
		r = c->fs->ops->rmdir(c->fs->ctx, parent, name);
	/* What is above it cannot go for the same reason. */
	if (r < 0 && r != -ENOENT && b->e->below == 0) {
		snprintf(b->left, b->len, "%s%s/.../%s", c->hierarchy[b->hierarchy].mount->path,
			 b->g->path, name);
		b->e->below = r;
	}
	return 0;
}

static int begin_below(struct cgfs_group *g, struct emptying *e, int root)
{
	auto_door_fd struct door_fd dir = { g->c,
					    fs_open(g->c, root, g->rel, O_RDONLY | O_DIRECTORY) };
	int r = dir.fd < 0 ? dir.fd : tree_begin(&e->walk, g->c, dir.fd, e->max);

	e->below = 0;
	e->walking = r == 0;
	return r;
}

/* One hierarchy: the directory itself first, since most groups have nothing below them. */
static int rmdir_in(struct cgfs_group *g, int i, struct tree_budget *budget, char *left, size_t len)
{
	static const struct tree_ops ops = { .leave = remove_child };
	struct emptying *e = &g->removal->emptying;
	struct below b = { g, e, i, left, len };
	struct cgfs *c = g->c;
	int root = c->hierarchy[i].root_fd, r = 0;

	if (root < 0)
		return 0;
	if (!e->walking) {
		r = c->fs->ops->rmdir(c->fs->ctx, root, g->rel);
		g->removal->cleared |= r == -ENOENT && i == c->unified;
		if (r == 0 || r == -ENOENT)
			return 0;
		if (r == -EBUSY || r == -ENOTEMPTY)
			r = begin_below(g, e, root);
	}
	if (e->walking) {
		r = tree_go(&e->walk, &ops, &b, budget);
		if (r == -EAGAIN)
			return r;
		e->walking = false;
		e->max = e->walk.left;
		r = r < 0 ? r : e->below;
		if (e->below)
			return r;
	}
	/* Gone meanwhile?  rmdir knows. */
	if (r == 0 || r == -ENOENT)
		r = c->fs->ops->rmdir(c->fs->ctx, root, g->rel);
	if (r == 0 || r == -ENOENT)
		return 0;
	group_file_path(g, i, NULL, left, len);
	return r;
}

int hierarchy_at(const struct cgfs *c, int at)
{
	if (c->unified < 0)
		return at;
	return at == c->n - 1 ? c->unified : at + (at >= c->unified);
}

/* 0, or why a directory is left; -EAGAIN: @budget is used up, which one call can do: rmdir(2) waits
 * for the lock of all cgroups, and that for those who use it.  -E2BIG: see max_below. */
static int group_rmdir(struct cgfs_group *g, struct tree_budget *budget, char *left, size_t len)
{
	struct emptying *e = &g->removal->emptying;
	int r;

	for (; e->at < g->c->n; e->at++) {
		int i = hierarchy_at(g->c, e->at);

		if (i == g->c->unified && e->result < 0)
			break;
		if (!tree_may_go_on(budget))
			return -EAGAIN;
		r = rmdir_in(g, i, budget, left, len);
		if (r == -EAGAIN)
			return r;
		if (r < 0)
			e->result = r;
		if (r == -E2BIG)
			break;
	}
	r = e->result;
	*e = (struct emptying){ .max = g->removal->max_below };
	return r;
}

/* -- the steps ----------------------------------------------------------------------------------
 */

/* Removed cgroups that something still holds on to, page cache most often. */
static uint64_t dying_beside(struct cgfs_group *g)
{
	struct cgfs_stats s = CGFS_STATS_INIT;
	int r;

	r = g->pod ? cgfs_group_stats(g->pod, CGFS_READ_CGROUP, &s, NULL)
		   : cgfs_root_stats(g->c, CGFS_READ_CGROUP, &s, NULL);

	return r == 0 && s.figure[CGFS_STAT_DYING_DESCENDANTS].available
		       ? s.figure[CGFS_STAT_DYING_DESCENDANTS].value
		       : CGFS_MAX;
}

/* A removal does not fail for it: what is not taken back goes when others need it. */
static void reclaim_first(struct cgfs_group *g)
{
	struct removal *rm = g->removal;
	struct cgfs_err err;
	int r;

	if (!rm->reclaim)
		return;
	rm->reclaim = false;
	r = cgfs_group_reclaim(g, CGFS_MAX, NULL, &err);
	if (r < 0 && r != -ENODEV && r != -ENOENT)
		snprintf(rm->note, sizeof(rm->note), "%.127s", err.text);
}

/* If no caller has a handle, the group is freed by this. */
static void finish(struct cgfs_group *g, int error)
{
	struct removal *rm = g->removal;
	struct cgfs_event ev = CGFS_EVENT_INIT;
	bool held = rm->holds;

	if (!rm->quiet) {
		events_init(&ev, CGFS_EVENT_REMOVED, g);
		ev.error = error;
		ev.count = dying_beside(g);
		snprintf(ev.message, sizeof(ev.message), "%s", error ? rm->left : rm->note);
	}
	rm->done = true;
	rm->error = error;
	events_unwatch(g, look, &rm->wd);
	g->state = error ? GROUP_LIVE : GROUP_REMOVED;
	if (!rm->quiet)
		rm->event ? events_push_in(g->c, take_ptr(rm->event), &ev) : events_push(g->c, &ev);
	rm->holds = false;
	if (held)
		cgfs_group_close(g);
}

void removal_end_all(struct cgfs *c)
{
	struct cgfs_group *g = c->groups;

	while (g) {
		struct cgfs_group *held = g;

		g = g->next;
		if (!held->removal || !held->removal->holds)
			continue;
		held->removal->holds = false;
		cgfs_group_close(held);
		g = c->groups; /* its pod may be gone, too */
	}
}

/* The policy lets go of what is gone, or is asked again. */
static int forget(struct cgfs_group *g, char *left, size_t len)
{
	struct cgfs *c = g->c;
	struct cgfs_policy_group p;
	int r;

	if (!c->policy || !g->cgroup_id)
		return 0;
	group_policy(g, &p);
	p.detach_later = g->removal->cleared;
	r = c->policy->ops->remove(c->policy->ctx, &p, NULL);
	if (r < 0)
		snprintf(left, len, "the device policy of %s", g->path);
	return r;
}

/* Where to begin looking for handles of what is below: without any the list of all, which may be
 * long, is not looked through. */
static struct cgfs_group *first_below(const struct cgfs_group *g)
{
	return g->n_below ? g->c->groups : NULL;
}

static void gone(struct cgfs_group *g)
{
	oom_unwatch(g);
	watch_free(g);
	kill_free(g);
	group_close_all(g);
	/* Handles of what was below it are as dead as this one. */
	for (struct cgfs_group *o = first_below(g); o; o = o->next) {
		if (o->pod != g || o->removal)
			continue;
		o->state = GROUP_REMOVED;
		oom_unwatch(o);
		watch_free(o);
		kill_free(o);
	}
	finish(g, 0);
}

/* Kills that were counted between the last event and now, here and in what goes with it. */
static void last_kills(struct cgfs_group *g)
{
	if (g->oom)
		oom_look(g);
	for (struct cgfs_group *o = first_below(g); o; o = o->next) {
		if (o->pod == g && o->oom)
			oom_look(o);
	}
}

/*
 * The cgroup2 tree wakes us up when the last process is gone.  The timer is for the rest: a
 * hierarchy that lets go a moment later, processes that are in a v1 hierarchy only, and kernels
 * without a cgroup2 tree, where no event exists.
 */
static void try_later(struct cgfs_group *g)
{
	struct removal *rm = g->removal;

	rm->phase = LOOK;
	/* Waiting makes no mount writable. */
	if (now_ns(CLOCK_MONOTONIC) >= rm->give_up_at || rm->refused == -EROFS) {
		finish(g, rm->refused);
		return;
	}
	rm->retry_at = events_timer(g->c, rm->delay_us);
	rm->delay_us = rm->delay_us * 2 < RETRY_LAST_US ? rm->delay_us * 2 : RETRY_LAST_US;
}

/* true: the next phase has its turn now. */
static bool look_for_processes(struct cgfs_group *g)
{
	struct removal *rm = g->removal;
	int r = procs_announced(g);

	rm->unsure = r < 0;
	rm->phase = r == 0 ? EMPTY : KILL;
	rm->refused = -EBUSY;
	snprintf(rm->left, sizeof(rm->left), "processes in %s", g->path);
	return true;
}

static bool kill_them(struct cgfs_group *g)
{
	struct removal *rm = g->removal;
	size_t found = SIZE_MAX;
	int r = kill_go(g, &found, NULL);

	if (r == -EAGAIN)
		return false;
	if (rm->unsure && found == 0) {
		rm->phase = EMPTY;
		return true;
	}
	try_later(g);
	return false;
}

static bool remove_directories(struct cgfs_group *g)
{
	struct removal *rm = g->removal;
	struct tree_budget budget = tree_step(g->c);
	int r;

	last_kills(g);
	reclaim_first(g);
	r = group_rmdir(g, &budget, rm->left, sizeof(rm->left));
	if (r == -EAGAIN) {
		rm->retry_at = events_timer(g->c, 0);
		return false;
	}
	if (r == 0)
		r = forget(g, rm->left, sizeof(rm->left));
	if (r == 0) {
		gone(g);
		return false;
	}
	if (r == -E2BIG) {
		snprintf(rm->left, sizeof(rm->left), "more than %zu cgroups below %.200s",
			 rm->max_below, g->path);
		finish(g, r);
		return false;
	}
	/* Processes that are in one of v1's hierarchies alone. */
	rm->unsure = false;
	rm->refused = r;
	rm->phase = KILL;
	return true;
}

static bool next_phase(struct cgfs_group *g)
{
	switch (g->removal->phase) {
	case LOOK:
		return look_for_processes(g);
	case KILL:
		return kill_them(g);
	case EMPTY:
		return remove_directories(g);
	}
	return false;
}

/* Processes have come or gone, or it is time. */
static void look(struct cgfs_group *g)
{
	if (tree_late(g->c)) {
		g->removal->retry_at = events_timer(g->c, 0);
		return;
	}
	while (!g->removal->done && next_phase(g))
		;
}

void removal_step(struct cgfs_group *g, bool missed)
{
	struct removal *rm = g->removal;

	if (!rm->done && (rm->phase == KILL || events_due(g->c, rm->retry_at) || missed))
		look(g);
}

/*
 * In one hierarchy alone rmdir(2) fails when a process is in there: one call, where asking first
 * takes three more.  With other hierarchies those would go first, and must not while it is in
 * use.
 */
static bool gone_at_once(struct cgfs_group *g)
{
	struct cgfs *c = g->c;

	if (c->n != 1 || c->hierarchy[0].root_fd < 0)
		return false;
	last_kills(g);
	if (c->fs->ops->rmdir(c->fs->ctx, c->hierarchy[0].root_fd, g->rel) < 0)
		return false;
	/* Else the steps ask it again. */
	if (forget(g, g->removal->left, sizeof(g->removal->left)) < 0)
		return false;
	gone(g);
	return true;
}

static int check_opts(struct cgfs_group *g, const struct cgfs_remove_opts *opts,
		      struct cgfs_err *reterr)
{
	int r = opts->reclaim && g->state == GROUP_LIVE ? ctl_can_reclaim(g, reterr) : 0;

	return r < 0 ? cgfs_err_context(reterr, r, "remove \"%.80s\"", g->rel) : 0;
}

/* What cannot be killed at all is not removed; the caller gets the error at once. */
static int first_kill(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct removal *rm = g->removal;
	size_t found = SIZE_MAX;
	int r = kill_go(g, &found, reterr);

	if (r < 0 && r != -EAGAIN && !is_gone(r)) {
		g->state = GROUP_LIVE;
		removal_free(g);
		return cgfs_err_context(reterr, r, "remove \"%.80s\"", g->rel);
	}
	if (r != -EAGAIN)
		rm->phase = rm->unsure && found == 0 ? EMPTY : LOOK;
	/* Without the watch the timer does it, only later. */
	if (rm->phase != EMPTY)
		ignore(procs_watch(g, look, &rm->wd, NULL));
	return 0;
}

static int begin(struct cgfs_group *g, const struct cgfs_remove_opts *opts, struct cgfs_err *reterr)
{
	int r = check_opts(g, opts, reterr);

	if (r < 0)
		return r;

	if (g->removal && (!g->removal->done || g->removal->error == 0))
		return err_value(reterr, -EALREADY, "remove", g->rel, "its removal is in progress");
	removal_free(g);
	if (g->state == GROUP_REMOVED)
		return err_value(reterr, -ENOENT, "remove", g->rel, "it was removed with its pod");
	g->removal = calloc(1, sizeof(*g->removal));
	if (!g->removal)
		return err_value(reterr, -ENOMEM, "remove", g->rel, NULL);
	g->removal->wd = -EBADF;
	g->removal->event = events_reserve();
	g->removal->quiet = opts->wait;
	g->removal->reclaim = opts->reclaim;
	g->removal->max_below = opts->max_below ? opts->max_below : SIZE_MAX;
	g->removal->emptying.max = g->removal->max_below;
	g->removal->delay_us = RETRY_FIRST_US;
	g->removal->give_up_at = now_ns(CLOCK_MONOTONIC) + GIVE_UP_NS;

	/* Most groups are empty by the time they are deleted: nothing to kill or to watch. */
	if (!g->removal->reclaim && gone_at_once(g))
		return 0;
	g->state = GROUP_REMOVING;
	(void)look_for_processes(g);
	if (g->removal->phase == KILL) {
		r = first_kill(g, reterr);
		if (r < 0)
			return r;
	}
	look(g);
	if (!g->removal->done) {
		g->removal->holds = true;
		g->refs++;
	}
	return 0;
}

static int await(struct cgfs_group *g, unsigned int timeout_ms, struct cgfs_err *reterr)
{
	uint64_t deadline = now_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000u;
	int r;

	g->removal->quiet = true;
	while (!g->removal->done) {
		r = events_wait(g->c, deadline);
		if (r == -ETIMEDOUT) {
			g->removal->quiet = false; /* from now on by event */
			return err_value(reterr, r, "remove", g->rel, "not gone after %u ms: %s",
					 timeout_ms, g->removal->left);
		}
		if (r == 0)
			r = events_dispatch(g->c, reterr);
		if (r < 0) {
			g->removal->quiet = false;
			return cgfs_err_context(reterr, r, "remove \"%.80s\"", g->rel);
		}
	}
	r = g->removal->error;
	if (r == -EBUSY)
		return err_value(reterr, r, "remove", g->rel, "%s", g->removal->left);
	return r < 0 ? err_value(reterr, r, "remove", g->rel, "%s: %s", g->removal->left,
				 strerror(-r))
		     : 0;
}

int cgfs_group_remove(struct cgfs_group *g, const struct cgfs_remove_opts *user,
		      struct cgfs_err *reterr)
{
	struct cgfs_remove_opts opts;
	int r = SIZED_IN(&opts, user, reterr);

	if (r < 0)
		return cgfs_err_context(reterr, r, "remove \"%.80s\"", g->rel);
	r = check_writable(g->c, "remove", reterr);
	if (r < 0)
		return r;
	r = begin(g, &opts, reterr);
	if (!opts.wait)
		return r;
	if (r == -EALREADY && g->removal->done)
		return err_value(reterr, -ENOENT, "remove", g->rel, NULL);
	if (r < 0 && r != -EALREADY)
		return r;
	return await(g, opts.timeout_ms, reterr);
}
