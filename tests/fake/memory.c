// SPDX-License-Identifier: MIT
/*
 * memory.c - the memory controller's accounting: charges, reclaim, the OOM killer.
 *
 * Anonymous memory belongs to a process and goes with it; page cache belongs to the cgroup and
 * can be reclaimed.  There is no swap.  The files are in memory_v1.c and memory_v2.c.
 */
#include "host.h"

static bool has_memory(const struct node *n)
{
	return n->enabled & (1u << CGFS_MEMORY);
}

static bool is_v2(const struct node *n)
{
	return n->h->version == CGFS_V2;
}

/* -- counters --------------------------------------------------------------------------------- */

static void add_usage(struct node *n, int64_t bytes)
{
	for (; n; n = n->parent) {
		uint64_t old = n->usage;

		n->usage += (uint64_t)bytes;
		if (n->usage > n->peak)
			n->peak = n->usage;
		for (size_t i = 0; n->host->n_peaks && i < n->host->n_files; i++) {
			struct open_file *o = &n->host->files[i];

			if (o->used && o->node == n && o->peak && n->usage > *o->peak)
				*o->peak = n->usage;
		}
		fake_mem_used(n, old);
	}
}

void fake_mem_total(const struct node *n, uint64_t *ret_anon, uint64_t *ret_cache)
{
	*ret_anon += n->anon;
	*ret_cache += n->cache;
	for (const struct node *c = n->children; c; c = c->next)
		fake_mem_total(c, ret_anon, ret_cache);
}

/* memory.events: its own, and that of all ancestors but the root. */
void fake_mem_event(struct node *n, enum mem_event e)
{
	if (!is_v2(n))
		return;
	n->events_local[e]++;
	fake_notify_name(n, "memory.events.local");
	for (; n && n->parent && has_memory(n); n = n->parent) {
		n->events[e]++;
		fake_notify_name(n, "memory.events");
	}
}

/* -- reclaim ---------------------------------------------------------------------------------- */

uint64_t fake_mem_reclaim(struct node *n, uint64_t bytes)
{
	uint64_t got = n->cache < bytes ? n->cache : bytes;

	if (got) {
		n->cache -= got;
		add_usage(n, -(int64_t)got);
	}
	if (!n->cache)
		n->dying = 0; /* theirs was among it */
	for (struct node *c = n->children; c && got < bytes; c = c->next)
		got += fake_mem_reclaim(c, bytes - got);
	return got;
}

/* -- the OOM killer --------------------------------------------------------------------------- */

static uint64_t size_of(const struct process *p)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < p->n_charges; i++)
		bytes += p->charges[i].bytes;
	return bytes;
}

/* The cgroup of a process that memory.events of kills counts in: enabled, or its ancestor. */
static struct node *memory_node(const struct process *p, const struct hierarchy *h)
{
	struct node *n = fake_node_of(p, h);

	while (n && !has_memory(n))
		n = n->parent;
	return n;
}

static bool below(const struct node *n, const struct node *top)
{
	while (n && n != top)
		n = n->parent;
	return n != NULL;
}

static void kill_one(struct fake *f, struct process *p, struct hierarchy *h)
{
	struct node *n = memory_node(p, h);

	n->events[EV_OOM_KILL] += !is_v2(n);
	fake_mem_event(n, EV_OOM_KILL);
	fake_policy_oom(f, p);
	/* Its memory is free at once, however long it takes to exit. */
	fake_mem_release(f, p);
	fake_kill_process(f, p);
}

/* The largest; when no process has memory, the one that asks for it. */
static struct process *choose_victim(const struct node *n, struct process *asking)
{
	struct process *victim = asking;

	for (struct process *p = n->host->procs; p; p = p->next) {
		if (p->dying || p->killed || !below(fake_node_of(p, n->h), n))
			continue;
		if (size_of(p) > (victim ? size_of(victim) : 0))
			victim = p;
	}
	return victim;
}

bool fake_mem_oom(struct node *n, struct process *asking)
{
	struct fake *f = n->host;
	struct hierarchy *h = n->h;
	struct process *victim = choose_victim(n, asking), *next;
	struct node *group = NULL;

	if (!victim)
		return false;
	for (struct node *m = memory_node(victim, h); m; m = m == n ? NULL : m->parent) {
		if (is_v2(m) && m->parent && m->oom_group)
			group = m;
	}
	if (!group) {
		kill_one(f, victim, h);
		return true;
	}
	fake_mem_event(group, EV_GROUP_KILL);
	for (struct process *p = f->procs; p; p = next) {
		next = p->next;
		if (!p->dying && below(fake_node_of(p, h), group))
			kill_one(f, p, h);
	}
	return true;
}

/* -- charges ---------------------------------------------------------------------------------- */

static uint64_t limit_of(const struct node *n)
{
	if (!n->parent || !has_memory(n))
		return FAKE_NONE;
	return is_v2(n) || n->mem_max < n->memsw_max ? n->mem_max : n->memsw_max;
}

static struct node *first_over(struct node *n, uint64_t bytes)
{
	for (; n; n = n->parent) {
		uint64_t limit = limit_of(n);

		if (limit != FAKE_NONE && n->usage + bytes > limit)
			return n;
	}
	return NULL;
}

