/* SPDX-License-Identifier: MIT */
/*
 * podctl.h - what podctl's files share: the arguments, the option tables, and one prototype
 * per verb.  A verb gathers one JSON document, from an agent or from libcgfs; printing it as
 * JSON or as a table is then the same for both.
 */
#ifndef PODCTL_H
#define PODCTL_H

#include <cgfs/cgfs.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../cgfs/internal.h"

/* Exit statuses; `run` adds the command's own. */
enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_RUN_FAILED = 125,
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
};

/* What --memory, --cpus ... add up to. */
struct limits {
	struct cgfs_resources res;	/* devices are filled in by limits_finish() */
	struct cgfs_device_rule *given; /* --device, in order */
	size_t n_given;
	struct cgfs_device_rule *rules; /* defaults, then given; what res.devices points to */
	bool no_defaults;
};

struct args {
	const char *verb;
	/* for every verb */
	const char *agent; /* "unix:PATH"; NULL: straight on libcgfs */
	bool no_agent;
	const char *root;
	const char *pin_dir;
	bool json;
	bool help;
	bool version;
	/* run, create */
	const char *pod;
	const char *name;
	const char *rootfs;
	const char *bundle;
	bool keep;
	bool detach;
	struct limits limits;
	/* events */
	uint64_t count;
	uint64_t timeout_ms; /* CGFS_MAX: none */
	/* rm */
	bool all;
	/* apply */
	bool remove;
	bool no_bpf;
	/* what is left; NULL-terminated */
	int argc;
	char **argv;
};

/* --- opt.c: one table says what is parsed and what --help prints ------------------------- */

struct opt;

/* @to points into struct args, at the option's offset.  Fills @reterr on failure. */
typedef int (*opt_set_fn)(const struct opt *opt, const char *value, void *to,
			  struct cgfs_err *reterr);

struct opt {
	const char *name; /* without the dashes; NULL ends a table */
	char letter;	  /* 0: long form only */
	const char *arg;  /* what --help calls the value; NULL: takes none */
	opt_set_fn set;
	size_t offset;
	const char *help;
};

struct verb {
	const char *name;
	const char *operands;		 /* for the usage line */
	const char *summary;		 /* one line */
	const char *text;		 /* paragraphs for --help */
	const struct opt *const *tables; /* NULL-terminated */
	int min, max;			 /* number of operands; max -1: any */
	bool command;			 /* the operands are a command: stop parsing at the first */
	int (*run)(struct args *a);
};

int opt_flag(const struct opt *opt, const char *value, void *to, struct cgfs_err *reterr);
int opt_string(const struct opt *opt, const char *value, void *to, struct cgfs_err *reterr);
int opt_count(const struct opt *opt, const char *value, void *to, struct cgfs_err *reterr);
int opt_seconds(const struct opt *opt, const char *value, void *to, struct cgfs_err *reterr);

/* Takes one option off the front of @argv.  Returns the number of words used, 0 when the
 * first one is not an option, or a negative errno. */
int opt_take(const struct opt *const *tables, struct args *a, int argc, char **argv,
	     struct cgfs_err *reterr);
/* All of a verb's words: options into @a, operands into a->argv. */
int opt_parse(const struct verb *v, struct args *a, int argc, char **argv, struct cgfs_err *reterr);
void opt_help(const struct opt *const *tables);

extern const struct opt opt_global[];

/* --- value.c: text to numbers -------------------------------------------------------------- */

/* "65536", "64M", "64MiB", "max".  @what is the option's name, for the error. */
int value_bytes(const char *what, const char *text, uint64_t *ret, struct cgfs_err *reterr);
/* "32", "max" */
int value_count(const char *what, const char *text, uint64_t *ret, struct cgfs_err *reterr);
/* "0.5" -> 50000 of 100000, without floating point; "max" -> no quota */
int value_cpus(const char *what, const char *text, uint64_t *ret_quota_us, uint64_t *ret_period_us,
	       struct cgfs_err *reterr);
/* "1.5" -> 1500 */
int value_seconds(const char *what, const char *text, uint64_t *ret_ms, struct cgfs_err *reterr);

/* --- limits.c -------------------------------------------------------------------------------- */

extern const struct opt limits_options[];

void limits_free(struct limits *l);
/* Are there device rules of the caller's own? */
bool limits_has_devices(const struct limits *l);
/* Puts the device list together and checks everything without touching the kernel. */
int limits_finish(struct limits *l, struct cgfs_err *reterr);
/* The same as OCI's linux.resources. */
int limits_oci(const struct limits *l, bool exact, json_t **ret, struct cgfs_err *reterr);

/* --- out.c: what people and programs read ---------------------------------------------------- */

void out_error(const struct args *a, const struct cgfs_err *err);
void out_usage(const struct args *a, const struct cgfs_err *err);
__attribute__((format(printf, 1, 2))) void out_note(const char *fmt, ...);

struct table {
	size_t cols, rows;
	unsigned int right; /* bit per column: aligned to the right */
	char **cell;
	bool failed; /* out of memory on the way */
};

/* As many strings as there are columns; NULL prints as "-". */
void table_row(struct table *t, ...);
int table_print(struct table *t); /* to stdout; releases the cells */

#define OUT_LEN 32
/* "64.0 MiB", "1.25 s", "12", "max": @buf holds OUT_LEN bytes and is returned. */
char *out_value(char *buf, const char *unit, uint64_t value);
char *out_percent(char *buf, uint64_t part, uint64_t whole);

