/* SPDX-License-Identifier: MIT */
/*
 * compile.c - an ordered list of device rules as elements of cgfs_rules.  Pure arithmetic: owns
 * what an element means to the program's four look-ups; touches no map.
 *
 * Every pattern of the list becomes one element.  Its verdict for an access bit is that of the
 * last rule, of all rules whose pattern covers the whole of it, which names the bit.  So the
 * narrowest element that matches a request is the answer, independent of the list's order; only
 * MAJOR:* and *:MINOR cross without one containing the other, and there the program takes the
 * later rule of the two.
 */
#include "bpf/device/device.h"
#include "cgfs/request/device.h"

/* One pattern, and the last rule with exactly this pattern that names each bit (1-based). */
struct entry {
	struct cgfs_rule_key key; /* of no group and no generation yet */
	uint32_t last[3];
};

static const uint32_t bits[3] = { CGFS_ACCESS_READ, CGFS_ACCESS_WRITE, CGFS_ACCESS_MKNOD };

static int pattern_compare(const void *a, const void *b)
{
	const struct cgfs_rule_key *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->major != y->major)
		return x->major < y->major ? -1 : 1;
	if (x->minor != y->minor)
		return x->minor < y->minor ? -1 : 1;
	return 0;
}

static struct cgfs_rule_key key_of(enum cgfs_policy_kind kind, int32_t major, int32_t minor)
{
	return (struct cgfs_rule_key){ .kind = kind, .major = major, .minor = minor };
}

static size_t entry_add(struct entry *e, size_t n, enum cgfs_policy_kind kind,
			const struct cgfs_device_rule *rule, uint32_t number)
{
	e[n].key = key_of(kind, rule->major, rule->minor);
	for (size_t b = 0; b < ARRAY_SIZE(bits); b++)
		e[n].last[b] = rule->access & bits[b] ? number : 0;
	return n + 1;
}

static void last_of_both(uint32_t last[3], const uint32_t other[3])
{
	for (size_t b = 0; b < ARRAY_SIZE(bits); b++)
		if (other[b] > last[b])
			last[b] = other[b];
}

/* Sorts, and makes one entry of those with the same pattern. */
static size_t entries_merge(struct entry *e, size_t n)
{
	size_t kept = 0;

	qsort(e, n, sizeof(*e), pattern_compare);
	for (size_t i = 0; i < n; i++) {
		if (kept && pattern_compare(&e[kept - 1].key, &e[i].key) == 0)
			last_of_both(e[kept - 1].last, e[i].last);
		else
			e[kept++] = e[i];
	}
	return kept;
}

static enum cgfs_policy_verdict verdict(const struct cgfs_device_rule *rules, uint32_t number)
{
	return number && rules[number - 1].allow ? CGFS_ALLOW : CGFS_DENY;
}

/* Adds the bits of the entry with exactly this pattern, if there is one. */
static void cover(const struct entry *e, size_t n, enum cgfs_policy_kind kind, int32_t major,
		  int32_t minor, uint32_t last[3])
{
	struct cgfs_rule_key key = key_of(kind, major, minor);
	const struct entry *found = bsearch(&key, e, n, sizeof(*e), pattern_compare);

	if (found)
		last_of_both(last, found->last);
}

/* @columns: is there a *:MINOR in the list?  Rarely, and a look-up of it is a third of the work. */
static void emit(const struct cgfs_device_rule *rules, const struct entry *e, size_t n, size_t i,
		 bool columns, struct cgfs_bpf_list *list)
{
	const struct cgfs_rule_key *p = &e[i].key;
	uint32_t last[3] = { e[i].last[0], e[i].last[1], e[i].last[2] };

	if (p->minor != CGFS_POLICY_ANY)
		cover(e, n, p->kind, p->major, CGFS_POLICY_ANY, last);
	if (p->major != CGFS_POLICY_ANY && columns)
		cover(e, n, p->kind, CGFS_POLICY_ANY, p->minor, last);
	cover(e, n, p->kind, CGFS_POLICY_ANY, CGFS_POLICY_ANY, last);

	list->keys[i] = *p;
	list->rules[i] = (struct cgfs_rule){
		.read = verdict(rules, last[0]),
		.write = verdict(rules, last[1]),
		.mknod = verdict(rules, last[2]),
		.read_rule = last[0],
		.write_rule = last[1],
		.mknod_rule = last[2],
	};
}

int cgfs_bpf_compile(const struct cgfs_device_rule *rules, size_t n, struct cgfs_bpf_list *ret,
		     struct cgfs_err *reterr)
{
	struct cgfs_bpf_list list = { 0 };
	auto_free struct entry *e = NULL;
	size_t n_entries = 0;
	bool columns = false;
	int r;

	if (n > CGFS_DEVICE_RULES_MAX)
		return cgfs_err_set(reterr, -E2BIG, "device rules", NULL, NULL,
				    "%zu rules, more than %d", n, CGFS_DEVICE_RULES_MAX);
	for (size_t i = 0; i < n; i++) {
		r = cgfs_device_rule_check(&rules[i], reterr);
		if (r < 0)
			return r;
	}

	/* A rule for both kinds of device is two patterns. */
	e = calloc(2 * n + 1, sizeof(*e));
	list.keys = calloc(2 * n + 1, sizeof(*list.keys));
	list.rules = calloc(2 * n + 1, sizeof(*list.rules));
	if (!e || !list.keys || !list.rules) {
		cgfs_bpf_list_free(&list);
		return cgfs_err_set(reterr, -ENOMEM, "device rules", NULL, NULL, NULL);
	}
	for (size_t i = 0; i < n; i++) {
		columns |= rules[i].major == CGFS_DEVICE_ANY && rules[i].minor != CGFS_DEVICE_ANY;
		if (rules[i].type != CGFS_DEVICE_CHAR)
			n_entries = entry_add(e, n_entries, CGFS_BLOCK, &rules[i], i + 1);
		if (rules[i].type != CGFS_DEVICE_BLOCK)
			n_entries = entry_add(e, n_entries, CGFS_CHAR, &rules[i], i + 1);
	}
	list.n = entries_merge(e, n_entries);
	for (size_t i = 0; i < list.n; i++)
		emit(rules, e, list.n, i, columns, &list);

	*ret = list;
	return 0;
}

void cgfs_bpf_list_free(struct cgfs_bpf_list *list)
{
	free(list->keys);
	free(list->rules);
	*list = (struct cgfs_bpf_list){ 0 };
}
