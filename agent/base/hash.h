/* SPDX-License-Identifier: MIT */
/*
 * hash.h - a hash table of things that have a name; the things embed the node.  A table that is
 * walked in the order of names keeps that order, too.
 */
#ifndef AGENT_HASH_H
#define AGENT_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_node {
	struct hash_node *next;
	const char *key; /* belongs to the thing; stays as it is while it is in the table */
	uint32_t hash;
};

struct hash {
	struct hash_node **bucket;
	size_t buckets;
	size_t n;
	/* By key; NULL: hash_from() was not called, or memory was short. */
	struct hash_node **order;
	size_t order_room;
};

/* 0, -EEXIST, or -ENOMEM. */
int hash_add(struct hash *t, struct hash_node *node, const char *key);
struct hash_node *hash_find(const struct hash *t, const char *key);
void hash_remove(struct hash *t, struct hash_node *node);
/* Any order.  NULL begins; NULL is the end.  Removing @prev itself ends the walk's validity. */
struct hash_node *hash_next(const struct hash *t, const struct hash_node *prev);
/* In the order of keys: the place of the first one that is not before @key; or -ENOMEM. */
int hash_from(struct hash *t, const char *key, size_t *ret_place);
/* NULL: the end.  After hash_from(), as long as nothing is added or removed. */
struct hash_node *hash_at(const struct hash *t, size_t place);
/* Frees the buckets, not the things. */
void hash_free(struct hash *t);

#endif
