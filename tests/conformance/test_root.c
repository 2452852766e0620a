// SPDX-License-Identifier: MIT
/*
 * test_root.c - the pods root, several contexts on it, and directories that vanish.
 */
#include "world.h"

#include <sys/stat.h>

/* rmdir by another process, in each hierarchy. */
static void remove_behind(struct world *w, const char *path)
{
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (w->ops->exists(w, ctl, path))
			CHECK_INT(w->ops->rmdir(w, ctl, path), 0);
	}
}

/* One for reading beside one that made a pod: it sees it, and every change is refused. */
WORLD_TEST(root_for_reading_changes_nothing)
{
	struct cgfs *c = world_context(w, WORLD_POLICY), *reader;
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL), *seen, *inside, *new;
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_stats s = CGFS_STATS_INIT;
	pid_t pid = world_spawn_in(w, ctr), child;
	int pidfd;

	opts.root = w->root;
	w->ops->options(w, WORLD_POLICY, &opts);
	opts.cgroup2_mount = NULL;
	opts.read_only = true;
	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = 7;
	OK(cgfs_open(&opts, &reader, &err));
	OK(cgfs_pod_open(reader, "web", &seen, &err));
	OK(cgfs_container_open(reader, seen, "c1", &inside, &err));
	OK(cgfs_group_stats(inside, CGFS_READ_ALL, &s, &err));
	CHECK_HAS(REFUSED(cgfs_pod_create(reader, "new", NULL, &new, &err), -EROFS), "for reading");
	CHECK_HAS(REFUSED(cgfs_group_set(seen, &res, NULL, &err), -EROFS), "for reading");
	CHECK_HAS(REFUSED(cgfs_root_set(reader, &res, &err), -EROFS), "for reading");
	CHECK_HAS(REFUSED(cgfs_group_freeze(inside, 100, &err), -EROFS), "for reading");
	CHECK_HAS(REFUSED(cgfs_group_thaw(inside, &err), -EROFS), "for reading");
	CHECK_HAS(REFUSED(cgfs_group_kill(inside, &err), -EROFS), "for reading");
	CHECK_HAS(REFUSED(cgfs_group_add_pid(seen, pid, &err), -EROFS), "for reading");
	CHECK_HAS(REFUSED(cgfs_group_spawn(inside, &child, &pidfd, &err), -EROFS), "for reading");
	CHECK_HAS(REFUSED(cgfs_group_remove(seen, NULL, &err), -EROFS), "for reading");
	CHECK_HAS(REFUSED(cgfs_root_remove(reader, &err), -EROFS), "for reading");
	cgfs_group_close(inside);
	cgfs_group_close(seen);
	cgfs_close(reader);
	world_check_groups(w, 2);
	world_check_member(w, pid, ctr);
}

WORLD_TEST(root_remove_refuses_while_pods_are_left)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);

	CHECK_HAS(REFUSED(cgfs_root_remove(c, &err), -ENOTEMPTY), w->root);
	world_check_groups(w, 2);
	/* The pod is as good as before. */
	world_check_member(w, world_spawn_in(w, ctr), ctr);
	world_pod(w, c, "db", NULL);
}

WORLD_TEST(root_remove_then_create_makes_it_again)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);

	OK(cgfs_root_remove(c, &err)); /* there was none */
	world_destroy(w, world_pod(w, c, "web", NULL));
	OK(cgfs_root_remove(c, &err));
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK(!w->ops->exists(w, ctl, w->root));
	world_pod(w, c, "web", NULL);
	world_check_groups(w, 1);
}

WORLD_TEST(root_deleted_behind_our_back)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod, *ctr;

	world_destroy(w, world_pod(w, c, "web", NULL));
	remove_behind(w, w->root);
	pod = world_pod(w, c, "web", NULL);
	ctr = world_container(w, pod, c, "c1", NULL);
	world_check_groups(w, 2);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
}

