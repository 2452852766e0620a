/* SPDX-License-Identifier: MIT */
/*
 * object.c - the object cgfs_rpt, as bpf/policy sees it: an iterator over the hierarchy that
 * carries memory, pinned as a file to read; and a second one that writes the figures of all groups
 * into a map when it is read.
 */
#include "bpf/report/report.h"

#include "bpf/report/cgfs_rpt.skel.h"
#include <bpf/bpf.h>
#include <cgfs/abi/report.h>
#include <cgfs/bpf.h>
#include <cgfs/host.h>
#include <stdio.h>

enum {
	REPORT_GROUPS,
	REPORT_IDS,
	REPORT_FIGURES,
	REPORT_PROGRAM,
	REPORT_PROGRAM_ALL,
	REPORT_LINK_ALL,
	REPORT_LINK,
};

/* The hierarchy that carries memory. */
static int open_tree(const struct object *o, struct cgfs_err *reterr)
{
	struct cgfs_mounts m = CGFS_MOUNTS_INIT;
	int fd, r = cgfs_discover(&m, reterr);

	for (size_t i = 0; i < m.n && r == 0; i++) {
		if (!(m.mount[i].controllers & (1u << CGFS_MEMORY)))
			continue;
		fd = open(m.mount[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd >= 0 ? fd : err_file(reterr, -errno, "open", m.mount[i].path);
	}
	return r < 0 ? r
		     : err_why(reterr, -ENODEV, "attach", o->ops->name,
			       "no hierarchy that carries memory is mounted");
}

static int attach(struct object *o, struct cgfs_err *reterr)
{
	union bpf_iter_link_info info = { .cgroup.order = BPF_CGROUP_ITER_DESCENDANTS_PRE };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	auto_fd int tree = open_tree(o, reterr);

	if (tree < 0)
		return tree;
	info.cgroup.cgroup_fd = (uint32_t)tree;
	o->fd[REPORT_LINK_ALL] =
		bpf_link_create(o->fd[REPORT_PROGRAM_ALL], 0, BPF_TRACE_ITER, &opts);
	if (o->fd[REPORT_LINK_ALL] >= 0)
		o->fd[REPORT_LINK] =
			bpf_link_create(o->fd[REPORT_PROGRAM], 0, BPF_TRACE_ITER, &opts);
	if (o->fd[REPORT_LINK_ALL] < 0 || o->fd[REPORT_LINK] < 0)
		return cgfs_err_set(reterr, -errno, "attach", o->ops->name, NULL, NULL);
	snprintf(o->why, sizeof(o->why), "%.140s/mem", o->pins->dir);
	return 0;
}

static int drop(struct object *o, uint64_t cgroup_id)
{
	struct cgfs_group_key group = { .cgroup_id = cgroup_id };
	struct cgfs_report_key key = { .memory_id = cgroup_id };
	struct cgfs_report value;
	int r = cgfs_bpf_object_delete(o, REPORT_FIGURES, &group);

	(void)bpf_map_lookup_elem(o->fd[REPORT_IDS], &group, &key);
	if (bpf_map_lookup_elem(o->fd[REPORT_GROUPS], &key, &value) == 0 &&
	    value.cgroup_id == cgroup_id && r == 0)
		r = cgfs_bpf_object_delete(o, REPORT_GROUPS, &key);
	return r < 0 || key.memory_id == cgroup_id ? r
						   : cgfs_bpf_object_delete(o, REPORT_IDS, &group);
}

static int group_added(struct object *o, struct object_group *g, struct cgfs_err *reterr)
{
	struct cgfs_group_key group = { .cgroup_id = g->group->cgroup_id };
	struct cgfs_report_key key = { .memory_id = g->group->memory_id };
	struct cgfs_report value = {
		.cgroup_id = group.cgroup_id,
		.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
	};
	int r = 0;

	if (!key.memory_id)
		return 0;
	if (key.memory_id != group.cgroup_id)
		r = cgfs_bpf_object_put(o, REPORT_IDS, &group, &key, BPF_ANY);
	/* Before the program finds the group: it makes no elements. */
	if (r == 0)
		r = cgfs_bpf_object_put(o, REPORT_FIGURES, &group, &(struct cgfs_figures){ 0 },
					BPF_ANY);
	if (r == 0)
		r = cgfs_bpf_object_put(o, REPORT_GROUPS, &key, &value, BPF_ANY);
	if (r == 0)
		return 0;
	ignore(drop(o, group.cgroup_id));
	return cgfs_bpf_object_refuse(o, r, "report memory by", reterr);
}

static int group_removed(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			 struct cgfs_err *reterr)
{
	int r = drop(o, cgroup_id);

	return r < 0 ? cgfs_bpf_object_refuse(o, r, "remove a group from", reterr) : 0;
}

int cgfs_bpf_report_read(struct object *o, uint64_t *ret_session)
{
	struct cgfs_report_head head;
	auto_fd int fd = bpf_iter_create(o->fd[REPORT_LINK_ALL]);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, &head, sizeof(head));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n != sizeof(head) || head.size != sizeof(head) || head.abi != CGFS_REPORT_ABI ||
	    head.element_size != sizeof(struct cgfs_figures))
		return -EPROTO;
	*ret_session = head.session;
	return 0;
}

