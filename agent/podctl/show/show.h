/* SPDX-License-Identifier: MIT */
/*
 * show.h - what people and programs read: tables, sentences, JSON documents, the report of a run.
 */
#ifndef PODCTL_SHOW_H
#define PODCTL_SHOW_H

#include "agent/podctl/args/args.h"

/* --- out.c: what people and programs read ---------------------------------------------------- */

void out_error(const struct cgfs_err *err);
void out_usage(const struct args *a, const struct cgfs_err *err);
__attribute__((format(printf, 1, 2))) void out_note(const char *fmt, ...);

struct table {
	size_t cols, rows, room;
	unsigned int right; /* bit per column: aligned to the right */
	char **cell;
	bool failed; /* out of memory on the way */
};

/* As many strings as there are columns; NULL prints as "-". */
void table_row(struct table *t, ...);
void table_cells(struct table *t, const char *const *cell);
int table_print(struct table *t); /* to stdout; releases the cells */

#define OUT_LEN 32
/* "64.0 MiB", "1.25 s", "12", "max": @buf holds OUT_LEN bytes and is returned. */
char *out_value(char *buf, const char *unit, uint64_t value);
char *out_percent(char *buf, uint64_t part, uint64_t whole);

/* One document, indented; it is released.  NULL: out of memory. */
int out_json(json_t *doc, struct cgfs_err *reterr);
int out_json_line(FILE *f, const json_t *doc); /* one line, flushed */
/* Has everything reached stdout?  At the end of a verb: an exit status. */
int out_finish(int status);

/* --- doc.c: the documents that verbs exchange ---------------------------------------------- */

/* A figure by its dotted path ("memory.current"): false when it is not there.  "max" is
 * CGFS_MAX. */
bool doc_figure(const json_t *stats, enum cgfs_stat stat, uint64_t *ret);
/* Are the processors ("cpus") or nodes ("mems") in effect not those that were set?  A remark. */
bool doc_differs(const json_t *stats, const char *what, char *buf, size_t len);
const char *doc_string(const json_t *object, const char *key); /* "" when it is not there */
uint64_t doc_number(const json_t *object, const char *key);    /* 0 when it is not there */
/* All that cgfs_group_json() has for the CGFS_READ_* bits @what. */
int doc_group(struct cgfs_group *g, unsigned int what, json_t **ret, struct cgfs_err *reterr);
int doc_event(const struct cgfs_event *event, json_t **ret);
/* One event as a sentence: "char 1:11 read", "pid 12 (cat)". */
void doc_event_text(const json_t *event, char *buf, size_t len);

/* --- info.c: pods and containers, the same from every source -----------------------------------
 */

struct group_info {
	char *pod, *ctr; /* @ctr "": the pod itself */
	char *path;
	json_t *labels; /* an object; NULL: none */
	char *log;	/* the file with what a container has printed; NULL: none is known */
	uint64_t cgroup_id;
	pid_t pid;	   /* of the first process; 0: not known */
	int64_t exit_code; /* -1: not known */
	json_t *processes; /* process ids, sorted; NULL: their number is a figure, and is enough */
	json_t *shared; /* types of the namespaces that it shares with its pod; NULL: not known */
	/* Figures are in @stats, and @doc then has the lists alone, or all in @doc, as
	 * cgfs_group_json() writes it. */
	bool in_stats;
	struct cgfs_stats stats;
	json_t *doc; /* may be NULL */
};

struct group_list {
	char *root, *layout;
	struct group_info *info; /* each pod before its containers */
	size_t n;
};

/* Copies the names; the other members are the caller's to fill. */
int info_name(struct group_info *g, const char *pod, const char *ctr, const char *path,
	      struct cgfs_err *reterr);
void info_free(struct group_info *g);
bool info_figure(const struct group_info *g, enum cgfs_stat stat, uint64_t *ret);
/* Kills for lack of memory: by the device policy's program, else by the memory controller. */
bool info_oom_kills(const struct group_info *g, uint64_t *ret);
/* "running", "frozen" or "empty" */
const char *info_state(const struct group_info *g);
/* "app=web,tier=front"; @buf is returned, cut where it is too small. */
char *info_labels(const struct group_info *g, char *buf, size_t len);
/* id, path, labels, cgroup_id, state, pid, exit_code, processes, shared_namespaces, stats */
json_t *info_doc(const struct group_info *g);

/* Where there are no names yet. */
int list_name(struct group_list *l, const char *root, const char *layout, struct cgfs_err *reterr);
/* Takes over what @g has, on failure, too. */
int list_add(struct group_list *l, struct group_info *g, struct cgfs_err *reterr);
/* Only those that have the labels which @wanted looks for. */
void list_keep_labels(struct group_list *l, const struct labels *wanted);
void list_free(struct group_list *l);
/* root, layout, pods; a pod's document has `containers` in addition. */
json_t *list_doc(const struct group_list *l);

/* --- columns.c: such a list as a table ----------------------------------------------------------
 */

#define COLUMNS_MAX 24

struct column {
	char name[48];
	int kind;
	enum cgfs_stat stat;
};

struct columns {
	struct column column[COLUMNS_MAX];
	size_t n;
	struct column sort;
	bool sorted, down;
	bool all_figures; /* more than those of a line of `ls` */
};

/* @list: "pod,memory,io.read_bytes"; @sort: a column, with "-" before it from the highest to the
 * lowest; may be NULL. */
int columns_parse(struct columns *ret, const char *list, const char *sort, struct cgfs_err *reterr);
int columns_print(const struct columns *c, const struct group_list *l, bool headings);

/* --- metrics.c: such a list as OpenMetrics text, whole ------------------------------------------
 */

void metrics_print(const struct group_list *l);

/* --- report.c ----------------------------------------------------------------------------------
 */

/* What a container's process met, on stderr (--json: one object): OOM kills, denials. */
struct report {
	const char *pod, *ctr;
	json_t *events;		     /* array of documents */
	uint64_t oom_kills, denials; /* by the counters, which lose nothing */
	uint64_t memory_max;	     /* the limit that binds */
	bool limit_is_pods;
};
/* Keeps @event when it is about this container, or about its pod as a whole. */
void report_event(struct report *r, json_t *event);
/* Figures of the container and of its pod, when the process has ended. */
void report_stats(struct report *r, const struct group_info *ctr, const struct group_info *pod);
void report_print(const struct args *a, const struct report *r, int status);

#endif
