/* SPDX-License-Identifier: MIT */
/*
 * enforce.c - what binds a group: the program attached to its cgroup, and a list in force or none.
 * Every change is ordered so that a process that is killed half way leaves either what was or
 * something that denies.
 */
#include "bpf/device/device.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

static struct bpf_cgroup_storage_key storage_key(uint64_t cgroup_id)
{
	struct bpf_cgroup_storage_key key;

	memset(&key, 0, sizeof(key)); /* the padding, too */
	key.cgroup_inode_id = cgroup_id;
	key.attach_type = BPF_CGROUP_DEVICE;
	return key;
}

int cgfs_bpf_policy_read(const struct device *d, uint64_t cgroup_id, struct cgfs_policy_val *ret)
{
	struct bpf_cgroup_storage_key key = storage_key(cgroup_id);

	return bpf_map_lookup_elem(d->o.fd[DEVICE_POLICY], &key, ret) < 0 ? -errno : 0;
}

/*
 * Puts a list in force, or none: the kernel replaces the element as a whole, so each request is
 * judged by what was or by what comes, the verdicts remembered from before going with the former.
 */
static int enforce(struct device *d, const struct cgfs_policy_group *group,
		   const struct cgfs_bpf_list *list, uint32_t generation, struct cgfs_err *reterr)
{
	struct bpf_cgroup_storage_key key = storage_key(group->cgroup_id);
	bool is_pod = group->cgroup_id == group->pod_cgroup_id;
	struct cgfs_policy_val policy = {
		.cgroup_id = group->cgroup_id,
		.mode = list	 ? CGFS_LIST
			: is_pod ? CGFS_NOTHING
				 : CGFS_POD,
		.generation = generation,
		.is_pod = is_pod,
	};

	if (bpf_map_update_elem(d->o.fd[DEVICE_POLICY], &key, &policy, BPF_ANY) < 0)
		return cgfs_err_set(reterr, -errno, "write", "policy", label(group), NULL);
	return 0;
}

static bool program_info(int fd, struct bpf_prog_info *ret)
{
	uint32_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return fd >= 0 && bpf_obj_get_info_by_fd(fd, ret, &len) == 0;
}

struct meeting {
	struct device *d;
	const struct cgfs_policy_group *group;
};

/* To be reported, once per program. */
static int meet(void *arg, uint32_t id, const char *name)
{
	const struct meeting *m = arg;
	struct device *d = m->d;
	struct foreign *f;

	for (size_t i = 0; i < d->foreign && i < FOREIGN_KEPT; i++) {
		if (d->met[i].id == id)
			return 0;
	}
	f = &d->met[d->foreign++ % FOREIGN_KEPT];
	*f = (struct foreign){ .id = id, .cgroup_id = m->group->cgroup_id };
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(d->foreign_pod, sizeof(d->foreign_pod), "%s", label(m->group));
	return 0;
}

/* Calls @fn, if any, for each program on the group's own cgroup that is not of cgfs; they can only
 * forbid more.  1: one of cgfs is there that is not ours, but of other pins; 0: none. */
static int walk_others(const struct device *d, const struct cgfs_policy_group *group,
		       int (*fn)(void *arg, uint32_t id, const char *name), void *arg)
{
	uint32_t ids[64], n = ARRAY_SIZE(ids), flags = 0;
	struct bpf_prog_info own, other;
	int r = 0, elsewhere = 0;

	if (bpf_prog_query(group->cgroup_fd, BPF_CGROUP_DEVICE, 0, &flags, ids, &n) < 0)
		return -errno;
	if (n && !program_info(d->o.fd[DEVICE_PROGRAM], &own))
		return -errno;
	for (uint32_t i = 0; i < n && r == 0; i++) {
		auto_fd int fd = ids[i] == own.id ? -EBADF : bpf_prog_get_fd_by_id(ids[i]);

		if (!program_info(fd, &other) || !other.id)
			continue;
		if (streq(other.name, own.name))
			elsewhere = 1;
		else if (fn)
			r = fn(arg, other.id, other.name);
	}
	return r < 0 ? r : elsewhere;
}

