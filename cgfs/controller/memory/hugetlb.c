/* SPDX-License-Identifier: MIT */
/*
 * hugetlb.c - the hugetlb controller: one pair of files for each page size.
 *
 * Reservations are limited together with usage: with the usage limit alone a mapping succeeds
 * and a later fault in it is a SIGBUS.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/hugetlb.rst; cgroup-v2.rst "HugeTLB"
 */
#include "cgfs/base/parse.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/base/report.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>
#include <stdlib.h>

/* A name that the kernel would give a page size: it writes 2048KB as 2MB, so the former says
 * nothing about what it has. */
static bool kernels_name(const char *page_size)
{
	return strtoul(page_size, NULL, 10) < 1024;
}

static int write_size(const struct cgfs_dir *d, const struct cgfs_hugetlb *h, const char *limit,
		      const char *unlimited, struct cgfs_err *reterr)
{
	char file[64], path[512];
	int r;

	snprintf(file, sizeof(file), "hugetlb.%.16s.%s", h->page_size, limit);
	r = dir_write_limit(d, file, h->max_bytes, unlimited, reterr);
	if (r == -ENOENT && dir_alive(d)) {
		/* Nothing of what is not there is what the group has anyway. */
		if (!h->max_bytes && kernels_name(h->page_size))
			return 0;
		group_file_path(d->g, d->hierarchy, file, path, sizeof(path));
		return cgfs_err_set(reterr, -EINVAL, "set hugepage limit", path, h->page_size,
				    "this kernel has no huge pages of that size");
	}
	if (r < 0)
		return r;
	/* Reservations are counted since 5.7. */
	snprintf(file, sizeof(file), "hugetlb.%.16s.rsvd.%s", h->page_size, limit);
	r = dir_write_limit(d, file, h->max_bytes, unlimited, reterr);
	return r == -ENOENT ? 0 : r;
}

static int write_sizes(const struct cgfs_dir *d, const struct cgfs_resources *res,
		       const char *limit, const char *unlimited, struct cgfs_err *reterr)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < res->n_hugetlb; i++) {
		report_entry(d, i);
		r = write_size(d, &res->hugetlb[i], limit, unlimited, reterr);
	}
	return r;
}

static int v1_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	return write_sizes(d, res, "limit_in_bytes", "-1", reterr);
}

static int v2_apply(const struct cgfs_dir *d, const struct cgfs_resources *res,
		    struct cgfs_err *reterr)
{
	return write_sizes(d, res, "max", "max", reterr);
}

/* -- figures: no list of page sizes exists among the control files, so each size is tried ---------
 */

static const struct {
	const char *name;
	uint64_t bytes;
} sizes[] = {
	{ "64KB", 1ull << 16 },	 { "512KB", 1ull << 19 }, { "1MB", 1ull << 20 },
	{ "2MB", 1ull << 21 },	 { "4MB", 1ull << 22 },	  { "8MB", 1ull << 23 },
	{ "16MB", 1ull << 24 },	 { "32MB", 1ull << 25 },  { "64MB", 1ull << 26 },
	{ "256MB", 1ull << 28 }, { "512MB", 1ull << 29 }, { "1GB", 1ull << 30 },
	{ "2GB", 1ull << 31 },	 { "16GB", 1ull << 34 },
};

/* The end of a file's name, what is read from it, and where it goes. */
struct figure {
	const char *file, *key; /* NULL: a number alone, or "max" */
	size_t offset;
	unsigned int bit;
};

#define FIGURE(file, key, member, bit)                                                             \
	{                                                                                          \
		file, key, offsetof(struct cgfs_hugetlb_stat, member), CGFS_HUGETLB_##bit          \
	}

static const struct figure v1_figures[] = {
	FIGURE("usage_in_bytes", NULL, current_bytes, CURRENT),
	FIGURE("limit_in_bytes", NULL, max_bytes, MAX),
	FIGURE("max_usage_in_bytes", NULL, peak_bytes, PEAK),
	FIGURE("failcnt", NULL, local_failed, LOCAL_FAILED),
	FIGURE("rsvd.usage_in_bytes", NULL, rsvd_current_bytes, RSVD_CURRENT),
	FIGURE("rsvd.limit_in_bytes", NULL, rsvd_max_bytes, RSVD_MAX),
	FIGURE("rsvd.max_usage_in_bytes", NULL, rsvd_peak_bytes, RSVD_PEAK),
	FIGURE("rsvd.failcnt", NULL, rsvd_failed, RSVD_FAILED),
};

static const struct figure v2_figures[] = {
	FIGURE("current", NULL, current_bytes, CURRENT),
	FIGURE("max", NULL, max_bytes, MAX),
	FIGURE("events", "max ", failed, FAILED),
	FIGURE("events.local", "max ", local_failed, LOCAL_FAILED),
	FIGURE("rsvd.current", NULL, rsvd_current_bytes, RSVD_CURRENT),
	FIGURE("rsvd.max", NULL, rsvd_max_bytes, RSVD_MAX),
};

