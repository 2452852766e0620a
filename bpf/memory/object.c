/* SPDX-License-Identifier: MIT */
/*
 * object.c - the object cgfs_mem, as bpf/policy sees it: programs for the whole system, and for
 * each group an element that makes its memory cgroup one that is counted.
 */
#include "bpf/memory/memory.h"

#include "bpf/memory/cgfs_mem.skel.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cgfs/bpf.h>
#include <stdio.h>

static int load(struct object *o, struct cgfs_err *reterr)
{
	if (!cgfs_bpf_fexit_permitted())
		return err_why(reterr, -EPERM, "load", o->ops->name,
			       "this kernel does not permit fexit programs");
	return cgfs_bpf_load(o, NULL, reterr);
}

/* The charge comes last: it is what is pinned last. */
static int attach(struct object *o, struct cgfs_err *reterr)
{
	static const struct {
		int program, link;
		enum bpf_attach_type type;
		const char *where;
	} links[] = {
		{ MEMORY_BEGIN, MEMORY_LINK_BEGIN, BPF_TRACE_RAW_TP,
		  "tp_btf/mm_vmscan_memcg_reclaim_begin" },
		{ MEMORY_END, MEMORY_LINK_END, BPF_TRACE_RAW_TP,
		  "tp_btf/mm_vmscan_memcg_reclaim_end" },
		{ MEMORY_CHARGE, MEMORY_LINK_CHARGE, BPF_TRACE_FEXIT, "fexit/try_charge_memcg" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		int *fd = &o->fd[links[i].link];

		*fd = bpf_link_create(o->fd[links[i].program], 0, links[i].type, NULL);
		if (*fd < 0)
			return cgfs_err_set(reterr, -errno, "attach", o->ops->name, links[i].where,
					    NULL);
	}
	snprintf(o->why, sizeof(o->why), "fexit/try_charge_memcg");
	return 0;
}

/* The element that leads to the others goes last, so that one that fails can be tried again. */
static int drop(struct object *o, uint64_t cgroup_id)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };
	struct cgfs_memory_id id;
	struct cgfs_memcg was;
	int r = 0;

	if (bpf_map_lookup_elem(o->fd[MEMORY_IDS], &key, &id) < 0)
		return cgfs_bpf_object_delete(o, MEMORY_COUNTS, &key);
	if (bpf_map_lookup_elem(o->fd[MEMORY_MEMCG], &id, &was) == 0) {
		r = cgfs_bpf_object_delete(o, MEMORY_MEMCG, &id);
		if (r == 0)
			cgfs_bpf_memory_forget((struct memory *)o, id.memory_id, &was, NULL, 0);
	}
	if (r == 0)
		r = cgfs_bpf_object_delete(o, MEMORY_COUNTS, &key);
	return r < 0 ? r : cgfs_bpf_object_delete(o, MEMORY_IDS, &key);
}

/* Room for what every processor counts; for reading it, and to begin at zero. */
static int room(struct memory *m)
{
	if (m->counts)
		return 0;
	m->n_cpus = libbpf_num_possible_cpus();
	if (m->n_cpus < 0)
		return m->n_cpus;
	m->counts = calloc((size_t)m->n_cpus, sizeof(struct cgfs_memory));
	return m->counts ? 0 : -ENOMEM;
}

/* The element that the program looks for comes last, and goes first. */
static int group_added(struct object *o, struct object_group *g, struct cgfs_err *reterr)
{
	struct cgfs_group_key key = { .cgroup_id = g->group->cgroup_id };
	struct cgfs_memory_id id = { .memory_id = g->group->memory_id };
	struct memory *m = (struct memory *)o;
	struct cgfs_memcg memcg = {
		.cgroup_id = g->group->cgroup_id,
		.pod_cgroup_id = g->group->pod_cgroup_id,
		.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
		.up_bytes = UINT64_MAX,
	};
	struct cgfs_memory_id there;
	int r;

	if (!id.memory_id)
		return 0;
	if (bpf_map_lookup_elem(o->fd[MEMORY_IDS], &key, &there) == 0) {
		if (there.memory_id == id.memory_id &&
		    bpf_map_lookup_elem(o->fd[MEMORY_MEMCG], &id, &memcg) == 0)
			return 0;
		r = drop(o, key.cgroup_id);
		if (r < 0)
			return cgfs_bpf_object_refuse(o, r, "count memory in", reterr);
	}
	r = room(m);
	if (r < 0)
		return cgfs_bpf_object_refuse(o, r, "count memory in", reterr);
	memset(m->counts, 0, (size_t)m->n_cpus * sizeof(struct cgfs_memory));
	r = cgfs_bpf_object_put(o, MEMORY_COUNTS, &key, m->counts, BPF_ANY);
	if (r == 0)
		r = cgfs_bpf_object_put(o, MEMORY_IDS, &key, &id, BPF_ANY);
	if (r == 0)
		r = cgfs_bpf_object_put(o, MEMORY_MEMCG, &id, &memcg, BPF_ANY);
	if (r == 0)
		return 0;
	ignore(drop(o, key.cgroup_id));
	return cgfs_bpf_object_refuse(o, r, "count memory in", reterr);
}

