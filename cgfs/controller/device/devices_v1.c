/* SPDX-License-Identifier: MIT */
/*
 * devices_v1.c - device lists on cgroup v1, where a group's list is bounded by its parent's and
 * every change must go through the whole tree below the group.  Owns the plan (what each cgroup
 * has and shall have) and the order of the writes; must not know what a list means.
 *
 * The kernel takes from all below what a cgroup loses, but gives them nothing that it gains.  So
 * a change goes down the tree to grow, up to shrink, and down again for what the kernel has taken
 * by the way.  What both the old and the new list deny is never granted.
 *
 * Kernel: security/device_cgroup.c
 */
#include "cgfs/controller/device/devices_v1.h"

#include "cgfs/base/util.h"
#include "cgfs/controller/base/report.h"
#include "cgfs/controller/device/devices_freeze.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>

/* The container decides how many cgroups are below it.  Those beyond lose what the kernel takes,
 * and gain nothing. */
#define NODES_MAX 512

struct node {
	int fd;
	int parent; /* index; -1: not ours */
	char *rel;
	bool fixed;   /* the pod of a container that changes */
	bool group;   /* a pod or a container, not what a container made */
	bool parents; /* it has children: its default cannot change */
	bool left;    /* the kernel cannot be given what it should have */
	struct cgfs_devices_v1 was, want;
};

struct devices_change {
	struct cgfs_group *g;
	bool fresh; /* the group was made just now: it has no note, and nothing is below it */
	struct node *node;
	int n;
	bool undoing; /* it is taken back, of which no report is made */
};

void devices_change_free(struct devices_change *t)
{
	if (!t)
		return;
	for (int i = 0; i < t->n; i++) {
		fs_close(t->g->c, &t->node[i].fd);
		free(t->node[i].rel);
		cgfs_devices_v1_free(&t->node[i].was);
		cgfs_devices_v1_free(&t->node[i].want);
	}
	free(t->node);
	free(t);
}

/* An error that names a file, or with "" the directory, of the cgroup @rel. */
static int fail(struct devices_change *t, int code, const char *op, const char *rel,
		const char *file, const char *value, struct cgfs_err *reterr)
{
	char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
	struct cgfs_group at = { .c = t->g->c, .path = dir };

	snprintf(dir, sizeof(dir), "%s/%s", t->g->c->root, rel);
	group_file_path(&at, t->g->c->place[CGFS_DEVICES].hierarchy, file, path, sizeof(path));
	return cgfs_err_set(reterr, code, op, path, value, NULL);
}

/* -- the tree ---------------------------------------------------------------------------------- */

static int add_node(struct devices_change *t, int fd, int parent, const char *rel, bool group,
		    struct cgfs_err *reterr)
{
	struct node *more = reallocarray(t->node, (size_t)t->n + 1, sizeof(*more));
	char *copy = strdup(rel);

	if (more)
		t->node = more;
	if (!more || !copy) {
		fs_close(t->g->c, &fd);
		free(copy);
		return err_file(reterr, -ENOMEM, "set", "devices");
	}
	t->node[t->n++] = (struct node){ .fd = fd, .parent = parent, .rel = copy, .group = group };
	return 0;
}

struct names {
	char **name;
	size_t n;
};

