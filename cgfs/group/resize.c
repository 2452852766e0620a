/* SPDX-License-Identifier: MIT */
/*
 * resize.c - a pod and its containers change together.
 *
 * A container may not have more than its pod at any moment (v1 refuses such a quota), and
 * no group should have less than both its old and its new share.  So: the pod grows, containers
 * shrink, the pod shrinks, containers grow.  A v1 cpuset that neither grows nor shrinks, 0 to 1,
 * goes through the union of both: the pod grows to "0,1", the containers move, the pod shrinks.
 * One journal for all of it: either every limit is changed, or none.
 */
#include "cgfs/base/sized.h"
#include "cgfs/base/util.h"
#include "cgfs/controller/base/ops.h"
#include "cgfs/controller/memory/admit.h"
#include "cgfs/controller/unified_plan.h"
#include "cgfs/group/group.h"
#include "cgfs/request/check.h"
#include "cgfs/request/members.h"
#include "cgfs/tree/fs.h"

#include <stdio.h>
#include <stdlib.h>

/* The limits that have a size. */
#define SCALAR_BITS                                                                                \
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
	uint64_t quota = now->figure[CGFS_STAT_CPU_QUOTA].value,
		 period = now->figure[CGFS_STAT_CPU_PERIOD].value;
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

struct step {
	struct cgfs_group *g;
	const struct cgfs_resources *res; /* own */
	struct cgfs_resources own;
	uint64_t shrink, grow;
	char *cpus, *mems; /* v1: the union of old and new, which comes before the new */
};

/* One list of a pod: is the new one to come last, and what comes before it? */
static int cpuset_order(const char *now, const char *asked, uint64_t bit, uint64_t *shrink,
			char **ret_union)
{
	size_t size;

	/* "all" and strides are not looked into: taken for more. */
	if (!now || !*now || asked[strspn(asked, "0123456789,- \t")] || within(now, asked))
		return 0;
	*shrink |= bit;
	if (within(asked, now))
		return 0;
	size = strlen(now) + 1 + strlen(asked) + 1;
	*ret_union = malloc(size);
	if (!*ret_union)
		return -ENOMEM;
	snprintf(*ret_union, size, "%s,%s", now, asked);
	return 0;
}

/* Only v1 wants to have each step within the cpuset above.  So a container's turn is always between
 * a pod's that grows and one's that shrinks. */
static int cpuset_shrinking(struct step *s, const struct cgfs_resources *res, uint64_t *bits,
			    struct cgfs_err *reterr)
{
	struct cgfs_group *g = s->g;
	const struct ctl_ops *ops = g->c->place[CGFS_CPUSET].ops;
	auto_free struct cgfs_cpuset *now = NULL;
	int r;

	if (!(res->set & CPUSET_BITS) || !ops || !ops->within_parent)
		return 0;
	if (g->pod) {
		*bits |= res->set & CPUSET_BITS;
		return 0;
	}
	r = cgfs_group_cpuset(g, &now, reterr);
	if (r < 0)
		return r;
	if (res->set & CGFS_SET_CPUSET_CPUS)
		r = cpuset_order(now->cpus, res->cpuset_cpus, CGFS_SET_CPUSET_CPUS, bits, &s->cpus);
	if (r == 0 && (res->set & CGFS_SET_CPUSET_MEMS))
		r = cpuset_order(now->mems, res->cpuset_mems, CGFS_SET_CPUSET_MEMS, bits, &s->mems);
	return r < 0 ? err_value(reterr, r, "resize", g->rel, NULL) : 0;
}

/* The bits of @res that make @g smaller.  What has no size goes with those that grow. */
static int shrinking(struct step *s, const struct cgfs_resources *res, uint64_t *ret,
		     struct cgfs_err *reterr)
{
	struct cgfs_group *g = s->g;
	struct cgfs_stats now = CGFS_STATS_INIT;
	uint64_t bits = 0;
	int r;

	r = cgfs_group_stats(g, CGFS_READ_MEMORY | CGFS_READ_CPU | CGFS_READ_PIDS, &now, reterr);
	if (r < 0)
		return r;
	for (uint64_t sized = res->set & SCALAR_BITS; sized; sized &= sized - 1) {
		const struct member *m = member_of(sized & -sized);

		if (now.figure[m->stat].available &&
		    member_asked(res, m->bit) < now.figure[m->stat].value)
			bits |= m->bit;
	}
	/* Limits that belong together go together. */
	if (bits & CGFS_SET_MEMORY_MAX)
		bits |= res->set & MEMORY_BITS;
	if ((res->set & CPU_BITS) && cpu_shrinks(res, &now))
		bits |= res->set & CPU_BITS;
	*ret = bits;
	return cpuset_shrinking(s, res, ret, reterr);
}

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

