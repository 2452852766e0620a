/* SPDX-License-Identifier: MIT */
/*
 * report.h - the member of a request for which a control file is written; see report.c.
 */
#ifndef CGFS_CONTROLLER_REPORT_H
#define CGFS_CONTROLLER_REPORT_H

#include "cgfs/tree/dir.h"

struct unified_plan;

struct report {
	enum cgfs_controller ctl; /* CGFS_CONTROLLER_COUNT: the cgroup2 tree itself */
	uint64_t set;		  /* members that are meant */
	size_t entry;		  /* of the list that is being written */
	const struct unified_plan *unified;
};

/* For struct cgfs. */
void report_write(const struct cgfs_dir *d, const char *file, const char *value, int error);

/* The entry of the list of limits that is written from now on. */
static inline void report_entry(const struct cgfs_dir *d, size_t entry)
{
	if (d->report)
		d->report->entry = entry;
}

#endif
