/* SPDX-License-Identifier: MIT */
/*
 * groups.c - the life of a group on the eBPF side: known to the program, bound by a list,
 * attached, counted, gone.  Every change is ordered so that a process that is killed half way
 * leaves either what was or something that denies.
 */
#include "loader.h"

#include <bpf/bpf.h>
#include <inttypes.h>
#include <stdio.h>

static const char *label(const struct cgfs_policy_group *group)
{
	return group->container[0] ? group->container : group->pod;
}

static bool is_pod(const struct cgfs_policy_group *group)
{
	return group->cgroup_id == group->pod_cgroup_id;
}

int cgfs_bpf_group_read(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_group *ret)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };

	return bpf_map_lookup_elem(b->groups_fd, &key, ret) < 0 ? -errno : 0;
}

static int put_group(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
		     uint32_t generation, struct cgfs_err *reterr)
{
	struct cgfs_group_key key = { .cgroup_id = group->cgroup_id };
	struct cgfs_group g = {
		.pod_cgroup_id = group->pod_cgroup_id,
		.generation = generation,
	};

	snprintf(g.pod, sizeof(g.pod), "%s", group->pod);
	snprintf(g.container, sizeof(g.container), "%s", group->container);
	if (bpf_map_update_elem(b->groups_fd, &key, &g, BPF_NOEXIST) < 0) {
		if (errno == E2BIG)
			return cgfs_err_set(reterr, -E2BIG, "write", "groups", label(group),
					    "the table of groups is full");
		return cgfs_err_set(reterr, -errno, "write", "groups", label(group), NULL);
	}
	return 0;
}

/* A program of somebody else can only forbid more; whoever wonders finds it in the probe. */
static void note_foreign(struct cgfs_bpf *b, int cgroup_fd, const char *name)
{
	uint32_t ids[64], n = ARRAY_SIZE(ids), flags = 0;

	if (bpf_prog_query(cgroup_fd, BPF_CGROUP_DEVICE, 0, &flags, ids, &n) < 0 || n < 2)
		return;
	b->foreign += n - 1;
	snprintf(b->foreign_pod, sizeof(b->foreign_pod), "%s", name);
}

/* Idempotent: the pin says that the program is attached. */
static int attach(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
		  struct cgfs_err *reterr)
{
	const char *name = group->pod[0] ? group->pod : group->container;
	char pin[300], path[CGFS_BPF_PATH];
	auto_fd int link = -EBADF;

	cgfs_bpf_link_name(name, group->cgroup_id, pin, sizeof(pin));
	if (faccessat(b->pin_fd, pin, F_OK, 0) == 0)
		return 0;
	link = bpf_link_create(b->device_fd, group->cgroup_fd, BPF_CGROUP_DEVICE, NULL);
	if (link < 0 && errno == EPERM)
		return cgfs_err_set(reterr, -EPERM, "attach device policy to", name, NULL,
				    "not permitted; needs CAP_NET_ADMIN or CAP_SYS_ADMIN, and no "
				    "ancestor with a program that forbids others");
	if (link < 0)
		return cgfs_err_set(reterr, -errno, "attach device policy to", name, NULL, NULL);
	if (bpf_obj_pin(link, cgfs_bpf_path(b, pin, path)) < 0)
		return cgfs_err_set(reterr, -errno, "pin", path, NULL, NULL);
	note_foreign(b, group->cgroup_fd, name);
	return 0;
}

/* Switches a group that is known to @list, or to none. */
static int switch_rules(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_bpf_list *list,
			struct cgfs_err *reterr)
{
	struct cgfs_control_args args = { .op = CGFS_CONTROL_SWITCH, .cgroup_id = cgroup_id };
	uint32_t generation = 0;
	int r;

	if (list) {
		r = cgfs_bpf_rules_put(b, cgroup_id, list, &generation, reterr);
		if (r < 0)
			return r;
	}
	args.generation = generation;
	r = cgfs_bpf_control(b, &args);
	if (r < 0) {
		b->scanned = false; /* what was put in is garbage */
		return cgfs_err_set(reterr, r, "switch device rules", NULL, NULL, NULL);
	}
	cgfs_bpf_rules_retire(b, cgroup_id, args.generation, false);
	/* Without memory of it the next scan learns it again. */
	if (list && cgfs_bpf_rules_remember(b, cgroup_id, generation, list) < 0)
		b->scanned = false;
	return 0;
}

