// SPDX-License-Identifier: MIT
/*
 * extra.c - see extra.h.  Works on both kinds of world; must not know one from the other where
 * the world's own operations allow.
 */
#include "extra.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct cgfs *extra_context(struct world *w, enum world_policy policy)
{
	return extra_context_with(w, policy, 0);
}

struct cgfs *extra_context_with(struct world *w, enum world_policy policy, uint32_t controllers)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c = NULL;

	if (!w->kind->live)
		world_skip(w, "needs a kernel: real children or pressure");
	CHECK(w->n_contexts < WORLD_CONTEXTS_MAX);
	opts.root = w->root;
	opts.controllers = controllers;
	w->ops->options(w, policy, &opts);
	OK(cgfs_open(&opts, &c, &err));
	w->contexts[w->n_contexts++] = c;
	return c;
}

/* -- children --------------------------------------------------------------------------------- */

pid_t extra_spawn(struct cgfs_group *g, int (*fn)(void *arg), void *arg)
{
	int pidfd = -EBADF;
	pid_t pid = -1;

	fflush(stdout);
	OK(cgfs_group_spawn(g, &pid, &pidfd, &err));
	if (pid == 0)
		_exit(fn(arg));
	CHECK(pid > 0);
	CHECK(pidfd >= 0);
	close(pidfd);
	return pid;
}

int extra_wait(pid_t pid)
{
	int status = 0;
	pid_t r;

	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	CHECK_MSG(r == pid, "waitpid %d: %s", pid, strerror(errno));
	return status;
}

int extra_spin(void *arg)
{
	cpu_set_t allowed, one;
	int cpu = 0;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	alarm(1100); /* should all else fail */
	for (volatile unsigned long i = 0;; i = i + 1)
		;
}

int extra_pause(void *arg)
{
	alarm(1100);
	for (;;)
		pause();
}

/* -- files ------------------------------------------------------------------------------------ */

int extra_put(struct world *w, enum cgfs_controller ctl, const char *path, const char *file,
	      const char *text)
{
	const struct cgfs_fs *fs = world_fake(w) ? fake_fs(world_fake(w)) : cgfs_fs_kernel();
	char name[1024];
	int dir, fd, r;

	dir = fs->ops->open(fs->ctx, AT_FDCWD, w->ops->mount(w, ctl), O_RDONLY | O_DIRECTORY);
	CHECK_MSG(dir >= 0, "%s: %s", w->ops->mount(w, ctl), strerror(-dir));
	snprintf(name, sizeof(name), "%s/%s", path + 1, file);
	fd = fs->ops->open(fs->ctx, dir, name, O_WRONLY);
	r = fd < 0 ? fd : (int)fs->ops->write(fs->ctx, fd, text, strlen(text));
	if (fd >= 0)
		fs->ops->close(fs->ctx, fd);
	fs->ops->close(fs->ctx, dir);
	return r < 0 ? r : 0;
}

uint64_t extra_keyed(struct world *w, enum cgfs_controller ctl, const struct cgfs_group *g,
		     const char *file, const char *key)
{
	const char *text = world_cat(w, ctl, g, file);
	size_t n = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, n) == 0 && p[n] == ' ')
			return strtoull(p + n + 1, NULL, 10);
	}
	FAIL("no %s in %s of %s", key, file, cgfs_group_path(g));
}

/* -- inner cgroups ---------------------------------------------------------------------------- */

void extra_nest(struct world *w, const struct cgfs_group *g, const char *inner)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cgfs_group_path(g), inner);
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) == CGFS_NONE || w->ops->exists(w, ctl, path))
			continue;
		CHECK_INT(w->ops->mkdir(w, ctl, path), 0);
	}
}

void extra_enter(struct world *w, const struct cgfs_group *g, const char *inner, pid_t pid)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", cgfs_group_path(g), inner);
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE)
			CHECK_INT(w->ops->move(w, ctl, path, pid), 0);
	}
}

/* -- processes -------------------------------------------------------------------------------- */

size_t extra_pids(struct cgfs_group *g)
{
	pid_t *pids = NULL;
	size_t n = 0;

	OK(cgfs_group_pids(g, &pids, &n, &err));
	free(pids);
	return n;
}

