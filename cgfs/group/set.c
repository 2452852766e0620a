/* SPDX-License-Identifier: MIT */
/*
 * set.c - takes a struct cgfs_resources to the controllers that can apply it: planned
 * before the first write, rolled back after a refusal.  Names no control file.
 */
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/report.h"
#include "cgfs/controller/cpu/cpuset.h"
#include "cgfs/controller/device/devices.h"
#include "cgfs/controller/memory/admit.h"
#include "cgfs/controller/table.h"
#include "cgfs/controller/unified_plan.h"
#include "cgfs/figure/applied.h"
#include "cgfs/group/group.h"
#include "cgfs/group/root.h"
#include "cgfs/request/check.h"
#include "cgfs/request/members.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>

/* What a version without the limit does anyway. */
static uint64_t already_so(const struct cgfs_resources *res)
{
	return (res->memory_kernel_bytes == CGFS_MAX ? CGFS_SET_MEMORY_KERNEL : 0) |
	       (res->memory_kernel_tcp_bytes == CGFS_MAX ? CGFS_SET_MEMORY_KERNEL_TCP : 0);
}

static int denied(const struct cgfs *c, enum cgfs_controller ctl, const char *member,
		  struct cgfs_err *reterr)
{
	if (c->denied_ro & (1u << ctl))
		return err_why(reterr, -EROFS, "set", member,
			       "the hierarchy of the %s controller is mounted read-only",
			       cgfs_controller_name(ctl));
	return err_why(reterr, -EACCES, "set", member,
		       "the %s controller is not delegated to this process below %s",
		       cgfs_controller_name(ctl), cgfs_root(c));
}

/* Each member against the controller that would take it. */
static int no_controller(const struct cgfs *c, enum cgfs_controller ctl, const char *member,
			 struct cgfs_err *reterr)
{
	for (size_t i = 0; i < c->mounts.n_unused; i++) {
		const struct cgfs_unused_mount *m = &c->mounts.unused[i];

		if (m->controllers & (1u << ctl))
			return err_why(reterr, -ENODEV, "set", member,
				       "the %s controller cannot be used: %s: %s",
				       cgfs_controller_name(ctl), m->path, m->reason);
	}
	return err_why(reterr, -ENODEV, "set", member, "the %s controller is not on this host",
		       cgfs_controller_name(ctl));
}

