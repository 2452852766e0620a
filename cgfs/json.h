/* SPDX-License-Identifier: MIT */
/*
 * json.h - JSON written piece by piece, for the files that make objects of a group.
 */
#ifndef CGFS_JSON_H
#define CGFS_JSON_H

#include <cgfs/cgfs.h>
#include <stdio.h>

/* `,"key":value`, without the comma when it is the first of its object; CGFS_MAX is "max". */
void cgfs_json_number(FILE *f, bool *first, const char *key, uint64_t value);
/* The same with a string; NULL is nothing at all. */
void cgfs_json_text(FILE *f, bool *first, const char *key, const char *text);
/* `{"key":"text"`, which begins an object. */
void cgfs_json_name(FILE *f, const char *key, const char *text);

/* `,"limits":{...}` and `,"cpuset":{...}` (limits_json.c). */
int cgfs_json_limits(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr);
int cgfs_json_cpuset(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr);

/* The entries of an array, without its brackets (lists_json.c). */
int cgfs_json_io(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr);
int cgfs_json_io_limits(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr);
int cgfs_json_hugetlb(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr);
int cgfs_json_rdma(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr);
int cgfs_json_misc(struct cgfs_group *g, FILE *f, struct cgfs_err *reterr);

#endif
