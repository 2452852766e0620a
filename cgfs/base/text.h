/* SPDX-License-Identifier: MIT */
/*
 * text.h - text from elsewhere (names of processes, paths, messages), read so that it can be shown
 * without steering a terminal or breaking the format around it.
 */
#ifndef CGFS_TEXT_H
#define CGFS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_INVALID 0xfffdu

/*
 * The character at the front of @s, which is not empty: the number of its bytes, at least 1.  A
 * byte that begins no UTF-8 sequence is TEXT_INVALID and one byte long.  *@ret_shown is false for
 * what must not reach a terminal as it is: control characters (C0, DEL, C1), line and paragraph
 * separators, characters that have no width or change the direction of what follows, and
 * TEXT_INVALID in place of a byte.
 */
size_t cgfs_text_next(const char *s, uint32_t *ret, bool *ret_shown);
/* How many bytes at the front of @s stand in a string of JSON as they are: printable ASCII. */
size_t cgfs_text_plain(const char *s);
/* The character at the front of @s as it stands in a string of JSON, or of a log line; what must
 * not be shown is escaped.  The number of its bytes in @s. */
#define TEXT_ESCAPED_MAX 24
size_t cgfs_text_escape(const char *s, char buf[TEXT_ESCAPED_MAX]);
/* Copies what fits of @src, cut between characters; each that must not be shown becomes '?'. */
void cgfs_text_show(char *dst, size_t len, const char *src);

#endif
