/* SPDX-License-Identifier: MIT */
/*
 * object.c - the object cgfs_dev, as bpf/policy sees it.
 */
#include "bpf/device/device.h"
#include "cgfs/base/clock.h"

#include "bpf/device/cgfs_dev.skel.h"
#include <bpf/bpf.h>
#include <stdio.h>

static void open_device(struct object *o)
{
	struct device *d = (struct device *)o;

	d->garbage_end = &d->garbage;
}

static int scan(struct object *o, struct cgfs_err *reterr)
{
	return cgfs_bpf_rules_scan((struct device *)o, reterr);
}

static bool group_alive(struct object *o, uint64_t cgroup_id)
{
	struct cgfs_policy_val policy;

	return cgfs_bpf_policy_read((struct device *)o, cgroup_id, &policy) != -ENOENT;
}

static bool record(struct object *o, const void *data, size_t len, struct cgfs_event *e)
{
	const struct cgfs_denial *d = data;

	if (len < sizeof(*d) || d->type != CGFS_RECORD_DENIAL)
		return false;
	e->type = CGFS_EVENT_DEVICE_DENIED;
	e->time_ns = d->time_ns;
	e->cgroup_id = d->cgroup_id;
	e->pid = (pid_t)d->pid;
	e->device_type = d->kind == CGFS_BLOCK ? CGFS_DEVICE_BLOCK : CGFS_DEVICE_CHAR;
	e->major = d->major;
	e->minor = d->minor;
	e->access = d->access;
	e->rule = d->rule;
	memcpy(e->comm, d->comm, sizeof(e->comm));
	return true;
}

static bool pending(struct object *o, struct cgfs_event *e)
{
	struct device *d = (struct device *)o;
	const struct foreign *f;
	const size_t waiting = d->foreign - d->reported;

	if (!waiting || !e)
		return waiting > 0;
	if (waiting > FOREIGN_KEPT) {
		e->type = CGFS_EVENT_LOST;
		e->time_ns = now_ns(CLOCK_BOOTTIME);
		e->count = waiting - FOREIGN_KEPT;
		d->reported += e->count;
		return true;
	}
	f = &d->met[d->reported++ % FOREIGN_KEPT];
	e->type = CGFS_EVENT_FOREIGN_PROGRAM;
	e->time_ns = now_ns(CLOCK_BOOTTIME);
	e->cgroup_id = f->cgroup_id;
	e->value = f->id;
	snprintf(e->message, sizeof(e->message),
		 "device program %u \"%.15s\", which is not of cgfs, is attached", f->id, f->name);
	return true;
}

static void probe(struct object *o, int scratch, struct cgfs_capabilities *caps)
{
	const struct device *d = (const struct device *)o;
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	auto_fd int link = -EBADF;
	char detail[160];
	int r = bpf_obj_get_info_by_fd(o->fd[DEVICE_PROGRAM], &info, &len) < 0 ? -errno : 0;

	snprintf(detail, sizeof(detail), "program %u \"%s\", pinned below %.100s", info.id,
		 info.name, o->pins->dir);
	cgfs_bpf_found(caps, "bpf.device", r, detail, "");
	r = scratch;
	if (o->pins->read_only) {
		cgfs_capability_add(caps, "bpf.link", false, CGFS_NOT_TRIED, "");
		return;
	}
	if (r >= 0) {
		link = bpf_link_create(o->fd[DEVICE_PROGRAM], scratch, BPF_CGROUP_DEVICE, NULL);
		r = link < 0 ? -errno : 0;
	}
	cgfs_bpf_found(caps, "bpf.link", r, "attached to a scratch cgroup",
		       scratch == -ENODEV ? "mount cgroup2"
					  : "run with CAP_NET_ADMIN and CAP_SYS_ADMIN");
	if (!d->foreign)
		return;
	snprintf(detail, sizeof(detail),
		 "device programs that are not ours were found on cgroups of pods: %zu, "
		 "the last on \"%.40s\"",
		 d->foreign, d->foreign_pod);
	cgfs_capability_add(caps, "bpf.foreign", false, detail,
			    "let one program own the cgroups: see bpftool cgroup tree");
}

/* What is left of old lists goes, unless the pins are gone already. */
static void close_device(struct object *o)
{
	struct device *d = (struct device *)o;

	if (d->garbage && !o->pins->read_only && o->pins->fd >= 0 &&
	    cgfs_bpf_lock(o->pins, NULL) == 0) {
		cgfs_bpf_rules_sweep(d, true);
		cgfs_bpf_unlock(o->pins);
	}
	cgfs_bpf_rules_free(d);
}

const struct object_ops cgfs_bpf_device_object = {
	.name = "cgfs_dev",
	.needs = "CONFIG_CGROUP_BPF and Linux 5.14",
	.abi = CGFS_DEVICE_ABI,
	.required = true,
	.reports = CGFS_EVENT_DEVICE_DENIED,
	.size = sizeof(struct device),
	.elf = cgfs_dev__elf_bytes,
	.pins = {
		[DEVICE_POLICY] = { .pin = "policy", .symbol = "cgfs_policy",
				    .map = BPF_MAP_TYPE_CGROUP_STORAGE,
				    .key_size = sizeof(struct bpf_cgroup_storage_key),
				    .value_size = sizeof(struct cgfs_policy_val) },
		[DEVICE_COUNTS] = { .pin = "counts", .symbol = "cgfs_counts",
				    .map = BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
				    .key_size = sizeof(struct bpf_cgroup_storage_key),
				    .value_size = sizeof(struct cgfs_counts) },
		[DEVICE_RULES] = { .pin = "rules", .symbol = "cgfs_rules",
				   .map = BPF_MAP_TYPE_HASH,
				   .key_size = sizeof(struct cgfs_rule_key),
				   .value_size = sizeof(struct cgfs_rule) },
		[DEVICE_DENIALS] = { .pin = "events/denials", .symbol = "cgfs_denials",
				     .map = BPF_MAP_TYPE_RINGBUF },
		[DEVICE_PROGRAM] = { .pin = "device", .symbol = "cgfs_dev" },
	},
	.open = open_device,
	.scan = scan,
	.group_added = cgfs_bpf_device_added,
	.group_changed = cgfs_bpf_device_changed,
	.group_removed = cgfs_bpf_device_removed,
	.group_alive = group_alive,
	.counters = cgfs_bpf_device_counters,
	.record = record,
	.pending = pending,
	.probe = probe,
	.close = close_device,
};
