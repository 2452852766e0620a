/* SPDX-License-Identifier: MIT */
/*
 * top.c - the rows of `top`: rates from one sample to the next, order, filter, folds, and which of
 * them is selected.
 */
#include "agent/podctl/show/top.h"

#include "agent/podctl/show/top_columns.h"

static int by_path(const void *x, const void *y)
{
	return strcmp(((const struct top_sample *)x)->path, ((const struct top_sample *)y)->path);
}

static void samples_free(struct top_sample *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(s[i].path);
	free(s);
}

static const struct top_sample *before(const struct top *t, const char *path)
{
	struct top_sample key = { .path = (char *)path };

	return t->n_samples ? bsearch(&key, t->sample, t->n_samples, sizeof(key), by_path) : NULL;
}

static uint64_t figure(const struct group_info *g, enum cgfs_stat stat)
{
	uint64_t value;

	return info_figure(g, stat, &value) ? value : 0;
}

/* A counter that went back belongs to another group of the same name. */
static uint64_t rate(uint64_t from, uint64_t to, uint64_t factor, uint64_t us)
{
	uint64_t product;

	if (to <= from || !us)
		return 0;
	return __builtin_mul_overflow(to - from, factor, &product) ? (to - from) / us * factor
								   : product / us;
}

static bool is_folded(const struct top *t, const char *pod)
{
	for (size_t i = 0; i < t->n_folded; i++) {
		if (streq(t->folded[i], pod))
			return !t->fold_all;
	}
	return t->fold_all;
}

static bool has(const char *text, const char *part)
{
	return !*part || strcasestr(text, part);
}

/* --- order -------------------------------------------------------------------------------------
 */

static int compare(const struct top *t, const struct top_row *a, const struct top_row *b)
{
	int order = t->sort->compare ? t->sort->compare(a, b) : 0;

	/* The highest comes first, and the first name. */
	if (t->sort->compare)
		order = -order;
	if (!order)
		order = strcmp(*a->g->ctr ? a->g->ctr : a->g->pod,
			       *b->g->ctr ? b->g->ctr : b->g->pod);
	return t->reverse ? -order : order;
}

static int compare_rows(const void *x, const void *y, void *t)
{
	return compare(t, x, y);
}

/* A pod and its containers in the list. */
struct block {
	struct top_row pod;
	size_t first, n; /* of the containers, in the array of all */
};

static int compare_blocks(const void *x, const void *y, void *t)
{
	return compare(t, &((const struct block *)x)->pod, &((const struct block *)y)->pod);
}

static void fill(const struct top *t, struct top_row *r, const struct group_info *g, uint64_t us)
{
	const struct top_sample *s = before(t, g->path);

	*r = (struct top_row){ .g = g, .rates = s != NULL };
	if (!s)
		return;
	r->cpu = rate(s->cpu_us, figure(g, CGFS_STAT_CPU_USAGE), 1000, us);
	r->read = rate(s->read, figure(g, CGFS_STAT_IO_READ), 1000000, us);
	r->write = rate(s->write, figure(g, CGFS_STAT_IO_WRITE), 1000000, us);
}

/* The containers of a block that the filter leaves, in order. */
static void add_block(struct top *t, struct block *b, struct top_row *ctr)
{
	const char *pod = b->pod.g->pod;
	bool whole = has(pod, t->filter), fold = is_folded(t, pod);
	struct top_row *head = &t->row[t->n_rows];
	size_t left = 0;

	qsort_r(ctr, b->n, sizeof(*ctr), compare_rows, t);
	for (size_t i = 0; i < b->n; i++) {
		if (whole || has(ctr[i].g->ctr, t->filter))
			ctr[left++] = ctr[i];
	}
	if (!whole && !left)
		return;
	*head = b->pod;
	head->folded = fold ? (unsigned int)left : 0;
	t->n_rows++;
	for (size_t i = 0; i < left && !fold; i++) {
		t->row[t->n_rows] = ctr[i];
		t->row[t->n_rows++].last = i + 1 == left;
	}
}

