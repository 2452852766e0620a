/* SPDX-License-Identifier: MIT */
/*
 * group.c - handles: create, open, close, and the lists.  A create either is complete or
 * leaves nothing.  What a group is told to do (limits, kill, freeze) is in other files.
 */
#include "controller/table.h"
#include "core.h"

#include <stdio.h>

static struct cgfs_group *group_new(struct cgfs *c, struct cgfs_group *pod, const char *id,
				    bool is_pod)
{
	size_t root = strlen(c->root), parent = pod ? strlen(pod->rel) + 1 : 0;
	struct cgfs_group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->path = malloc(root + 1 + parent + strlen(id) + 1);
	if (!g->path) {
		free(g);
		return NULL;
	}
	sprintf(g->path, "%s/%s%s%s", c->root, pod ? pod->rel : "", pod ? "/" : "", id);
	g->rel = g->path + root + 1;
	g->id = g->rel + parent;
	g->c = c;
	g->refs = 1;
	g->is_pod = is_pod;
	g->pod = pod;
	if (pod) {
		pod->refs++;
		pod->n_below++;
	}
	for (int i = 0; i < HIERARCHY_MAX; i++)
		g->dir[i] = -EBADF;
	g->next = c->groups;
	g->prev = &c->groups;
	if (g->next)
		g->next->prev = &g->next;
	c->groups = g;
	return g;
}

static void group_free(struct cgfs_group *g)
{
	oom_unwatch(g);
	watch_free(g);
	removal_free(g);
	group_close_all(g);
	*g->prev = g->next;
	if (g->next)
		g->next->prev = g->prev;
	if (g->pod)
		g->pod->n_below--;
	free(g->kept);
	free(g->inode);
	devices_forget(g);
	free(g->path);
	free(g);
}

void cgfs_group_close(struct cgfs_group *g)
{
	while (g && --g->refs == 0) {
		struct cgfs_group *pod = g->pod;

		group_free(g);
		g = pod;
	}
}

struct cgfs_group *group_walk(struct cgfs *c, struct cgfs_group *g)
{
	struct cgfs_group *next = g ? g->next : c->groups;

	if (next)
		next->refs++;
	cgfs_group_close(g);
	return next;
}

void group_policy(const struct cgfs_group *g, struct cgfs_policy_group *ret)
{
	*ret = (struct cgfs_policy_group){
		.cgroup_fd = g->dir[g->c->unified],
		.cgroup_id = g->cgroup_id,
		.pod_cgroup_id = g->pod ? g->pod->cgroup_id : g->cgroup_id,
		.pod = g->is_pod ? g->id
		       : g->pod	 ? g->pod->id
				 : "",
		.container = g->is_pod ? "" : g->id,
	};
}

/* The cgroup2 directory is opened at once: its inode is the group's identity. */
static int identify(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;
	int fd, r;

	if (c->unified < 0)
		return 0;
	r = group_dir(g, c->unified, &fd, reterr);
	if (r < 0)
		return r;
	r = c->fs->ops->inode(c->fs->ctx, fd, &g->cgroup_id);
	if (r < 0) {
		struct cgfs_dir d = { g, c->unified, NULL };

		return dir_error(&d, r, "stat", NULL, NULL, reterr);
	}
	return 0;
}

/* Controllers for a pod's containers, before the first of them is made. */
static int open_subtree(struct cgfs_group *pod, uint32_t *ret_enabled, struct cgfs_err *reterr)
{
	struct cgfs *c = pod->c;
	char path[512];
	int fd, r;

	if (c->unified < 0 || pod->subtree)
		return 0;
	r = group_dir(pod, c->unified, &fd, reterr);
	if (r < 0)
		return r;
	group_file_path(pod, c->unified, NULL, path, sizeof(path));
	r = subtree_enable(c, c->unified, fd, path, ret_enabled, reterr);
	if (r < 0)
		return r;
	pod->subtree = true;
	return 0;
}

/* Makes the directory in each hierarchy; *ret_made has a bit for each that is now ours. */
static int make_directories(struct cgfs_group *g, uint32_t *ret_made, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;
	bool again = true;

	for (int i = 0; i < c->n; i++) {
		int r = c->fs->ops->mkdir(c->fs->ctx, c->hierarchy[i].root_fd, g->rel, 0755);

		if (r == -ENOENT && !g->pod && !*ret_made && again) {
			/* Somebody removed the empty pods root under us: make it again, once. */
			again = false;
			root_forget(c);
			r = root_ensure(c, reterr);
			if (r < 0)
				return r;
			i--;
			continue;
		}
		if (r == -EEXIST)
			return cgfs_err_set(reterr, r, NULL, NULL, NULL, "the id is in use");
		if (r < 0) {
			struct cgfs_dir d = { g, i, NULL };

			return dir_error(&d, r, "mkdir", NULL, NULL, reterr);
		}
		*ret_made |= 1u << i;
	}
	return 0;
}

