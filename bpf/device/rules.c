/* SPDX-License-Identifier: MIT */
/*
 * rules.c - elements of cgfs_rules: put a list in, and clear away lists that are out of force.
 *
 * A list is put in under a generation that was never used before, so no request sees a part of it;
 * enforce.c then puts it in force.  The old list stays until no processor can be in the
 * middle of reading it: a second later, or after membarrier(2), which waits for exactly that.
 * All callers hold the lock of the pins.
 */
#include "bpf/device/device.h"
#include "cgfs/base/clock.h"

#include <bpf/bpf.h>
#include <linux/membarrier.h>
#include <search.h>
#include <sys/syscall.h>

#define READERS_GONE_NS 1000000000ull
#define GARBAGE_MAX	8192 /* elements that may wait for that second */
#define SCAN_BATCH	4096

static void delete_keys(struct device *d, struct cgfs_rule_key *keys, size_t n)
{
	/* One that is missing stops the batch; go on behind it. */
	while (n) {
		uint32_t count = n;

		if (bpf_map_delete_batch(d->o.fd[DEVICE_RULES], keys, &count, NULL) == 0)
			return;
		if (errno != ENOENT || count >= n)
			return;
		keys += count + 1;
		n -= count + 1;
	}
}

static void drop_garbage(struct device *d)
{
	struct garbage *g = d->garbage;

	d->garbage_rules -= g->n;
	d->garbage = g->next;
	if (!d->garbage)
		d->garbage_end = &d->garbage;
	free(g->keys);
	free(g);
}

