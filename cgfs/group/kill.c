/* SPDX-License-Identifier: MIT */
/*
 * kill.c - ends the processes of a group, in steps that neither wait nor take long: what a
 * container can make wide is walked through in parts, and what does not stop at once is looked at
 * again.  Owns the order of these steps; must not know what waits for the end.
 *
 * Where there is a cgroup2 directory the kernel does it, which cannot miss a fork.  In steps it
 * does so when few are left: thousands that die at once leave no processor to other processes,
 * since the scheduler lets a cgroup go on until it sleeps, however short each of its processes
 * runs. Without a cgroup2 directory: signal all; stop those that are left, so that none forks while
 * the list is walked; signal those; let them go so that they die.  A child that is being made is on
 * no list yet, and its parent stands still only once it is.  Without a freezer, or where a process
 * does not stop in time: again and again, until a round finds no more than the one before; a fork
 * bomb outlives that at most until the next call, which removal makes.
 */
#include "cgfs/base/clock.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/process/freezer.h"
#include "cgfs/controller/process/procs.h"
#include "cgfs/event/events.h"
#include "cgfs/group/group.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"
#include "cgfs/tree/walk.h"

#include <signal.h>
#include <time.h>

#define PART	  64  /* that die at once */
#define PART_DIRS 256 /* in so many cgroups; beyond that they are not looked for */
#define PART_US	  2000u

#define STOP_NS	      500000000u
#define STOP_FIRST_NS 1000000u
#define STOP_LAST_NS  50000000u
#define ROUNDS	      16

struct killing {
	struct cgfs_group *g;
	enum { PARTS, AT_ONCE, SIGNAL, STOP, SIGNAL_AGAIN, OTHERS, THAW, THAW_BELOW, DONE } phase;
	const struct freezer *freezer;
	bool by_signal; /* procs_kill() cannot */
	bool frozen;	/* by us */
	bool stopped;	/* all of them */
	bool walking;
	struct tree_walk walk;
	int hierarchy; /* that is walked through */
	unsigned int round;
	size_t n, before, found;
	size_t part;		   /* how many more may be signalled in this step */
	uint64_t at, until, delay; /* CLOCK_MONOTONIC; at 0: the next step may be made now */
	int result;
	struct cgfs_err err;
};

/* -- walks -------------------------------------------------------------------------------------
 */

static void failed(struct killing *k, int code, const char *op, const char *file)
{
	struct cgfs_dir d = dir_in(k->g, k->hierarchy);

	if (k->result == 0 && k->phase != OTHERS)
		k->result = dir_error(&d, code, op, file, NULL, &k->err);
}

/* One that cannot be signalled saves no other. */
static int signal_dir(struct killing *k, int dirfd)
{
	const struct cgfs_fs *fs = k->g->c->fs;
	struct pid_list l = { .c = k->g->c, .dirfd = dirfd };
	int r;

	l.file = procs_file(l.c, k->hierarchy, false);
	r = procs_read_dir(&l);

	for (size_t i = 0; i < l.n; i++) {
		/* 0 is one of another pid namespace; to kill(2) it would be ourselves. */
		int one = l.pid[i] ? fs->ops->kill(fs->ctx, l.pid[i], SIGKILL) : -EPERM;

		if (one < 0 && one != -ESRCH)
			failed(k, one, "kill", NULL);
	}
	k->n += l.n;
	free(l.pid);
	return r;
}

/* The last of them, which are the youngest.  Not the first: with the init of a pid namespace all
 * the others go at once. */
static int part_of_dir(struct killing *k, int dirfd)
{
	const struct cgfs_fs *fs = k->g->c->fs;
	struct pid_list l = { .c = k->g->c, .dirfd = dirfd };
	int r;

	l.file = procs_file(l.c, k->hierarchy, false);
	r = procs_read_dir(&l);
	for (size_t i = l.n; r == 0 && l.n > PART && k->part && i-- > 1; k->part--) {
		if (l.pid[i])
			ignore(fs->ops->kill(fs->ctx, l.pid[i], SIGKILL));
	}
	k->n += l.n;
	free(l.pid);
	return r;
}

/* v1: a process that is frozen does not die of a signal, and a cgroup that was frozen itself stays
 * so when the one above it is thawed. */
static int thaw_dir(struct killing *k, int dirfd)
{
	const struct freezer *v1 = freezer_v1(k->g->c);
	int r = fs_write_at(k->g->c, dirfd, v1->file, v1->thaw);

	/* Again, because nothing is worse than a group that stays frozen. */
	return r < 0 ? fs_write_at(k->g->c, dirfd, v1->file, v1->thaw) : 0;
}

static int visit(struct killing *k, int dirfd)
{
	if (k->phase == PARTS)
		return part_of_dir(k, dirfd);
	return k->phase == THAW_BELOW ? thaw_dir(k, dirfd) : signal_dir(k, dirfd);
}

/* One that the container has removed meanwhile holds no process. */
static int visit_below(void *arg, int dirfd)
{
	int r = visit(arg, dirfd);

	return is_gone(r) ? 0 : r;
}

