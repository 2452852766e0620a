// SPDX-License-Identifier: MIT
/*
 * memory_v1.c - the memory controller's files on v1, and its eventfd notifications.
 */
#include "host.h"

#include <fcntl.h>
#include <unistd.h>

#define V1_NONE 9223372036854771712ull /* how "no limit" reads */

/* -- cgroup.event_control --------------------------------------------------------------------- */

static void fire(const struct listener *l)
{
	uint64_t one = 1;

	/* Full, or closed at the other end of a dup: there is no reader. */
	if (write(l->efd, &one, sizeof(one)) < 0)
		return;
}

void fake_mem_used(struct node *n, uint64_t old)
{
	for (struct listener *l = n->listeners; l; l = l->next) {
		if (l->usage && (old >= l->threshold) != (n->usage >= l->threshold))
			fire(l);
	}
}

void fake_mem_oom_notify(struct node *n)
{
	for (struct listener *l = n->listeners; l; l = l->next) {
		if (!l->usage)
			fire(l);
	}
	for (struct node *c = n->children; c; c = c->next)
		fake_mem_oom_notify(c);
}

/* The cgroup goes: a last event, as the kernel sends it. */
void fake_mem_unlisten(struct node *n)
{
	while (n->listeners) {
		struct listener *l = n->listeners;

		n->listeners = l->next;
		fire(l);
		close(l->efd);
		free(l);
	}
}

static bool is_eventfd(int fd)
{
	char path[64], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return strcmp(target, "anon_inode:[eventfd]") == 0;
}

/* "EVENTFD FILE [ARGUMENT]" */
static int store_event_control(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	struct listener *l, new = { .efd = -1 };
	const struct open_file *o;
	unsigned long efd, cfd;
	char *end;

	text = fake_strip(text);
	efd = strtoul(text, &end, 10);
	if (*end != ' ')
		return -EINVAL;
	cfd = strtoul(end + 1, &end, 10);
	if (*end == ' ')
		end++;
	else if (*end)
		return -EINVAL;
	if (!is_eventfd((int)efd))
		return fcntl((int)efd, F_GETFD) < 0 && !fake_open_file(n->host, (int)efd) ? -EBADF
											  : -EINVAL;
	o = fake_open_file(n->host, (int)cfd);
	if (!o)
		return fcntl((int)cfd, F_GETFD) < 0 ? -EBADF : -EINVAL;
	if (!o->type || o->node != n)
		return -EINVAL;
	new.usage = strcmp(o->type->name, "memory.usage_in_bytes") == 0;
	if (!new.usage && strcmp(o->type->name, "memory.oom_control") != 0)
		return -EINVAL;
	if (new.usage && fake_parse_bytes(n->host, end, "-1", &new.threshold) < 0)
		return -EINVAL;
	new.efd = fcntl((int)efd, F_DUPFD_CLOEXEC, 0);
	if (new.efd < 0)
		return -errno;
	l = fake_alloc(sizeof(*l));
	*l = new;
	l->next = n->listeners;
	n->listeners = l;
	if (!l->usage && n->under_oom)
		fire(l);
	return 0;
}

/* -- limits ----------------------------------------------------------------------------------- */

static int show_limit(const struct open_file *file, FILE *out)
{
	uint64_t v = *fake_field(file->node, file->type);

	fprintf(out, "%llu\n", (unsigned long long)(v == FAKE_NONE ? V1_NONE : v));
	return 0;
}

/* Both limits: refused when usage cannot be brought below. */
static int store_limit(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	bool memsw = strstr(file->type->name, "memsw") != NULL;
	uint64_t v, *limit = fake_field(n, file->type);
	int r = fake_parse_bytes(n->host, fake_strip(text), "-1", &v);

	if (r < 0)
		return r;
	if (!n->parent)
		return -EINVAL;
	if (memsw ? v < n->mem_max : v > n->memsw_max)
		return -EINVAL;
	while (v != FAKE_NONE && n->usage > v) {
		if (fake_mem_reclaim(n, n->usage - v) == 0)
			return -EBUSY;
	}
	if (v > *limit)
		n->under_oom = 0;
	*limit = v;
	return 0;
}

static int store_soft(const struct open_file *file, char *text)
{
	return fake_parse_bytes(file->node->host, fake_strip(text), "-1",
				fake_field(file->node, file->type));
}

