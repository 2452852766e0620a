/* SPDX-License-Identifier: MIT */
/*
 * groups.c - the life of a group on the eBPF side: known to the program, bound by a list,
 * attached, counted, gone.  Every change is ordered so that a process that is killed half way
 * leaves either what was or something that denies.
 */
#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>

/* FILEID_KERNFS of the kernel's <linux/exportfs.h>. */
#define KERNFS_HANDLE 0xfe

static const char *label(const struct cgfs_policy_group *group)
{
	return group->container[0] ? group->container : group->pod;
}

int cgfs_bpf_group_read(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_group *ret)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };

	return bpf_map_lookup_elem(b->groups_fd, &key, ret) < 0 ? -errno : 0;
}

static struct bpf_cgroup_storage_key storage_key(uint64_t cgroup_id)
{
	struct bpf_cgroup_storage_key key;

	memset(&key, 0, sizeof(key)); /* the padding, too */
	key.cgroup_inode_id = cgroup_id;
	key.attach_type = BPF_CGROUP_DEVICE;
	return key;
}

int cgfs_bpf_policy_read(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_policy_val *ret)
{
	struct bpf_cgroup_storage_key key = storage_key(cgroup_id);

	return bpf_map_lookup_elem(b->policy_fd, &key, ret) < 0 ? -errno : 0;
}

/*
 * Puts a list in force, or none: the kernel replaces the element as a whole, so each request is
 * judged by what was or by what comes, the verdicts remembered from before going with the former.
 */
static int enforce(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
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

	if (bpf_map_update_elem(b->policy_fd, &key, &policy, BPF_ANY) < 0)
		return cgfs_err_set(reterr, -errno, "write", "policy", label(group), NULL);
	return 0;
}

