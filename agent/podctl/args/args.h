/* SPDX-License-Identifier: MIT */
/*
 * args.h - the words of a command line: option tables, values, limits, targets, and which agent
 * is meant.
 */
#ifndef PODCTL_ARGS_H
#define PODCTL_ARGS_H

#include <cgfs/cgfs.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgfs/base/util.h"

/* Exit statuses; `run` adds the command's own, as podman does. */
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

/* What "POD" or "POD/CONTAINER" names. */
struct target {
	char pod[CGFS_ID_MAX + 1];
	char ctr[CGFS_ID_MAX + 1]; /* "": the pod */
};

/* What the command of `run` or `exec` gets beside its words. */
struct process_args {
	char **env; /* "NAME=VALUE", in order; podctl's to free */
	size_t n_env;
	const char *workdir;
	const char *user; /* NULL: not given */
	uint32_t uid, gid;
	bool has_gid;
	bool named; /* @user is a name, which the container's own files know */
};

/* Directories and files of this machine in the container. */
struct mounts {
	struct mount {
		char *source, *target;
		bool read_only;
	} * mount;
	size_t n;
};

/* Labels: those that are given, or those that are looked for. */
struct labels {
	char **name; /* "NAME", or of those that are looked for also "NAME=VALUE" */
	size_t n;
	json_t *set; /* of those that are given; NULL: none */
};

struct args {
	const char *verb;
	/* for every verb */
	const char *agent; /* "unix:PATH", "vsock:CID:PORT"; NULL: straight on libcgfs */
	bool no_agent;
	const char *root;
	const char *pin_dir;
	uint64_t answer_ms; /* the longest wait for an answer of the agent */
	bool json;
	bool help;
	bool version;
	/* run, create */
	const char *pod;
	const char *name;
	const char *rootfs;
	const char *bundle;	/* where the agent keeps bundles */
	const char *oci_bundle; /* an OCI bundle; NULL: none */
	const char *hostname;
	struct mounts mounts;
	struct labels labels;
	char *const *command; /* NULL: none */
	bool keep;
	bool detach, rm;
	/* logs */
	bool follow, timestamps;
	uint64_t tail;	  /* CGFS_MAX: all */
	int64_t since_ns; /* since 1970; INT64_MIN: all */
	/* top */
	bool batch;
	uint64_t frames; /* CGFS_MAX: for ever */
	uint64_t delay_ms;
	/* run, exec */
	bool interactive, tty;
	const char *detach_keys;
	/* attach, resize */
	bool no_stdin;
	unsigned int window[2]; /* columns, rows */
	struct process_args process;
	struct limits limits;
	/* events */
	const char *container;
	unsigned int types; /* bits 1 << CGFS_EVENT_...; 0: all */
	uint64_t count;
	uint64_t timeout_ms; /* CGFS_MAX: none */
	/* rm */
	bool all, probe, now;
	/* kill */
	int signal; /* 0: not given */
	/* tables */
	const char *columns, *sort, *state;
	bool quiet, no_headers;
	/* apply */
	bool remove;
	bool no_bpf;
	struct target target; /* of a verb with one */
	/* what is left; NULL-terminated */
	int argc;
	char **argv;
};

/* --- opt.c: one table says what is parsed and what --help prints ------------------------- */

/* @what: "--NAME", for the error; @to points into struct args, at the option's offset.  Fills
 * @reterr on failure. */
typedef int (*opt_set_fn)(const char *what, const char *value, void *to, struct cgfs_err *reterr);

struct opt {
	const char *name; /* without the dashes; NULL ends a table */
	char letter;	  /* 0: long form only */
	const char *arg;  /* what --help calls the value; NULL: takes none */
	opt_set_fn set;
	size_t offset;
	const char *help;
};

struct source;

struct verb {
	const char *name;
	const char *operands;		 /* for the usage line */
	const char *summary;		 /* one line */
	const char *text;		 /* paragraphs for --help */
	const char *exits;		 /* exit statuses; NULL: as every verb */
	const struct opt *const *tables; /* beside opt_global; NULL: none */
	int min, max;			 /* number of operands; max -1: any */
	bool command;			 /* the operands are a command: stop parsing at the first */
	bool own_125; /* the exit status is a command's: 125 is podctl's own, wrong usage as well */
	bool here;    /* needs files or processes of the agent's machine */
	/* What no table row can say, before anything is done; may be NULL. */
	int (*check)(struct args *a, struct cgfs_err *reterr);
	/* One of the two.  run() prints its errors and returns an exit status. */
	int (*run)(struct args *a);
	unsigned int use; /* enum source_use, of the source that with() is given */
	/* Returns an exit status or a negative errno, printed already when @reterr is empty. */
	int (*with)(struct args *a, struct source *s, struct cgfs_err *reterr);
};

