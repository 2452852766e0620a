/* SPDX-License-Identifier: MIT */
/*
 * removal.c - deleting a group: kill, wait until it is empty, remove bottom-up in every
 * hierarchy.  A small state machine that the event descriptor drives, so that nobody has to
 * block; cgfs_group_destroy() is a loop over it.
 */
#include "controller/table.h"
#include "core.h"

#include <stdio.h>
#include <time.h>

/* Between two tries that no event announces: 1 ms, doubling up to 100 ms. */
#define RETRY_FIRST_US 1000
#define RETRY_LAST_US  100000

/* What cannot be removed for so long is reported; a later call may begin anew. */
#define GIVE_UP_NS 60000000000ull

struct removal {
	int wd; /* of cgroup.events */
	uint64_t delay_us, retry_at, give_up_at;
	char left[256]; /* what refused last */
	bool done;
	bool quiet;   /* cgfs_group_destroy() returns the result instead of an event */
	bool reclaim; /* still to be done, once nobody is left */
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
	free(g->removal->event);
	free(g->removal);
	g->removal = NULL;
}

/* -- is anybody in there? --------------------------------------------------------------------- */

int group_populated(struct cgfs_group *g)
{
	struct cgfs *c = g->c;
	size_t n = 0;
	pid_t *pids = NULL;
	char text[128];
	int r;

	if (c->unified >= 0) {
		struct cgfs_dir d = { g, c->unified, NULL };

		r = (int)dir_read(&d, "cgroup.events", text, sizeof(text), NULL);
		return r < 0 ? r : strstr(text, "populated 1") != NULL;
	}
	r = cgfs_group_pids(g, &pids, &n, NULL);
	free(pids);
	return r < 0 ? r : n > 0;
}

/* -- directories ------------------------------------------------------------------------------- */

struct below {
	struct cgfs_group *g;
	int hierarchy;
	bool forget; /* tell the policy of each directory (cgroup2) */
	char *left;
	size_t len;
	int result;
};

static int policy_forget(struct cgfs *c, uint64_t id, uint64_t pod_id)
{
	struct cgfs_policy_group p = { .cgroup_fd = -EBADF,
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

	if (b->forget)
		r = c->fs->ops->inode(c->fs->ctx, dirfd, &id);
	if (r == 0 && b->forget)
		r = policy_forget(c, id, b->g->cgroup_id);
	if (r == 0)
		r = c->fs->ops->rmdir(c->fs->ctx, parent, name);
	/* What is above it cannot go for the same reason. */
	if (r < 0 && r != -ENOENT && b->result == 0) {
		snprintf(b->left, b->len, "%s%s/.../%s", c->hierarchy[b->hierarchy].mount->path,
			 b->g->path, name);
		b->result = r;
	}
	return 0;
}

static int remove_below(struct below *b, int dirfd)
{
	static const struct tree_ops ops = { .leave = remove_child };
	int r = tree_walk(b->g->c, dirfd, &ops, b);

	return r < 0 ? r : b->result;
}

/* One hierarchy: the directory itself first, since most groups have nothing below them. */
static int rmdir_in(struct cgfs_group *g, int i, char *left, size_t len)
{
	struct cgfs *c = g->c;
	struct below b = { .g = g,
			   .hierarchy = i,
			   .forget = c->policy && i == c->unified,
			   .left = left,
			   .len = len };
	int root = c->hierarchy[i].root_fd;
	auto_door_fd struct door_fd dir = { c, -EBADF };
	int r;

	if (root < 0)
		return 0;
	r = c->fs->ops->rmdir(c->fs->ctx, root, g->rel);
	if (r == -EBUSY || r == -ENOTEMPTY) {
		dir.fd = fs_open(c, root, g->rel, O_RDONLY | O_DIRECTORY);
		r = dir.fd < 0 ? dir.fd : remove_below(&b, dir.fd);
		/* Gone meanwhile?  rmdir knows. */
		if (r == 0 || r == -ENOENT)
			r = c->fs->ops->rmdir(c->fs->ctx, root, g->rel);
	}
	if (r == 0 || r == -ENOENT)
		return 0;
	if (!b.result)
		group_file_path(g, i, NULL, left, len);
	return r;
}

int group_rmdir(struct cgfs_group *g, char *left, size_t len)
{
	int result = 0;

	/* The cgroup2 directory last: its events are what tells us of the others. */
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < g->c->n; i++) {
			int r;

			if ((i == g->c->unified) != (pass == 1) || (pass == 1 && result < 0))
				continue;
			r = rmdir_in(g, i, left, len);
			if (r < 0)
				result = r;
		}
	}
	return result;
}

