/* SPDX-License-Identifier: MIT */
/*
 * parse.h - the text of control files, read without allocation and within the given length.
 *
 * Texts are not NUL-terminated: what pread() put into a buffer is parsed in place.
 */
#ifndef CGFS_PARSE_H
#define CGFS_PARSE_H

#include <cgfs/base.h>
#include <sys/types.h>

/*
 * One decimal number, or "max" (CGFS_MAX), with at most one newline after it.  -EINVAL for
 * anything else, -ERANGE for more than 64 bits.
 */
CGFS_CHECK int cgfs_parse_u64(const char *text, size_t len, uint64_t *ret);

/*
 * The same for a limit of cgroup v1, where "no limit" is "-1" or INT64_MAX rounded down to a
 * page of 4 to 64 KiB: all of these are CGFS_MAX.
 */
CGFS_CHECK int cgfs_parse_v1_limit(const char *text, size_t len, uint64_t *ret);

/* One line "KEY VALUE" of a flat keyed file such as memory.stat. */
struct cgfs_line {
	const char *key;
	size_t key_len;
	uint64_t value;
};

/*
 * Takes the next line off the front of *@text and *@len.  "max" is CGFS_MAX.
 * Returns 1 with a line, 0 at the end, -EINVAL (or -ERANGE) for a line that is not of the form;
 * *@text then stands after it, so that a caller may go on.
 */
CGFS_CHECK int cgfs_parse_line(const char **text, size_t *len, struct cgfs_line *ret);

/* The number behind one key of such a file; false: no line has it. */
bool cgfs_parse_key(const char *text, size_t len, const char *key, uint64_t *ret);

/* A key to look for, and what it means to the caller. */
struct cgfs_key {
	const char *name;
	int index;
};

/*
 * Look-up of keys by length and first and last character.  Made once per read from a const
 * table (on the stack: 128 bytes); a table of up to 64 keys.
 */
#define CGFS_KEYS_MAX 64
struct cgfs_keys {
	const struct cgfs_key *key;
	uint8_t first[64]; /* 1-based head of each bucket's list; 0: empty */
	uint8_t next[CGFS_KEYS_MAX];
};

/* @n is at most CGFS_KEYS_MAX; more are left out of the look-up. */
void cgfs_keys_init(struct cgfs_keys *keys, const struct cgfs_key *key, size_t n);

/* The index of a key, or -ENOENT. */
int cgfs_keys_find(const struct cgfs_keys *keys, const char *name, size_t len);

/*
 * Takes the next number off the front of a list such as cgroup.procs; a pid of 0 stands for a
 * process outside the reader's pid namespace.  Returns 1 with a number, 0 at the end, -EINVAL
 * (or -ERANGE) for a line that is not one.
 */
CGFS_CHECK int cgfs_parse_pid(const char **text, size_t *len, pid_t *ret);

/* Is JSON nested deeper than @max?  Asked before a parser that recurses sees it. */
bool cgfs_json_deeper(const char *json, size_t len, size_t max);

#endif
