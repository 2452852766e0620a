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

enum { OOM_KILLS, OOM_TRACEPOINT, OOM_FUNCTION, OOM_LINK };

/* The way that will do is tried first, for each reads all of the kernel's BTF: since 6.10 the
 * tracepoint has the task.  A kernel that was patched otherwise costs a second try. */
static bool tracepoint_first(void)
{
	unsigned int major, minor;
	struct utsname u;

	return uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2 || major > 6 ||
	       (major == 6 && minor >= 10);
}

static int load(struct object *o, struct cgfs_err *reterr)
{
	static const char *const ways[] = { "cgfs_oom_tp", "cgfs_oom_fn" };
	bool tracepoint = tracepoint_first();
	int r = cgfs_bpf_load(o, ways[tracepoint], reterr);

	return r < 0 ? cgfs_bpf_load(o, ways[!tracepoint], reterr) : 0;
}

static int attach(struct object *o, struct cgfs_err *reterr)
{
	bool tracepoint = o->fd[OOM_TRACEPOINT] >= 0;

	o->fd[OOM_LINK] = bpf_link_create(o->fd[tracepoint ? OOM_TRACEPOINT : OOM_FUNCTION], 0,
					  tracepoint ? BPF_TRACE_RAW_TP : BPF_TRACE_FENTRY, NULL);
	if (o->fd[OOM_LINK] < 0)
		return err_file(reterr, -errno, "attach", o->ops->name);
	snprintf(o->why, sizeof(o->why), "%s",
		 tracepoint ? "tp_btf/mark_victim" : "fentry/mark_oom_victim");
	return 0;
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
		[OOM_TRACEPOINT] = { .symbol = "cgfs_oom_tp" },
		[OOM_FUNCTION] = { .symbol = "cgfs_oom_fn" },
		[OOM_LINK] = { .pin = "oom" },
	},
	.load = load,
	.attach = attach,
	.counters = counters,
	.record = record,
	.probe = probe,
};
