/* SPDX-License-Identifier: MIT */
/*
 * table.h - a hash table of things that have a name; the things embed the node.
 */
#ifndef AGENT_TABLE_H
#define AGENT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next;
	const char *key; /* belongs to the thing; stays as it is while it is in the table */
	uint32_t hash;
};

struct table {
	struct table_node **bucket;
	size_t buckets;
	size_t n;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* 0, -EEXIST, or -ENOMEM. */
int table_add(struct table *t, struct table_node *node, const char *key);
struct table_node *table_find(const struct table *t, const char *key);
void table_remove(struct table *t, struct table_node *node);
/* Any order.  NULL begins; NULL is the end.  Removing @prev itself ends the walk's validity. */
struct table_node *table_next(const struct table *t, const struct table_node *prev);
/* Frees the buckets, not the things. */
void table_free(struct table *t);

#endif
