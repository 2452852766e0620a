// SPDX-License-Identifier: MIT
/*
 * world.c - what both kinds of world share: contexts, tracked handles, waiting, and the
 * invariants that hold after every test.  Knows neither the fake nor the kernel.
 */
#include "world.h"

#include <dirent.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* One record of the runner's pipe: a letter, then text without newlines. */
__attribute__((format(printf, 3, 0))) static void report(struct world *w, char type,
							 const char *fmt, va_list ap)
{
	char line[512];
	size_t n;

	line[0] = type;
	vsnprintf(line + 1, sizeof(line) - 1, fmt, ap);
	for (char *p = line; *p; p++) {
		if (*p == '\n')
			*p = ' ';
	}
	n = strlen(line);
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\n';
	CHECK_MSG(write(w->report_fd, line, n + 1) >= 0, "the runner is gone");
}

void world_note(struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(w, 'N', fmt, ap);
	va_end(ap);
}

bool world_thorough(void)
{
	return !getenv("CGFS_TEST_GUEST") || getenv("CGFS_TEST_THOROUGH");
}

void world_skip(struct world *w, const char *why, ...)
{
	va_list ap;

	world_close(w);
	va_start(ap, why);
	report(w, 'S', why, ap);
	va_end(ap);
	fflush(stdout);
	_exit(0);
}

size_t world_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	CHECK_MSG(d, "/proc/self/fd: %s", strerror(errno));
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void world_sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

uint64_t world_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* -- contexts ------------------------------------------------------------------------------- */

void world_open(struct world *w)
{
	w->fds_at_start = world_fds();
	w->ops->open(w);
	w->shim = shim_new(w);
}

struct cgfs *world_context_with(struct world *w, enum world_policy policy, uint32_t controllers)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c = NULL;

	CHECK(w->n_contexts < WORLD_CONTEXTS_MAX);
	opts.root = w->root;
	opts.controllers = controllers;
	w->ops->options(w, policy, &opts);
	opts.fs = shim_fs(w->shim, opts.fs);
	OK(cgfs_open(&opts, &c, &err));
	w->contexts[w->n_contexts++] = c;
	return c;
}

struct cgfs *world_context(struct world *w, enum world_policy policy)
{
	return world_context_with(w, policy, 0);
}

static void forget(struct world *w, size_t i)
{
	memmove(&w->groups[i], &w->groups[i + 1], (w->n_groups - i - 1) * sizeof(w->groups[0]));
	w->n_groups--;
}

static size_t tracked(struct world *w, struct cgfs_group *g)
{
	for (size_t i = 0; i < w->n_groups; i++) {
		if (w->groups[i] == g)
			return i;
	}
	FAIL("a handle that is not tracked");
}

struct cgfs_group *world_track(struct world *w, struct cgfs_group *g)
{
	CHECK(g != NULL);
	CHECK(w->n_groups < WORLD_GROUPS_MAX);
	w->groups[w->n_groups++] = g;
	return g;
}

void world_close_group(struct world *w, struct cgfs_group *g)
{
	forget(w, tracked(w, g));
	cgfs_group_close(g);
}