static int put_group(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
		     struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs_group_key key = { .cgroup_id = group->cgroup_id };

	*g = (struct cgfs_group){ .pod_cgroup_id = group->pod_cgroup_id };
	snprintf(g->pod, sizeof(g->pod), "%s", group->pod);
	snprintf(g->container, sizeof(g->container), "%s", group->container);
	if (bpf_map_update_elem(b->groups_fd, &key, g, BPF_NOEXIST) < 0) {
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

/*
 * The pin says that the program is attached; then nothing is done.  A group that the map has only
 * now has no pin: that goes before the element does.  Until enforce() the new element is all
 * zeros, which denies.
 */
static int attach(struct cgfs_bpf *b, const struct cgfs_policy_group *group, const char *pin,
		  bool made, int *ret_link, struct cgfs_err *reterr)
{
	if (!made && faccessat(b->pin_fd, pin, F_OK, 0) == 0)
		return 0;
	*ret_link = bpf_link_create(b->device_fd, group->cgroup_fd, BPF_CGROUP_DEVICE, NULL);
	if (*ret_link >= 0)
		return 0;
	if (errno == EPERM)
		return cgfs_err_set(reterr, -EPERM, "attach device policy to", label(group), NULL,
				    "not permitted; needs CAP_NET_ADMIN or CAP_SYS_ADMIN, and no "
				    "ancestor with a program that forbids others");
	return cgfs_err_set(reterr, -errno, "attach device policy to", label(group), NULL, NULL);
}

/* Puts a list in under a new generation and in force, and the one before, of @old, out of it. */
static int switch_rules(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
			struct cgfs_bpf_list *list, uint32_t old, struct cgfs_err *reterr)
{
	uint32_t generation = 0;
	int r;

	if (list) {
		r = cgfs_bpf_rules_put(b, group->cgroup_id, list, &generation, reterr);
		if (r < 0)
			return r;
	}
	r = enforce(b, group, list, generation, reterr);
	if (r < 0) {
		b->scanned = false; /* what was put in is garbage */
		return r;
	}
	cgfs_bpf_rules_retire(b, group->cgroup_id, old);
	/* Without memory of it the next scan learns it again. */
	if (list && cgfs_bpf_rules_remember(b, group->cgroup_id, generation, list) < 0)
		b->scanned = false;
	return 0;
}

static void count_from_zero(struct cgfs_bpf *b, uint64_t cgroup_id)
{
	struct bpf_cgroup_storage_key key = storage_key(cgroup_id);
	int n = libbpf_num_possible_cpus();
	auto_free struct cgfs_counts *zeros = calloc(n > 0 ? (size_t)n : 1, sizeof(*zeros));

	if (zeros && n > 0)
		bpf_map_update_elem(b->counts_fd, &key, zeros, BPF_ANY);
}

static int no_policy(int r, const struct cgfs_policy_group *group, struct cgfs_err *reterr)
{
	return cgfs_err_set(reterr, r, "device rules of", label(group), NULL,
			    "no device policy is attached to it");
}

/* Attached, bound by a list, and only then pinned: a process killed on the way leaves nothing. */
static int bind(struct cgfs_bpf *b, const struct cgfs_policy_group *group,
		const struct cgfs_group *g, struct cgfs_bpf_list *list, bool made,
		struct cgfs_err *reterr)
{
	char pin[CGFS_BPF_LINK], path[CGFS_BPF_PATH];
	struct cgfs_policy_val policy;
	auto_fd int link = -EBADF;
	int r;

	cgfs_bpf_link_name(g, group->cgroup_id, pin);
	r = attach(b, group, pin, made, &link, reterr);
	if (r < 0)
		return r;
	r = cgfs_bpf_policy_read(b, group->cgroup_id, &policy);
	if (r < 0)
		return no_policy(r, group, reterr);
	/* The kernel keeps a cgroup's elements when a link goes: a list may be there already,
	 * and so may counts, should the group have been removed and come again. */
	if (made && policy.cgroup_id)
		count_from_zero(b, group->cgroup_id);
	if (made || list || !policy.cgroup_id)
		r = switch_rules(b, group, list, policy.generation, reterr);
	if (r < 0 || link < 0)
		return r;
	if (bpf_obj_pin(link, cgfs_bpf_path(b, pin, path)) < 0)
		return cgfs_err_set(reterr, -errno, "pin", path, NULL, NULL);
	note_foreign(b, group->cgroup_fd, label(group));
	return 0;
}

/* A process that should not be there any more is denied everything.  The number stays, as a
 * sign that the element was in use. */
static void deny_all(struct cgfs_bpf *b, uint64_t cgroup_id)
{
	struct bpf_cgroup_storage_key key = storage_key(cgroup_id);
	struct cgfs_policy_val policy = { .cgroup_id = cgroup_id, .mode = CGFS_NOTHING };

	bpf_map_update_elem(b->policy_fd, &key, &policy, BPF_ANY);
}

static int drop_group(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_err *reterr)
{
	struct cgfs_control_args args = { .op = CGFS_CONTROL_LOST, .cgroup_id = cgroup_id };
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };
	struct cgfs_policy_val policy;
	char pin[CGFS_BPF_LINK], path[CGFS_BPF_PATH];
	struct cgfs_bpf_known *k;
	auto_fd int link = -EBADF;
	struct cgfs_group g;
	int r;

	if (cgfs_bpf_group_read(b, cgroup_id, &g) == 0) {
		if (b->events_fd >= 0) {
			k = cgfs_bpf_known_get(b, cgroup_id);
			if (k && !k->pod)
				cgfs_bpf_known_names(k, g.pod, g.container);
			cgfs_bpf_control(b, &args);
		}
		r = cgfs_bpf_policy_read(b, cgroup_id, &policy);
		deny_all(b, cgroup_id);
		cgfs_bpf_rules_drop(b, cgroup_id, r < 0 ? 0 : policy.generation);
		cgfs_bpf_link_name(&g, cgroup_id, pin);
		/* The kernel detaches at once when a descriptor is the last to go, and from a
		 * queue when a pin is: there it holds a lock that our next call waits for. */
		link = bpf_obj_get(cgfs_bpf_path(b, pin, path));
		r = cgfs_bpf_unpin_name(b, pin, reterr);
		if (r < 0)
			return r;
		bpf_map_delete_elem(b->groups_fd, &key);
	}
	cgfs_bpf_known_drop(b, cgroup_id, args.lost);
	return 0;
}

/* The handle of a cgroup2 directory is its number. */
static bool no_such_cgroup(int cgroup2_fd, uint64_t cgroup_id)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + sizeof(cgroup_id)];
	} handle = { .head = { .handle_bytes = sizeof(cgroup_id), .handle_type = KERNFS_HANDLE } };
	auto_fd int fd = -EBADF;

	if (cgroup2_fd < 0)
		return false;
	memcpy(handle.head.f_handle, &cgroup_id, sizeof(cgroup_id));
	fd = open_by_handle_at(cgroup2_fd, &handle.head, O_PATH | O_CLOEXEC);
	return fd < 0 && errno == ESTALE;
}

/*
 * A link whose cgroup is gone shows the cgroup id 0, but only when the kernel has come to release
 * it, some 100 ms later.  The tree itself knows at once.
 */
static bool cgroup_gone(const char *path, uint64_t cgroup_id, int cgroup2_fd)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	auto_fd int fd = bpf_obj_get(path);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return false;
	return !info.cgroup.cgroup_id || no_such_cgroup(cgroup2_fd, cgroup_id);
}

static int sweep_link(struct cgfs_bpf *b, const char *name, uint64_t cgroup_id, void *arg)
{
	const int *cgroup2_fd = arg;
	char path[CGFS_BPF_PATH];

	if (!cgroup_gone(cgfs_bpf_path(b, name, path), cgroup_id, cgroup2_fd ? *cgroup2_fd : -1))
		return 0;
	if (drop_group(b, cgroup_id, NULL) < 0)
		return 0;
	return cgfs_bpf_unpin_name(b, name, NULL);
}

