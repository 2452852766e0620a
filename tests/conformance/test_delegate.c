// SPDX-License-Identifier: MIT
/*
 * test_delegate.c - groups in the hands of another user: which files become the user's, what the
 * user can do with them by hand, and what the library can do for the user.
 */
#include "extra.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* An unused uid and gid: no file, process or account has them. */
#define USER  54321
#define GROUP 54322

/* -- whose is what -- */

/* What a group may have; those with a mark are given away on that version. */
static const struct {
	const char *name;
	bool v1, v2;
} files[] = {
	{ "", true, true },
	{ "cgroup.procs", true, true },
	{ "tasks", true, false },
	{ "cgroup.threads", false, true },
	{ "cgroup.subtree_control", false, true },
	{ "memory.oom.group", false, true },
	{ "memory.reclaim", false, true },
	{ "cgroup.clone_children", false, false },
	{ "notify_on_release", false, false },
	{ "cgroup.kill", false, false },
	{ "cgroup.freeze", false, false },
	{ "cgroup.type", false, false },
	{ "cgroup.max.depth", false, false },
	{ "cgroup.max.descendants", false, false },
	{ "cgroup.events", false, false },
	{ "cpu.shares", false, false },
	{ "cpu.cfs_quota_us", false, false },
	{ "cpu.weight", false, false },
	{ "cpu.max", false, false },
	{ "cpuset.cpus", false, false },
	{ "cpuset.mems", false, false },
	{ "memory.limit_in_bytes", false, false },
	{ "memory.max", false, false },
	{ "memory.high", false, false },
	{ "memory.low", false, false },
	{ "memory.min", false, false },
	{ "memory.swap.max", false, false },
	{ "memory.oom_control", false, false },
	{ "pids.max", false, false },
	{ "devices.allow", false, false },
	{ "devices.deny", false, false },
	{ "freezer.state", false, false },
	{ "io.max", false, false },
	{ "blkio.throttle.read_bps_device", false, false },
	{ "hugetlb.2MB.max", false, false },
};

/* Older kernels list less. */
static bool kernel_lists(struct world *w, const char *name)
{
	char text[1024] = "\n";
	FILE *f;

	if (!w->kind->live)
		return true;
	f = fopen("/sys/kernel/cgroup/delegate", "re");
	CHECK_MSG(f != NULL, "/sys/kernel/cgroup/delegate: %s", strerror(errno));
	text[1 + fread(text + 1, 1, sizeof(text) - 2, f)] = '\0';
	fclose(f);
	for (const char *p = text; (p = strstr(p, name)); p++) {
		if (p[-1] == '\n' && p[strlen(name)] == '\n')
			return true;
	}
	return false;
}

/* Every file of the group, in each hierarchy: @uid's if it is one to give away. */
static size_t check_owners(struct world *w, const struct cgfs_group *g, uid_t uid, gid_t gid)
{
	size_t given = 0;

	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		bool v2 = world_version(w, ctl) == CGFS_V2;

		if (world_version(w, ctl) == CGFS_NONE)
			continue;
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
			bool give = v2 ? files[i].v2 && (!*files[i].name ||
							 kernel_lists(w, files[i].name))
				       : files[i].v1;
			uid_t u;
			gid_t g_;
			int r = w->ops->owner(w, ctl, cgfs_group_path(g), files[i].name, &u, &g_);

			if (r == -ENOENT && *files[i].name)
				continue;
			CHECK_INT(r, 0);
			CHECK_MSG(u == (give ? uid : 0) && g_ == (give ? gid : 0),
				  "%s/%s belongs to %u:%u", cgfs_group_path(g), files[i].name, u,
				  g_);
			given += give;
		}
	}
	return given;
}

WORLD_TEST(delegate_exactly_these_files)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);

	CHECK(check_owners(w, ctr, 0, 0) > 0);
	OK(cgfs_group_delegate(ctr, USER, GROUP, &err));
	CHECK(check_owners(w, ctr, USER, GROUP) >= 2 * w->ops->hierarchies(w));
	check_owners(w, pod, 0, 0);
	/* Given to another, and taken back. */
	OK(cgfs_group_delegate(ctr, USER + 1, GROUP + 1, &err));
	check_owners(w, ctr, USER + 1, GROUP + 1);
	OK(cgfs_group_delegate(ctr, 0, 0, &err));
	check_owners(w, ctr, 0, 0);
	OK(cgfs_group_delegate(pod, USER, GROUP, &err));
	check_owners(w, pod, USER, GROUP);
	check_owners(w, ctr, 0, 0);
}