static int add_new(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
		   struct cgfs_bpf_list *list, struct cgfs_err *reterr)
{
	uint32_t generation = 0;
	int r;

	if (list) {
		r = cgfs_bpf_rules_put(b, group->cgroup_id, list, &generation, reterr);
		if (r < 0)
			return r;
		if (cgfs_bpf_rules_remember(b, group->cgroup_id, generation, list) < 0)
			b->scanned = false;
	}
	r = put_group(b, group, generation, reterr);
	if (r < 0)
		cgfs_bpf_rules_retire(b, group->cgroup_id, generation, true);
	return r;
}

static void drop_group(struct cgfs_bpf *b, uint64_t cgroup_id)
{
	struct cgfs_control_args args = { .op = CGFS_CONTROL_LOST, .cgroup_id = cgroup_id };
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };
	struct cgfs_bpf_known *k;
	struct cgfs_group g;

	if (cgfs_bpf_group_read(b, cgroup_id, &g) == 0) {
		if (b->events_fd >= 0) {
			k = cgfs_bpf_known_get(b, cgroup_id);
			if (k && !k->pod)
				cgfs_bpf_known_names(k, g.pod, g.container);
			cgfs_bpf_control(b, &args);
		}
		bpf_map_delete_elem(b->groups_fd, &key);
		cgfs_bpf_rules_retire(b, cgroup_id, g.generation, true);
	}
	cgfs_bpf_known_drop(b, cgroup_id, args.lost);
}

static int drop_member(struct cgfs_bpf *b, uint64_t cgroup_id, const struct cgfs_group *g,
		       void *arg)
{
	if (g->pod_cgroup_id == *(uint64_t *)arg)
		drop_group(b, cgroup_id);
	return 0;
}

/* Calls @fn for each group; @fn may delete it. */
static int each_group(struct cgfs_bpf *b,
		      int (*fn)(struct cgfs_bpf *b, uint64_t cgroup_id, const struct cgfs_group *g,
				void *arg),
		      void *arg)
{
	struct cgfs_group_key key, next;
	struct cgfs_group g;
	bool first = true;
	int r = 0;

	while (r == 0 && bpf_map_get_next_key(b->groups_fd, first ? NULL : &key, &next) == 0) {
		if (bpf_map_lookup_elem(b->groups_fd, &next, &g) == 0)
			r = fn(b, next.cgroup_id, &g, arg);
		/* Go on from a key that exists; from another one the kernel begins anew. */
		if (bpf_map_lookup_elem(b->groups_fd, &next, &g) < 0)
			continue;
		key = next;
		first = false;
	}
	return r;
}

/* A link whose cgroup is gone shows the cgroup id 0. */
static int sweep_link(struct cgfs_bpf *b, const char *name, uint64_t cgroup_id, void *arg)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	char path[CGFS_BPF_PATH];
	auto_fd int fd = -EBADF;

	(void)arg;
	fd = bpf_obj_get(cgfs_bpf_path(b, name, path));
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0 || info.cgroup.cgroup_id)
		return 0;
	each_group(b, drop_member, &cgroup_id);
	return cgfs_bpf_unpin_name(b, name, NULL);
}

/* Before the first change: learn what is pinned, and clear away what crashes left. */
static int look_around(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	int r;

	if (b->scanned)
		return 0;
	r = cgfs_bpf_rules_scan(b, reterr);
	if (r < 0)
		return r;
	return cgfs_bpf_links(b, sweep_link, NULL, reterr);
}

/* Common to add and set_rules: the list compiled, the lock held, the past known. */
static int begin(struct cgfs_bpf *b, const struct cgfs_device_rule *rules, size_t n,
		 struct cgfs_bpf_list *list, struct cgfs_err *reterr)
{
	int r;

	if (rules) {
		r = cgfs_bpf_compile(rules, n, list, reterr);
		if (r < 0)
			return r;
	}
	r = cgfs_bpf_lock(b, reterr);
	if (r < 0) {
		cgfs_bpf_list_free(list);
		return r;
	}
	r = look_around(b, reterr);
	if (r < 0) {
		cgfs_bpf_unlock(b);
		cgfs_bpf_list_free(list);
	}
	return r;
}

