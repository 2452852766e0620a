/* SPDX-License-Identifier: MIT */
/*
 * life.c - the life of a group over all objects: added, changed, counted, gone.  Owns the lock and
 * the order; knows no object.  Every change is ordered so that a process that is killed half way
 * leaves what the next one finds and clears away.
 */
#include "bpf/policy/policy.h"
#include "cgfs/base/sized.h"

#include <bpf/bpf.h>
#include <stdio.h>

int cgfs_bpf_add_to_all(struct cgfs_bpf *b, struct object_group *g, struct cgfs_err *reterr)
{
	int r = 0;

	FOR_ALL (b, o, group_added)
		r = r < 0 ? r : o->ops->group_added(o, g, reterr);
	return r;
}

static int change_in_all(struct cgfs_bpf *b, const struct object_group *g, struct cgfs_err *reterr)
{
	int r = 0;

	FOR_ALL (b, o, group_changed)
		r = r < 0 ? r : o->ops->group_changed(o, g, reterr);
	return r;
}

/* The group may be unknown to the map, and remembered by this process all the same. */
static int drop_group(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_err *reterr)
{
	struct cgfs_group there;
	bool known = cgfs_bpf_group_read(b->groups, cgroup_id, &there) == 0;
	int r = 0;

	cgfs_bpf_find_late(b);
	for (size_t i = b->n; i-- > 0 && r == 0;) {
		struct object *o = b->object[i];

		if (o->on && o->ops->group_removed)
			r = o->ops->group_removed(o, cgroup_id, known ? &there : NULL, reterr);
	}
	if (r == 0)
		cgfs_bpf_events_removed(b);
	return r;
}

struct sweep {
	struct cgfs_bpf *b;
	int tree_fd; /* or negative */
};

/*
 * A link whose cgroup is gone shows the cgroup id 0, but only when the kernel has come to release
 * it, some 100 ms later.  The tree itself knows at once.
 */
static bool cgroup_gone(const char *path, uint64_t cgroup_id, int tree_fd)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	auto_fd int fd = bpf_obj_get(path);
	auto_fd int dir = -EBADF;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return false;
	if (info.cgroup.cgroup_id && tree_fd >= 0)
		dir = cgfs_bpf_group_open(tree_fd, cgroup_id, O_PATH);
	return !info.cgroup.cgroup_id || dir == -ESTALE;
}

static int sweep_link(void *arg, const char *name, uint64_t cgroup_id)
{
	const struct sweep *s = arg;
	char path[CGFS_BPF_PATH];

	cgfs_bpf_path(&s->b->pins, name, path);
	if (!cgroup_gone(path, cgroup_id, s->tree_fd) || drop_group(s->b, cgroup_id, NULL) < 0)
		return 0;
	return cgfs_bpf_unpin_name(&s->b->pins, name, NULL);
}

static bool group_alive(struct cgfs_bpf *b, uint64_t cgroup_id)
{
	bool alive = true;

	FOR_ALL (b, o, group_alive)
		alive &= o->ops->group_alive(o, cgroup_id);
	return alive;
}

static int sweep_groups(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	uint64_t id, next;
	int more, r = 0;

	for (more = cgfs_bpf_group_first(b->groups, &next); more == 1 && r == 0;) {
		id = next;
		more = cgfs_bpf_group_next(b->groups, &next);
		if (!group_alive(b, id))
			r = drop_group(b, id, reterr);
	}
	return r;
}

/* Before the first change: learn what is pinned, and clear away what crashes left. */
static int look_around(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	struct sweep s = { b, -EBADF };
	bool learnt = false;
	int r = 0;

	FOR_ALL (b, o, scan) {
		r = r < 0 ? r : o->ops->scan(o, reterr);
		learnt |= r > 0;
	}
	if (r < 0 || !learnt)
		return r;
	r = cgfs_bpf_links(&b->pins, sweep_link, &s, reterr);
	return r < 0 ? r : sweep_groups(b, reterr);
}

/* Common to all changes: the lock held, the past known.  @tree_fd may be negative. */
static int begin(struct cgfs_bpf *b, int tree_fd, struct cgfs_err *reterr)
{
	int r = cgfs_bpf_writable(&b->pins, reterr);

	if (r == 0)
		r = cgfs_bpf_lock(&b->pins, reterr);
	if (r < 0)
		return r;
	r = look_around(b, reterr);
	if (r == 0)
		r = cgfs_bpf_attach_all(b, tree_fd, reterr);
	if (r < 0)
		cgfs_bpf_unlock(&b->pins);
	return r;
}

