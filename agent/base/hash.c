/* SPDX-License-Identifier: MIT */
/*
 * hash.c - a chained hash table keyed by strings.
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

int hash_add(struct hash *t, struct hash_node *node, const char *key)
{
	if (hash_find(t, key))
		return -EEXIST;
	if (t->n >= t->buckets && grow(t) < 0)
		return -ENOMEM;
	node->key = key;
	node->hash = hash_of(key);
	node->next = t->bucket[node->hash % t->buckets];
	t->bucket[node->hash % t->buckets] = node;
	t->n++;
	return 0;
}

void hash_remove(struct hash *t, struct hash_node *node)
{
	struct hash_node **at = &t->bucket[node->hash % t->buckets];

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

void hash_free(struct hash *t)
{
	free(t->bucket);
	*t = (struct hash){ 0 };
}
