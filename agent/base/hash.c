/* SPDX-License-Identifier: MIT */
/*
 * hash.c - a chained hash table keyed by strings.  The order is an array: one more thing moves
 * pointers, 40 KB at 10,000 things, where sorting anew for each page of a list of all would take as
 * long as the list, each time.
 */
#include "agent/base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cgfs/base/util.h"

/* FNV-1a.  The keys come from the host, which owns this machine anyway. */
static uint32_t hash_of(const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return h;
}

static int grow(struct hash *t)
{
	size_t buckets = t->buckets ? t->buckets * 2 : 16;
	struct hash_node **fresh = calloc(buckets, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < t->buckets; i++) {
		struct hash_node *node = t->bucket[i];

		while (node) {
			struct hash_node *next = node->next;

			node->next = fresh[node->hash % buckets];
			fresh[node->hash % buckets] = node;
			node = next;
		}
	}
	free(t->bucket);
	t->bucket = fresh;
	t->buckets = buckets;
	return 0;
}

struct hash_node *hash_find(const struct hash *t, const char *key)
{
	uint32_t h = hash_of(key);
	struct hash_node *node = t->buckets ? t->bucket[h % t->buckets] : NULL;

	while (node && !(node->hash == h && streq(node->key, key)))
		node = node->next;
	return node;
}

static size_t place_of(const struct hash *t, const char *key)
{
	size_t first = 0, end = t->n;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (strcmp(t->order[middle]->key, key) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static void drop_order(struct hash *t)
{
	free(t->order);
	t->order = NULL;
	t->order_room = 0;
}

/* Before it is counted.  Without memory for it the order is made anew when it is wanted. */
static void put_in_order(struct hash *t, struct hash_node *node)
{
	size_t place = place_of(t, node->key);

	if (t->n == t->order_room) {
		void *larger = realloc(t->order, 2 * t->n * sizeof(struct hash_node *));

		if (!larger) {
			drop_order(t);
			return;
		}
		t->order = larger;
		t->order_room = 2 * t->n;
	}
	memmove(t->order + place + 1, t->order + place, (t->n - place) * sizeof(*t->order));
	t->order[place] = node;
}

static void take_from_order(struct hash *t, const struct hash_node *node)
{
	size_t place = place_of(t, node->key);

	memmove(t->order + place, t->order + place + 1, (t->n - place - 1) * sizeof(*t->order));
}

int hash_add(struct hash *t, struct hash_node *node, const char *key)
{
	if (hash_find(t, key))
		return -EEXIST;
	if (t->n >= t->buckets && grow(t) < 0)
		return -ENOMEM;
	node->key = key;
	node->hash = hash_of(key);
	if (t->order)
		put_in_order(t, node);
	node->next = t->bucket[node->hash % t->buckets];
	t->bucket[node->hash % t->buckets] = node;
	t->n++;
	return 0;
}

void hash_remove(struct hash *t, struct hash_node *node)
{
	struct hash_node **at = &t->bucket[node->hash % t->buckets];

	if (t->order)
		take_from_order(t, node);
	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	node->next = NULL;
	t->n--;
}

struct hash_node *hash_next(const struct hash *t, const struct hash_node *prev)
{
	size_t i = 0;

	if (prev) {
		if (prev->next)
			return prev->next;
		i = prev->hash % t->buckets + 1;
	}
	for (; i < t->buckets; i++) {
		if (t->bucket[i])
			return t->bucket[i];
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return strcmp((*(struct hash_node *const *)a)->key, (*(struct hash_node *const *)b)->key);
}

static int make_order(struct hash *t)
{
	size_t n = 0;

	t->order_room = t->n + 16;
	t->order = calloc(t->order_room, sizeof(*t->order));
	if (!t->order)
		return -ENOMEM;
	for (struct hash_node *node = hash_next(t, NULL); node; node = hash_next(t, node))
		t->order[n++] = node;
	qsort(t->order, n, sizeof(*t->order), compare);
	return 0;
}

int hash_from(struct hash *t, const char *key, size_t *ret_place)
{
	int r = t->order ? 0 : make_order(t);

	if (r == 0)
		*ret_place = place_of(t, key);
	return r;
}

struct hash_node *hash_at(const struct hash *t, size_t place)
{
	return place < t->n ? t->order[place] : NULL;
}

void hash_free(struct hash *t)
{
	drop_order(t);
	free(t->bucket);
	*t = (struct hash){ 0 };
}
