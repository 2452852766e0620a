/* SPDX-License-Identifier: MIT */
/*
 * process.c - the processes of a group: list, kill, freeze and thaw.  Joining is in join.c.
 *
 * Where there is a cgroup2 directory, kill and freeze go through it on every layout: cgroup.kill
 * cannot miss a fork, and a process that cgroup2 froze can be killed.  v1's freezer and signals
 * are for hosts without a cgroup2 tree.
 */
#include "controller/table.h"
#include "core.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

/* -- list ---------------------------------------------------------------------------------------
 */

struct pid_list {
	struct cgfs *c;
	pid_t *pid;
	size_t n, size;
	int dirfd;
	const char *file; /* cgroup.procs, or the list of threads */
};

static int pids_append(struct pid_list *l, const char *text)
{
	size_t len = strlen(text);
	pid_t pid = 0;
	int r;

	while ((r = cgfs_parse_pid(&text, &len, &pid)) == 1) {
		if (l->n == l->size) {
			size_t size = l->size ? l->size * 2 : 64;
			pid_t *bigger = realloc(l->pid, size * sizeof(*bigger));

			if (!bigger)
				return -ENOMEM;
			l->pid = bigger;
			l->size = size;
		}
		l->pid[l->n++] = pid;
	}
	return r < 0 ? -EIO : 0;
}

/* The list can be long, and the kernel gives a page of it at a time: read it to its end. */
static int pids_text(struct cgfs *c, int fd, char **ret)
{
	auto_free char *buf = NULL;
	size_t size = 0, used = 0;
	ssize_t n;

	do {
		if (size - used < 4096) {
			char *bigger = realloc(buf, size + 16384);

			if (!bigger)
				return -ENOMEM;
			buf = bigger;
			size += 16384;
		}
		do
			n = c->fs->ops->pread(c->fs->ctx, fd, buf + used, size - used - 1,
					      (off_t)used);
		while (n == -EINTR);
		if (n < 0)
			return (int)n;
		used += (size_t)n;
	} while (n > 0);
	buf[used] = '\0';
	*ret = take_ptr(buf);
	return 0;
}

static int pids_read(struct pid_list *l)
{
	auto_door_fd struct door_fd d = { l->c, fs_open(l->c, l->dirfd, l->file, O_RDONLY) };
	auto_free char *text = NULL;
	int r;

	if (d.fd < 0)
		return d.fd == -ENOENT || d.fd == -ENODEV ? 0 : d.fd;
	r = pids_text(l->c, d.fd, &text);
	/* A threaded cgroup lists its processes at the domain above it. */
	if (r == -EOPNOTSUPP || r == -ENODEV)
		return 0;
	return r < 0 ? r : pids_append(l, text);
}

static int pids_enter(void *arg, int dirfd)
{
	struct pid_list *l = arg;

	l->dirfd = dirfd;
	return pids_read(l);
}

static int pids_in(struct cgfs_group *g, int i, struct pid_list *l, struct cgfs_err *reterr)
{
	static const struct tree_ops ops = { .enter = pids_enter };
	struct cgfs_dir d = { g, i, NULL };
	int r, fd;

	r = group_dir(g, i, &fd, reterr);
	if (r < 0)
		return r;
	r = pids_enter(l, fd);
	if (r == 0)
		r = tree_walk(g->c, fd, &ops, l);
	return r < 0 ? dir_error(&d, r, "read", l->file, NULL, reterr) : 0;
}

/* The hierarchy whose cgroup.procs is the list: cgroup2, else the first. */
static int list_hierarchy(const struct cgfs *c)
{
	return c->unified >= 0 ? c->unified : 0;
}

static int list(struct cgfs_group *g, int hierarchy, const char *file, pid_t **ret_pids,
		size_t *ret_n, struct cgfs_err *reterr)
{
	struct pid_list l = { .c = g->c, .file = file };
	int r = pids_in(g, hierarchy, &l, reterr);

	if (r < 0 || !l.n) {
		free(l.pid);
		l.pid = NULL;
	}
	if (r < 0)
		return r;
	*ret_pids = l.pid;
	*ret_n = l.n;
	return 0;
}

