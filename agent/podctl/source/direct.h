/* SPDX-License-Identifier: MIT */
/*
 * direct.h - libcgfs and the eBPF device policy in this process: the source without an agent, and
 * the verbs that are about this machine itself.
 */
#ifndef PODCTL_DIRECT_H
#define PODCTL_DIRECT_H

#include "agent/podctl/source/source.h"
#include "agent/wire/owner.h"

struct cgfs_bpf;

/* Beside enum source_use. */
enum direct_use {
	DIRECT_NO_KILLS = 1 << 8,  /* kills are not reported */
	DIRECT_NO_POLICY = 1 << 9, /* use none, also when there is one; a lock is not needed */
	DIRECT_BESIDE = 1 << 11,   /* another process owns the root, and may go on doing so */
	DIRECT_PROBE = 1 << 10,	   /* what is missing is a finding */
};

struct direct {
	int lock;      /* held while the tree or the pins change shape, where there is one */
	bool unlocked; /* by direct_unlock() */
	struct cgfs_bpf *bpf;
	struct cgfs *c;
	struct owner owner; /* of the pods root, while this process may change it */
	bool probing;
	bool had_pins;		      /* before this process came */
	struct cgfs_err policy_error; /* code 0: none */
	struct cgfs_err lock_error;   /* of a probe; code 0: none */
};

#define DIRECT_INIT                                                                                \
	{                                                                                          \
		.lock = -EBADF, .owner = OWNER_INIT                                                \
	}

/* @opts: policy and cgroup2_mount are filled in; NULL: a->root is all. */
int direct_open(const struct args *a, unsigned int use, struct cgfs_open_opts *opts,
		struct direct *ret, struct cgfs_err *reterr);
void direct_close(struct direct *d);
void direct_unlock(struct direct *d);
int direct_lock(struct direct *d, struct cgfs_err *reterr);
/* After a removal: the pods root and the pins go when nothing uses them any more. */
int direct_tidy(struct direct *d, struct cgfs_err *reterr);
/* Takes groups that another process has removed out of the policy, and then the pins, if they
 * were the last.  Removes no directory. */
int direct_forget_gone(struct direct *d, struct cgfs_err *reterr);
/* The pins alone. */
int direct_tidy_pins(struct direct *d, struct cgfs_err *reterr);
/* Handles for a pod or container; *ret_ctr is NULL for a pod. */
int direct_group(struct direct *d, const struct target *t, struct cgfs_group **ret_pod,
		 struct cgfs_group **ret_ctr, struct cgfs_err *reterr);

/* What is done to a pod or container, with what @arg points to. */
typedef int (*direct_fn)(struct cgfs_group *g, const void *arg, struct cgfs_err *reterr);
int direct_do(struct direct *d, const struct target *t, direct_fn fn, const void *arg,
	      struct cgfs_err *reterr);
/* @res: struct cgfs_resources; @on: bool; @pid: pid_t */
int direct_do_set(struct cgfs_group *g, const void *res, struct cgfs_err *reterr);
int direct_do_freeze(struct cgfs_group *g, const void *on, struct cgfs_err *reterr);
int direct_do_add(struct cgfs_group *g, const void *pid, struct cgfs_err *reterr);

/* A directory: another one has another inode, and one more or fewer in it another link count. */
struct direct_seen {
	uint64_t inode, links;
};

/* The source itself; run_direct.c has its last three functions. */
struct direct_source {
	struct source source;
	unsigned int use;
	struct direct d;
	struct holding *open; /* all pods and containers; NULL: they were not asked for */
	bool looked;
	struct direct_seen root[CGFS_MOUNTS_MAX]; /* by mount, when they were listed */
	/* Of a run: pod and container. */
	struct cgfs_group **group;
	size_t n;
	json_t *past; /* events to come first; NULL: none */
	size_t past_at;
	uint64_t past_ns; /* when these were read, CLOCK_BOOTTIME */
};

static inline struct direct_source *direct_of(struct source *s)
{
	return (struct direct_source *)s;
}

int direct_start(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int direct_exec(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int direct_follow(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int direct_await(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int direct_attach(struct source *s, struct command *cmd, struct cgfs_err *reterr);
int direct_unmake(struct source *s, struct command *cmd, struct cgfs_err *reterr);

/* direct_list.c: opens what has come, and closes what is gone. */
int direct_look(struct direct_source *s, struct cgfs_err *reterr);
void direct_let_go(struct direct_source *s);
/* Of those that are open, from *i = 0 on. */
struct cgfs_group *direct_next_pod(const struct direct_source *s, size_t *i);
int direct_ids(struct source *s, struct ids *ret, struct cgfs_err *reterr);
int direct_list(struct source *source, const struct target *only, unsigned int what,
		struct group_list *list, struct cgfs_err *reterr);
int direct_info(struct cgfs *c, struct cgfs_group *g, unsigned int what, struct group_info *ret,
		struct cgfs_err *reterr);
/* Takes @g over until the source is closed; on failure the caller keeps it. */
int direct_keep(struct direct_source *s, struct cgfs_group *g, struct cgfs_err *reterr);

#endif
