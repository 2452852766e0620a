/* SPDX-License-Identifier: MIT */
/*
 * admit.c - admission: the policy refuses new memory to a group that has used its budget.  No
 * control file does; of the controllers only memory's place is needed, for its usage.
 */
#include "cgfs/controller/memory/admit.h"

#include "cgfs/base/util.h"
#include "cgfs/controller/memory/memory.h"
#include "cgfs/request/members.h"

#define MS_MAX	   3600000
#define MARGIN_MIN (1ull << 20)

int admit_plan(const struct cgfs *c, const struct cgfs_resources *res, struct cgfs_err *reterr)
{
	const char *member = member_word(res->set & ADMIT_BITS, WORDS_OCI);

	if (c->place[CGFS_MEMORY].hierarchy < 0)
		return err_why(reterr, -ENODEV, "set", member,
			       "the memory controller is not on this host");
	if (!c->policy || c->unified < 0 || !c->policy->ops->admit_memory)
		return err_why(reterr, -ENODEV, "set", member,
			       "it needs an eBPF policy, and this context has none");
	return 0;
}

/* The group as admission sees it; its memory must be known. */
static int target(struct cgfs_group *g, struct cgfs_policy_group *ret, struct cgfs_err *reterr)
{
	int fd, r = group_dir(g, g->c->unified, &fd, reterr);

	if (r < 0)
		return r;
	group_policy(g, ret);
	r = memory_number(g, &ret->memory_id, reterr);
	if (r == 0 && !ret->memory_id)
		r = err_value(reterr, -ENODEV, "find memory of", g->rel,
			      "it is not in the hierarchy of the memory controller");
	return r;
}

int admit_automatic(struct cgfs_group *g, uint64_t *ret, struct cgfs_err *reterr)
{
	uint64_t limit, margin;
	int r = memory_limit_of(g, &limit, reterr);

	if (r < 0)
		return r;
	margin = limit / 16 > MARGIN_MIN ? limit / 16 : MARGIN_MIN;
	if (margin > limit / 2)
		margin = limit / 2;
	*ret = limit == CGFS_MAX ? CGFS_MAX : limit - margin;
	return 0;
}

int admit_read(const struct cgfs_group *g, struct cgfs_policy_admit *ret, struct cgfs_err *reterr)
{
	struct cgfs_policy_counters n = { .sz = sizeof(n) };
	const struct cgfs_policy *p = g->c->policy;
	int r = p->ops->counters(p->ctx, g->cgroup_id, &n);

	if (r == -ENOENT && g->unbound)
		r = 0;
	if (r < 0)
		return err_why(reterr, r, "read the budget of", g->rel,
			       r == -ENOENT ? "the policy does not know it" : NULL);
	*ret = (struct cgfs_policy_admit){
		.sz = sizeof(*ret),
		.budget_bytes = n.counts_admit ? n.admit_budget : CGFS_MAX,
		.exempt = n.admit_exempt,
		.follows = n.admit_follows,
	};
	return 0;
}

static int put(struct cgfs_group *g, struct cgfs_policy_admit *admit, struct cgfs_err *reterr)
{
	const struct cgfs_policy *p = g->c->policy;
	struct cgfs_policy_group group;
	int r = target(g, &group, reterr);

	admit->lift_bytes = admit->budget_bytes - admit->budget_bytes / 16;
	return r < 0 ? r : p->ops->admit_memory(p->ctx, &group, admit, reterr);
}

int admit_apply(struct cgfs_group *g, const struct cgfs_resources *res,
		const struct cgfs_policy_admit *was, struct cgfs_err *reterr)
{
	struct cgfs_policy_admit admit = *was;
	int r = 0;

	if (res->set & CGFS_SET_MEMORY_ADMIT) {
		admit.budget_bytes = res->memory_admit_bytes;
		admit.follows = res->memory_admit_bytes == CGFS_ADMIT_AUTO;
	}
	if (admit.follows)
		r = admit_automatic(g, &admit.budget_bytes, reterr);
	if (r < 0)
		return r;
	if (admit.follows && !was->follows && admit.budget_bytes == CGFS_MAX)
		return err_why(reterr, -EINVAL, "set",
			       member_word(CGFS_SET_MEMORY_ADMIT, WORDS_OCI),
			       "auto is the memory limit less a margin, and \"%.80s\" has no limit",
			       g->rel);
	if (res->set & CGFS_SET_ADMIT_EXEMPT)
		admit.exempt = res->admit_exempt;
	/* What is so already needs no policy that can do more.  What an unbound group has is not
	 * known. */
	if (!g->unbound && admit.budget_bytes == was->budget_bytes &&
	    admit.follows == was->follows && admit.exempt == was->exempt)
		return 0;
	return put(g, &admit, reterr);
}

void admit_undo(struct cgfs_group *g, const struct cgfs_policy_admit *was)
{
	struct cgfs_policy_admit admit = *was;

	ignore(put(g, &admit, NULL));
}

int admit_forget(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs_policy_admit none = { .sz = sizeof(none), .budget_bytes = CGFS_MAX };
	const struct cgfs_policy *p = g->c->policy;
	struct cgfs_policy_group group;
	struct cgfs_err err = { 0 };
	int fd, r;

	if (!p->ops->admit_memory)
		return 0;
	r = group_dir(g, g->c->unified, &fd, reterr);
	if (r < 0)
		return r;
	group_policy(g, &group);
	r = p->ops->admit_memory(p->ctx, &group, &none, &err);
	if (r == -EROFS)
		return 0; /* the policy is for reading */
	if (r < 0 && reterr)
		*reterr = err;
	return r;
}

int cgfs_group_hold_admission(struct cgfs_group *g, uint64_t ms, bool all, struct cgfs_err *reterr)
{
	const struct cgfs_policy *p = g->c->policy;
	struct cgfs_policy_group group;
	int r = 0;

	if (ms > MS_MAX)
		return err_why(reterr, -EINVAL, "hold admission of", g->rel,
			       "it is held for at most %d milliseconds", MS_MAX);
	if (g->c->read_only)
		return err_why(reterr, -EROFS, "hold admission of", g->rel,
			       "the context is for reading");
	if (!p || !g->cgroup_id || g->c->unified < 0 || !p->ops->hold_memory ||
	    g->c->place[CGFS_MEMORY].hierarchy < 0)
		return 0;
	r = target(g, &group, reterr);
	return r < 0 ? r : p->ops->hold_memory(p->ctx, &group, ms, all, reterr);
}
