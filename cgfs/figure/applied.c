/* SPDX-License-Identifier: MIT */
/*
 * applied.c - limits as they are in force.  Names no control file.
 */
#include "cgfs/figure/applied.h"

#include "cgfs/base/convert.h"
#include "cgfs/base/parse.h"
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/memory/admit.h"
#include "cgfs/request/members.h"

#define MEMORY_BITS                                                                                \
	(CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_HIGH | CGFS_SET_MEMORY_LOW | CGFS_SET_MEMORY_SWAP | \
	 CGFS_SET_MEMORY_MIN | CGFS_SET_MEMORY_ZSWAP_MAX)
#define CPU_BITS (CGFS_SET_CPU_WEIGHT | CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD)

/* Figures have swap alone; limits have both together. */
static void add_memory_to_swap(struct cgfs_applied *a, const struct cgfs_stats *s)
{
	uint64_t max = s->figure[CGFS_STAT_MEMORY_MAX].value;

	if (!(a->set & CGFS_SET_MEMORY_SWAP) || a->memory_swap_bytes == CGFS_MAX)
		return;
	a->memory_swap_bytes = max == CGFS_MAX ? CGFS_MAX : a->memory_swap_bytes + max;
}

/* The value behind a key, or the only one there is. */
static int value_of(const struct ctl_limit *l, const char *text, size_t len, uint64_t *ret)
{
	if (!l->key)
		return cgfs_parse_v1_limit(text, len, ret);
	return cgfs_parse_key(text, len, l->key, ret) ? 0 : -EINVAL;
}

static void put(struct cgfs_applied *a, const struct ctl_limit *l, uint64_t value)
{
	const struct member *m = member_of(l->bit);
	char *to = (char *)a + m->applied;
	uint32_t number = (uint32_t)value;
	bool on = value != 0;

	if (l->iocost)
		value = cgfs_weight_of_io(value);
	if (m->type == MEMBER_BOOL)
		memcpy(to, &on, sizeof(on));
	else if (m->type == MEMBER_U32)
		memcpy(to, &number, sizeof(number));
	else
		memcpy(to, &value, sizeof(value));
	a->set |= l->bit;
}

/* A file that this kernel does not have leaves its limit unknown. */
static int read_limit(const struct cgfs_dir *d, const struct ctl_limit *l, struct cgfs_applied *a,
		      struct cgfs_err *reterr)
{
	uint64_t value = 0;
	char text[256];
	ssize_t n = dir_read(d, l->file, text, sizeof(text), NULL);
	int r;

	if (n == -EOPNOTSUPP || (n == -ENOENT && dir_alive(d)))
		return 0;
	if (n < 0)
		return group_part_lost(d, dir_error(d, n == -ENOENT ? -ENODEV : (int)n, "read",
						    l->file, NULL, reterr));
	r = value_of(l, text, (size_t)n, &value);
	if (r < 0)
		return dir_error(d, r, "parse", l->file, text, reterr);
	put(a, l, value);
	return 0;
}

static int read_more(struct cgfs_group *g, uint64_t set, struct cgfs_applied *a,
		     struct cgfs_err *reterr)
{
	for (int ctl = 0; ctl < CGFS_CONTROLLER_COUNT; ctl++) {
		const struct place *p = &g->c->place[ctl];
		struct cgfs_dir d = dir_in(g, p->hierarchy);

		for (const struct ctl_limit *l = p->ops ? p->ops->limits : NULL; l && l->bit; l++) {
			int r = set & l->bit & ~a->set ? read_limit(&d, l, a, reterr) : 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int read_cpuset(struct cgfs_group *g, uint64_t set, struct cgfs_applied *a,
		       struct cgfs_err *reterr)
{
	struct cgfs_dir d = dir_of(g, CGFS_CPUSET);
	auto_free struct cgfs_cpuset *now = NULL;
	int r;

	set &= CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS;
	if (!set || g->c->place[CGFS_CPUSET].version == CGFS_NONE)
		return 0;
	r = cgfs_group_cpuset(g, &now, reterr);
	if (r < 0)
		return group_part_lost(&d, r);
	a->set |= set;
	a->cpus_differ = (set & CGFS_SET_CPUSET_CPUS) && now->cpus_differ;
	a->mems_differ = (set & CGFS_SET_CPUSET_MEMS) && now->mems_differ;
	return 0;
}

/* A budget is taken as it is, so what was asked is what is in force. */
int applied_admit(struct cgfs_group *g, const struct cgfs_resources *res, struct cgfs_applied *a,
		  struct cgfs_err *reterr)
{
	int r = 0;

	if (res->set & CGFS_SET_MEMORY_ADMIT) {
		a->memory_admit_bytes = res->memory_admit_bytes;
		if (res->memory_admit_bytes == CGFS_ADMIT_AUTO)
			r = admit_automatic(g, &a->memory_admit_bytes, reterr);
	}
	if (r < 0)
		return r;
	if (res->set & CGFS_SET_ADMIT_EXEMPT)
		a->admit_exempt = res->admit_exempt;
	a->set |= res->set & (CGFS_SET_MEMORY_ADMIT | CGFS_SET_ADMIT_EXEMPT);
	return 0;
}

int applied_read(struct cgfs_group *g, uint64_t set, struct cgfs_applied *ret,
		 struct cgfs_err *reterr)
{
	struct cgfs_applied a = CGFS_APPLIED_INIT;
	struct cgfs_stats s = CGFS_STATS_INIT;
	unsigned int what = 0;
	int r;

	what |= set & MEMORY_BITS ? CGFS_READ_MEMORY : 0;
	what |= set & CPU_BITS ? CGFS_READ_CPU : 0;
	what |= set & CGFS_SET_PIDS_MAX ? CGFS_READ_PIDS : 0;
	what |= set & (CGFS_SET_MEMORY_ADMIT | CGFS_SET_ADMIT_EXEMPT) ? CGFS_READ_POLICY : 0;
	r = cgfs_group_stats(g, what, &s, reterr);
	if (r < 0)
		return r;
	for (const struct member *m = members; m < members + MEMBERS; m++) {
		if (!(set & m->bit) || m->stat == CGFS_STAT_COUNT || !s.figure[m->stat].available)
			continue;
		memcpy((char *)&a + m->applied, &s.figure[m->stat].value, sizeof(uint64_t));
		a.set |= m->bit;
	}
	if ((set & CGFS_SET_ADMIT_EXEMPT) && s.figure[CGFS_STAT_ADMIT_EXEMPT].available) {
		a.admit_exempt = s.figure[CGFS_STAT_ADMIT_EXEMPT].value;
		a.set |= CGFS_SET_ADMIT_EXEMPT;
	}
	add_memory_to_swap(&a, &s);
	if (a.set & CGFS_SET_MEMORY_MAX)
		a.memory_in_use_bytes = s.figure[CGFS_STAT_MEMORY_CURRENT].value;
	r = read_more(g, set, &a, reterr);
	if (r == 0)
		r = read_cpuset(g, set, &a, reterr);
	if (r < 0)
		return r;
	*ret = a;
	return 0;
}

int cgfs_group_limits(struct cgfs_group *g, struct cgfs_applied *ret_applied,
		      struct cgfs_err *reterr)
{
	struct cgfs_applied a;
	int r = SIZED_CHECK(ret_applied, reterr);

	if (r == 0)
		r = applied_read(g, UINT64_MAX, &a, reterr);
	if (r == 0)
		SIZED_OUT(ret_applied, &a);
	return r < 0 ? cgfs_err_context(reterr, r, "read limits of \"%.80s\"", g->rel) : 0;
}
