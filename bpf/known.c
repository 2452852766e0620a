/* SPDX-License-Identifier: MIT */
/*
 * known.c - what this process remembers of groups: full ids (the map's are cut) and which
 * patterns are in force (so that they can be deleted without a walk through all rules).
 *
 * A cache: everything works without it, only slower.  Touches the kernel to read a name only.
 */
#include "loader.h"

#include <search.h>
#include <stdio.h>

static int compare(const void *a, const void *b)
{
	const struct cgfs_bpf_known *x = a, *y = b;

	return (x->cgroup_id > y->cgroup_id) - (x->cgroup_id < y->cgroup_id);
}

static void known_free(struct cgfs_bpf_known *k)
{
	free(k->pod);
	free(k->container);
	free(k->patterns);
	free(k);
}

struct cgfs_bpf_known *cgfs_bpf_known_find(struct cgfs_bpf *b, uint64_t cgroup_id)
{
	struct cgfs_bpf_known key = { .cgroup_id = cgroup_id };
	struct cgfs_bpf_known **found = tfind(&key, &b->known, compare);

	return found ? *found : NULL;
}

struct cgfs_bpf_known *cgfs_bpf_known_get(struct cgfs_bpf *b, uint64_t cgroup_id)
{
	struct cgfs_bpf_known *k = cgfs_bpf_known_find(b, cgroup_id);

	if (k)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->cgroup_id = cgroup_id;
	if (!tsearch(k, &b->known, compare)) {
		free(k);
		return NULL;
	}
	return k;
}

int cgfs_bpf_known_names(struct cgfs_bpf_known *k, const char *pod, const char *container)
{
	auto_free char *p = NULL, *c = NULL;

	if (k->pod && streq(k->pod, pod) && streq(k->container, container))
		return 0;
	p = strdup(pod);
	c = strdup(container);
	if (!p || !c)
		return -ENOMEM;
	free(k->pod);
	free(k->container);
	k->pod = take_ptr(p);
	k->container = take_ptr(c);
	return 0;
}

/* Events of the group may be on their way: its names are kept until the rings are empty. */
void cgfs_bpf_known_drop(struct cgfs_bpf *b, uint64_t cgroup_id, uint64_t lost)
{
	struct cgfs_bpf_known *k = cgfs_bpf_known_find(b, cgroup_id);

	if (!k)
		return;
	tdelete(k, &b->known, compare);
	if (b->events_fd < 0) {
		known_free(k);
		return;
	}
	k->lost = lost;
	k->next_gone = b->gone;
	b->gone = k;
}

void cgfs_bpf_known_free_gone(struct cgfs_bpf *b)
{
	struct cgfs_bpf_known *k;

	while ((k = b->gone)) {
		b->gone = k->next_gone;
		known_free(k);
	}
}

static void free_node(void *node)
{
	known_free(node);
}

void cgfs_bpf_known_free_all(struct cgfs_bpf *b)
{
	cgfs_bpf_known_free_gone(b);
	tdestroy(b->known, free_node);
	b->known = NULL;
}

void cgfs_bpf_names(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_event *event)
{
	const struct cgfs_bpf_known *k = cgfs_bpf_known_find(b, cgroup_id);
	struct cgfs_group g;

	for (const struct cgfs_bpf_known *gone = b->gone; gone && !k; gone = gone->next_gone)
		if (gone->cgroup_id == cgroup_id)
			k = gone;
	if (k && k->pod) {
		snprintf(event->pod, sizeof(event->pod), "%s", k->pod);
		snprintf(event->container, sizeof(event->container), "%s", k->container);
	} else if (cgfs_bpf_group_read(b, cgroup_id, &g) == 0) {
		snprintf(event->pod, sizeof(event->pod), "%.*s", CGFS_POLICY_NAME, g.pod);
		snprintf(event->container, sizeof(event->container), "%.*s", CGFS_POLICY_NAME,
			 g.container);
	}
}
