/* SPDX-License-Identifier: MIT */
/*
 * lines.h - control files with a line for each device or resource, gathered from several files into
 * one list (rdma.c, misc.c, net.c, io_limits.c).
 */
#ifndef CGFS_CONTROLLER_LINES_H
#define CGFS_CONTROLLER_LINES_H

#include "cgfs/controller/base/ops.h"

/* A growing list of entries of @entry bytes, each with its name, char[64], at @name; what
 * is before it is the size of the entry. */
struct entries {
	void *at;
	size_t n, entry, name;
};

#define ENTRY_NAME 64

/* The entry of that name, made when there is none; NULL: no memory. */
void *entries_find(struct entries *e, const char *name);
/* Calls @fn with the entry of each line's first word, what follows it, and @arg; 0 when there is no
 * such file. */
int entries_read(const struct cgfs_dir *d, const char *file, struct entries *e,
		 void (*fn)(void *entry, char *rest, const void *arg), const void *arg,
		 struct cgfs_err *reterr);
/* "max" or a number, in the first word of @text. */
uint64_t entries_number(const char *text);

#endif