static int push_name(void *arg, const char *name)
{
	struct names *l = arg;
	char **more = reallocarray(l->name, l->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	l->name = more;
	more[l->n] = strdup(name);
	if (!more[l->n])
		return -ENOMEM;
	return ++l->n > NODES_MAX;
}

/* Those below node @at, breadth first, so that a parent is before its children. */
static int add_children(struct devices_change *t, int at, struct cgfs_err *reterr)
{
	struct cgfs *c = t->g->c;
	struct names l = { NULL, 0 };
	bool groups = t->g->is_pod && at == 0;
	int r = c->fs->ops->list(c->fs->ctx, t->node[at].fd, push_name, &l);

	r = r < 0 && r != -ENOENT ? fail(t, r, "list", t->node[at].rel, "", NULL, reterr) : 0;
	t->node[at].parents = l.n > 0;
	for (size_t i = 0; i < l.n && r == 0 && t->n < NODES_MAX; i++) {
		char rel[FILE_PATH_MAX];
		int fd = fs_open(c, t->node[at].fd, l.name[i], O_RDONLY | O_DIRECTORY);

		if (fd == -ENOENT)
			continue;
		snprintf(rel, sizeof(rel), "%s/%s", t->node[at].rel, l.name[i]);
		r = fd < 0 ? fail(t, fd, "open", rel, "", NULL, reterr)
			   : add_node(t, fd, at, rel, groups, reterr);
	}
	for (size_t i = 0; i < l.n; i++)
		free(l.name[i]);
	free(l.name);
	return r;
}

static int add_group(struct devices_change *t, struct cgfs_group *g, int parent,
		     struct cgfs_err *reterr)
{
	int hierarchy = g->c->place[CGFS_DEVICES].hierarchy, fd;
	int r = group_dir(g, hierarchy, &fd, reterr);

	if (r < 0)
		return r;
	fd = fs_open(g->c, fd, ".", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fail(t, fd, "open", g->rel, "", NULL, reterr);
	return add_node(t, fd, parent, g->rel, true, reterr);
}

static int gather(struct devices_change *t, struct cgfs_err *reterr)
{
	struct cgfs_group *g = t->g;
	int r = 0;

	if (g->pod) {
		r = add_group(t, g->pod, -1, reterr);
		if (r == 0)
			t->node[0].fixed = t->node[0].parents = true;
	}
	if (r == 0)
		r = add_group(t, g, t->n - 1, reterr);
	for (int i = g->pod ? 1 : 0; i < t->n && r == 0 && !t->fresh; i++)
		r = add_children(t, i, reterr);
	return r;
}

/* -- what each has and shall have -------------------------------------------------------------- */

/* The set of a list of its own within the parent's set (NULL: there is no bound). */
static int within(const struct cgfs_devices_v1 *outer, const struct own_list *own,
		  enum cgfs_devices_v1_default want, struct cgfs_devices_v1 *ret,
		  struct cgfs_err *reterr)
{
	struct cgfs_devices_v1 inner = CGFS_DEVICES_V1_INIT;
	int r = cgfs_devices_v1_compile(own->rules, own->n, outer ? CGFS_DEVICES_V1_EITHER : want,
					outer ? &inner : ret, reterr);
	if (r == 0 && outer)
		r = cgfs_devices_v1_intersect(outer, &inner, want, ret, reterr);
	cgfs_devices_v1_free(&inner);
	return r;
}

/* The list that a group has of its own; without a note it is what v1 shows: never more. */
static int own_of(struct devices_change *t, const struct node *node, struct own_list *ret,
		  struct cgfs_err *reterr)
{
	int r = devices_noted(t->g->c, node->fd, ret, NULL);
	if (r < 0 && r != -ENODATA)
		return fail(t, r, "read the note of", node->rel, "", NULL, reterr);
	return r == -ENODATA ? shown_list(&node->was, ret, reterr) : r;
}

/* devices.list hides the exceptions from "allow": these are all that the library may have made. */
static int guess_denials(struct devices_change *t, struct node *node, const struct own_list *own,
			 struct cgfs_err *reterr)
{
	const struct cgfs_devices_v1 none = CGFS_DEVICES_V1_INIT;
	const struct cgfs_devices_v1 *outer = node->parent < 0 ? NULL : &t->node[node->parent].was;
	struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT;
	int r = 0;

	if (own->rules)
		r = within(outer && outer->allow ? outer : NULL, own, CGFS_DEVICES_V1_ALLOW, &set,
			   reterr);
	if (r == -EOPNOTSUPP)
		r = 0;
	set.allow = true;
	if (r == 0)
		r = cgfs_devices_v1_union(&set, outer && outer->allow ? outer : &none, &node->was,
					  reterr);
	cgfs_devices_v1_free(&set);
	return r;
}

static int read_node(struct devices_change *t, struct node *node, struct own_list *own,
		     struct cgfs_err *reterr)
{
	int r = devices_shown(t->g->c, node->fd, &node->was, NULL);

	if (r < 0)
		return fail(t, r, "read", node->rel, V1_LIST, NULL, reterr);
	if (r == 0 && node->group && (node->fixed || !t->fresh))
		r = own_of(t, node, own, reterr);
	if (r == 0 && node->was.allow)
		r = guess_denials(t, node, own, reterr);
	return r;
}

static enum cgfs_devices_v1_default may_have(const struct node *node,
					     const struct cgfs_devices_v1 *outer)
{
	if (outer && !outer->allow)
		return CGFS_DEVICES_V1_DENY;
	if (node->parents)
		return node->was.allow ? CGFS_DEVICES_V1_ALLOW : CGFS_DEVICES_V1_DENY;
	return CGFS_DEVICES_V1_EITHER;
}

/* Something that a container made: it follows, but keeps what it has denied itself. */
static int plan_nested(struct devices_change *t, struct node *node, struct cgfs_err *reterr)
{
	const struct node *up = &t->node[node->parent];
	int r;

	if (up->left || (node->was.allow && !up->want.allow)) {
		node->left = true;
		return 0;
	}
	if (cgfs_devices_v1_same(&node->was, &up->was) && node->was.allow == up->want.allow)
		return cgfs_devices_v1_copy(&up->want, &node->want, reterr);
	r = cgfs_devices_v1_intersect(
		&up->want, &node->was,
		node->was.allow ? CGFS_DEVICES_V1_ALLOW : CGFS_DEVICES_V1_DENY, &node->want, NULL);
	node->left = r == -EOPNOTSUPP || r == -E2BIG;
	return node->left ? 0 : r;
}

/* The kernel's own rule, for which it has no words. */
static int refuse_flip(const struct node *node, const struct own_list *own,
		       const struct cgfs_devices_v1 *outer, int r, struct cgfs_err *reterr)
{
	struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT;

	if (r != -EOPNOTSUPP || !node->parents || (outer && !outer->allow) ||
	    within(outer, own, CGFS_DEVICES_V1_EITHER, &set, NULL) < 0)
		return r;
	cgfs_devices_v1_free(&set);
	return cgfs_err_set(reterr, -EOPNOTSUPP, "set", "devices", node->rel,
			    "cgroup v1 cannot change between \"allow by default\" and "
			    "\"deny by default\" once the group has containers or other cgroups "
			    "below it, and its present default cannot hold the list");
}

static int plan_group(struct devices_change *t, struct node *node, const struct own_list *own,
		      struct cgfs_err *reterr)
{
	const struct cgfs_devices_v1 *outer = node->parent < 0 ? NULL : &t->node[node->parent].want;
	enum cgfs_devices_v1_default want = may_have(node, outer);
	int r;

	if (!own->rules && outer && want == CGFS_DEVICES_V1_EITHER)
		return cgfs_devices_v1_copy(outer, &node->want, reterr);
	if (!own->rules && outer)
		r = cgfs_devices_v1_intersect(outer, outer, want, &node->want, reterr);
	else
		r = within(outer, own, want, &node->want, reterr);
	if (r < 0 && own->rules)
		r = refuse_flip(node, own, outer, r, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "devices of \"%.80s\"", node->rel) : 0;
}

static int plan(struct devices_change *t, const struct own_list *rules, struct cgfs_err *reterr)
{
	int target = t->g->pod ? 1 : 0, r = 0;

	for (int i = 0; i < t->n && r == 0; i++) {
		struct node *node = &t->node[i];
		struct own_list own = { NULL, 0 };

		r = read_node(t, node, &own, reterr);
		if (r == 0 && node->fixed)
			r = cgfs_devices_v1_copy(&node->was, &node->want, reterr);
		else if (r == 0 && node->group)
			r = plan_group(t, node, i == target ? rules : &own, reterr);
		else if (r == 0)
			r = plan_nested(t, node, reterr);
		free(own.rules);
		/* A container that is removed meanwhile needs nothing. */
		if (r == -ENODEV && i > target) {
			node->left = true;
			r = 0;
		}
	}
	return r;
}

/* -- writes ------------------------------------------------------------------------------------ */

static int put(struct devices_change *t, const struct node *node, const char *file,
	       const char *text, struct cgfs_err *reterr)
{
	struct report report = { .ctl = CGFS_DEVICES, .set = CGFS_SET_DEVICES };
	struct cgfs_dir d = dir_of(t->g, CGFS_DEVICES);
	int r;

	d.report = t->undoing ? NULL : &report;
	if (node == &t->node[t->g->pod ? 1 : 0])
		return dir_write(&d, file, text, reterr);
	r = fs_write_at(t->g->c, node->fd, file, text);
	return is_gone(r) ? 0 : r < 0 ? fail(t, r, "write", node->rel, file, text, reterr) : 0;
}

static int put_rule(struct devices_change *t, const struct node *node, bool allow,
		    struct cgfs_device_rule rule, uint32_t bits, struct cgfs_err *reterr)
{
	char text[48];

	if (!bits)
		return 0;
	rule.access = bits;
	cgfs_devices_v1_format(&rule, text, sizeof(text));
	return put(t, node, allow ? V1_ALLOW : V1_DENY, text, reterr);
}

static uint32_t exact(const struct cgfs_devices_v1 *set, const struct cgfs_device_rule *rule)
{
	for (size_t i = 0; i < set->n; i++) {
		if (cgfs_device_same(&set->exceptions[i], rule))
			return set->exceptions[i].access;
	}
	return 0;
}

/* The bits of an exception from "allow" that have to go: those that no other denies anyway. */
static uint32_t superfluous(const struct node *node, const struct cgfs_device_rule *rule)
{
	return rule->access & ~cgfs_devices_v1_covered(&node->want, rule);
}

/* parent_allows_removal(): may the exception go while the parent has what it has? */
static bool may_remove(const struct devices_change *t, const struct node *node,
		       const struct cgfs_device_rule *rule, uint32_t bits)
{
	const struct node *up = node->parent < 0 ? NULL : &t->node[node->parent];

	for (size_t i = 0; up && up->was.allow && i < up->was.n; i++) {
		const struct cgfs_device_rule *e = &up->was.exceptions[i];
		uint32_t kept = up->fixed ? e->access : e->access & ~superfluous(up, e);

		if ((kept & bits) && cgfs_device_overlap(e, rule))
			return false;
	}
	return true;
}

/* Those that neither the new set nor the parent names, whether or not another denies them. */
static uint32_t stale(const struct devices_change *t, const struct node *node,
		      const struct cgfs_device_rule *e)
{
	uint32_t bits = e->access & ~exact(&node->want, e);

	if (node->parent >= 0 && t->node[node->parent].want.allow)
		bits &= ~exact(&t->node[node->parent].want, e);
	return bits;
}

/* Does the set have to be made from the beginning? */
static bool anew(const struct devices_change *t, const struct node *node)
{
	if (node->was.allow != node->want.allow)
		return true;
	for (size_t i = 0; node->was.allow && i < node->was.n; i++) {
		const struct cgfs_device_rule *e = &node->was.exceptions[i];
		uint32_t bits = superfluous(node, e);

		if (bits && !may_remove(t, node, e, bits))
			return true;
	}
	return false;
}

/*
 * "a" to devices.allow opens everything that the parent has, so no process may run until the
 * denials are there.  "a" to devices.deny clears the exceptions before it changes the default
 * (devcgroup_update_access()), so what a list denies that allows by default is open for an instant;
 * where the processes cannot be stopped, that is better than to leave the list as it is.
 */
static int renew(struct devices_change *t, struct node *node, struct cgfs_err *reterr)
{
	const struct cgfs_devices_v1 *want = &node->want;
	struct stopped stopped = { -EBADF, NULL };
	int r = 0;

	if (want->allow && want->n)
		r = devices_stop(t->g->c, node->fd, node->rel, &stopped, reterr);
	else if (node->was.allow && node->was.n)
		ignore(devices_stop(t->g->c, node->fd, node->rel, &stopped, NULL));
	if (r == 0)
		r = put(t, node, want->allow ? V1_ALLOW : V1_DENY, "a", reterr);
	for (size_t i = 0; i < want->n && r == 0; i++)
		r = put_rule(t, node, !want->allow, want->exceptions[i], want->exceptions[i].access,
			     reterr);
	if (r < 0 && want->allow && want->n)
		ignore(put(t, node, V1_DENY, "a", NULL)); /* closed, not half open */
	devices_go_on(t->g->c, &stopped);
	return r;
}

/* What another exception denies now would be in the way later, when no process knows of it. */
static int clean(struct devices_change *t, struct node *node, struct cgfs_err *reterr)
{
	for (size_t i = 0; node->was.allow && node->want.allow && i < node->was.n; i++) {
		const struct cgfs_device_rule *e = &node->was.exceptions[i];
		int r = put_rule(t, node, true, *e, stale(t, node, e), NULL);

		/* The parent has a part of it.  With children it has to stay, and denies. */
		if (r == -EPERM && !node->parents)
			return renew(t, node, reterr);
		if (r < 0 && r != -EPERM)
			return put_rule(t, node, true, *e, stale(t, node, e), reterr);
	}
	return 0;
}

static int grow(struct devices_change *t, struct node *node, struct cgfs_err *reterr)
{
	const struct cgfs_devices_v1 *list = node->want.allow ? &node->was : &node->want;
	int r = 0;

	if (anew(t, node))
		return renew(t, node, reterr);
	for (size_t i = 0; i < list->n && r == 0; i++) {
		const struct cgfs_device_rule *e = &list->exceptions[i];
		uint32_t bits =
			node->want.allow ? superfluous(node, e) : e->access & ~exact(&node->was, e);

		r = put_rule(t, node, true, *e, bits, reterr);
	}
	return r;
}

static int shrink(struct devices_change *t, struct node *node, struct cgfs_err *reterr)
{
	const struct cgfs_devices_v1 *list = node->want.allow ? &node->want : &node->was;
	int r = 0;

	if (node->was.allow != node->want.allow)
		return 0;
	for (size_t i = 0; i < list->n && r == 0; i++) {
		const struct cgfs_device_rule *e = &list->exceptions[i];
		uint32_t bits = e->access & ~exact(node->want.allow ? &node->was : &node->want, e);

		r = put_rule(t, node, false, *e, bits, reterr);
	}
	return r;
}

/* What the kernel took by the way is given again; then the kernel is asked what it has. */
static int repair(struct devices_change *t, struct node *node, struct cgfs_err *reterr)
{
	bool changed = node->was.allow && node->want.allow && node->was.n; /* by clean() */
	struct cgfs_devices_v1 now = CGFS_DEVICES_V1_INIT;
	int r = devices_shown(t->g->c, node->fd, &now, reterr);
	if (r == 0)
		r = clean(t, node, reterr);
	for (size_t i = 0; !node->want.allow && i < node->want.n && r == 0; i++) {
		const struct cgfs_device_rule *e = &node->want.exceptions[i];
		uint32_t bits = e->access & ~exact(&now, e);

		changed |= bits != 0;
		r = put_rule(t, node, true, *e, bits, reterr);
	}
	if (changed || r < 0)
		cgfs_devices_v1_free(&now);
	if (changed && r == 0)
		r = devices_shown(t->g->c, node->fd, &now, reterr);
	if (r == -ENODEV || r == -ENOENT)
		return 0;
	if (r < 0 && !now.exceptions)
		r = fail(t, r, "read", node->rel, V1_LIST, NULL, reterr);
	if (r == 0 && (now.allow != node->want.allow ||
		       (!now.allow && !cgfs_devices_v1_same(&now, &node->want))))
		r = cgfs_err_set(reterr, -EIO, "set", "devices", node->rel,
				 "cgroup v1 holds another list than was written");
	cgfs_devices_v1_free(&now);
	return r;
}

typedef int step_fn(struct devices_change *t, struct node *node, struct cgfs_err *reterr);

/* v1 hides the denials of what a container made, and refuses (EPERM) to give back what one of them,
 * or one above, overlaps: such a cgroup keeps them, and so does what is below it. */
static int take_step(struct devices_change *t, int i, step_fn *fn, struct cgfs_err *reterr)
{
	struct node *node = &t->node[i];
	int r;

	node->left |= !node->group && node->parent >= 0 && t->node[node->parent].left;
	if (node->left)
		return 0;
	r = fn(t, node, node->group ? reterr : NULL);
	if (node->group || r == 0)
		return r;
	node->left = r == -EPERM || r == -EIO;
	return node->left ? 0 : fail(t, r, "change", node->rel, "", NULL, reterr);
}

static int execute(struct devices_change *t, struct cgfs_err *reterr)
{
	int first = t->g->pod ? 1 : 0, r = 0;
	for (int i = first; i < t->n && r == 0; i++)
		if (!t->node[i].left && anew(t, &t->node[i]) && t->node[i].parents &&
		    !(t->node[i].left = !t->node[i].group))
			r = cgfs_err_set(reterr, -EOPNOTSUPP, "set", "devices", t->node[i].rel,
					 "cgroup v1 cannot take back a denial that contains one of "
					 "the pod's while there are cgroups below the group");
	for (int i = first; i < t->n && r == 0; i++)
		r = take_step(t, i, grow, reterr);
	for (int i = t->n - 1; i >= first && r == 0; i--)
		r = take_step(t, i, shrink, reterr);
	for (int i = first; i < t->n && r == 0; i++)
		r = take_step(t, i, repair, reterr);
	return r;
}

/* From the present state back to what was. */
int devices_change_undo(struct devices_change *t)
{
	int r = 0;

	t->undoing = true;
	for (int i = t->g->pod ? 1 : 0; i < t->n && r == 0; i++) {
		struct node *node = &t->node[i];
		struct cgfs_devices_v1 now = CGFS_DEVICES_V1_INIT, both = CGFS_DEVICES_V1_INIT;

		if (devices_shown(t->g->c, node->fd, &now, NULL) < 0) {
			node->left = true;
			continue;
		}
		node->left = false;
		if (now.allow) {
			r = node->want.allow
				    ? cgfs_devices_v1_union(&node->want, &node->was, &both, NULL)
				    : cgfs_devices_v1_copy(&node->was, &both, NULL);
			cgfs_devices_v1_free(&now);
			now = both;
		}
		cgfs_devices_v1_free(&node->want);
		node->want = node->was;
		node->was = now;
	}
	return r < 0 ? r : execute(t, NULL);
}

int devices_change(struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n, bool fresh,
		   struct devices_change **ret, struct cgfs_err *reterr)
{
	struct own_list own = { (struct cgfs_device_rule *)rules, n };
	struct devices_change *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_file(reterr, -ENOMEM, "set", "devices");
	t->g = g;
	t->fresh = fresh;
	r = gather(t, reterr);
	if (r == 0)
		r = plan(t, &own, reterr);
	if (r == 0) {
		r = execute(t, reterr);
		if (r < 0 && devices_change_undo(t) < 0)
			r = cgfs_err_context(reterr, r, "the old list could not be restored");
	}
	if (r < 0)
		devices_change_free(t);
	else
		*ret = t;
	return r;
}