WORLD_TEST(delegate_to_no_user_is_refused)
{
	struct cgfs *c = world_context(w, WORLD_FILES);
	struct cgfs_group *ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);

	REFUSED(cgfs_group_delegate(ctr, (uid_t)-1, GROUP, &err), -EINVAL);
	REFUSED(cgfs_group_delegate(ctr, USER, (gid_t)-1, &err), -EINVAL);
	check_owners(w, ctr, 0, 0);
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	REFUSED(cgfs_group_delegate(ctr, USER, GROUP, &err), -ENOENT);
}

/* Each call of it fails in turn: then all is as it was, and the error names the file. */
WORLD_TEST(delegate_each_call_refused)
{
	static const unsigned int calls[] = { FAKE_OPEN, FAKE_PREAD, FAKE_OWNER, FAKE_CHOWN };
	static const int codes[] = { -EIO, -EPERM, -ENOMEM };
	struct fake *f = world_fake(w);
	struct cgfs *c;
	struct cgfs_group *ctr;
	unsigned int faults = 0;

	if (!f)
		world_skip(w, "no kernel can be made to fail");
	c = world_context(w, WORLD_FILES);
	ctr = world_container(w, world_pod(w, c, "web", NULL), c, "c1", NULL);
	for (size_t k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
			bool struck = true;

			for (unsigned int nth = 1; struck; nth++) {
				struct cgfs_err err = { 0 };
				int r;

				fake_fail(f, calls[k], nth, codes[i]);
				r = cgfs_group_delegate(ctr, USER, GROUP, &err);
				struck = fake_struck(f);
				fake_fail(f, 0, 0, 0);
				CHECK_INT(r, struck ? codes[i] : 0);
				CHECK(r == 0 || (err.code == r && strchr(err.path, '/')));
				check_owners(w, ctr, r < 0 ? 0 : USER, r < 0 ? 0 : GROUP);
				faults += struck;
			}
			OK(cgfs_group_delegate(ctr, 0, 0, &err));
		}
	}
	CHECK(faults > 30);
	world_note(w, "%s: delegate: %u faults", w->kind->name, faults);
}

/* -- by hand: a process that has become the user -- */

static void become_user(void)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(GROUP, GROUP, GROUP) == 0);
	CHECK(setresuid(USER, USER, USER) == 0);
	CHECK_INT(setresuid(0, 0, 0), -1);
}

struct job {
	struct world *w;
	struct cgfs_group *pod, *ctr, *other;
	int (*fn)(struct job *j);
	uint32_t controllers;
};

/* Limits of the container, as its user would like to have them. */
static void check_limits_stay(struct world *w, const char *path)
{
	static const struct {
		enum cgfs_controller ctl;
		const char *file, *text;
	} wishes[] = {
		{ CGFS_PIDS, "pids.max", "max" },
		{ CGFS_MEMORY, "memory.max", "max" },
		{ CGFS_MEMORY, "memory.limit_in_bytes", "-1" },
		{ CGFS_CPU, "cpu.max", "max" },
		{ CGFS_CPU, "cpu.weight", "10000" },
		{ CGFS_CPU, "cpu.cfs_quota_us", "-1" },
		{ CGFS_CPU, "cpu.shares", "262144" },
		{ CGFS_CPUSET, "cpuset.cpus", "0" },
		{ CGFS_DEVICES, "devices.allow", "a" },
		{ CGFS_FREEZER, "freezer.state", "THAWED" },
		{ UNIFIED, "cgroup.freeze", "0" },
		{ UNIFIED, "cgroup.kill", "1" },
		{ UNIFIED, "cgroup.max.descendants", "max" },
	};
	unsigned int tried = 0;

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		int r;

		if (world_version(w, wishes[i].ctl) == CGFS_NONE)
			continue;
		r = extra_put(w, wishes[i].ctl, path, wishes[i].file, wishes[i].text);
		CHECK_MSG(r == -EACCES || r == -ENOENT, "%s of %s: %s", wishes[i].file, path,
			  strerror(-r));
		tried += r == -EACCES;
	}
	CHECK(tried >= 3);
}

static int by_hand(struct job *j)
{
	struct world *w = j->w;
	const char *path = cgfs_group_path(j->ctr);
	char below[512];

	snprintf(below, sizeof(below), "%s/mine", path);
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) == CGFS_NONE)
			continue;
		if (!w->ops->exists(w, ctl, below)) /* two controllers in one hierarchy */
			CHECK_INT(w->ops->mkdir(w, ctl, below), 0);
		CHECK_INT(extra_put(w, ctl, below, "cgroup.procs", "0"), 0);
		CHECK_STR(w->ops->cgroup_of(w, getpid(), ctl), below);
		/* Not out of what was given, nor beside it. */
		CHECK_INT(extra_put(w, ctl, cgfs_group_path(j->pod), "cgroup.procs", "0"), -EACCES);
		CHECK_INT(extra_put(w, ctl, cgfs_group_path(j->other), "cgroup.procs", "0"),
			  -EACCES);
		CHECK_INT(w->ops->mkdir(w, ctl, cgfs_group_path(j->pod)), -EEXIST);
		CHECK_STR(w->ops->cgroup_of(w, getpid(), ctl), below);
	}
	check_limits_stay(w, path);
	/* The container itself has no process now: what is below gets its controllers. */
	if (world_v2(w, CGFS_PIDS)) {
		CHECK_INT(extra_put(w, UNIFIED, path, "cgroup.subtree_control", "+pids"), 0);
		CHECK_INT(extra_put(w, CGFS_PIDS, below, "pids.max", "5"), 0);
	}
	/* The user can set its own cgroup's limits; those above still apply. */
	if (world_version(w, CGFS_PIDS) == CGFS_V1)
		CHECK_INT(extra_put(w, CGFS_PIDS, below, "pids.max", "max"), 0);
	return 0;
}