static int apply_union(const struct step *s, struct journal *j, struct cgfs_err *reterr)
{
	struct cgfs_resources both = { .sz = sizeof(both) };
	int r = 0;

	if (s->cpus) {
		both.set |= CGFS_SET_CPUSET_CPUS;
		both.cpuset_cpus = s->cpus;
	}
	if (s->mems) {
		both.set |= CGFS_SET_CPUSET_MEMS;
		both.cpuset_mems = s->mems;
	}
	if (both.set)
		r = resources_apply(s->g, &both, j, reterr);
	return r < 0 ? cgfs_err_context(reterr, r, "update \"%.80s\"", s->g->rel) : 0;
}

static int run(const struct step *pod, const struct step *ctr, size_t n, struct journal *j,
	       struct cgfs_err *reterr)
{
	int r = apply(pod, pod->grow, j, reterr);

	if (r == 0)
		r = apply_union(pod, j, reterr);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = apply(&ctr[i], ctr[i].shrink, j, reterr);
	if (r == 0)
		r = apply(pod, pod->shrink, j, reterr);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = apply(&ctr[i], ctr[i].grow, j, reterr);
	return r;
}

/* `unified` goes as a whole, with what it makes smaller. */
static int unified_shrinking(struct step *s, const struct cgfs_resources *res, uint64_t *ret,
			     struct cgfs_err *reterr)
{
	struct unified_plan u;
	uint64_t bits = 0;
	int r = unified_plan(s->g->c, res, &u, reterr);

	if (r == 0)
		r = shrinking(s, &u.res, &bits, reterr);
	*ret = bits & res->set;
	for (; bits; bits &= bits - 1) {
		if (u.from[__builtin_ctzll(bits)])
			*ret |= CGFS_SET_UNIFIED;
	}
	unified_plan_free(&u);
	return r;
}

static int plan(struct step *s, struct cgfs_group *g, const struct cgfs_resources *user,
		struct cgfs_err *reterr)
{
	const struct cgfs_resources *res;
	int r;

	s->g = g;
	r = resources_in(&s->own, user, reterr);
	if (r < 0)
		return cgfs_err_context(reterr, r, "resize \"%.80s\"", g->rel);
	s->res = res = &s->own;
	if (res->set & CGFS_SET_DEVICES)
		return err_why(reterr, -EINVAL, "resize", "devices",
			       "a device list has no size; use cgfs_group_set()");
	if (res->set & ADMIT_BITS)
		return err_why(reterr, -EINVAL, "resize", member_word(ADMIT_BITS, WORDS_OCI),
			       "a budget is changed by cgfs_group_set()");
	if (g->state != GROUP_LIVE)
		return err_value(reterr, -ENOENT, "resize", g->rel, "it is being removed");
	r = resources_plan(g->c, res, reterr);
	if (r == 0)
		r = res->set & CGFS_SET_UNIFIED ? unified_shrinking(s, res, &s->shrink, reterr)
						: shrinking(s, res, &s->shrink, reterr);
	s->grow = res->set & ~(s->shrink | CGFS_PERMISSIONS);
	return r;
}

static void steps_free(struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(steps[i].cpus);
		free(steps[i].mems);
	}
	free(steps);
}

static int plan_all(struct step *steps, struct cgfs_group *pod,
		    const struct cgfs_resources *pod_res, struct cgfs_group *const *ctr,
		    const struct cgfs_resources *ctr_res, size_t n, struct cgfs_err *reterr)
{
	int r = plan(&steps[n], pod, pod_res, reterr);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (ctr[i]->pod != pod)
			return err_value(reterr, -EINVAL, "resize", ctr[i]->rel,
					 "is not a container of pod \"%s\"", pod->id);
		/* The elements of the array are as large as the caller knows them. */
		r = plan(&steps[i], ctr[i], SIZED_AT(ctr_res, i), reterr);
	}
	return r;
}

int cgfs_pod_resize(struct cgfs_group *pod, const struct cgfs_resources *pod_res,
		    struct cgfs_group *const *ctr, const struct cgfs_resources *ctr_res, size_t n,
		    struct cgfs_err *reterr)
{
	struct step *steps = calloc(n + 1, sizeof(*steps));
	struct journal *j = NULL;
	int r;

	if (!steps)
		return err_value(reterr, -ENOMEM, "resize", pod->rel, NULL);
	r = check_writable(pod->c, "resize", reterr);
	if (r == 0)
		r = plan_all(steps, pod, pod_res, ctr, ctr_res, n, reterr);
	if (r == 0) {
		j = journal_new(&ctl_undo);
		r = j ? run(&steps[n], steps, n, j, reterr)
		      : err_value(reterr, -ENOMEM, "resize", pod->rel, NULL);
	}
	journal_end(j, r);
	steps_free(steps, n + 1);
	return r;
}