static void end(struct cgfs_bpf *b, struct cgfs_bpf_list *list)
{
	cgfs_bpf_unlock(b);
	cgfs_bpf_list_free(list);
}

int cgfs_bpf_add(void *ctx, const struct cgfs_policy_group *group,
		 const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr)
{
	struct cgfs_bpf_known *k;
	struct cgfs_bpf *b = ctx;
	struct cgfs_bpf_list list = { 0 };
	struct cgfs_group there;
	bool made = false;
	int r;

	r = begin(b, rules, n, &list, reterr);
	if (r < 0)
		return r;
	if (cgfs_bpf_group_read(b, group->cgroup_id, &there) < 0) {
		r = add_new(b, group, rules ? &list : NULL, reterr);
		made = r == 0;
	} else if (rules) {
		r = switch_rules(b, group->cgroup_id, &list, reterr);
	}
	if (r == 0 && is_pod(group))
		r = attach(b, group, reterr);
	if (r == 0) {
		k = cgfs_bpf_known_get(b, group->cgroup_id);
		if (!k || cgfs_bpf_known_names(k, group->pod, group->container) < 0)
			r = cgfs_err_set(reterr, -ENOMEM, "remember", label(group), NULL, NULL);
	}
	if (r < 0 && made) {
		char pin[300];

		drop_group(b, group->cgroup_id);
		if (is_pod(group)) {
			cgfs_bpf_link_name(group->pod[0] ? group->pod : group->container,
					   group->cgroup_id, pin, sizeof(pin));
			cgfs_bpf_unpin_name(b, pin, NULL);
		}
	}
	end(b, &list);
	if (r < 0)
		return cgfs_err_context(reterr, r, "device policy of %s", label(group));
	return 0;
}

int cgfs_bpf_set_rules(void *ctx, const struct cgfs_policy_group *group,
		       const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	struct cgfs_bpf_list list = { 0 };
	struct cgfs_group there;
	int r;

	r = begin(b, rules, n, &list, reterr);
	if (r < 0)
		return r;
	r = cgfs_bpf_group_read(b, group->cgroup_id, &there);
	if (r < 0)
		r = cgfs_err_set(reterr, r, "device rules of", label(group), NULL,
				 "the device policy does not know it");
	else
		r = switch_rules(b, group->cgroup_id, rules ? &list : NULL, reterr);
	end(b, &list);
	return r;
}

/*
 * First the group, then the link: between the two, a process that should not be there any more
 * is denied everything.
 */
int cgfs_bpf_remove(void *ctx, const struct cgfs_policy_group *group, struct cgfs_err *reterr)
{
	uint64_t cgroup_id = group->cgroup_id;
	struct cgfs_bpf *b = ctx;
	char pin[300];
	int r;

	r = cgfs_bpf_lock(b, reterr);
	if (r < 0)
		return r;
	r = look_around(b, reterr);
	if (r == 0) {
		cgfs_bpf_rules_sweep(b, false);
		drop_group(b, cgroup_id);
		if (is_pod(group)) {
			cgfs_bpf_link_name(group->pod[0] ? group->pod : group->container, cgroup_id,
					   pin, sizeof(pin));
			r = cgfs_bpf_unpin_name(b, pin, reterr);
		}
	}
	cgfs_bpf_unlock(b);
	return r;
}

int cgfs_bpf_counters(void *ctx, uint64_t cgroup_id, struct cgfs_policy_counters *ret)
{
	struct cgfs_bpf *b = ctx;
	struct cgfs_group g;
	int r;

	r = cgfs_bpf_group_read(b, cgroup_id, &g);
	if (r < 0)
		return r;
	*ret = (struct cgfs_policy_counters){
		.device_allowed = g.device_allowed,
		.device_denied = g.device_denied,
		.oom_kills = g.oom_kills,
		.events_lost = g.events_lost,
	};
	return 0;
}

int cgfs_bpf_groups_left(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	struct cgfs_group_key next;
	int r;

	r = look_around(b, reterr);
	if (r < 0)
		return r;
	if (bpf_map_get_next_key(b->groups_fd, NULL, &next) == 0)
		return 1;
	return errno == ENOENT ? 0 : cgfs_err_set(reterr, -errno, "read", "groups", NULL, NULL);
}
