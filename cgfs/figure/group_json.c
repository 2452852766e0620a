/* SPDX-License-Identifier: MIT */
/*
 * group_json.c - a whole group as JSON: figures, lists, limits, the kernel's own counters; must
 * not know files.
 */
#include "cgfs/base/json_out.h"
#include "cgfs/base/util.h"
#include "cgfs/figure/json.h"
#include "cgfs/tree/context.h"
#include "cgfs/tree/dir.h"

#include <stdio.h>

struct native {
	struct json_out *o;
	char file[64];
};

static int put_native(void *arg, const char *file, const char *key, uint64_t value)
{
	struct native *n = arg;

	if (!streq(n->file, file)) {
		if (*n->file)
			json_out_end(n->o);
		json_out_object(n->o, file);
		snprintf(n->file, sizeof(n->file), "%s", file);
	}
	json_out_limit(n->o, key, value);
	return 0;
}

struct foreign {
	struct {
		uint32_t id;
		char name[16];
	} program[64]; /* what the kernel takes on one cgroup */
	size_t n;
};

static int keep_foreign(void *arg, uint32_t id, const char *name)
{
	struct foreign *f = arg;

	if (f->n < ARRAY_SIZE(f->program)) {
		f->program[f->n].id = id;
		snprintf(f->program[f->n].name, sizeof(f->program[f->n].name), "%s", name);
		f->n++;
	}
	return 0;
}

/* Where it cannot be known there is no list. */
static void put_foreign(struct json_out *o, struct cgfs_group *g)
{
	const struct cgfs_policy *policy = g->c->policy;
	struct foreign f = { .n = 0 };
	struct cgfs_policy_group target;
	int fd;

	if (!policy || !policy->ops->foreign_programs || !g->cgroup_id ||
	    group_dir(g, g->c->unified, &fd, NULL) < 0)
		return;
	group_policy(g, &target);
	if (policy->ops->foreign_programs(policy->ctx, &target, keep_foreign, &f) < 0)
		return;
	json_out_array(o, "foreign_programs");
	for (size_t i = 0; i < f.n; i++) {
		json_out_object(o, NULL);
		json_out_number(o, "program_id", f.program[i].id);
		json_out_string(o, "name", f.program[i].name);
		json_out_end(o);
	}
	json_out_end(o);
}

static int put_group(struct json_out *o, struct cgfs_group *g, unsigned int what,
		     struct cgfs_err *reterr)
{
	static const struct {
		unsigned int bit;
		int (*put)(struct json_out *o, struct cgfs_group *g, struct cgfs_err *reterr);
	} lists[] = {
		{ CGFS_READ_IO, figure_put_io },
		{ CGFS_READ_HUGETLB, figure_put_hugetlb },
		{ CGFS_READ_RDMA, figure_put_rdma },
		{ CGFS_READ_MISC, figure_put_misc },
	};
	struct cgfs_stats s = CGFS_STATS_INIT;
	struct native native = { .o = o };
	int r = cgfs_group_stats(g, what, &s, reterr);

	if (r == 0)
		figure_put_stats(o, &s);
	for (size_t i = 0; i < ARRAY_SIZE(lists) && r == 0; i++) {
		if (what & lists[i].bit)
			r = lists[i].put(o, g, reterr);
	}
	if (r == 0 && (what & CGFS_READ_CPUSET))
		r = figure_put_cpuset(o, g, reterr);
	if (r == 0 && (what & CGFS_READ_LIMITS))
		r = figure_put_limits(o, g, reterr);
	if (r == 0 && (what & CGFS_READ_LIMITS))
		put_foreign(o, g);
	if (r < 0 || !(what & CGFS_READ_NATIVE))
		return r;
	json_out_object(o, "native");
	r = cgfs_group_native(g, what, put_native, &native, reterr);
	if (*native.file)
		json_out_end(o);
	json_out_end(o);
	return r;
}

int cgfs_group_json(struct cgfs_group *g, unsigned int what, char **ret_json,
		    struct cgfs_err *reterr)
{
	struct json_out o;
	int r = json_out_open(&o);

	if (r == 0) {
		json_out_object(&o, NULL);
		r = put_group(&o, g, what, reterr);
		json_out_end(&o);
		if (r < 0) {
			ignore(json_out_close(&o, NULL));
			return r;
		}
		r = json_out_close(&o, ret_json);
	}
	return r < 0 ? err_value(reterr, r, "write figures of", g->rel, NULL) : 0;
}
