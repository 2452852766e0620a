/* SPDX-License-Identifier: MIT */
/*
 * verb.h - the verbs, one file each.
 */
#ifndef PODCTL_VERB_H
#define PODCTL_VERB_H

#include "agent/podctl/source/source.h"

/* An operation on each of several pods or containers. */
struct targets {
	const char *op;	  /* "remove", for errors */
	const char *done; /* "removed" */
	int (*fn)(struct source *s, const struct target *t, struct cgfs_err *reterr);
	json_t *ok, *failed;
};

/* One of them: prints the outcome, and keeps it for the document. */
void targets_add(struct targets *ts, struct source *s, const char *text);
bool targets_failed(const struct targets *ts, const char *text);
/* All operands; then the document, with --json; an exit status. */
int targets_all(struct targets *ts, struct source *s, struct cgfs_err *reterr);

/* kill.c: a signal to every process of it. */
int kill_group(struct source *s, const struct target *t, int sig, struct cgfs_err *reterr);

/* Every operand names a pod or container. */
int operands_check(struct args *a, struct cgfs_err *reterr);
/* What the operands name, each pod with its containers; without an operand all. */
int operands_list(struct source *s, unsigned int what, struct group_list *ret,
		  struct cgfs_err *reterr);

extern const struct verb verb_run, verb_exec, verb_logs, verb_top, verb_add, verb_create,
	verb_apply, verb_ls, verb_stat, verb_events, verb_rm, verb_doctor, verb_set, verb_kill,
	verb_wait, verb_ps, verb_explain, verb_inspect, verb_freeze, verb_thaw, verb_attach,
	verb_resize, verb_poweroff, verb_metrics;

#endif
