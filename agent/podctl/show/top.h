/* SPDX-License-Identifier: MIT */
/*
 * top.h - pods and containers as a tree with rates, sorted, filtered and folded: what `top` draws.
 */
#ifndef PODCTL_TOP_H
#define PODCTL_TOP_H

#include "agent/podctl/show/screen.h"
#include "agent/podctl/show/show.h"

#define TOP_FILTER_MAX 64

/* What of a group is compared with the next sample. */
struct top_sample {
	char *path;
	uint64_t cpu_us, read, write;
};

struct top_row {
	const struct group_info *g;
	uint64_t cpu;	      /* tenths of a percent of one processor */
	uint64_t read, write; /* bytes in a second */
	bool rates;	      /* it was there before */
	bool last;	      /* of its pod, as far as they are shown */
	unsigned int folded;  /* containers that are not shown */
};

struct top_column;

struct top {
	const struct top_column *sort;
	bool reverse;
	char filter[TOP_FILTER_MAX];
	struct top_sample *sample;
	size_t n_samples;
	uint64_t sampled_us;
	char **folded; /* ids of pods */
	size_t n_folded;
	bool fold_all;
	char *selected;		/* the path of the one that was chosen; NULL: none */
	size_t at, offset;	/* of the selected one; of the first that is shown */
	struct top_row *filled; /* of the list, in its order */
	struct top_row *row;
	size_t n_rows, pods, containers;
	uint64_t cpu, memory; /* of all pods */
};

/* A column to sort by, "cpu"; NULL: there is none of the name. */
const struct top_column *top_find_column(const char *name);
/* "name, cpu, memory ..." */
void top_column_names(char *buf, size_t len);
void top_next_column(struct top *t, int step);
/* The bits that the columns need which fit into this width. */
unsigned int top_figures(const struct top *t, int columns);

/* Rows of @list, which must live as long as they are used.  @now_us: when it was taken. */
int top_update(struct top *t, const struct group_list *list, uint64_t now_us);
/* The same list in another order, or with other ones folded. */
int top_arrange(struct top *t, const struct group_list *list);
void top_free(struct top *t);

/* By 0: chooses the one that is there, so that it stays selected wherever it moves. */
void top_move(struct top *t, long by, long page);
int top_fold(struct top *t);
/* NULL: none is selected. */
const struct group_info *top_selected(const struct top *t);

/* Headings and rows; @lines: room for both; 0: all. */
void top_draw(struct top *t, struct screen *s, int lines);

#endif