int cgfs_group_pids(struct cgfs_group *g, pid_t **ret_pids, size_t *ret_n, struct cgfs_err *reterr)
{
	int r = list(g, list_hierarchy(g->c), "cgroup.procs", ret_pids, ret_n, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "list processes of \"%.80s\"", g->rel) : 0;
}

int cgfs_group_threads(struct cgfs_group *g, pid_t **ret_tids, size_t *ret_n,
		       struct cgfs_err *reterr)
{
	const struct cgfs *c = g->c;
	int hierarchy = 0, r;

	/* On v1 threads may be elsewhere than their process; in the cgroup2 tree they are not. */
	while (hierarchy < c->n - 1 && hierarchy == c->unified)
		hierarchy++;
	r = list(g, hierarchy, hierarchy == c->unified ? "cgroup.threads" : "tasks", ret_tids,
		 ret_n, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "list threads of \"%.80s\"", g->rel) : 0;
}

/* -- freeze -------------------------------------------------------------------------------------
 */

#define V1_STATE "freezer.state"

enum frozen { NOT_FROZEN, FREEZING, FROZEN };

static int v2_state(struct cgfs_group *g, enum frozen *ret, struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->c->unified, NULL };
	char text[128];
	ssize_t n = dir_read(&d, "cgroup.events", text, sizeof(text), reterr);

	if (n < 0)
		return (int)n;
	*ret = strstr(text, "frozen 1") ? FROZEN : FREEZING;
	return 0;
}

static int v1_state(struct cgfs_group *g, enum frozen *ret, struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->c->place[CGFS_FREEZER].hierarchy, NULL };
	char text[32];
	ssize_t n = dir_read(&d, V1_STATE, text, sizeof(text), reterr);

	if (n < 0)
		return (int)n;
	*ret = strncmp(text, "FROZEN", 6) == 0	   ? FROZEN
	       : strncmp(text, "FREEZING", 8) == 0 ? FREEZING
						   : NOT_FROZEN;
	return 0;
}

static int v2_write(struct cgfs_group *g, bool freeze, struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->c->unified, NULL };

	return dir_write(&d, "cgroup.freeze", freeze ? "1" : "0", reterr);
}

static int v1_write(struct cgfs_group *g, bool freeze, struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->c->place[CGFS_FREEZER].hierarchy, NULL };

	return dir_write(&d, V1_STATE, freeze ? "FROZEN" : "THAWED", reterr);
}

struct freezer {
	int (*write)(struct cgfs_group *g, bool freeze, struct cgfs_err *reterr);
	int (*state)(struct cgfs_group *g, enum frozen *ret, struct cgfs_err *reterr);
	bool again; /* v1: asking again is what freezes those that were missed */
};

static const struct freezer *freezer(const struct cgfs *c)
{
	static const struct freezer v1 = { v1_write, v1_state, true };
	static const struct freezer v2 = { v2_write, v2_state, false };

	if (c->unified >= 0)
		return &v2;
	return c->place[CGFS_FREEZER].version == CGFS_V1 ? &v1 : NULL;
}

static bool v2_asked(struct cgfs_group *g)
{
	struct cgfs_dir d = { g, g->c->unified, NULL };
	char text[8];

	return dir_read(&d, "cgroup.freeze", text, sizeof(text), NULL) > 0 && text[0] == '1';
}

bool group_is_frozen(struct cgfs_group *g)
{
	struct cgfs *c = g->c;
	enum frozen state;

	if (c->unified >= 0 && (v2_asked(g) || (g->pod && v2_asked(g->pod)) ||
				(v2_state(g, &state, NULL) == 0 && state == FROZEN)))
		return true;
	/* Not ours beside a cgroup2 tree, but somebody may have used it. */
	return c->place[CGFS_FREEZER].version == CGFS_V1 && v1_state(g, &state, NULL) == 0 &&
	       state != NOT_FROZEN;
}

