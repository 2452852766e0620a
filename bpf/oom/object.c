/* SPDX-License-Identifier: MIT */
/*
 * object.c - the object cgfs_oom, as bpf/policy sees it: one program for the whole system, attached
 * in one of two ways.
 */
#include "bpf/oom/oom.h"

#include "bpf/oom/cgfs_oom.skel.h"
#include <bpf/bpf.h>
#include <cgfs/abi/kill.h>
#include <cgfs/bpf.h>
#include <stdio.h>
#include <sys/utsname.h>

enum { OOM_KILLS, OOM_MEMORY, OOM_TRACEPOINT, OOM_FUNCTION, OOM_BEGIN, OOM_LINK_BEGIN, OOM_LINK };

/* The way that will do is tried first, for each reads all of the kernel's BTF: since 6.10 the
 * tracepoint has the task.  A kernel that was patched otherwise costs a second try. */
static bool tracepoint_first(void)
{
	unsigned int major, minor;
	struct utsname u;

	return uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2 || major > 6 ||
	       (major == 6 && minor >= 10);
}

/* Without fentry, whose limit it was is known on v1 alone. */
static int load(struct object *o, struct cgfs_err *reterr)
{
	static const char *const tracepoint[] = { "cgfs_oom_fn", NULL };
	static const char *const function[] = { "cgfs_oom_tp", NULL };
	static const char *const alone[] = { "cgfs_oom_fn", "cgfs_oom_begin", NULL };
	bool first = tracepoint_first();
	int r;

	if (!cgfs_bpf_fexit_permitted())
		return cgfs_bpf_load(o, alone, reterr);
	r = cgfs_bpf_load(o, first ? tracepoint : function, reterr);
	return r < 0 ? cgfs_bpf_load(o, first ? function : tracepoint, reterr) : 0;
}

static int attach_to(struct object *o, int program, int link, enum bpf_attach_type type,
		     struct cgfs_err *reterr)
{
	o->fd[link] = bpf_link_create(o->fd[program], 0, type, NULL);
	return o->fd[link] < 0 ? err_file(reterr, -errno, "attach", o->ops->name) : 0;
}

static int attach(struct object *o, struct cgfs_err *reterr)
{
	bool tracepoint = o->fd[OOM_TRACEPOINT] >= 0;
	int r = 0;

	if (o->fd[OOM_BEGIN] >= 0)
		r = attach_to(o, OOM_BEGIN, OOM_LINK_BEGIN, BPF_TRACE_FENTRY, reterr);
	if (r == 0)
		r = attach_to(o, tracepoint ? OOM_TRACEPOINT : OOM_FUNCTION, OOM_LINK,
			      tracepoint ? BPF_TRACE_RAW_TP : BPF_TRACE_FENTRY, reterr);
	if (r == 0)
		snprintf(o->why, sizeof(o->why), "%s%s",
			 tracepoint ? "tp_btf/mark_victim" : "fentry/mark_oom_victim",
			 o->fd[OOM_BEGIN] >= 0 ? ", fentry/out_of_memory" : "");
	return r;
}

/* A group whose memory is nowhere limited loses processes to the machine alone. */
static int group_added(struct object *o, struct object_group *g, struct cgfs_err *reterr)
{
	struct cgfs_group_key key = { .cgroup_id = g->group->cgroup_id };
	struct cgfs_oom_memory value = {
		.memory_id = g->group->memory_id,
		.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
	};
	int r = value.memory_id ? cgfs_bpf_object_put(o, OOM_MEMORY, &key, &value, BPF_ANY) : 0;

	return r < 0 ? cgfs_bpf_object_refuse(o, r, "attribute kills by", reterr) : 0;
}

static int group_removed(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
			 struct cgfs_err *reterr)
{
	struct cgfs_group_key key = { .cgroup_id = cgroup_id };
	int r = cgfs_bpf_object_delete(o, OOM_MEMORY, &key);

	return r < 0 ? cgfs_bpf_object_refuse(o, r, "remove a group from", reterr) : 0;
}

static int counters(struct object *o, uint64_t cgroup_id, const struct cgfs_group *there,
		    struct cgfs_policy_counters *c)
{
	c->oom_kills = there->oom_kills;
	c->counts_oom = 1;
	return 0;
}

static bool record(struct object *o, const void *data, size_t len, struct cgfs_event *e)
{
	const struct cgfs_kill *k = data;

	if (len < sizeof(*k) || k->type != CGFS_RECORD_KILL)
		return false;
	e->type = CGFS_EVENT_OOM_KILL;
	e->time_ns = k->time_ns;
	e->cgroup_id = k->cgroup_id;
	e->pid = (pid_t)k->pid;
	e->count = 1;
	memcpy(e->comm, k->comm, sizeof(e->comm));
	return true;
}

static void probe(struct object *o, int scratch, struct cgfs_capabilities *caps)
{
	cgfs_capability_add(
		caps, "bpf.oom", o->on, o->why,
		o->on ? ""
		      : "use a kernel with BTF whose tracepoint mark_victim has the task, "
			"or that allows fentry");
}

static bool wanted(const struct cgfs_bpf_opts *opts)
{
	return !opts->no_kills;
}

const struct object_ops cgfs_bpf_oom_object = {
	.name = "cgfs_oom",
	.needs = "BTF, and the task in the tracepoint mark_victim, or fentry",
	.abi = CGFS_KILL_ABI,
	.wanted = wanted,
	.reports = CGFS_EVENT_OOM_KILL,
	.size = sizeof(struct object),
	.elf = cgfs_oom__elf_bytes,
	.pins = {
		[OOM_KILLS] = { .pin = "events/kills", .symbol = "cgfs_kills",
				     .map = BPF_MAP_TYPE_RINGBUF },
		[OOM_MEMORY] = { .pin = "oom_memory", .symbol = "cgfs_oom_memory",
				    .map = BPF_MAP_TYPE_HASH,
				    .key_size = sizeof(struct cgfs_group_key),
				    .value_size = sizeof(struct cgfs_oom_memory) },
		[OOM_TRACEPOINT] = { .symbol = "cgfs_oom_tp" },
		[OOM_FUNCTION] = { .symbol = "cgfs_oom_fn" },
		[OOM_BEGIN] = { .symbol = "cgfs_oom_begin" },
		[OOM_LINK_BEGIN] = { .pin = "oom_begin", .optional = true },
		[OOM_LINK] = { .pin = "oom" },
	},
	.load = load,
	.attach = attach,
	.group_added = group_added,
	.group_removed = group_removed,
	.counters = counters,
	.record = record,
	.probe = probe,
};