/* The whole tree in k->hierarchy, top down.  -EAGAIN: there is more of it. */
static int walk(struct killing *k, struct tree_budget *budget)
{
	static const struct tree_ops ops = { .enter = visit_below };
	int r = 0, fd;

	if (!k->walking) {
		k->n = 0;
		r = group_dir(k->g, k->hierarchy, &fd, &k->err);
		if (r == 0)
			r = visit(k, fd);
		if (r == 0)
			r = tree_begin(&k->walk, k->g->c, fd,
				       k->phase == PARTS ? PART_DIRS : SIZE_MAX);
		k->walking = r == 0;
	}
	if (r == 0)
		r = tree_go(&k->walk, &ops, k, budget);
	if (r != -EAGAIN)
		k->walking = false;
	return r;
}

/* -- the steps ---------------------------------------------------------------------------------
 */

/* From here on all hierarchies but cgroup2 are looked through: @from is the first. */
static void go_on_with(struct killing *k, int phase, int from)
{
	k->phase = phase;
	k->hierarchy = from;
}

static void begin(struct killing *k, struct cgfs_group *g, int phase)
{
	*k = (struct killing){ .g = g, .found = SIZE_MAX, .before = SIZE_MAX };
	go_on_with(k, phase, procs_first(g->c));
}

/* As long as they get fewer; what forks as fast as it is killed is killed at once. */
static int in_parts(struct killing *k, struct tree_budget *budget)
{
	int r;

	k->at = 0;
	if (!k->walking)
		k->part = PART;
	r = walk(k, budget);
	if (r == -EAGAIN)
		return r;
	k->round = k->n < k->before ? 0 : k->round + 1;
	if (r < 0 || k->part == PART || k->round == ROUNDS) {
		k->round = 0;
		k->phase = AT_ONCE;
		return 0;
	}
	k->before = k->n;
	k->at = events_timer(k->g->c, PART_US);
	return -EAGAIN;
}

static int at_once(struct killing *k)
{
	struct cgfs *c = k->g->c;
	int r = procs_kill(k->g, &k->err);

	if (!is_gone(r)) {
		k->result = r;
		go_on_with(k, r < 0 ? DONE : OTHERS, 0);
		return 0;
	}
	k->by_signal = true;
	k->freezer = freezer_of(c);
	if (freezer_lost(k->g, k->freezer, -ENOENT) == 0)
		k->freezer = freezer_v1(c);
	go_on_with(k, SIGNAL, procs_first(c));
	return 0;
}

/* The first signals need not wait until all stand still. */
static int signal_first(struct killing *k, struct tree_budget *budget)
{
	int r = walk(k, budget), next = is_gone(r) ? procs_next(k->g->c, k->hierarchy) : -1;

	if (r == -EAGAIN)
		return r;
	if (next >= 0) {
		k->hierarchy = next;
		return 0;
	}
	if (r < 0)
		failed(k, r, "read", procs_file(k->g->c, k->hierarchy, false));
	k->found = k->n;
	if (k->result || k->n == 0) {
		go_on_with(k, k->result ? THAW : OTHERS, 0);
		return 0;
	}
	k->phase = SIGNAL_AGAIN;
	if (k->freezer && freezer_write(k->g, k->freezer, true, NULL) == 0) {
		k->frozen = true;
		k->delay = STOP_FIRST_NS;
		k->until = now_ns(CLOCK_MONOTONIC) + STOP_NS;
		k->phase = STOP;
	}
	return 0;
}

static int stop(struct killing *k)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);
	enum frozen state;
	int r = freezer_state(k->g, k->freezer, &state, NULL);

	k->stopped = r == 0 && state == FROZEN;
	if (r < 0 || k->stopped || now >= k->until) {
		k->at = 0;
		k->phase = SIGNAL_AGAIN;
		return 0;
	}
	/* v1 has to be asked again, at longer and longer intervals, for those that it missed. */
	if (k->at && k->freezer->again)
		ignore(freezer_write(k->g, k->freezer, true, NULL));
	k->at = now + k->delay;
	k->delay = k->delay < STOP_LAST_NS ? k->delay * 2 : k->delay;
	return -EAGAIN;
}

static int signal_again(struct killing *k, struct tree_budget *budget)
{
	int r;

	if (!k->walking) {
		k->before = k->stopped ? SIZE_MAX : k->n;
		k->round++;
	}
	r = walk(k, budget);
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		failed(k, r, "read", procs_file(k->g->c, k->hierarchy, false));
	if (k->result || k->n <= k->before || k->round == ROUNDS)
		go_on_with(k, k->result ? THAW : OTHERS, 0);
	return 0;
}

/* Another process may have put one into one v1 hierarchy alone. */
static int others(struct killing *k, struct tree_budget *budget)
{
	const struct cgfs *c = k->g->c;

	if (k->g->state != GROUP_REMOVING || k->hierarchy >= c->n) {
		k->phase = THAW;
		return 0;
	}
	if (k->hierarchy != procs_first(c) && walk(k, budget) == -EAGAIN)
		return -EAGAIN;
	k->hierarchy++;
	return 0;
}

