/* SPDX-License-Identifier: MIT */
/*
 * parse.c - numbers, "KEY VALUE" lines and lists of pids in control files.  Owns the grammar;
 * must not know which file a text came from.  Runs for each figure of each container, hence
 * one pass and no library calls in the inner loops.
 */
#include "cgfs/base/parse.h"

#include "cgfs/base/util.h"

#include <limits.h>

/* Digits at the front of a text.  Returns how many, 0 for none, -ERANGE for too large. */
static ssize_t digits(const char *text, size_t len, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < len; i++) {
		unsigned int d = (unsigned int)(unsigned char)text[i] - '0';

		if (d > 9)
			break;
		/* 19 digits cannot overflow. */
		if (i >= 19 && (v > UINT64_MAX / 10 || v * 10 > UINT64_MAX - d))
			return -ERANGE;
		v = v * 10 + d;
	}
	*ret = v;
	return (ssize_t)i;
}

/* A number or "max" at the front of a text.  Returns its length or a negative errno. */
static ssize_t value(const char *text, size_t len, uint64_t *ret)
{
	ssize_t n = digits(text, len, ret);

	if (n)
		return n;
	if (len >= 3 && memcmp(text, "max", 3) == 0) {
		*ret = CGFS_MAX;
		return 3;
	}
	return -EINVAL;
}

static size_t without_newline(const char *text, size_t len)
{
	return len && text[len - 1] == '\n' ? len - 1 : len;
}

int cgfs_parse_u64(const char *text, size_t len, uint64_t *ret)
{
	uint64_t v;
	ssize_t n;

	len = without_newline(text, len);
	n = value(text, len, &v);
	if (n < 0)
		return (int)n;
	if ((size_t)n != len)
		return -EINVAL;
	*ret = v;
	return 0;
}

int cgfs_parse_v1_limit(const char *text, size_t len, uint64_t *ret)
{
	/* The largest page that Linux runs on: what is above is "no limit" on every machine. */
	const uint64_t none = INT64_MAX & ~UINT64_C(0xffff);
	size_t n = without_newline(text, len);
	int r;

	if (n == 2 && text[0] == '-' && text[1] == '1') {
		*ret = CGFS_MAX;
		return 0;
	}
	r = cgfs_parse_u64(text, len, ret);
	if (r == 0 && *ret >= none)
		*ret = CGFS_MAX;
	return r;
}

int cgfs_parse_line(const char **text, size_t *len, struct cgfs_line *ret)
{
	const char *at = *text, *end = at + *len, *key_end, *line_end;
	uint64_t v = 0;
	ssize_t n;

	if (!*len)
		return 0;

	for (key_end = at; key_end < end && *key_end != ' ' && *key_end != '\n'; key_end++)
		;
	n = key_end > at && key_end < end && *key_end == ' '
		    ? value(key_end + 1, (size_t)(end - key_end - 1), &v)
		    : -EINVAL;
	line_end = n > 0 ? key_end + 1 + n : key_end;
	if (line_end < end && *line_end != '\n') {
		if (n > 0)
			n = -EINVAL;
		while (line_end < end && *line_end != '\n')
			line_end++;
	}
	if (line_end < end)
		line_end++;
	*text = line_end;
	*len = (size_t)(end - line_end);
	if (n < 0)
		return (int)n;

	*ret = (struct cgfs_line){ .key = at, .key_len = (size_t)(key_end - at), .value = v };
	return 1;
}

bool cgfs_parse_key(const char *text, size_t len, const char *key, uint64_t *ret)
{
	struct cgfs_line line;
	int r;

	while ((r = cgfs_parse_line(&text, &len, &line)) != 0) {
		if (r > 0 && line.key_len == strlen(key) &&
		    memcmp(line.key, key, line.key_len) == 0) {
			*ret = line.value;
			return true;
		}
	}
	return false;
}

static unsigned int bucket(const char *name, size_t len)
{
	return ((unsigned int)len * 7 + (unsigned char)name[0] + (unsigned char)name[len - 1] * 3) %
	       64;
}

void cgfs_keys_init(struct cgfs_keys *keys, const struct cgfs_key *key, size_t n)
{
	*keys = (struct cgfs_keys){ .key = key };
	for (size_t i = 0; i < n && i < CGFS_KEYS_MAX; i++) {
		unsigned int b = bucket(key[i].name, strlen(key[i].name));

		keys->next[i] = keys->first[b];
		keys->first[b] = (uint8_t)(i + 1);
	}
}

int cgfs_keys_find(const struct cgfs_keys *keys, const char *name, size_t len)
{
	if (!len)
		return -ENOENT;
	for (unsigned int i = keys->first[bucket(name, len)]; i; i = keys->next[i - 1]) {
		const struct cgfs_key *k = &keys->key[i - 1];

		/* Not strncmp(): a NUL in @name would end it before @len. */
		if (strnlen(k->name, len + 1) == len && memcmp(k->name, name, len) == 0)
			return k->index;
	}
	return -ENOENT;
}

int cgfs_parse_pid(const char **text, size_t *len, pid_t *ret)
{
	uint64_t v = 0;
	size_t used;
	ssize_t n;

	if (!*len)
		return 0;

	n = digits(*text, *len, &v);
	for (used = n > 0 ? (size_t)n : 0; used < *len && (*text)[used] != '\n'; used++)
		if (n >= 0)
			n = 0; /* something that is no digit */
	if (used < *len)
		used++;
	*text += used;
	*len -= used;
	if (n < 0)
		return (int)n;
	if (n == 0)
		return -EINVAL;
	if (v > INT_MAX)
		return -ERANGE;
	*ret = (pid_t)v;
	return 1;
}

/* Strings hold no brackets. */
bool cgfs_json_deeper(const char *json, size_t len, size_t max)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = json[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > max)
				return true;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return false;
}
