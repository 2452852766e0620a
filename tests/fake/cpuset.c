// SPDX-License-Identifier: MIT
/*
 * cpuset.c - the cpuset controller on a machine with a few CPUs and one memory node.
 *
 * v1: a cgroup has what was written, a subset of its parent's.  v2: anything may be written;
 * what counts is the part that the parent has.  Partitions are left out.
 */
#include "host.h"

#define ALL_CPUS ((1ull << FAKE_CPUS) - 1)
#define ALL_MEMS 1ull
#define MEM_BITS 1024 /* what a kernel is compiled for, not what there is */

static bool is_mems(const struct ctl_file *type)
{
	return strstr(type->name, "mems") != NULL;
}

static uint64_t *mask_of(struct node *n, bool mems)
{
	return mems ? &n->mems : &n->cpus;
}

static uint64_t effective(const struct node *n, bool mems)
{
	uint64_t above, own;

	if (!n->parent || !(n->enabled & (1u << CGFS_CPUSET)))
		return n->parent ? effective(n->parent, mems) : mems ? ALL_MEMS : ALL_CPUS;
	own = mems ? n->mems : n->cpus;
	if (n->h->version == CGFS_V1)
		return own;
	above = effective(n->parent, mems);
	return own & above ? own & above : above;
}

static int show_mask(const struct open_file *file, FILE *out)
{
	fake_format_list(*mask_of(file->node, is_mems(file->type)), out);
	return 0;
}

static int show_effective(const struct open_file *file, FILE *out)
{
	fake_format_list(effective(file->node, is_mems(file->type)), out);
	return 0;
}

/* v1, in the kernel's order: children, parent, siblings, own processes. */
static int vet_v1(struct node *n, bool mems, uint64_t mask)
{
	bool exclusive = mems ? n->mem_exclusive : n->cpu_exclusive;

	for (struct node *c = n->children; c; c = c->next) {
		if (*mask_of(c, mems) & ~mask)
			return -EBUSY;
	}
	if (mask & ~*mask_of(n->parent, mems))
		return -EACCES;
	for (struct node *s = n->parent->children; s; s = s->next) {
		bool theirs = mems ? s->mem_exclusive : s->cpu_exclusive;

		if (s != n && (exclusive || theirs) && (*mask_of(s, mems) & mask))
			return -EINVAL;
	}
	if (!mask && n->procs && *mask_of(n, mems))
		return -ENOSPC;
	return 0;
}

static int store_mask(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	bool mems = is_mems(file->type);
	uint64_t mask;
	int r;

	if (!n->parent)
		return -EACCES;
	r = fake_parse_list(fake_strip(text), mems ? MEM_BITS : FAKE_CPUS, &mask);
	if (r < 0)
		return r;
	if (mems && (mask & ~ALL_MEMS))
		return -EINVAL;
	if (n->h->version == CGFS_V1) {
		r = vet_v1(n, mems, mask);
		if (r < 0)
			return r;
	}
	*mask_of(n, mems) = mask;
	return 0;
}

/* cpuset.cpu_exclusive and cpuset.mem_exclusive */
static int store_exclusive(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	bool mems = strstr(file->type->name, "mem_") != NULL;
	uint64_t *parents = fake_field(n->parent ? n->parent : n, file->type), v;
	int r = fake_parse_u64(text, &v);

	if (r < 0)
		return r;
	for (struct node *c = n->children; c && !v; c = c->next) {
		if (*fake_field(c, file->type))
			return -EBUSY;
	}
	if (v && n->parent && !*parents)
		return -EACCES;
	for (struct node *s = n->parent && v ? n->parent->children : NULL; s; s = s->next) {
		if (s != n && (*mask_of(s, mems) & *mask_of(n, mems)))
			return -EINVAL;
	}
	*fake_field(n, file->type) = v != 0;
	return 0;
}

static int show_member(const struct open_file *file, FILE *out)
{
	fputs("member\n", out);
	return 0;
}