static int group_removed(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			 struct cgfs_err *reterr)
{
	int r = drop(o, cgroup_id);

	return r < 0 ? cgfs_bpf_object_refuse(o, r, "stop to count memory in", reterr) : 0;
}

/* The sums over the processors; the peak is the highest of theirs, the usage the latest. */
static int counters(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
		    struct cgfs_policy_counters *c)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };
	struct memory *m = (struct memory *)o;
	uint64_t latest = 0;
	int r = room(m);

	if (r < 0)
		return r;
	if (bpf_map_lookup_elem(o->fd[MEMORY_COUNTS], &key, m->counts) < 0)
		return errno == ENOENT ? 0 : -errno;
	c->counts_memory = 1;
	for (int i = 0; i < m->n_cpus; i++) {
		const struct cgfs_memory *n = (const struct cgfs_memory *)m->counts + i;

		if (n->time_ns > latest) {
			latest = n->time_ns;
			c->memory_usage = n->usage_bytes;
		}
		if (n->peak_bytes > c->memory_peak)
			c->memory_peak = n->peak_bytes;
		c->memory_charges += n->charges;
		c->memory_failed += n->failed;
		c->memory_failed_here += n->failed_here;
		c->memory_reclaims += n->reclaims;
		c->memory_reclaim_us += n->reclaim_ns / 1000;
	}
	return 0;
}

static bool record(struct object *o, const void *data, size_t len, struct cgfs_event *e)
{
	const struct cgfs_crossing *c = data;

	if (len < sizeof(*c) || c->type != CGFS_RECORD_CROSSING)
		return false;
	e->type = CGFS_EVENT_MEMORY_THRESHOLD;
	e->time_ns = c->time_ns;
	e->cgroup_id = c->cgroup_id;
	e->pid = (pid_t)c->pid;
	e->threshold = c->bytes;
	e->value = c->usage_bytes;
	memcpy(e->comm, c->comm, sizeof(e->comm));
	return true;
}

static void probe(struct object *o, int scratch, struct cgfs_capabilities *caps)
{
	if (!o->on && !o->asked)
		return;
	cgfs_capability_add(caps, "bpf.memory", o->on, o->why,
			    o->on ? ""
				  : "use a kernel with BTF that allows fexit (see bpf.fexit); "
				    "thresholds are watched through control files meanwhile");
}

static void close_memory(struct object *o)
{
	free(((struct memory *)o)->counts);
}

static bool wanted(const struct cgfs_bpf_opts *opts)
{
	return opts->memory;
}

const struct object_ops cgfs_bpf_memory_object = {
	.name = "cgfs_mem",
	.needs = "BTF, CONFIG_MEMCG and fexit",
	.abi = CGFS_MEMORY_ABI,
	.wanted = wanted,
	.reports = CGFS_EVENT_MEMORY_THRESHOLD,
	.size = sizeof(struct memory),
	.elf = cgfs_mem__elf_bytes,
	.pins = {
		[MEMORY_IDS] = { .pin = "memory_ids", .symbol = "cgfs_memory_ids",
				    .map = BPF_MAP_TYPE_HASH,
				    .key_size = sizeof(struct cgfs_group_key),
				    .value_size = sizeof(struct cgfs_memory_id) },
		[MEMORY_MEMCG] = { .pin = "memcg", .symbol = "cgfs_memcg",
				    .map = BPF_MAP_TYPE_HASH,
				    .key_size = sizeof(struct cgfs_memory_id),
				    .value_size = sizeof(struct cgfs_memcg) },
		[MEMORY_COUNTS] = { .pin = "memory", .symbol = "cgfs_memory",
				    .map = BPF_MAP_TYPE_PERCPU_HASH,
				    .key_size = sizeof(struct cgfs_group_key),
				    .value_size = sizeof(struct cgfs_memory) },
		[MEMORY_CROSSED] = { .pin = "crossed", .symbol = "cgfs_crossed",
				    .map = BPF_MAP_TYPE_HASH,
				    .key_size = sizeof(struct cgfs_crossed_key),
				    .value_size = sizeof(struct cgfs_crossed) },
		[MEMORY_CROSSINGS] = { .pin = "events/crossings", .symbol = "cgfs_crossings",
				       .map = BPF_MAP_TYPE_RINGBUF },
		[MEMORY_CHARGE] = { .symbol = "cgfs_mem_charge" },
		[MEMORY_BEGIN] = { .symbol = "cgfs_mem_begin" },
		[MEMORY_END] = { .symbol = "cgfs_mem_end" },
		[MEMORY_LINK_BEGIN] = { .pin = "reclaim_begin" },
		[MEMORY_LINK_END] = { .pin = "reclaim_end" },
		[MEMORY_LINK_CHARGE] = { .pin = "charge" },
	},
	.load = load,
	.attach = attach,
	.group_added = group_added,
	.group_removed = group_removed,
	.counters = counters,
	.record = record,
	.probe = probe,
	.close = close_memory,
};