WORLD_TEST(root_deleted_behind_our_back_is_limited)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	char text[32];
	size_t fds;

	world_need(w, CGFS_PIDS);
	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = 4711;
	OK(cgfs_root_set(c, &res, &err));
	fds = world_fds();
	remove_behind(w, w->root);
	OK(cgfs_root_set(c, &res, &err));
	CHECK_INT(world_fds(), fds);
	world_pod(w, c, "web", NULL);
	CHECK(w->ops->cat(w, CGFS_PIDS, w->root, "pids.max", text, sizeof(text)) >= 0);
	CHECK_STR(text, "4711\n");
}

WORLD_TEST(root_enabled_controllers_are_given_back)
{
	struct cgfs *c;
	char before[1024], after[1024];

	if (world_version(w, UNIFIED) == CGFS_NONE)
		world_skip(w, "no cgroup2 tree in this layout");
	CHECK_INT(w->ops->cat(w, UNIFIED, "/", "cgroup.subtree_control", before, sizeof(before)),
		  0);
	c = world_context(w, WORLD_POLICY);
	world_destroy(w, world_pod(w, c, "web", NULL));
	OK(cgfs_root_remove(c, &err));
	CHECK_INT(w->ops->cat(w, UNIFIED, "/", "cgroup.subtree_control", after, sizeof(after)), 0);
	CHECK_STR(after, before);
}

/* As an administrator, or a reboot script, makes it: bare. */
static void make_root_by_hand(struct world *w)
{
	w->root_by_hand = true;
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) != CGFS_NONE && !w->ops->exists(w, ctl, w->root))
			CHECK_INT(w->ops->mkdir(w, ctl, w->root), 0);
	}
}

/* What of the root is not the directory: handed-down controllers, and v1's cpuset. */
static void read_root(struct world *w, bool unified, char *buf, size_t len)
{
	char text[4096] = "";

	if (unified)
		CHECK_INT(w->ops->cat(w, UNIFIED, w->root, "cgroup.subtree_control", text,
				      sizeof(text)),
			  0);
	snprintf(buf, len, "%s", text);
	if (world_version(w, CGFS_CPUSET) != CGFS_V1)
		return;
	CHECK_INT(w->ops->cat(w, CGFS_CPUSET, w->root, "cgroup.clone_children", text, sizeof(text)),
		  0);
	snprintf(buf + strlen(buf), len - strlen(buf), "|%s", text);
}

WORLD_TEST(root_of_another_is_used_as_it_is)
{
	struct cgfs_unified nonsense = { "pids.max", "nonsense" };
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *pod, *ctr, *alone, *none = NULL;
	char before[8192], after[8192], top[4096], now[4096];
	/* Before there is a context, which may mount a tree of its own. */
	bool unified = world_version(w, UNIFIED) != CGFS_NONE;
	struct cgfs *c;

	world_need(w, CGFS_PIDS);
	make_root_by_hand(w);
	read_root(w, unified, before, sizeof(before));
	if (unified)
		CHECK_INT(w->ops->cat(w, UNIFIED, "/", "cgroup.subtree_control", top, sizeof(top)),
			  0);
	c = world_context(w, WORLD_POLICY);

	/* A failure leaves it as it was, and what is above it. */
	res.set = CGFS_SET_UNIFIED;
	res.unified = &nonsense;
	res.n_unified = 1;
	REFUSED(cgfs_container_create(c, NULL, "c0", &res, &none, &err), -EINVAL);
	read_root(w, unified, after, sizeof(after));
	CHECK_STR(after, before);
	if (unified) {
		CHECK_INT(w->ops->cat(w, UNIFIED, "/", "cgroup.subtree_control", now, sizeof(now)),
			  0);
		CHECK_STR(now, top);
	}
	world_check_groups(w, 0);

	/* Groups in it can be limited, and processes can join them. */
	res = (struct cgfs_resources)CGFS_RESOURCES_INIT;
	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = 17;
	pod = world_pod(w, c, "web", &res);
	ctr = world_container(w, pod, c, "c1", &res);
	alone = world_container(w, NULL, c, "c2", &res);
	CHECK_INT(world_cat_number(w, CGFS_PIDS, pod, "pids.max"), 17);
	CHECK_INT(world_cat_number(w, CGFS_PIDS, ctr, "pids.max"), 17);
	CHECK_INT(world_cat_number(w, CGFS_PIDS, alone, "pids.max"), 17);
	world_check_member(w, world_spawn_in(w, ctr), ctr);
	world_check_member(w, world_spawn_in(w, alone), alone);
	if (world_version(w, CGFS_CPUSET) == CGFS_V1) {
		read_root(w, unified, after, sizeof(after));
		CHECK_HAS(after, "|0");
	}
}