/* Takes back a create that failed.  Nothing was in the directories for longer than this call,
 * so what refuses to go is somebody else's doing; the caller hears of the first failure. */
static void unmake(struct cgfs_group *g, uint32_t made, uint32_t enabled)
{
	struct cgfs *c = g->c;

	if (c->policy && g->cgroup_id) {
		struct cgfs_policy_group p;

		group_policy(g, &p);
		(void)!c->policy->ops->remove(c->policy->ctx, &p, NULL);
	}
	for (int i = 0; i < c->n; i++) {
		group_close_fd(g, &g->dir[i]);
		if (made & (1u << i))
			(void)!c->fs->ops->rmdir(c->fs->ctx, c->hierarchy[i].root_fd, g->rel);
	}
	if (enabled) {
		(void)!subtree_disable(c, g->pod->dir[c->unified], "", &enabled, NULL);
		g->pod->subtree = false;
	}
}

static int make(struct cgfs_group *g, const struct cgfs_resources *res, uint32_t *made,
		uint32_t *enabled, struct cgfs_err *reterr)
{
	const struct cgfs_device_rule *rules = NULL;
	size_t n = 0;
	int r;

	if (g->pod) {
		r = open_subtree(g->pod, enabled, reterr);
		if (r < 0)
			return r;
	}
	r = make_directories(g, made, reterr);
	if (r < 0)
		return r;
	r = identify(g, reterr);
	if (r == 0)
		r = root_prepare_group(g, reterr);
	if (r < 0)
		return r;
	if (res && (res->set & CGFS_SET_DEVICES)) {
		rules = res->n_devices ? res->devices : no_devices;
		n = res->n_devices;
	} else if (!g->pod) {
		rules = cgfs_device_defaults(&n);
	}
	r = devices_apply(g, rules, n, true, reterr);
	if (r == -EPERM && g->c->rootless)
		r = rootless_devices(res && (res->set & CGFS_SET_DEVICES), reterr);
	if (r < 0)
		return r;
	if (res) {
		r = resources_apply(g, res, NULL, reterr);
		if (r < 0)
			return r;
	}
	return oom_watch(g, reterr);
}

static int create(struct cgfs *c, struct cgfs_group *pod, const char *id, bool is_pod,
		  const struct cgfs_resources *res, struct cgfs_group **ret,
		  struct cgfs_err *reterr)
{
	struct cgfs_group *g;
	bool was_ready;
	uint32_t made = 0, enabled = 0;
	int r;

	r = cgfs_id_check(id, reterr);
	if (r < 0)
		return r;
	if (pod && (!pod->is_pod || pod->state != GROUP_LIVE))
		return cgfs_err_set(reterr, -EINVAL, NULL, NULL, pod->id,
				    pod->is_pod ? "the pod is being removed"
						: "is a container, not a pod");
	if (res) {
		r = resources_plan(c, res, reterr);
		if (r < 0)
			return r;
	}
	was_ready = root_ready(c);
	r = root_ensure(c, reterr);
	if (r < 0)
		return r;
	g = group_new(c, pod, id, is_pod);
	r = g ? make(g, res, &made, &enabled, reterr)
	      : cgfs_err_set(reterr, -ENOMEM, NULL, NULL, NULL, NULL);
	if (r < 0) {
		if (g) {
			unmake(g, made, enabled);
			g->state = GROUP_REMOVED;
			cgfs_group_close(g);
		}
		if (!was_ready)
			root_unmake(c);
		return r;
	}
	*ret = g;
	return 0;
}

int cgfs_pod_create(struct cgfs *c, const char *id, const struct cgfs_resources *res,
		    struct cgfs_group **ret, struct cgfs_err *reterr)
{
	int r = create(c, NULL, id, true, res, ret, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "create pod \"%.80s\"", id) : 0;
}

int cgfs_container_create(struct cgfs *c, struct cgfs_group *pod, const char *id,
			  const struct cgfs_resources *res, struct cgfs_group **ret,
			  struct cgfs_err *reterr)
{
	int r = create(c, pod, id, false, res, ret, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "create container \"%.80s\"", id) : 0;
}

static int open_group(struct cgfs *c, struct cgfs_group *pod, const char *id, bool is_pod,
		      struct cgfs_group **ret, struct cgfs_err *reterr)
{
	struct cgfs_group *g;
	int r, fd;

	r = cgfs_id_check(id, reterr);
	if (r == 0)
		r = root_find(c, reterr);
	if (r < 0)
		return r;
	g = group_new(c, pod, id, is_pod);
	if (!g)
		return cgfs_err_set(reterr, -ENOMEM, NULL, NULL, NULL, NULL);

