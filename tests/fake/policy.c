// SPDX-License-Identifier: MIT
/*
 * policy.c - a device policy as cgfs/policy.h describes it, decided by cgfs_device_check().
 *
 * It belongs to the host, not to a context: like pinned maps it outlives one.
 */
#include "host.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct group {
	struct group *next;
	uint64_t id, pod_id;
	char pod[CGFS_ID_MAX + 1], container[CGFS_ID_MAX + 1];
	bool own_list; /* false: bound by the pod's alone */
	struct cgfs_device_rule *rules;
	size_t n;
	struct cgfs_policy_counters counters;
};

struct queued {
	struct queued *next;
	struct cgfs_event event;
};

struct policy {
	struct cgfs_policy api;
	bool oom;
	int fd;
	struct group *groups;
	struct queued *first, **last;
};

static int refuse(struct cgfs_err *e, int code, const char *what)
{
	if (e) {
		memset(e, 0, sizeof(*e));
		e->code = code;
		snprintf(e->op, sizeof(e->op), "%s", what);
		snprintf(e->text, sizeof(e->text), "%s: %s", what, strerror(-code));
	}
	return code;
}

static struct group *find(const struct policy *p, uint64_t id)
{
	struct group *g = p->groups;

	while (g && g->id != id)
		g = g->next;
	return g;
}

static void take_rules(struct group *g, const struct cgfs_device_rule *rules, size_t n)
{
	free(g->rules);
	g->rules = fake_alloc((n + 1) * sizeof(*rules));
	if (n)
		memcpy(g->rules, rules, n * sizeof(*rules));
	g->n = n;
	/* A pod without a list denies everything. */
	g->own_list = rules || g->id == g->pod_id;
}

static int policy_add(void *ctx, const struct cgfs_policy_group *group,
		      const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr)
{
	struct fake *f = ctx;
	struct policy *p = f->policy;
	const struct open_file *o = fake_open_file(f, group->cgroup_fd);
	struct group *g = find(p, group->cgroup_id);
	int r = fake_enter(f, FAKE_POLICY_ADD);

	if (r < 0)
		return refuse(reterr, r, "add to the device policy");
	if (!o || o->type || o->node->h->version != CGFS_V2)
		return refuse(reterr, -EBADF, "add to the device policy");
	if (o->node->id != group->cgroup_id || o->node->removed)
		return refuse(reterr, -EINVAL, "add to the device policy");
	if (!g) {
		g = fake_alloc(sizeof(*g));
		g->id = group->cgroup_id;
		g->counters.sz = sizeof(g->counters);
		g->next = p->groups;
		p->groups = g;
		g->pod_id = group->pod_cgroup_id;
		take_rules(g, rules, n);
	} else if (rules) {
		take_rules(g, rules, n);
	}
	g->pod_id = group->pod_cgroup_id;
	snprintf(g->pod, sizeof(g->pod), "%s", group->pod);
	snprintf(g->container, sizeof(g->container), "%s", group->container);
	return 0;
}

static int policy_set_rules(void *ctx, const struct cgfs_policy_group *group,
			    const struct cgfs_device_rule *rules, size_t n, struct cgfs_err *reterr)
{
	struct fake *f = ctx;
	struct group *g = find(f->policy, group->cgroup_id);
	int r = fake_enter(f, FAKE_POLICY_SET_RULES);

	if (r == 0 && !g)
		r = -ENOENT;
	if (r < 0)
		return refuse(reterr, r, "replace device rules");
	take_rules(g, rules, rules ? n : 0);
	return 0;
}

static int policy_get_rules(void *ctx, const struct cgfs_policy_group *group,
			    struct cgfs_device_rule **ret_rules, size_t *ret_n,
			    struct cgfs_err *reterr)
{
	struct fake *f = ctx;
	const struct group *g = find(f->policy, group->cgroup_id);
	int r = fake_enter(f, FAKE_POLICY_GET_RULES);

	if (r == 0 && !g)
		r = -ENOENT;
	if (r < 0)
		return refuse(reterr, r, "read device rules");
	if (!g->own_list)
		return 0;
	*ret_rules = fake_alloc((g->n + 1) * sizeof(*g->rules));
	memcpy(*ret_rules, g->rules, g->n * sizeof(*g->rules));
	*ret_n = g->n;
	return 1;
}