static int in_child(void *arg)
{
	struct job *j = arg;

	alarm(1100);
	become_user();
	return j->fn(j);
}

static void run_as_user(struct job *j)
{
	int status = extra_wait(extra_spawn(j->ctr, in_child, j));

	CHECK_MSG(status == 0, "the user's process ended with status %#x", (unsigned int)status);
}

WORLD_TEST(delegate_user_below_it)
{
	struct cgfs *c = extra_context(w, WORLD_FILES);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct job j = { .w = w, .pod = pod, .fn = by_hand };

	world_need(w, CGFS_PIDS);
	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = 20;
	j.ctr = world_container(w, pod, c, "c1", &res);
	j.other = world_container(w, pod, c, "c2", NULL);
	OK(cgfs_group_delegate(j.ctr, USER, GROUP, &err));
	run_as_user(&j);
	CHECK_INT(world_cat_number(w, CGFS_PIDS, j.ctr, "pids.max"), 20);
	/* What the user made below goes with the container. */
	world_destroy(w, j.ctr);
	world_check_groups(w, 2);
}

/* -- by the library: a context below a pod of the user's -- */

static struct cgfs *user_context(struct world *w, const char *root)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c = NULL;

	opts.root = root;
	w->ops->options(w, WORLD_FILES, &opts);
	OK(cgfs_open(&opts, &c, &err));
	return c;
}

static void check_made(struct world *w, struct cgfs *c, const char *path, bool there)
{
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		if (cgfs_place(c, ctl).version != CGFS_NONE)
			CHECK_INT(w->ops->exists(w, ctl, path), there);
	}
}

static bool has(struct cgfs *c, enum cgfs_controller ctl)
{
	return cgfs_place(c, ctl).version != CGFS_NONE;
}

/* All that a program does with pods, without a right of its own. */
static void use(struct world *w, struct cgfs *c, pid_t pid)
{
	struct cgfs_resources res = extra_pids_max(30), devices = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod = NULL, *ctr = NULL;
	char path[512];
	struct cgfs_stats s = CGFS_STATS_INIT;
	size_t n;

	if (has(c, CGFS_MEMORY)) {
		res.set |= CGFS_SET_MEMORY_MAX;
		res.memory_max_bytes = 64 * MIB;
	}
	OK(cgfs_pod_create(c, "u1", &res, &pod, &err));
	OK(cgfs_container_create(c, pod, "c1", NULL, &ctr, &err));
	snprintf(path, sizeof(path), "%s/u1/c1", cgfs_root(c));
	CHECK_STR(cgfs_group_path(ctr), path);
	check_made(w, c, path, true);
	res = extra_pids_max(10);
	OK(cgfs_group_set(ctr, &res, NULL, &err));
	CHECK_INT(world_cat_number(w, CGFS_PIDS, ctr, "pids.max"), 10);
	if (pid) {
		OK(cgfs_group_add_pid(ctr, pid, &err));
		CHECK_STR(w->ops->cgroup_of(w, pid, CGFS_PIDS), path);
	} else {
		pid_t child = extra_spawn(ctr, extra_pause, NULL);

		CHECK_STR(w->ops->cgroup_of(w, child, CGFS_PIDS), path);
		OK(cgfs_group_freeze(ctr, PATIENCE_MS, &err));
		OK(cgfs_group_thaw(ctr, &err));
		n = extra_pids(ctr);
		CHECK_INT(n, 1);
		OK(cgfs_group_kill(ctr, &err));
		CHECK(WIFSIGNALED(extra_wait(child)));
	}
	OK(cgfs_group_stats(pod, CGFS_READ_ALL, &s, &err));
	CHECK_INT(s.figure[CGFS_STAT_PIDS_MAX].value, 30);
	/* Device rules want more than files of one's own. */
	devices.set = CGFS_SET_DEVICES;
	REFUSED(cgfs_group_set(ctr, &devices, NULL, &err), has(c, CGFS_DEVICES) ? -EPERM : -ENODEV);
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	check_made(w, c, path, false);
	cgfs_group_close(ctr);
	cgfs_group_close(pod);
}

