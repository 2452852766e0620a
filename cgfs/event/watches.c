/* SPDX-License-Identifier: MIT */
/*
 * watches.c - see watches.h.  A hash table with chains; numbers are small and dense.
 */
#include "cgfs/event/watches.h"

#include "cgfs/base/util.h"

/* The first entry of @id from *p on, or the end of the chain. */
static struct watch **find_from(struct watch **p, int id)
{
	while (*p && (*p)->id != id)
		p = &(*p)->next;
	return p;
}

static struct watch **bucket_of(const struct watches *w, int id)
{
	return &w->bucket[(unsigned int)id & (w->size - 1)];
}

static int watches_grow(struct watches *w)
{
	struct watches bigger = { .size = w->size ? w->size * 2 : 64,
				  .n = w->n,
				  .round = w->round };

	bigger.bucket = calloc(bigger.size, sizeof(*bigger.bucket));
	if (!bigger.bucket)
		return -ENOMEM;
	for (size_t i = 0; i < w->size; i++) {
		for (struct watch *e = w->bucket[i], *next; e; e = next) {
			struct watch **p = bucket_of(&bigger, e->id);

			next = e->next;
			e->next = *p;
			*p = e;
		}
	}
	free(w->bucket);
	*w = bigger;
	return 0;
}

/* The kernel has one watch descriptor per file: several may wait for the same number. */
int watches_add(struct watches *w, int id, struct cgfs_group *g, watch_fn *fn)
{
	struct watch **p, *e;

	if (w->n == w->size && watches_grow(w) < 0)
		return -ENOMEM;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	p = bucket_of(w, id);
	*e = (struct watch){ *p, id, g, fn, w->round };
	*p = e;
	w->n++;
	return 0;
}

struct watch **watches_find(const struct watches *w, int id, const struct cgfs_group *g,
			    watch_fn *fn)
{
	struct watch **p;

	if (!w->size)
		return NULL;
	for (p = find_from(bucket_of(w, id), id); *p; p = find_from(&(*p)->next, id)) {
		if (!g || ((*p)->g == g && (*p)->fn == fn))
			return p;
	}
	return NULL;
}

void watches_remove(struct watches *w, int id, const struct cgfs_group *g, watch_fn *fn)
{
	struct watch **p = watches_find(w, id, g, fn);
	struct watch *e = p ? *p : NULL;

	if (!e)
		return;
	*p = e->next;
	free(e);
	w->n--;
}

/* One that is not to be called, because it has been, or was added meanwhile, has our number. */
void watches_call(struct watches *w, int id)
{
	struct watch **p;

	if (!w->size)
		return;
	w->round++;
	for (p = find_from(bucket_of(w, id), id); *p;) {
		struct watch *e = *p;

		if (e->round == w->round) {
			p = find_from(&e->next, id);
			continue;
		}
		e->round = w->round;
		e->fn(e->g);
		p = find_from(bucket_of(w, id), id); /* anything may have changed */
	}
}

void watches_free(struct watches *w)
{
	for (size_t i = 0; i < w->size; i++) {
		while (w->bucket[i])
			watches_remove(w, w->bucket[i]->id, NULL, NULL);
	}
	free(w->bucket);
}
