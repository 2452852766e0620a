/* SPDX-License-Identifier: MIT */
/*
 * targets.c - one operation on each of several pods or containers: what can be done is done, also
 * when another one fails.
 */
#include "agent/podctl/verb/verb.h"

#include <stdio.h>

void targets_add(struct targets *ts, struct source *s, const char *text)
{
	struct cgfs_err err = { 0 };
	struct target t;
	int r;

	if (!ts->ok)
		ts->ok = json_array();
	if (!ts->failed)
		ts->failed = json_array();
	r = target_parse(ts->op, text, &t, &err);
	if (r == 0) {
		r = ts->fn(s, &t, &err);
		if (r < 0)
			cgfs_err_context(&err, r, "%s \"%s\"", ts->op, text);
	}
	if (r == 0) {
		json_array_append_new(ts->ok, json_string(text));
		if (!s->a->json)
			printf("%s %s\n", ts->done, text);
		return;
	}
	out_error(&err);
	json_array_append_new(ts->failed,
			      json_pack("{s:s, s:s}", "target", text, "error", err.text));
}

bool targets_failed(const struct targets *ts, const char *text)
{
	json_t *one;
	size_t i;

	json_array_foreach(ts->failed, i, one)
	{
		if (streq(doc_string(one, "target"), text))
			return true;
	}
	return false;
}

/* The document, with --json; an exit status. */
static int targets_end(struct targets *ts, struct source *s, struct cgfs_err *reterr)
{
	bool failed = json_array_size(ts->failed) > 0;
	json_t *doc = json_pack("{s:o, s:o}", ts->done, ts->ok ? ts->ok : json_array(), "failed",
				ts->failed ? ts->failed : json_array());
	int r = 0;

	if (s->a->json)
		r = out_json(doc, reterr);
	else
		json_decref(doc);
	return r < 0 ? r : failed ? EXIT_FAILED : EXIT_OK;
}

int targets_all(struct targets *ts, struct source *s, struct cgfs_err *reterr)
{
	for (int i = 0; i < s->a->argc; i++)
		targets_add(ts, s, s->a->argv[i]);
	return targets_end(ts, s, reterr);
}

int operands_check(struct args *a, struct cgfs_err *reterr)
{
	struct target t;
	int r = 0;

	for (int i = 0; r == 0 && i < a->argc; i++)
		r = target_parse(a->verb, a->argv[i], &t, reterr);
	return r;
}

int operands_list(struct source *s, unsigned int what, struct group_list *ret,
		  struct cgfs_err *reterr)
{
	const char *verb = s->a->verb;
	struct target t;
	int r = 0;

	if (!s->a->argc)
		return s->ops->list(s, NULL, what, ret, reterr);
	for (int i = 0; r == 0 && i < s->a->argc; i++) {
		r = target_parse(verb, s->a->argv[i], &t, reterr);
		if (r == 0)
			r = s->ops->list(s, &t, what, ret, reterr);
		if (r < 0)
			cgfs_err_context(reterr, r, "%s \"%s\"", verb, s->a->argv[i]);
	}
	return r;
}