bool cgfs_bpf_device_elsewhere(const struct device *d, const struct cgfs_policy_group *group)
{
	return walk_others(d, group, NULL, NULL) == 1;
}

int cgfs_bpf_device_foreign(const struct device *d, const struct cgfs_policy_group *group,
			    int (*fn)(void *arg, uint32_t id, const char *name), void *arg)
{
	int r = walk_others(d, group, fn, arg);

	return r < 0 ? r : 0;
}

/*
 * The pin says that the program is attached; then nothing is done.  A group that the map has only
 * now has no pin: that goes before the element does.  Until enforce() the new element is all
 * zeros, which denies.
 */
static int attach(struct device *d, const struct cgfs_policy_group *group, const char *pin,
		  bool made, int *ret_link, struct cgfs_err *reterr)
{
	struct meeting meeting = { d, group };
	bool elsewhere = walk_others(d, group, meet, &meeting) == 1;

	if (!made && cgfs_bpf_pinned(d->o.pins, pin))
		return 0;
	if (elsewhere)
		return err_why(reterr, -EBUSY, "attach device policy to", label(group),
			       "the device policy of another pin directory is attached to "
			       "it, not that of %s",
			       d->o.pins->dir);
	*ret_link =
		bpf_link_create(d->o.fd[DEVICE_PROGRAM], group->cgroup_fd, BPF_CGROUP_DEVICE, NULL);
	if (*ret_link >= 0)
		return 0;
	if (errno == EPERM)
		return err_why(reterr, -EPERM, "attach device policy to", label(group),
			       "not permitted; needs CAP_NET_ADMIN or CAP_SYS_ADMIN, and no "
			       "ancestor with a program that forbids others");
	return err_file(reterr, -errno, "attach device policy to", label(group));
}

/* Puts a list in under a new generation and in force, and the one before, of @old, out of it. */
static int switch_rules(struct device *d, const struct cgfs_policy_group *group,
			struct cgfs_bpf_list *list, uint32_t old, struct cgfs_err *reterr)
{
	uint32_t generation = 0;
	int r;

	if (list) {
		r = cgfs_bpf_rules_put(d, group->cgroup_id, list, &generation, reterr);
		if (r < 0)
			return r;
	}
	r = enforce(d, group, list, generation, reterr);
	if (r < 0) {
		d->scanned = false; /* what was put in is garbage */
		return r;
	}
	cgfs_bpf_rules_retire(d, group->cgroup_id, old);
	/* Without memory of it the next scan learns it again. */
	if (list && cgfs_bpf_rules_remember(d, group->cgroup_id, generation, list) < 0)
		d->scanned = false;
	return 0;
}

static void count_from_zero(struct device *d, uint64_t cgroup_id)
{
	struct bpf_cgroup_storage_key key = storage_key(cgroup_id);
	int n = libbpf_num_possible_cpus();
	auto_free struct cgfs_counts *zeros = calloc(n > 0 ? (size_t)n : 1, sizeof(*zeros));

	if (zeros && n > 0)
		bpf_map_update_elem(d->o.fd[DEVICE_COUNTS], &key, zeros, BPF_ANY);
}

/* Attached, bound by a list, and only then pinned: a process killed on the way leaves nothing. */
static int bind(struct device *d, const struct object_group *g, struct cgfs_bpf_list *list,
		bool replace, struct cgfs_err *reterr)
{
	const struct cgfs_policy_group *group = g->group;
	struct cgfs_policy_val policy;
	auto_fd int link = -EBADF;
	char pin[CGFS_BPF_LINK];
	int r;

	cgfs_bpf_link_name(&g->there, group->cgroup_id, pin);
	r = attach(d, group, pin, g->made, &link, reterr);
	if (r < 0)
		return r;
	r = cgfs_bpf_policy_read(d, group->cgroup_id, &policy);
	if (r < 0)
		return err_why(reterr, r, "device rules of", label(group),
			       "no device policy is attached to it");
	/* The kernel keeps a cgroup's elements when a link goes: a list may be there already,
	 * and so may counts, should the group have been removed and come again. */
	if (g->made && policy.cgroup_id)
		count_from_zero(d, group->cgroup_id);
	if (replace || !policy.cgroup_id)
		r = switch_rules(d, group, list, policy.generation, reterr);
	if (r < 0 || link < 0)
		return r;
	return cgfs_bpf_pin(d->o.pins, link, pin, reterr);
}

