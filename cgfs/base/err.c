/* SPDX-License-Identifier: MIT */
/*
 * err.c - fills struct cgfs_err.  The only place that words an error; knows no cgroups.
 */
#include "cgfs/base/text.h"
#include "cgfs/base/util.h"

#include <stdio.h>

__attribute__((format(printf, 3, 4))) static size_t append(struct cgfs_err *e, size_t at,
							   const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(e->text + at, sizeof(e->text) - at, fmt, ap);
	va_end(ap);
	if (n < 0)
		return at;
	return at + (size_t)n < sizeof(e->text) ? at + (size_t)n : sizeof(e->text) - 1;
}

int cgfs_err_set(struct cgfs_err *e, int code, const char *op, const char *path, const char *value,
		 const char *why, ...)
{
	size_t at = 0;

	if (!e)
		return code;

	e->code = code;
	cgfs_text_show(e->op, sizeof(e->op), op);
	cgfs_text_show(e->path, sizeof(e->path), path);
	cgfs_text_show(e->value, sizeof(e->value), value);
	e->text[0] = '\0';
	if (e->op[0])
		at = append(e, at, "%s", e->op);
	if (e->path[0])
		at = append(e, at, "%s%s", at ? " " : "", e->path);
	if (value)
		at = append(e, at, "%s\"%s\"", at ? ": " : "", e->value);
	if (at)
		at = append(e, at, ": ");
	if (why) {
		va_list ap;
		char words[512];

		va_start(ap, why);
		vsnprintf(words, sizeof(words), why, ap);
		va_end(ap);
		cgfs_text_show(e->text + at, sizeof(e->text) - at, words);
	} else {
		append(e, at, "%s", strerror(-code));
	}
	return code;
}

int cgfs_err_reason(struct cgfs_err *e, int code, const char *why, ...)
{
	struct cgfs_err was;
	char words[512];
	va_list ap;

	if (!e)
		return code;
	va_start(ap, why);
	vsnprintf(words, sizeof(words), why, ap);
	va_end(ap);
	was = *e;
	return cgfs_err_set(e, code, was.op, was.path,
			    was.value[0] || strstr(was.text, ": \"\": ") ? was.value : NULL, "%s",
			    words);
}

int cgfs_err_context(struct cgfs_err *e, int code, const char *what, ...)
{
	char words[sizeof(e->op)], whole[sizeof(e->text) + sizeof(e->op) + 2];
	va_list ap;

	if (!e)
		return code;

	va_start(ap, what);
	vsnprintf(words, sizeof(words), what, ap);
	va_end(ap);

	/* A message that does not fit loses its end, not its beginning. */
	snprintf(whole, sizeof(whole), "%s: %s", words, e->text);
	cgfs_text_show(e->text, sizeof(e->text), whole);
	cgfs_text_show(e->op, sizeof(e->op), words);
	e->code = code;
	return code;
}

const char *cgfs_version(void)
{
	return CGFS_VERSION;
}