static int policy_remove(void *ctx, const struct cgfs_policy_group *group, struct cgfs_err *reterr)
{
	struct fake *f = ctx;
	struct group **link = &f->policy->groups, *g;
	int r = fake_enter(f, FAKE_POLICY_REMOVE);

	if (r < 0)
		return refuse(reterr, r, "remove from the device policy");
	while (*link && (*link)->id != group->cgroup_id)
		link = &(*link)->next;
	g = *link;
	if (!g)
		return 0;
	*link = g->next;
	free(g->rules);
	free(g);
	return 0;
}

static bool exists(const struct node *n, uint64_t id)
{
	bool found = n->id == id;

	for (const struct node *c = n->children; c && !found; c = c->next)
		found = exists(c, id);
	return found;
}

static int policy_sweep(void *ctx, int cgroup2_fd, struct cgfs_err *reterr)
{
	struct fake *f = ctx;
	const struct open_file *o = fake_open_file(f, cgroup2_fd);
	struct group **link = &f->policy->groups, *g;
	int r = fake_enter(f, FAKE_POLICY_SWEEP);

	if (r < 0)
		return refuse(reterr, r, "sweep the device policy");
	if (!o || o->type || o->node->h->version != CGFS_V2)
		return refuse(reterr, -EBADF, "sweep the device policy");
	while ((g = *link)) {
		if (exists(o->node->h->root, g->id)) {
			link = &g->next;
			continue;
		}
		*link = g->next;
		free(g->rules);
		free(g);
	}
	return 0;
}

static int policy_counters(void *ctx, uint64_t cgroup_id, struct cgfs_policy_counters *ret)
{
	struct fake *f = ctx;
	const struct group *g = find(f->policy, cgroup_id);
	int r = fake_enter(f, FAKE_POLICY_COUNTERS);
	size_t sz = ret->sz < sizeof(*ret) ? ret->sz : sizeof(*ret);

	if (r < 0)
		return r;
	if (!g)
		return -ENOENT;
	/* As far as the library's structure reaches, which may be an older one. */
	memcpy((char *)ret + sizeof(sz), (const char *)&g->counters + sizeof(sz), sz - sizeof(sz));
	return 0;
}

/* -- events ----------------------------------------------------------------------------------- */

static int policy_event_fd(void *ctx)
{
	struct fake *f = ctx;
	int r = fake_enter(f, FAKE_POLICY_EVENT_FD);

	return r < 0 ? r : f->policy->fd;
}

static int policy_event_read(void *ctx, struct cgfs_event *ret_event, struct cgfs_err *reterr)
{
	struct fake *f = ctx;
	struct policy *p = f->policy;
	struct queued *q = p->first;
	uint64_t count;
	int r = fake_enter(f, FAKE_POLICY_EVENT_READ);

	if (r < 0)
		return refuse(reterr, r, "read an event of the policy");
	if (!q)
		return 0;
	*ret_event = q->event;
	p->first = q->next;
	free(q);
	if (!p->first) {
		p->last = &p->first;
		if (read(p->fd, &count, sizeof(count)) != sizeof(count))
			return refuse(reterr, -EIO, "read the eventfd");
	}
	return 1;
}