void world_destroy(struct world *w, struct cgfs_group *g)
{
	tracked(w, g);
	OK(cgfs_group_remove(g, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_close_group(w, g);
}

static void close_contexts(struct world *w)
{
	while (w->n_contexts > 0)
		cgfs_close(w->contexts[--w->n_contexts]);
	w->ops->restart(w);
}

void world_restart(struct world *w)
{
	while (w->n_groups > 0)
		cgfs_group_close(w->groups[--w->n_groups]);
	close_contexts(w);
}

/* What tests left alive goes now, containers before pods. */
static void destroy_all(struct world *w)
{
	for (size_t i = w->n_groups; i-- > 0;) {
		struct cgfs_group *g = w->groups[i];
		struct cgfs_err err = { 0 };
		int r = cgfs_group_remove(g, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err);

		/* A group that was removed already is no failure. */
		if (r < 0 && r != -EALREADY && r != -ENOENT && r != -ENODEV && r != -ESTALE)
			FAIL("clean up %s: %d: %s", cgfs_group_path(g), r, err.text);
		cgfs_group_close(g);
	}
	w->n_groups = 0;
}

void world_close(struct world *w)
{
	size_t n;

	shim_never_frozen(w->shim, false);
	shim_no_kill(w->shim, false);
	shim_deaf(w->shim, false);
	shim_before(w->shim, NULL);
	destroy_all(w);
	n = w->ops->directories(w);
	CHECK_MSG(n == 0, "%zu directories are left below %s", n, w->root);
	for (size_t i = 0; i < w->n_contexts; i++)
		OK(cgfs_root_remove(w->contexts[i], &err));
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT && w->root_by_hand; ctl++) {
		if (w->ops->exists(w, ctl, w->root))
			CHECK_INT(w->ops->rmdir(w, ctl, w->root), 0);
	}
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK_MSG(!w->ops->exists(w, ctl, w->root), "%s is still there (%s)", w->root,
			  ctl == UNIFIED ? "cgroup2" : cgfs_controller_name(ctl));
	close_contexts(w);
	w->ops->close(w);
	shim_free(w->shim);
	n = world_fds();
	CHECK_MSG(n == w->fds_at_start, "%zu descriptors at the start, %zu at the end",
		  w->fds_at_start, n);
}

void world_need(struct world *w, enum cgfs_controller ctl)
{
	if (world_version(w, ctl) == CGFS_NONE)
		world_skip(w, "no %s controller in this layout", cgfs_controller_name(ctl));
}

bool world_has_file(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
		    const char *file)
{
	char buf[16384];

	return w->ops->cat(w, ctl, cgfs_group_path(g), file, buf, sizeof(buf)) != -ENOENT;
}

void world_need_file(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
		     const char *file)
{
	if (!world_has_file(w, ctl, g, file))
		world_skip(w, "this kernel has no %s here", file);
}

void world_need_devices(struct world *w, struct cgfs *c)
{
	if (world_version(w, CGFS_DEVICES) == CGFS_V1)
		return;
	if (w->policy_missing[0])
		world_skip(w, "no device policy: %s", w->policy_missing);
}

/* -- groups and processes ------------------------------------------------------------------- */

struct cgfs_group *world_pod(struct world *w, struct cgfs *c, const char *id,
			     const struct cgfs_resources *res)
{
	struct cgfs_group *g = NULL;

	OK(cgfs_pod_create(c, id, res, &g, &err));
	return world_track(w, g);
}

struct cgfs_group *world_container(struct world *w, struct cgfs_group *pod, struct cgfs *c,
				   const char *id, const struct cgfs_resources *res)
{
	struct cgfs_group *g = NULL;

	OK(cgfs_container_create(c, pod, id, res, &g, &err));
	return world_track(w, g);
}

static pid_t remember(struct world *w, pid_t pid)
{
	CHECK(w->n_pids < WORLD_PIDS_MAX);
	w->pids[w->n_pids++] = pid;
	return pid;
}

pid_t world_spawn(struct world *w)
{
	pid_t pid = w->ops->spawn(w);

	CHECK(pid > 0);
	return remember(w, pid);
}

pid_t world_spawn_in(struct world *w, struct cgfs_group *g)
{
	pid_t pid = world_spawn(w);

	OK(cgfs_group_add_pid(g, pid, &err));
	return pid;
}

pid_t world_fork(struct world *w, pid_t pid)
{
	pid_t child = w->ops->fork(w, pid);

	return child > 0 ? remember(w, child) : child;
}

bool world_alive(struct world *w, pid_t pid)
{
	return w->ops->alive(w, pid);
}

void world_runs(struct world *w, pid_t pid)
{
	uint64_t end = world_now_ms() + PATIENCE_MS;

	while (!w->ops->runs(w, pid)) {
		CHECK_MSG(world_now_ms() < end, "process %d makes no progress", pid);
		w->ops->tick(w);
	}
}

void world_gone(struct world *w, pid_t pid)
{
	uint64_t end = world_now_ms() + PATIENCE_MS;

	while (w->ops->alive(w, pid)) {
		CHECK_MSG(world_now_ms() < end, "process %d is still alive", pid);
		w->ops->tick(w);
		world_sleep_ms(1);
	}
}

/* -- looking ---------------------------------------------------------------------------------- */

const char *world_cat(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
		      const char *file)
{
	static char text[8][16384];
	static unsigned int turn;
	char *buf = text[turn++ % 8];
	size_t n;
	int r;

	r = w->ops->cat(w, ctl, cgfs_group_path(g), file, buf, sizeof(text[0]));
	CHECK_MSG(r >= 0, "cat %s/%s: %s", cgfs_group_path(g), file, strerror(-r));
	n = strlen(buf);
	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = '\0';
	return buf;
}

uint64_t world_cat_number(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
			  const char *file)
{
	const char *text = world_cat(w, ctl, g, file);
	char *end;
	uint64_t v;

	v = strtoull(text, &end, 10);
	CHECK_MSG(end != text && !*end, "%s holds \"%s\", not a number", file, text);
	return v;
}

uint64_t world_stat(struct cgfs_group *g, enum cgfs_stat stat)
{
	static struct cgfs_stats stats = CGFS_STATS_INIT;

	OK(cgfs_group_stats(g, CGFS_READ_ALL, &stats, &err));
	CHECK_MSG(stats.figure[stat].available, "%s of %s is not available", cgfs_stat_name(stat),
		  cgfs_group_path(g));
	return stats.figure[stat].value;
}

/* Waits a little for the next event. */
static void pause_for(struct world *w, struct cgfs *c)
{
	struct pollfd p = { .fd = cgfs_event_fd(c), .events = POLLIN };

	w->ops->tick(w);
	CHECK(poll(&p, 1, 10) >= 0);
}

void world_event(struct world *w, struct cgfs *c, enum cgfs_event_type type, const char *container,
		 struct cgfs_event *ret)
{
	uint64_t end = world_now_ms() + PATIENCE_MS;

	for (;;) {
		struct cgfs_err err = { 0 };
		int r = cgfs_event_read(c, ret, &err);

		CHECK_MSG(r >= 0, "cgfs_event_read: %d: %s", r, err.text);
		if (r == 1) {
			CHECK_MSG(ret->type != CGFS_EVENT_LOST, "%llu events were lost",
				  (unsigned long long)ret->count);
			if (ret->type == type &&
			    (!container || strcmp(ret->container, container) == 0))
				return;
			continue;
		}
		CHECK_MSG(world_now_ms() < end, "no %s event of %s came", cgfs_event_name(type),
			  container ? container : "any group");
		pause_for(w, c);
	}
}

size_t world_count_events(struct world *w, struct cgfs *c, enum cgfs_event_type type)
{
	unsigned int quiet = 0;
	size_t n = 0;

	/* Ten looks without an event: what was under way has come. */
	while (quiet < 10) {
		struct cgfs_event ev = CGFS_EVENT_INIT;
		struct cgfs_err err = { 0 };
		int r = cgfs_event_read(c, &ev, &err);

		CHECK_MSG(r >= 0, "cgfs_event_read: %d: %s", r, err.text);
		if (r == 0) {
			pause_for(w, c);
			quiet++;
			continue;
		}
		if (ev.type == type)
			n += ev.count > 1 ? ev.count : 1;
	}
	return n;
}

void world_check_groups(struct world *w, size_t n)
{
	size_t have = w->ops->directories(w), per = w->ops->hierarchies(w);

	CHECK_MSG(have == n * per, "%zu directories below %s, not %zu groups in %zu hierarchies",
		  have, w->root, n, per);
}

void world_check_member(struct world *w, pid_t pid, const struct cgfs_group *g)
{
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		const char *is;

		if (world_version(w, ctl) == CGFS_NONE)
			continue;
		is = w->ops->cgroup_of(w, pid, ctl);
		CHECK_MSG(strcmp(is, cgfs_group_path(g)) == 0, "process %d is in %s, not %s (%s)",
			  pid, is, cgfs_group_path(g),
			  ctl == UNIFIED ? "cgroup2" : cgfs_controller_name(ctl));
	}
}