static int compile_and_bind(struct object *o, const struct object_group *g, bool replace,
			    struct cgfs_err *reterr)
{
	struct cgfs_bpf_list list = { 0 };
	int r = 0;

	if (g->rules)
		r = cgfs_bpf_compile(g->rules, g->n_rules, &list, reterr);
	if (r == 0)
		r = bind((struct device *)o, g, g->rules ? &list : NULL, replace, reterr);
	cgfs_bpf_list_free(&list);
	return r;
}

int cgfs_bpf_device_added(struct object *o, struct object_group *g, struct cgfs_err *reterr)
{
	return compile_and_bind(o, g, g->made || g->rules, reterr);
}

/* Attached again if its pin was removed. */
int cgfs_bpf_device_changed(struct object *o, const struct object_group *g, struct cgfs_err *reterr)
{
	return compile_and_bind(o, g, true, reterr);
}

/* A process that should not be there any more is denied everything.  The number stays, as a
 * sign that the element was in use. */
static void deny_all(struct device *d, uint64_t cgroup_id)
{
	struct bpf_cgroup_storage_key key = storage_key(cgroup_id);
	struct cgfs_policy_val policy = { .cgroup_id = cgroup_id, .mode = CGFS_NOTHING };

	bpf_map_update_elem(d->o.fd[DEVICE_POLICY], &key, &policy, BPF_ANY);
}

int cgfs_bpf_device_removed(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			    struct cgfs_err *reterr)
{
	struct device *d = (struct device *)o;
	char pin[CGFS_BPF_LINK], path[CGFS_BPF_PATH];
	struct cgfs_policy_val policy;
	auto_fd int link = -EBADF;

	cgfs_bpf_rules_sweep(d, false);
	if (!there || cgfs_bpf_policy_read(d, cgroup_id, &policy) < 0)
		policy.generation = 0;
	if (there)
		deny_all(d, cgroup_id);
	cgfs_bpf_rules_drop(d, cgroup_id, policy.generation);
	if (!there)
		return 0;
	cgfs_bpf_link_name(there, cgroup_id, pin);
	/* The kernel detaches at once when a descriptor is the last to go, and from a queue when a
	 * pin is: there it holds a lock that our next call waits for.  Where others keep that lock
	 * busy for long, the queue waits for it, and not this process. */
	if (!o->pins->detach_later)
		link = bpf_obj_get(cgfs_bpf_path(o->pins, pin, path));
	return cgfs_bpf_unpin_name(o->pins, pin, reterr);
}

int cgfs_bpf_device_counters(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			     struct cgfs_policy_counters *c)
{
	struct bpf_cgroup_storage_key key = storage_key(cgroup_id);
	int64_t elsewhere = (int64_t)there->denied_elsewhere;
	int n = libbpf_num_possible_cpus();
	auto_free struct cgfs_counts *counts = calloc(n > 0 ? (size_t)n : 1, sizeof(*counts));

	if (n < 0)
		return n;
	if (!counts)
		return -ENOMEM;
	if (bpf_map_lookup_elem(o->fd[DEVICE_COUNTS], &key, counts) < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		c->device_allowed += counts[i].device_allowed;
		c->device_denied += counts[i].device_denied;
	}
	/* A request of this moment may be in one of the two and not in the other yet.  Below 0
	 * where a program that is not ours had refused for a container. */
	if (elsewhere <= 0 || c->device_allowed > (uint64_t)elsewhere)
		c->device_allowed -= (uint64_t)elsewhere;
	else
		c->device_allowed = 0;
	c->device_denied += (uint64_t)elsewhere;
	return 0;
}
