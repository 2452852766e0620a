/* SPDX-License-Identifier: MIT */
/*
 * resources.c - takes a struct cgfs_resources to the controllers that can apply it: planned
 * before the first write, rolled back after a refusal.  Names no control file.
 */
#include "controller/table.h"
#include "controller/unified_v1.h"
#include "core.h"
#include "members.h"
#include "resources_check.h"

#include <stdio.h>

static uint64_t handled(enum cgfs_controller ctl, enum cgfs_version_id version)
{
	const struct ctl_ops *ops = ctl_ops(ctl, version);

	return ops ? ops->handles : 0;
}

/* What a version without the limit does anyway. */
static uint64_t already_so(const struct cgfs_resources *res)
{
	return (res->memory_kernel_bytes == CGFS_MAX ? CGFS_SET_MEMORY_KERNEL : 0) |
	       (res->memory_kernel_tcp_bytes == CGFS_MAX ? CGFS_SET_MEMORY_KERNEL_TCP : 0);
}

bool devices_enforced(const struct cgfs *c)
{
	return c->policy || c->place[CGFS_DEVICES].version == CGFS_V1;
}

/* Each member against the controller that would take it. */
static int plan_members(const struct cgfs *c, const struct cgfs_resources *res,
			struct cgfs_err *reterr)
{
	uint64_t known = CGFS_SET_DEVICES | CGFS_SET_UNIFIED | CGFS_PERMISSIONS;

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++)
		known |= handled(ctl, CGFS_V1) | handled(ctl, CGFS_V2);
	if (res->set & ~known)
		return cgfs_err_set(reterr, -EOPNOTSUPP, "set",
				    member_word(res->set & ~known, WORDS_OCI), NULL,
				    "unknown to this version of cgfs");
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		uint64_t want = res->set & (handled(ctl, CGFS_V1) | handled(ctl, CGFS_V2));
		enum cgfs_version_id version = c->place[ctl].version;

		if (!want)
			continue;
		if (version == CGFS_NONE && (c->denied & (1u << ctl)))
			return cgfs_err_set(reterr, -EACCES, "set", member_word(want, WORDS_OCI),
					    NULL,
					    "the %s controller is not delegated to this process "
					    "below %s",
					    cgfs_controller_name(ctl), cgfs_root(c));
		if (version == CGFS_NONE)
			return cgfs_err_set(reterr, -ENODEV, "set", member_word(want, WORDS_OCI),
					    NULL, "the %s controller is not on this host",
					    cgfs_controller_name(ctl));
		want &= ~handled(ctl, version) & ~already_so(res);
		if (want)
			return cgfs_err_set(reterr, -EOPNOTSUPP, "set",
					    member_word(want, WORDS_OCI), NULL,
					    "cgroup v%d's %s controller has no such limit", version,
					    cgfs_controller_name(ctl));
	}
	return 0;
}

int resources_plan(const struct cgfs *c, const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	struct unified_plan u;
	int r = cgfs_resources_check(res, reterr);

	if (r == 0)
		r = plan_members(c, res, reterr);
	if (r < 0)
		return r;
	if (res->set & CGFS_SET_UNIFIED) {
		r = unified_plan(c, res, &u, reterr);
		if (r == 0) {
			r = cgfs_resources_check_in(&u.res, WORDS_UNIFIED, reterr);
			if (r < 0)
				cgfs_err_context(reterr, r, "set unified");
		}
		unified_plan_free(&u);
		if (r < 0)
			return r;
	}
	if ((res->set & CGFS_SET_DEVICES) && !devices_enforced(c) &&
	    (c->denied & (1u << CGFS_DEVICES)))
		return cgfs_err_set(reterr, -EACCES, "set", "devices", NULL,
				    "the devices controller is not delegated to this process "
				    "below %s",
				    cgfs_root(c));
	if ((res->set & CGFS_SET_DEVICES) && !devices_enforced(c))
		return cgfs_err_set(reterr, -ENODEV, "set", "devices", NULL,
				    "neither cgroup v1's devices controller nor an eBPF policy is "
				    "on this host");
	return 0;
}

/* unified: one write per line, since the kernel takes one key of a keyed file at a time. */
static int write_unified(const struct cgfs_dir *d, const struct unified_write *w,
			 struct cgfs_err *reterr)
{
	auto_free char *copy = strdup(w->value);
	char *save = NULL;
	int r = 0;

	if (!copy)
		return dir_error(d, -ENOMEM, "write", w->file, NULL, reterr);
	for (char *line = strtok_r(copy, "\n", &save); line && r == 0;
	     line = strtok_r(NULL, "\n", &save))
		r = dir_write(d, w->file, line, reterr);
	/* The kernel has no such file, or does not have it for this group. */
	if (r == -ENOENT)
		return cgfs_err_set(reterr, -ENODEV, "set unified", NULL, w->file,
				    "this kernel has no such file");
	return r;
}

/* The group is there, the control file is not. */
static int no_such_file(struct cgfs_err *reterr)
{
	struct cgfs_err e;

	if (!reterr)
		return -EOPNOTSUPP;
	e = *reterr;
	return cgfs_err_set(reterr, -EOPNOTSUPP, e.op, e.path, e.value,
			    "this kernel has no such file");
}