WORLD_TEST(root_with_processes_is_refused)
{
	struct cgfs_group *none = NULL;
	struct cgfs *c;
	pid_t pid;

	if (!world_v2(w, CGFS_PIDS) && !world_v2(w, CGFS_MEMORY))
		world_skip(w, "no controller of cgroup2 has this rule here");
	make_root_by_hand(w);
	pid = world_spawn(w);
	CHECK_INT(w->ops->move(w, UNIFIED, w->root, pid), 0);
	c = world_context(w, WORLD_POLICY);
	CHECK_HAS(REFUSED(cgfs_container_create(c, NULL, "c1", NULL, &none, &err), -EBUSY),
		  "processes");
	CHECK(world_alive(w, pid));
	CHECK(w->ops->exists(w, UNIFIED, w->root));
	world_check_groups(w, 0);
	w->ops->exit(w, pid);
	world_gone(w, pid);
}

WORLD_TEST(root_two_contexts_see_the_same_pods)
{
	struct cgfs *a = world_context(w, WORLD_POLICY), *b = world_context(w, WORLD_FILES);
	struct cgfs_group *web = world_pod(w, a, "web", NULL), *seen = NULL;
	struct cgfs_group *db = world_pod(w, b, "db", NULL);
	struct cgfs_group *ctr = world_container(w, web, a, "c1", NULL);
	pid_t pid = world_spawn_in(w, ctr);

	world_check_groups(w, 3);
	OK(cgfs_pod_open(b, "web", &seen, &err));
	world_track(w, seen);
	CHECK_INT(cgfs_group_cgroup_id(seen), cgfs_group_cgroup_id(web));
	/* One context removes what the other one made. */
	OK(cgfs_group_remove(seen, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_gone(w, pid);
	world_check_groups(w, 1);
	CHECK(w->ops->exists(w, UNIFIED, cgfs_group_path(db)) ||
	      world_version(w, UNIFIED) == CGFS_NONE);
	REFUSED(cgfs_root_remove(a, &err), -ENOTEMPTY);
}

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV || r == -ESTALE;
}

/* Every operation on a handle whose directories are no more. */
static void use_dead_handle(struct world *w, struct cgfs_group *g)
{
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_stats stats = CGFS_STATS_INIT;
	struct cgfs_err err = { 0 };
	pid_t pid = world_spawn(w), *pids = NULL;
	size_t n = 0;
	int r;

	r = cgfs_group_stats(g, CGFS_READ_ALL, &stats, &err);
	CHECK_MSG(is_gone(r), "stats: %d", r);
	CHECK(err.text[0]);
	res.set = CGFS_SET_CPU_WEIGHT;
	res.cpu_weight = 50;
	r = cgfs_group_set(g, &res, NULL, &err);
	CHECK_MSG(is_gone(r), "set: %d", r);
	r = cgfs_group_add_pid(g, pid, &err);
	CHECK_MSG(is_gone(r) || (r == -EINVAL && cgfs_group_is_pod(g)), "add_pid: %d: %s", r,
		  err.text);
	CHECK(world_alive(w, pid));
	r = cgfs_group_pids(g, &pids, &n, &err);
	CHECK_MSG(is_gone(r) || (r == 0 && n == 0), "pids: %d", r);
	r = cgfs_group_freeze(g, 100, &err);
	CHECK_MSG(is_gone(r), "freeze: %d", r);
	r = cgfs_group_thaw(g, &err);
	CHECK_MSG(is_gone(r) || r == 0, "thaw: %d", r);
	r = cgfs_group_kill(g, &err);
	CHECK_MSG(is_gone(r) || r == 0, "kill: %d", r);
	w->ops->exit(w, pid);
}

WORLD_TEST(root_handles_outlive_destroy)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_group *late = NULL;

	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	use_dead_handle(w, ctr);
	CHECK(cgfs_container_create(c, pod, "c2", NULL, &late, NULL) < 0);
	world_close_group(w, pod);
	use_dead_handle(w, ctr);
	world_check_groups(w, 0);
}

