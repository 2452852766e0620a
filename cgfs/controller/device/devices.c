/* SPDX-License-Identifier: MIT */
/*
 * devices.c - the device list of a group: v1's devices.allow and devices.deny where that
 * controller is mounted, the registered policy (eBPF) where there is a cgroup2 tree; both
 * where there are both, so that neither is needed for the other.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/devices.rst
 */
#include "cgfs/controller/device/devices.h"

#include "cgfs/base/util.h"
#include "cgfs/controller/device/devices_v1.h"
#include "cgfs/controller/memory/admit.h"
#include "cgfs/controller/memory/memory.h"
#include "cgfs/request/device.h"
#include "cgfs/tree/dir.h"

const struct cgfs_device_rule no_devices[1];

bool devices_enforced(const struct cgfs *c)
{
	return c->policy || c->place[CGFS_DEVICES].version == CGFS_V1;
}

bool devices_bound(const struct cgfs_group *g)
{
	const struct cgfs_policy *policy = g->c->policy;
	struct cgfs_policy_counters n = { .sz = sizeof(n) };

	return !policy || !g->cgroup_id ||
	       policy->ops->counters(policy->ctx, g->cgroup_id, &n) != -ENOENT;
}

/* A group that the policy does not know stays as it is when it is opened: it was made without one,
 * or its maker is at other pins, and a program without a list would take its devices away. */
static int policy_apply(struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n,
			bool fresh, struct cgfs_err *reterr)
{
	const struct cgfs_policy *policy = g->c->policy;
	struct cgfs_policy_group target;
	int fd, r;

	/* A reader may use the pins of another agent. */
	if (!policy || !g->cgroup_id || g->c->read_only)
		return 0;
	g->unbound = !fresh && !devices_bound(g);
	if (g->unbound && !rules) {
		/* A budget that cannot be lifted keeps no caller from reading or removing. */
		ignore(admit_forget(g, NULL));
		return 0;
	}
	r = group_dir(g, g->c->unified, &fd, reterr);
	if (r < 0)
		return r;
	group_policy(g, &target);
	if (!fresh && rules && !g->unbound)
		return policy->ops->set_rules(policy->ctx, &target, rules, n, reterr);
	r = memory_identify(g, policy, &target.memory_id, reterr);
	if (r == 0)
		r = policy->ops->add(policy->ctx, &target, rules, n, reterr);
	g->unbound = g->unbound && r < 0;
	return r;
}

/* What most pods have need not be in memory once for each: the default list itself, or NULL. */
static const struct cgfs_device_rule *shared(const struct cgfs_device_rule *rules, size_t n)
{
	size_t n_defaults;
	const struct cgfs_device_rule *defaults = cgfs_device_defaults(&n_defaults);

	for (size_t i = 0; i < n && n == n_defaults; i++) {
		const struct cgfs_device_rule *a = &rules[i], *b = &defaults[i];

		if (!cgfs_device_same(a, b) || a->access != b->access || a->allow != b->allow)
			return NULL;
	}
	return n == n_defaults ? defaults : NULL;
}

void devices_forget(struct cgfs_group *g)
{
	size_t n;

	if (g->rules != cgfs_device_defaults(&n))
		free((void *)g->rules);
	g->rules = NULL;
	g->n_rules = 0;
}

/* *@ret stays NULL for the default list, which needs no copy. */
static int copy_rules(const struct cgfs_device_rule *rules, size_t n, struct cgfs_device_rule **ret,
		      struct cgfs_err *reterr)
{
	*ret = NULL;
	if (shared(rules, n))
		return 0;
	/* One more than needed: an empty list is a list, and is not NULL. */
	*ret = calloc(n + 1, sizeof(**ret));
	if (!*ret)
		return err_file(reterr, -ENOMEM, "keep device rules", NULL);
	if (n)
		memcpy(*ret, rules, n * sizeof(**ret));
	return 0;
}

/* @copy: from copy_rules(), the group's from now on. */
static void keep(struct cgfs_group *g, struct cgfs_device_rule *copy, size_t n)
{
	size_t n_defaults;

	devices_forget(g);
	g->rules = copy ? copy : cgfs_device_defaults(&n_defaults);
	g->n_rules = n;
}

