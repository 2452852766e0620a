/* SPDX-License-Identifier: MIT */
/*
 * net.c - net_cls and net_prio: v1 only; cgroup2 leaves both to eBPF and netfilter.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/net_cls.rst, net_prio.rst
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/base/lines.h"
#include "cgfs/controller/base/report.h"

#include <stdio.h>

static int classid(const struct cgfs_dir *d, const struct cgfs_resources *res,
		   struct cgfs_err *reterr)
{
	return dir_write_limit(d, "net_cls.classid", res->net_classid, "", reterr);
}

static int priorities(const struct cgfs_dir *d, const struct cgfs_resources *res,
		      struct cgfs_err *reterr)
{
	for (size_t i = 0; i < res->n_net_prio; i++) {
		char text[64];
		int r;

		snprintf(text, sizeof(text), "%.32s %u", res->net_prio[i].interface,
			 res->net_prio[i].priority);
		report_entry(d, i);
		r = dir_write(d, "net_prio.ifpriomap", text, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

struct prio_entry {
	char interface[ENTRY_NAME];
	uint32_t priority;
};

static void prio_line(void *entry, char *rest, const void *arg)
{
	((struct prio_entry *)entry)->priority = (uint32_t)entries_number(rest);
}

/* One block of memory: the list, then the names. */
static struct cgfs_net_prio *with_names(const struct prio_entry *e, size_t n)
{
	struct cgfs_net_prio *prio = malloc(n * (sizeof(*prio) + ENTRY_NAME));
	char *name = (char *)(prio + n);

	for (size_t i = 0; prio && i < n; i++, name += ENTRY_NAME) {
		memcpy(name, e[i].interface, ENTRY_NAME);
		prio[i] = (struct cgfs_net_prio){ name, e[i].priority };
	}
	return prio;
}

int cgfs_group_net_prio(struct cgfs_group *g, struct cgfs_net_prio **ret_prio, size_t *ret_n,
			struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_NET_PRIO);
	struct entries e = { .entry = sizeof(struct prio_entry) };
	struct cgfs_net_prio *prio = NULL;
	int r;

	if (d.hierarchy < 0)
		return err_value(reterr, -ENODEV, "read network priorities", g->rel,
				 "the net_prio controller is not on this host");
	r = entries_read(&d, "net_prio.ifpriomap", &e, prio_line, NULL, reterr);
	if (r == 0 && e.n) {
		prio = with_names(e.at, e.n);
		if (!prio)
			r = dir_error(&d, -ENOMEM, "read", "net_prio.ifpriomap", NULL, reterr);
	}
	free(e.at);
	if (r < 0)
		return cgfs_err_context(reterr, r, "read network priorities of \"%.80s\"", g->rel);
	*ret_prio = prio;
	*ret_n = e.n;
	return 0;
}

static const struct ctl_limit class[] = {
	CTL_LIMIT(NET_CLASSID, "net_cls.classid", NULL),
	{ .bit = 0 },
};

const struct ctl_ops ctl_net_cls_v1 = {
	.handles = CGFS_SET_NET_CLASSID,
	.apply = classid,
	.limits = class,
};

const struct ctl_ops ctl_net_prio_v1 = {
	.handles = CGFS_SET_NET_PRIO,
	.apply = priorities,
};
