/* SPDX-License-Identifier: MIT */
/*
 * map.c - the object cgfs_grp: elements of cgfs_groups, one for each pod and container, made
 * before and deleted after everything else that belongs to a group.
 */
#include "bpf/group/group.h"

#include "bpf/group/cgfs_grp.skel.h"
#include <bpf/bpf.h>
#include <stdio.h>

/* FILEID_KERNFS of the kernel's <linux/exportfs.h>. */
#define KERNFS_HANDLE 0xfe

int cgfs_bpf_group_read(const struct groups *groups, uint64_t cgroup_id, struct cgfs_group *ret)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };

	return bpf_map_lookup_elem(groups->o.fd[GROUPS_MAP], &key, ret) < 0 ? -errno : 0;
}

static int next(const struct groups *groups, const struct cgfs_group_key *key, uint64_t *ret)
{
	struct cgfs_group_key found;

	if (bpf_map_get_next_key(groups->o.fd[GROUPS_MAP], key, &found) < 0)
		return errno == ENOENT ? 0 : -errno;
	*ret = found.cgroup_id;
	return 1;
}

int cgfs_bpf_group_first(const struct groups *groups, uint64_t *ret)
{
	return next(groups, NULL, ret);
}

int cgfs_bpf_group_next(const struct groups *groups, uint64_t *cgroup_id)
{
	struct cgfs_group_key key = { .cgroup_id = *cgroup_id };

	return next(groups, &key, cgroup_id);
}

int cgfs_bpf_control(const struct groups *groups, struct cgfs_control_args *args)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(*args));
	int r;

	r = bpf_prog_test_run_opts(groups->o.fd[GROUPS_CONTROL], &opts);
	return r < 0 ? r : (int)opts.retval;
}

int cgfs_bpf_history_read(const struct groups *groups, const struct cgfs_history_key *key,
			  struct cgfs_history *ret)
{
	if (bpf_map_lookup_elem(groups->o.fd[GROUPS_HISTORY], key, ret) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

uint64_t cgfs_bpf_lost_sum(const struct groups *groups, uint64_t otherwise)
{
	struct cgfs_state state;
	uint32_t zero = 0;

	return bpf_map_lookup_elem(groups->o.fd[GROUPS_STATE], &zero, &state) < 0
		       ? otherwise
		       : state.events_lost;
}

/*
 * bpffs refuses names with a dot; ids contain none of "=,:".  The cgroup's number makes the name
 * unique: two pods roots may share a pin directory, and long ids are cut in the map.
 */
void cgfs_bpf_link_name(const struct cgfs_group *g, uint64_t cgroup_id, char buf[CGFS_BPF_LINK])
{
	snprintf(buf, CGFS_BPF_LINK, "links/%.*s%s%.*s:%llu", CGFS_GROUP_NAME, g->pod,
		 g->pod[0] && g->container[0] ? "," : "", CGFS_GROUP_NAME, g->container,
		 (unsigned long long)cgroup_id);
	for (char *dot = buf; (dot = strchr(dot, '.'));)
		*dot = '=';
}

int cgfs_bpf_group_open(int tree_fd, uint64_t cgroup_id, int flags)
{
	/* The handle of a cgroup2 directory is its number. */
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + sizeof(cgroup_id)];
	} handle = { .head = { .handle_bytes = sizeof(cgroup_id), .handle_type = KERNFS_HANDLE } };
	int fd;

