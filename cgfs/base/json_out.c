/* SPDX-License-Identifier: MIT */
/*
 * json_out.c - writes JSON.  By hand: a JSON library's integers end at 2^63 and its strings must be
 * UTF-8, while counters have 64 bits and a process may call itself anything.
 */
#include "cgfs/base/json_out.h"

#include "cgfs/base/text.h"
#include "cgfs/base/util.h"

#include <inttypes.h>

int json_out_open(struct json_out *o)
{
	*o = (struct json_out){ 0 };
	o->f = open_memstream(&o->text, &o->len);
	return o->f ? 0 : -ENOMEM;
}

int json_out_close(struct json_out *o, char **ret)
{
	bool failed = ferror(o->f);

	/* Writing into memory fails for want of memory only. */
	failed = fclose(o->f) != 0 || failed;
	if (failed || !ret)
		free(o->text);
	else
		*ret = o->text;
	return failed ? -ENOMEM : 0;
}

static void put_string(FILE *f, const char *s)
{
	putc('"', f);
	while (*s) {
		char escaped[TEXT_ESCAPED_MAX];
		size_t n = cgfs_text_plain(s);

		fwrite(s, 1, n, f);
		s += n;
		if (!*s)
			break;
		s += cgfs_text_escape(s, escaped);
		fputs(escaped, f);
	}
	putc('"', f);
}

/* The comma and the key of what comes next. */
static void begin_value(struct json_out *o, const char *key)
{
	if (o->comma)
		putc(',', o->f);
	if (key)
		fprintf(o->f, "\"%s\":", key);
	o->comma = true;
}

static void open_level(struct json_out *o, const char *key, bool array)
{
	begin_value(o, key);
	putc(array ? '[' : '{', o->f);
	o->arrays = o->arrays << 1 | array;
	o->comma = false;
}

void json_out_object(struct json_out *o, const char *key)
{
	open_level(o, key, false);
}

void json_out_array(struct json_out *o, const char *key)
{
	open_level(o, key, true);
}

void json_out_end(struct json_out *o)
{
	putc(o->arrays & 1 ? ']' : '}', o->f);
	o->arrays >>= 1;
	o->comma = true;
}

void json_out_number(struct json_out *o, const char *key, uint64_t value)
{
	begin_value(o, key);
	fprintf(o->f, "%" PRIu64, value);
}

void json_out_signed(struct json_out *o, const char *key, int64_t value)
{
	begin_value(o, key);
	fprintf(o->f, "%" PRId64, value);
}

void json_out_limit(struct json_out *o, const char *key, uint64_t value)
{
	if (value == CGFS_MAX)
		json_out_raw(o, key, "\"max\"");
	else
		json_out_number(o, key, value);
}

void json_out_bool(struct json_out *o, const char *key, bool value)
{
	json_out_raw(o, key, value ? "true" : "false");
}

void json_out_string(struct json_out *o, const char *key, const char *s)
{
	begin_value(o, key);
	if (s)
		put_string(o->f, s);
	else
		fputs("null", o->f);
}

void json_out_raw(struct json_out *o, const char *key, const char *json)
{
	begin_value(o, key);
	fputs(json, o->f);
}
