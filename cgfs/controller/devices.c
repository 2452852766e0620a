/* SPDX-License-Identifier: MIT */
/*
 * devices.c - the device list of a group: v1's devices.allow and devices.deny where that
 * controller is mounted, the registered policy (eBPF) where there is a cgroup2 tree; both
 * where there are both, so that neither is needed for the other.
 *
 * Kernel: Documentation/admin-guide/cgroup-v1/devices.rst
 */
#include "table.h"

#include "../devices.h"

#define V1_ALLOW "devices.allow"
#define V1_DENY	 "devices.deny"
#define V1_LIST	 "devices.list"

/* CGFS_DEVICE_RULES_MAX lines of at most 24 bytes. */
#define V1_LIST_MAX (CGFS_DEVICE_RULES_MAX * 24)

const struct cgfs_device_rule no_devices[1];

/* The order in which a compiled set is sorted. */
static int compare(const void *x, const void *y)
{
	const struct cgfs_device_rule *a = x, *b = y;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	return a->minor < b->minor ? -1 : a->minor > b->minor;
}

/* The bits that the set @in has for exactly the pattern of @rule. */
static uint32_t bits_in(const struct cgfs_devices_v1 *in, const struct cgfs_device_rule *rule)
{
	const struct cgfs_device_rule *found =
		in->n ? bsearch(rule, in->exceptions, in->n, sizeof(*rule), compare) : NULL;

	return found ? found->access : 0;
}