int out_json(json_t *doc);	/* indented, one document */
int out_json_line(json_t *doc); /* one line, flushed */
/* Everything reached stdout?  The last word of a verb: an exit status. */
int out_finish(const struct args *a, int status);

/* --- doc.c: the documents that verbs exchange ---------------------------------------------- */

/* A figure by its dotted path ("memory.current"): false when it is not there.  "max" is
 * CGFS_MAX. */
bool doc_figure(const json_t *stats, enum cgfs_stat stat, uint64_t *ret);
/* Kills for lack of memory: by the device policy's program, else by the memory controller. */
bool doc_oom_kills(const json_t *stats, uint64_t *ret);
const char *doc_string(const json_t *object, const char *key); /* "" when it is not there */
uint64_t doc_number(const json_t *object, const char *key);    /* 0 when it is not there */
int doc_stats(const struct cgfs_stats *stats, json_t **ret);
/* All that cgfs_group_json() has for the CGFS_READ_* bits @what. */
int doc_group(struct cgfs_group *g, unsigned int what, json_t **ret, struct cgfs_err *reterr);
/* @state, or "frozen" where the figures say so of what is "running". */
const char *doc_state(const json_t *stats, const char *state);
int doc_event(const struct cgfs_event *event, json_t **ret);
/* One event as a sentence: "char 1:11 read", "pid 12 (cat)". */
void doc_event_text(const json_t *event, char *buf, size_t len);
int doc_no_memory(struct cgfs_err *reterr);

/* --- direct.c: libcgfs and the eBPF policy, in this process -------------------------------- */

struct cgfs_bpf;

enum direct_mode {
	DIRECT_READ, /* changes nothing: uses the policy only when it is there */
	DIRECT_WRITE,
	DIRECT_APPLY,  /* as WRITE; nobody will ask who was killed */
	DIRECT_EVENTS, /* as READ, and takes the events */
	DIRECT_RUN,    /* as WRITE, and takes the events if nobody else does */
	DIRECT_PROBE,  /* as WRITE, and a missing policy is a finding */
	DIRECT_FILES,  /* as WRITE, without a policy */
	DIRECT_REMOVE, /* as WRITE, and uses the policy only when it is there */
};

struct direct {
	int lock; /* held while the tree or the pins change shape */
	struct cgfs_bpf *bpf;
	struct cgfs *c;
	bool events;
	bool probing;
	bool had_pins;		      /* before this process came */
	struct cgfs_err policy_error; /* code 0: none */
};

int direct_open(const struct args *a, enum direct_mode mode, struct direct *ret,
		struct cgfs_err *reterr);
/* The same with options of the caller's; policy and cgroup2_mount are filled in. */
int direct_open_opts(const struct args *a, enum direct_mode mode, struct cgfs_open_opts *opts,
		     struct direct *ret, struct cgfs_err *reterr);
void direct_close(struct direct *d);
void direct_unlock(struct direct *d);
int direct_lock(struct direct *d, struct cgfs_err *reterr);
/* After a removal: the pods root and the pins go when nobody uses them any more. */
int direct_tidy(const struct args *a, struct direct *d, struct cgfs_err *reterr);
/* Takes groups that somebody else has removed out of the policy, and then the pins, if they were
 * the last.  Removes no directory. */
int direct_forget_gone(const struct args *a, struct direct *d, struct cgfs_err *reterr);
/* The pins alone. */
int direct_tidy_pins(const struct args *a, struct direct *d, struct cgfs_err *reterr);
/* The agent to talk to, "unix:PATH"; NULL: none, work directly. */
const char *args_agent(const struct args *a);
/* Splits "POD/CTR" and checks both ids; *ret_ctr is "" for a pod. */
int target_parse(const char *op, const char *text, char *ret_pod, char *ret_ctr,
		 struct cgfs_err *reterr);
/* Handles for POD or POD/CTR; *ret_ctr is NULL for a pod. */
int direct_group(struct direct *d, const char *pod, const char *ctr, struct cgfs_group **ret_pod,
		 struct cgfs_group **ret_ctr, struct cgfs_err *reterr);

struct ids {
	char **id;
	size_t n;
};

/* Ids of all pods, or (with @pod) of its containers, sorted; release with ids_free(). */
int direct_list(struct direct *d, struct cgfs_group *pod, struct ids *ret, struct cgfs_err *reterr);
void ids_free(struct ids *ids);

/* A group as a document: id, path, cgroup_id, state, processes, stats. */
int direct_describe(struct cgfs_group *g, unsigned int what, json_t **ret, struct cgfs_err *reterr);

/* --- the verbs ----------------------------------------------------------------------------------
 */

extern const struct verb verb_run, verb_create, verb_apply, verb_ls, verb_stat, verb_events,
	verb_rm, verb_doctor;

int run_direct(struct args *a);
int run_agent(struct args *a);
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
void report_stats(struct report *r, const json_t *ctr, const json_t *pod);
void report_print(const struct args *a, const struct report *r, int status);

int pause_main(void);
/* The exit status that a shell would show for what waitpid(2) said. */
int run_status(int wstatus);
/* Says where the process is that podctl does not wait for; an exit status. */
int run_detached(const struct args *a, pid_t pid);

#endif