/* -- the steps ----------------------------------------------------------------------------------
 */

/* Removed cgroups that something still holds on to, page cache most often. */
static uint64_t dying_beside(struct cgfs_group *g)
{
	struct cgfs_stats s;
	int r;

	if (g->c->unified < 0)
		return CGFS_MAX;
	r = g->pod ? cgfs_group_stats(g->pod, CGFS_READ_CGROUP, &s, NULL)
		   : cgfs_root_stats(g->c, CGFS_READ_CGROUP, &s, NULL);

	return r == 0 && s.available[CGFS_STAT_DYING_DESCENDANTS]
		       ? s.value[CGFS_STAT_DYING_DESCENDANTS]
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

/* Without a handle that somebody has, the group is gone afterwards. */
static void finish(struct cgfs_group *g, int error)
{
	struct removal *rm = g->removal;
	struct cgfs_event ev;
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
	group_close_all(g);
	/* Handles of what was below it are as dead as this one. */
	for (struct cgfs_group *o = first_below(g); o; o = o->next) {
		if (o->pod != g || o->removal)
			continue;
		o->state = GROUP_REMOVED;
		oom_unwatch(o);
		watch_free(o);
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

static void step(struct cgfs_group *g, bool populated)
{
	struct removal *rm = g->removal;
	int r;

	if (populated) {
		snprintf(rm->left, sizeof(rm->left), "processes in %s", g->path);
		r = -EBUSY;
	} else {
		last_kills(g);
		reclaim_first(g);
		r = group_rmdir(g, rm->left, sizeof(rm->left));
		if (r == 0)
			r = forget(g, rm->left, sizeof(rm->left));
		if (r == 0) {
			gone(g);
			return;
		}
	}
	if (now_ns(CLOCK_MONOTONIC) >= rm->give_up_at) {
		finish(g, r);
		return;
	}
	/*
	 * cgroup.events wakes us up when the last process is gone.  The timer is for the rest:
	 * a hierarchy that lets go a moment later, processes that are in a v1 hierarchy only,
	 * and kernels without a cgroup2 tree, where no event exists.
	 */
	(void)!cgfs_group_kill(g, NULL);
	rm->retry_at = events_timer(g->c, rm->delay_us);
	rm->delay_us = rm->delay_us * 2 < RETRY_LAST_US ? rm->delay_us * 2 : RETRY_LAST_US;
}

/* cgroup.events has changed, or it is time. */
static void look(struct cgfs_group *g)
{
	if (!g->removal->done)
		step(g, group_populated(g) > 0); /* when that cannot be told, rmdir says it */
}

void removal_step(struct cgfs_group *g, bool missed)
{
	if (!g->removal->done && (events_due(g->c, g->removal->retry_at) || missed))
		look(g);
}

/*
 * On cgroup2 alone rmdir(2) itself says whether anybody is in there: one call, where asking first
 * is three more.  With other hierarchies those would go first, and must not while it is in use.
 */
static bool gone_at_once(struct cgfs_group *g)
{
	struct cgfs *c = g->c;

	if (c->n != 1 || c->unified != 0 || c->hierarchy[0].root_fd < 0)
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
	if (opts && opts->sz != sizeof(*opts))
		return cgfs_err_set(reterr, -EINVAL, "remove", NULL, g->rel, "opts->sz is not set");
	if (opts && opts->reclaim && g->state == GROUP_LIVE) {
		int r = ctl_can_reclaim(g, reterr);

		return r < 0 ? cgfs_err_context(reterr, r, "remove \"%.80s\"", g->rel) : 0;
	}
	return 0;
}

static int begin(struct cgfs_group *g, const struct cgfs_remove_opts *opts, bool quiet,
		 struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;
	int populated, r = check_opts(g, opts, reterr);

	if (r < 0)
		return r;

	if (g->removal && (!g->removal->done || g->removal->error == 0))
		return cgfs_err_set(reterr, -EALREADY, "remove", NULL, g->rel,
				    "it was begun before");
	removal_free(g);
	if (g->state == GROUP_REMOVED)
		return cgfs_err_set(reterr, -ENOENT, "remove", NULL, g->rel,
				    "it was removed with its pod");
	g->removal = calloc(1, sizeof(*g->removal));
	if (!g->removal)
		return cgfs_err_set(reterr, -ENOMEM, "remove", NULL, g->rel, NULL);
	g->removal->wd = -EBADF;
	g->removal->event = events_reserve();
	g->removal->quiet = quiet;
	g->removal->reclaim = opts && opts->reclaim;
	g->removal->delay_us = RETRY_FIRST_US;
	g->removal->give_up_at = now_ns(CLOCK_MONOTONIC) + GIVE_UP_NS;

	/* Most groups are empty by the time they are deleted: nothing to kill or to watch. */
	if (!g->removal->reclaim && gone_at_once(g))
		return 0;
	populated = group_populated(g);
	if (populated != 0) {
		r = cgfs_group_kill(g, reterr);
		if (r < 0 && r != -ENOENT && r != -ENODEV) {
			removal_free(g);
			return cgfs_err_context(reterr, r, "remove \"%.80s\"", g->rel);
		}
		/* Without the watch the timer does it, only later. */
		if (c->unified >= 0)
			(void)!events_watch(g, "cgroup.events", look, &g->removal->wd);
	}
	g->state = GROUP_REMOVING;
	step(g, populated != 0 && group_populated(g) > 0);
	if (!g->removal->done) {
		g->removal->holds = true;
		g->refs++;
	}
	return 0;
}

int cgfs_group_remove_with(struct cgfs_group *g, const struct cgfs_remove_opts *opts,
			   struct cgfs_err *reterr)
{
	return begin(g, opts, false, reterr);
}

int cgfs_group_remove(struct cgfs_group *g, struct cgfs_err *reterr)
{
	return begin(g, NULL, false, reterr);
}

int cgfs_group_destroy(struct cgfs_group *g, unsigned int timeout_ms, struct cgfs_err *reterr)
{
	return cgfs_group_destroy_with(g, NULL, timeout_ms, reterr);
}

int cgfs_group_destroy_with(struct cgfs_group *g, const struct cgfs_remove_opts *opts,
			    unsigned int timeout_ms, struct cgfs_err *reterr)
{
	uint64_t deadline = now_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000u;
	int r;

	r = begin(g, opts, true, reterr);
	if (r == -EALREADY && g->removal->done)
		return cgfs_err_set(reterr, -ENOENT, "remove", NULL, g->rel, NULL);
	if (r < 0 && r != -EALREADY)
		return r;
	g->removal->quiet = true;
	while (!g->removal->done) {
		r = events_wait(g->c, deadline);
		if (r == -ETIMEDOUT) {
			g->removal->quiet = false; /* from now on by event */
			return cgfs_err_set(reterr, r, "remove", NULL, g->rel,
					    "not gone after %u ms: %s", timeout_ms,
					    g->removal->left);
		}
		if (r == 0)
			r = events_dispatch(g->c, reterr);
		if (r < 0) {
			g->removal->quiet = false;
			return cgfs_err_context(reterr, r, "remove \"%.80s\"", g->rel);
		}
	}
	if (g->removal->error)
		return cgfs_err_set(reterr, g->removal->error, "remove", NULL, g->rel, "%s",
				    g->removal->left);
	return 0;
}
