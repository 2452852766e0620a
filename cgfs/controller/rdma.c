/* SPDX-License-Identifier: MIT */
/*
 * rdma.c - the rdma controller: the same file on both versions, one line for each device.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/rdma.rst; cgroup-v2.rst "RDMA"
 */
#include "cgfs/base/util.h"
#include "cgfs/controller/base/lines.h"
#include "cgfs/controller/base/report.h"

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
		int r;
		size_t n = (size_t)snprintf(text, sizeof(text), "%.64s", res->rdma[i].device);

		n += limit(text + n, sizeof(text) - n, "hca_handle", res->rdma[i].hca_handles);
		limit(text + n, sizeof(text) - n, "hca_object", res->rdma[i].hca_objects);
		report_entry(d, i);
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

struct part {
	const char *file, *more;
	size_t handles, objects;
	unsigned int bit; /* of `available` */
};
#define PART(file, more, suffix, bit)                                                              \
	{                                                                                          \
		file, more, offsetof(struct cgfs_rdma_stat, hca_handles##suffix),                  \
			offsetof(struct cgfs_rdma_stat, hca_objects##suffix), bit                  \
	}

/* The first two name every device. */
static const struct part parts[] = {
	PART("rdma.current", "", , 0),
	PART("rdma.max", "", _max, 0),
	PART("rdma.peak", "", _peak, CGFS_RDMA_PEAK),
	PART("rdma.events", ".max", _failed, CGFS_RDMA_FAILED),
};

static void read_part(void *entry, char *rest, const void *arg)
{
	struct cgfs_rdma_stat *s = entry;
	const struct part *p = arg;

	parse(rest, p->more, (uint64_t *)((char *)s + p->handles),
	      (uint64_t *)((char *)s + p->objects));
	s->available |= p->bit;
}

int cgfs_group_rdma(struct cgfs_group *g, struct cgfs_rdma_stat **ret_rdma, size_t *ret_n,
		    struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_RDMA);
	struct entries e = { .entry = sizeof(struct cgfs_rdma_stat),
			     .name = offsetof(struct cgfs_rdma_stat, device) };
	int r = 0;

	if (d.hierarchy < 0)
		return err_value(reterr, -ENODEV, "read RDMA devices", g->rel,
				 "the rdma controller is not on this host");
	for (size_t i = 0; i < ARRAY_SIZE(parts) && r == 0; i++)
		r = entries_read(&d, parts[i].file, &e, read_part, &parts[i], reterr);
	if (r < 0) {
		free(e.at);
		return cgfs_err_context(reterr, r, "read RDMA devices of \"%.80s\"", g->rel);
	}
	*ret_rdma = e.at;
	*ret_n = e.n;
	return 0;
}

const struct ctl_ops ctl_rdma = {
	.handles = CGFS_SET_RDMA,
	.apply = apply,
};