/* memory.kmem.limit_in_bytes: since 5.16 without effect, but not without rules. */
static int store_kmem(const struct open_file *file, char *text)
{
	uint64_t v;
	int r = fake_parse_bytes(file->node->host, fake_strip(text), "-1", &v);

	if (r == 0 && file->node->host->old_memory)
		file->node->kmem_max = v;
	return r;
}

static int show_usage(const struct open_file *file, FILE *out)
{
	fprintf(out, "%llu\n", (unsigned long long)file->node->usage);
	return 0;
}

static int show_peak(const struct open_file *file, FILE *out)
{
	fprintf(out, "%llu\n", (unsigned long long)file->node->peak);
	return 0;
}

/* Any text resets. */
static int store_peak(const struct open_file *file, char *text)
{
	file->node->peak = file->node->usage;
	return 0;
}

static int show_failcnt(const struct open_file *file, FILE *out)
{
	fprintf(out, "%llu\n", (unsigned long long)file->node->failcnt);
	return 0;
}

static int store_failcnt(const struct open_file *file, char *text)
{
	file->node->failcnt = 0;
	return 0;
}

static int store_force_empty(const struct open_file *file, char *text)
{
	if (!file->node->parent)
		return -EINVAL;
	fake_mem_reclaim(file->node, FAKE_NONE);
	return 0;
}

/* -- the rest --------------------------------------------------------------------------------- */

static int show_oom_control(const struct open_file *file, FILE *out)
{
	const struct node *n = file->node;

	fprintf(out, "oom_kill_disable %llu\nunder_oom %llu\noom_kill %llu\n",
		(unsigned long long)n->oom_kill_disable, (unsigned long long)n->under_oom,
		(unsigned long long)n->events[EV_OOM_KILL]);
	return 0;
}

static int store_oom_control(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	if (r < 0)
		return r;
	if (!n->parent || v > 1)
		return -EINVAL;
	n->oom_kill_disable = v;
	/* A process that slept at the limit tries again, in vain. */
	if (!v && n->under_oom) {
		n->under_oom = 0;
		fake_mem_oom_notify(n);
		fake_mem_oom(n, NULL);
	}
	return 0;
}

static int store_swappiness(const struct open_file *file, char *text)
{
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	if (r < 0)
		return r;
	if (v > 200)
		return -EINVAL;
	file->node->swappiness = v;
	return 0;
}

void fake_old_memory(struct fake *f)
{
	struct hierarchy *h = fake_hierarchy(f, CGFS_MEMORY);

	f->old_memory = true;
	if (h)
		h->root->use_hierarchy = 0;
}

/* 5.10, mem_cgroup_hierarchy_write(): below one that has it no group can be without, and nothing
 * changes once there is a child. */
static int store_use_hierarchy(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	if (r < 0)
		return r;
	if (v == n->use_hierarchy)
		return 0;
	if (!n->host->old_memory || v > 1 || (n->parent && n->parent->use_hierarchy))
		return -EINVAL;
	if (n->children)
		return -EBUSY;
	n->use_hierarchy = v;
	return 0;
}

static int store_move_charge(const struct open_file *file, char *text)
{
	uint64_t v;
	int r = fake_parse_u64(text, &v);

	if (r < 0)
		return r;
	/* Gone since 6.13; seen refused on 6.18. */
	if (v && fake_since(file->node->host, (struct fake_kernel){ 6, 18 }))
		return -EINVAL;
	file->node->move_charge = v;
	return 0;
}

static void show_lines(const char *prefix, uint64_t anon, uint64_t cache, FILE *out)
{
	static const char *const zeros[] = { "rss_huge",   "shmem",	  "mapped_file",
					     "dirty",	   "writeback",	  "swap",
					     "pgpgin",	   "pgpgout",	  "pgfault",
					     "pgmajfault", "active_file", "inactive_anon",
					     "unevictable" };

	fprintf(out, "%scache %llu\n%srss %llu\n", prefix, (unsigned long long)cache, prefix,
		(unsigned long long)anon);
	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		fprintf(out, "%s%s 0\n", prefix, zeros[i]);
	fprintf(out, "%sactive_anon %llu\n%sinactive_file %llu\n", prefix, (unsigned long long)anon,
		prefix, (unsigned long long)cache);
}