static int plan_members(const struct cgfs *c, const struct cgfs_resources *res,
			struct cgfs_err *reterr)
{
	uint64_t known = CGFS_SET_DEVICES | CGFS_SET_UNIFIED | CGFS_PERMISSIONS | ADMIT_BITS;

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++)
		known |= ctl_handles(ctl);
	if (res->set & ~known)
		return err_why(reterr, -EOPNOTSUPP, "set",
			       member_word(res->set & ~known, WORDS_OCI),
			       "unknown to this version of cgfs");
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		const struct place *p = &c->place[ctl];
		uint64_t want = res->set & ctl_handles(ctl);

		if (!want)
			continue;
		if (p->hierarchy < 0 && (c->denied & (1u << ctl)))
			return denied(c, ctl, member_word(want, WORDS_OCI), reterr);
		if (p->hierarchy < 0)
			return no_controller(c, ctl, member_word(want, WORDS_OCI), reterr);
		want &= ~(p->ops ? p->ops->handles : 0) & ~already_so(res);
		if (want)
			return err_why(reterr, -EOPNOTSUPP, "set", member_word(want, WORDS_OCI),
				       "cgroup v%d's %s controller has no such limit", p->version,
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
	if (res->set & ADMIT_BITS) {
		r = admit_plan(c, res, reterr);
		if (r < 0)
			return r;
	}
	if ((res->set & CGFS_SET_DEVICES) && !devices_enforced(c) &&
	    (c->denied & (1u << CGFS_DEVICES)))
		return denied(c, CGFS_DEVICES, "devices", reterr);
	if ((res->set & CGFS_SET_DEVICES) && !devices_enforced(c))
		return err_why(reterr, -ENODEV, "set", "devices",
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
		return err_value(reterr, -ENODEV, "set unified", w->file,
				 "this kernel has no such file");
	return r;
}

static int apply_members(struct cgfs_group *g, const struct cgfs_resources *res,
			 const struct unified_plan *u, struct journal *j, struct cgfs_err *reterr)
{
	struct cgfs *c = g->c;

	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		const struct place *p = &c->place[ctl];
		struct report report = { .ctl = ctl, .set = res->set, .unified = u };
		struct cgfs_dir d = { g, p->hierarchy, j, &report };
		int r;

		if (!p->ops || !(res->set & p->ops->handles))
			continue;
		r = p->ops->apply(&d, res, reterr);
		if (r == -ENOENT && dir_alive(&d)) /* the group is there, the control file is not */
			r = cgfs_err_reason(reterr, -EOPNOTSUPP, "this kernel has no such file");
		else if (r < 0)
			r = ctl_why(p->ops, &d, r, reterr);
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
	struct report report = { .set = CGFS_SET_UNIFIED };
	struct cgfs_dir d = { g, 0, j, &report };
	struct unified_plan u;
	int r = unified_plan(c, res, &u, reterr);

	if (r == 0)
		r = apply_members(g, &u.res, &u, j, reterr);
	for (size_t i = 0; r == 0 && i < u.n_write; i++) {
		d.hierarchy = write_hierarchy(c, &u.write[i]);
		report.ctl = u.write[i].ctl;
		report.entry = u.write[i].entry;
		r = write_unified(&d, &u.write[i], reterr);
		if (r < 0 && u.write[i].ctl < CGFS_CONTROLLER_COUNT && c->place[u.write[i].ctl].ops)
			r = ctl_why(c->place[u.write[i].ctl].ops, &d, r, reterr);
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

/* What the policy enforces, each in one step; devices last. */
static int set_policy(struct cgfs_group *g, const struct cgfs_resources *res,
		      struct cgfs_err *reterr)
{
	struct cgfs_policy_admit was;
	int r = 0;

	if (res->set & ADMIT_BITS) {
		r = admit_read(g, &was, reterr);
		if (r == 0)
			r = admit_apply(g, res, &was, reterr);
		if (r < 0)
			return r;
	}
	if (res->set & CGFS_SET_DEVICES)
		r = devices_apply(g, res->n_devices ? res->devices : no_devices, res->n_devices,
				  false, reterr);
	if (r < 0 && (res->set & ADMIT_BITS))
		admit_undo(g, &was);
	return r;
}

static int set(struct cgfs_group *g, const struct cgfs_resources *res,
	       struct cgfs_applied *ret_applied, struct cgfs_err *reterr)
{
	struct journal *j;
	int r;

	if (g->state != GROUP_LIVE)
		return err_why(reterr, -ENOENT, NULL, NULL, "it is being removed");
	r = resources_plan(g->c, res, reterr);
	if (r < 0)
		return r;
	j = journal_new(&ctl_undo);
	if (!j)
		return err_file(reterr, -ENOMEM, NULL, NULL);
	r = resources_apply(g, res, j, reterr);
	/* A caller that cannot get the result has not been served. */
	if (r == 0 && ret_applied)
		r = applied_read(g, res->set, ret_applied, reterr);
	if (r == 0 && ret_applied)
		r = applied_admit(g, res, ret_applied, reterr);
	/* A replacement is one step and needs no journal. */
	if (r == 0)
		r = set_policy(g, res, reterr);
	return journal_end(j, r);
}

static int set_and_report(struct cgfs_group *g, const struct cgfs_resources *user,
			  const struct cgfs_set_opts *user_opts, struct cgfs_err *reterr)
{
	struct cgfs_set_opts opts;
	struct cgfs_resources res;
	struct cgfs_applied applied;
	int r = SIZED_IN(&opts, user_opts, reterr);

	if (r == 0 && opts.applied)
		r = SIZED_CHECK(opts.applied, reterr);
	if (r == 0)
		r = resources_in(&res, user, reterr);
	if (r == 0)
		r = set(g, &res, opts.applied ? &applied : NULL, reterr);
	if (r == 0 && opts.applied)
		SIZED_OUT(opts.applied, &applied);
	return r;
}

int cgfs_group_set(struct cgfs_group *g, const struct cgfs_resources *res,
		   const struct cgfs_set_opts *opts, struct cgfs_err *reterr)
{
	int r = check_writable(g->c, "set", reterr);

	if (r == 0)
		r = set_and_report(g, res, opts, reterr);

	return r < 0 ? cgfs_err_context(reterr, r, "update \"%.80s\"", g->rel) : 0;
}

int cgfs_root_set(struct cgfs *c, const struct cgfs_resources *user, struct cgfs_err *reterr)
{
	struct cgfs_resources own, *res = &own;
	struct cgfs_group root;
	bool was_there = root_complete(c);
	int r = check_writable(c, "set limits of pods root", reterr);

	if (r < 0)
		return r;
	root_group(c, &root);
	if (!*c->root)
		return cgfs_err_set(reterr, -EINVAL, "set", "limits", "/",
				    "the top of a hierarchy is the whole machine");
	r = resources_in(&own, user, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "update pods root %s", c->root);
	r = res->set & CGFS_SET_DEVICES
		    ? err_why(reterr, -EINVAL, "set", "devices",
			      "the pods root has no device policy; every pod has one")
	    : res->set & ADMIT_BITS
		    ? err_why(reterr, -EINVAL, "set", member_word(ADMIT_BITS, WORDS_OCI),
			      "the pods root has no budget; a pod has one")
		    : root_ensure(c, reterr);
	if (r == 0)
		r = set(&root, res, NULL, reterr);
	if (r == -ENOENT || r == -ENODEV) {
		/* Another process removed the empty pods root: make it again, once. */
		root_forget(c);
		root_group_end(&root);
		root_group(c, &root);
		r = root_ensure(c, reterr);
		if (r == 0)
			r = set(&root, res, NULL, reterr);
	}
	root_group_end(&root);
	if (r < 0 && !was_there)
		root_unmake(c);
	return r < 0 ? cgfs_err_context(reterr, r, "update pods root %s", c->root) : 0;
}