static int by_library(struct job *j)
{
	struct cgfs *c = user_context(j->w, cgfs_group_path(j->pod));

	use(j->w, c, 0);
	cgfs_close(c);
	return 0;
}

/* A pod of the user, and in it a container with the user's process. */
static struct job user_pod(struct world *w, struct cgfs *c, int (*fn)(struct job *j))
{
	struct job j = { .w = w, .fn = fn };

	j.pod = world_pod(w, c, "web", NULL);
	j.ctr = world_container(w, j.pod, c, "init", NULL);
	OK(cgfs_group_delegate(j.pod, USER, GROUP, &err));
	return j;
}

WORLD_TEST(rootless_pods)
{
	struct fake *f = world_fake(w);
	struct cgfs *c = f ? world_context(w, WORLD_FILES) : extra_context(w, WORLD_FILES);
	struct job j;

	world_need(w, CGFS_PIDS);
	j = user_pod(w, c, by_library);
	if (f) {
		pid_t pid = world_spawn_in(w, j.ctr);
		struct cgfs *mine;

		fake_set_user(f, USER);
		mine = user_context(w, cgfs_group_path(j.pod));
		use(w, mine, pid);
		cgfs_close(mine);
		fake_set_user(f, 0);
	} else {
		run_as_user(&j);
	}
	world_check_groups(w, 2);
}

/* Without a delegated group a user can read, and the error names what is not permitted. */
static int look_only(struct job *j)
{
	struct cgfs *c = user_context(j->w, j->w->root);
	struct cgfs_resources res = extra_pids_max(30);
	struct cgfs_group *g = NULL;
	struct cgfs_stats s = CGFS_STATS_INIT;
	char path[512];

	snprintf(path, sizeof(path), "%s/u1", j->w->root);
	CHECK_HAS(REFUSED(cgfs_pod_create(c, "u1", NULL, &g, &err), -EACCES), path);
	check_made(j->w, c, path, false);
	OK(cgfs_pod_open(c, "web", &g, &err));
	OK(cgfs_group_stats(g, CGFS_READ_PIDS, &s, &err));
	CHECK(s.figure[CGFS_STAT_PIDS_MAX].available);
	CHECK_HAS(REFUSED(cgfs_group_set(g, &res, NULL, &err), -EACCES), "pids.max");
	CHECK_HAS(REFUSED(cgfs_group_delegate(g, USER, GROUP, &err), -EPERM), cgfs_group_path(g));
	cgfs_group_close(g);
	cgfs_close(c);
	return 0;
}

WORLD_TEST(rootless_elsewhere)
{
	struct fake *f = world_fake(w);
	struct cgfs *c = f ? world_context(w, WORLD_FILES) : extra_context(w, WORLD_FILES);
	struct job j = { .w = w, .fn = look_only };

	world_need(w, CGFS_PIDS);
	j.pod = world_pod(w, c, "web", NULL);
	j.ctr = world_container(w, j.pod, c, "init", NULL);
	if (f) {
		fake_set_user(f, USER);
		look_only(&j);
		fake_set_user(f, 0);
	} else {
		run_as_user(&j);
	}
	check_owners(w, j.pod, 0, 0);
	world_check_groups(w, 2);
}

/* Of the controllers, pids alone reaches what was delegated. */
static int partly(struct job *j)
{
	struct cgfs *c = user_context(j->w, cgfs_group_path(j->pod));
	struct cgfs_resources res = extra_memory(64 * MIB);
	struct cgfs_group *g = NULL;

	CHECK(!has(c, CGFS_MEMORY));
	CHECK(!has(c, CGFS_CPU));
	CHECK_HAS(REFUSED(cgfs_pod_create(c, "u1", &res, &g, &err), -EACCES),
		  "the memory controller is not delegated");
	res = extra_pids_max(30);
	OK(cgfs_pod_create(c, "u1", &res, &g, &err));
	CHECK_INT(world_cat_number(j->w, CGFS_PIDS, g, "pids.max"), 30);
	OK(cgfs_group_remove(g, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	cgfs_group_close(g);
	cgfs_close(c);
	return 0;
}

WORLD_TEST(rootless_partly)
{
	struct fake *f = world_fake(w);
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c = NULL;
	struct job j;

	world_need(w, CGFS_PIDS);
	world_need(w, CGFS_MEMORY);
	opts.root = w->root;
	opts.controllers = 1u << CGFS_PIDS;
	w->ops->options(w, WORLD_FILES, &opts);
	OK(cgfs_open(&opts, &c, &err));
	w->contexts[w->n_contexts++] = c;
	j = user_pod(w, c, partly);
	if (f) {
		fake_set_user(f, USER);
		partly(&j);
		fake_set_user(f, 0);
	} else {
		run_as_user(&j);
	}
}
