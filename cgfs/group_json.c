/* SPDX-License-Identifier: MIT */
/*
 * group_json.c - a whole group as JSON: figures, lists, limits, the kernel's own counters; must
 * not know files.
 */
#include "core.h"
#include "json.h"

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
		{ CGFS_READ_IO, CGFS_IO, "io_devices", cgfs_json_io },
		{ CGFS_READ_HUGETLB, CGFS_HUGETLB, "hugetlb", cgfs_json_hugetlb },
		{ CGFS_READ_RDMA, CGFS_RDMA, "rdma", cgfs_json_rdma },
		{ CGFS_READ_MISC, CGFS_MISC, "misc", cgfs_json_misc },
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
