/* SPDX-License-Identifier: MIT */
/*
 * list.c - the list in force as ordered rules, from the elements of cgfs_rules: the way back of
 * compile.c.  Not the rules as they were written, but a list that decides the same and has no more
 * rules.
 *
 * An element's verdict for an access bit is that of the last rule which covers all of the element
 * and names the bit, and has that rule's number.  A rule that is the last one anywhere is so for
 * its own pattern too, since what covers that covers everything in it: of the elements with its
 * number the widest is the rule.  Sorted by these numbers they are a list again.
 */
#include "bpf/device/device.h"

#include <bpf/bpf.h>
#include <stdlib.h>

/* One access bit of one element. */
struct item {
	struct cgfs_device_rule rule;
	uint32_t number;
};

static int wildcards(const struct cgfs_device_rule *rule)
{
	return (rule->major == CGFS_DEVICE_ANY) + (rule->minor == CGFS_DEVICE_ANY);
}

/* The widest of a number first. */
static int by_number(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return wildcards(&y->rule) - wildcards(&x->rule);
}

static size_t to_rules(struct item *items, size_t n, struct cgfs_device_rule *ret)
{
	size_t count = 0;

	qsort(items, n, sizeof(*items), by_number);
	for (size_t i = 0; i < n; i++) {
		const struct cgfs_device_rule *rule = &items[i].rule;
		struct cgfs_device_rule *last = count ? &ret[count - 1] : NULL;

		if (!last || items[i].number != items[i - 1].number) {
			ret[count++] = *rule;
		} else if (rule->major == last->major && rule->minor == last->minor) {
			last->access |= rule->access;
			if (rule->type != last->type)
				last->type = CGFS_DEVICE_ALL;
		}
	}
	return count;
}

/* Adds up to three items. */
static int read_element(struct device *d, const struct cgfs_rule_key *key, struct item *items,
			size_t *n)
{
	enum cgfs_device_type type = key->kind == CGFS_BLOCK ? CGFS_DEVICE_BLOCK : CGFS_DEVICE_CHAR;
	struct cgfs_rule rule;

	if (bpf_map_lookup_elem(d->o.fd[DEVICE_RULES], key, &rule) < 0)
		return -errno;

	const struct {
		uint32_t bit, verdict, number;
	} bits[] = {
		{ CGFS_ACCESS_READ, rule.read, rule.read_rule },
		{ CGFS_ACCESS_WRITE, rule.write, rule.write_rule },
		{ CGFS_ACCESS_MKNOD, rule.mknod, rule.mknod_rule },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		if (!bits[i].number) /* no rule names it, and it is denied from the beginning */
			continue;
		items[(*n)++] = (struct item){
			.rule = {
				.type = type,
				.major = key->major,
				.minor = key->minor,
				.access = bits[i].bit,
				.allow = bits[i].verdict == CGFS_ALLOW,
			},
			.number = bits[i].number,
		};
	}
	return 0;
}

/* What is in force is known after a scan; another process may have replaced it since. */
static int find_list(struct device *d, uint64_t cgroup_id, uint32_t generation,
		     const struct in_force **ret, struct cgfs_err *reterr)
{
	int r = 0;

	for (int tries = 0; tries < 2; tries++) {
		d->scanned &= !tries;
		r = cgfs_bpf_rules_scan(d, reterr);
		*ret = cgfs_bpf_find(&d->in_force, cgroup_id);
		if (r < 0 || (*ret && (*ret)->generation == generation))
			return r < 0 ? r : 0;
	}
	/* An empty list has no elements to be found by.  Known to be one, it is not looked for
	 * again. */
	r = cgfs_bpf_rules_remember(d, cgroup_id, generation, &(struct cgfs_bpf_list){ 0 });
	*ret = NULL;
	return r < 0 ? err_file(reterr, r, "read", "rules") : 0;
}

static int read_list(struct device *d, const struct cgfs_policy_group *group, uint32_t generation,
		     struct cgfs_device_rule **ret, size_t *ret_n, struct cgfs_err *reterr)
{
	const struct in_force *k;
	int r = find_list(d, group->cgroup_id, generation, &k, reterr);
	size_t n = r == 0 && k ? k->n : 0, n_items = 0;
	auto_free struct item *items = calloc(3 * n + 1, sizeof(*items));
	auto_free struct cgfs_device_rule *rules = calloc(3 * n + 1, sizeof(*rules));

	if (r < 0)
		return r;
	if (!items || !rules)
		return err_file(reterr, -ENOMEM, "read", "rules");
	for (size_t i = 0; i < n; i++) {
		r = read_element(d, &k->keys[i], items, &n_items);
		if (r < 0)
			return err_file(reterr, r, "read", "rules");
	}
	*ret_n = to_rules(items, n_items, rules);
	*ret = take_ptr(rules);
	return 1;
}

int cgfs_bpf_device_list(struct device *d, const struct cgfs_policy_group *group,
			 struct cgfs_device_rule **ret, size_t *ret_n, struct cgfs_err *reterr)
{
	struct cgfs_policy_val policy;
	int r = cgfs_bpf_lock(d->o.pins, reterr);

	if (r < 0)
		return r;
	r = cgfs_bpf_policy_read(d, group->cgroup_id, &policy);
	if (r < 0)
		err_why(reterr, r, "read", "policy", "the device policy does not know it");
	else if (policy.mode == CGFS_POD)
		r = 0;
	else if (policy.mode == CGFS_LIST)
		r = read_list(d, group, policy.generation, ret, ret_n, reterr);
	else {
		*ret = calloc(1, sizeof(**ret));
		*ret_n = 0;
		r = *ret ? 1 : err_file(reterr, -ENOMEM, "read", "policy");
	}
	cgfs_bpf_unlock(d->o.pins);
	return r;
}
