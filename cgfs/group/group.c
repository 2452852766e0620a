/* SPDX-License-Identifier: MIT */
/*
 * group.c - handles: create, open, close, and the lists.  A create either is complete or
 * leaves nothing.  Operations on a group (limits, kill, freeze) are in other files.
 */
#include "cgfs/group/group.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/device/devices.h"
#include "cgfs/controller/memory/admit.h"
#include "cgfs/controller/process/room.h"
#include "cgfs/controller/process/subtree.h"
#include "cgfs/group/root.h"
#include "cgfs/request/check.h"
#include "cgfs/tree/descriptors.h"
#include "cgfs/tree/dir.h"
#include "cgfs/tree/fs.h"

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
	kill_free(g);
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
		struct cgfs_dir d = dir_in(g, c->unified);

		return dir_error(&d, r, "stat", NULL, NULL, reterr);
	}
	return 0;
}

/* Makes the directory in each hierarchy; *ret_made has a bit for each that is now ours. */
static int make_directories(struct cgfs_group *g, uint32_t *ret_made, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;
	bool again = true;

	for (int i = 0; i < c->n; i++) {
		int r = c->fs->ops->mkdir(c->fs->ctx, c->hierarchy[i].root_fd, g->rel, 0755);

		if (is_gone(r) && !g->pod && again) {
			/* Another process removed the pods root, perhaps in this hierarchy only:
			 * it is made again, once. */
			again = false;
			root_forget(c);
			r = root_ensure(c, reterr);
			if (r < 0)
				return r;
			i--;
			continue;
		}
		if (r == -EEXIST)
			return err_why(reterr, r, NULL, NULL, "the id is in use");
		if (r < 0) {
			struct cgfs_dir d = dir_in(g, i);

			r = dir_error(&d, r, "mkdir", NULL, NULL, reterr);
			return room_mkdir(c, i, g->path, r, reterr);
		}
		*ret_made |= 1u << i;
	}
	return 0;
}

/* Takes back a create that failed.  Nothing was in the directories for longer than this call,
 * so what cannot be removed is in use by another process; the first failure is reported. */
static void unmake(struct cgfs_group *g, uint32_t made, uint32_t enabled)
{
	struct cgfs *c = g->c;

	if (c->policy && g->cgroup_id) {
		struct cgfs_policy_group p;

		group_policy(g, &p);
		ignore(c->policy->ops->remove(c->policy->ctx, &p, NULL));
	}
	for (int i = 0; i < c->n; i++) {
		group_close_fd(g, &g->dir[i]);
		if (made & (1u << i))
			ignore(c->fs->ops->rmdir(c->fs->ctx, c->hierarchy[i].root_fd, g->rel));
	}
	subtree_close(g->pod, enabled);
}

static int make(struct cgfs_group *g, const struct cgfs_resources *res, uint32_t *made,
		uint32_t *enabled, struct cgfs_err *reterr)
{
	const struct cgfs_policy_admit unlimited = {
		.sz = sizeof(unlimited),
		.budget_bytes = CGFS_MAX,
	};
	const struct cgfs_device_rule *rules = NULL;
	size_t n = 0;
	int r;

	if (g->pod) {
		r = subtree_open(g->pod, enabled, reterr);
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
		if (r == 0 && (res->set & ADMIT_BITS))
			r = admit_apply(g, res, &unlimited, reterr);
		if (r < 0)
			return r;
	}
	return oom_watch(g, reterr);
}

static int create(struct cgfs *c, struct cgfs_group *pod, const char *id, bool is_pod,
		  const struct cgfs_resources *user, struct cgfs_group **ret,
		  struct cgfs_err *reterr)
{
	struct cgfs_resources own;
	const struct cgfs_resources *res = user ? &own : NULL;
	struct cgfs_group *g;
	bool was_ready;
	uint32_t made = 0, enabled = 0;
	int r = resources_in(&own, user, reterr);

	if (r == 0)
		r = check_writable(c, NULL, reterr);
	if (r == 0)
		r = cgfs_id_check(id, reterr);
	if (r < 0)
		return r;
	if (pod && (!pod->is_pod || pod->state != GROUP_LIVE))
		return err_value(reterr, -EINVAL, NULL, pod->id,
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
	r = g ? make(g, res, &made, &enabled, reterr) : err_file(reterr, -ENOMEM, NULL, NULL);
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
	struct cgfs_dir tree, memory;
	struct cgfs_group *g;
	int r, fd;

	r = cgfs_id_check(id, reterr);
	if (r == 0)
		r = root_find(c, reterr);
	if (r < 0)
		return r;
	g = group_new(c, pod, id, is_pod);
	if (!g)
		return err_file(reterr, -ENOMEM, NULL, NULL);
	tree = dir_in(g, c->unified);
	memory = dir_of(g, CGFS_MEMORY);

	/* A crash, or the rmdir of another process, may have left the directory in some
	 * hierarchies only; the handle then serves to read and to remove those. */
	r = -ENOENT;
	for (int i = 0; i < c->n && r == -ENOENT; i++)
		r = group_dir(g, i, &fd, reterr);
	if (r == -ENOENT)
		r = err_why(reterr, -ENOENT, NULL, NULL, "there is none in %s", cgfs_root(c));
	else if (r == 0)
		r = group_part_lost(&tree, identify(g, reterr));
	if (r == 0)
		r = devices_apply(g, NULL, 0, false, reterr);
	if (r == 0)
		r = group_part_lost(&memory, oom_watch(g, reterr));
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
			return err_file(reterr, r, "list", w.failed[0] ? w.failed : path);
		}
		if (r > 0)
			return r;
	}
	return 0;
}

int cgfs_pod_list(struct cgfs *c, int (*fn)(void *arg, const char *id), void *arg,
		  struct cgfs_err *reterr)
{
	/* The root of who only looks may be gone, and another one there, since it was opened. */
	if (c->read_only)
		root_forget(c);
	return list(c, "", fn, arg, reterr);
}

int cgfs_container_list(struct cgfs_group *pod, int (*fn)(void *arg, const char *id), void *arg,
			struct cgfs_err *reterr)
{
	return list(pod->c, pod->rel, fn, arg, reterr);
}