/* A group that has no element of cgroup storage was never attached to, or its cgroup is gone. */
static int sweep_groups(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	struct cgfs_group_key key, next;
	struct cgfs_policy_val policy;
	bool more = bpf_map_get_next_key(b->groups_fd, NULL, &next) == 0;

	while (more) {
		key = next;
		more = bpf_map_get_next_key(b->groups_fd, &key, &next) == 0;
		if (cgfs_bpf_policy_read(b, key.cgroup_id, &policy) == -ENOENT) {
			int r = drop_group(b, key.cgroup_id, reterr);

			if (r < 0)
				return r;
		}
	}
	return 0;
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
	r = cgfs_bpf_links(b, sweep_link, NULL, reterr);
	return r < 0 ? r : sweep_groups(b, reterr);
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
	struct cgfs_group g;
	bool made = false;
	int r;

	r = begin(b, rules, n, &list, reterr);
	if (r < 0)
		return r;
	r = put_group(b, group, &g, reterr);
	made = r == 0;
	if (r == -EEXIST)
		r = cgfs_bpf_group_read(b, group->cgroup_id, &g);
	if (r == 0)
		r = bind(b, group, &g, rules ? &list : NULL, made, reterr);
	if (r == 0) {
		k = cgfs_bpf_known_get(b, group->cgroup_id);
		if (!k || cgfs_bpf_known_names(k, group->pod, group->container) < 0)
			r = cgfs_err_set(reterr, -ENOMEM, "remember", label(group), NULL, NULL);
	}
	if (r < 0 && made)
		(void)!drop_group(b, group->cgroup_id, NULL);
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
	struct cgfs_policy_val policy;
	struct cgfs_group there;
	int r;

	r = begin(b, rules, n, &list, reterr);
	if (r < 0)
		return r;
	r = cgfs_bpf_group_read(b, group->cgroup_id, &there);
	if (r < 0)
		r = cgfs_err_set(reterr, r, "device rules of", label(group), NULL,
				 "the device policy does not know it");
	else if ((r = cgfs_bpf_policy_read(b, group->cgroup_id, &policy)) < 0)
		no_policy(r, group, reterr);
	else
		r = switch_rules(b, group, rules ? &list : NULL, policy.generation, reterr);
	end(b, &list);
	return r;
}

/* The group is found by its number alone: names may be unknown to who calls this. */
int cgfs_bpf_remove(void *ctx, const struct cgfs_policy_group *group, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	int r;

	r = cgfs_bpf_lock(b, reterr);
	if (r < 0)
		return r;
	r = look_around(b, reterr);
	if (r == 0) {
		cgfs_bpf_rules_sweep(b, false);
		r = drop_group(b, group->cgroup_id, reterr);
	}
	cgfs_bpf_unlock(b);
	return r;
}

int cgfs_bpf_sweep(void *ctx, int cgroup2_fd, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	int r;

	r = cgfs_bpf_lock(b, reterr);
	if (r < 0)
		return r;
	r = look_around(b, reterr);
	if (r == 0)
		r = cgfs_bpf_links(b, sweep_link, &cgroup2_fd, reterr);
	cgfs_bpf_unlock(b);
	return r;
}

int cgfs_bpf_counters(void *ctx, uint64_t cgroup_id, struct cgfs_policy_counters *ret)
{
	struct bpf_cgroup_storage_key key = storage_key(cgroup_id);
	auto_free struct cgfs_counts *counts = NULL;
	struct cgfs_policy_counters c = { 0 };
	struct cgfs_bpf *b = ctx;
	int n = libbpf_num_possible_cpus();
	struct cgfs_group g;
	int64_t elsewhere;
	int r;

	r = cgfs_bpf_group_read(b, cgroup_id, &g);
	if (r < 0)
		return r;
	if (n < 0)
		return n;
	counts = calloc((size_t)n, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	if (bpf_map_lookup_elem(b->counts_fd, &key, counts) < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		c.device_allowed += counts[i].device_allowed;
		c.device_denied += counts[i].device_denied;
	}
	/* A request of this moment may be in one of the two and not in the other yet.  Below 0
	 * where somebody else's program had refused for a container. */
	elsewhere = (int64_t)g.denied_elsewhere;
	if (elsewhere <= 0 || c.device_allowed > (uint64_t)elsewhere)
		c.device_allowed -= (uint64_t)elsewhere;
	else
		c.device_allowed = 0;
	c.device_denied += (uint64_t)elsewhere;
	c.oom_kills = g.oom_kills;
	c.events_lost = g.events_lost;
	*ret = c;
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
