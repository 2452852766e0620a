/* SPDX-License-Identifier: MIT */
/*
 * top_columns.h - the columns of `top`.
 */
#ifndef PODCTL_TOP_COLUMNS_H
#define PODCTL_TOP_COLUMNS_H

#include "agent/podctl/show/top.h"

struct top_column {
	const char *name;    /* what --sort calls it */
	const char *heading; /* NULL: it is not shown, only sorted by */
	int width;
	int from;	   /* the width of a screen on which it is shown */
	unsigned int read; /* CGFS_READ_* */
	/* Above 0: @a is more.  NULL: by name. */
	int (*compare)(const struct top_row *a, const struct top_row *b);
	/* At most width characters; sets *style where it is not plain. */
	void (*print)(const struct top_row *r, char *buf, size_t len, enum style *style);
};

#endif
