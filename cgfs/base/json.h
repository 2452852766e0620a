/* SPDX-License-Identifier: MIT */
/*
 * json.h - JSON with integers of any length, in the types of a library whose integers end at
 * INT64_MAX.
 */
#ifndef CGFS_BASE_JSON_H
#define CGFS_BASE_JSON_H

#include <cgfs/base.h>
#include <jansson.h>

/* json_loadb() that takes integers beyond 64 bits with a sign, too.  They become strings that no
 * other text becomes, since they begin with a NUL. */
json_t *cgfs_json_load(const char *json, size_t len, size_t flags, json_error_t *error);

/* The digits of such an integer, with its sign; NULL: @value is something else. */
const char *cgfs_json_big(const json_t *value);

/* An integer from 0 to 2^64 - 1?  Leaves *@ret alone when it is none. */
bool cgfs_json_u64(const json_t *value, uint64_t *ret);

/* json_dumps(), with these integers as integers; release with free().  NULL: no memory. */
char *cgfs_json_dump(const json_t *value, size_t flags);

#endif