void cgfs_bpf_rules_sweep(struct device *d, bool all)
{
	struct garbage *g;
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (!d->garbage)
		return;
	/* Refused on kernels with full-tickless processors: then only time helps. */
	if (all && syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		all = false;
	while ((g = d->garbage) && (all || now - g->since_ns >= READERS_GONE_NS)) {
		delete_keys(d, g->keys, g->n);
		drop_garbage(d);
	}
}

/* Takes over @keys, which belong to one or more lists. */
static void put_garbage(struct device *d, struct cgfs_rule_key *keys, size_t n)
{
	struct garbage *g = n ? malloc(sizeof(*g)) : NULL;

	if (!g || !keys) {
		free(g);
		free(keys);
		d->scanned &= !n; /* the next scan finds them again */
		return;
	}
	*g = (struct garbage){ .since_ns = now_ns(CLOCK_MONOTONIC), .n = n, .keys = keys };
	*d->garbage_end = g;
	d->garbage_end = &g->next;
	d->garbage_rules += n;
}

static void put_one(struct device *d, const struct cgfs_rule_key *key)
{
	struct cgfs_rule_key *copy = malloc(sizeof(*copy));

	if (copy)
		*copy = *key;
	put_garbage(d, copy, 1);
}

static int append(struct in_force *k, const struct cgfs_rule_key *key)
{
	/* Room grows by doubling: n is full at every power of two. */
	if ((k->n & (k->n - 1)) == 0) {
		void *p = realloc(k->keys, (k->n ? 2 * k->n : 1) * sizeof(*k->keys));

		if (!p)
			return -ENOMEM;
		k->keys = p;
	}
	k->keys[k->n++] = *key;
	return 0;
}

static void forget_keys(struct in_force *k)
{
	free(k->keys);
	*k = (struct in_force){ .cgroup_id = k->cgroup_id };
}

static void in_force_free(void *node)
{
	struct in_force *k = node;

	free(k->keys);
	free(k);
}

static int scan_one(struct device *d, const struct cgfs_rule_key *key)
{
	struct in_force *k = cgfs_bpf_find(&d->in_force, key->cgroup_id);
	struct cgfs_policy_val policy;

	if (!k || k->generation != key->generation) {
		if (cgfs_bpf_policy_read(d, key->cgroup_id, &policy) < 0 ||
		    policy.generation != key->generation) {
			put_one(d, key);
			return 0;
		}
		k = cgfs_bpf_get(&d->in_force, key->cgroup_id, sizeof(*k));
		if (!k)
			return -ENOMEM;
		forget_keys(k);
		k->generation = key->generation;
	}
	return append(k, key);
}

static int scan_all(struct device *d)
{
	auto_free struct cgfs_rule_key *keys = calloc(SCAN_BATCH, sizeof(*keys));
	auto_free struct cgfs_rule *rules = calloc(SCAN_BATCH, sizeof(*rules));
	uint32_t cursor, *behind = NULL, count;
	int r = keys && rules ? 0 : -ENOMEM;

	for (bool last = false; r == 0 && !last; behind = &cursor) {
		count = SCAN_BATCH;
		last = bpf_map_lookup_batch(d->o.fd[DEVICE_RULES], behind, &cursor, keys, rules,
					    &count, NULL) < 0;
		if (last && errno != ENOENT)
			r = -errno;
		for (uint32_t i = 0; i < count && r == 0; i++)
			r = scan_one(d, &keys[i]);
	}
	return r;
}

static void forget(const void *node, VISIT which, int depth)
{
	if (which == postorder || which == leaf)
		forget_keys(*(struct in_force *const *)node);
}

/* Learns what is in force, and finds what was left by processes that were killed. */
int cgfs_bpf_rules_scan(struct device *d, struct cgfs_err *reterr)
{
	int r;

	if (d->scanned)
		return 0;
	while (d->garbage)
		drop_garbage(d); /* what is still there is found again below */
	twalk(d->in_force, forget);
	d->scanned = true; /* put_garbage() may take it back */
	r = scan_all(d);
	d->scanned &= r == 0;
	return r < 0 ? err_file(reterr, r, "read", "rules") : 1;
}

/* Finds what another process put in: it is out of force by now. */
static void scan_again(struct device *d)
{
	d->scanned = false;
	ignore(cgfs_bpf_rules_scan(d, NULL));
}

static int put_list(struct device *d, const struct cgfs_bpf_list *list)
{
	uint32_t count = list->n;
	int r;

	if (!list->n)
		return 0;
	if (bpf_map_update_batch(d->o.fd[DEVICE_RULES], list->keys, list->rules, &count, NULL) == 0)
		return 0;
	r = -errno;
	if (count < list->n)
		delete_keys(d, list->keys, count);
	return r;
}

int cgfs_bpf_rules_put(struct device *d, uint64_t cgroup_id, struct cgfs_bpf_list *list,
		       uint32_t *ret_generation, struct cgfs_err *reterr)
{
	struct cgfs_control_args args = { .op = CGFS_CONTROL_NEXT };
	int r;

	cgfs_bpf_rules_sweep(d, d->garbage_rules > GARBAGE_MAX);
	r = cgfs_bpf_control(groups_of(&d->o), &args);
	if (r < 0)
		return err_file(reterr, r, "run", "control");
	for (size_t i = 0; i < list->n; i++) {
		list->keys[i].cgroup_id = cgroup_id;
		list->keys[i].generation = args.generation;
	}
	r = put_list(d, list);
	if (r == -E2BIG) {
		/* What others left, or keep until their next change, is found as well. */
		scan_again(d);
		cgfs_bpf_rules_sweep(d, true);
		r = put_list(d, list);
	}
	if (r == -E2BIG)
		return err_why(reterr, r, "write", "rules", "the table of device rules is full");
	if (r < 0)
		return err_file(reterr, r, "write", "rules");
	*ret_generation = args.generation;
	return 0;
}

int cgfs_bpf_rules_remember(struct device *d, uint64_t cgroup_id, uint32_t generation,
			    struct cgfs_bpf_list *list)
{
	struct in_force *k = cgfs_bpf_get(&d->in_force, cgroup_id, sizeof(*k));
	void *fits;

	if (!k)
		return -ENOMEM;
	forget_keys(k);
	fits = list->n ? realloc(list->keys, list->n * sizeof(*list->keys)) : NULL;
	k->generation = generation;
	k->n = list->n;
	k->keys = fits ? fits : list->keys;
	list->keys = NULL;
	return 0;
}

void cgfs_bpf_rules_retire(struct device *d, uint64_t cgroup_id, uint32_t generation)
{
	struct in_force *k = cgfs_bpf_find(&d->in_force, cgroup_id);

	if (k && generation && k->generation == generation) {
		put_garbage(d, take_ptr(k->keys), k->n);
		forget_keys(k);
	} else if (generation) {
		scan_again(d);
	}
}

void cgfs_bpf_rules_drop(struct device *d, uint64_t cgroup_id, uint32_t generation)
{
	struct in_force *k = cgfs_bpf_take(&d->in_force, cgroup_id);

	/* When the cgroup went first, what this process remembers is the best there is. */
	if (k && (!generation || k->generation == generation))
		delete_keys(d, k->keys, k->n);
	else if (generation)
		scan_again(d);
	if (k)
		in_force_free(k);
}

void cgfs_bpf_rules_free(struct device *d)
{
	while (d->garbage)
		drop_garbage(d);
	tdestroy(d->in_force, in_force_free);
	d->in_force = NULL;
}