static int show_stat(const struct open_file *file, FILE *out)
{
	uint64_t anon = 0, cache = 0, max = FAKE_NONE, memsw = FAKE_NONE;
	const struct node *n = file->node;

	fake_mem_total(n, &anon, &cache);
	for (const struct node *m = n; m; m = m->parent) {
		max = m->mem_max < max ? m->mem_max : max;
		memsw = m->memsw_max < memsw ? m->memsw_max : memsw;
	}
	show_lines("", n->anon, n->cache, out);
	fprintf(out, "hierarchical_memory_limit %llu\nhierarchical_memsw_limit %llu\n",
		(unsigned long long)(max == FAKE_NONE ? V1_NONE : max),
		(unsigned long long)(memsw == FAKE_NONE ? V1_NONE : memsw));
	show_lines("total_", anon, cache, out);
	return 0;
}

static int show_numa_stat(const struct open_file *file, FILE *out)
{
	fprintf(out, "total=%llu N0=%llu\n", (unsigned long long)file->node->usage / FAKE_PAGE,
		(unsigned long long)file->node->usage / FAKE_PAGE);
	return 0;
}

const struct ctl_file fake_memory_v1[] = {
	CTL("cgroup.event_control", BOTH, NULL, store_event_control),
	CTL("memory.failcnt", BOTH, show_failcnt, store_failcnt),
	CTL("memory.force_empty", BOTH, NULL, store_force_empty),
	CTL("memory.kmem.failcnt", BOTH, fake_show_zero, fake_store_any),
	CTL("memory.kmem.limit_in_bytes", BOTH, show_limit, store_kmem, FIELD(kmem_max),
	    .init = FAKE_NONE),
	CTL("memory.kmem.max_usage_in_bytes", BOTH, fake_show_zero, fake_store_any),
	CTL("memory.kmem.slabinfo", BOTH, fake_show_nothing, NULL),
	CTL("memory.kmem.tcp.failcnt", BOTH, fake_show_zero, fake_store_any),
	CTL("memory.kmem.tcp.limit_in_bytes", BOTH, show_limit, store_soft, FIELD(kmem_tcp_max),
	    .init = FAKE_NONE),
	CTL("memory.kmem.tcp.max_usage_in_bytes", BOTH, fake_show_zero, fake_store_any),
	CTL("memory.kmem.tcp.usage_in_bytes", BOTH, fake_show_zero, NULL),
	CTL("memory.kmem.usage_in_bytes", BOTH, fake_show_zero, NULL),
	CTL("memory.limit_in_bytes", BOTH, show_limit, store_limit, FIELD(mem_max),
	    .init = FAKE_NONE),
	CTL("memory.max_usage_in_bytes", BOTH, show_peak, store_peak),
	CTL("memory.memsw.failcnt", BOTH, fake_show_zero, fake_store_any),
	CTL("memory.memsw.limit_in_bytes", BOTH, show_limit, store_limit, FIELD(memsw_max),
	    .init = FAKE_NONE),
	CTL("memory.memsw.max_usage_in_bytes", BOTH, show_peak, store_peak),
	CTL("memory.memsw.usage_in_bytes", BOTH, show_usage, NULL),
	CTL("memory.move_charge_at_immigrate", BOTH, fake_show_u64, store_move_charge,
	    FIELD(move_charge)),
	CTL("memory.numa_stat", BOTH, show_numa_stat, NULL),
	CTL("memory.oom_control", BOTH, show_oom_control, store_oom_control),
	CTL("memory.pressure_level", BOTH, NULL, NULL),
	CTL("memory.soft_limit_in_bytes", BOTH, show_limit, store_soft, FIELD(mem_soft),
	    .init = FAKE_NONE),
	CTL("memory.stat", BOTH, show_stat, NULL),
	CTL("memory.swappiness", BOTH, fake_show_u64, store_swappiness, FIELD(swappiness),
	    .init = 60),
	CTL("memory.usage_in_bytes", BOTH, show_usage, NULL),
	CTL("memory.use_hierarchy", BOTH, fake_show_u64, store_use_hierarchy, FIELD(use_hierarchy),
	    .init = 1),
	{ .name = NULL },
};