	memcpy(handle.head.f_handle, &cgroup_id, sizeof(cgroup_id));
	fd = open_by_handle_at(tree_fd, &handle.head, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int group_added(struct object *o, struct object_group *g, struct cgfs_err *reterr)
{
	const struct cgfs_policy_group *group = g->group;
	struct cgfs_group_key key = { .cgroup_id = group->cgroup_id };
	struct groups *groups = (struct groups *)o;
	int r;

	g->there = (struct cgfs_group){ .pod_cgroup_id = group->pod_cgroup_id };
	snprintf(g->there.pod, sizeof(g->there.pod), "%s", group->pod);
	snprintf(g->there.container, sizeof(g->there.container), "%s", group->container);
	r = cgfs_bpf_object_put(o, GROUPS_MAP, &key, &g->there, BPF_NOEXIST);
	g->made = r == 0;
	if (r == -EEXIST)
		r = cgfs_bpf_group_read(groups, group->cgroup_id, &g->there);
	if (r < 0)
		return cgfs_err_set(reterr, r, "write", "groups", label(group),
				    r == -E2BIG ? "the table of groups is full" : NULL);
	if (cgfs_bpf_known_put(groups, group->cgroup_id, group->pod, group->container) < 0)
		return err_file(reterr, -ENOMEM, "remember", label(group));
	return 0;
}

/* A container's records are its pod's.  *@some: there may be some without the first; there were. */
static int forget_history(struct groups *groups, uint64_t cgroup_id, const struct cgfs_group *there,
			  bool *some, struct cgfs_err *reterr)
{
	struct cgfs_control_args args = {
		.op = CGFS_CONTROL_FORGET,
		.cgroup_id = cgroup_id,
		.lost = *some,
	};
	int r = !there || there->pod_cgroup_id == cgroup_id ? cgfs_bpf_control(groups, &args) : 0;

	*some = args.lost;
	return r < 0 ? cgfs_err_set(reterr, r, "remove a pod from", "history", NULL, NULL) : 0;
}

/* What leads to the rest goes last, so that a process that is killed half way leaves nothing that
 * is not found.  As long as it is there programs write records, which go when it is gone. */
static int group_removed(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			 struct cgfs_err *reterr)
{
	struct cgfs_control_args args = { .op = CGFS_CONTROL_LOST, .cgroup_id = cgroup_id };
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };
	struct groups *groups = (struct groups *)o;
	const struct known *k;
	bool some = !there;
	int r = forget_history(groups, cgroup_id, there, &some, reterr);

	if (r < 0)
		return r;
	if (there && o->pins->events_fd >= 0) {
		k = cgfs_bpf_find(&groups->known, cgroup_id);
		if (!k)
			ignore(cgfs_bpf_known_put(groups, cgroup_id, there->pod, there->container));
		cgfs_bpf_control(groups, &args);
	}
	/* From 6.16 on the kernel gives up on a bucket's lock (-ETIMEDOUT) when the processor of
	 * its holder does not run: the caller tries again. */
	if (bpf_map_delete_elem(o->fd[GROUPS_MAP], &key) < 0 && errno != ENOENT)
		return cgfs_err_set(reterr, -errno, "remove a group from", "groups", NULL, NULL);
	/* Before what may fail: the kernel reports the lost events once. */
	cgfs_bpf_known_drop(groups, cgroup_id, args.lost);
	return forget_history(groups, cgroup_id, there, &some, reterr);
}

static int counters(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
		    struct cgfs_policy_counters *c)
{
	c->events_lost = there->events_lost;
	return 0;
}

static void forget(struct object *o)
{
	cgfs_bpf_known_free_all((struct groups *)o);
}

const struct object_ops cgfs_bpf_group_object = {
	.name = "cgfs_grp",
	/* Also what the device object needs, without which this one is no good. */
	.needs = "CONFIG_BPF_SYSCALL, CONFIG_CGROUP_BPF and Linux 5.14",
	.abi = CGFS_GROUP_ABI,
	.required = true,
	.size = sizeof(struct groups),
	.elf = cgfs_grp__elf_bytes,
	.pins = {
		[GROUPS_STATE] = { .pin = "state", .symbol = "cgfs_state",
				    .map = BPF_MAP_TYPE_ARRAY,
				    .key_size = sizeof(uint32_t),
				    .value_size = sizeof(struct cgfs_state) },
		[GROUPS_MAP] = { .pin = "groups", .symbol = "cgfs_groups",
				    .map = BPF_MAP_TYPE_HASH,
				    .key_size = sizeof(struct cgfs_group_key),
				    .value_size = sizeof(struct cgfs_group) },
		[GROUPS_HISTORY] = { .pin = "history", .symbol = "cgfs_history",
				    .map = BPF_MAP_TYPE_HASH,
				    .key_size = sizeof(struct cgfs_history_key),
				    .value_size = sizeof(struct cgfs_history) },
		[GROUPS_CONTROL] = { .pin = "control", .symbol = "cgfs_control" },
	},
	.group_added = group_added,
	.group_removed = group_removed,
	.counters = counters,
	.close = forget,
};