WORLD_TEST(root_handles_outlive_a_foreign_rmdir)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	struct cgfs_group *pod = world_pod(w, c, "web", NULL);
	struct cgfs_group *ctr = world_container(w, pod, c, "c1", NULL);
	struct cgfs_group *late = NULL;
	struct cgfs_err e = { 0 };
	struct cgfs_stats stats = CGFS_STATS_INIT;
	int r;

	OK(cgfs_group_stats(ctr, CGFS_READ_ALL, &stats, &err));
	remove_behind(w, cgfs_group_path(ctr));
	remove_behind(w, cgfs_group_path(pod));
	use_dead_handle(w, ctr);
	use_dead_handle(w, pod);
	r = cgfs_container_create(c, pod, "c2", NULL, &late, &e);
	CHECK_MSG(r < 0, "a container was made in a pod that is gone");
	CHECK_INT(w->ops->directories(w), 0);
	/* Nothing is left to remove, which is a success. */
	OK(cgfs_group_remove(ctr, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	OK(cgfs_group_remove(pod, CGFS_REMOVE_OPTS_WAIT(PATIENCE_MS), &err));
	world_close_group(w, ctr);
	world_close_group(w, pod);
	/* The name is free again. */
	world_pod(w, c, "web", NULL);
}

/* The same name, made anew by another process: the old handle must not touch it. */
WORLD_TEST(root_replaced_group_is_not_touched)
{
	struct cgfs *a = world_context(w, WORLD_FILES), *b = world_context(w, WORLD_FILES);
	struct cgfs_resources res = CGFS_RESOURCES_INIT;
	struct cgfs_group *old = world_pod(w, a, "web", NULL), *new;
	struct cgfs_err e = { 0 };
	int r;

	world_need(w, CGFS_PIDS);
	res.set = CGFS_SET_PIDS_MAX;
	res.pids_max = 10;
	OK(cgfs_group_set(old, &res, NULL, &err)); /* it holds its directory */
	remove_behind(w, cgfs_group_path(old));
	new = world_pod(w, b, "web", NULL);
	res.pids_max = 5;
	r = cgfs_group_set(old, &res, NULL, &e);
	CHECK_MSG(is_gone(r), "set: %d", r);
	CHECK_STR(world_cat(w, CGFS_PIDS, new, "pids.max"), "max");
	world_close_group(w, old);
}

/* What systemd delegates to a user has a name that no pod may have. */
WORLD_TEST(root_below_a_unit_of_systemd)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	char root[256], pod[300];
	struct cgfs_group *g;
	struct cgfs *c = NULL;

	CHECK(w->n_contexts < WORLD_CONTEXTS_MAX);
	snprintf(root, sizeof(root), "%s/user@1000.service/_app-a\\x2db.slice", w->root);
	snprintf(pod, sizeof(pod), "%s/web", root);
	opts.root = root;
	w->ops->options(w, WORLD_FILES, &opts);
	OK(cgfs_open(&opts, &c, &err));
	w->contexts[w->n_contexts++] = c;
	g = world_pod(w, c, "web", NULL);
	CHECK_STR(cgfs_group_path(g), pod);
	world_container(w, g, c, "c1", NULL);
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK(world_version(w, ctl) == CGFS_NONE || w->ops->exists(w, ctl, pod));
	world_destroy(w, w->groups[w->n_groups - 1]);
	world_destroy(w, g);
	OK(cgfs_root_remove(c, &err));
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK(!w->ops->exists(w, ctl, w->root));
}

