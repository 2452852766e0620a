/* SPDX-License-Identifier: MIT */
/*
 * rules.c - elements of cgfs_rules: put a list in, and clear away lists that are out of force.
 *
 * A list is put in under a generation that was never used before, so nobody sees a part of it;
 * groups.c then puts it in force.  The old list stays until no processor can be in the
 * middle of reading it: a second later, or after membarrier(2), which waits for exactly that.
 * All callers hold the lock of the pins.
 */
#include "loader.h"

#include <bpf/bpf.h>
#include <linux/membarrier.h>
#include <search.h>
#include <sys/syscall.h>
#include <time.h>

#define READERS_GONE_NS 1000000000ull
#define GARBAGE_MAX	8192 /* elements that may wait for that second */
#define BATCH		512
#define SCAN_BATCH	4096

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void delete_keys(struct cgfs_bpf *b, struct cgfs_rule_key *keys, size_t n)
{
	/* One that is missing stops the batch; go on behind it. */
	while (n) {
		uint32_t count = n;

		if (bpf_map_delete_batch(b->rules_fd, keys, &count, NULL) == 0)
			return;
		if (errno != ENOENT || count >= n)
			return;
		keys += count + 1;
		n -= count + 1;
	}
}

static void delete_patterns(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation,
			    const struct cgfs_bpf_pattern *patterns, size_t n)
{
	struct cgfs_rule_key keys[BATCH];

	while (n) {
		size_t part = n < BATCH ? n : BATCH;

		for (size_t i = 0; i < part; i++)
			keys[i] = (struct cgfs_rule_key){
				.cgroup_id = cgroup_id,
				.generation = generation,
				.kind = patterns[i].kind,
				.major = patterns[i].major,
				.minor = patterns[i].minor,
			};
		delete_keys(b, keys, part);
		patterns += part;
		n -= part;
	}
}