int cgfs_bpf_add(void *ctx, const struct cgfs_policy_group *group,
		 const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr)
{
	struct object_group g = { .group = group, .rules = rules, .n_rules = n };
	struct cgfs_bpf *b = ctx;
	int r = begin(b, group->cgroup_fd, reterr);

	if (r < 0)
		return r;
	r = cgfs_bpf_add_to_all(b, &g, reterr);
	if (r == 0)
		r = cgfs_bpf_clear_budget(b, group, reterr);
	if (r < 0 && g.made)
		ignore(drop_group(b, group->cgroup_id, NULL));
	cgfs_bpf_events_changed(b);
	cgfs_bpf_unlock(&b->pins);
	if (r < 0)
		return cgfs_err_context(reterr, r, "device policy of %s", label(group));
	return 0;
}

int cgfs_bpf_set_rules(void *ctx, const struct cgfs_policy_group *group,
		       const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr)
{
	struct object_group g = { .group = group, .rules = rules, .n_rules = n };
	struct cgfs_bpf *b = ctx;
	int r = begin(b, group->cgroup_fd, reterr);

	if (r < 0)
		return r;
	r = cgfs_bpf_group_read(b->groups, group->cgroup_id, &g.there);
	if (r < 0)
		err_why(reterr, r, "device rules of", label(group),
			"the device policy does not know it");
	else
		r = change_in_all(b, &g, reterr);
	cgfs_bpf_events_changed(b);
	cgfs_bpf_unlock(&b->pins);
	return r;
}

/* The group is found by its number alone: the caller may not know its names. */
int cgfs_bpf_remove(void *ctx, const struct cgfs_policy_group *group, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	int r = begin(b, -EBADF, reterr);

	if (r < 0)
		return r;
	b->pins.detach_later = SIZED_HAS(group, detach_later) && group->detach_later;
	r = drop_group(b, group->cgroup_id, reterr);
	b->pins.detach_later = false;
	cgfs_bpf_unlock(&b->pins);
	return r;
}

int cgfs_bpf_sweep(void *ctx, int cgroup2_fd, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	struct sweep s = { b, cgroup2_fd };
	int r = begin(b, cgroup2_fd, reterr);

	if (r < 0)
		return r;
	r = cgfs_bpf_links(&b->pins, sweep_link, &s, reterr);
	cgfs_bpf_unlock(&b->pins);
	return r;
}

int cgfs_bpf_counters(void *ctx, uint64_t cgroup_id, struct cgfs_policy_counters *ret)
{
	struct cgfs_policy_counters c = { 0 };
	struct cgfs_bpf *b = ctx;
	struct cgfs_group there;
	int r = cgfs_bpf_group_read(b->groups, cgroup_id, &there);

	cgfs_bpf_find_late(b);
	FOR_ALL (b, o, counters)
		r = r < 0 ? r : o->ops->counters(o, cgroup_id, &there, &c);
	if (r < 0)
		return r;
	SIZED_OUT(ret, &c);
	return 0;
}

/* Where a group's cgroup is; false when that is gone, or no tree shows it. */
static bool find_path(uint64_t cgroup_id, char *path, size_t len)
{
	auto_fd int tree = cgfs_bpf_open_tree();
	auto_fd int fd = tree < 0 ? tree : cgfs_bpf_group_open(tree, cgroup_id, O_PATH);
	char proc[40];
	ssize_t n;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	n = fd < 0 ? -1 : readlink(proc, path, len - 1);
	path[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static int refuse_left(const struct cgfs_bpf *b, uint64_t id, size_t n, struct cgfs_err *reterr)
{
	struct cgfs_event names = CGFS_EVENT_INIT;
	char path[512];

	cgfs_bpf_names(b->groups, id, &names);
	return cgfs_err_set(reterr, -EBUSY, "unpin", b->pins.dir, NULL,
			    "groups are left: %zu, such as \"%.80s%s%.80s\" (cgroup %llu, %s)", n,
			    names.pod, names.pod[0] && names.container[0] ? "/" : "",
			    names.container, (unsigned long long)id,
			    find_path(id, path, sizeof(path)) ? path : "no directory found");
}

int cgfs_bpf_no_groups(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	uint64_t id, first = 0;
	int r = look_around(b, reterr), more;
	size_t n = 0;

	if (r < 0)
		return r;
	for (more = cgfs_bpf_group_first(b->groups, &id); more == 1;
	     more = cgfs_bpf_group_next(b->groups, &id)) {
		first = n ? first : id;
		n++;
	}
	if (more < 0)
		return err_file(reterr, more, "read", "groups");
	return n ? refuse_left(b, first, n, reterr) : 0;
}
