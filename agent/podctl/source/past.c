/* SPDX-License-Identifier: MIT */
/*
 * past.c - what was refused to a pod, and killed in it, from the pinned map of this machine.  As
 * an event a record stands for the last of its kind, with how many there were.
 */
#include "agent/podctl/source/past.h"
#include "agent/podctl/show/show.h"
#include "cgfs/base/clock.h"

#include <stdio.h>
#include <stdlib.h>

#if CGFS_WITH_BPF
static enum cgfs_event_type type_of(enum cgfs_history_kind kind)
{
	switch (kind) {
	case CGFS_DENIED:
		return CGFS_EVENT_DEVICE_DENIED;
	case CGFS_KILLED:
		return CGFS_EVENT_OOM_KILL;
	case CGFS_CROSSED:
		return CGFS_EVENT_MEMORY_THRESHOLD;
	case CGFS_REFUSED:
		return CGFS_EVENT_MEMORY_REFUSED;
	}
	return CGFS_EVENT_NONE;
}

static enum cgfs_refused refused(enum cgfs_history_call call)
{
	return call == CGFS_CALL_EXEC	? CGFS_EXEC_REFUSED
	       : call == CGFS_CALL_FORK ? CGFS_FORK_REFUSED
					: CGFS_MAP_REFUSED;
}

static int add(const struct cgfs_bpf_record *record, const char *pod, json_t *list)
{
	const struct cgfs_history *h = &record->value;
	struct cgfs_event e = CGFS_EVENT_INIT;
	json_t *event;
	int r;

	e.type = type_of(record->key.kind);
	e.time_ns = h->last_ns;
	e.cgroup_id = h->cgroup_id;
	e.pid = (pid_t)h->pid;
	snprintf(e.pod, sizeof(e.pod), "%s", pod);
	snprintf(e.container, sizeof(e.container), "%.*s", (int)sizeof(h->container), h->container);
	snprintf(e.comm, sizeof(e.comm), "%.*s", (int)sizeof(h->comm) - 1, h->comm);
	e.device_type = h->device == CGFS_BLOCK ? CGFS_DEVICE_BLOCK : CGFS_DEVICE_CHAR;
	e.major = h->major;
	e.minor = h->minor;
	e.rule = h->rule;
	e.access = (h->read ? CGFS_ACCESS_READ : 0) | (h->write ? CGFS_ACCESS_WRITE : 0) |
		   (h->mknod ? CGFS_ACCESS_MKNOD : 0);
	e.threshold = h->limit_bytes;
	e.value = h->usage_bytes;
	e.refused = refused(h->call);
	r = doc_event(&e, &event);
	if (r == 0 && h->count > 1)
		r = json_object_set_new(event, "count", json_integer((json_int_t)h->count));
	return r < 0 ? r : json_array_append_new(list, event);
}

int past_read(const struct args *a, struct cgfs_bpf *bpf, const struct cgfs_group *pod,
	      json_t *list, struct cgfs_err *reterr)
{
	int64_t offset = (int64_t)(now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME));
	struct cgfs_bpf_record *record;
	uint64_t lost;
	size_t n;
	int r = cgfs_bpf_history(bpf, cgfs_group_cgroup_id(pod), &record, &n, &lost, reterr);

	/* Of other pins, or gone just now. */
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct cgfs_bpf_record *one = CGFS_AT(record, i);

		if (offset + (int64_t)one->value.last_ns >= a->since_ns)
			r = add(one, cgfs_group_id(pod), list);
	}
	free(record);
	return r < 0 ? no_memory(reterr) : 0;
}

int history_read(const struct args *a, uint64_t pod_cgroup_id, struct cgfs_bpf_record **ret,
		 size_t *ret_n, uint64_t *ret_lost, struct cgfs_err *reterr)
{
	struct cgfs_bpf_opts opts = CGFS_BPF_OPTS_INIT;
	struct cgfs_bpf *bpf;
	int r;

	opts.pin_dir = a->pin_dir;
	opts.read_only = true;
	r = cgfs_bpf_open(&opts, &bpf, reterr);
	if (r == 0) {
		r = cgfs_bpf_history(bpf, pod_cgroup_id, ret, ret_n, ret_lost, reterr);
		cgfs_bpf_close(bpf);
	}
	if (r == -ENOENT && args_agent(a) && !a->pin_dir)
		return cgfs_err_set(reterr, r, NULL, NULL, NULL,
				    "the agent has pins of its own, or none: give --root and "
				    "--pin-dir in place of the agent");
	return r;
}
#else
int history_read(const struct args *a, uint64_t pod_cgroup_id, struct cgfs_bpf_record **ret,
		 size_t *ret_n, uint64_t *ret_lost, struct cgfs_err *reterr)
{
	return cgfs_err_set(reterr, -EOPNOTSUPP, "history", NULL, NULL,
			    "this podctl was built without eBPF");
}
#endif

static int compare(const void *a, const void *b)
{
	uint64_t x = doc_number(*(json_t *const *)a, "time_ns");
	uint64_t y = doc_number(*(json_t *const *)b, "time_ns");

	return (x > y) - (x < y);
}

int past_sort(json_t **list)
{
	size_t n = json_array_size(*list);
	auto_free json_t **event = calloc(n + 1, sizeof(json_t *));
	json_t *sorted = json_array();
	int bad = !event || !sorted;

	for (size_t i = 0; !bad && i < n; i++)
		event[i] = json_array_get(*list, i);
	if (!bad)
		qsort(event, n, sizeof(json_t *), compare);
	for (size_t i = 0; !bad && i < n; i++)
		bad = json_array_append(sorted, event[i]);
	if (bad) {
		json_decref(sorted);
		return -ENOMEM;
	}
	json_decref(*list);
	*list = sorted;
	return 0;
}