void cgfs_bpf_rules_sweep(struct cgfs_bpf *b, bool all)
{
	struct cgfs_bpf_garbage *g;
	uint64_t now = now_ns();

	if (!b->garbage)
		return;
	/* Refused on kernels with full-tickless processors: then only time helps. */
	if (all && syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		all = false;
	while ((g = b->garbage) && (all || now - g->since_ns >= READERS_GONE_NS)) {
		delete_patterns(b, g->cgroup_id, g->generation, g->patterns, g->n);
		b->garbage_rules -= g->n;
		b->garbage = g->next;
		free(g);
	}
	if (!b->garbage)
		b->garbage_end = &b->garbage;
}

static void put_garbage(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation,
			const struct cgfs_bpf_pattern *patterns, size_t n)
{
	struct cgfs_bpf_garbage *g = malloc(sizeof(*g) + n * sizeof(*patterns));

	if (!g) {
		b->scanned = false; /* the next scan finds them again */
		return;
	}
	*g = (struct cgfs_bpf_garbage){
		.since_ns = now_ns(),
		.cgroup_id = cgroup_id,
		.generation = generation,
		.n = n,
	};
	for (size_t i = 0; i < n; i++)
		g->patterns[i] = patterns[i];
	*b->garbage_end = g;
	b->garbage_end = &g->next;
	b->garbage_rules += n;
}

/* Walks through all rules.  @fn may not change the map. */
static int walk(struct cgfs_bpf *b,
		int (*fn)(struct cgfs_bpf *b, const struct cgfs_rule_key *key, void *arg),
		void *arg, struct cgfs_err *reterr)
{
	auto_free struct cgfs_rule_key *keys = calloc(SCAN_BATCH, sizeof(*keys));
	auto_free struct cgfs_rule *rules = calloc(SCAN_BATCH, sizeof(*rules));
	uint32_t cursor = 0, count;
	bool first = true, last = false;

	if (!keys || !rules)
		return cgfs_err_set(reterr, -ENOMEM, "read", "rules", NULL, NULL);
	while (!last) {
		count = SCAN_BATCH;
		if (bpf_map_lookup_batch(b->rules_fd, first ? NULL : &cursor, &cursor, keys, rules,
					 &count, NULL) < 0) {
			if (errno != ENOENT)
				return cgfs_err_set(reterr, -errno, "read", "rules", NULL, NULL);
			last = true;
		}
		first = false;
		for (uint32_t i = 0; i < count; i++) {
			int r = fn(b, &keys[i], arg);

			if (r < 0)
				return cgfs_err_set(reterr, r, "read", "rules", NULL, NULL);
		}
	}
	return 0;
}

static int append(struct cgfs_bpf_known *k, const struct cgfs_rule_key *key)
{
	/* Room grows by doubling: n is full at every power of two. */
	if ((k->n_patterns & (k->n_patterns - 1)) == 0) {
		size_t room = k->n_patterns ? 2 * k->n_patterns : 1;
		void *p = realloc(k->patterns, room * sizeof(*k->patterns));

		if (!p)
			return -ENOMEM;
		k->patterns = p;
	}
	k->patterns[k->n_patterns++] = (struct cgfs_bpf_pattern){
		.kind = key->kind,
		.major = key->major,
		.minor = key->minor,
	};
	return 0;
}

static void forget_patterns(struct cgfs_bpf_known *k)
{
	free(k->patterns);
	k->patterns = NULL;
	k->n_patterns = 0;
	k->generation = 0;
}

static int scan_one(struct cgfs_bpf *b, const struct cgfs_rule_key *key, void *arg)
{
	struct cgfs_bpf_known *k;
	struct cgfs_policy_val policy;

	(void)arg;
	k = cgfs_bpf_known_find(b, key->cgroup_id);
	if (!k || k->generation != key->generation) {
		struct cgfs_bpf_pattern p = { key->kind, key->major, key->minor };

		if (cgfs_bpf_policy_read(b, key->cgroup_id, &policy) < 0 ||
		    policy.generation != key->generation) {
			put_garbage(b, key->cgroup_id, key->generation, &p, 1);
			return 0;
		}
		k = cgfs_bpf_known_get(b, key->cgroup_id);
		if (!k)
			return -ENOMEM;
		forget_patterns(k);
		k->generation = key->generation;
	}
	return append(k, key);
}

static void forget(const void *node, VISIT which, int depth)
{
	(void)depth;
	if (which == postorder || which == leaf)
		forget_patterns(*(struct cgfs_bpf_known *const *)node);
}

/* Learns what is in force, and finds what was left by processes that were killed. */
int cgfs_bpf_rules_scan(struct cgfs_bpf *b, struct cgfs_err *reterr)
{
	struct cgfs_bpf_garbage *g;
	int r;

	if (b->scanned)
		return 0;
	/* Found again below, those that are still there. */
	while ((g = b->garbage)) {
		b->garbage = g->next;
		free(g);
	}
	b->garbage_end = &b->garbage;
	b->garbage_rules = 0;
	twalk(b->known, forget);
	b->scanned = true; /* put_garbage() may take it back */
	r = walk(b, scan_one, NULL, reterr);
	if (r < 0)
		b->scanned = false;
	return r;
}

static int put_list(struct cgfs_bpf *b, const struct cgfs_bpf_list *list)
{
	uint32_t count = list->n;
	int r;

	if (!list->n)
		return 0;
	if (bpf_map_update_batch(b->rules_fd, list->keys, list->rules, &count, NULL) == 0)
		return 0;
	r = -errno;
	if (count < list->n)
		delete_keys(b, list->keys, count);
	return r;
}

int cgfs_bpf_rules_put(struct cgfs_bpf *b, uint64_t cgroup_id, struct cgfs_bpf_list *list,
		       uint32_t *ret_generation, struct cgfs_err *reterr)
{
	struct cgfs_control_args args = { .op = CGFS_CONTROL_NEXT };
	int r;

	cgfs_bpf_rules_sweep(b, b->garbage_rules > GARBAGE_MAX);
	r = cgfs_bpf_control(b, &args);
	if (r < 0)
		return cgfs_err_set(reterr, r, "run", "control", NULL, NULL);
	for (size_t i = 0; i < list->n; i++) {
		list->keys[i].cgroup_id = cgroup_id;
		list->keys[i].generation = args.generation;
	}
	r = put_list(b, list);
	if (r == -E2BIG) {
		/* What others left, or keep until their next change, is found as well. */
		b->scanned = false;
		r = cgfs_bpf_rules_scan(b, reterr);
		if (r < 0)
			return r;
		cgfs_bpf_rules_sweep(b, true);
		r = put_list(b, list);
	}
	if (r == -E2BIG)
		return cgfs_err_set(reterr, r, "write", "rules", NULL,
				    "the table of device rules is full");
	if (r < 0)
		return cgfs_err_set(reterr, r, "write", "rules", NULL, NULL);
	*ret_generation = args.generation;
	return 0;
}

int cgfs_bpf_rules_remember(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation,
			    const struct cgfs_bpf_list *list)
{
	struct cgfs_bpf_known *k = cgfs_bpf_known_get(b, cgroup_id);
	size_t room = 1;

	if (!k)
		return -ENOMEM;
	forget_patterns(k);
	while (room < list->n)
		room *= 2; /* at once what append() comes to */
	k->patterns = malloc(room * sizeof(*k->patterns));
	if (!k->patterns)
		return -ENOMEM;
	k->generation = generation;
	for (; k->n_patterns < list->n; k->n_patterns++)
		k->patterns[k->n_patterns] = (struct cgfs_bpf_pattern){
			.kind = list->keys[k->n_patterns].kind,
			.major = list->keys[k->n_patterns].major,
			.minor = list->keys[k->n_patterns].minor,
		};
	return 0;
}

struct find {
	uint64_t cgroup_id;
	uint32_t generation; /* 0: any */
};

static int find_one(struct cgfs_bpf *b, const struct cgfs_rule_key *key, void *arg)
{
	const struct find *f = arg;
	struct cgfs_bpf_pattern p = { key->kind, key->major, key->minor };

	if (key->cgroup_id == f->cgroup_id && (!f->generation || key->generation == f->generation))
		put_garbage(b, key->cgroup_id, key->generation, &p, 1);
	return 0;
}

void cgfs_bpf_rules_retire(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation)
{
	struct cgfs_bpf_known *k = cgfs_bpf_known_find(b, cgroup_id);
	struct find f = { cgroup_id, generation };

	if (!generation)
		return;
	if (k && k->generation == generation) {
		put_garbage(b, cgroup_id, generation, k->patterns, k->n_patterns);
		forget_patterns(k);
		return;
	}
	/* Another process put these in. */
	if (walk(b, find_one, &f, NULL) < 0)
		b->scanned = false;
}

void cgfs_bpf_rules_drop(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation)
{
	struct cgfs_bpf_known *k = cgfs_bpf_known_find(b, cgroup_id);
	struct find f = { cgroup_id, 0 };

	/* When the cgroup went first, what this process remembers is the best there is. */
	if (k && (!generation || k->generation == generation)) {
		delete_patterns(b, cgroup_id, k->generation, k->patterns, k->n_patterns);
		forget_patterns(k);
		return;
	}
	if (generation && walk(b, find_one, &f, NULL) < 0)
		b->scanned = false;
}