static int store_member(const struct open_file *file, char *text)
{
	text = fake_strip(text);
	if (strcmp(text, "root") == 0 || strcmp(text, "isolated") == 0)
		return -EOPNOTSUPP; /* left out */
	return strcmp(text, "member") == 0 ? 0 : -EINVAL;
}

static int show_relax(const struct open_file *file, FILE *out)
{
	fputs("-1\n", out);
	return 0;
}

static int show_empty_list(const struct open_file *file, FILE *out)
{
	fputc('\n', out);
	return 0;
}

static void online(struct node *n)
{
	bool inherits = !n->parent || (n->h->version == CGFS_V1 && n->parent->clone_children);

	for (struct node *s = n->parent ? n->parent->children : NULL; s; s = s->next)
		inherits &= s == n || (!s->cpu_exclusive && !s->mem_exclusive);
	n->cpus = !inherits ? 0 : n->parent ? n->parent->cpus : ALL_CPUS;
	n->mems = !inherits ? 0 : n->parent ? n->parent->mems : ALL_MEMS;
	n->cpu_exclusive = n->mem_exclusive = !n->parent;
}

static int can_attach(const struct node *n)
{
	if (n->h->version == CGFS_V1 && n->parent && (!n->cpus || !n->mems))
		return -ENOSPC;
	return 0;
}

static const struct ctl_file v1[] = {
	CTL("cpuset.cpu_exclusive", BOTH, fake_show_u64, store_exclusive, FIELD(cpu_exclusive)),
	CTL("cpuset.cpus", BOTH, show_mask, store_mask),
	CTL("cpuset.effective_cpus", BOTH, show_effective, NULL),
	CTL("cpuset.effective_mems", BOTH, show_effective, NULL),
	CTL("cpuset.mem_exclusive", BOTH, fake_show_u64, store_exclusive, FIELD(mem_exclusive)),
	CTL("cpuset.mem_hardwall", BOTH, fake_show_u64, fake_store_bool, FIELD(mem_hardwall)),
	CTL("cpuset.memory_migrate", BOTH, fake_show_u64, fake_store_bool, FIELD(memory_migrate)),
	CTL("cpuset.memory_pressure", BOTH, fake_show_zero, NULL),
	CTL("cpuset.memory_spread_page", BOTH, fake_show_u64, fake_store_bool, FIELD(spread_page)),
	CTL("cpuset.memory_spread_slab", BOTH, fake_show_u64, fake_store_bool, FIELD(spread_slab)),
	CTL("cpuset.mems", BOTH, show_mask, store_mask),
	CTL("cpuset.sched_load_balance", BOTH, fake_show_u64, fake_store_bool, FIELD(load_balance),
	    .init = 1),
	CTL("cpuset.sched_relax_domain_level", BOTH, show_relax, NULL),
	{ .name = NULL },
};

static const struct ctl_file v2[] = {
	CTL("cpuset.cpus", CHILD, show_mask, store_mask),
	CTL("cpuset.cpus.effective", BOTH, show_effective, NULL),
	CTL("cpuset.cpus.exclusive", CHILD, show_empty_list, NULL, SINCE(6, 12)),
	CTL("cpuset.cpus.exclusive.effective", CHILD, show_empty_list, NULL, SINCE(6, 12)),
	CTL("cpuset.cpus.isolated", ROOT, show_empty_list, NULL, SINCE(6, 12)),
	CTL("cpuset.cpus.partition", CHILD, show_member, store_member),
	CTL("cpuset.mems", CHILD, show_mask, store_mask),
	CTL("cpuset.mems.effective", BOTH, show_effective, NULL),
	{ .name = NULL },
};

const struct controller fake_cpuset = {
	.v1_name = "cpuset",
	.v2_name = "cpuset",
	.v1 = v1,
	.v2 = v2,
	.threaded = true,
	.online = online,
	.can_attach = can_attach,
};
