/* SPDX-License-Identifier: MIT */
/*
 * rdma.c - the rdma controller: the same file on both versions, one line for each device.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/rdma.rst; cgroup-v2.rst "RDMA"
 */
#include "lines.h"

#include <inttypes.h>
#include <stdio.h>

static size_t limit(char *buf, size_t len, const char *key, uint64_t value)
{
	if (value == CGFS_MAX)
		return (size_t)snprintf(buf, len, " %s=max", key);
	return (size_t)snprintf(buf, len, " %s=%" PRIu64, key, value);
}

static int apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		 struct cgfs_err *reterr)
{
	for (size_t i = 0; i < res->n_rdma; i++) {
		char text[160];
		size_t n;
		int r;

		n = (size_t)snprintf(text, sizeof(text), "%.64s", res->rdma[i].device);
		n += limit(text + n, sizeof(text) - n, "hca_handle", res->rdma[i].hca_handles);
		limit(text + n, sizeof(text) - n, "hca_object", res->rdma[i].hca_objects);
		ctl_entry(d, i);
		r = dir_write(d, "rdma.max", text, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* "hca_handle=2 hca_object=max"; in rdma.events "hca_handle.max=5 hca_handle.alloc_fail=3 ...". */
static void parse(char *rest, const char *more, uint64_t *handles, uint64_t *objects)
{
	char handle[32], object[32], *save = NULL;
	int len = snprintf(handle, sizeof(handle), "hca_handle%s=", more);

	snprintf(object, sizeof(object), "hca_object%s=", more);
	for (char *word = strtok_r(rest, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (strncmp(word, handle, (size_t)len) == 0)
			*handles = entries_number(word + len);
		else if (strncmp(word, object, (size_t)len) == 0)
			*objects = entries_number(word + len);
	}
}

static void current_line(void *entry, char *rest)
{
	struct cgfs_rdma_stat *s = entry;

	parse(rest, "", &s->hca_handles, &s->hca_objects);
}

static void max_line(void *entry, char *rest)
{
	struct cgfs_rdma_stat *s = entry;

	parse(rest, "", &s->hca_handles_max, &s->hca_objects_max);
}

static void peak_line(void *entry, char *rest)
{
	struct cgfs_rdma_stat *s = entry;

	parse(rest, "", &s->hca_handles_peak, &s->hca_objects_peak);
	s->available |= CGFS_RDMA_PEAK;
}

static void events_line(void *entry, char *rest)
{
	struct cgfs_rdma_stat *s = entry;

	parse(rest, ".max", &s->hca_handles_failed, &s->hca_objects_failed);
	s->available |= CGFS_RDMA_FAILED;
}

int cgfs_group_rdma(struct cgfs_group *g, struct cgfs_rdma_stat **ret_rdma, size_t *ret_n,
		    struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->c->place[CGFS_RDMA].hierarchy, NULL };
	struct entries e = { .entry = sizeof(struct cgfs_rdma_stat) };
	int r;

	if (d.hierarchy < 0)
		return cgfs_err_set(reterr, -ENODEV, "read RDMA devices", NULL, g->rel,
				    "the rdma controller is not on this host");
	/* The first two name every device. */
	r = entries_read(&d, "rdma.current", &e, current_line, reterr);
	if (r == 0)
		r = entries_read(&d, "rdma.max", &e, max_line, reterr);
	if (r == 0)
		r = entries_read(&d, "rdma.peak", &e, peak_line, reterr);
	if (r == 0)
		r = entries_read(&d, "rdma.events", &e, events_line, reterr);
	if (r < 0) {
		free(e.at);
		return cgfs_err_context(reterr, r, "read RDMA devices of \"%.80s\"", g->rel);
	}
	*ret_rdma = e.at;
	*ret_n = e.n;
	return 0;
}

const struct ctl_ops ctl_rdma_v1 = {
	.handles = CGFS_SET_RDMA,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};

const struct ctl_ops ctl_rdma_v2 = {
	.handles = CGFS_SET_RDMA,
	.prepare_root = ctl_no_prepare_root,
	.apply = apply,
	.stats = ctl_no_stats,
};
