/* SPDX-License-Identifier: MIT */
/*
 * group_json.c - a whole group as JSON: figures, lists, the kernel's own counters.  Owns the keys
 * of lists; must not know files.
 */
#include "core.h"
#include "json.h"

static int io_list(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr)
{
	struct cgfs_io_stat *io;
	bool first = false;
	size_t n;
	int r = cgfs_group_io(g, &io, &n, reterr);

	for (size_t i = 0; r == 0 && i < n; i++) {
		fprintf(f, "%s{\"device\":\"%u:%u\"", i ? "," : "", io[i].major, io[i].minor);
		cgfs_json_number(f, &first, "read_bytes", io[i].read_bytes);
		cgfs_json_number(f, &first, "write_bytes", io[i].write_bytes);
		cgfs_json_number(f, &first, "discard_bytes", io[i].discard_bytes);
		cgfs_json_number(f, &first, "read_ops", io[i].read_ops);
		cgfs_json_number(f, &first, "write_ops", io[i].write_ops);
		cgfs_json_number(f, &first, "discard_ops", io[i].discard_ops);
		fputc('}', f);
	}
	if (r == 0)
		free(io);
	return r;
}

static int hugetlb_list(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr)
{
	struct cgfs_hugetlb_stat *h;
	bool first = false;
	size_t n;
	int r = cgfs_group_hugetlb(g, &h, &n, reterr);

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct {
			unsigned int bit;
			const char *key;
			uint64_t value;
		} all[] = {
			{ CGFS_HUGETLB_CURRENT, "current", h[i].current_bytes },
			{ CGFS_HUGETLB_MAX, "max", h[i].max_bytes },
			{ CGFS_HUGETLB_PEAK, "peak", h[i].peak_bytes },
			{ CGFS_HUGETLB_FAILED, "failed", h[i].failed },
			{ CGFS_HUGETLB_LOCAL_FAILED, "local_failed", h[i].local_failed },
			{ CGFS_HUGETLB_RSVD_CURRENT, "rsvd_current", h[i].rsvd_current_bytes },
			{ CGFS_HUGETLB_RSVD_MAX, "rsvd_max", h[i].rsvd_max_bytes },
			{ CGFS_HUGETLB_RSVD_PEAK, "rsvd_peak", h[i].rsvd_peak_bytes },
			{ CGFS_HUGETLB_RSVD_FAILED, "rsvd_failed", h[i].rsvd_failed },
		};

		if (i)
			fputc(',', f);
		cgfs_json_name(f, "page_size", h[i].page_size);
		for (size_t k = 0; k < ARRAY_SIZE(all); k++) {
			if (h[i].available & all[k].bit)
				cgfs_json_number(f, &first, all[k].key, all[k].value);
		}
		fputc('}', f);
	}
	if (r == 0)
		free(h);
	return r;
}

static int rdma_list(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr)
{
	struct cgfs_rdma_stat *s;
	bool first = false;
	size_t n;
	int r = cgfs_group_rdma(g, &s, &n, reterr);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i)
			fputc(',', f);
		cgfs_json_name(f, "device", s[i].device);
		cgfs_json_number(f, &first, "hca_handles", s[i].hca_handles);
		cgfs_json_number(f, &first, "hca_handles_max", s[i].hca_handles_max);
		cgfs_json_number(f, &first, "hca_objects", s[i].hca_objects);
		cgfs_json_number(f, &first, "hca_objects_max", s[i].hca_objects_max);
		if (s[i].available & CGFS_RDMA_PEAK) {
			cgfs_json_number(f, &first, "hca_handles_peak", s[i].hca_handles_peak);
			cgfs_json_number(f, &first, "hca_objects_peak", s[i].hca_objects_peak);
		}
		if (s[i].available & CGFS_RDMA_FAILED) {
			cgfs_json_number(f, &first, "hca_handles_failed", s[i].hca_handles_failed);
			cgfs_json_number(f, &first, "hca_objects_failed", s[i].hca_objects_failed);
		}
		fputc('}', f);
	}
	if (r == 0)
		free(s);
	return r;
}

