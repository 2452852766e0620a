/* SPDX-License-Identifier: MIT */
/*
 * list.c - the list in force as ordered rules, from the elements of cgfs_rules: the way back of
 * compile.c.  Not the words that were written, but a list that decides the same.
 *
 * An element's verdict for an access bit is that of the last rule which covers all of the element
 * and names the bit, and has that rule's number.  So what the elements say, sorted by these
 * numbers, is a list again: where a request matches several, the last one is the one whose number
 * is highest, which is how the program takes it.
 */
#include "loader.h"

#include <bpf/bpf.h>
#include <stdlib.h>

static const uint32_t bits[3] = { CGFS_ACCESS_READ, CGFS_ACCESS_WRITE, CGFS_ACCESS_MKNOD };

struct element {
	struct cgfs_bpf_pattern p;
	enum cgfs_policy_verdict verdict[3];
	uint32_t number[3];
};

struct item {
	struct cgfs_device_rule rule;
	uint32_t number;
	size_t at; /* of its element */
};

static bool contains(const struct cgfs_bpf_pattern *wide, const struct cgfs_bpf_pattern *p)
{
	return wide->kind == p->kind &&
	       (wide->major == CGFS_POLICY_ANY || wide->major == p->major) &&
	       (wide->minor == CGFS_POLICY_ANY || wide->minor == p->minor);
}

/* Is it said by a wider element already? */
static bool is_inherited(const struct element *e, size_t n, size_t i, size_t bit)
{
	for (size_t k = 0; k < n; k++) {
		if (k != i && contains(&e[k].p, &e[i].p) && e[k].number[bit] == e[i].number[bit])
			return true;
	}
	return false;
}

/* The bits of one rule for one pattern stand together. */
static size_t add(struct item *items, size_t n, const struct element *e, size_t at, size_t bit)
{
	for (size_t k = n; k > 0 && items[k - 1].at == at; k--) {
		if (items[k - 1].number == e->number[bit]) {
			items[k - 1].rule.access |= bits[bit];
			return n;
		}
	}
	items[n] = (struct item){
		.rule = {
			.type = e->p.kind == CGFS_BLOCK ? CGFS_DEVICE_BLOCK : CGFS_DEVICE_CHAR,
			.major = e->p.major,
			.minor = e->p.minor,
			.access = bits[bit],
			.allow = e->verdict[bit] == CGFS_ALLOW,
		},
		.number = e->number[bit],
		.at = at,
	};
	return n + 1;
}

static int by_number(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* @ret: room for three a element, and one; an empty list is a list. */
static size_t to_rules(const struct element *e, size_t n, struct item *items,
		       struct cgfs_device_rule *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t bit = 0; bit < ARRAY_SIZE(bits); bit++) {
			/* 0: no rule names it, and it is denied from the beginning. */
			if (e[i].number[bit] && !is_inherited(e, n, i, bit))
				count = add(items, count, &e[i], i, bit);
		}
	}
	qsort(items, count, sizeof(*items), by_number);
	for (size_t i = 0; i < count; i++)
		ret[i] = items[i].rule;
	return count;
}

static int read_element(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation,
			const struct cgfs_bpf_pattern *p, struct element *ret)
{
	struct cgfs_rule_key key = {
		.cgroup_id = cgroup_id,
		.generation = generation,
		.kind = p->kind,
		.major = p->major,
		.minor = p->minor,
	};
	struct cgfs_rule rule;

	if (bpf_map_lookup_elem(b->rules_fd, &key, &rule) < 0)
		return -errno;
	*ret = (struct element){
		.p = *p,
		.verdict = { rule.read, rule.write, rule.mknod },
		.number = { rule.read_rule, rule.write_rule, rule.mknod_rule },
	};
	return 0;
}

/* What is in force is known after a scan; another process may have replaced it since. */
static int patterns_of(struct cgfs_bpf *b, uint64_t cgroup_id, uint32_t generation,
		       const struct cgfs_bpf_known **ret, struct cgfs_err *reterr)
{
	int r = cgfs_bpf_rules_scan(b, reterr);

	*ret = cgfs_bpf_known_find(b, cgroup_id);
	if (r < 0 || (*ret && (*ret)->generation == generation))
		return r;
	b->scanned = false;
	r = cgfs_bpf_rules_scan(b, reterr);
	*ret = cgfs_bpf_known_find(b, cgroup_id);
	if (*ret && (*ret)->generation != generation)
		*ret = NULL; /* an empty list has no elements to be found by */
	return r;
}

static int read_list(struct cgfs_bpf *b, const struct cgfs_policy_group *group, uint32_t generation,
		     struct cgfs_device_rule **ret, size_t *ret_n, struct cgfs_err *reterr)
{
	const struct cgfs_bpf_known *k;
	int r = patterns_of(b, group->cgroup_id, generation, &k, reterr);
	size_t n = r == 0 && k ? k->n_patterns : 0;
	auto_free struct element *e = calloc(n + 1, sizeof(*e));
	auto_free struct item *items = calloc(3 * n + 1, sizeof(*items));
	auto_free struct cgfs_device_rule *rules = calloc(3 * n + 1, sizeof(*rules));

	if (r < 0)
		return r;
	if (!e || !items || !rules)
		return cgfs_err_set(reterr, -ENOMEM, "read", "rules", NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		r = read_element(b, group->cgroup_id, generation, &k->patterns[i], &e[i]);
		if (r < 0)
			return cgfs_err_set(reterr, r, "read", "rules", NULL, NULL);
	}
	*ret_n = to_rules(e, n, items, rules);
	*ret = take_ptr(rules);
	return 1;
}

int cgfs_bpf_get_rules(void *ctx, const struct cgfs_policy_group *group,
		       struct cgfs_device_rule **ret, size_t *ret_n, struct cgfs_err *reterr)
{
	struct cgfs_bpf *b = ctx;
	struct cgfs_policy_val policy;
	int r = cgfs_bpf_lock(b, reterr);

	if (r < 0)
		return r;
	r = cgfs_bpf_policy_read(b, group->cgroup_id, &policy);
	if (r < 0)
		cgfs_err_set(reterr, r, "read", "policy", NULL,
			     "the device policy does not know it");
	else if (policy.mode == CGFS_POD)
		r = 0;
	else if (policy.mode == CGFS_LIST)
		r = read_list(b, group, policy.generation, ret, ret_n, reterr);
	else {
		*ret = calloc(1, sizeof(**ret));
		*ret_n = 0;
		r = *ret ? 1 : cgfs_err_set(reterr, -ENOMEM, "read", "policy", NULL, NULL);
	}
	cgfs_bpf_unlock(b);
	return r;
}