/* -ENOENT: no such file. */
static int read_figure(const struct cgfs_dir *d, const struct figure *f,
		       struct cgfs_hugetlb_stat *s, struct cgfs_err *reterr)
{
	char file[64], text[64];
	const char *at = text;
	uint64_t value;
	ssize_t n;
	int fd, r;

	snprintf(file, sizeof(file), "hugetlb.%s.%s", s->page_size, f->file);
	r = group_dir(d->g, d->hierarchy, &fd, reterr);
	if (r < 0)
		return r == -ENOENT ? -ENODEV : r; /* the group, not the file */
	n = fs_read_at(d->g->c, fd, file, text, sizeof(text));
	if (n == -ENOENT)
		return dir_alive(d) ? -ENOENT : dir_error(d, -ENODEV, "read", file, NULL, reterr);
	if (n < 0)
		return dir_error(d, (int)n, "read", file, NULL, reterr);
	if (f->key)
		at = strncmp(text, f->key, strlen(f->key)) == 0 ? text + strlen(f->key) : "";
	r = cgfs_parse_u64(at, strlen(at), &value);
	if (r < 0)
		return dir_error(d, r, "parse", file, text, reterr);
	memcpy((char *)s + f->offset, &value, sizeof(value));
	s->available |= f->bit;
	return 0;
}

/* "No limit" is a number here: on v1 the largest multiple of the page size, on cgroup2 (seen
 * on 6.18) the most that a counter holds, until a process writes the file. */
static void unlimited(uint64_t page, struct cgfs_hugetlb_stat *s)
{
	uint64_t most = (uint64_t)INT64_MAX - page - 65536;

	if (s->max_bytes >= most)
		s->max_bytes = CGFS_MAX;
	if (s->rsvd_max_bytes >= most)
		s->rsvd_max_bytes = CGFS_MAX;
}

/* v1 counts failures where they happen. */
static void v1_finish(const struct cgfs_group *g, struct cgfs_hugetlb_stat *s)
{
	if (!g->is_pod && (s->available & CGFS_HUGETLB_LOCAL_FAILED)) {
		s->failed = s->local_failed;
		s->available |= CGFS_HUGETLB_FAILED;
	}
}

/* One page size: 1, or 0 when this kernel does not have it. */
static int read_size(const struct cgfs_dir *d, size_t size, struct cgfs_hugetlb_stat *s,
		     struct cgfs_err *reterr)
{
	bool v1 = d->g->c->place[CGFS_HUGETLB].version == CGFS_V1;
	const struct figure *f = v1 ? v1_figures : v2_figures;
	size_t n = v1 ? ARRAY_SIZE(v1_figures) : ARRAY_SIZE(v2_figures);

	*s = (struct cgfs_hugetlb_stat){ .sz = sizeof(*s) };
	snprintf(s->page_size, sizeof(s->page_size), "%s", sizes[size].name);
	for (size_t i = 0; i < n; i++) {
		int r = read_figure(d, &f[i], s, reterr);

		if (r == -ENOENT && i == 0)
			return 0;
		if (r < 0 && r != -ENOENT)
			return r;
	}
	unlimited(sizes[size].bytes, s);
	if (v1)
		v1_finish(d->g, s);
	return 1;
}

int cgfs_group_hugetlb(struct cgfs_group *g, struct cgfs_hugetlb_stat **ret_huge, size_t *ret_n,
		       struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_HUGETLB);
	struct cgfs_hugetlb_stat *huge;
	size_t n = 0;
	int r = 0;

	if (d.hierarchy < 0)
		return err_value(reterr, -ENODEV, "read huge pages", g->rel,
				 "the hugetlb controller is not on this host");
	huge = calloc(ARRAY_SIZE(sizes), sizeof(*huge));
	if (!huge)
		return err_value(reterr, -ENOMEM, "read huge pages", g->rel, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(sizes) && r >= 0; i++) {
		r = read_size(&d, i, &huge[n], reterr);
		n += r > 0;
	}
	if (r < 0 || !n) {
		free(huge);
		huge = NULL;
	}
	if (r < 0)
		return cgfs_err_context(reterr, r, "read huge pages of \"%.80s\"", g->rel);
	*ret_huge = huge;
	*ret_n = n;
	return 0;
}

const struct ctl_ops ctl_hugetlb_v1 = {
	.handles = CGFS_SET_HUGETLB,
	.apply = v1_apply,
};

const struct ctl_ops ctl_hugetlb_v2 = {
	.handles = CGFS_SET_HUGETLB,
	.apply = v2_apply,
};
