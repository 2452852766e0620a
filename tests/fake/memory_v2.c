// SPDX-License-Identifier: MIT
/*
 * memory_v2.c - the memory controller's files on cgroup2.
 */
#include "host.h"

#include <fcntl.h>

static int store_limit(const struct open_file *file, char *text)
{
	struct node *n = file->node;

	return fake_parse_bytes(n->host, fake_strip(text), "max", fake_field(n, file->type));
}

/* Never refused: reclaims, then kills, until the rest fits. */
static int store_max(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	int r = store_limit(file, text);

	if (r < 0)
		return r;
	while (n->mem_max != FAKE_NONE && n->usage > n->mem_max) {
		if (fake_mem_reclaim(n, n->usage - n->mem_max) > 0)
			continue;
		fake_mem_event(n, EV_OOM);
		if (!fake_mem_oom(n, NULL))
			break;
	}
	return 0;
}

static int store_high(const struct open_file *file, char *text)
{
	struct node *n = file->node;
	int r = store_limit(file, text);

	if (r == 0 && n->mem_high != FAKE_NONE && n->usage > n->mem_high)
		fake_mem_reclaim(n, n->usage - n->mem_high);
	return r;
}

/* "SIZE [swappiness=N]": all of it, or -EAGAIN. */
static int store_reclaim(const struct open_file *file, char *text)
{
	const struct fake *f = file->node->host;
	char *option;
	uint64_t want;
	int r;

	text = fake_strip(text);
	option = strchr(text, ' ');
	if (option) {
		uint64_t v;

		*option++ = '\0';
		if (!fake_since(f, FAKE_KERNEL_6_12) || strncmp(option, "swappiness=", 11) != 0 ||
		    fake_parse_u64(option + 11, &v) < 0 || v > 200)
			return -EINVAL;
	}
	r = fake_parse_bytes(f, text, "", &want);
	if (r < 0)
		return r;
	return fake_mem_reclaim(file->node, want) >= want ? 0 : -EAGAIN;
}

static int show_current(const struct open_file *file, FILE *out)
{
	fprintf(out, "%llu\n", (unsigned long long)file->node->usage);
	return 0;
}

static int show_peak(const struct open_file *file, FILE *out)
{
	fprintf(out, "%llu\n", (unsigned long long)(file->peak ? *file->peak : file->node->peak));
	return 0;
}

/* Any text resets, for reads through the same descriptor. */
static int store_peak(const struct open_file *file, char *text)
{
	if (!fake_since(file->node->host, FAKE_KERNEL_6_12))
		return -EINVAL;
	if (!file->peak) {
		((struct open_file *)file)->peak = fake_alloc(sizeof(*file->peak));
		file->node->host->n_peaks++;
	}
	*file->peak = file->node->usage;
	return 0;
}

static int store_swap_peak(const struct open_file *file, char *text)
{
	return 0;
}

static int show_events(const struct open_file *file, FILE *out)
{
	static const char *const names[EV_COUNT] = { "low", "high",	"max",
						     "oom", "oom_kill", "oom_group_kill" };
	const struct node *n = file->node;
	const uint64_t *v = strstr(file->type->name, ".local") ? n->events_local : n->events;

	for (size_t i = 0; i < EV_COUNT; i++)
		fprintf(out, "%s %llu\n", names[i], (unsigned long long)v[i]);
	if (fake_since(n->host, FAKE_KERNEL_7_2))
		fputs("sock_throttled 0\n", out);
	return 0;
}

static int show_swap_events(const struct open_file *file, FILE *out)
{
	fputs("high 0\nmax 0\nfail 0\n", out);
	return 0;
}