void extra_until_pids(struct world *w, struct cgfs_group *g, size_t least, size_t most)
{
	size_t n = 0;

	for (unsigned int i = 0; i < PATIENCE_MS; i++) {
		n = extra_pids(g);
		if (n >= least && n <= most)
			return;
		w->ops->tick(w);
		world_sleep_ms(1);
	}
	FAIL("%zu processes in %s, not %zu to %zu", n, cgfs_group_path(g), least, most);
}

void extra_stopped(struct world *w, pid_t pid)
{
	unsigned int quiet = 0;

	/* Twice in a row: the first silence may be a busy machine's. */
	for (unsigned int i = 0; quiet < 2; i++) {
		CHECK_MSG(i < PATIENCE_MS / 100, "process %d still makes progress", pid);
		quiet = w->ops->runs(w, pid) ? 0 : quiet + 1;
		w->ops->tick(w);
	}
	CHECK(world_alive(w, pid));
}

/* -- limits ----------------------------------------------------------------------------------- */

struct cgfs_resources extra_memory(uint64_t max)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_MEMORY_MAX;
	res.memory_max_bytes = max;
	return res;
}

struct cgfs_resources extra_pids_max(uint64_t max)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = max;
	return res;
}

struct cgfs_resources extra_quota(uint64_t quota, uint64_t period)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;

	res.set = CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD;
	res.cpu_quota_us = quota;
	res.cpu_period_us = period;
	return res;
}

const char *extra_max_file(struct world *w)
{
	return world_v2(w, CGFS_MEMORY) ? "memory.max" : "memory.limit_in_bytes";
}

pid_t extra_with_file(struct world *w, struct cgfs_group *ctr, uint64_t bytes)
{
	pid_t pid = world_spawn(w);

	/* Opened before it is in the container, whose devices may be few. */
	if (w->ops->file(w, pid, 0) == -ENOTSUP)
		world_skip(w, "every file is in memory here");
	OK(cgfs_group_add_pid(ctr, pid, &err));
	CHECK_INT(w->ops->file(w, pid, bytes), 0);
	return pid;
}

bool extra_disk(struct world *w, struct cgfs_io_device *dev)
{
	unsigned int major = 8, minor = 0;
	char line[256], name[64];
	bool found = !w->kind->live;
	FILE *f = found ? NULL : fopen("/proc/partitions", "re");

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%u %u %*u %63s", &major, &minor, name) == 3 &&
			strncmp(name, "loop", 4) != 0 && strncmp(name, "zram", 4) != 0;
	if (f)
		fclose(f);
	*dev = (struct cgfs_io_device){ .major = major, .minor = minor };
	return found;
}

/* -- capabilities ----------------------------------------------------------------------------- */

const struct cgfs_capability *extra_capability(struct cgfs *c, const char *name)
{
	static struct cgfs_capabilities caps = CGFS_CAPABILITIES_INIT;

	OK(cgfs_probe(c, &caps, &err));
	for (size_t i = 0; i < caps.n; i++) {
		if (strcmp(caps.cap[i].name, name) == 0)
			return &caps.cap[i];
	}
	return NULL;
}

const char *extra_no_report(struct world *w, struct cgfs *c)
{
	const struct cgfs_capability *report;
	bool can;

	if (w->policy_missing[0])
		return w->policy_missing;
	if (!w->kind->live)
		return "a fake kernel has none";
	report = extra_capability(c, "bpf.iter_cgroup");
	can = report && report->ok;
	report = extra_capability(c, "bpf.report");
	CHECK_MSG(report != NULL, "no capability bpf.report");
	/* Where v1 is mounted alone, memory may be on a tree that discovery does not find. */
	if (strstr(report->detail, "no hierarchy that carries memory is mounted"))
		return report->detail;
	CHECK_MSG(report->ok || !can, "%s", report->detail);
	return report->ok ? NULL : report->detail;
}

void extra_need_report(struct world *w, struct cgfs *c)
{
	const char *why;

	world_need(w, CGFS_MEMORY);
	why = extra_no_report(w, c);
	if (why)
		world_skip(w, "no report of memory: %s", why);
}
