/* SPDX-License-Identifier: MIT */
/*
 * text.c - one UTF-8 decoder for everything that is shown; knows nothing of formats.
 */
#include "cgfs/base/text.h"

#include "cgfs/base/util.h"

#include <stdio.h>

/* Length of the UTF-8 sequence of two bytes or more at the front of a string; 0 if there is none.
 */
static size_t sequence(const unsigned char *s, uint32_t *ret)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t min;
	} forms[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		uint32_t c = s[0] & (unsigned char)~forms[i].mask;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		for (size_t k = 1; k <= i + 1; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[k] & 0x3f);
		}
		if (c < forms[i].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return 0;
		*ret = c;
		return i + 2;
	}
	return 0;
}

static bool hidden(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {
		{ 0, 0x1f },	      /* C0 */
		{ 0x7f, 0x9f },	      /* DEL and C1 */
		{ 0xad, 0xad },	      /* soft hyphen */
		{ 0x61c, 0x61c },     /* Arabic letter mark */
		{ 0x180e, 0x180e },   /* Mongolian vowel separator */
		{ 0x200b, 0x200f },   /* zero width, direction marks */
		{ 0x2028, 0x202e },   /* separators, embeddings, overrides */
		{ 0x2060, 0x206f },   /* joiners, isolates */
		{ 0xfeff, 0xfeff },   /* byte order mark */
		{ 0xfff9, 0xfffb },   /* annotations */
		{ 0xe0000, 0xe007f }, /* tags */
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (c >= ranges[i].from && c <= ranges[i].to)
			return true;
	}
	return false;
}

size_t cgfs_text_next(const char *s, uint32_t *ret, bool *ret_shown)
{
	unsigned char first = (unsigned char)*s;
	size_t n = 1;

	*ret = first;
	if (first >= 0x80) {
		n = sequence((const unsigned char *)s, ret);
		if (n == 0) {
			*ret = TEXT_INVALID;
			*ret_shown = false;
			return 1;
		}
	}
	*ret_shown = !hidden(*ret);
	return n;
}

size_t cgfs_text_plain(const char *s)
{
	size_t n = 0;

	while (s[n] >= ' ' && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

size_t cgfs_text_escape(const char *s, char buf[TEXT_ESCAPED_MAX])
{
	uint32_t c;
	bool shown;
	size_t n = cgfs_text_next(s, &c, &shown);

	if (c == '"' || c == '\\')
		snprintf(buf, TEXT_ESCAPED_MAX, "\\%c", (char)c);
	else if (shown)
		snprintf(buf, TEXT_ESCAPED_MAX, "%.*s", (int)n, s);
	else if (c > 0xffff) /* a surrogate pair */
		snprintf(buf, TEXT_ESCAPED_MAX, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
			 0xdc00 | (c & 0x3ff));
	else
		snprintf(buf, TEXT_ESCAPED_MAX, "\\u%04x", c);
	return n;
}

void cgfs_text_show(char *dst, size_t len, const char *src)
{
	size_t at = 0;

	while (src && *src) {
		uint32_t c;
		bool shown = true;
		size_t n = cgfs_text_plain(src);

		if (n > len - at - 1)
			n = len - at - 1;
		if (n == 0)
			n = cgfs_text_next(src, &c, &shown);
		if (at + (shown ? n : 1) + 1 > len)
			break;
		if (shown)
			memcpy(dst + at, src, n);
		else
			dst[at] = '?';
		at += shown ? n : 1;
		src += n;
	}
	dst[at] = '\0';
}
