/* SPDX-License-Identifier: MIT */
/*
 * known.c - the full ids of groups, and of those that were removed while their events were on the
 * way.  A cache: without it the ids are as cut as in the map.
 */
#include "bpf/group/group.h"

#include <search.h>
#include <stdio.h>

/* Names of removed groups that are kept at most. */
#define GONE_MAX 4096

static void known_free(void *node)
{
	struct known *k = node;

	free(k->pod);
	free(k->container);
	free(k);
}

int cgfs_bpf_known_put(struct groups *groups, uint64_t cgroup_id, const char *pod,
		       const char *container)
{
	struct known *k = cgfs_bpf_get(&groups->known, cgroup_id, sizeof(*k));
	auto_free char *p = NULL, *c = NULL;

	if (k && k->pod && streq(k->pod, pod) && streq(k->container, container))
		return 0;
	p = strdup(pod);
	c = strdup(container);
	if (!k || !p || !c)
		return -ENOMEM;
	free(k->pod);
	free(k->container);
	k->pod = take_ptr(p);
	k->container = take_ptr(c);
	return 0;
}

static void free_list(struct known *k)
{
	while (k) {
		struct known *next = k->next_gone;

		known_free(k);
		k = next;
	}
}

void cgfs_bpf_known_drop(struct groups *groups, uint64_t cgroup_id, uint64_t lost)
{
	struct known *k = cgfs_bpf_take(&groups->known, cgroup_id);

	if (!k)
		return;
	if (groups->o.pins->events_fd < 0) {
		known_free(k);
		return;
	}
	k->lost = lost;
	k->next_gone = groups->gone;
	groups->gone = k;
	groups->n_gone++;
	/* For a caller that never reads its events: the oldest half goes. */
	if (groups->n_gone > GONE_MAX) {
		for (size_t i = 1; i < GONE_MAX / 2; i++)
			k = k->next_gone;
		free_list(k->next_gone);
		k->next_gone = NULL;
		groups->n_gone = GONE_MAX / 2;
	}
}

void cgfs_bpf_known_free_gone(struct groups *groups)
{
	free_list(groups->gone);
	groups->gone = NULL;
	groups->n_gone = 0;
}

void cgfs_bpf_known_free_all(struct groups *groups)
{
	cgfs_bpf_known_free_gone(groups);
	tdestroy(groups->known, known_free);
	groups->known = NULL;
}

void cgfs_bpf_names(const struct groups *groups, uint64_t cgroup_id, struct cgfs_event *event)
{
	const struct known *k = cgfs_bpf_find(&groups->known, cgroup_id);
	struct cgfs_group g;

	for (const struct known *gone = groups->gone; gone && !k; gone = gone->next_gone)
		if (gone->cgroup_id == cgroup_id)
			k = gone;
	if (k && k->pod) {
		snprintf(event->pod, sizeof(event->pod), "%s", k->pod);
		snprintf(event->container, sizeof(event->container), "%s", k->container);
	} else if (cgfs_bpf_group_read(groups, cgroup_id, &g) == 0) {
		snprintf(event->pod, sizeof(event->pod), "%.*s", CGFS_GROUP_NAME, g.pod);
		snprintf(event->container, sizeof(event->container), "%.*s", CGFS_GROUP_NAME,
			 g.container);
	}
}