static void push(struct policy *p, const struct group *g, struct cgfs_event *event)
{
	struct queued *q = fake_alloc(sizeof(*q));
	uint64_t one = 1;
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	event->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	event->cgroup_id = g->id;
	snprintf(event->pod, sizeof(event->pod), "%s", g->pod);
	snprintf(event->container, sizeof(event->container), "%s", g->container);
	snprintf(event->comm, sizeof(event->comm), "fake");
	q->event = *event;
	*p->last = q;
	p->last = &q->next;
	if (write(p->fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

/* The nearest known group that a process is in. */
static struct group *group_of(const struct fake *f, const struct process *p)
{
	const struct node *n = fake_node_of(p, fake_hierarchy(f, FAKE_CORE));
	struct group *g = NULL;

	for (; n && !g && f->policy; n = n->parent)
		g = find(f->policy, n->id);
	return g;
}

void fake_policy_oom(struct fake *f, const struct process *p)
{
	struct cgfs_event event = { .sz = sizeof(struct cgfs_event),
				    .type = CGFS_EVENT_OOM_KILL,
				    .pid = p->pid,
				    .count = 1 };
	struct group *g = group_of(f, p), *pod;

	if (!g || !f->policy->oom)
		return;
	g->counters.oom_kills++;
	pod = g->pod_id == g->id ? NULL : find(f->policy, g->pod_id);
	if (pod)
		pod->counters.oom_kills++;
	push(f->policy, g, &event);
}

static bool policy_reports_oom(void *ctx)
{
	struct fake *f = ctx;

	return f->policy->oom;
}

static int policy_probe(void *ctx, struct cgfs_capabilities *caps, struct cgfs_err *reterr)
{
	struct fake *f = ctx;
	int r = fake_enter(f, FAKE_POLICY_PROBE);

	if (r < 0)
		return refuse(reterr, r, "probe the device policy");
	cgfs_capability_add(caps, "policy.device", true, "the fake's evaluator", "");
	cgfs_capability_add(caps, "policy.oom", f->policy->oom,
			    f->policy->oom ? "the fake's OOM killer" : "switched off", "");
	return 0;
}

/* -- decisions -------------------------------------------------------------------------------- */

/* 1-based position of the last rule that speaks about one of the bits @access; 0: none does. */
static uint32_t deciding(const struct group *g, enum cgfs_device_type type, int32_t major,
			 int32_t minor, uint32_t access)
{
	for (size_t i = g->n; i-- > 0;) {
		const struct cgfs_device_rule *r = &g->rules[i];

		if ((r->type == CGFS_DEVICE_ALL || r->type == type) &&
		    (r->major == CGFS_DEVICE_ANY || r->major == major) &&
		    (r->minor == CGFS_DEVICE_ANY || r->minor == minor) && (r->access & access))
			return (uint32_t)i + 1;
	}
	return 0;
}

bool fake_policy_allows(struct fake *f, const struct process *p, enum cgfs_device_type type,
			int32_t major, int32_t minor, uint32_t access)
{
	struct cgfs_event event = { .sz = sizeof(struct cgfs_event),
				    .type = CGFS_EVENT_DEVICE_DENIED,
				    .pid = p->pid,
				    .count = 1,
				    .device_type = type,
				    .major = (uint32_t)major,
				    .minor = (uint32_t)minor,
				    .access = access };
	struct group *g = group_of(f, p), *pod, *lists[2];
	bool allowed = true;

	/* access(F_OK) and its like ask for nothing. */
	if (!g || !access)
		return true;
	pod = g->pod_id == g->id ? NULL : find(f->policy, g->pod_id);
	lists[0] = g->own_list ? g : NULL;
	lists[1] = pod;
	for (int i = 0; i < 2 && allowed; i++) {
		uint32_t granted = access;

		if (lists[i])
			granted = cgfs_device_check(lists[i]->rules, lists[i]->n, type, major,
						    minor, access);
		if (granted == access)
			continue;
		allowed = false;
		event.rule = deciding(lists[i], type, major, minor, access & ~granted);
	}
	for (struct group *c = g; c; c = c == pod ? NULL : pod) {
		c->counters.device_allowed += allowed;
		c->counters.device_denied += !allowed;
	}
	if (!allowed)
		push(f->policy, g, &event);
	return allowed;
}

/* -- the table -------------------------------------------------------------------------------- */

static const struct cgfs_policy_ops ops = {
	.sz = sizeof(ops),
	.add = policy_add,
	.set_rules = policy_set_rules,
	.remove = policy_remove,
	.sweep = policy_sweep,
	.counters = policy_counters,
	.event_fd = policy_event_fd,
	.event_read = policy_event_read,
	.reports_oom = policy_reports_oom,
	.probe = policy_probe,
	.get_rules = policy_get_rules,
};

const struct cgfs_policy *fake_policy(struct fake *f, bool oom)
{
	if (!fake_hierarchy(f, FAKE_CORE))
		return NULL;
	if (!f->policy) {
		struct policy *p = f->policy = fake_alloc(sizeof(*p));

		p->api.sz = sizeof(p->api);
		p->api.ops = &ops;
		p->api.ctx = f;
		p->last = &p->first;
		p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (p->fd < 0)
			abort();
	}
	f->policy->oom = oom;
	return &f->policy->api;
}

void fake_policy_dump(const struct fake *f, FILE *out)
{
	for (const struct group *g = f->policy ? f->policy->groups : NULL; g; g = g->next) {
		fprintf(out, "policy %s/%s%s:", g->pod, g->container,
			g->own_list ? "" : " (pod's)");
		for (size_t i = 0; i < g->n; i++) {
			char text[48];

			cgfs_device_format(&g->rules[i], text, sizeof(text));
			fprintf(out, " %s;", text);
		}
		fprintf(out, "\n");
	}
}

void fake_policy_free(struct fake *f)
{
	struct policy *p = f->policy;

	if (!p)
		return;
	while (p->first) {
		struct queued *q = p->first;

		p->first = q->next;
		free(q);
	}
	while (p->groups) {
		struct group *g = p->groups;

		p->groups = g->next;
		free(g->rules);
		free(g);
	}
	close(p->fd);
	free(p);
	f->policy = NULL;
}