/* The list of a group that was made earlier: the note of it, or what v1 shows. */
static int v1_load(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs_devices_v1 shown = CGFS_DEVICES_V1_INIT;
	struct own_list own = { NULL, 0 };
	struct cgfs_device_rule *copy;
	int fd, r = group_dir(g, g->c->place[CGFS_DEVICES].hierarchy, &fd, reterr);

	if (r == -ENOENT || r == -ENODEV)
		return 0; /* the group is not in this hierarchy */
	if (r == 0)
		r = devices_noted(g->c, fd, &own, reterr);
	if (r == -ENODATA) {
		r = devices_shown(g->c, fd, &shown, reterr);
		if (r == -ENOENT || r == -ENODEV)
			return 0;
		if (r == 0)
			r = shown_list(&shown, &own, reterr);
		cgfs_devices_v1_free(&shown);
	}
	if (r == 0 && !own.rules)
		devices_forget(g);
	if (r == 0 && own.rules) {
		r = copy_rules(own.rules, own.n, &copy, reterr);
		if (r == 0)
			keep(g, copy, own.n);
	}
	free(own.rules);
	return r;
}

static int v1_note(struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n,
		   struct cgfs_err *reterr)
{
	int fd, r = group_dir(g, g->c->place[CGFS_DEVICES].hierarchy, &fd, reterr);

	if (r < 0)
		return r;
	r = devices_note(g->c, fd, rules, n, NULL);
	if (r < 0) {
		const struct cgfs_dir d = dir_of(g, CGFS_DEVICES);

		dir_error(&d, r, "keep the device list of", "", NULL, reterr);
	}
	/* A process that may not keep a note may not change the list either. */
	return r == -EPERM && !rules && g->c->rootless ? 0 : r;
}

/*
 * Three callers: create (@fresh; @rules NULL for a container without a list), a new list for a
 * live group, and open (@rules NULL): then the group is registered with the policy.
 */
int devices_apply(struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n, bool fresh,
		  struct cgfs_err *reterr)
{
	bool v1 = g->c->place[CGFS_DEVICES].version == CGFS_V1;
	struct devices_change *change = NULL;
	auto_free struct cgfs_device_rule *copy = NULL;
	int r;

	/* Memory before all: afterwards it would be too late to want for it. */
	r = rules ? copy_rules(rules, n, &copy, reterr) : 0;
	if (r < 0)
		return r;
	/* v1 first: it may be unable to express the list, and then nothing has changed. */
	if (rules && v1) {
		r = devices_change(g, rules, n, fresh, &change, reterr);
		if (r < 0)
			return r;
	}
	r = v1 && (rules || fresh) ? v1_note(g, rules, n, reterr) : 0;
	if (r == 0)
		r = policy_apply(g, rules, n, fresh, reterr);
	if (r < 0 && change &&
	    (devices_change_undo(change) < 0 || v1_note(g, g->rules, g->n_rules, NULL) < 0))
		r = cgfs_err_context(reterr, r, "the old list could not be restored");
	devices_change_free(change);
	if (r < 0)
		return r;
	if (rules)
		keep(g, take_ptr(copy), n);
	if (rules || fresh || !v1)
		return 0;
	return v1_load(g, reterr);
}

int cgfs_group_devices(struct cgfs_group *g, struct cgfs_device_rule **ret_rules, size_t *ret_n,
		       struct cgfs_err *reterr)
{
	const struct cgfs_policy *policy = g->cgroup_id && devices_bound(g) ? g->c->policy : NULL;
	struct cgfs_device_rule *rules = NULL;
	struct cgfs_policy_group target;
	size_t n = 0;
	int r, fd;

	if (!devices_enforced(g->c))
		return err_value(reterr, -ENODEV, "read device rules of", g->rel,
				 "neither cgroup v1's devices controller nor an eBPF policy is "
				 "on this host");
	r = policy ? group_dir(g, g->c->unified, &fd, reterr) : 0;
	if (r == 0 && policy) {
		group_policy(g, &target);
		r = policy->ops->get_rules(policy->ctx, &target, &rules, &n, reterr);
	} else if (r == 0 && g->c->place[CGFS_DEVICES].version == CGFS_V1) {
		/* Another process may have changed it. */
		r = v1_load(g, reterr);
	} else if (r == 0) {
		r = err_why(reterr, -ENOENT, NULL, g->path, "the device policy does not know it");
	}
	if (r == 0 && !policy && g->rules) {
		n = g->n_rules;
		rules = calloc(n + 1, sizeof(*rules));
		if (!rules)
			return err_value(reterr, -ENOMEM, "read device rules of", g->rel, NULL);
		memcpy(rules, g->rules, n * sizeof(*rules));
	}
	if (r < 0)
		return cgfs_err_context(reterr, r, "read device rules of \"%.80s\"", g->rel);
	*ret_rules = rules;
	*ret_n = n;
	return 0;
}