static void nothing(struct cgfs_group *g)
{
	(void)g;
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
	return f->again ? f->write(g, true, reterr) : 0;
}

/* Waits until the state is FROZEN.  cgroup.events tells when; without that it is looked at. */
static int await_frozen(struct cgfs_group *g, const struct freezer *f, uint64_t deadline,
			struct cgfs_err *reterr)
{
	uint64_t delay = 1000000, again_at = now_ns(CLOCK_MONOTONIC) + delay;
	int r, wd = -EBADF;
	enum frozen state;

	if (!f->again)
		(void)!events_watch(g, "cgroup.events", nothing, &wd);
	for (;;) {
		r = f->state(g, &state, reterr);
		if (r < 0 || state == FROZEN)
			break;
		r = wd < 0 ? ask_again(g, f, &again_at, &delay, reterr) : 0;
		if (r < 0)
			break;
		if (now_ns(CLOCK_MONOTONIC) >= deadline) {
			r = cgfs_err_set(reterr, -ETIMEDOUT, NULL, g->path, NULL,
					 "not all processes stopped");
			break;
		}
		r = events_wait(g->c, wd < 0 && again_at < deadline ? again_at : deadline);
		if (r == -ETIMEDOUT) /* the time came while we looked */
			r = 0;
		r = r < 0 ? cgfs_err_set(reterr, r, "poll", NULL, NULL, NULL)
			  : events_dispatch(g->c, reterr);
		if (r < 0)
			break;
	}
	events_unwatch(g, nothing, &wd);
	return r;
}

int cgfs_group_freeze(struct cgfs_group *g, unsigned int timeout_ms, struct cgfs_err *reterr)
{
	uint64_t deadline = now_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000u;
	const struct freezer *f = freezer(g->c);
	int r;

	if (!f)
		return cgfs_err_set(reterr, -ENODEV, "freeze", NULL, g->rel,
				    "no freezer on this host");
	r = f->write(g, true, reterr);
	if (r == 0) {
		r = await_frozen(g, f, deadline, reterr);
		if (r < 0)
			(void)!f->write(g, false, NULL);
	}
	return r < 0 ? cgfs_err_context(reterr, r, "freeze \"%.80s\"", g->rel) : 0;
}

int cgfs_group_thaw(struct cgfs_group *g, struct cgfs_err *reterr)
{
	const struct freezer *f = freezer(g->c);
	int r;

	if (!f)
		return cgfs_err_set(reterr, -ENODEV, "thaw", NULL, g->rel,
				    "no freezer on this host");
	r = f->write(g, false, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "thaw \"%.80s\"", g->rel) : 0;
}

/* -- kill ---------------------------------------------------------------------------------------
 */

/* Signals every process that is listed in one hierarchy; *ret_n says how many there were. */
static int signal_all(struct cgfs_group *g, int hierarchy, size_t *ret_n, struct cgfs_err *reterr)
{
	struct pid_list l = { .c = g->c, .file = "cgroup.procs" };
	int r;

	r = pids_in(g, hierarchy, &l, reterr);
	if (r < 0)
		l.n = 0;
	/* One that cannot be signalled saves no other. */
	for (size_t i = 0; i < l.n; i++) {
		/* 0 is one of another pid namespace; to kill(2) it would be ourselves. */
		int one = l.pid[i] ? g->c->fs->ops->kill(g->c->fs->ctx, l.pid[i], SIGKILL) : -EPERM;

		if (one < 0 && one != -ESRCH && r == 0)
			r = dir_error(&(struct cgfs_dir){ g, hierarchy, NULL }, one, "kill", NULL,
				      NULL, reterr);
	}
	*ret_n = l.n;
	free(l.pid);
	return r;
}

