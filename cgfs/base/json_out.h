/* SPDX-License-Identifier: MIT */
/*
 * json_out.h - JSON as text, written member by member: numbers have 64 bits, and strings may be
 * anything.  A key is a word that stands in JSON as it is, and NULL in an array and at the top.
 */
#ifndef CGFS_BASE_JSON_OUT_H
#define CGFS_BASE_JSON_OUT_H

#include <cgfs/base.h>
#include <stdio.h>

struct json_out {
	FILE *f;
	char *text;
	size_t len;
	uint64_t arrays; /* of the open levels, the last is bit 0; at most 64 */
	bool comma;	 /* before what comes next */
};

/* -ENOMEM: nothing is to be closed. */
CGFS_CHECK int json_out_open(struct json_out *o);
/* 0 with the text, to be released with free(); or -ENOMEM.  @ret NULL: the text is not wanted. */
CGFS_CHECK int json_out_close(struct json_out *o, char **ret);

void json_out_object(struct json_out *o, const char *key);
void json_out_array(struct json_out *o, const char *key);
/* Ends the object or array that was begun last. */
void json_out_end(struct json_out *o);

void json_out_number(struct json_out *o, const char *key, uint64_t value);
void json_out_signed(struct json_out *o, const char *key, int64_t value);
/* A number; CGFS_MAX is "max". */
void json_out_limit(struct json_out *o, const char *key, uint64_t value);
void json_out_bool(struct json_out *o, const char *key, bool value);
/* NULL is null.  Bytes that are not UTF-8 become U+FFFD. */
void json_out_string(struct json_out *o, const char *key, const char *s);
/* @json is a value as text. */
void json_out_raw(struct json_out *o, const char *key, const char *json);

#endif