static int thaw(struct killing *k)
{
	const struct cgfs *c = k->g->c;
	const struct freezer *v1 = freezer_v1(c);
	bool here = k->frozen && !k->freezer->again; /* cgroup2 lets a frozen process die */
	int r = here ? freezer_write(k->g, k->freezer, false, k->result ? NULL : &k->err) : 0;

	k->frozen = k->frozen && !here;
	if (r < 0 && k->result == 0)
		k->result = freezer_lost(k->g, k->freezer, r);
	/* v1's freezer is not ours beside a cgroup2 tree, but the container may have used it. */
	go_on_with(k, DONE, c->place[CGFS_FREEZER].hierarchy);
	if (v1 && (k->found || freezer_of(c) != v1))
		k->phase = THAW_BELOW;
	return 0;
}

static int thaw_below(struct killing *k, struct tree_budget *budget)
{
	int r = walk(k, budget);

	if (r == -EAGAIN)
		return r;
	r = k->by_signal ? freezer_lost(k->g, freezer_v1(k->g->c), r) : 0;
	if (r < 0)
		failed(k, r, "thaw", freezer_v1(k->g->c)->file);
	k->frozen = false;
	k->phase = DONE;
	return 0;
}

static int one_step(struct killing *k, struct tree_budget *budget)
{
	switch (k->phase) {
	case PARTS:
		return in_parts(k, budget);
	case AT_ONCE:
		return at_once(k);
	case SIGNAL:
		return signal_first(k, budget);
	case STOP:
		return stop(k);
	case SIGNAL_AGAIN:
		return signal_again(k, budget);
	case OTHERS:
		return others(k, budget);
	case THAW:
		return thaw(k);
	case THAW_BELOW:
		return thaw_below(k, budget);
	case DONE:
		break;
	}
	return 0;
}

/* -EAGAIN: there is more, at k->at. */
static int go(struct killing *k, struct tree_budget *budget)
{
	int r = 0;

	while (r == 0 && k->phase != DONE)
		r = one_step(k, budget);
	return r < 0 ? r : 0;
}

/* What is given up is not left frozen. */
static void end(struct killing *k)
{
	if (k->walking)
		tree_end(&k->walk);
	if (k->frozen)
		ignore(freezer_write(k->g, k->freezer, false, NULL));
}

/* -- at once, or by and by ---------------------------------------------------------------------
 */

static int result(const struct killing *k, struct cgfs_err *reterr)
{
	if (k->result == 0)
		return 0;
	if (reterr)
		*reterr = k->err;
	return cgfs_err_context(reterr, k->result, "kill \"%.80s\"", k->g->rel);
}

int cgfs_group_kill(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct killing k;
	int r = check_writable(g->c, "kill", reterr);

	if (r < 0)
		return r;
	kill_free(g);
	begin(&k, g, AT_ONCE);
	while (go(&k, NULL) == -EAGAIN) {
		r = events_wait(g->c, k.at);
		if (r == 0)
			r = events_dispatch(g->c, NULL);
		if (r < 0 && r != -ETIMEDOUT)
			k.until = 0;
	}
	return result(&k, reterr);
}

/* The next step, if it is time.  -EAGAIN: there are more. */
static int next_step(struct cgfs_group *g)
{
	struct killing *k = g->killing;
	struct tree_budget budget = tree_step(g->c);

	if (k->at && !events_due(g->c, k->at))
		return -EAGAIN;
	if (tree_late(g->c)) {
		events_timer(g->c, 0);
		return -EAGAIN;
	}
	if (go(k, &budget) == 0)
		return 0;
	if (!k->at || events_due(g->c, k->at))
		events_timer(g->c, 0);
	return -EAGAIN;
}

int kill_go(struct cgfs_group *g, size_t *ret_found, struct cgfs_err *reterr)
{
	int r;

	if (!g->killing) {
		g->killing = malloc(sizeof(*g->killing));
		if (!g->killing)
			return err_value(reterr, -ENOMEM, "kill", g->rel, NULL);
		begin(g->killing, g, PARTS);
	}
	r = next_step(g);
	if (r < 0)
		return r;
	*ret_found = g->killing->found;
	r = result(g->killing, reterr);
	kill_free(g);
	return r;
}

void kill_round(struct cgfs_group *g)
{
	size_t found;

	/* Its removal drives it, and wants to know what was found. */
	if (!g->removal || g->state != GROUP_REMOVING)
		ignore(kill_go(g, &found, NULL));
}

void kill_free(struct cgfs_group *g)
{
	if (!g->killing)
		return;
	end(g->killing);
	free(g->killing);
	g->killing = NULL;
}

int cgfs_group_kill_begin(struct cgfs_group *g, struct cgfs_err *reterr)
{
	int r = check_writable(g->c, "kill", reterr);
	size_t found;

	/* One that is under way has passed by what has come meanwhile. */
	kill_free(g);
	if (r == 0)
		r = kill_go(g, &found, reterr);
	return r == -EAGAIN ? 0 : r;
}