static int thaw_dir(void *arg, int dirfd)
{
	struct cgfs *c = arg;
	int r = fs_write_at(c, dirfd, V1_STATE, "THAWED");

	/* Again, because nothing is worse than a group that stays frozen. */
	return r < 0 ? fs_write_at(c, dirfd, V1_STATE, "THAWED") : 0;
}

/* One that the container has removed meanwhile holds nobody. */
static int thaw_below(void *arg, int dirfd)
{
	int r = thaw_dir(arg, dirfd);

	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

/*
 * Lets all of a tree go, top down.  v1: a process that is frozen does not die of a signal, and a
 * cgroup that was frozen itself stays so when the one above it is thawed.
 */
static int v1_thaw_tree(struct cgfs_group *g, struct cgfs_err *reterr)
{
	static const struct tree_ops ops = { .enter = thaw_below };
	struct cgfs_dir d = { g, g->c->place[CGFS_FREEZER].hierarchy, NULL };
	int r, fd;

	if (g->c->place[CGFS_FREEZER].version != CGFS_V1)
		return 0;
	r = group_dir(g, d.hierarchy, &fd, reterr);
	if (r < 0)
		return r;
	r = thaw_dir(g->c, fd);
	if (r == 0)
		r = tree_walk(g->c, fd, &ops, g->c);
	return r < 0 ? dir_error(&d, r, "thaw", V1_STATE, NULL, reterr) : 0;
}

#define STOP_NS 500000000u

/*
 * Without cgroup.kill: stop them, so that nobody forks while the list is walked; signal all; let
 * them go so that they die.  The first signals need not wait until all stand still, but the last
 * do: a child that is being made is on no list yet, and its parent stands still only once it is.
 * Without a freezer, or where somebody does not stop in time: again and again, until a round
 * finds no more than the one before; a fork bomb outlives that at most until the next call, which
 * removal makes.
 */
static int kill_by_signal(struct cgfs_group *g, struct cgfs_err *reterr)
{
	const struct freezer *f = freezer(g->c);
	int hierarchy = list_hierarchy(g->c), r, thawed;
	size_t n = 0, before = 0;
	bool stopped = false;

	if (f)
		(void)!f->write(g, true, NULL);
	r = signal_all(g, hierarchy, &n, reterr);
	if (f && r == 0 && n > 0)
		stopped = await_frozen(g, f, now_ns(CLOCK_MONOTONIC) + STOP_NS, NULL) == 0;
	for (int round = 0; round < 16 && r == 0 && n > before; round++) {
		before = stopped ? SIZE_MAX : n;
		r = signal_all(g, hierarchy, &n, reterr);
	}
	/* cgroup2 lets a frozen process die. */
	thawed = f && !f->again ? f->write(g, false, reterr) : v1_thaw_tree(g, reterr);
	return r < 0 ? r : thawed;
}

int cgfs_group_kill(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;
	struct cgfs_err err;
	size_t n;
	int r = -ENOENT;

	if (c->unified >= 0) {
		struct cgfs_dir d = { g, c->unified, NULL };

		r = dir_write(&d, "cgroup.kill", "1", &err);
	}
	if (r == -ENOENT) /* no such file before 5.14, or no cgroup2 tree */
		r = kill_by_signal(g, &err);
	else if (r == 0 && g->state == GROUP_REMOVING)
		/* Somebody may have put a process into one v1 hierarchy alone. */
		for (int i = 0; i < c->n; i++)
			if (i != c->unified)
				(void)!signal_all(g, i, &n, NULL);
	/* v1's freezer is not ours beside a cgroup2 tree, but the container may have used it. */
	if (r == 0 && c->unified >= 0 && g->state == GROUP_REMOVING)
		(void)!v1_thaw_tree(g, NULL);
	if (r < 0 && reterr) {
		*reterr = err;
		cgfs_err_context(reterr, r, "kill \"%.80s\"", g->rel);
	}
	return r;
}