/* Nothing stays of what has no handle: at the top of a hierarchy that is the whole machine. */
WORLD_TEST(root_top_is_not_swept_empty)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	struct cgfs *c = NULL;
	pid_t pid;

	if (w->kind->live)
		world_skip(w, "it would be the end of this one");
	pid = world_spawn(w);
	CHECK_INT(w->ops->mkdir(w, CGFS_PIDS, "/system.slice"), 0);
	CHECK_INT(w->ops->move(w, CGFS_PIDS, "/system.slice", pid), 0);
	w->ops->options(w, WORLD_FILES, &opts);
	opts.root = NULL;
	opts.top = true;
	OK(cgfs_open(&opts, &c, &err));
	CHECK_HAS(REFUSED(cgfs_sweep(c, NULL, NULL, PATIENCE_MS, NULL, &err), -EINVAL), "machine");
	CHECK(world_alive(w, pid));
	cgfs_close(c);
	w->ops->exit(w, pid);
	world_gone(w, pid);
	CHECK_INT(w->ops->rmdir(w, CGFS_PIDS, "/system.slice"), 0);
}

/* The context of an earlier and of a later process: the part that another program made stays, with
 * its limit; the parts that the earlier one made go. */
WORLD_TEST(root_parts_of_others_stay)
{
	struct cgfs_open_opts opts = CGFS_OPEN_OPTS_INIT;
	char root[400], middle[300];
	struct cgfs *c = NULL;

	make_root_by_hand(w);
	snprintf(middle, sizeof(middle), "%s/a", w->root);
	snprintf(root, sizeof(root), "%s/pods", middle);
	for (int later = 0; later < 2; later++) {
		opts.root = root;
		w->ops->options(w, WORLD_FILES, &opts);
		OK(cgfs_open(&opts, &c, &err));
		w->contexts[w->n_contexts++] = c;
		world_destroy(w, world_pod(w, c, "web", NULL));
		if (later)
			OK(cgfs_root_remove(c, &err));
		else
			world_restart(w);
	}
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		if (world_version(w, ctl) == CGFS_NONE)
			continue;
		CHECK(w->ops->exists(w, ctl, w->root));
		CHECK(!w->ops->exists(w, ctl, middle));
	}
}

/* A directory in which all users may make groups of their own has the sticky bit, too. */
static void let_all_users_make_groups(struct world *w)
{
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++) {
		char path[512];

		if (world_version(w, ctl) == CGFS_NONE || world_fake(w))
			continue;
		snprintf(path, sizeof(path), "%s%s", w->ops->mount(w, ctl), w->root);
		CHECK_INT(chmod(path, S_ISVTX | 0777), 0);
	}
}

/* The root itself was made by another program, before or while it was used. */
WORLD_TEST(root_of_others_stays)
{
	struct cgfs_group *pod;
	struct cgfs *c;

	make_root_by_hand(w);
	let_all_users_make_groups(w);
	c = world_context(w, WORLD_FILES);
	pod = world_pod(w, c, "web", NULL);
	REFUSED(cgfs_root_remove(c, &err), -ENOTEMPTY);
	world_destroy(w, pod);
	OK(cgfs_root_remove(c, &err));
	world_restart(w);
	c = world_context(w, WORLD_FILES);
	OK(cgfs_root_remove(c, &err));
	for (int ctl = 0; ctl <= CGFS_CONTROLLER_COUNT; ctl++)
		CHECK(world_version(w, ctl) == CGFS_NONE || w->ops->exists(w, ctl, w->root));
	world_destroy(w, world_pod(w, c, "web", NULL));
}

WORLD_TEST(root_churn_leaves_nothing)
{
	struct cgfs *c = world_context(w, WORLD_POLICY);
	size_t fds;

	world_destroy(w, world_pod(w, c, "warm-up", NULL));
	fds = world_fds();
	for (int i = 0; i < 50; i++) {
		struct cgfs_group *pod = world_pod(w, c, "web", NULL);

		world_container(w, pod, c, "c1", NULL);
		world_check_groups(w, 2);
		world_destroy(w, w->groups[w->n_groups - 1]);
		world_destroy(w, pod);
		world_check_groups(w, 0);
	}
	CHECK_INT(world_fds(), fds);
}