static void keep_selected(struct top *t)
{
	for (size_t i = 0; t->selected && i < t->n_rows; i++) {
		if (streq(t->row[i].g->path, t->selected)) {
			t->at = i;
			return;
		}
	}
	/* It is gone, or none was chosen: the one in its place. */
	if (t->at >= t->n_rows)
		t->at = t->n_rows ? t->n_rows - 1 : 0;
	free(t->selected);
	t->selected = NULL;
}

static int arrange(struct top *t, const struct group_list *list, const struct top_row *filled)
{
	auto_free struct block *block = calloc(list->n + 1, sizeof(*block));
	auto_free struct top_row *ctr = calloc(list->n + 1, sizeof(*ctr));
	size_t n = 0, n_ctr = 0;

	free(t->row);
	t->row = calloc(list->n + 1, sizeof(*t->row));
	t->n_rows = t->pods = t->containers = 0;
	t->cpu = t->memory = 0;
	if (!t->row || !block || !ctr)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		/* A container that was asked for by name has no pod above it. */
		if (!*list->info[i].ctr || !n ||
		    !streq(block[n - 1].pod.g->pod, list->info[i].pod)) {
			block[n++] = (struct block){ .pod = filled[i], .first = n_ctr };
			t->cpu += filled[i].cpu;
			t->memory += figure(filled[i].g, CGFS_STAT_MEMORY_CURRENT);
		} else {
			ctr[n_ctr++] = filled[i];
			block[n - 1].n++;
		}
	}
	t->pods = n;
	t->containers = n_ctr;
	qsort_r(block, n, sizeof(*block), compare_blocks, t);
	for (size_t i = 0; i < n; i++)
		add_block(t, &block[i], ctr + block[i].first);
	keep_selected(t);
	return 0;
}

/* --- samples -----------------------------------------------------------------------------------
 */

int top_update(struct top *t, const struct group_list *list, uint64_t now_us)
{
	auto_free struct top_row *filled = calloc(list->n + 1, sizeof(*filled));
	struct top_sample *s = calloc(list->n + 1, sizeof(*s));

	if (!filled || !s) {
		free(s);
		return -ENOMEM;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct group_info *g = &list->info[i];

		fill(t, &filled[i], g, now_us - t->sampled_us);
		s[i] = (struct top_sample){ strdup(g->path), figure(g, CGFS_STAT_CPU_USAGE),
					    figure(g, CGFS_STAT_IO_READ),
					    figure(g, CGFS_STAT_IO_WRITE) };
		if (!s[i].path) {
			samples_free(s, i);
			return -ENOMEM;
		}
	}
	qsort(s, list->n, sizeof(*s), by_path);
	samples_free(t->sample, t->n_samples);
	t->sample = s;
	t->n_samples = list->n;
	t->sampled_us = now_us;
	free(t->filled);
	t->filled = take_ptr(filled);
	return arrange(t, list, t->filled);
}

int top_arrange(struct top *t, const struct group_list *list)
{
	return arrange(t, list, t->filled);
}

void top_free(struct top *t)
{
	samples_free(t->sample, t->n_samples);
	for (size_t i = 0; i < t->n_folded; i++)
		free(t->folded[i]);
	free(t->folded);
	free(t->filled);
	free(t->row);
	free(t->selected);
	*t = (struct top){ 0 };
}

/* --- what is selected, what is folded ------------------------------------------------------------
 */

void top_move(struct top *t, long by, long page)
{
	long at = (long)t->at + by * (page > 0 ? page : 1);

	if (!t->n_rows)
		return;
	t->at = at < 0 ? 0 : at >= (long)t->n_rows ? t->n_rows - 1 : (size_t)at;
	free(t->selected);
	t->selected = strdup(t->row[t->at].g->path);
}

const struct group_info *top_selected(const struct top *t)
{
	return t->n_rows ? t->row[t->at].g : NULL;
}

int top_fold(struct top *t)
{
	const struct group_info *g = top_selected(t);
	char **grown;

	if (!g)
		return 0;
	for (size_t i = 0; i < t->n_folded; i++) {
		if (streq(t->folded[i], g->pod)) {
			free(t->folded[i]);
			t->folded[i] = t->folded[--t->n_folded];
			return 0;
		}
	}
	grown = reallocarray(t->folded, t->n_folded + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->folded = grown;
	t->folded[t->n_folded] = strdup(g->pod);
	return t->folded[t->n_folded++] ? 0 : -ENOMEM;
}
