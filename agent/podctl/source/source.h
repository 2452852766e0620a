/* SPDX-License-Identifier: MIT */
/*
 * source.h - where a verb gets what it shows and changes: an agent, or libcgfs in this process.
 * A verb calls the functions of its source and does not know which source it has.
 */
#ifndef PODCTL_SOURCE_H
#define PODCTL_SOURCE_H

#include <signal.h>

#include "agent/podctl/show/show.h"
#include "agent/podctl/source/terminal.h"

/* What a verb is going to do. */
enum source_use {
	SOURCE_WRITE = 1 << 0,	/* change the tree */
	SOURCE_POLICY = 1 << 1, /* rely on a device policy, loading it when there is none */
	SOURCE_EVENTS = 1 << 2, /* take events */
};

struct source {
	const struct source_ops *ops;
	const struct args *a;
};

struct ids {
	char **id;
	size_t n;
};

int ids_add(struct ids *ids, const char *id);
void ids_free(struct ids *ids);

/* The command of `run` or `exec`. */
struct command {
	char *const *argv;
	struct target target; /* its container */
	int sigfd;	      /* readable: a signal that was sent to podctl, or a child's end */
	sigset_t old_mask;
	pid_t pid; /* 0: not started, or over */
	bool made_pod;
	bool added;	      /* to a container that is there: nothing is reported of it */
	bool attached;	      /* it was there before: no child of this process */
	int pidfd;	      /* of an attached one, without an agent */
	struct log_file *log; /* what it prints, where it has no terminal; NULL: not attached */
	struct terminal terminal;
	int status; /* podctl's exit status */
	struct report report;
};

/* Begins to take signals, and understands the options about terminals. */
int command_begin(struct command *cmd, const struct args *a, struct cgfs_err *reterr);
/* Makes podctl's own terminal what it was. */
void command_end(struct command *cmd);
/* The next signal that was sent to podctl to be passed on; 0: there is none.  *ret_typed: a
 * terminal sent it, and to the foreground processes as well. */
int command_signal(struct command *cmd, bool *ret_typed);

struct source_ops {
	/* Refuses options that the source cannot honour.  Touches nothing. */
	int (*check)(const struct args *a, struct cgfs_err *reterr);
	int (*open)(const struct args *a, unsigned int use, struct source **ret,
		    struct cgfs_err *reterr);
	/* Takes away what the source needed and nothing uses any more: an empty pods root, pins. */
	int (*close)(struct source *s, struct cgfs_err *reterr);

	/* Adds all pods and containers to @list, or (with @only) one container, or one pod with its
	 * containers; @what as for stat(). */
	int (*list)(struct source *s, const struct target *only, unsigned int what,
		    struct group_list *list, struct cgfs_err *reterr);
	/* The ids of all pods, sorted. */
	int (*ids)(struct source *s, struct ids *ret, struct cgfs_err *reterr);
	/* @what: CGFS_READ_* bits; there may be more figures than these. */
	int (*stat)(struct source *s, const struct target *t, unsigned int what,
		    struct group_info *ret, struct cgfs_err *reterr);
	/* The pod a->pod with a->limits; with a->rootfs also a container that runs a->command. */
	int (*create)(struct source *s, struct cgfs_err *reterr);
	/* Writes a->limits, as far as they are given. */
	int (*set)(struct source *s, const struct target *t, struct cgfs_err *reterr);
	/* Stops all processes, or lets them go on. */
	int (*freeze)(struct source *s, const struct target *t, bool on, struct cgfs_err *reterr);
	/* Moves a process of this machine into a container. */
	int (*add)(struct source *s, const struct target *t, pid_t pid, struct cgfs_err *reterr);
	int (*remove)(struct source *s, const struct target *t, struct cgfs_err *reterr);
	/* The machine of the agent; @now: its processes get no time to end. */
	int (*power_off)(struct source *s, bool now, struct cgfs_err *reterr);
	/* 1 with an event, 0 when none came within @timeout_ms (-1: no limit). */
	int (*next_event)(struct source *s, int timeout_ms, json_t **ret, struct cgfs_err *reterr);

	/* Makes the container, its pod when there is none, and starts the command; a failure sets
	 * cmd->status.  -EINTR: a signal came first. */
	int (*start)(struct source *s, struct command *cmd, struct cgfs_err *reterr);
	/* Starts the command in a container that is there. */
	int (*exec)(struct source *s, struct command *cmd, struct cgfs_err *reterr);
	/* Podctl takes the place of the process that started the command: its terminal is borrowed,
	 * or what it prints is read. */
	int (*attach)(struct source *s, struct command *cmd, struct cgfs_err *reterr);
	/* The window of a terminal that no podctl holds. */
	int (*resize)(struct source *s, const struct target *t, struct cgfs_err *reterr);
	/* Podctl takes the place of another one that started the command and is gone: await() and
	 * unmake() are for it, and its streams are not.  1: it has ended. */
	int (*follow)(struct source *s, struct command *cmd, struct cgfs_err *reterr);
	/* Waits for the end of the command, and fills in cmd->status and cmd->report. */
	int (*await)(struct source *s, struct command *cmd, struct cgfs_err *reterr);
	/* Removes what start() made, as far as it came, then takes the last events. */
	int (*unmake)(struct source *s, struct command *cmd, struct cgfs_err *reterr);
};

extern const struct source_ops source_agent, source_direct;

/* As the options say: checked, not opened. */
int source_check(const struct args *a, struct cgfs_err *reterr);
int source_open(const struct args *a, unsigned int use, struct source **ret,
		struct cgfs_err *reterr);
/* Adds the remedy to the error of an ordinary user. */
void source_explain(struct cgfs_err *err);
/* Both.  Prints what is wrong; an exit status. */
int source_begin(const struct args *a, unsigned int use, struct source **ret);
/* Names the container in @t, where it is a pod with one container; with @thawed -EBUSY when that is
 * frozen. */
int source_container(struct source *s, struct target *t, bool thawed, struct cgfs_err *reterr);
/* @s may be NULL. */
int source_close(struct source *s, struct cgfs_err *reterr);

#endif
