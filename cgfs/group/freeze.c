/* SPDX-License-Identifier: MIT */
/*
 * freeze.c - freezes and thaws the processes of a group.  Joining is in join.c, killing in kill.c.
 *
 * Where there is a cgroup2 directory, freeze goes through it on every layout: a process that
 * cgroup2 froze can be killed.  v1's freezer is for hosts without a cgroup2 tree.
 */
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/freezer.h"
#include "cgfs/event/events.h"
#include "cgfs/tree/fs.h"

#include <time.h>

static void nothing(struct cgfs_group *g)
{
}

/* v1 has to be asked again, at longer and longer intervals, for those that it missed. */
static int ask_again(struct cgfs_group *g, const struct freezer *f, uint64_t *at, uint64_t *delay,
		     struct cgfs_err *reterr)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (now < *at)
		return 0;
	*delay = *delay < 50000000 ? *delay * 2 : *delay;
	*at = now + *delay;
	return f->again ? freezer_write(g, f, true, reterr) : 0;
}

/* Waits until the state is FROZEN.  cgroup2 announces when; without that it is looked at. */
static int await_frozen(struct cgfs_group *g, const struct freezer *f, uint64_t deadline,
			struct cgfs_err *reterr)
{
	uint64_t delay = 1000000, again_at = now_ns(CLOCK_MONOTONIC) + delay;
	int r, wd = -EBADF;
	enum frozen state;

	if (!f->again)
		ignore(events_watch(g, f->shown, nothing, &wd));
	for (;;) {
		r = freezer_state(g, f, &state, reterr);
		if (r < 0 || state == FROZEN)
			break;
		r = wd < 0 ? ask_again(g, f, &again_at, &delay, reterr) : 0;
		if (r < 0)
			break;
		if (now_ns(CLOCK_MONOTONIC) >= deadline) {
			r = err_why(reterr, -ETIMEDOUT, NULL, g->path, "not all processes stopped");
			break;
		}
		r = events_wait(g->c, wd < 0 && again_at < deadline ? again_at : deadline);
		if (r == -ETIMEDOUT) /* the time came while we looked */
			r = 0;
		r = r < 0 ? err_file(reterr, r, "poll", NULL) : events_dispatch(g->c, reterr);
		if (r < 0)
			break;
	}
	events_unwatch(g, nothing, &wd);
	return r;
}

int cgfs_group_freeze(struct cgfs_group *g, unsigned int timeout_ms, struct cgfs_err *reterr)
{
	uint64_t deadline = now_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000u;
	const struct freezer *f = freezer_of(g->c), *v1 = freezer_v1(g->c);
	int r = check_writable(g->c, "freeze", reterr);

	if (r < 0)
		return r;
	if (!f)
		return err_value(reterr, -ENODEV, "freeze", g->rel, "no freezer on this host");
	r = freezer_write(g, f, true, reterr);
	if (r < 0 && v1 && f != v1 && freezer_lost(g, f, r) == 0) {
		f = v1;
		r = freezer_write(g, f, true, reterr);
	}
	if (r == 0) {
		r = await_frozen(g, f, deadline, reterr);
		if (r < 0)
			ignore(freezer_write(g, f, false, NULL));
	}
	return r < 0 ? cgfs_err_context(reterr, r, "freeze \"%.80s\"", g->rel) : 0;
}

int cgfs_group_thaw(struct cgfs_group *g, struct cgfs_err *reterr)
{
	const struct freezer *f = freezer_of(g->c), *v1 = freezer_v1(g->c);
	int r = check_writable(g->c, "thaw", reterr);

	if (r < 0)
		return r;
	if (!f)
		return err_value(reterr, -ENODEV, "thaw", g->rel, "no freezer on this host");
	/* Beside a cgroup2 tree v1's freezer is not ours, but another process may have used it. */
	if (v1 && f != v1)
		r = freezer_lost(g, v1, freezer_write(g, v1, false, reterr));
	if (r == 0)
		r = freezer_lost(g, f, freezer_write(g, f, false, reterr));
	return r < 0 ? cgfs_err_context(reterr, r, "thaw \"%.80s\"", g->rel) : 0;
}