int opt_flag(const char *what, const char *value, void *to, struct cgfs_err *reterr);
int opt_string(const char *what, const char *value, void *to, struct cgfs_err *reterr);
int opt_count(const char *what, const char *value, void *to, struct cgfs_err *reterr);
int opt_time(const char *what, const char *value, void *to, struct cgfs_err *reterr);
int opt_signal(const char *what, const char *value, void *to, struct cgfs_err *reterr);
int opt_seconds(const char *what, const char *value, void *to, struct cgfs_err *reterr);

/* Takes one option of @tables (may be NULL) or of opt_global off the front of @argv.  Returns the
 * number of words used, 0 when the first one is not an option, or a negative errno. */
int opt_take(const struct opt *const *tables, struct args *a, int argc, char **argv,
	     struct cgfs_err *reterr);
/* All of a verb's words: options into @a, operands into a->argv. */
int opt_parse(const struct verb *v, struct args *a, int argc, char **argv, struct cgfs_err *reterr);
/* The rows of one table. */
void opt_help(const struct opt *table);

extern const struct opt opt_global[];
/* --timeout, for verbs in which it can mean nothing but an agent's answers. */
extern const struct opt opt_answer[];
/* The same without its letter, for verbs in which -t is something else. */
extern const struct opt opt_answer_long[];

/* --- value.c: text to numbers -------------------------------------------------------------- */

/* "65536", "64M", "64MiB", "max".  @what is the option's name, for the error. */
int value_bytes(const char *what, const char *text, uint64_t *ret, struct cgfs_err *reterr);
/* "32", "max" */
int value_count(const char *what, const char *text, uint64_t *ret, struct cgfs_err *reterr);
/* "0.5" -> 50000 of 100000, without floating point; "max" -> no quota */
int value_cpus(const char *what, const char *text, uint64_t *ret_quota_us, uint64_t *ret_period_us,
	       struct cgfs_err *reterr);
/* "TERM", "SIGTERM", "15" */
int value_signal(const char *what, const char *text, int *ret, struct cgfs_err *reterr);
/* "10m", "1h30m" ago, or "2026-11-30T13:21:47Z", as nanoseconds since 1970 */
int value_time(const char *what, const char *text, int64_t *ret_ns, struct cgfs_err *reterr);
/* RFC 3339 of UTC, from the front of @text: the number of bytes, or 0. */
size_t value_stamp(const char *text, int64_t *ret_ns);
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

/* --- input.c -------------------------------------------------------------------------------------
 */

/* A whole file, not ended by NUL; "-": standard input.  Release with free(). */
int input_read(const char *file, char **ret, size_t *ret_len, struct cgfs_err *reterr);

/* --- command.c: options about the command of `run` and `exec` ----------------------------------
 */

extern const struct opt process_options[], terminal_options[];

void process_args_free(struct process_args *p);
void mounts_free(struct mounts *m);
/* What is in the container: --bundle, --mount; with an agent. */
extern const struct opt container_options[];
/* --hostname, of a pod that is made; with an agent. */
extern const struct opt hostname_options[];

/* --- label.c ---------------------------------------------------------------------------------- */

/* --label of what makes pods and containers, and of what looks for them. */
extern const struct opt label_options[], label_filter_options[];
void labels_free(struct labels *l);
/* Has a pod or container with @own labels, in a pod with @pods (either may be NULL), all that are
 * looked for? */
bool labels_match(const struct labels *l, const json_t *own, const json_t *pods);

/* --- args.c ------------------------------------------------------------------------------------
 */

/* The agent to talk to, an address; NULL: none, work directly. */
const char *args_agent(const struct args *a);
/* Is that agent reached over vsock, so that its files are not ours? */
bool args_elsewhere(const struct args *a);

/* Of the time to wait, which began at @start_ms; at most an hour at once. */
int args_left_ms(const struct args *a, uint64_t start_ms);

/* Splits @text and checks both ids; @op names the operation in the error. */
int target_parse(const char *op, const char *text, struct target *ret, struct cgfs_err *reterr);

/* Checks both ids, which come from options. */
int target_set(struct target *ret, const char *pod, const char *ctr, struct cgfs_err *reterr);

int no_memory(struct cgfs_err *reterr);

#endif
