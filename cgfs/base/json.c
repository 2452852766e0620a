/* SPDX-License-Identifier: MIT */
/*
 * json.c - integers beyond INT64_MAX in JSON.  The parser's end there, OCI's and the kernel's do
 * not; so the parser gets a copy of the text in which such an integer is a string "\0DIGITS".
 */
#include "cgfs/base/json.h"

#include "cgfs/base/util.h"

#define MARK "\"\\u0000" /* as such a string begins in text */

/* Of a number at the front of @json: how many bytes it has, and whether the parser has no type for
 * it. */
static size_t number(const char *json, size_t len, bool *ret_big)
{
	bool minus = json[0] == '-', whole = true;
	const char *most = minus ? "9223372036854775808" : "9223372036854775807";
	size_t n = minus, digits;

	for (; n < len && json[n] && strchr("0123456789.eE+-", json[n]); n++)
		whole = whole && json[n] >= '0' && json[n] <= '9';
	digits = n - minus;
	*ret_big = whole && digits > 0 && json[minus] != '0' &&
		   (digits > strlen(most) ||
		    (digits == strlen(most) && memcmp(json + minus, most, digits) > 0));
	return n;
}

/* How many bytes the string at the front of @json has.  0: it is not closed, or has a NUL. */
static size_t string(const char *json, size_t len)
{
	for (size_t n = 1; n < len; n++) {
		if (json[n] == '"')
			return n + 1;
		if (json[n] != '\\')
			continue;
		if (len - n > 6 && memcmp(json + n, "\\u0000", 6) == 0)
			return 0;
		n++;
	}
	return 0;
}

/* NULL: no memory, or no JSON. */
static char *mark(const char *json, size_t len, size_t *ret_len)
{
	/* A mark and a quote for 19 digits at the least. */
	char *copy = malloc(len + len / 2 + sizeof(MARK) + 1);
	size_t used = 0, n;

	for (size_t i = 0; copy && i < len; i += n) {
		bool big = false;

		n = 1;
		if (json[i] == '"')
			n = string(json + i, len - i);
		else if (json[i] == '-' || (json[i] >= '0' && json[i] <= '9'))
			n = number(json + i, len - i, &big);
		if (n == 0) {
			free(copy);
			return NULL;
		}
		if (big)
			used = (size_t)(stpcpy(copy + used, MARK) - copy);
		memcpy(copy + used, json + i, n);
		used += n;
		if (big)
			copy[used++] = '"';
	}
	*ret_len = used;
	return copy;
}

json_t *cgfs_json_load(const char *json, size_t len, size_t flags, json_error_t *error)
{
	auto_free char *copy = NULL;
	json_error_t own;
	size_t n;
	json_t *j;

	error = error ? error : &own;
	j = json_loadb(json, len, flags, error);
	if (!j && json_error_code(error) == json_error_numeric_overflow)
		copy = mark(json, len, &n);
	return copy ? json_loadb(copy, n, flags | JSON_ALLOW_NUL, error) : j;
}

const char *cgfs_json_big(const json_t *value)
{
	const char *s = json_string_value(value);

	return s && !*s && json_string_length(value) > 0 ? s + 1 : NULL;
}

bool cgfs_json_u64(const json_t *value, uint64_t *ret)
{
	const char *big = cgfs_json_big(value);
	uint64_t n = big ? 0 : (uint64_t)json_integer_value(value);

	if (big) {
		errno = 0;
		n = strtoull(big, NULL, 10);
	}
	if (big ? *big == '-' || errno != 0 : !json_is_integer(value) || n > INT64_MAX)
		return false;
	*ret = n;
	return true;
}

char *cgfs_json_dump(const json_t *value, size_t flags)
{
	char *text = json_dumps(value, flags);
	char *to = text;

	/* Inside a string a quote is escaped, and so is a back-slash: the mark is at its front. */
	for (const char *from = text; from && (*to = *from); to++, from++) {
		if (strncmp(from, MARK, strlen(MARK)) != 0)
			continue;
		from += strlen(MARK);
		while (*from != '"')
			*to++ = *from++;
		to--;
	}
	return text;
}
