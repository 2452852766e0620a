/* SPDX-License-Identifier: MIT */
/*
 * lines.h - control files with a line for each device or resource, gathered from several files into
 * one list (rdma.c, misc.c, net.c, io_limits.c).
 */
#ifndef CGFS_CONTROLLER_LINES_H
#define CGFS_CONTROLLER_LINES_H

#include "table.h"

/* A growing list of entries of @entry bytes, each of which begins with its name, char[64]. */
struct entries {
	void *at;
	size_t n, entry;
};

#define ENTRY_NAME 64

/* The entry of that name, made when there is none; NULL: no memory. */
void *entries_find(struct entries *e, const char *name);
/* Calls @fn with each line's first word, and what follows it; 0 when there is no such file. */
int entries_read(const struct cgfs_dir *d, const char *file, struct entries *e,
		 void (*fn)(void *entry, char *rest), struct cgfs_err *reterr);
/* "max" or a number, in the first word of @text. */
uint64_t entries_number(const char *text);

#endif
