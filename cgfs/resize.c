/* SPDX-License-Identifier: MIT */
/*
 * resize.c - a pod and its containers change together.
 *
 * A container may not have more than its pod at any moment (v1 refuses such a quota), and
 * nobody should have less than both its old and its new share.  So: the pod grows, containers
 * shrink, the pod shrinks, containers grow.  One journal for all of it: either every limit is
 * changed, or none.
 */
#include "controller/unified_v1.h"
#include "core.h"
#include "resources_check.h"

#include <stdlib.h>

/* The limits that have a size. */
#define SIZED                                                                                      \
	(CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_HIGH | CGFS_SET_MEMORY_LOW | CGFS_SET_MEMORY_MIN |  \
	 CGFS_SET_PIDS_MAX)
#define MEMORY_BITS (CGFS_SET_MEMORY_MAX | CGFS_SET_MEMORY_SWAP)
#define CPUSET_BITS (CGFS_SET_CPUSET_CPUS | CGFS_SET_CPUSET_MEMS)
#define CPU_BITS    (CGFS_SET_CPU_QUOTA | CGFS_SET_CPU_PERIOD | CGFS_SET_CPU_BURST)

/* Quota over period as a fraction of 2^20; no quota is more than any. */
static uint64_t cpu_share(uint64_t quota, uint64_t period)
{
	if (quota == CGFS_MAX || !period)
		return CGFS_MAX;
	return (quota << 20) / period;
}

static bool cpu_shrinks(const struct cgfs_resources *res, const struct cgfs_stats *now)
{
	uint64_t quota = now->value[CGFS_STAT_CPU_QUOTA], period = now->value[CGFS_STAT_CPU_PERIOD];
	uint64_t before = cpu_share(quota, period);

	if (res->set & CGFS_SET_CPU_QUOTA)
		quota = res->cpu_quota_us;
	if (res->set & CGFS_SET_CPU_PERIOD)
		period = res->cpu_period_us;
	return cpu_share(quota, period) < before;
}

/* The next range of a list such as "0-3,7". */
static bool next_range(const char **at, unsigned long *ret_first, unsigned long *ret_last)
{
	char *end;

	*at += strspn(*at, ", \t");
	*ret_first = *ret_last = strtoul(*at, &end, 10);
	if (end == *at)
		return false;
	if (*end == '-')
		*ret_last = strtoul(end + 1, &end, 10);
	*at = end;
	return true;
}

static bool in_list(const char *list, unsigned long number)
{
	unsigned long first, last;

	while (next_range(&list, &first, &last)) {
		if (number >= first && number <= last)
			return true;
	}
	return false;
}

static bool within(const char *list, const char *outer)
{
	unsigned long first, last;

	while (next_range(&list, &first, &last)) {
		for (; first <= last; first++) {
			if (!in_list(outer, first))
				return false;
		}
	}
	return !*list; /* "all" and strides are not looked into: taken for more */
}

/* Only v1 wants to have each step within the cpuset above.  So a container's turn is always between
 * a pod's that grows and one's that shrinks. */
static int cpuset_shrinking(struct cgfs_group *g, const struct cgfs_resources *res, uint64_t *bits,
			    struct cgfs_err *reterr)
{
	auto_free struct cgfs_cpuset *now = NULL;
	int r;

	if (!(res->set & CPUSET_BITS) || g->c->place[CGFS_CPUSET].version != CGFS_V1)
		return 0;
	if (g->pod) {
		*bits |= res->set & CPUSET_BITS;
		return 0;
	}
	r = cgfs_group_cpuset(g, &now, reterr);
	if (r < 0)
		return r;
	if ((res->set & CGFS_SET_CPUSET_CPUS) && now->cpus && within(res->cpuset_cpus, now->cpus))
		*bits |= CGFS_SET_CPUSET_CPUS;
	if ((res->set & CGFS_SET_CPUSET_MEMS) && now->mems && within(res->cpuset_mems, now->mems))
		*bits |= CGFS_SET_CPUSET_MEMS;
	return 0;
}

/* The bits of @res that make @g smaller.  What has no size goes with those that grow. */
static int shrinking(struct cgfs_group *g, const struct cgfs_resources *res, uint64_t *ret,
		     struct cgfs_err *reterr)
{
	struct cgfs_stats now;
	uint64_t bits = 0;
	int r;