static int apply_members(struct cgfs_group *g, const struct cgfs_resources *res,
			 const struct unified_plan *u, struct journal *j, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		const struct place *p = &c->place[ctl];
		struct cgfs_dir d = { g, p->hierarchy, j };
		int r;

		if (!p->ops || !(res->set & p->ops->handles))
			continue;
		asked_begin(c, ctl, res->set, 0);
		c->asked.unified = u;
		r = p->ops->apply(&d, res, reterr);
		asked_end(c);
		if (r == -ENOENT && dir_alive(&d))
			r = no_such_file(reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_hierarchy(const struct cgfs *c, const struct unified_write *w)
{
	return w->ctl == CGFS_CONTROLLER_COUNT ? c->unified : c->place[w->ctl].hierarchy;
}

static int apply_unified(struct cgfs_group *g, const struct cgfs_resources *res, struct journal *j,
			 struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;
	struct cgfs_dir d = { g, 0, j };
	struct unified_plan u;
	int r;

	r = unified_plan(c, res, &u, reterr);
	if (r == 0)
		r = apply_members(g, &u.res, &u, j, reterr);
	for (size_t i = 0; r == 0 && i < u.n_write; i++) {
		d.hierarchy = write_hierarchy(c, &u.write[i]);
		asked_begin(c, u.write[i].ctl, CGFS_SET_UNIFIED, u.write[i].entry);
		r = write_unified(&d, &u.write[i], reterr);
		asked_end(c);
	}
	for (size_t i = 0; r == 0 && i < u.n_write; i++) {
		d.hierarchy = write_hierarchy(c, &u.write[i]);
		r = ctl_confirm(&d, u.write[i].file, u.write[i].value, reterr);
	}
	unified_plan_free(&u);
	return r;
}

int resources_apply(struct cgfs_group *g, const struct cgfs_resources *res, struct journal *j,
		    struct cgfs_err *reterr)
{
	if (res->set & CGFS_SET_UNIFIED)
		return apply_unified(g, res, j, reterr);
	return apply_members(g, res, NULL, j, reterr);
}

static int set(struct cgfs_group *g, const struct cgfs_resources *res,
	       struct cgfs_applied *ret_applied, struct cgfs_err *reterr)
{
	struct journal *j;
	int r;

	if (g->state != GROUP_LIVE)
		return cgfs_err_set(reterr, -ENOENT, NULL, NULL, NULL, "it is being removed");
	r = resources_plan(g->c, res, reterr);
	if (r < 0)
		return r;
	j = journal_new();
	if (!j)
		return cgfs_err_set(reterr, -ENOMEM, NULL, NULL, NULL, NULL);
	r = resources_apply(g, res, j, reterr);
	/* Who cannot be told has not been served. */
	if (r == 0 && ret_applied)
		r = applied_read(g, res->set, ret_applied, reterr);
	/* Devices last: a replacement is one step and needs no journal. */
	if (r == 0 && (res->set & CGFS_SET_DEVICES))
		r = devices_apply(g, res->n_devices ? res->devices : no_devices, res->n_devices,
				  false, reterr);
	if (r < 0)
		journal_undo(j);
	else
		journal_free(j);
	return r;
}

int cgfs_group_set(struct cgfs_group *g, const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	int r = set(g, res, NULL, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "update \"%.80s\"", g->rel) : 0;
}

int cgfs_group_update(struct cgfs_group *g, const struct cgfs_resources *res,
		      struct cgfs_applied *ret_applied, struct cgfs_err *reterr)
{
	struct cgfs_applied applied;
	int r;

	if (ret_applied->sz != sizeof(applied))
		return cgfs_err_set(reterr, -EINVAL, "update", NULL, g->rel,
				    "ret_applied->sz is not set");
	r = set(g, res, &applied, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "update \"%.80s\"", g->rel);
	*ret_applied = applied;
	return 0;
}

/*
 * The root is a group like any other to the controllers, but nobody holds a handle of it: it
 * has no id, no device policy, and is not removed with its limits.
 */
int cgfs_root_set(struct cgfs *c, const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	struct cgfs_group root = { .c = c, .rel = ".", .id = "", .state = GROUP_LIVE };
	bool was_there = root_complete(c);
	int r;

	root.path = c->root;
	for (int i = 0; i < HIERARCHY_MAX; i++)
		root.dir[i] = -EBADF;
	if (!*c->root)
		return cgfs_err_set(reterr, -EINVAL, "set", "limits", "/",
				    "the top of a hierarchy is the whole machine");
	r = res->set & CGFS_SET_DEVICES
		    ? cgfs_err_set(reterr, -EINVAL, "set", "devices", NULL,
				   "the pods root has no device policy; every pod has one")
		    : root_ensure(c, reterr);
	if (r == 0)
		r = set(&root, res, NULL, reterr);
	if (r == -ENOENT || r == -ENODEV) {
		/* Somebody removed the empty pods root under us: make it again, once. */
		root_forget(c);
		group_close_all(&root);
		r = root_ensure(c, reterr);
		if (r == 0)
			r = set(&root, res, NULL, reterr);
	}
	group_close_all(&root);
	free(root.inode);
	if (r < 0 && !was_there)
		root_unmake(c);
	return r < 0 ? cgfs_err_context(reterr, r, "update pods root %s", c->root) : 0;
}