int cgfs_bpf_report_get(struct object *o, uint64_t cgroup_id, uint64_t session,
			struct cgfs_figures *ret)
{
	struct cgfs_group_key group = { .cgroup_id = cgroup_id };

	if (bpf_map_lookup_elem(o->fd[REPORT_FIGURES], &group, ret) < 0)
		return -errno;
	/* Another reader's later session is as good.  An earlier one: the group was not there. */
	return ret->session < session ? -ENOENT : 0;
}

static void probe(struct object *o, int scratch, struct cgfs_capabilities *caps)
{
	if (!o->on && !o->asked)
		return;
	cgfs_capability_add(caps, "bpf.report", o->on, o->why,
			    o->on ? "" : "use Linux 6.1 or newer with BTF (see bpf.iter_cgroup)");
}

static bool wanted(const struct cgfs_bpf_opts *opts)
{
	return opts->memory;
}

const struct object_ops cgfs_bpf_report_object = {
	.name = "cgfs_rpt",
	.needs = "BTF and iter/cgroup",
	.abi = CGFS_REPORT_ABI,
	.wanted = wanted,
	.reads = "cgfs_mem",
	.size = sizeof(struct object),
	.elf = cgfs_rpt__elf_bytes,
	.pins = {
		[REPORT_GROUPS] = { .pin = "report", .symbol = "cgfs_report",
				    .map = BPF_MAP_TYPE_HASH,
				    .key_size = sizeof(struct cgfs_report_key),
				    .value_size = sizeof(struct cgfs_report) },
		[REPORT_IDS] = { .pin = "report_ids", .symbol = "cgfs_report_ids",
				    .map = BPF_MAP_TYPE_HASH,
				    .key_size = sizeof(struct cgfs_group_key),
				    .value_size = sizeof(struct cgfs_report_key) },
		[REPORT_FIGURES] = { .pin = "figures", .symbol = "cgfs_figures",
				     .map = BPF_MAP_TYPE_HASH,
				     .key_size = sizeof(struct cgfs_group_key),
				     .value_size = sizeof(struct cgfs_figures) },
		[REPORT_PROGRAM] = { .symbol = "cgfs_mem_table" },
		[REPORT_PROGRAM_ALL] = { .symbol = "cgfs_mem_all" },
		[REPORT_LINK_ALL] = { .pin = "all" },
		[REPORT_LINK] = { .pin = "mem" },
	},
	.attach = attach,
	.group_added = group_added,
	.group_removed = group_removed,
	.probe = probe,
};