	r = cgfs_group_stats(g, CGFS_READ_MEMORY | CGFS_READ_CPU | CGFS_READ_PIDS, &now, reterr);
	if (r < 0)
		return r;
	for (uint64_t sized = res->set & SIZED; sized; sized &= sized - 1) {
		const struct member *m = member_of(sized & -sized);

		if (now.available[m->stat] && member_asked(res, m->bit) < now.value[m->stat])
			bits |= m->bit;
	}
	/* Limits that belong together go together. */
	if (bits & CGFS_SET_MEMORY_MAX)
		bits |= res->set & MEMORY_BITS;
	if ((res->set & CPU_BITS) && cpu_shrinks(res, &now))
		bits |= res->set & CPU_BITS;
	*ret = bits;
	return cpuset_shrinking(g, res, ret, reterr);
}

struct step {
	struct cgfs_group *g;
	const struct cgfs_resources *res;
	uint64_t shrink, grow;
};

static int apply(const struct step *s, uint64_t bits, struct journal *j, struct cgfs_err *reterr)
{
	struct cgfs_resources part = *s->res;
	int r;

	if (!bits)
		return 0;
	part.set = bits | (s->res->set & CGFS_PERMISSIONS);
	r = resources_apply(s->g, &part, j, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "update \"%.80s\"", s->g->rel) : 0;
}

static int run(const struct step *pod, const struct step *ctr, size_t n, struct journal *j,
	       struct cgfs_err *reterr)
{
	int r = apply(pod, pod->grow, j, reterr);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = apply(&ctr[i], ctr[i].shrink, j, reterr);
	if (r == 0)
		r = apply(pod, pod->shrink, j, reterr);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = apply(&ctr[i], ctr[i].grow, j, reterr);
	return r;
}

/* `unified` goes as a whole, with what it makes smaller. */
static int unified_shrinking(struct cgfs_group *g, const struct cgfs_resources *res, uint64_t *ret,
			     struct cgfs_err *reterr)
{
	struct unified_plan u;
	uint64_t bits = 0;
	int r = unified_plan(g->c, res, &u, reterr);

	if (r == 0)
		r = shrinking(g, &u.res, &bits, reterr);
	*ret = bits & res->set;
	for (; bits; bits &= bits - 1) {
		if (u.from[__builtin_ctzll(bits)])
			*ret |= CGFS_SET_UNIFIED;
	}
	unified_plan_free(&u);
	return r;
}

static int plan(struct step *s, struct cgfs_group *g, const struct cgfs_resources *res,
		struct cgfs_err *reterr)
{
	int r;

	*s = (struct step){ .g = g, .res = res };
	if (res->set & CGFS_SET_DEVICES)
		return cgfs_err_set(reterr, -EINVAL, "resize", "devices", NULL,
				    "a device list has no size; use cgfs_group_set()");
	if (g->state != GROUP_LIVE)
		return cgfs_err_set(reterr, -ENOENT, "resize", NULL, g->rel, "it is being removed");
	r = resources_plan(g->c, res, reterr);
	if (r == 0)
		r = res->set & CGFS_SET_UNIFIED ? unified_shrinking(g, res, &s->shrink, reterr)
						: shrinking(g, res, &s->shrink, reterr);
	s->grow = res->set & ~(s->shrink | CGFS_PERMISSIONS);
	return r;
}

int cgfs_pod_resize(struct cgfs_group *pod, const struct cgfs_resources *pod_res,
		    struct cgfs_group *const *ctr, const struct cgfs_resources *ctr_res, size_t n,
		    struct cgfs_err *reterr)
{
	static const struct cgfs_resources unchanged = CGFS_RESOURCES_INIT;
	auto_free struct step *steps = calloc(n + 1, sizeof(*steps));
	struct journal *j;
	int r;

	if (!steps)
		return cgfs_err_set(reterr, -ENOMEM, "resize", NULL, pod->rel, NULL);
	r = plan(&steps[n], pod, pod_res ? pod_res : &unchanged, reterr);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (ctr[i]->pod != pod)
			return cgfs_err_set(reterr, -EINVAL, "resize", NULL, ctr[i]->rel,
					    "is not a container of pod \"%s\"", pod->id);
		r = plan(&steps[i], ctr[i], &ctr_res[i], reterr);
	}
	if (r < 0)
		return r;
	j = journal_new();
	if (!j)
		return cgfs_err_set(reterr, -ENOMEM, "resize", NULL, pod->rel, NULL);
	r = run(&steps[n], steps, n, j, reterr);
	if (r < 0)
		journal_undo(j);
	else
		journal_free(j);
	return r;
}