static int misc_list(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr)
{
	struct cgfs_misc_stat *s;
	bool first = false;
	size_t n;
	int r = cgfs_group_misc(g, &s, &n, reterr);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i)
			fputc(',', f);
		cgfs_json_name(f, "name", s[i].name);
		if (s[i].available & CGFS_MISC_CURRENT)
			cgfs_json_number(f, &first, "current", s[i].current);
		if (s[i].available & CGFS_MISC_MAX)
			cgfs_json_number(f, &first, "max", s[i].max);
		if (s[i].available & CGFS_MISC_PEAK)
			cgfs_json_number(f, &first, "peak", s[i].peak);
		if (s[i].available & CGFS_MISC_FAILED)
			cgfs_json_number(f, &first, "failed", s[i].failed);
		fputc('}', f);
	}
	if (r == 0)
		free(s);
	return r;
}

/* -- all of it ------------------------------------------------------------------------------- */

struct native {
	FILE *f;
	char file[64];
	bool first;
};

static int put_native(void *arg, const char *file, const char *key, uint64_t value)
{
	struct native *n = arg;

	if (!streq(n->file, file)) {
		fprintf(n->f, "%s\"%s\":{", *n->file ? "}," : "", file);
		snprintf(n->file, sizeof(n->file), "%s", file);
		n->first = true;
	}
	cgfs_json_number(n->f, &n->first, key, value);
	return 0;
}

static int lists(struct cgfs_group *g, unsigned int what, FILE *f, struct cgfs_err *reterr)
{
	static const struct {
		unsigned int bit;
		enum cgfs_controller ctl;
		const char *key;
		int (*list)(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr);
	} all[] = {
		{ CGFS_READ_IO, CGFS_IO, "io_devices", io_list },
		{ CGFS_READ_HUGETLB, CGFS_HUGETLB, "hugetlb", hugetlb_list },
		{ CGFS_READ_RDMA, CGFS_RDMA, "rdma", rdma_list },
		{ CGFS_READ_MISC, CGFS_MISC, "misc", misc_list },
	};
	struct native native = { .f = f };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all) && r == 0; i++) {
		if (!(what & all[i].bit) || g->c->place[all[i].ctl].hierarchy < 0)
			continue;
		fprintf(f, ",\"%s\":[", all[i].key);
		r = all[i].list(g, f, reterr);
		fputc(']', f);
	}
	if (r == 0 && (what & CGFS_READ_CPUSET) && g->c->place[CGFS_CPUSET].hierarchy >= 0)
		r = cgfs_json_cpuset(g, f, reterr);
	if (r == 0 && (what & CGFS_READ_LIMITS))
		r = cgfs_json_limits(g, f, reterr);
	if (r < 0 || !(what & CGFS_READ_NATIVE))
		return r;
	fputs(",\"native\":{", f);
	r = cgfs_group_native(g, what, put_native, &native, reterr);
	fputs(*native.file ? "}}" : "}", f);
	return r;
}

int cgfs_group_json(struct cgfs_group *g, unsigned int what, char **ret_json,
		    struct cgfs_err *reterr)
{
	auto_free char *figures = NULL;
	char *text = NULL, *more = NULL;
	struct cgfs_stats s;
	size_t len;
	FILE *f;
	int r;

	r = cgfs_group_stats(g, what, &s, reterr);
	if (r < 0)
		return r;
	r = cgfs_stats_json(&s, &figures);
	f = r == 0 ? open_memstream(&more, &len) : NULL;
	if (!f)
		return cgfs_err_set(reterr, -ENOMEM, "write figures of", NULL, g->rel, NULL);
	r = lists(g, what, f, reterr);
	if (fclose(f) != 0 && r == 0)
		r = cgfs_err_set(reterr, -ENOMEM, "write figures of", NULL, g->rel, NULL);
	/* "{...}" and ",..." become one object; an empty one has no comma. */
	if (r == 0) {
		figures[strlen(figures) - 1] = '\0';
		if (asprintf(&text, "%s%s}", figures, more + (figures[1] == '\0' && *more == ',')) <
		    0)
			r = cgfs_err_set(reterr, -ENOMEM, "write figures of", NULL, g->rel, NULL);
	}
	free(more);
	if (r < 0)
		return r;
	*ret_json = text;
	return 0;
}