/* Writes to @file each exception of @from, less the bits that @except has already. */
static int v1_write(const struct cgfs_dir *d, const char *file, const struct cgfs_devices_v1 *from,
		    const struct cgfs_devices_v1 *except, struct cgfs_err *reterr)
{
	for (size_t i = 0; i < from->n; i++) {
		struct cgfs_device_rule rule = from->exceptions[i];
		char text[48];
		int r;

		if (except)
			rule.access &= ~bits_in(except, &rule);
		if (!rule.access)
			continue;
		cgfs_devices_v1_format(&rule, text, sizeof(text));
		r = dir_write(d, file, text, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

struct list {
	const struct cgfs_device_rule *rules; /* NULL: there is none */
	size_t n;
};

/* The set that two lists stand for together, as the kernel wants it; one may be missing. */
static int v1_within(struct list outer, struct list inner, struct cgfs_devices_v1 *ret,
		     struct cgfs_err *reterr)
{
	struct cgfs_devices_v1 own = CGFS_DEVICES_V1_INIT, pod = CGFS_DEVICES_V1_INIT;
	int r;

	if (!outer.rules || !inner.rules) {
		if (!inner.rules)
			inner = outer;
		return cgfs_devices_v1_compile(inner.rules, inner.n, ret, reterr);
	}
	r = cgfs_devices_v1_compile(inner.rules, inner.n, &own, reterr);
	if (r == 0)
		r = cgfs_devices_v1_compile(outer.rules, outer.n, &pod, reterr);
	if (r == 0)
		r = cgfs_devices_v1_intersect(&pod, &own, ret, reterr);
	cgfs_devices_v1_free(&pod);
	cgfs_devices_v1_free(&own);
	return r;
}

/* The set that a list stands for in this group. */
static int v1_set(const struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n,
		  struct cgfs_devices_v1 *ret, struct cgfs_err *reterr)
{
	struct list pod = { NULL, 0 };

	if (g->pod)
		pod = (struct list){ g->pod->rules, g->pod->n_rules };
	return v1_within(pod, (struct list){ rules, n }, ret, reterr);
}

/* Everything anew: right after mkdir, when nobody can be hurt by the moment between. */
static int v1_fresh(const struct cgfs_dir *d, const struct cgfs_devices_v1 *set,
		    struct cgfs_err *reterr)
{
	int r = dir_write(d, set->allow ? V1_ALLOW : V1_DENY, "a", reterr);

	return r < 0 ? r : v1_write(d, set->allow ? V1_DENY : V1_ALLOW, set, NULL, reterr);
}

/* From one set to the next without a moment in which what both grant is refused. */
static int v1_replace(const struct cgfs_dir *d, const struct cgfs_devices_v1 *old,
		      const struct cgfs_devices_v1 *set, struct cgfs_err *reterr)
{
	const char *grow = set->allow ? V1_DENY : V1_ALLOW;
	const char *shrink = set->allow ? V1_ALLOW : V1_DENY;
	int r;

	if (old->allow != set->allow) {
		r = v1_fresh(d, set, reterr);
		if (r == -EINVAL)
			return cgfs_err_set(
				reterr, -EOPNOTSUPP, "set", "devices", NULL,
				"cgroup v1 cannot change between \"allow by default\" and "
				"\"deny by default\" once the group has containers");
		return r;
	}
	r = v1_write(d, grow, set, old, reterr);
	return r < 0 ? r : v1_write(d, shrink, old, set, reterr);
}

/* @from NULL: whatever is there.  A replacement that fails half-way is taken back. */
static int v1_apply(struct cgfs_group *g, const struct cgfs_device_rule *from, size_t n_from,
		    const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->c->place[CGFS_DEVICES].hierarchy, NULL };
	struct cgfs_devices_v1 set = CGFS_DEVICES_V1_INIT, old = CGFS_DEVICES_V1_INIT;
	int r;

	r = v1_set(g, rules, n, &set, reterr);
	if (r < 0)
		return r;
	if (!from) {
		r = v1_fresh(&d, &set, reterr);
	} else {
		r = v1_set(g, from, n_from, &old, reterr);
		if (r == 0) {
			r = v1_replace(&d, &old, &set, reterr);
			if (r < 0)
				(void)!v1_replace(&d, &set, &old, NULL);
		}
	}
	cgfs_devices_v1_free(&old);
	cgfs_devices_v1_free(&set);
	return r;
}

/*
 * The kernel takes from a cgroup's children what it loses, but gives them nothing that it gains.
 * A container whose handle is not open gains nothing here, either.
 */
static int v1_follow(struct cgfs_group *container, struct list from, struct list to,
		     struct cgfs_err *reterr)
{
	struct cgfs_dir d = { container, container->c->place[CGFS_DEVICES].hierarchy, NULL };
	struct cgfs_devices_v1 old = CGFS_DEVICES_V1_INIT, set = CGFS_DEVICES_V1_INIT;
	struct list own = { container->rules, container->n_rules };
	int r;

	r = v1_within(from, own, &old, reterr);
	if (r == 0)
		r = v1_within(to, own, &set, reterr);
	/* All of it anew, because the pod's change may have taken some of what stays. */
	if (r == 0 && old.allow == set.allow)
		r = v1_write(&d, set.allow ? V1_DENY : V1_ALLOW, &set, NULL, reterr);
	if (r == 0)
		r = v1_replace(&d, &old, &set, reterr);
	cgfs_devices_v1_free(&old);
	cgfs_devices_v1_free(&set);
	return r;
}

static int v1_containers_follow(struct cgfs_group *pod, struct list from, struct list to,
				struct cgfs_err *reterr)
{
	for (struct cgfs_group *g = pod->c->groups; g; g = g->next) {
		int r;

		if (g->pod != pod || g->state != GROUP_LIVE)
			continue;
		r = v1_follow(g, from, to, reterr);
		if (r < 0 && r != -ENOENT && r != -ENODEV) /* it is gone */
			return r;
	}
	return 0;
}

static int v1_change(struct cgfs_group *g, struct list from, struct list to,
		     struct cgfs_err *reterr)
{
	int r = v1_apply(g, from.rules, from.n, to.rules, to.n, reterr);

	if (r < 0 || !from.rules || !g->is_pod)
		return r;
	r = v1_containers_follow(g, from, to, reterr);
	if (r < 0) {
		(void)!v1_apply(g, to.rules, to.n, from.rules, from.n, NULL);
		(void)!v1_containers_follow(g, to, from, NULL);
	}
	return r;
}

static int policy_apply(struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n,
			bool fresh, struct cgfs_err *reterr)
{
	const struct cgfs_policy *policy = g->c->policy;
	struct cgfs_policy_group target;
	int fd, r;

	if (!policy || !g->cgroup_id)
		return 0;
	r = group_dir(g, g->c->unified, &fd, reterr);
	if (r < 0)
		return r;
	group_policy(g, &target);
	if (fresh || !rules)
		return policy->ops->add(policy->ctx, &target, rules, n, reterr);
	return policy->ops->set_rules(policy->ctx, &target, rules, n, reterr);
}

/* What most pods have need not be in memory once for each: the default list itself, or NULL. */
static const struct cgfs_device_rule *shared(const struct cgfs_device_rule *rules, size_t n)
{
	size_t n_defaults;
	const struct cgfs_device_rule *defaults = cgfs_device_defaults(&n_defaults);

	for (size_t i = 0; i < n && n == n_defaults; i++) {
		const struct cgfs_device_rule *a = &rules[i], *b = &defaults[i];

		if (a->type != b->type || a->major != b->major || a->minor != b->minor ||
		    a->access != b->access || a->allow != b->allow)
			return NULL;
	}
	return n == n_defaults ? defaults : NULL;
}

void devices_forget(struct cgfs_group *g)
{
	size_t n;

	if (g->rules != cgfs_device_defaults(&n))
		free((void *)g->rules);
	g->rules = NULL;
	g->n_rules = 0;
}

/* *@ret stays NULL for the default list, which needs no copy. */
static int copy_rules(const struct cgfs_device_rule *rules, size_t n, struct cgfs_device_rule **ret,
		      struct cgfs_err *reterr)
{
	*ret = NULL;
	if (shared(rules, n))
		return 0;
	/* One more than needed: an empty list is a list, and is not NULL. */
	*ret = calloc(n + 1, sizeof(**ret));
	if (!*ret)
		return cgfs_err_set(reterr, -ENOMEM, "keep device rules", NULL, NULL, NULL);
	if (n)
		memcpy(*ret, rules, n * sizeof(**ret));
	return 0;
}

/* @copy: from copy_rules(), the group's from now on. */
static void keep(struct cgfs_group *g, struct cgfs_device_rule *copy, size_t n)
{
	size_t n_defaults;

	devices_forget(g);
	g->rules = copy ? copy : cgfs_device_defaults(&n_defaults);
	g->n_rules = n;
}

static bool same_set(const struct cgfs_devices_v1 *a, const struct cgfs_devices_v1 *b)
{
	if (a->allow != b->allow || a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (compare(&a->exceptions[i], &b->exceptions[i]) != 0 ||
		    a->exceptions[i].access != b->exceptions[i].access)
			return false;
	}
	return true;
}

/*
 * Nobody wrote down whether a container had a list of its own.  One that has exactly what its
 * pod has is taken for one without, which follows its pod; an eBPF policy still knows better.
 */
static int v1_is_pods(const struct cgfs_group *g, struct list found, struct cgfs_err *reterr)
{
	struct cgfs_devices_v1 own = CGFS_DEVICES_V1_INIT, pod = CGFS_DEVICES_V1_INIT;
	int r;

	if (!g->pod || !g->pod->rules)
		return 0;
	r = cgfs_devices_v1_compile(found.rules, found.n, &own, reterr);
	if (r == 0)
		r = cgfs_devices_v1_compile(g->pod->rules, g->pod->n_rules, &pod, reterr);
	if (r == 0)
		r = same_set(&own, &pod);
	cgfs_devices_v1_free(&own);
	cgfs_devices_v1_free(&pod);
	/* What v1 cannot say is not the same. */
	return r == -EOPNOTSUPP ? 0 : r;
}

/* What the kernel has for a group that somebody made earlier: "a *:* rwm", or one allow rule a
 * line, which are rules in our own spelling. */
static int v1_load(struct cgfs_group *g, struct cgfs_err *reterr)
{
	struct cgfs_dir d = { g, g->c->place[CGFS_DEVICES].hierarchy, NULL };
	auto_free struct cgfs_device_rule *rules = NULL;
	auto_free char *text = NULL;
	struct cgfs_device_rule *copy;
	char *save = NULL;
	size_t n = 0;
	int r;

	text = malloc(V1_LIST_MAX);
	rules = calloc(CGFS_DEVICE_RULES_MAX, sizeof(*rules));
	if (!text || !rules)
		return dir_error(&d, -ENOMEM, "read", V1_LIST, NULL, reterr);
	r = (int)dir_read(&d, V1_LIST, text, V1_LIST_MAX, reterr);
	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 0
						    : r; /* the group is not in this hierarchy */
	for (char *line = strtok_r(text, "\n", &save); line && n < CGFS_DEVICE_RULES_MAX;
	     line = strtok_r(NULL, "\n", &save)) {
		r = cgfs_device_parse(line, &rules[n++], reterr);
		if (r < 0)
			return r;
	}
	r = v1_is_pods(g, (struct list){ rules, n }, reterr);
	if (r != 0)
		return r < 0 ? r : 0;
	r = copy_rules(rules, n, &copy, reterr);
	if (r == 0)
		keep(g, copy, n);
	return r;
}

/*
 * Three callers: create (@fresh; @rules NULL for a container without a list), a new list for a
 * live group, and open (@rules NULL): then the policy is told that the group is there.
 */
int devices_apply(struct cgfs_group *g, const struct cgfs_device_rule *rules, size_t n, bool fresh,
		  struct cgfs_err *reterr)
{
	bool v1 = g->c->place[CGFS_DEVICES].version == CGFS_V1;
	struct list from = { fresh ? NULL : g->rules, g->n_rules }, to = { rules, n };
	auto_free struct cgfs_device_rule *copy = NULL;
	int r;

	/* Memory before all: afterwards it would be too late to want for it. */
	r = rules ? copy_rules(rules, n, &copy, reterr) : 0;
	if (r < 0)
		return r;
	/* v1 first: it may be unable to express the list, and then nothing has changed. */
	if (rules && v1) {
		asked_begin(g->c, CGFS_DEVICES, CGFS_SET_DEVICES, 0);
		r = v1_change(g, from, to, reterr);
		asked_end(g->c);
		if (r < 0)
			return r;
	}
	r = policy_apply(g, rules, n, fresh, reterr);
	if (r < 0) {
		if (rules && v1 && from.rules)
			(void)!v1_change(g, to, from, NULL);
		return r;
	}
	if (rules)
		keep(g, take_ptr(copy), n);
	if (rules || fresh || !v1)
		return 0;
	return v1_load(g, reterr);
}

int cgfs_group_devices(struct cgfs_group *g, struct cgfs_device_rule **ret_rules, size_t *ret_n,
		       struct cgfs_err *reterr)
{
	const struct cgfs_policy *policy = g->cgroup_id ? g->c->policy : NULL;
	struct cgfs_device_rule *rules = NULL;
	struct cgfs_policy_group target;
	size_t n = 0;
	int r, fd;

	if (!devices_enforced(g->c))
		return cgfs_err_set(reterr, -ENODEV, "read device rules of", NULL, g->rel,
				    "neither cgroup v1's devices controller nor an eBPF policy is "
				    "on this host");
	r = policy ? group_dir(g, g->c->unified, &fd, reterr) : 0;
	if (r == 0 && policy) {
		group_policy(g, &target);
		r = policy->ops->get_rules(policy->ctx, &target, &rules, &n, reterr);
	} else if (r == 0 && g->rules) {
		n = g->n_rules;
		rules = calloc(n + 1, sizeof(*rules));
		if (!rules)
			return cgfs_err_set(reterr, -ENOMEM, "read device rules of", NULL, g->rel,
					    NULL);
		memcpy(rules, g->rules, n * sizeof(*rules));
	}
	if (r < 0)
		return cgfs_err_context(reterr, r, "read device rules of \"%.80s\"", g->rel);
	*ret_rules = rules;
	*ret_n = n;
	return 0;
}