	/* A crash may have left the directory in some hierarchies only; the handle then serves
	 * to remove those. */
	r = -ENOENT;
	for (int i = 0; i < c->n && r == -ENOENT; i++) {
		if (c->hierarchy[i].root_fd >= 0)
			r = group_dir(g, i, &fd, reterr);
	}
	if (r == -ENOENT) {
		cgfs_err_set(reterr, r, NULL, NULL, NULL, "there is none in %s", cgfs_root(c));
	} else if (r == 0) {
		r = identify(g, reterr);
		if (r == -ENOENT)
			r = 0;
	}
	if (r == 0)
		r = devices_apply(g, NULL, 0, false, reterr);
	if (r == 0)
		r = oom_watch(g, reterr);
	if (r < 0) {
		cgfs_group_close(g);
		return r;
	}
	*ret = g;
	return 0;
}

int cgfs_pod_open(struct cgfs *c, const char *id, struct cgfs_group **ret, struct cgfs_err *reterr)
{
	int r = open_group(c, NULL, id, true, ret, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "open pod \"%.80s\"", id) : 0;
}

int cgfs_container_open(struct cgfs *c, struct cgfs_group *pod, const char *id,
			struct cgfs_group **ret, struct cgfs_err *reterr)
{
	int r = open_group(c, pod, id, false, ret, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "open container \"%.80s\"", id) : 0;
}

const char *cgfs_group_id(const struct cgfs_group *g)
{
	return g->id;
}

struct cgfs_group *cgfs_group_pod(const struct cgfs_group *g)
{
	return g->pod;
}

bool cgfs_group_is_pod(const struct cgfs_group *g)
{
	return g->is_pod;
}

uint64_t cgfs_group_cgroup_id(const struct cgfs_group *g)
{
	return g->cgroup_id;
}

const char *cgfs_group_path(const struct cgfs_group *g)
{
	return g->path;
}

/* -- lists: the union over all hierarchies, each id once ---------------------------------- */

struct walk {
	struct cgfs *c;
	const char *rel; /* "" for the root, else the pod */
	int hierarchy;
	int (*fn)(void *arg, const char *id);
	void *arg;
	char failed[1800]; /* where seen() could not look */
};

/* Was the id already seen in an earlier hierarchy?  1, 0, or a negative errno. */
static int seen(struct walk *w, const char *id)
{
	char name[REL_MAX + 1];

	snprintf(name, sizeof(name), "%s%s%s", w->rel, *w->rel ? "/" : "", id);
	for (int i = 0; i < w->hierarchy; i++) {
		auto_door_fd struct door_fd d = { w->c, -EBADF };

		if (w->c->hierarchy[i].root_fd < 0)
			continue;
		d.fd = fs_open(w->c, w->c->hierarchy[i].root_fd, name, O_RDONLY | O_DIRECTORY);
		if (d.fd >= 0)
			return 1;
		if (d.fd != -ENOENT) {
			snprintf(w->failed, sizeof(w->failed), "%s%s/%s",
				 w->c->hierarchy[i].mount->path, w->c->root, name);
			return d.fd;
		}
	}
	return 0;
}

static int visit(void *arg, const char *name)
{
	struct walk *w = arg;
	int r;

	/* A name that is no id is not ours: systemd scopes, a container's own cgroups. */
	if (cgfs_id_check(name, NULL) < 0)
		return 0;
	r = seen(w, name);
	if (r != 0)
		return r < 0 ? r : 0;
	return w->fn(w->arg, name);
}

static int list(struct cgfs *c, const char *rel, int (*fn)(void *arg, const char *id), void *arg,
		struct cgfs_err *reterr)
{
	struct walk w = { .c = c, .rel = rel, .fn = fn, .arg = arg };
	char path[512];
	int r = root_find(c, reterr);

	if (r < 0)
		return r;
	for (w.hierarchy = 0; w.hierarchy < c->n; w.hierarchy++) {
		auto_door_fd struct door_fd d = { c, -EBADF };

		if (c->hierarchy[w.hierarchy].root_fd < 0)
			continue;
		d.fd = fs_open(c, c->hierarchy[w.hierarchy].root_fd, *rel ? rel : ".",
			       O_RDONLY | O_DIRECTORY);
		if (d.fd == -ENOENT)
			continue;
		r = d.fd < 0 ? d.fd : c->fs->ops->list(c->fs->ctx, d.fd, visit, &w);
		if (r < 0) {
			snprintf(path, sizeof(path), "%s%s%s%s",
				 c->hierarchy[w.hierarchy].mount->path, c->root, *rel ? "/" : "",
				 rel);
			return cgfs_err_set(reterr, r, "list", w.failed[0] ? w.failed : path, NULL,
					    NULL);
		}
		if (r > 0)
			return r;
	}
	return 0;
}

int cgfs_pod_list(struct cgfs *c, int (*fn)(void *arg, const char *id), void *arg,
		  struct cgfs_err *reterr)
{
	return list(c, "", fn, arg, reterr);
}

int cgfs_container_list(struct cgfs_group *pod, int (*fn)(void *arg, const char *id), void *arg,
			struct cgfs_err *reterr)
{
	return list(pod->c, pod->rel, fn, arg, reterr);
}