/* Makes room below @over's limit, or fails. */
static int make_room(struct node *over, struct process *p, struct node *n, uint64_t bytes)
{
	over->failcnt++;
	fake_mem_event(over, EV_MAX);
	if (fake_mem_reclaim(over, over->usage + bytes - limit_of(over)) > 0 &&
	    first_over(n, bytes) != over)
		return 0;
	if (!is_v2(over)) {
		fake_mem_oom_notify(over);
		if (over->oom_kill_disable) {
			over->under_oom = 1;
			return -EAGAIN;
		}
	}
	fake_mem_event(over, EV_OOM);
	fake_mem_oom(over, p);
	return 0;
}

static void over_high(struct node *n)
{
	for (; n && n->parent && has_memory(n); n = n->parent) {
		if (!is_v2(n) || n->mem_high == FAKE_NONE || n->usage <= n->mem_high)
			continue;
		fake_mem_event(n, EV_HIGH);
		fake_mem_reclaim(n, n->usage - n->mem_high);
	}
}

static void remember(struct process *p, struct node *n, uint64_t bytes)
{
	for (size_t i = 0; i < p->n_charges; i++) {
		if (p->charges[i].node == n) {
			p->charges[i].bytes += bytes;
			return;
		}
	}
	p->charges = fake_grow(p->charges, p->n_charges + 1, sizeof(*p->charges));
	p->charges[p->n_charges++] = (struct charge){ n, bytes };
}

int fake_mem_charge(struct fake *f, struct process *p, uint64_t bytes, bool cache)
{
	struct node *n = memory_node(p, fake_hierarchy(f, CGFS_MEMORY)), *over;
	pid_t pid = p->pid;

	if (!n)
		return 0;
	bytes = (bytes + FAKE_PAGE - 1) / FAKE_PAGE * FAKE_PAGE;
	while ((over = first_over(n, bytes))) {
		int r = make_room(over, p, n, bytes);

		/* It may have been killed for it, and be gone. */
		p = fake_process(f, pid);
		if (!p || p->dying || p->killed)
			return -ENOMEM;
		if (r < 0)
			return r;
	}
	*(cache ? &n->cache : &n->anon) += bytes;
	if (!cache)
		remember(p, n, bytes);
	add_usage(n, (int64_t)bytes);
	over_high(n);
	return 0;
}

static void uncharge(struct charge *c, uint64_t bytes)
{
	c->bytes -= bytes;
	c->node->anon -= bytes;
	add_usage(c->node, -(int64_t)bytes);
	for (struct node *n = c->node; n; n = n->parent)
		n->under_oom = 0;
}

void fake_mem_uncharge(struct fake *f, struct process *p, uint64_t bytes)
{
	bytes = (bytes + FAKE_PAGE - 1) / FAKE_PAGE * FAKE_PAGE;
	for (size_t i = p->n_charges; i-- > 0 && bytes > 0;) {
		uint64_t here = p->charges[i].bytes < bytes ? p->charges[i].bytes : bytes;

		uncharge(&p->charges[i], here);
		bytes -= here;
		if (!p->charges[i].bytes)
			p->charges[i] = p->charges[--p->n_charges];
	}
}

void fake_mem_release(struct fake *f, struct process *p)
{
	fake_mem_uncharge(f, p, size_of(p));
}

int fake_charge(struct fake *f, pid_t pid, uint64_t bytes)
{
	struct process *p = fake_process(f, pid);

	return p && !p->dying ? fake_mem_charge(f, p, bytes, false) : -ESRCH;
}

int fake_charge_cache(struct fake *f, pid_t pid, uint64_t bytes)
{
	struct process *p = fake_process(f, pid);

	return p && !p->dying ? fake_mem_charge(f, p, bytes, true) : -ESRCH;
}

void fake_uncharge(struct fake *f, pid_t pid, uint64_t bytes)
{
	struct process *p = fake_process(f, pid);

	if (p)
		fake_mem_uncharge(f, p, bytes);
}

static void online(struct node *n)
{
	if (n->parent)
		n->use_hierarchy = n->parent->use_hierarchy;
	memset(n->events, 0, sizeof(n->events));
	memset(n->events_local, 0, sizeof(n->events_local));
	n->failcnt = n->under_oom = 0;
	n->peak = n->usage;
	n->swappiness = 60;
	n->oom_kill_disable = 0;
	if (n->parent && n->h->version == CGFS_V1) {
		n->swappiness = n->parent->swappiness;
		n->oom_kill_disable = n->parent->oom_kill_disable;
	}
}

/* What is still charged here is the parent's from now on. */
static void offline(struct node *n)
{
	fake_mem_unlisten(n);
	if (!n->usage || !n->parent)
		return;
	for (struct process *p = n->host->procs; p; p = p->next) {
		for (size_t i = 0; i < p->n_charges; i++) {
			if (p->charges[i].node == n)
				p->charges[i].node = n->parent;
		}
	}
	if (n->cache)
		n->parent->dying += 1 + n->dying;
	n->parent->anon += n->anon;
	n->parent->cache += n->cache;
	n->anon = n->cache = n->usage = 0;
}

const struct controller fake_memory = {
	.v1_name = "memory",
	.v2_name = "memory",
	.v1 = fake_memory_v1,
	.v2 = fake_memory_v2,
	.online = online,
	.offline = offline,
};