/* The lines of memory.stat; what is not counted here is 0. */
static const struct {
	const char *name;
	enum { NOTHING, ANON, CACHE } what;
	struct fake_kernel since;
} stat_lines[] = {
	{ "anon", ANON, { 0 } },
	{ "file", CACHE, { 0 } },
	{ "kernel", NOTHING, { 0 } },
	{ "kernel_stack", NOTHING, { 0 } },
	{ "pagetables", NOTHING, { 0 } },
	{ "sec_pagetables", NOTHING, { 0 } },
	{ "percpu", NOTHING, { 0 } },
	{ "sock", NOTHING, { 0 } },
	{ "vmalloc", NOTHING, { 0 } },
	{ "shmem", NOTHING, { 0 } },
	{ "zswap", NOTHING, { 7, 2 } },
	{ "zswapped", NOTHING, { 7, 2 } },
	{ "file_mapped", NOTHING, { 0 } },
	{ "file_dirty", NOTHING, { 0 } },
	{ "file_writeback", NOTHING, { 0 } },
	{ "swapcached", NOTHING, { 0 } },
	{ "anon_thp", NOTHING, { 0 } },
	{ "file_thp", NOTHING, { 0 } },
	{ "shmem_thp", NOTHING, { 0 } },
	{ "inactive_anon", NOTHING, { 0 } },
	{ "active_anon", ANON, { 0 } },
	{ "inactive_file", CACHE, { 0 } },
	{ "active_file", NOTHING, { 0 } },
	{ "unevictable", NOTHING, { 0 } },
	{ "slab_reclaimable", NOTHING, { 0 } },
	{ "slab_unreclaimable", NOTHING, { 0 } },
	{ "slab", NOTHING, { 0 } },
	{ "workingset_refault_anon", NOTHING, { 0 } },
	{ "workingset_refault_file", NOTHING, { 0 } },
	{ "workingset_activate_anon", NOTHING, { 0 } },
	{ "workingset_activate_file", NOTHING, { 0 } },
	{ "workingset_restore_anon", NOTHING, { 0 } },
	{ "workingset_restore_file", NOTHING, { 0 } },
	{ "workingset_nodereclaim", NOTHING, { 0 } },
	{ "pgdemote_kswapd", NOTHING, { 6, 12 } },
	{ "pgdemote_direct", NOTHING, { 6, 12 } },
	{ "pgscan", NOTHING, { 0 } },
	{ "pgsteal", NOTHING, { 0 } },
	{ "pgscan_kswapd", NOTHING, { 0 } },
	{ "pgscan_direct", NOTHING, { 0 } },
	{ "pgsteal_kswapd", NOTHING, { 0 } },
	{ "pgsteal_direct", NOTHING, { 0 } },
	{ "pgfault", NOTHING, { 0 } },
	{ "pgmajfault", NOTHING, { 0 } },
	{ "pgrefill", NOTHING, { 0 } },
	{ "pgactivate", NOTHING, { 0 } },
	{ "pgdeactivate", NOTHING, { 0 } },
	{ "pglazyfree", NOTHING, { 0 } },
	{ "pglazyfreed", NOTHING, { 0 } },
	{ "swpin_zero", NOTHING, { 6, 12 } },
	{ "swpout_zero", NOTHING, { 6, 12 } },
	{ "thp_fault_alloc", NOTHING, { 0 } },
	{ "thp_collapse_alloc", NOTHING, { 0 } },
};

static int show_stat(const struct open_file *file, FILE *out)
{
	uint64_t anon = 0, cache = 0;

	fake_mem_total(file->node, &anon, &cache);
	for (size_t i = 0; i < ARRAY_SIZE(stat_lines); i++) {
		if (!fake_since(file->node->host, stat_lines[i].since))
			continue;
		fprintf(out, "%s %llu\n", stat_lines[i].name,
			(unsigned long long)(stat_lines[i].what == ANON	   ? anon
					     : stat_lines[i].what == CACHE ? cache
									   : 0));
	}
	return 0;
}

static int show_numa_stat(const struct open_file *file, FILE *out)
{
	uint64_t anon = 0, cache = 0;

	fake_mem_total(file->node, &anon, &cache);
	fprintf(out, "anon N0=%llu\nfile N0=%llu\n", (unsigned long long)anon,
		(unsigned long long)cache);
	return 0;
}

const struct ctl_file fake_memory_v2[] = {
	CTL("memory.current", CHILD, show_current, NULL),
	CTL("memory.events", CHILD, show_events, NULL),
	CTL("memory.events.local", CHILD, show_events, NULL),
	CTL("memory.high", CHILD, fake_show_max, store_high, FIELD(mem_high), .init = FAKE_NONE),
	CTL("memory.low", CHILD, fake_show_max, store_limit, FIELD(mem_low)),
	CTL("memory.max", CHILD, fake_show_max, store_max, FIELD(mem_max), .init = FAKE_NONE),
	CTL("memory.min", CHILD, fake_show_max, store_limit, FIELD(mem_min)),
	CTL("memory.numa_stat", BOTH, show_numa_stat, NULL),
	CTL("memory.oom.group", CHILD, fake_show_u64, fake_store_01, FIELD(oom_group)),
	CTL("memory.peak", CHILD, show_peak, store_peak),
	CTL("memory.reclaim", BOTH, NULL, store_reclaim),
	CTL("memory.stat", BOTH, show_stat, NULL),
	CTL("memory.swap.current", CHILD, fake_show_zero, NULL),
	CTL("memory.swap.events", CHILD, show_swap_events, NULL),
	CTL("memory.swap.high", CHILD, fake_show_max, store_limit, FIELD(swap_high),
	    .init = FAKE_NONE),
	CTL("memory.swap.max", CHILD, fake_show_max, store_limit, FIELD(swap_max),
	    .init = FAKE_NONE),
	CTL("memory.swap.peak", CHILD, fake_show_zero, store_swap_peak, SINCE(6, 12)),
	CTL("memory.zswap.current", CHILD, fake_show_zero, NULL, SINCE(7, 2)),
	CTL("memory.zswap.max", CHILD, fake_show_max, store_limit, FIELD(zswap_max),
	    .init = FAKE_NONE, SINCE(7, 2)),
	CTL("memory.zswap.writeback", BOTH, fake_show_u64, fake_store_01, FIELD(zswap_writeback),
	    .init = 1, SINCE(7, 2)),
	{ .name = NULL },
};
